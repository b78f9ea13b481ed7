"""Bytes of a stream to its frames: lines, and server-sent events.

Both take pieces of any size, keep what is not complete, and bound it. What the frames mean, an
adapter's decoder knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from ..errors import ProtocolError

_LARGEST: Final = 64 * 2**20
"""Bytes of one frame: what grows beyond is no frame of a service."""
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class ServerSentEvent(NamedTuple):
    """One event of an event stream.

    Attributes:
        event: Its name; empty when it has none.
        data: Its data lines, joined with a newline.
    """

    event: str
    data: bytes


class Lines:
    """Cuts a stream into lines, ended by LF, CRLF or CR.

    Args:
        largest: The most bytes of one line.
    """

    def __init__(self, *, largest: int = _LARGEST) -> None:
        self._largest = largest
        self._rest = bytearray()
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Takes the next piece to the lines that it completes, without their ends.

        Raises:
            ProtocolError: A line is too long.
        """
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not self._rest and len(chunk) <= self._largest:
            *lines, rest = chunk.split(b"\n")
            self._rest += rest
            return lines
        first, newline, rest = chunk.partition(b"\n")
        self._rest += first
        self._check(len(self._rest))
        if not newline:
            return []
        lines = [bytes(self._rest), *rest.split(b"\n")]
        if len(rest) > self._largest:
            self._check(max(map(len, lines)))
        self._rest = bytearray(lines.pop())
        return lines

    def _check(self, size: int) -> None:
        if size > self._largest:
            raise ProtocolError(f"the stream has a line of more than {self._largest:,} bytes")

    def close(self) -> bytes:
        """What stands behind the last end of a line."""
        rest, self._rest = bytes(self._rest), bytearray()
        return rest


class EventStream:
    """Reads server-sent events, as the HTML standard has them; ``id`` and ``retry`` are left out.

    Args:
        largest: The most bytes of one event's data, and of one line.
    """

    def __init__(self, *, largest: int = _LARGEST) -> None:
        self._largest = largest
        self._lines = Lines(largest=largest)
        self._begun = False
        self._event = ""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """Takes the next piece to the events that it completes; use them all before the next.

        Raises:
            ProtocolError: An event is too large.
        """
        for line in self._lines.feed(chunk):
            if line:
                self._take(line)
            elif self._data:
                yield self._complete()
            else:
                self._event = ""

    def close(self) -> Iterator[ServerSentEvent]:
        """The event that the stream's end completes: services leave out the last empty line."""
        rest = self._lines.close()
        if rest:
            self._take(rest)
        if self._data:
            yield self._complete()

    def _complete(self) -> ServerSentEvent:
        event = ServerSentEvent(self._event, b"\n".join(self._data))
        self._event, self._data, self._size = "", [], 0
        return event

    def _take(self, line: bytes) -> None:
        if not self._begun:
            self._begun = True
            line = line.removeprefix(_BYTE_ORDER_MARK)
        name, _, value = line.partition(b":")
        if name == b"data":
            self._grow(value.removeprefix(b" "))
        elif name == b"event":
            self._event = value.removeprefix(b" ").decode("utf-8", "replace")

    def _grow(self, value: bytes) -> None:
        self._data.append(value)
        self._size += len(value) + 1
        if self._size > self._largest + 1:
            raise ProtocolError(f"the stream has an event of more than {self._largest:,} bytes")
