"""One message of a ChatGPT export, in the schema: its parts, files, sources and marks.

The export's shapes are known here and nowhere else; none is documented by its maker, so whatever is
unknown is kept whole as an `OtherPart`. Trees and files belong to `chatgpt`.
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
    "in_progress": "failed",  # an export is final: nobody makes this answer any more
}
_CONTEXT: Final = frozenset({"user_editable_context", "model_editable_context"})
"""What ChatGPT is told about its user; nobody said it, whatever role it has."""
_TO_ALL: Final = frozenset({None, "all"})


def seconds(value: JSON, where: str, problems: list[Problem]) -> datetime | None:
    """Reads a time, as a rule seconds since 1970; None, with a problem, for what is none."""
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
    """Reads the message of a node; None for one that holds nothing at all, as most roots do."""
    problems: list[Problem] = []
    content = read_object(row.get("content"), "content", problems)
    metadata = read_object(row.get("metadata"), "metadata", problems)
    author = read_object(row.get("author"), "author", problems)
    sources = Sources(metadata, content)
    parts = tuple(_with_names(_parts(row, author, content, sources), metadata))
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
    texts = _TEXTS.get(kind or "text")
    if texts is None:
        yield OtherPart(type=kind, data=content)
        return
    for piece in texts(content):
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
            yield TextPart(text=sources.marked(piece))


_Pieces: TypeAlias = Iterator[JSON]


def _of_list(content: Row) -> _Pieces:
    parts = content.get("parts")
    if isinstance(parts, list):
        yield from parts
    else:
        yield from _of_field("text")(content)


def _of_field(*names: str) -> Callable[[Row], _Pieces]:
    def pieces(content: Row) -> _Pieces:
        for name in names:
            value = content.get(name)
            if value is not None:
                yield value

    return pieces


def _of_browsing(content: Row) -> _Pieces:
    yield non_empty_text(content, "result") or non_empty_text(content, "summary") or ""
    assets = content.get("assets")
    yield from assets if isinstance(assets, list) else ()


def _of_thoughts(content: Row) -> _Pieces:
    thoughts = content.get("thoughts")
    for thought in thoughts if isinstance(thoughts, list) else [thoughts]:
        if isinstance(thought, dict):
            told = (non_empty_text(thought, "summary"), non_empty_text(thought, "content"))
            yield "\n\n".join(each for each in told if each)
        elif thought is not None:
            yield thought


_TEXTS: Final[dict[str, Callable[[Row], _Pieces]]] = {
    "text": _of_list,
    "multimodal_text": _of_list,
    "code": _of_list,
    "execution_output": _of_field("text"),
    "system_error": _of_field("text"),
    "tether_quote": _of_field("text"),
    "tether_browsing_display": _of_browsing,
    "thoughts": _of_thoughts,
    "reasoning_recap": _of_field("content"),
    "user_editable_context": _of_field("user_profile", "user_instructions"),
    "model_editable_context": _of_field("model_set_context"),
}
"""By the type of a content, what takes it to its pieces: texts, or objects that stand for files."""
_REASONING: Final = frozenset({"thoughts", "reasoning_recap"})


def _asset(piece: JSON) -> Iterator[Part]:
    """A file that is pointed to, or what was said in a recording."""
    kind = non_empty_text(piece, "content_type")
    if kind == "audio_transcription" and non_empty_text(piece, "text"):
        yield TextPart(text=piece["text"])
    elif kind == "real_time_user_audio_video_asset_pointer" and isinstance(piece, dict):
        for name in ("audio_asset_pointer", "video_container_asset_pointer"):
            held = piece.get(name)
            if isinstance(held, dict):
                yield from _asset({"content_type": name, **held})
            elif isinstance(held, str):
                yield FilePart(url=held, media_type=_MEDIA[name])
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


def _with_names(parts: Iterator[Part], metadata: Row) -> Iterator[Part]:
    """The parts, their files with the names that the attachments tell, then the other attachments.

    A pointer such as ``file-service://file-abc`` is of the attachment with the id ``file-abc``.
    """
    held = metadata.get("attachments")
    attachments = (
        [each for each in held if isinstance(each, dict)] if isinstance(held, list) else []
    )
    left = {
        non_empty_text(each, "id") or str(place): each for place, each in enumerate(attachments)
    }
    for part in parts:
        if isinstance(part, FilePart) and part.url is not None:
            attachment = left.pop(part.url.rpartition("/")[2], None)
            yield part if attachment is None else _attachment(attachment, part)
        else:
            yield part
    for attachment in left.values():
        yield _attachment(attachment, FilePart())


def _attachment(row: Row, part: FilePart) -> FilePart:
    media_type = (
        non_empty_text(row, "mime_type") or non_empty_text(row, "mimeType") or part.media_type
    )
    return FilePart(name=non_empty_text(row, "name"), url=part.url, media_type=media_type)
