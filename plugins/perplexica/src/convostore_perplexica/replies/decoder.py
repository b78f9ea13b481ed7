"""The stream of `POST /api/chat`, parsed into events.

Each line is a JSON object, whatever the content type says. 1.10 and 1.11 send the sources and then
the text, piece by piece. 1.12 sends blocks and JSON patches of them, each with the whole text so
far; after a reconnect it sends the blocks as they are and then all patches again, so an update that
is the beginning of the known text is not news. No request here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar, Final

from convostore.adapters import Decoder
from convostore.errors import ProtocolError, UnavailableError
from convostore.http import Lines
from convostore.models import (
    OtherEvent,
    PartAdded,
    Problem,
    ReplyEvent,
    Source,
    SourcesFound,
    StatusChanged,
    TextDelta,
    TextPart,
)
from convostore.parsing import Row, decode_json

from ..schema.fields import cited_sources
from .block_updates import BlockTracker

_EXCERPT: Final = 200
"""Characters of a line that an error shows."""


class ChatDecoder(Decoder[bytes]):
    """Decoder of the stream of any version: its lines show which one it is.

    Attributes:
        answer_id: Message id of the answer, if the stream names one (1.10 and 1.11).
    """

    def __init__(self) -> None:
        self.answer_id: str | None = None
        self._lines = Lines()
        self._blocks = BlockTracker()
        self._cited: list[Source] = []
        self._has_content = False
        self._has_text = False
        self._ended = False

    def feed(self, chunk: bytes) -> Iterator[ReplyEvent]:
        for line in self._lines.feed(chunk):
            yield from self._line(line)

    def close(self) -> Iterator[ReplyEvent]:
        yield from self._line(self._lines.close())  # an error arrives without a line end
        if not self._ended:
            raise UnavailableError(
                "the reply broke off before its end, and the service continues it: get_reply reads "
                "later what it stored"
            )

    def _line(self, line: bytes) -> Iterable[ReplyEvent]:
        if not line or line.isspace():
            return ()
        row = _object(line)
        kind = row.get("type")
        name = kind if isinstance(kind, str) else ""
        read = self._BY_TYPE.get(name)
        events = None if read is None else read(self, row)
        return (OtherEvent(type=name or None, data=row),) if events is None else events

    def _sources(self, row: Row) -> Iterator[ReplyEvent] | None:
        """Return the sources; None if their list is missing, as for an absent file."""
        problems: list[Problem] = []
        sources = cited_sources(row.get("data"), "data", problems, self._cited)
        if problems and not sources:
            return None
        self._cited += sources
        self._has_content = True
        return iter([SourcesFound.model_construct(sources=tuple(sources))] if sources else [])

    def _message(self, row: Row) -> Iterable[ReplyEvent] | None:
        text = row.get("data")
        if not isinstance(text, str):
            return None
        message_id = row.get("messageId")
        if isinstance(message_id, str) and message_id:
            self.answer_id = message_id
        self._has_content = True
        if not text:
            return ()
        self._has_text = True
        return (TextDelta(text=text),)

    def _message_end(self, _: Row) -> Iterator[ReplyEvent]:
        self._ended = True
        # The service stores an empty answer as an empty text.
        if self._has_content and not self._has_text:
            self._has_text = True
            yield PartAdded(part=TextPart(text=""))
        yield from self._blocks.settle()

    def _error(self, row: Row) -> Iterator[ReplyEvent]:
        message = row.get("data")
        detail = message[:_EXCERPT] if isinstance(message, str) else None
        raise UnavailableError(
            f"the service could not answer: {detail or 'it gives no reason'}",
            retryable=False,
            detail=detail,
        )

    def _block(self, row: Row) -> Iterator[ReplyEvent]:
        return self._blocks.put(row.get("block"))

    def _update(self, row: Row) -> Iterator[ReplyEvent]:
        return self._blocks.patch(row.get("blockId"), row.get("patch"))

    def _research_complete(self, _: Row) -> Iterator[ReplyEvent]:
        return iter((StatusChanged.model_construct(name="research", status="complete"),))

    _BY_TYPE: ClassVar[dict[str, Callable[[ChatDecoder, Row], Iterable[ReplyEvent] | None]]] = {
        "sources": _sources,
        "message": _message,
        "messageEnd": _message_end,
        "error": _error,
        "block": _block,
        "updateBlock": _update,
        "researchComplete": _research_complete,
    }


def _object(line: bytes) -> Row:
    row = decode_json(line, "a line of the stream")
    if not isinstance(row, dict):
        excerpt = line[:_EXCERPT].decode("utf-8", "replace")
        raise ProtocolError("a line of the stream is not an object", excerpt=excerpt)
    return row
