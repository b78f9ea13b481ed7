"""Bytes of a stream to its frames: server-sent events, and objects of JSON a line each.

Both take pieces of any size, keep what is not complete, and bound it. What the frames mean, an
adapter's decoder knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from .errors import ProtocolError

_MOST: Final = 64 * 2**20
"""Bytes of one frame: what grows beyond is no frame of a service."""


class ServerSentEvent(NamedTuple):
    """One event of an event stream.

    Attributes:
        event: Its name; empty when it has none.
        data: Its data lines, joined with a newline.
    """

    event: str
    data: bytes


class Lines:
    """Cuts a stream into lines, ended by LF, CRLF or CR."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._size = 0
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Takes the next piece to the lines that it completes, without their ends.

        Raises:
            ProtocolError: A line has no end.
        """
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        first, *rest = chunk.split(b"\n")
        self._keep(first)
        if not rest:
            return []
        lines = [b"".join(self._rest), *rest[:-1]]
        self._rest, self._size = [], 0
        self._keep(rest[-1])
        return lines

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._rest.append(piece)
            self._size += len(piece)
            if self._size > _MOST:
                raise ProtocolError(f"the stream has a line of more than {_MOST:,} bytes")

    def close(self) -> bytes:
        """What stands behind the last end of a line."""
        rest, self._rest, self._size = b"".join(self._rest), [], 0
        return rest


class EventStream:
    """Reads server-sent events, as the HTML standard has them."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._first = True
        self._event = ""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """Takes the next piece to the events that it completes.

        Raises:
            ProtocolError: An event has no end.
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
        if self._first:
            self._first = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._size += len(value)
            if self._size > _MOST:
                raise ProtocolError(f"the stream has an event of more than {_MOST:,} bytes")
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
