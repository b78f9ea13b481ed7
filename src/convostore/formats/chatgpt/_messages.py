"""Messages of a ChatGPT export: parse one with its parts, files, sources and marks.

The shapes of messages are known here and nowhere else. OpenAI documents none of them, so an unknown
one becomes an `OtherPart` as it is. Trees of messages are not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from ...models import (
    JSON,
    FilePart,
    Message,
    OtherPart,
    Part,
    Problem,
    ReasoningPart,
    Role,
    Status,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from ...parsing import Row, non_empty_text, read_object, read_text, read_time
from ._sources import Sources

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ROLES: Final[dict[str | None, Role]] = {
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
_STATUSES: Final[dict[str | None, Status]] = {
    "finished_successfully": "complete",
    "in_progress": "failed",  # an export is final: this answer is never completed
}
_CONTEXT: Final = frozenset({"user_editable_context", "model_editable_context"})
"""Content types of the user's instructions to ChatGPT; not a turn, whatever their role."""
_TO_ALL: Final = frozenset({None, "all"})


def seconds(value: JSON, where: str, problems: list[Problem]) -> datetime | None:
    """Parse a time, usually seconds since 1970; return None, with a problem, if it is invalid."""
    if value is None:
        return None
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _EPOCH + timedelta(seconds=value)
    except (OverflowError, ValueError):
        pass
    time = read_time(value) if isinstance(value, str) else None
    if time is None:
        problems.append(Problem(where=where, what="is not a time"))
    return time


def read_message(message_id: str, row: Row, parent_id: str | None) -> Message | None:
    """Parse the message of a node; return None if it is empty, as that of most roots is."""
    problems: list[Problem] = []
    content = read_object(row.get("content"), "content", problems)
    metadata = read_object(row.get("metadata"), "metadata", problems)
    author = read_object(row.get("author"), "author", problems)
    sources = Sources(metadata, content)
    parts = tuple(_with_attachments(_parts(row, author, content, sources), metadata))
    if not parts and not sources.found and not problems:
        return None
    return Message(
        id=message_id,
        role=_role(author, content, metadata),
        parts=parts,
        created_at=seconds(row.get("create_time"), "create_time", problems),
        sources=sources.found,
        status=_STATUSES.get(read_text(row, "status", problems)),
        model=non_empty_text(metadata, "model_slug"),
        parent_id=parent_id,
        problems=tuple(problems),
        raw=row,
    )


def _role(author: Row, content: Row, metadata: Row) -> Role:
    if non_empty_text(content, "content_type") in _CONTEXT or metadata.get(
        "is_user_system_message"
    ):
        return "system"
    return _ROLES.get(non_empty_text(author, "role"), "other")


def _parts(row: Row, author: Row, content: Row, sources: Sources) -> Iterator[Part]:
    kind = non_empty_text(content, "content_type")
    recipient = non_empty_text(row, "recipient")
    pieces = _PIECES.get(kind or "text")
    if pieces is None:
        yield OtherPart(type=kind, data=content)
        return
    for piece in pieces(content):
        if not isinstance(piece, str):
            yield from _asset(piece)
        elif not piece:
            continue
        elif non_empty_text(author, "role") == "tool":
            yield ToolResultPart(content=piece)
        elif recipient not in _TO_ALL and non_empty_text(author, "role") == "assistant":
            yield ToolCallPart(name=recipient or "", arguments=piece)
        elif kind in _REASONING:
            yield ReasoningPart(text=piece)
        else:
            yield TextPart(text=sources.number_marks(piece))


_Pieces: TypeAlias = Iterator[JSON]


def _list_pieces(content: Row) -> _Pieces:
    parts = content.get("parts")
    if isinstance(parts, list):
        yield from parts
    else:
        yield from _field_pieces("text")(content)


def _field_pieces(*names: str) -> Callable[[Row], _Pieces]:
    def pieces(content: Row) -> _Pieces:
        for name in names:
            value = content.get(name)
            if value is not None:
                yield value

    return pieces


def _browsing_pieces(content: Row) -> _Pieces:
    yield non_empty_text(content, "result") or non_empty_text(content, "summary") or ""
    assets = content.get("assets")
    yield from assets if isinstance(assets, list) else ()


def _thought_pieces(content: Row) -> _Pieces:
    thoughts = content.get("thoughts")
    for thought in thoughts if isinstance(thoughts, list) else [thoughts]:
        if isinstance(thought, dict):
            texts = (non_empty_text(thought, "summary"), non_empty_text(thought, "content"))
            yield "\n\n".join(filter(None, texts))
        elif thought is not None:
            yield thought


_PIECES: Final[dict[str, Callable[[Row], _Pieces]]] = {
    "text": _list_pieces,
    "multimodal_text": _list_pieces,
    "code": _list_pieces,
    "execution_output": _field_pieces("text"),
    "system_error": _field_pieces("text"),
    "tether_quote": _field_pieces("text"),
    "tether_browsing_display": _browsing_pieces,
    "thoughts": _thought_pieces,
    "reasoning_recap": _field_pieces("content"),
    "user_editable_context": _field_pieces("user_profile", "user_instructions"),
    "model_editable_context": _field_pieces("model_set_context"),
}
"""Functions that yield the pieces of a content, texts or objects for files, by its type."""
_REASONING: Final = frozenset({"thoughts", "reasoning_recap"})


def _asset(piece: JSON) -> Iterator[Part]:
    """Yield the file that a piece points to, or the transcript of a recording."""
    kind = non_empty_text(piece, "content_type")
    if kind == "audio_transcription" and non_empty_text(piece, "text"):
        yield TextPart(text=piece["text"])
    elif kind == "real_time_user_audio_video_asset_pointer" and isinstance(piece, dict):
        for name in ("audio_asset_pointer", "video_container_asset_pointer"):
            pointer = piece.get(name)
            if isinstance(pointer, dict):
                yield from _asset({"content_type": name, **pointer})
            elif isinstance(pointer, str):
                yield FilePart(url=pointer, media_type=_MEDIA[name])
    elif kind in _MEDIA and non_empty_text(piece, "asset_pointer"):
        form = non_empty_text(piece, "format")
        media = _MEDIA[kind].replace("*", form) if form and form.isalnum() else _MEDIA[kind]
        yield FilePart(url=piece["asset_pointer"], media_type=media)
    elif piece is not None:
        yield OtherPart(type=kind, data=piece)


_MEDIA: Final = {
    "image_asset_pointer": "image/*",
    "audio_asset_pointer": "audio/*",
    "video_container_asset_pointer": "video/*",
}


def _with_attachments(parts: Iterator[Part], metadata: Row) -> Iterator[Part]:
    """Yield the parts, files with the names of their attachments, then the other attachments.

    A pointer such as ``file-service://file-abc`` names the attachment with the id ``file-abc``.
    """
    value = metadata.get("attachments")
    rows = [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
    attachments = {non_empty_text(row, "id") or str(place): row for place, row in enumerate(rows)}
    for part in parts:
        if isinstance(part, FilePart) and part.url is not None:
            attachment = attachments.pop(part.url.rpartition("/")[2], None)
            yield part if attachment is None else _attachment(attachment, part)
        else:
            yield part
    for attachment in attachments.values():
        yield _attachment(attachment, FilePart())


def _attachment(row: Row, part: FilePart) -> FilePart:
    media_type = (
        non_empty_text(row, "mime_type") or non_empty_text(row, "mimeType") or part.media_type
    )
    return FilePart(name=non_empty_text(row, "name"), url=part.url, media_type=media_type)
