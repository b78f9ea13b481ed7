"""What `/api/chats` says, in every shape it had, read into the schema.

    A1, A2   1.7.0 - 1.11.0-rc2   a row an utterance; time and sources as JSON text in `metadata`
    B        1.11.0-rc3 - 1.11.2  a row an utterance, or a turn's sources
    C        1.12.0 on, Vane      a row a turn: the question, and blocks of the answer

Upgraded installations mix them, so each object is read by the keys it has; nothing asks for a
version. Nothing is refused but an answer that holds no chat at all: what cannot be read is a note
on its message, which keeps the row in `raw`. No request and no flow here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from convostore.errors import ProtocolError
from convostore.models import (
    JSON,
    Conversation,
    FilePart,
    Message,
    OtherPart,
    Part,
    Problem,
    ReasoningPart,
    Role,
    Source,
    SourceKind,
    Status,
    TextPart,
)
from convostore.reading import decode_json, read_time

Row = dict[str, Any]

_ROLES: Final[dict[str, Role]] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "tool": "tool",
}
_TIMES_ENCODED: Final = 5
"""How often text may hold JSON that is text: three were seen, more would be an attack."""


def generation(body: JSON) -> str | None:
    """The versions whose shape a list shows by its newest chat; None of an empty list."""
    chats = _field(body, "chats", list)
    newest = chats[0] if chats and isinstance(chats[0], dict) else {}
    if "focusMode" in newest:
        return "1.10 - 1.11" if "files" in newest else "1.7 - 1.9"
    return "1.12 or later" if "sources" in newest else None


def read_conversations(body: JSON) -> tuple[Conversation, ...]:
    """Reads the list.

    Raises:
        ProtocolError: There is no list in it.
    """
    chats = _field(body, "chats", list)
    return tuple([_conversation(chat, f"#{place}") for place, chat in enumerate(chats)])


def read_conversation(body: JSON, conversation_id: str) -> Conversation:
    """Reads the chat of a chat's answer; the id that was asked for stands in for a lost one.

    Raises:
        ProtocolError: There is no chat in it.
    """
    return _conversation(_field(body, "chat", dict), conversation_id)


def read_messages(body: JSON) -> tuple[Message, ...]:
    """Reads the messages of a chat's answer, in its order.

    Raises:
        ProtocolError: There is no list of messages in it.
    """
    rows = _field(body, "messages", list)
    ids = _Ids()
    return tuple([message for turn in _turns(rows) for message in _read_turn(turn, ids)])


def _field(body: JSON, name: str, kind: type) -> Any:
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, kind):
        shape = "a list" if kind is list else "an object"
        raise ProtocolError(f"the answer's field {name!r} is not {shape}: check the base URL")
    return value


def _conversation(chat: JSON, id_if_lost: str) -> Conversation:
    problems: list[Problem] = []
    row = _object(chat, "chat", problems)
    return Conversation.model_construct(
        id=_id(row, "id", problems) or id_if_lost,
        title=_text(row, "title", problems),
        created_at=_time(row.get("createdAt"), problems),
        files=tuple(_files(row.get("files"), problems)),
        problems=tuple(problems),
        raw=chat,
    )


def _files(value: JSON, problems: list[Problem]) -> Iterator[FilePart]:
    for place, file in enumerate(_items(value, "files", problems)):
        row = _object(file, f"files[{place}]", problems)
        file_id = row.get("fileId")
        yield FilePart.model_construct(
            name=_text(row, "name", problems),
            url=f"file_id://{file_id}" if isinstance(file_id, str) else None,
        )


class _Ids:
    """Gives each message an id of its own: one that is taken already gets ``~2``, ``~3``, …"""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, wanted: str | None, row: Row | None = None) -> str:
        if wanted is None:
            number = row.get("id") if row else None
            wanted = f"row-{number}" if isinstance(number, int) else f"#{len(self._taken)}"
        given, repeat = wanted, 1
        while given in self._taken:
            repeat += 1
            given = f"{wanted}~{repeat}"
        self._taken.add(given)
        return given


def _turns(rows: Sequence[JSON]) -> Iterator[list[JSON]]:
    """Splits the rows so that a question and what belongs to it stand together."""
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


def _read_turn(turn: list[JSON], ids: _Ids) -> Iterable[Message]:
    first = turn[0]
    if not isinstance(first, dict):
        return [_unreadable(first, ids)]
    return _read_blocks(first, ids) if _is_blocks(first) else _read_utterances(turn, ids)


def _unreadable(row: JSON, ids: _Ids) -> Message:
    return Message.model_construct(
        id=ids.take(None),
        role="other",
        parts=(OtherPart.model_construct(data=row),),
        problems=(Problem(where="messages", what="is not an object"),),
        raw=row,
    )


# Shapes A and B: a row an utterance.


def _read_utterances(turn: list[Row], ids: _Ids) -> Iterator[Message]:
    """Reads the rows of one turn; B's source rows join the answer that they belong to."""
    roles = [row.get("role") for row in turn]
    answered = "assistant" in roles
    joined, orphans = _join_sources(turn, roles) if "source" in roles else ({}, [])
    for place, row in enumerate(turn):
        if roles[place] != "source":
            yield _utterance(row, joined.get(place), answered=answered, ids=ids)
    if orphans:
        yield _orphaned(orphans, ids)


