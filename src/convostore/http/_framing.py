"""Incremental, bounded decoders of a byte stream: lines, and server-sent events.

Both take chunks of any size and keep what is incomplete. The meaning of a frame belongs in an
adapter's decoder.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from ..errors import ProtocolError

_LARGEST: Final = 64 * 2**20
"""Bytes of one frame; no service sends larger ones."""
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class ServerSentEvent(NamedTuple):
    """One event of an event stream.

    Attributes:
        event: The name; empty if it has none.
        data: The data lines, joined with newlines.
    """

    event: str
    data: bytes


class Lines:
    """A decoder of lines, ended by LF, CRLF or CR.

    Args:
        largest: The maximum number of bytes in a line.
    """

    def __init__(self, *, largest: int = _LARGEST) -> None:
        self._largest = largest
        self._rest = bytearray()
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Feed a chunk and return the lines it completes, without their line ends.

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
            raise ProtocolError(f"a line of the stream is longer than {self._largest:,} bytes")

    def close(self) -> bytes:
        """Return the text after the last line end."""
        rest, self._rest = bytes(self._rest), bytearray()
        return rest


class EventStream:
    """A decoder of server-sent events, by the HTML standard; ``id`` and ``retry`` are ignored.

    Args:
        largest: The maximum number of bytes in an event's data, and in a line.
    """

    def __init__(self, *, largest: int = _LARGEST) -> None:
        self._largest = largest
        self._lines = Lines(largest=largest)
        self._is_started = False
        self._event = ""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """Feed a chunk and yield the events it completes; exhaust them before the next chunk.

        Raises:
            ProtocolError: An event is too large.
        """
        for line in self._lines.feed(chunk):
            if line:
                self._add_line(line)
            elif self._data:
                yield self._complete()
            else:
                self._event = ""

    def close(self) -> Iterator[ServerSentEvent]:
        """Yield the event that the stream's end completes: services omit the last empty line."""
        rest = self._lines.close()
        if rest:
            self._add_line(rest)
        if self._data:
            yield self._complete()

    def _complete(self) -> ServerSentEvent:
        event = ServerSentEvent(self._event, b"\n".join(self._data))
        self._event, self._data, self._size = "", [], 0
        return event

    def _add_line(self, line: bytes) -> None:
        if not self._is_started:
            self._is_started = True
            line = line.removeprefix(_BYTE_ORDER_MARK)
        name, _, value = line.partition(b":")
        if name == b"data":
            self._add_data(value.removeprefix(b" "))
        elif name == b"event":
            self._event = value.removeprefix(b" ").decode("utf-8", "replace")

    def _add_data(self, value: bytes) -> None:
        self._data.append(value)
        self._size += len(value) + 1
        if self._size > self._largest + 1:
            raise ProtocolError(f"an event of the stream is larger than {self._largest:,} bytes")
