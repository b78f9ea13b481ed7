"""Query parameters of the native API: how each is parsed and documented."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeAlias, TypeVar, get_args
from urllib.parse import parse_qsl

from convostore.errors import InvalidError
from convostore.formats import WRITTEN
from convostore.models import Order, Role
from convostore.parsing import Row

from ..limits import Limits

T = TypeVar("T")
W = TypeVar("W", bound=str)

_DIGITS: Final = 18
"""Digits that are read of a number; a longer one is only known to be large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter(Generic[T]):
    """A query parameter.

    Attributes:
        read: Parses the text; raises `ValueError` with what it must be.
        schema: The JSON schema for OpenAPI.
        default: The value where the request has none; None leaves the default to the store.
    """

    name: str
    about: str
    read: Callable[[str], T]
    schema: Row
    required: bool = False
    default: T | None = None


AnyParameter: TypeAlias = Parameter[Any]
"""A parameter whose values may be of any type: a table of parameters holds several."""


def read_query(
    parameters: Sequence[AnyParameter], query: bytes, limits: Limits
) -> dict[str, object]:
    """Parse a request's query and add the defaults of absent parameters.

    Raises:
        InvalidError: A parameter is unknown, repeated, missing or invalid; the message names it.
    """
    pairs = _pairs(query) if query else []
    known = {parameter.name: parameter for parameter in parameters}
    values = {name: known[name].default for name in known if known[name].default is not None}
    seen: set[str] = set()
    for name, text in pairs:
        if name not in known:
            raise _unknown(name, list(known))
        if name in seen:
            raise InvalidError(f"parameter {name!r} must not be repeated")
        seen.add(name)
        values[name] = _read(known[name], text)
    for parameter in parameters:
        if parameter.required and parameter.name not in seen:
            raise InvalidError(f"parameter {parameter.name!r} is required: {parameter.about}")
    if isinstance(limit := values.get("limit"), int):
        values["limit"] = min(limit, limits.page)
    return values


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:  # ids and queries may hold lone surrogates
        return parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="surrogatepass")
    except ValueError:
        raise InvalidError("the query is not percent-encoded UTF-8") from None


def _read(parameter: Parameter[T], text: str) -> T:
    try:
        return parameter.read(text)
    except ValueError as error:
        raise InvalidError(f"parameter {parameter.name!r} must be {error}") from None


def _unknown(name: str, known: Sequence[str]) -> InvalidError:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known) or 'none'}"
    return InvalidError(f"unknown parameter {name!r}: {hint}")


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and text.strip("0")):
        raise ValueError("a positive integer")
    return int(text.lstrip("0")[:_DIGITS])


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise ValueError("a time with a zone, such as 2026-01-31T12:00:00Z")
    return time


def _flag(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError("true or false")
    return text == "true"


def _one_of(words: Sequence[W]) -> Callable[[str], W]:
    def read(text: str) -> W:
        for word in words:
            if word == text:
                return word
        raise ValueError(f"one of {', '.join(words)}")

    return read


def _choice(name: str, about: str, words: Sequence[W], default: W | None = None) -> Parameter[W]:
    schema: Row = {"type": "string", "enum": list(words)}
    if default is not None:
        schema["default"] = default
    return Parameter(name=name, about=about, read=_one_of(words), schema=schema, default=default)


def _moment(name: str, about: str) -> Parameter[datetime]:
    schema = {"type": "string", "format": "date-time"}
    return Parameter(name=name, about=about, read=_time, schema=schema)


def _limit(default: int) -> Parameter[int]:
    return Parameter(
        name="limit",
        about="The maximum number of items of the page; the server may lower it.",
        read=_positive,
        schema={"type": "integer", "minimum": 1, "default": default},
        default=default,
    )


LIMIT: Final = _limit(50)
HITS: Final = _limit(20)
CURSOR: Final = Parameter(
    name="cursor",
    about="The cursor of the page before; absent for the first page.",
    read=str,
    schema={"type": "string"},
)
_ORDERS: Final[tuple[Order, ...]] = get_args(Order)
_ROLES: Final[tuple[Role, ...]] = get_args(Role)
ORDER: Final = _choice(
    "order", "The end of the conversation to begin with.", _ORDERS, "oldest_first"
)
OLDER_THAN: Final = _moment(
    "older_than", "Only conversations that were last active before this time."
)
CONVERSATIONS_ORDER: Final = _choice(
    "order", "The order; oldest_first is the store's own reversed.", _ORDERS, "newest_first"
)
START: Final = Parameter(
    name="start",
    about="The id of the item that the page begins with, in place of a cursor.",
    read=str,
    schema={"type": "string", "minLength": 1},
)
OWNER: Final = Parameter(
    name="owner",
    about="Only conversations of this owner.",
    read=str,
    schema={"type": "string", "minLength": 1},
)
WITHOUT_OWNER: Final = Parameter(
    name="without_owner",
    about="Whether to take only conversations without an owner.",
    read=_flag,
    schema={"type": "boolean", "default": False},
)
QUERY: Final = Parameter(
    name="q",
    about="Words that must all match; a phrase in quotes.",
    read=str,
    schema={"type": "string"},
    required=True,
)
CONVERSATION: Final = Parameter(
    name="conversation_id",
    about="Only in this conversation.",
    read=str,
    schema={"type": "string", "minLength": 1},
)
ROLE: Final = _choice("role", "Only messages of this role, and no titles.", _ROLES)
SINCE: Final = _moment("since", "Only messages of this time or later.")
UNTIL: Final = _moment("until", "Only messages before this time.")
FORMAT: Final = _choice("format", "The format of the file.", WRITTEN, "jsonl")
RAW: Final = Parameter(
    name="raw",
    about="Whether to include the backend's own objects, if the format has a place for them.",
    read=_flag,
    schema={"type": "boolean", "default": True},
    default=True,
)
