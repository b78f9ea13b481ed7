"""A request's parameters as the service's schemas check them, in the body or in the query.

What is wrong with one is said as the service says it. No endpoint and no store here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias

from convostore.dialects import IncomingRequest
from convostore.errors import InvalidError
from convostore.models import JSON
from convostore.parsing import Row, read_time

from .errors import (
    MalformedError,
    RefusedError,
    forbidden_chat,
    invalid_link,
    missing_params,
    unfit,
)

Place: TypeAlias = Literal["body", "query", "both"]
"""Where an endpoint looks for its parameters."""

LARGEST_PAGE: Final = 5000
"""Items of one page: the service knows no bound, but each page is made in memory."""
_DEFAULT_PAGE: Final = 10
_DIGITS: Final = 18
"""Of a longer number it only matters that it is large."""
_APP_ID: Final = re.compile(r"[0-9a-fA-F]{24}")
_NO_TARGET: Final = "appId, skillId or share auth must be provided"
_NAMES: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (bool, "boolean"),
    (str, "string"),
    ((int, float), "number"),
    (list, "array"),
    (dict, "object"),
)


class Span(NamedTuple):
    """A page of a list: how many items stand before it, and how many it has at the most."""

    start: int
    size: int

    @property
    def end(self) -> int:
        return self.start + self.size


@dataclass(frozen=True, slots=True)
class Given:
    """The parameters of one request.

    Attributes:
        fields: By name, where the endpoint looks for them.
        paging: Where it looks for those of paging.
    """

    fields: Mapping[str, JSON]
    paging: Mapping[str, JSON]

    def app_id(self) -> str:
        """The app that is meant.

        Raises:
            RefusedError: None is named, or it is not spelled as one.
        """
        link = self.fields.get("outLinkAuthData")
        app_id = self.fields.get("appId")
        if link is not None:
            raise (
                invalid_link() if app_id is None else unfit("appId cannot be used with share auth")
            )
        if app_id is None:
            raise unfit(_NO_TARGET)
        return checked_app_id(app_id)

    def text(self, name: str) -> str:
        """A text that must be there.

        Raises:
            RefusedError: It is not, or is empty.
        """
        value = self.fields.get(name)
        if not isinstance(value, str):
            raise _of_another_type(name, "string", value, absent=name not in self.fields)
        if not value:
            raise unfit(
                "Too small: expected string to have >=1 characters",
                name,
                code="too_small",
                origin="string",
                minimum=1,
                inclusive=True,
            )
        return value

    def text_or_none(self, name: str) -> str | None:
        """A text, or None where there is none, or null."""
        value = self.fields.get(name)
        if value is None or isinstance(value, str):
            return value
        raise _of_another_type(name, "string", value)

    def flag(self, name: str) -> bool | None:
        """A truth value, or None where there is none, or null."""
        value = self.fields.get(name)
        if value is None or isinstance(value, bool):
            return value
        raise _of_another_type(name, "boolean", value)

    def object(self, name: str) -> Row | None:
        """An object, or None where there is none, or null."""
        value = self.fields.get(name)
        if value is None or isinstance(value, dict):
            return value
        raise _of_another_type(name, "object", value)

    def array(self, name: str) -> list[JSON] | None:
        """An array, or None where there is none, or null."""
        value = self.fields.get(name)
        if value is None or isinstance(value, list):
            return value
        raise _of_another_type(name, "array", value)

    def choice(self, name: str, known: Collection[str]) -> str | None:
        """One of some words, or None where it is not there; null is none of them."""
        if name not in self.fields:
            return None
        value = self.fields[name]
        if isinstance(value, str) and value in known:
            return value
        told = "|".join(f'"{each}"' for each in known)
        message = f"Invalid option: expected one of {told}"
        raise unfit(message, name, code="invalid_value", values=list(known))

    def texts(self, name: str, *, most: int) -> list[str]:
        """Some texts, at least one.

        Raises:
            RefusedError: There are none, or too many.
        """
        values = self.fields.get(name)
        if not isinstance(values, list):
            raise _of_another_type(name, "array", values, absent=name not in self.fields)
        if not values:
            raise _of_another_size(name, "too_small", ">=1")
        if len(values) > most:
            raise _of_another_size(name, "too_big", f"<={most}")
        for number, each in enumerate(values):
            if not isinstance(each, str):
                raise _of_another_type(name, "string", each, number)
        return values

    def time(self, name: str) -> datetime | None:
        """A point in time, or None where there is none."""
        value = self.fields.get(name)
        if value is None or value == "":
            return None
        time = read_time(value)
        if time is None:
            raise unfit("Invalid input: expected date", name, code="invalid_type", expected="date")
        return time

    def span(self) -> Span:
        """The page that is meant; without a `pageSize`, the first ten items.

        Raises:
            RefusedError: The numbers make no page, or too large a one.
        """
        if self.paging.get("pageSize") is None:
            return Span(0, _DEFAULT_PAGE)
        size = self._number("pageSize")
        if size == 0:
            raise missing_params()
        if size > LARGEST_PAGE:
            raise _of_another_size("pageSize", "too_big", f"<={LARGEST_PAGE}", of="number")
        offset = self._number("offset")
        return Span(offset or max(0, self._number("pageNum", 1) - 1) * size, size)

    def size(self, name: str, default: int) -> int:
        """The size of a page, which has to be a number and nothing that can be read as one.

        Raises:
            RefusedError: It is none, or makes no page.
        """
        value = self.fields.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise _of_another_type(name, "number", value)
        if value < 1:
            raise unfit(
                "Too small: expected number to be >0",
                name,
                code="too_small",
                origin="number",
                minimum=0,
                inclusive=False,
            )
        if value > LARGEST_PAGE:
            raise _of_another_size(name, "too_big", f"<={LARGEST_PAGE}", of="number")
        return value

    def _number(self, name: str, default: int = 0) -> int:
        value = self.paging.get(name)
        if value is None or value == "":
            return default
        if isinstance(value, str) and value.isascii() and value.strip().isdecimal():
            value = int(value.strip().lstrip("0")[:_DIGITS] or "0")
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise _of_another_type(name, "number", value)
        if value < 0:
            raise _of_another_size(name, "too_small", ">=0", of="number")
        return value


def read_given(request: IncomingRequest, place: Place) -> Given:
    """A request's parameters, from where an endpoint looks for them.

    Raises:
        MalformedError: The body is no JSON.
        RefusedError: The body is no object, where it has to be one.
    """
    try:
        body = request.json if request.content else ""
    except InvalidError:
        raise MalformedError("the body is no JSON") from None
    fields: Row = body if isinstance(body, dict) else {}
    if place == "body" and body is not fields:
        raise unfit(
            f"Invalid input: expected object, received {_name_of(body)}",
            code="invalid_type",
            expected="object",
        )
    query = request.parameters
    chosen = {"body": fields, "query": query, "both": {**query, **fields}}[place]
    return Given(chosen, fields if "pageSize" in fields else query)


def checked_app_id(value: JSON) -> str:
    """An app's id.

    Raises:
        RefusedError: It is not spelled as one.
    """
    if not isinstance(value, str):
        raise _of_another_type("appId", "string", value)
    if _APP_ID.fullmatch(value) is None:
        pattern = f"/^{_APP_ID.pattern}$/"
        message = f"Invalid string: must match pattern {pattern}"
        raise unfit(
            message,
            "appId",
            code="invalid_format",
            origin="string",
            format="regex",
            pattern=pattern,
        )
    return value


def require_target(given: Given) -> None:
    """Looks whether a list of conversations is asked for of anything.

    Raises:
        RefusedError: It is not.
    """
    if given.fields.get("appId") is None and given.fields.get("outLinkAuthData") is None:
        raise forbidden_chat()


def _name_of(value: JSON) -> str:
    return next((name for kind, name in _NAMES if isinstance(value, kind)), "null")


def _of_another_type(
    name: str, expected: str, value: JSON, *path: int, absent: bool = False
) -> RefusedError:
    received = "undefined" if absent else _name_of(value)
    message = f"Invalid input: expected {expected}, received {received}"
    return unfit(message, name, *path, code="invalid_type", expected=expected)


def _of_another_size(name: str, code: str, bound: str, *, of: str = "array") -> RefusedError:
    word = code.replace("_", " ").capitalize()
    items = "to have " if of == "array" else "to be "
    of_what = " items" if of == "array" else ""
    limit = {"minimum" if code == "too_small" else "maximum": int(bound[2:])}
    message = f"{word}: expected {of} {items}{bound}{of_what}"
    return unfit(message, name, code=code, origin=of, inclusive=True, **limit)
