"""What the native API answers, as bytes: values rendered, entity tags, conditional requests.

Which operation a value is of is not known here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final

from starlette.responses import Response

from convostore.codec import dump, to_json
from convostore.models import Conversation, Message, Page
from convostore.parts import ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from convostore.reading import Row
from convostore.searching import Hit
from convostore.values import JSON, Portable

from .wire import items_json, page_json

LARGE: Final = 256 * 1024
"""About how many bytes an answer may have that is rendered in the event loop."""
_SMALL: Final = 512
"""About how many bytes a value has besides its texts."""
_TAG: Final = re.compile(r'(?:W/)?("[^"]*")|\*')

# Any, in this module: a result of any operation.


async def answer(
    result: Any, status: int, headers: Mapping[str, str], *, conditional: bool
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


async def rendered(result: Any) -> bytes:
    """The JSON of a result; a large one is written in a thread."""
    if isinstance(result, Page):
        return await _page(result)
    if isinstance(result, tuple):
        return b'{"items":' + await _items(result) + b"}"
    return _written(result)


async def _page(page: Page[Any]) -> bytes:
    rest = page_json(Page(items=(), cursor=page.cursor, total=page.total))
    del rest["items"]
    told = to_json(rest).encode("ascii")[1:]
    return b'{"items":' + await _items(page.items) + (b"," if rest else b"") + told


async def _items(items: tuple[Any, ...]) -> bytes:
    if sum(map(_weight, items)) > LARGE:
        return await asyncio.to_thread(_piecewise, items)
    if items and type(items[0]) in _QUICK:
        with suppress(ValueError):
            return _QUICK[type(items[0])].dump_json(items, exclude_none=True, warnings=False)
    return _slowly(items)

def _piecewise(items: tuple[Any, ...]) -> bytes:
    """The same in pieces, between which other threads have their turn."""
    return b"[" + b",".join(map(_written, items)) + b"]"

def tag_of(content: bytes) -> str:
    """A strong entity tag."""
    return f'"{blake2b(content, digest_size=16).hexdigest()}"'


def _is_known(tag: str, told: str | None) -> bool:
    """Whether ``If-None-Match`` names a tag, by the weak comparison."""
    if told is None:
        return False
    return any(found[0] == "*" or found[1] == tag for found in _TAG.finditer(told))


def _data(result: Any) -> JSON:
    if isinstance(result, Page):
        return page_json(result)
    if isinstance(result, tuple):
        return items_json(result)
    return dump(result) if isinstance(result, Portable) else result


def _piecewise(result: Page[Any] | tuple[Any, ...]) -> bytes:
    """The same in pieces, between which other threads have their turn."""
    items = result.items if isinstance(result, Page) else result
    pieces = [to_json(_data(each)).encode("ascii") for each in items]
    head = b'{"items":[' + b",".join(pieces) + b"]"
    rest: Row = {}
    if isinstance(result, Page):
        rest = page_json(Page(items=(), cursor=result.cursor, total=result.total))
        del rest["items"]
    told = to_json(rest).encode("ascii")[1:]
    return head + (b"," if rest else b"") + told


def _weight(result: Page[Any] | tuple[Any, ...]) -> int:
    """About how many bytes the JSON will have."""
    items = result.items if isinstance(result, Page) else result
    return sum(map(_weight_of, items))


def _weight_of(value: object) -> int:
    if isinstance(value, Message):
        told = sum(_SMALL + len(each.content or "") for each in value.sources)
        told += sum(map(len, _texts(value)))
        return (_SMALL + told) * (1 if value.raw is None else 2)
    if isinstance(value, Conversation):
        return _SMALL * (1 if value.raw is None else 4)
    if isinstance(value, Hit):
        return _SMALL + (0 if value.message is None else _weight_of(value.message))
    return _SMALL


def _texts(message: Message) -> Iterator[str]:
    for part in message.parts:
        if isinstance(part, TextPart | ReasoningPart):
            yield part.text
        elif isinstance(part, ToolResultPart):
            yield part.content
        elif isinstance(part, ToolCallPart):
            yield part.arguments
