"""Server-sent events of the native API to a reply's events; what they mean, `wire` knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from convostore.adapters import Decoder
from convostore.errors import ProtocolError, UnavailableError
from convostore.http import EventStream, ServerSentEvent
from convostore.models import Reply, ReplyEvent
from convostore.parsing import decode_json

from .. import schema
from .errors import error_in

_WHAT = "an event of the reply"


class EventDecoder(Decoder[bytes]):
    """Reads a reply as it arrives; its last event is kept, and not handed out."""

    def __init__(self) -> None:
        self._stream = EventStream()
        self._reply: Reply | None = None

    @property
    def reply(self) -> Reply:
        """The reply that the stream ended with.

        Raises:
            UnavailableError: It ended before the reply did.
        """
        if self._reply is None:
            raise UnavailableError("the stream broke off before the reply was finished")
        return self._reply

    def feed(self, chunk: bytes) -> Iterator[ReplyEvent]:
        return self._read(self._stream.feed(chunk))

    def close(self) -> Iterator[ReplyEvent]:
        yield from self._read(self._stream.close())
        _ = self.reply  # it is there, or the stream was not whole

    def _read(self, events: Iterable[ServerSentEvent]) -> Iterator[ReplyEvent]:
        for each in events:
            event = _event(each)
            if event.kind == "reply_finished":
                self._reply = event.reply
            else:
                yield event


def _event(sent: ServerSentEvent) -> ReplyEvent:
    """One event; its data tells its kind.

    Raises:
        StoreError: It tells of one, or is unreadable.
    """
    data = decode_json(sent.data, _WHAT)
    if sent.event == "error":
        raise error_in(data) or ProtocolError(f"{_WHAT} is an error of another kind")
    return schema.read_event(data)
