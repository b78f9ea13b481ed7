"""A visit: one request to the viewer with the store that it may see.

Answers are not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qsl

from convostore.dialects import IncomingRequest
from convostore.errors import InvalidError
from convostore.store import AsyncConversationStore

from ..limits import Limits
from .urls import Addresses


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A request with its store and its limits.

    Attributes:
        ids: The ids of the path in order.
        is_signed_in: Whether a cookie holds a token.
    """

    request: IncomingRequest
    store: AsyncConversationStore
    at: Addresses
    limits: Limits
    ids: tuple[str, ...] = ()
    is_signed_in: bool = False

    @property
    def wants_fragment(self) -> bool:
        """Whether an open page requests a piece of a page."""
        return wants_fragment(self.request)

    def parameter(self, name: str) -> str | None:
        """Return a parameter of the query; None if it is missing or empty."""
        return self.request.parameters.get(name) or None

    @cached_property
    def form(self) -> Mapping[str, str]:
        """The fields of the form.

        Raises:
            InvalidError: The body is not a form.
        """
        try:
            return form_of(self.request)
        except ValueError:
            raise InvalidError("the body must be a form") from None

    def field(self, name: str) -> str:
        """Return a field of the form, stripped.

        Raises:
            InvalidError: The form does not have the field.
        """
        try:
            return self.form[name].strip()
        except KeyError:
            raise InvalidError(f"the form must have the field {name}") from None

    def page_size(self, size: int) -> int:
        """Return the number of items to read at a time."""
        return min(size, self.limits.page, self.store.traits.max_page or size)


def wants_fragment(request: IncomingRequest) -> bool:
    """Check whether htmx requests a piece, and not a page that its history has lost."""
    headers = request.headers
    return "hx-request" in headers and "hx-history-restore-request" not in headers


def form_of(request: IncomingRequest) -> dict[str, str]:
    """Parse the fields of a form.

    Raises:
        ValueError: The body is not a form.
    """
    return dict(parse_qsl(request.content.decode("ascii"), True, errors="strict"))
