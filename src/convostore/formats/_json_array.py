"""The objects of a JSON file that is one large array, one at a time, in bounded memory.

Only where an object ends is looked for here; it is decoded like any other JSON text, so that big
numbers and lone surrogates come out as they are (streaming parsers change or refuse them).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, Final

from ..errors import InvalidError

MAX_OBJECT: Final = 512 * 1024 * 1024
"""Bytes of the largest object that is read: one conversation with all its messages."""

_CHUNK: Final = 256 * 1024
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}"]', re.DOTALL)
_OPENING: Final = (b"{", b"[")
_CLOSING: Final = (b"}", b"]")
_BETWEEN: Final = re.compile(rb"[\s,]*")
_BOM: Final = b"\xef\xbb\xbf"


def json_objects(stream: IO[bytes]) -> Iterator[bytes]:
    """Yields the texts of the objects in an array, or the one object that a file is.

    Raises:
        InvalidError: The file is cut off, holds something else, or an object that is too large.
    """
    return _Splitter(stream).objects()


class _Splitter:
    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._held = b""
        self._start = 0
        self._ended = False
        self._found = 0

    def objects(self) -> Iterator[bytes]:
        self._read()
        if self._held.startswith(_BOM):
            self._start = len(_BOM)
        first = self._next_sign()
        if first == b"{":
            yield self._object()
        elif first == b"[":
            self._start += 1
            while (sign := self._next_sign()) != b"]":
                if sign != b"{":
                    raise InvalidError(f"{self._place()} there is no JSON object, but {sign!r}")
                yield self._object()
        else:
            raise InvalidError(f"this is no JSON array or object: it begins with {first!r}")

    def _next_sign(self) -> bytes:
        """Goes past what stands between two objects; the first byte of what follows."""
        while True:
            between = _BETWEEN.match(self._held, self._start)
            self._start = between.end() if between else self._start
            if self._start < len(self._held):
                return self._held[self._start : self._start + 1]
            if self._ended:
                raise InvalidError(f"this file is cut off or empty: it ends {self._place()}")
            self._read()

    def _object(self) -> bytes:
        depth, looked_at = 0, 0
        while True:
            for token in _TOKEN.finditer(self._held, self._start + looked_at):
                sign = token[0]
                if sign == b'"':  # of a string whose end is not read yet
                    break
                looked_at = token.end() - self._start
                depth += (sign in _OPENING) - (sign in _CLOSING)
                if depth == 0:
                    return self._take(looked_at)
            self._read_on()

    def _take(self, size: int) -> bytes:
        found = self._held[self._start : self._start + size]
        self._start += size
        self._found += 1
        return found

    def _read_on(self) -> None:
        if self._ended:
            raise InvalidError(f"this file is cut off: it ends within an object {self._place()}")
        pending = len(self._held) - self._start
        if pending > MAX_OBJECT:
            raise InvalidError(f"{self._place()} an object is larger than {MAX_OBJECT} bytes")
        # Twice as much each time, as what is held is copied, and a string looked through, anew.
        self._read(max(_CHUNK, pending))

    def _read(self, size: int = _CHUNK) -> None:
        chunk = self._stream.read(size)
        self._ended = not chunk
        self._held = self._held[self._start :] + chunk
        self._start = 0

    def _place(self) -> str:
        return f"behind {self._found} conversations"
