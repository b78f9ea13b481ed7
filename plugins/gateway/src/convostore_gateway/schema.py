"""The JSON of the native API, both ways: what the server renders is what the adapter reads back.

A field that holds its default may be absent. What HTTP makes of it, and what errors look like
(`problems`), stands elsewhere; no store and no server may be known here.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import asdict, fields
from functools import cache
from types import GenericAlias, UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar, cast

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from convostore.adapters import Operation, Traits
from convostore.errors import InvalidError, ProtocolError
from convostore.models import (
    ANY,
    JSON,
    UNSET,
    AnyTip,
    Feedback,
    FilePart,
    Message,
    Origin,
    Page,
    PartialReply,
    Portable,
    ReplyEvent,
    TextPart,
    Timestamp,
    Unset,
    Value,
)
from convostore.parsing import Row, decode_json
from convostore.serialization import dump, to_json

S = TypeVar("S", bound=Portable | str)
T = TypeVar("T")

# What is absent from a body means something else than null; pydantic never sees what stands for it.
if TYPE_CHECKING:
    _Title: TypeAlias = str | Unset | None
    _Pinned: TypeAlias = bool | Unset
    _After: TypeAlias = str | AnyTip | None
else:
    _Title, _Pinned, _After = str | None, bool, str | None


_Said: TypeAlias = Annotated[TextPart | FilePart, Field(discriminator="kind")]


class CreateBody(Value):
    """`create_conversation`."""

    id: str | None = None
    title: str | None = None
    created_at: Timestamp | None = None
    origin: Origin | None = None


class UpdateBody(Value):
    """`update_conversation`; what is absent stays as it is."""

    title: _Title = UNSET
    pinned: _Pinned = UNSET


class ForkBody(Value):
    """`fork_conversation`; without a title the copy has the original's."""

    message_id: str
    new_id: str | None = None
    title: _Title = UNSET


class AppendBody(Value):
    """`append_messages`; without `after` it does not matter which message is the last."""

    messages: tuple[Message, ...]
    after: _After = ANY


class ReplaceBody(Value):
    """`replace_messages`; `after` null replaces all."""

    messages: tuple[Message, ...]
    after: str | None


class ReplyBody(Value):
    """`reply` and `stream_reply`."""

    conversation_id: str | None = None
    content: str | tuple[_Said, ...]
    turn_id: str | None = None
    options: dict[str, JSON] = {}  # noqa: RUF012  # pydantic gives each value its own


class AnswerBody(Value):
    """`answer` and `stream_answer`."""

    conversation_id: str
    answer: str | dict[str, JSON]
    options: dict[str, JSON] = {}  # noqa: RUF012


FeedbackBody: TypeAlias = Feedback | None
"""`set_feedback`; null clears it."""


class Info(Value):
    """What is served; a later version may tell more, which is passed over.

    Attributes:
        version: The gateway's.
        offers: The names of the operations that may be called with this token.
        traits: Those of the store behind; see `convostore.adapters._base.Traits`.
        max_page: The most items of a page.
        reply_options: The names of the options that a turn takes.
    """

    model_config = ConfigDict(extra="ignore")

    label: str
    version: str
    offers: tuple[str, ...]
    traits: dict[str, JSON]
    max_page: int
    reply_options: tuple[str, ...] = ()

    @property
    def operations(self) -> frozenset[Operation]:
        """Of `offers`, those that this version knows."""
        return frozenset([each for each in Operation if each in self.offers])

    @property
    def known_traits(self) -> Traits:
        """The traits, as far as this version knows them, with the bound of this server's pages."""
        known = {each.name for each in fields(Traits)}
        told = {name: value for name, value in self.traits.items() if name in known}
        return Traits(**told | {"max_page": self.max_page})


def traits_json(traits: Traits) -> Row:
    """A store's traits."""
    return asdict(traits)


def body_json(body: Value) -> Row:
    """A request's body; what is UNSET or ANY is absent, and None is null."""
    row = dump(body)
    if isinstance(body, ReplaceBody):  # its null must be told
        row["after"] = body.after
    return row


def page_json(page: Page[S]) -> Row:
    """A page of values of the schema."""
    row = items_json(page.items)
    if page.cursor is not None:
        row["cursor"] = page.cursor
    if page.total is not None:
        row["total"] = page.total
    return row


def items_json(items: Iterable[Portable | str]) -> Row:
    """A list that comes whole: values of the schema, or texts."""
    return {"items": [each if isinstance(each, str) else dump(each) for each in items]}


