"""What an endpoint of the native API is: a method of a path, and what it asks of the store.

Which ones there are stands in `endpoints`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Final, TypeAlias, TypeVar, cast

from starlette.responses import Response

from convostore.adapters import Operation
from convostore.dialects import StreamedResponse
from convostore.models import Value
from convostore.parsing import Row
from convostore.store import AsyncConversationStore

from ..limits import Limits
from .parameters import AnyParameter, Parameter
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
    """One request for an endpoint, read and checked.

    Attributes:
        ids: What stands in the path, by the template's names: arguments of the store's method.
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
        """Whether a reply is to be sent as it arrives."""
        return EVENTS in self.headers.get("accept", "").lower()

    def value(self, parameter: Parameter[T]) -> T:
        """Return the value of a parameter that is required or has a default."""
        return cast("T", self.query[parameter.name])  # `read_query` has called its `read`

    def optional(self, parameter: Parameter[T]) -> T | None:
        """Return the value of a parameter; None where the request has none."""
        return cast("T | None", self.query.get(parameter.name))

    def body_as(self, kind: type[V]) -> V:
        """Return the body of an endpoint whose `body` is this class."""
        return cast("V", self.body)  # `read_body` has validated it


Handler: TypeAlias = Callable[[Call], Awaitable[Result | StreamedResponse | Response]]
BodyKind: TypeAlias = type[Value] | UnionType
"""A class of bodies; as a union with None, the body may be null or absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method of one path.

    Attributes:
        template: Of the path; what stands in braces is an id.
        operation: What it asks of the store; None where it is none of its operations.
        handle: Returns what `rendering.answer` takes, a `StreamedResponse` or a `Response`; None
            where no store is asked, which needs no token.
        answers: What comes back: a class, `Several` of them or `PageOf` them, a `Row` that is a
            JSON schema, or None for nothing.
        body: The class of the request's body; None where it has none.
        status: Of the answer.
        conditional: Whether it has an entity tag.
        media_types: Of the answer.
        may_conflict: Whether 409 may come.
        name: Where the operation does not name it.
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
    """The answer is a page of such values."""

    kind: type[object]


@dataclass(frozen=True, slots=True)
class Several:
    """The answer is a list that comes whole."""

    kind: type[object]


AnswerKind: TypeAlias = type[object] | PageOf | Several | Row | None
"""A class, a page or list of its values, a JSON schema, or nothing."""
