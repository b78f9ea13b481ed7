"""Objects of a JSON file that is one large array, one at a time, in bounded memory.

Only the end of each object is found here, nothing is decoded: streaming parsers change or refuse
big numbers and lone surrogates.
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
    """Yield the text of each object in an array, or of the only object of a file.

    Raises:
        InvalidError: The file is truncated, is something else, or has an object that is too large.
    """
    return _Splitter(stream).objects()


class _Splitter:
    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._buffer = b""
        self._start = 0
        self._ended = False
        self._count = 0

    def objects(self) -> Iterator[bytes]:
        self._read()
        if self._buffer.startswith(_BOM):
            self._start = len(_BOM)
        first = self._next_byte()
        if first == b"{":
            yield self._object()
        elif first == b"[":
            self._start += 1
            while (byte := self._next_byte()) != b"]":
                if byte != b"{":
                    raise InvalidError(f"expected a JSON object {self._place()}, got {byte!r}")
                yield self._object()
        else:
            raise InvalidError(f"the file must be a JSON array or object, got {first!r}")

    def _next_byte(self) -> bytes:
        """Skip what is between two objects; return the first byte of the next."""
        while True:
            between = _BETWEEN.match(self._buffer, self._start)
            self._start = between.end() if between else self._start
            if self._start < len(self._buffer):
                return self._buffer[self._start : self._start + 1]
            if self._ended:
                raise InvalidError(f"the file is truncated or empty: it ends {self._place()}")
            self._read()

    def _object(self) -> bytes:
        depth, scanned = 0, 0
        while True:
            for token in _TOKEN.finditer(self._buffer, self._start + scanned):
                text = token[0]
                if text == b'"':  # the end of this string is not read yet
                    break
                scanned = token.end() - self._start
                depth += (text in _OPENING) - (text in _CLOSING)
                if depth == 0:
                    return self._take(scanned)
            self._read_on()

    def _take(self, size: int) -> bytes:
        text = self._buffer[self._start : self._start + size]
        self._start += size
        self._count += 1
        return text

    def _read_on(self) -> None:
        if self._ended:
            raise InvalidError(f"the file is truncated: it ends within an object {self._place()}")
        pending = len(self._buffer) - self._start
        if pending > MAX_OBJECT:
            raise InvalidError(f"the object {self._place()} is larger than {MAX_OBJECT} bytes")
        # Doubled each time, as the buffer is copied, and a string scanned, anew.
        self._read(max(_CHUNK, pending))

    def _read(self, size: int = _CHUNK) -> None:
        chunk = self._stream.read(size)
        self._ended = not chunk
        self._buffer = self._buffer[self._start :] + chunk
        self._start = 0

    def _place(self) -> str:
        return f"after {self._count} conversations"
