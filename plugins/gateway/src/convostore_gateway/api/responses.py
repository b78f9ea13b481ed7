"""Results of the native API as bytes; entity tags, conditional requests, event streams.

The operation that returned a result is not known here.
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
from convostore.serialization import dump, to_exact_json

from ..problems import problem_json, problem_of
from ..schema import page_json

LARGE: Final = 256 * 1024
"""About the size in bytes up to which an answer is encoded in the event loop."""
_OVERHEAD: Final = 512
"""About the bytes of a value apart from its texts."""
_FAST: Final = frozenset({Conversation, Message, Hit, RunStep})
"""Classes whose None is always a default, which pydantic itself can therefore leave out."""
_REPLACED: Final = "\ufffd".encode()
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
"""A result of an operation; the items of a `Page[str]` are JSON already."""


async def answer(
    result: Result, status: int, headers: Mapping[str, str], *, conditional: bool
) -> Response:
    """Return the response for a result.

    Args:
        result: A value of the schema, a page or a tuple of them, plain data, or None.
        status: The status, unless the result is None.
        headers: The headers of the request by lower-case name.
        conditional: Whether the response has an entity tag and may be a 304.
    """
    if result is None:
        return Response(status_code=204)
    content = await encode_result(result)
    if not conditional:
        return Response(content, status, media_type="application/json")
    tag = tag_of(content)
    # A client may keep the answer, but must revalidate it before each use.
    validators = {"etag": tag, "cache-control": "private, no-cache", "vary": "authorization"}
    if _matches(tag, headers.get("if-none-match")):
        return Response(status_code=304, headers=validators)
    return Response(content, status, validators, media_type="application/json")


async def encode_result(result: Result) -> bytes:
    """Return the JSON of a result; a large one is encoded in a thread."""
    if isinstance(result, Page):
        fields = page_json(Page(items=(), cursor=result.cursor, total=result.total))
        del fields["items"]
        rest = b"," + to_exact_json(fields).encode("ascii")[1:] if fields else b"}"
        items = result.items
        if items and isinstance(items[0], str):
            rows = ",".join(items)
            return f'{{"items":[{rows}]'.encode() + rest
        return b'{"items":' + await _items(items) + rest
    if isinstance(result, tuple):
        return b'{"items":' + await _items(result) + b"}"
    return _encode(result)


def tag_of(content: bytes) -> str:
    """Return a strong entity tag."""
    return f'"{sha256(content).hexdigest()[:32]}"'


def _matches(tag: str, condition: str | None) -> bool:
    """Check whether ``If-None-Match`` names a tag, by the weak comparison."""
    if condition is None:
        return False
    return condition.strip() == "*" or tag in _TAG.findall(condition)


async def _items(items: tuple[Item, ...]) -> bytes:
    if _estimate(items) > LARGE:
        return await asyncio.to_thread(_encode_each, items)
    if items and type(items[0]) in _FAST:
        with suppress(ValueError):
            return _encode_fast(items)
    return _encode_each(items)


def _encode_each(items: tuple[Item, ...]) -> bytes:
    """Encode items one by one, so that other threads can run in between."""
    return b"[" + b",".join(map(_encode, items)) + b"]"


def _encode(value: Item | Row | None) -> bytes:
    if type(value) in _FAST:
        with suppress(ValueError):
            return _encode_fast(value)
    return to_exact_json(dump(value) if isinstance(value, Portable) else value).encode("ascii")


def _encode_fast(value: object) -> bytes:
    """Encode by pydantic directly.

    Raises:
        ValueError: The value has a lone surrogate, or is nested too deeply.
    """
    content = pydantic_core.to_json(value, exclude_none=True)
    if _REPLACED in content:  # it may stand for a surrogate in a key, about which nothing is said
        raise ValueError("a key may have a lone surrogate")
    return content


def _estimate(items: tuple[Item, ...]) -> int:
    """Estimate the bytes of the JSON of a list."""
    if items and isinstance(items[0], Message | Hit):
        return sum(map(_estimate_item, items))
    return _OVERHEAD * len(items)


def _estimate_item(value: object) -> int:
    if isinstance(value, Message):
        size = _OVERHEAD * (1 + len(value.sources))
        for part in value.parts:
            if isinstance(part, TextPart | ReasoningPart):
                size += len(part.text)
            elif isinstance(part, ToolResultPart):
                size += len(part.content)
        return size if value.raw is None else 2 * size
    if isinstance(value, Hit) and value.message is not None:
        return _OVERHEAD + _estimate_item(value.message)
    return _OVERHEAD


HEADERS: Final = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # otherwise proxies buffer the events
}


class NativeEncoder(ReplyEncoder):
    """An encoder of events as ``event: <kind>`` with ``data``; a failure is the event ``error``."""

    def feed(self, event: ReplyEvent) -> bytes:
        return _event(event.kind, to_exact_json(dump(event)))

    def failed(self, error: StoreError) -> bytes:
        return _event("error", problem_json(problem_of(error)))

    def idle(self) -> bytes:
        return b": going on\n\n"


def _event(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode("ascii")
