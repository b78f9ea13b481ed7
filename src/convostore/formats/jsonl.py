r"""JSONL: the lossless format, written and read line by line.

The first line names the format and its version, the last one holds the counts, so that a truncated
file is noticed. Between them is a line for each conversation, followed by a line for each of its
messages. Every line is ASCII: what UTF-8 cannot hold is escaped. The JSON of a value is decided in
`serialization`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, NoReturn

from typing_extensions import override

from .. import serialization
from ..errors import InvalidError
from ..models import JSON, Conversation, Message
from ..parsing import Row
from ._base import Entry, Writer
from ._ndjson import Line, json_lines

__all__ = ["FORMAT", "VERSION", "JSONLWriter", "read"]

FORMAT: Final = "convostore"
"""The name of the format in the first line."""
VERSION: Final = 1
"""The version that is written, and the newest that can be read."""


class JSONLWriter(Writer):
    """A writer of the lossless format."""

    def __init__(self, *, raw: bool = True) -> None:
        super().__init__(raw=raw)
        self._conversation_id = ""
        self._pending = self._conversations = self._messages = 0

    @override
    def start(self, only: Conversation | None = None) -> str:
        return _line({"format": FORMAT, "version": VERSION, "raw": self.raw})

    def conversation(self, conversation: Conversation) -> str:
        self._conversation_id, self._pending = conversation.id, 0
        row = serialization.dump(_without_revisions(conversation), raw=self.raw)
        return _line({"conversation": row})

    def message(self, message: Message) -> str:
        self._pending += 1
        row = serialization.dump(_without_storing(message), raw=self.raw)
        return _line({"in": self._conversation_id, "message": row})

    def end_conversation(self) -> str:
        self._conversations += 1
        self._messages += self._pending
        return ""

    def end(self) -> str:
        counts = {"conversations": self._conversations, "messages": self._messages}
        return _line({"end": counts})


def _without_revisions(conversation: Conversation) -> Conversation:
    """Return a conversation without what only the store that has it knows."""
    origin = conversation.origin
    if origin is not None and origin.revision is not None:
        origin = origin.trusted_copy(revision=None)
    elif conversation.revision is None:
        return conversation
    return conversation.trusted_copy(revision=None, origin=origin)


def _without_storing(message: Message) -> Message:
    return message if message.stored_at is None else message.trusted_copy(stored_at=None)


def _line(data: Row) -> str:
    return serialization.to_exact_json(data) + "\n"


def read(stream: BinaryIO, _name: str | None = None) -> Generator[Entry]:
    """Read the lossless format; no store's name is needed, as each conversation has its origin.

    Raises:
        InvalidError: A line is broken, or the file ends too early; what came before is good.
    """
    return _FileReader(json_lines(stream, change=serialization.join_surrogates)).entries()


@dataclass(slots=True)
class _FileReader:
    lines: Iterator[Line]
    ahead: Line | None = None
    conversations: int = 0
    messages: int = 0
    conversation_id: str = ""

    def entries(self) -> Generator[Entry]:
        _check_header(next(self.lines, None))
        self._advance()
        while (line := self.ahead) is not None and "conversation" in line.data:
            conversation = line.parse(serialization.load_conversation, line.data["conversation"])
            self.conversation_id = conversation.id
            self.conversations += 1
            messages = self._messages()
            yield Entry(
                conversation_id=conversation.id,
                conversation=_without_revisions(conversation),
                messages=messages,
            )
            for _ in messages:  # skip what the caller did not consume
                pass
        self._check_end()

    def _advance(self) -> None:
        self.ahead = next(self.lines, None)

    def _messages(self) -> Iterator[Message]:
        self._advance()
        while (line := self.ahead) is not None and "message" in line.data:
            if (other := line.data.get("in")) != self.conversation_id:
                given = f"one of {other!r}" if isinstance(other, str) else "one that names none"
                line.fail(
                    f"must hold a message of conversation {self.conversation_id!r}, got {given}"
                )
            message = line.parse(serialization.load_message, line.data["message"])
            self.messages += 1
            yield _without_storing(message)
            self._advance()  # not earlier: the next line may be broken, this one is not
        if self.ahead is None:
            self._fail_truncated()

    def _fail_truncated(self) -> NoReturn:
        last = (
            f"; the last one, {self.conversation_id!r}, may lack messages"
            if self.conversation_id
            else ""
        )
        raise InvalidError(
            f"the file is truncated: its closing line is missing after {self.conversations} "
            f"conversations with {self.messages} messages{last}. Export it again"
        )

    def _check_end(self) -> None:
        if self.ahead is None:
            self._fail_truncated()
        line, self.conversation_id = self.ahead, ""
        counts = line.data.get("end")
        if not isinstance(counts, dict):
            line.fail("must be a conversation, a message or the closing line")
        actual = {"conversations": self.conversations, "messages": self.messages}
        if counts != actual:
            line.fail(f"counts {_counts_text(counts)}, but the file has {_counts_text(actual)}")
        if (after := next(self.lines, None)) is not None:
            after.fail("comes after the closing line")


def _check_header(line: Line | None) -> None:
    if line is None:
        raise InvalidError("the file is empty: there is nothing to import")
    if line.data.get("format") != FORMAT:
        line.fail(f'is not a header: it must contain "format": "{FORMAT}"')
    version = line.data.get("version")
    if type(version) is not int or version < 1:
        line.fail(f"must name the version of the format, a positive integer, got {version!r}")
    if version > VERSION:
        line.fail(
            f"names version {version} of the format, but this convostore reads up to {VERSION}: "
            "upgrade it"
        )


def _counts_text(counts: dict[str, JSON]) -> str:
    return f"{counts.get('conversations')} conversations with {counts.get('messages')} messages"
