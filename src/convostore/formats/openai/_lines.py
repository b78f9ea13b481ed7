"""Files of OpenAI-style messages: a line for each conversation, as in files for fine-tuning.

`_messages` converts single messages; what the format lacks is counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from typing import BinaryIO

from ... import serialization
from ...errors import InvalidError
from ...models import JSON, Conversation, Message, Origin
from .._base import Entry, Writer
from .._ndjson import Line, json_lines
from ._messages import MessageRows, read_parts, role_of


class OpenAIWriter(Writer):
    """A writer of one conversation a line, without `raw`."""

    def __init__(self, *, raw: bool = True) -> None:
        super().__init__(raw=raw)
        self._is_first = True
        self._rows = MessageRows(self.losses)

    def conversation(self, conversation: Conversation) -> str:
        if conversation.title:
            self.losses["conversation.title"] += 1
        for name in ("owner", "metadata"):
            if getattr(conversation, name):
                self.losses[f"conversation.{name}"] += 1
        self._is_first, self._rows = True, MessageRows(self.losses)
        return '{"messages":['

    def message(self, message: Message) -> str:
        text = ",".join([serialization.to_json(row) for row in self._rows.of(message)])
        if not text:
            return ""
        separator, self._is_first = "" if self._is_first else ",", False
        return separator + text

    def end_conversation(self) -> str:
        return "]}\n"


def read(stream: BinaryIO, name: str | None = None) -> Generator[Entry]:
    """Read OpenAI-style messages; ids are digests, so that the same line is the same conversation.

    Raises:
        InvalidError: A line is broken, or has no list of messages.
    """
    for line in json_lines(stream):
        yield _entry(line, name)


def _entry(line: Line, name: str | None) -> Entry:
    rows = line.data.get("messages")
    if not isinstance(rows, list):
        line.fail('must contain a list "messages"')
    conversation_id = _digest(rows)
    rest = {name: value for name, value in line.data.items() if name != "messages"}
    origin = Origin(store=name, conversation_id=conversation_id) if name else None
    conversation = Conversation(id=conversation_id, origin=origin, raw=rest or None)
    try:
        messages = [_message(conversation_id, place, row) for place, row in enumerate(rows)]
    except InvalidError as error:
        line.fail(str(error))
    return Entry(
        conversation_id=conversation_id, conversation=conversation, messages=iter(messages)
    )


def _digest(data: JSON) -> str:
    return hashlib.sha256(serialization.to_json(data).encode("ascii")).hexdigest()[:32]


def _message(conversation_id: str, place: int, row: JSON) -> Message:
    if not isinstance(row, dict):
        raise InvalidError(
            f'must contain objects in "messages", got {type(row).__name__} as number {place + 1}'
        )
    return Message(
        id=_digest([conversation_id, place]),
        role=role_of(row),
        parts=tuple(read_parts(row)),
        raw=row,
    )
