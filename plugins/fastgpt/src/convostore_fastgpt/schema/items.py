"""Items of a record's value, parsed into parts by their keys.

Their `type` does not count: it is left out from 4.14.7 on, and wrong for some kinds. Each known key
of an item becomes a part; what has another shape stays whole. No other field of a record here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

from convostore.models import (
    JSON,
    FilePart,
    OtherPart,
    Part,
    Problem,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from convostore.parsing import Row, non_empty_text

from .interactions import read_interaction

_MEDIA_TYPES: Final = {"image": "image/*", "audio": "audio/*", "video": "video/*"}


def read_value(value: JSON, problems: list[Problem]) -> tuple[Part, ...]:
    """Parse a record's value; before 4.8 it was a plain text."""
    if value is None:
        return ()
    if isinstance(value, str):
        return (TextPart.model_construct(kind="text", text=value),)
    if not isinstance(value, list):
        problems.append(Problem(where="value", what="is not a list"))
        return (OtherPart(data=value),)
    parts: list[Part] = []
    for number, item in enumerate(value):
        parts += _parts(item, number, problems)
    return tuple(parts)


def _parts(item: JSON, number: int, problems: list[Problem]) -> Iterable[Part]:
    if not isinstance(item, dict):
        problems.append(Problem(where=f"value[{number}]", what="is not an object"))
        return (OtherPart(data=item),)
    keys = [key for key in item if key in _READERS and item[key] is not None]
    if not keys:
        kind = item.get("type")
        return (OtherPart(type=kind if isinstance(kind, str) else None, data=item),)
    if len(keys) == 1:
        return _read(item, keys[0], number, problems)
    in_order = [key for key in _READERS if key in keys]
    return [part for key in in_order for part in _read(item, key, number, problems)]


def _read(item: Row, key: str, number: int, problems: list[Problem]) -> Iterable[Part]:
    parts = _READERS[key](item[key])
    if parts is not None:
        return parts
    problems.append(Problem(where=f"value[{number}].{key}", what="has another shape"))
    return (OtherPart(type=key, data=item[key]),)


_Reader: TypeAlias = Callable[[JSON], tuple[Part, ...] | None]
"""Parses the value of a key into parts; None for another shape."""


def _content(value: JSON) -> str | None:
    content = value.get("content") if isinstance(value, dict) else value
    return content if isinstance(content, str) else None


def _text(value: JSON) -> tuple[Part, ...] | None:
    text = _content(value)
    return None if text is None else (TextPart.model_construct(kind="text", text=text),)


def _reasoning(value: JSON) -> tuple[Part, ...] | None:
    text = _content(value)
    return None if text is None else (ReasoningPart.model_construct(kind="reasoning", text=text),)


def _file(value: JSON) -> tuple[Part, ...] | None:
    if not isinstance(value, dict):
        return None
    kind = value.get("type")
    name, url = non_empty_text(value, "name"), non_empty_text(value, "url")
    media_type = _MEDIA_TYPES.get(kind) if isinstance(kind, str) else None
    return (FilePart.model_construct(kind="file", name=name, url=url, media_type=media_type),)


def _tools(value: JSON) -> tuple[Part, ...] | None:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        return None
    return tuple([part for row in value for part in _call(row)])


def _tool(value: JSON) -> tuple[Part, ...] | None:
    return tuple(_call(value)) if isinstance(value, dict) else None


def _call(row: Row) -> Iterator[Part]:
    """Parse a tool call and, once the tool has answered, its result."""
    call_id, response = non_empty_text(row, "id"), non_empty_text(row, "response")
    yield ToolCallPart.model_construct(
        kind="tool_call",
        id=call_id,
        name=non_empty_text(row, "toolName") or non_empty_text(row, "functionName") or "",
        arguments=non_empty_text(row, "params") or "",
    )
    if response is not None:
        yield ToolResultPart.model_construct(kind="tool_result", id=call_id, content=response)


def _interactive(value: JSON) -> tuple[Part, ...] | None:
    part = read_interaction(value)
    return None if part is None else (part,)


def _whole(kind: str) -> _Reader:
    return lambda value: (OtherPart(type=kind, data=value),)


_READERS: Final[dict[str, _Reader]] = {
    "reasoning": _reasoning,
    "text": _text,
    "file": _file,
    "tools": _tools,
    "tool": _tool,
    "agentPlanUpdate": _tool,
    "agentAsk": _tool,
    "interactive": _interactive,
    "plan": _whole("plan"),
    "skills": _whole("skills"),
    "planStatus": _whole("planStatus"),
    "contextCheckpoint": _whole("contextCheckpoint"),
}
"""By key, in the order in which the parts of one item are shown."""
