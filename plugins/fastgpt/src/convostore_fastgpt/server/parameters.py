"""Parameters of a request, validated as the service's schemas do, in the body or in the query.

Errors have the service's wording. No endpoint and no store here.
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
"""The place where an endpoint looks for its parameters."""

LARGEST_PAGE: Final = 5000
"""Items of a page: the service has no bound, but here each page is built in memory."""
_DEFAULT_PAGE: Final = 10
_DIGITS: Final = 18
"""Digits that are read: of a longer number it only matters that it is large."""
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
    """A page of a list: the number of items before it, and the most that it may have."""

    start: int
    size: int

    @property
    def end(self) -> int:
        return self.start + self.size


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one request.

    Attributes:
        fields: The parameters by name.
        paging: The parameters of paging by name; they may be in another place.
    """

    fields: Mapping[str, JSON]
    paging: Mapping[str, JSON]

    def app_id(self) -> str:
        """Return the app's id.

        Raises:
            RefusedError: It is missing or malformed.
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
        """Return a required text.

        Raises:
            RefusedError: It is missing or empty, or not a string.
        """
        value = self.fields.get(name)
        if not isinstance(value, str):
            raise _wrong_type(name, "string", value, absent=name not in self.fields)
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
        """Return an optional text; None if it is missing or null."""
        value = self.fields.get(name)
        if value is None or isinstance(value, str):
            return value
        raise _wrong_type(name, "string", value)

    def flag(self, name: str) -> bool | None:
        """Return an optional boolean; None if it is missing or null."""
        value = self.fields.get(name)
        if value is None or isinstance(value, bool):
            return value
        raise _wrong_type(name, "boolean", value)

    def object(self, name: str) -> Row | None:
        """Return an optional object; None if it is missing or null."""
        value = self.fields.get(name)
        if value is None or isinstance(value, dict):
            return value
        raise _wrong_type(name, "object", value)

    def array(self, name: str) -> list[JSON] | None:
        """Return an optional array; None if it is missing or null."""
        value = self.fields.get(name)
        if value is None or isinstance(value, list):
            return value
        raise _wrong_type(name, "array", value)

    def choice(self, name: str, known: Collection[str]) -> str | None:
        """Return one of the known words; None if it is missing. Null is refused."""
        if name not in self.fields:
            return None
        value = self.fields[name]
        if isinstance(value, str) and value in known:
            return value
        options = "|".join(f'"{option}"' for option in known)
        message = f"Invalid option: expected one of {options}"
        raise unfit(message, name, code="invalid_value", values=list(known))

    def texts(self, name: str, *, most: int) -> list[str]:
        """Return a list of texts, at least one.

        Raises:
            RefusedError: There are none, or more than `most`.
        """
        values = self.fields.get(name)
        if not isinstance(values, list):
            raise _wrong_type(name, "array", values, absent=name not in self.fields)
        if not values:
            raise _wrong_size(name, "too_small", ">=1")
        if len(values) > most:
            raise _wrong_size(name, "too_big", f"<={most}")
        for number, value in enumerate(values):
            if not isinstance(value, str):
                raise _wrong_type(name, "string", value, number)
        return values

    def time(self, name: str) -> datetime | None:
        """Return an optional point in time; None if it is missing, null or empty."""
        value = self.fields.get(name)
        if value is None or value == "":
            return None
        time = read_time(value)
        if time is None:
            raise unfit("Invalid input: expected date", name, code="invalid_type", expected="date")
        return time

    def span(self) -> Span:
        """Return the requested page; without `pageSize`, the first ten items.

        Raises:
            RefusedError: The numbers are invalid, or the page is too large.
        """
        if self.paging.get("pageSize") is None:
            return Span(0, _DEFAULT_PAGE)
        size = self._number("pageSize")
        if size == 0:
            raise missing_params()
        if size > LARGEST_PAGE:
            raise _wrong_size("pageSize", "too_big", f"<={LARGEST_PAGE}", of="number")
        offset = self._number("offset")
        return Span(offset or max(0, self._number("pageNum", 1) - 1) * size, size)

    def size(self, name: str, default: int) -> int:
        """Return the size of a page; a text of digits is refused.

        Raises:
            RefusedError: It is not a positive integer, or too large.
        """
        value = self.fields.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise _wrong_type(name, "number", value)
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
            raise _wrong_size(name, "too_big", f"<={LARGEST_PAGE}", of="number")
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
            raise _wrong_type(name, "number", value)
        if value < 0:
            raise _wrong_size(name, "too_small", ">=0", of="number")
        return value


def read_parameters(request: IncomingRequest, place: Place) -> Parameters:
    """Read a request's parameters from the endpoint's place.

    Raises:
        MalformedError: The body is not JSON.
        RefusedError: The body must be an object and is not.
    """
    try:
        body = request.json if request.content else ""
    except InvalidError:
        raise MalformedError("the body is not JSON") from None
    fields: Row = body if isinstance(body, dict) else {}
    if place == "body" and body is not fields:
        raise unfit(
            f"Invalid input: expected object, received {_name_of(body)}",
            code="invalid_type",
            expected="object",
        )
    query = request.parameters
    parameters = {"body": fields, "query": query, "both": {**query, **fields}}[place]
    return Parameters(parameters, fields if "pageSize" in fields else query)


def checked_app_id(value: JSON) -> str:
    """Return the value if it is an app's id.

    Raises:
        RefusedError: It is not one.
    """
    if not isinstance(value, str):
        raise _wrong_type("appId", "string", value)
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


def require_target(params: Parameters) -> None:
    """Check that a list request names an app or a share link.

    Raises:
        RefusedError: It names neither.
    """
    if params.fields.get("appId") is None and params.fields.get("outLinkAuthData") is None:
        raise forbidden_chat()


def _name_of(value: JSON) -> str:
    return next((name for kind, name in _NAMES if isinstance(value, kind)), "null")


def _wrong_type(
    name: str, expected: str, value: JSON, *path: int, absent: bool = False
) -> RefusedError:
    received = "undefined" if absent else _name_of(value)
    message = f"Invalid input: expected {expected}, received {received}"
    return unfit(message, name, *path, code="invalid_type", expected=expected)


def _wrong_size(name: str, code: str, bound: str, *, of: str = "array") -> RefusedError:
    word = code.replace("_", " ").capitalize()
    items = "to have " if of == "array" else "to be "
    of_what = " items" if of == "array" else ""
    limit = {"minimum" if code == "too_small" else "maximum": int(bound[2:])}
    message = f"{word}: expected {of} {items}{bound}{of_what}"
    return unfit(message, name, code=code, origin=of, inclusive=True, **limit)