def _join_sources(turn: list[Row], roles: list[JSON]) -> tuple[dict[int, list[Row]], list[Row]]:
    """Finds the owners of a turn's source rows.

    Returns:
        By the place of an owner: its row and the source rows that belong to it, in the service's
        order. And the rows that belong to none; the question keeps those that hold no source.
    """
    answers = [place for place, role in enumerate(roles) if role == "assistant"]
    if len(answers) == 1:
        (answer,) = answers
        return {answer: [row for row in turn if row.get("role") in ("source", "assistant")]}, []
    owners = {
        place: _answer_of(place, turn, answers)
        for place, role in enumerate(roles)
        if role == "source"
    }
    orphans = [turn[place] for place, owner in owners.items() if owner is None]
    if roles[0] == "user" and not any(_cited(row.get("sources"), "", []) for row in orphans):
        owners = {place: 0 if owner is None else owner for place, owner in owners.items()}
        orphans = []
    joined = {
        owner: [
            row for place, row in enumerate(turn) if place == owner or owners.get(place) == owner
        ]
        for owner in owners.values()
        if owner is not None
    }
    return joined, orphans


def _answer_of(place: int, turn: list[Row], answers: list[int]) -> int | None:
    """The answer that a source row belongs to.

    A migrated one says whose it is by its id and stands behind its answer; one made by 1.11 stands
    before it. A turn of several answers is told apart by that.
    """
    if not answers:
        return None
    owner = turn[place].get("messageId")
    if isinstance(owner, str) and owner.endswith("-source"):
        for answer in answers:
            if turn[answer].get("messageId") == owner.removesuffix("-source"):
                return answer
    return next((answer for answer in answers if answer > place), answers[-1])


def _utterance(row: Row, rows: list[Row] | None, *, answered: bool, ids: _Ids) -> Message:
    """Reads one utterance.

    Args:
        row: It.
        rows: It and the source rows that belong to it, in the service's order; None for none.
        answered: Whether its turn has an answer.
        ids: Those that are taken.
    """
    problems: list[Problem] = []
    metadata = _metadata(row, problems) if "metadata" in row else {}
    sources: list[Source] = []
    if metadata:
        sources = _cited(metadata.get("sources"), "metadata.sources", problems)
    for each in rows or (row,):
        if each.get("sources"):
            sources += _cited(each["sources"], "sources", problems, sources)
    role = row.get("role")
    if role is None:
        problems.append(Problem(where="role", what="is missing"))
    status: Status | None = "complete" if role == "assistant" else None
    if role == "user":
        status = "complete" if answered else "unanswered"
    created_at, said_in = row.get("createdAt"), "createdAt"
    if created_at is None:
        created_at, said_in = metadata.get("createdAt"), "metadata.createdAt"
    return Message.model_construct(
        id=ids.take(_id(row, "messageId", problems), row),
        role=_ROLES.get(role, "other") if isinstance(role, str) else "other",
        parts=_content(row, problems),
        created_at=_time(created_at, problems, said_in),
        sources=tuple(sources),
        feedback=None,
        status=status,
        model=None,
        parent_id=None,
        problems=tuple(problems),
        raw=row if rows is None else rows,
    )


