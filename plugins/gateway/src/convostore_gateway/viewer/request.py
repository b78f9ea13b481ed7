"""A visit: one request to the viewer, with the store that it may look at.

What is answered to it is not known here.
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
    """A request, and whose.

    Attributes:
        ids: Those that its path names, in their order.
        is_signed_in: Whether there is a cookie to be cleared.
    """

    request: IncomingRequest
    store: AsyncConversationStore
    at: Addresses
    limits: Limits
    ids: tuple[str, ...] = ()
    is_signed_in: bool = False

    @property
    def wants_fragment(self) -> bool:
        """Whether a page that is open asks, and takes a piece of one."""
        return wants_fragment(self.request)

    def given(self, name: str) -> str | None:
        """A parameter of the address; None when it is missing or empty."""
        return self.request.parameters.get(name) or None

    @cached_property
    def form(self) -> Mapping[str, str]:
        """The fields that were filled in.

        Raises:
            InvalidError: The body is no form.
        """
        try:
            return form_of(self.request)
        except ValueError:
            raise InvalidError("the form cannot be read") from None

    def field(self, name: str) -> str:
        """A field of the form, without the blanks around it.

        Raises:
            InvalidError: The form has none of that name.
        """
        try:
            return self.form[name].strip()
        except KeyError:
            raise InvalidError(f"the form has no {name}") from None

    def page_size(self, wanted: int) -> int:
        """How many items to read at a time."""
        return min(wanted, self.limits.page, self.store.traits.max_page or wanted)


def wants_fragment(request: IncomingRequest) -> bool:
    """Whether htmx asks, and not for a page that it has lost."""
    headers = request.headers
    return "hx-request" in headers and "hx-history-restore-request" not in headers


def form_of(request: IncomingRequest) -> dict[str, str]:
    """The fields of a form.

    Raises:
        ValueError: The body is none.
    """
    return dict(parse_qsl(request.content.decode("ascii"), True, errors="strict"))
