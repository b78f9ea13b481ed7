"""The stream of `POST /api/chat` to events: one object of JSON a line, whatever its label says.

1.10 and 1.11 send the sources and then the text piece by piece. 1.12 sends blocks and JSON patches
of them, each with the whole text so far; on a reconnect the blocks come as they are and then all
patches again, so that what is a beginning of what was shown is no news. No request here.
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
    """Reads the stream of any version: its lines say which it is.

    Attributes:
        answer_id: The answer's message id, where the stream names one (1.10 and 1.11).
    """

    def __init__(self) -> None:
        self.answer_id: str | None = None
        self._lines = Lines()
        self._blocks = BlockTracker()
        self._cited: list[Source] = []
        self._speaks = False
        self._said = False
        self._ended = False

    def feed(self, chunk: bytes) -> Iterator[ReplyEvent]:
        for line in self._lines.feed(chunk):
            yield from self._line(line)

    def close(self) -> Iterator[ReplyEvent]:
        yield from self._line(self._lines.close())  # an error comes without an end of its line
        if not self._ended:
            raise UnavailableError(
                "the reply broke off before its end; the service goes on with it: get_reply tells "
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
        """Sources; without their list when a file is not there, and nothing follows."""
        problems: list[Problem] = []
        found = cited_sources(row.get("data"), "data", problems, self._cited)
        if problems and not found:
            return None
        self._cited += found
        self._speaks = True
        return iter([SourcesFound.model_construct(sources=tuple(found))] if found else [])

    def _message(self, row: Row) -> Iterable[ReplyEvent] | None:
        text = row.get("data")
        if not isinstance(text, str):
            return None
        message_id = row.get("messageId")
        if isinstance(message_id, str) and message_id:
            self.answer_id = message_id
        self._speaks = True
        if not text:
            return ()
        self._said = True
        return (TextDelta(text=text),)

    def _message_end(self, _: Row) -> Iterator[ReplyEvent]:
        self._ended = True
        if self._speaks and not self._said:  # of an empty answer an empty text is stored
            self._said = True
            yield PartAdded(part=TextPart(text=""))
        yield from self._blocks.settle()

    def _error(self, row: Row) -> Iterator[ReplyEvent]:
        said = row.get("data")
        detail = said[:_EXCERPT] if isinstance(said, str) else None
        raise UnavailableError(
            f"the service could not answer: {detail or 'it does not say why'}",
            retryable=False,
            detail=detail,
        )

    def _block(self, row: Row) -> Iterator[ReplyEvent]:
        return self._blocks.put(row.get("block"))

    def _update(self, row: Row) -> Iterator[ReplyEvent]:
        return self._blocks.patch(row.get("blockId"), row.get("patch"))

    def _researched(self, _: Row) -> Iterator[ReplyEvent]:
        return iter((StatusChanged.model_construct(name="research", status="complete"),))

    _BY_TYPE: ClassVar[dict[str, Callable[[ChatDecoder, Row], Iterable[ReplyEvent] | None]]] = {
        "sources": _sources,
        "message": _message,
        "messageEnd": _message_end,
        "error": _error,
        "block": _block,
        "updateBlock": _update,
        "researchComplete": _researched,
    }


def _object(line: bytes) -> Row:
    row = decode_json(line, "a line of the stream")
    if not isinstance(row, dict):
        excerpt = line[:_EXCERPT].decode("utf-8", "replace")
        raise ProtocolError("a line of the stream is not an object", excerpt=excerpt)
    return row