def _orphaned(rows: list[Row], ids: _Ids) -> Message:
    """Sources whose answer was never given, as one message of their own."""
    problems: list[Problem] = []
    sources: list[Source] = []
    for row in rows:
        sources += _cited(row.get("sources"), "sources", problems, sources)
    return Message.model_construct(
        id=ids.take(_id(rows[0], "messageId", problems), rows[0]),
        role="other",
        created_at=_time(rows[0].get("createdAt"), problems),
        sources=tuple(sources),
        problems=tuple(problems),
        raw=rows[0] if len(rows) == 1 else rows,
    )


def _metadata(row: Row, problems: list[Problem]) -> Row:
    value = _decoded(row.get("metadata"), "metadata", problems)
    if value is None or isinstance(value, dict):
        return value or {}
    problems.append(Problem(where="metadata", what="is not an object"))
    return {}


def _content(row: Row, problems: list[Problem]) -> tuple[Part, ...]:
    content = row.get("content")
    if isinstance(content, str):
        return (TextPart.model_construct(kind="text", text=content),)
    if content is None:
        return ()
    problems.append(Problem(where="content", what="is not text"))
    return (OtherPart.model_construct(data=content),)


# Shape C: a row a turn.


def _read_blocks(row: Row, ids: _Ids) -> Iterator[Message]:
    """Reads a turn as a question and its answer.

    The server saves blocks only when the answer is done, and a failed model leaves ``answering``
    for ever: a turn without blocks is unanswered, whatever its status says.
    """
    problems: list[Problem] = []
    blocks = _Blocks(row.get("responseBlocks"))
    message_id = _id(row, "messageId", problems)
    created_at = _time(row.get("createdAt"), problems)
    if row.get("query") is not None:
        yield Message.model_construct(
            id=ids.take(message_id, row),
            role="user",
            parts=_query(row, problems),
            created_at=created_at,
            sources=(),
            feedback=None,
            status="complete" if blocks.answered else "unanswered",
            model=None,
            parent_id=None,
            problems=tuple(problems),
            raw=row,
        )
        problems = []
    if blocks.parts or blocks.sources or blocks.problems or row.get("query") is None:
        yield Message.model_construct(
            id=ids.take(message_id and f"{message_id}/answer", row),
            role="assistant" if blocks.answered else "other",
            parts=tuple(blocks.parts),
            created_at=created_at,
            sources=blocks.sources,
            feedback=None,
            status=_STATUSES.get(str(row.get("status"))) if blocks.answered else None,
            model=None,
            parent_id=None,
            problems=(*problems, *blocks.problems),
            raw=row,
        )


_STATUSES: Final[dict[str, Status]] = {
    "completed": "complete",
    "answering": "generating",
    "error": "failed",
}


def _query(row: Row, problems: list[Problem]) -> tuple[Part, ...]:
    query = row["query"]
    if isinstance(query, str):
        return (TextPart.model_construct(kind="text", text=query),)
    problems.append(Problem(where="query", what="is not text"))
    return (OtherPart.model_construct(data=query),)


class _Blocks:
    """The blocks of an answer: found by their type, as their order changed with the versions."""

    def __init__(self, value: JSON) -> None:
        self.answered = False
        self.parts: list[Part] = []
        self.problems: list[Problem] = []
        self._cited: list[Source] = []
        self._researched: list[Source] = []
        for place, block in enumerate(_items(value, "responseBlocks", self.problems)):
            self._read(block, f"responseBlocks[{place}]")
        self.sources = (*self._cited, *self._researched)

    def _read(self, block: JSON, where: str) -> None:
        row = block if isinstance(block, dict) else {}
        data = row.get("data")
        match row.get("type"):
            case "text" if isinstance(data, str):
                self.answered = True
                self.parts.append(TextPart.model_construct(kind="text", text=data))
            case "source":
                self._cited += _cited(data, f"{where}.data", self.problems, self._cited)
            case "research":
                self._read_research(data, f"{where}.data")
            case str(kind):
                self.parts.append(OtherPart.model_construct(type=kind, data=data))
            case _:
                self.parts.append(OtherPart.model_construct(data=block))
                self.problems.append(Problem(where=where, what="is not a block"))

    def _read_research(self, data: JSON, where: str) -> None:
        steps = _object(data, where, self.problems).get("subSteps")
        for place, step in enumerate(_items(steps, f"{where}.subSteps", self.problems)):
            self._read_step(step, f"{where}.subSteps[{place}]")

    def _read_step(self, step: JSON, where: str) -> None:
        row = _object(step, where, self.problems)
        kind, reasoning = row.get("type"), row.get("reasoning")
        if isinstance(reasoning, str):
            self.parts.append(ReasoningPart.model_construct(text=reasoning))
        elif isinstance(kind, str) and (key := _SOURCE_STEPS.get(kind)):
            self._researched += _researched(row.get(key), f"{where}.{key}", self.problems)
        else:
            self.parts.append(
                OtherPart.model_construct(type=kind if isinstance(kind, str) else None, data=step)
            )


