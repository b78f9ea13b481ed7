"""Endpoints of the native API as values: a method of a path, and the store operation it calls.

The endpoints themselves are in `router`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Final, TypeAlias, TypeVar, cast

from starlette.responses import Response

from convostore.adapters import Operation
from convostore.dialects import StreamedResponse
from convostore.errors import InvalidError
from convostore.models import UNSET, Unset, Value
from convostore.parsing import Row
from convostore.store import AsyncConversationStore

from ..limits import Limits
from .parameters import OWNER, WITHOUT_OWNER, AnyParameter, Parameter
from .responses import Result

T = TypeVar("T")
V = TypeVar("V", bound=Value)

EVENTS: Final = "text/event-stream"
CONVERSATIONS: Final = "/v1/conversations"
CONVERSATION: Final = f"{CONVERSATIONS}/{{conversation_id}}"
MESSAGES: Final = f"{CONVERSATION}/messages"
MESSAGE: Final = f"{MESSAGES}/{{message_id}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to an endpoint, parsed and checked.

    Attributes:
        ids: The ids of the path by the names in the template: arguments of the store's method.
        headers: By lower-case name.
    """

    store: AsyncConversationStore
    ids: Mapping[str, str]
    query: Mapping[str, object]
    body: Value | None
    headers: Mapping[str, str]
    limits: Limits

    @property
    def wants_events(self) -> bool:
        """Whether the client wants the reply streamed."""
        return EVENTS in self.headers.get("accept", "").lower()

    def value(self, parameter: Parameter[T]) -> T:
        """Return the value of a parameter that is required or has a default."""
        return cast("T", self.query[parameter.name])  # `read_query` has called its `read`

    def optional(self, parameter: Parameter[T]) -> T | None:
        """Return the value of a parameter; None if the request does not have it."""
        return cast("T | None", self.query.get(parameter.name))

    @property
    def owner(self) -> str | Unset | None:
        """The owner whose conversations are asked for; None for those without one.

        Raises:
            InvalidError: Both are asked for.
        """
        owner, has_none = self.optional(OWNER), self.optional(WITHOUT_OWNER)
        if owner is not None and has_none:
            raise InvalidError("owner and without_owner must not be given together: pass one")
        return UNSET if owner is None and not has_none else owner

    def body_as(self, kind: type[V]) -> V:
        """Return the body of an endpoint that declares this class.

        Raises:
            TypeError: The endpoint declares another one.
        """
        if not isinstance(self.body, kind):
            raise TypeError(f"body must be a {kind.__name__}, got a {type(self.body).__name__}")
        return self.body


Handler: TypeAlias = Callable[[Call], Awaitable[Result | StreamedResponse | Response]]
BodyKind: TypeAlias = type[Value] | UnionType
"""A class of bodies; as a union with None, the body may be null or absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method of one path.

    Attributes:
        template: The path; a name in braces is an id.
        operation: The operation of the store; None for an endpoint that calls none.
        handle: Calls the store; None for an endpoint that asks no store and needs no token.
        answers: The class or schema of the result.
        body: The class of the request's body; None for a request without one.
        status: The status of a successful answer.
        conditional: Whether the answer has an entity tag.
        media_types: The media types of the answer.
        may_conflict: Whether 409 is a possible answer.
        name: The operation id where it is not the name of the operation.
    """

    method: str
    template: str
    operation: Operation | None
    summary: str
    handle: Handler | None
    answers: AnswerKind
    parameters: tuple[AnyParameter, ...] = ()
    body: BodyKind | None = None
    status: int = 200
    conditional: bool = False
    media_types: tuple[str, ...] = ("application/json",)
    may_conflict: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class PageOf:
    """A page of values of a class."""

    kind: type[object]


@dataclass(frozen=True, slots=True)
class Several:
    """A complete list of values of a class."""

    kind: type[object]


AnswerKind: TypeAlias = type[object] | PageOf | Several | Row | None
"""A class, a page or list of its values, a JSON schema, or nothing."""
