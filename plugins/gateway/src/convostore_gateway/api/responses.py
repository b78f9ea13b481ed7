"""What the native API answers, as bytes: values rendered, entity tags, conditional requests.

Which operation a value is of is not known here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Final, TypeAlias

import pydantic_core
from starlette.responses import Response

from convostore.dialects import ReplyEncoder
from convostore.errors import StoreError
from convostore.models import (
    Conversation,
    Message,
    Page,
    Portable,
    ReasoningPart,
    ReplyEvent,
    RunStep,
    TextPart,
    ToolResultPart,
)
from convostore.parsing import Row
from convostore.search import Hit
from convostore.serialization import dump, to_json

from ..problems import problem_json, problem_of
from ..schema import page_json

LARGE: Final = 256 * 1024
"""About how many bytes an answer may have that is rendered in the event loop."""
_SMALL: Final = 512
"""About how many bytes a value has besides its texts."""
_QUICK: Final = frozenset({Conversation, Message, Hit, RunStep})
"""Classes whose None is always a default, which pydantic can therefore leave out by itself."""
_TAG: Final = re.compile(r'"[^"]*"')

Item: TypeAlias = Portable | str
Result: TypeAlias = (
    Portable
    | Row
    | Page[Conversation]
    | Page[Message]
    | Page[Hit]
    | Page[str]
    | tuple[Portable, ...]
    | tuple[str, ...]
    | None
)
"""What an operation returns; the items of a `Page[str]` are JSON already."""


async def answer(
    result: Result, status: int, headers: Mapping[str, str], *, conditional: bool
) -> Response:
    """Makes the answer of a result.

    Args:
        result: A value of the schema, a page or a tuple of them, plain data, or None.
        status: Of the answer, unless there is nothing in it.
        headers: The request's, by lower-case name.
        conditional: Whether it has an entity tag, and may be answered by 304.
    """
    if result is None:
        return Response(status_code=204)
    content = await rendered(result)
    if not conditional:
        return Response(content, status, media_type="application/json")
    tag = tag_of(content)
    # It may be kept, but is to be asked for again before it is used.
    validators = {"etag": tag, "cache-control": "private, no-cache", "vary": "authorization"}
    if _is_known(tag, headers.get("if-none-match")):
        return Response(status_code=304, headers=validators)
    return Response(content, status, validators, media_type="application/json")


async def rendered(result: Result) -> bytes:
    """The JSON of a result; a large one is written in a thread."""
    if isinstance(result, Page):
        told = page_json(Page(items=(), cursor=result.cursor, total=result.total))
        del told["items"]
        rest = b"," + to_json(told).encode("ascii")[1:] if told else b"}"
        items = result.items
        if items and isinstance(items[0], str):
            rows = ",".join(items)
            return f'{{"items":[{rows}]'.encode() + rest
        return b'{"items":' + await _items(items) + rest
    if isinstance(result, tuple):
        return b'{"items":' + await _items(result) + b"}"
    return _written(result)


def tag_of(content: bytes) -> str:
    """A strong entity tag."""
    return f'"{sha256(content).hexdigest()[:32]}"'


def _is_known(tag: str, told: str | None) -> bool:
    """Whether ``If-None-Match`` names a tag, by the weak comparison."""
    if told is None:
        return False
    return told.strip() == "*" or tag in _TAG.findall(told)


async def _items(items: tuple[Item, ...]) -> bytes:
    if _weight_of(items) > LARGE:
        return await asyncio.to_thread(_piecewise, items)
    if items and type(items[0]) in _QUICK:
        with suppress(ValueError):
            return _quickly(items)
    return _piecewise(items)


def _piecewise(items: tuple[Item, ...]) -> bytes:
    """Writes one by one, so that other threads have their turn between them."""
    return b"[" + b",".join(map(_written, items)) + b"]"


def _written(value: Item | Row | None) -> bytes:
    if type(value) in _QUICK:
        with suppress(ValueError):
            return _quickly(value)
    return to_json(dump(value) if isinstance(value, Portable) else value).encode("ascii")


def _quickly(value: object) -> bytes:
    """Writes without a detour.

    Raises:
        ValueError: UTF-8 cannot hold it, as a lone surrogate, or it is nested too deeply.
    """
    return pydantic_core.to_json(value, exclude_none=True)


def _weight_of(items: tuple[Item, ...]) -> int:
    """About how many bytes the JSON of a list will have."""
    if items and isinstance(items[0], Message | Hit):
        return sum(map(_weight, items))
    return _SMALL * len(items)


def _weight(value: object) -> int:
    if isinstance(value, Message):
        told = _SMALL * (1 + len(value.sources))
        for part in value.parts:
            if isinstance(part, TextPart | ReasoningPart):
                told += len(part.text)
            elif isinstance(part, ToolResultPart):
                told += len(part.content)
        return told if value.raw is None else 2 * told
    if isinstance(value, Hit) and value.message is not None:
        return _SMALL + _weight(value.message)
    return _SMALL


HEADERS: Final = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # proxies would hold the events back
}


class NativeEncoder(ReplyEncoder):
    """``event: <kind>`` and ``data: <the event>``; a failure is the event ``error``."""

    def feed(self, event: ReplyEvent) -> bytes:
        return _event(event.kind, to_json(dump(event)))

    def failed(self, error: StoreError) -> bytes:
        return _event("error", problem_json(problem_of(error)))

    def idle(self) -> bytes:
        return b": going on\n\n"


def _event(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode("ascii")
