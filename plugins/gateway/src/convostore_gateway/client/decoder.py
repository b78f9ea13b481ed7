"""The decoder of the native API's server-sent events; `schema` parses what they hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from convostore.adapters import Decoder
from convostore.errors import ProtocolError, UnavailableError
from convostore.http import EventStream, ServerSentEvent
from convostore.models import Reply, ReplyEvent
from convostore.parsing import decode_json
from convostore.serialization import join_surrogates

from .. import schema
from .errors import error_in

_SUBJECT = "an event of the reply"


class EventDecoder(Decoder[bytes]):
    """A decoder of a streamed reply; the last event is kept as `reply` and not returned."""

    def __init__(self) -> None:
        self._stream = EventStream()
        self._reply: Reply | None = None

    @property
    def reply(self) -> Reply:
        """The reply that the stream ended with.

        Raises:
            UnavailableError: The stream ended before the reply did.
        """
        if self._reply is None:
            raise UnavailableError("the stream broke off before the reply was finished")
        return self._reply

    def feed(self, chunk: bytes) -> Iterator[ReplyEvent]:
        return self._read(self._stream.feed(chunk))

    def close(self) -> Iterator[ReplyEvent]:
        yield from self._read(self._stream.close())
        _ = self.reply  # raises if the stream was incomplete

    def _read(self, events: Iterable[ServerSentEvent]) -> Iterator[ReplyEvent]:
        for message in events:
            event = _event(message)
            if event.kind == "reply_finished":
                self._reply = event.reply
            else:
                yield event


def _event(message: ServerSentEvent) -> ReplyEvent:
    """Parse one event; its data names its kind.

    Raises:
        StoreError: The event is an error, or invalid.
    """
    data = join_surrogates(decode_json(message.data, _SUBJECT))
    if message.event == "error":
        raise error_in(data) or ProtocolError(
            f"{_SUBJECT} must be a known error, got one of an unknown kind: upgrade convostore"
        )
    return schema.read_event(data)