_SOURCE_STEPS: Final[dict[str, str]] = {
    "search_results": "reading",
    "reading": "reading",
    "upload_search_results": "results",
}


# What all shapes share.


def _cited(
    value: JSON, where: str, problems: list[Problem], before: Sequence[Source] = ()
) -> list[Source]:
    """Reads cited sources, marked by their place: ``[1]`` in a text is the first of all."""
    first = len(before) + 1
    return [
        _source(item, "cited", str(first + place), where, place, problems)
        for place, item in enumerate(_items(value, where, problems))
    ]


def _researched(value: JSON, where: str, problems: list[Problem]) -> list[Source]:
    return [
        _source(item, "researched", None, where, place, problems)
        for place, item in enumerate(_items(value, where, problems))
    ]


def _source(
    item: JSON, kind: SourceKind, mark: str | None, where: str, place: int, problems: list[Problem]
) -> Source:
    """Reads a source; one that is nothing keeps its place, as the answer counts them."""
    title = url = content = None
    if isinstance(item, dict):
        content = item.get("content")
        if content is None:
            content = item.get("pageContent")
        metadata = item.get("metadata")
        if isinstance(metadata, dict):
            title, url = metadata.get("title"), metadata.get("url")
        elif metadata is not None:
            problems.append(Problem(where=f"{where}[{place}].metadata", what="is not an object"))
    elif isinstance(item, str):
        url, title = (item, None) if "://" in item else (None, item)
    else:
        problems.append(Problem(where=f"{where}[{place}]", what="is not a source"))
    if title is not None and not isinstance(title, str):
        problems.append(Problem(where=f"{where}[{place}].metadata.title", what="is not text"))
        title = None
    if url is not None and not isinstance(url, str):
        problems.append(Problem(where=f"{where}[{place}].metadata.url", what="is not text"))
        url = None
    if content is not None and not isinstance(content, str):
        problems.append(Problem(where=f"{where}[{place}].content", what="is not text"))
        content = None
    return Source.model_construct(
        title=title, url=url, content=content, score=None, kind=kind, mark=mark, raw=item
    )


def _items(value: JSON, where: str, problems: list[Problem]) -> Sequence[JSON]:
    """A list, or none where there is none; text is decoded, a lone object is a list of one."""
    if value is None or isinstance(value, list):
        return value or ()
    value = _decoded(value, where, problems)
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and value:
        return (value,)
    if value:
        problems.append(Problem(where=where, what="is not a list"))
    return ()


def _decoded(value: JSON, where: str, problems: list[Problem]) -> JSON:
    """Decodes text for as long as it is text; the empty text is nothing."""
    for _ in range(_TIMES_ENCODED):
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            value = decode_json(value)
        except ProtocolError:
            problems.append(Problem(where=where, what="is not JSON"))
            return None
    problems.append(Problem(where=where, what="is text within text within text"))
    return None


def _object(value: JSON, where: str, problems: list[Problem]) -> Row:
    if isinstance(value, dict):
        return value
    if value is not None:
        problems.append(Problem(where=where, what="is not an object"))
    return {}


def _id(row: Row, name: str, problems: list[Problem]) -> str | None:
    value = row.get(name)
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    problems.append(Problem(where=name, what="is missing"))
    return None


def _text(row: Row, name: str, problems: list[Problem]) -> str | None:
    value = row.get(name)
    if value is None or isinstance(value, str):
        return value
    problems.append(Problem(where=name, what="is not text"))
    return None


def _time(value: JSON, problems: list[Problem], where: str = "createdAt") -> Any:
    """A time, or None; only what is something else than nothing is a problem."""
    time = read_time(value)
    if time is None and value not in (None, ""):
        problems.append(Problem(where=where, what="is not a date"))
    return time
