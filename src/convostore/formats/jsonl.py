r"""JSONL: the format that loses nothing; written and read line by line.

The first line names the format and its version, the last one tells the counts, so that a file that
was cut off is noticed. Between them stands a line for each conversation, followed by a line for
each of its messages. Every line is ASCII: what UTF-8 cannot hold is escaped.
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
VERSION: Final = 1


class JSONLWriter(Writer):
    """Writes the lossless format."""

    def __init__(self, *, raw: bool = True) -> None:
        super().__init__(raw=raw)
        self._within = ""
        self._begun = self._conversations = self._messages = 0

    @override
    def start(self, only: Conversation | None = None) -> str:
        return _line({"format": FORMAT, "version": VERSION, "raw": self.raw})

    def conversation(self, conversation: Conversation) -> str:
        self._within, self._begun = conversation.id, 0
        return _line({"conversation": serialization.dump(conversation, raw=self.raw)})

    def message(self, message: Message) -> str:
        self._begun += 1
        return _line({"in": self._within, "message": serialization.dump(message, raw=self.raw)})

    def end_conversation(self) -> str:
        self._conversations += 1
        self._messages += self._begun
        return ""

    def end(self) -> str:
        counts = {"conversations": self._conversations, "messages": self._messages}
        return _line({"end": counts})


def _line(data: Row) -> str:
    return serialization.to_json(data) + "\n"


def read(stream: BinaryIO, _name: str | None = None) -> Generator[Entry]:
    """Reads the lossless format, which tells each conversation's origin itself.

    Raises:
        InvalidError: A line is broken, or the file ends too early; what came before is good.
    """
    return _Reading(json_lines(stream)).entries()


@dataclass(slots=True)
class _Reading:
    lines: Iterator[Line]
    ahead: Line | None = None
    conversations: int = 0
    messages: int = 0
    within: str = ""

    def entries(self) -> Generator[Entry]:
        _check_header(next(self.lines, None))
        self._advance()
        while (line := self.ahead) is not None and "conversation" in line.data:
            conversation = line.read(serialization.load_conversation, line.data["conversation"])
            self.within = conversation.id
            self.conversations += 1
            messages = self._messages()
            yield Entry(
                conversation_id=conversation.id, conversation=conversation, messages=messages
            )
            for _ in messages:
                """What was not taken is passed over."""
        self._check_end()

    def _advance(self) -> None:
        self.ahead = next(self.lines, None)

    def _messages(self) -> Iterator[Message]:
        self._advance()
        while (line := self.ahead) is not None and "message" in line.data:
            if line.data.get("in") != self.within:
                line.refuse(f"holds a message of another conversation than {self.within!r}")
            message = line.read(serialization.load_message, line.data["message"])
            self.messages += 1
            yield message
            self._advance()  # not earlier: the next line may be broken, this one is not
        if self.ahead is None:
            self._cut_off()

    def _cut_off(self) -> NoReturn:
        last = f"; the last one, {self.within!r}, may lack messages" if self.within else ""
        raise InvalidError(
            f"this file is cut off: its closing line is missing behind {self.conversations} "
            f"conversations with {self.messages} messages{last}. Export it anew"
        )

    def _check_end(self) -> None:
        if self.ahead is None:
            self._cut_off()
        line, self.within = self.ahead, ""
        told = line.data.get("end")
        if not isinstance(told, dict):
            line.refuse("is neither a conversation, a message nor the closing line")
        found = {"conversations": self.conversations, "messages": self.messages}
        if told != found:
            line.refuse(f"tells of {_counts(told)}, but the file holds {_counts(found)}")
        if (after := next(self.lines, None)) is not None:
            after.refuse("stands behind the closing line")


def _check_header(line: Line | None) -> None:
    if line is None:
        raise InvalidError("this file is empty: there is nothing to import")
    if line.data.get("format") != FORMAT:
        line.refuse(f'is no header: it would hold {{"format": "{FORMAT}"}}')
    version = line.data.get("version")
    if type(version) is not int or version < 1:
        line.refuse(f"names no version of the format, but {version!r}")
    if version > VERSION:
        line.refuse(
            f"names version {version} of the format; this convostore reads up to {VERSION}: "
            "upgrade it"
        )


def _counts(counts: dict[str, JSON]) -> str:
    return f"{counts.get('conversations')} conversations with {counts.get('messages')} messages"
