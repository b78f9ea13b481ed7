"""Answers of `/api/chats`, in each of their formats, parsed into the schema.

    A1, A2   1.7.0 - 1.11.0-rc2   a row per message; time and sources as JSON text in `metadata`
    B        1.11.0-rc3 - 1.11.2  a row per message, and rows for the sources of a turn
    C        1.12.0 on, Vane      a row per turn: the question, and the blocks of the answer

Upgraded servers mix them, so each object is parsed by its keys and never by a version. Only an
answer without any chat is an error: a field that cannot be parsed becomes a `Problem` of its
message, which keeps the row in `raw`. No request and no flow here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from convostore.errors import ProtocolError
from convostore.models import JSON, Conversation, FilePart, Message, OtherPart, Problem
from convostore.parsing import Row, read_object, read_text, read_time_field

from .fields import Ids, id_of, items_of
from .message_rows import read_rows
from .turn_rows import read_turn


def generation(body: JSON) -> str | None:
    """Return the versions that write the newest chat's format; None for an empty list."""
    chats = _field(body, "chats", list)
    newest = chats[0] if chats and isinstance(chats[0], dict) else {}
    if "focusMode" in newest:
        return "1.10 - 1.11" if "files" in newest else "1.7 - 1.9"
    return "1.12 or later" if "sources" in newest else None


def read_conversations(body: JSON) -> tuple[Conversation, ...]:
    """Parse the list of chats.

    Raises:
        ProtocolError: The answer has no list.
    """
    chats = _field(body, "chats", list)
    return tuple([_conversation(chat, f"#{place}") for place, chat in enumerate(chats)])


def read_conversation(body: JSON, conversation_id: str) -> Conversation:
    """Parse the chat in the answer for one chat; a missing id is replaced by the requested one.

    Raises:
        ProtocolError: The answer has no chat.
    """
    return _conversation(_field(body, "chat", dict), conversation_id)


def read_messages(body: JSON) -> tuple[Message, ...]:
    """Parse the messages in the answer for one chat, in its order.

    Raises:
        ProtocolError: The answer has no list of messages.
    """
    rows = _field(body, "messages", list)
    ids = Ids()
    return tuple([message for turn in _turns(rows) for message in _read(turn, ids)])


def _field(body: JSON, name: str, kind: type) -> Any:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, kind):
        shape = "a list" if kind is list else "an object"
        raise ProtocolError(f"the answer's field {name!r} is not {shape}: check the base URL")
    return value


def _conversation(chat: JSON, id_if_lost: str) -> Conversation:
    problems: list[Problem] = []
    row = read_object(chat, "chat", problems)
    return Conversation.model_construct(
        id=id_of(row, "id", problems) or id_if_lost,
        title=read_text(row, "title", problems),
        created_at=read_time_field(row.get("createdAt"), problems),
        files=tuple(_files(row.get("files"), problems)),
        problems=tuple(problems),
        raw=chat,
    )


def _files(value: JSON, problems: list[Problem]) -> Iterator[FilePart]:
    for place, file in enumerate(items_of(value, "files", problems)):
        row = read_object(file, f"files[{place}]", problems)
        file_id = row.get("fileId")
        yield FilePart.model_construct(
            name=read_text(row, "name", problems),
            url=f"file_id://{file_id}" if isinstance(file_id, str) else None,
        )


def _turns(rows: Sequence[JSON]) -> Iterator[list[JSON]]:
    """Split the rows into turns: a question with all rows that belong to it."""
    turn: list[JSON] = []
    for row in rows:
        alone = not isinstance(row, dict) or _is_blocks(row)
        if turn and (alone or row.get("role") == "user"):
            yield turn
            turn = []
        if alone:
            yield [row]
        else:
            turn.append(row)
    if turn:
        yield turn


def _is_blocks(row: Row) -> bool:
    return "responseBlocks" in row or "query" in row


def _read(turn: list[JSON], ids: Ids) -> Iterable[Message]:
    first = turn[0]
    if not isinstance(first, dict):
        return [_unreadable(first, ids)]
    return read_turn(first, ids) if _is_blocks(first) else read_rows(turn, ids)


def _unreadable(row: JSON, ids: Ids) -> Message:
    return Message.model_construct(
        id=ids.take(None),
        role="other",
        parts=(OtherPart.model_construct(data=row),),
        problems=(Problem(where="messages", what="is not an object"),),
        raw=row,
    )