def partial_json(partial: PartialReply) -> Row:
    """What had arrived of a reply."""
    return {
        "conversation_id": partial.conversation_id,
        "turn_id": partial.turn_id,
        "parts": [dump(each) for each in partial.parts],
        "sources": [dump(each) for each in partial.sources],
    }


def read(kind: type[T], data: JSON, what: str = "the answer") -> T:
    """Parse a value of a class from an answer's data.

    Raises:
        ProtocolError: The data is not a value of the class; the message names the field.
    """
    return _validated(_adapter(kind), data, what)


def _validated(adapter: TypeAdapter[T], data: JSON, what: str) -> T:
    try:
        return adapter.validate_python(data)
    except ValidationError as error:
        told = complaint(error)
    except RecursionError:
        told = "it is nested too deeply"
    raise ProtocolError(f"{what} is not what this API answers: {told}")


def read_event(data: JSON) -> ReplyEvent:
    """Reads one event of a streamed reply.

    Raises:
        ProtocolError: It is none.
    """
    event: ReplyEvent = _validated(_adapter_of(ReplyEvent), data, "an event of the reply")
    return event


def read_page(kind: type[T], data: JSON) -> Page[T]:
    """Reads a page of values of a class.

    Raises:
        ProtocolError: It is none; the message names the field.
    """
    items = read_items(kind, data)
    cursor, total = data.get("cursor"), data.get("total")
    if not isinstance(cursor, str | None) or not isinstance(total, int | None):
        raise ProtocolError("the answer is no page: its cursor or total is of another type")
    return Page(items=items, cursor=cursor, total=total)


def read_items(kind: type[T], data: JSON) -> tuple[T, ...]:
    """Reads a list that comes whole.

    Raises:
        ProtocolError: It is none; the message names the field.
    """
    if not isinstance(data, dict) or not isinstance(data.get("items"), list):
        raise ProtocolError("the answer is no list: it has no items")
    return read(_several(kind), data["items"])


def read_partial(data: JSON) -> PartialReply | None:
    """Reads what had arrived of a reply; None where it is nothing of the kind."""
    try:
        return _adapter(PartialReply).validate_python(data)
    except (ValidationError, RecursionError):
        return None


def read_body(kind: type[Value] | UnionType, content: bytes) -> Value | None:
    """Reads a request's body, strictly: no text is taken for a number, and no number for a time.

    Raises:
        InvalidError: It is no JSON, or none of this class; the message names the field.
    """
    adapter: TypeAdapter[Value | None] = _adapter_of(kind)
    try:
        return adapter.validate_json(content, strict=True)
    except ValidationError as error:
        if error.errors(include_input=False)[0]["type"] != "json_invalid":
            raise InvalidError(f"the body is wrong: {complaint(error, kind)}") from None
    return _read_slowly(kind, content)


def _read_slowly(kind: type[Value] | UnionType, content: bytes) -> Value | None:
    """Reads what the fast parser refused: lone surrogates are legal JSON.

    Strictness is to be had of that parser only, so it is shown the same with stand-ins for them.
    """
    adapter: TypeAdapter[Value | None] = _adapter_of(kind)
    try:
        data = decode_json(content, "the body")
        shown = to_json(data, ascii_only=False).encode("utf-8", "replace")
        adapter.validate_json(shown, strict=True)
        return adapter.validate_python(data)
    except ValidationError as error:
        told = f"the body is wrong: {complaint(error, kind)}"
    except (ProtocolError, InvalidError) as error:
        told = str(error)
    raise InvalidError(told)


def complaint(error: ValidationError, kind: object = None) -> str:
    """The first thing that is wrong, by field, with the nearest name for one that there is not."""
    first, *_ = error.errors(include_input=False, include_url=False, include_context=False)
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        known = getattr(kind, "model_fields", {}) if len(first["loc"]) == 1 else {}
        return f"there is no field {where!r}{_nearest(where, known)}"
    told = first["msg"].removeprefix("Value error, ")
    return f"{where}: {told}" if where else told


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    return cast("TypeAdapter[T]", _adapter_of(cast("Hashable", kind)))


def _several(kind: type[T]) -> type[tuple[T, ...]]:
    return cast("type[tuple[T, ...]]", GenericAlias(tuple, (kind, ...)))


@cache
def _adapter_of(kind: Any) -> TypeAdapter[Any]:  # Any: a class, or what else pydantic reads
    return TypeAdapter(kind)


def _nearest(name: str, known: Iterable[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1)
    return f": did you mean {near[0]!r}?" if near else ""
