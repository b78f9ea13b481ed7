"""The JSON of the native API, both ways: the adapter parses what the server renders.

A field that holds its default may be absent. HTTP and problems (`problems`) belong elsewhere; no
store and no server may be known here.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import asdict, fields
from functools import cache
from types import GenericAlias, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, TypeVar, cast
from urllib.parse import quote, unquote

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
from convostore.serialization import dump, join_surrogates, separate_surrogates, to_json

from .later_fields import unknown_fields, without_fields

MESSAGE_ID: Final = "convostore-message-id"
"""The header of a streamed reply: the id of the answer's message, percent-encoded."""

S = TypeVar("S", bound=Portable | str)
T = TypeVar("T")

# An absent field means something else than null; pydantic never sees the sentinel for it.
if TYPE_CHECKING:
    _Title: TypeAlias = str | Unset | None
    _Pinned: TypeAlias = bool | Unset
    _Metadata: TypeAlias = Mapping[str, JSON] | Unset
    _After: TypeAlias = str | AnyTip | None
    _PoppedTip: TypeAlias = str | AnyTip
    _Was: TypeAlias = Message | AnyTip
else:
    _Title, _Pinned, _Metadata = str | None, bool, dict[str, JSON]
    _After, _PoppedTip, _Was = str | None, str, Message


_ContentPart: TypeAlias = Annotated[TextPart | FilePart, Field(discriminator="kind")]


class CreateBody(Value):
    """The body of `create_conversation`."""

    id: str | None = None
    title: str | None = None
    created_at: Timestamp | None = None
    origin: Origin | None = None
    owner: str | None = None
    metadata: Mapping[str, JSON] = {}  # pydantic gives each value its own


class UpdateBody(Value):
    """The body of `update_conversation`; an absent field stays as it is, metadata are merged."""

    title: _Title = UNSET
    pinned: _Pinned = UNSET
    owner: _Title = UNSET
    metadata: _Metadata = UNSET


class ForkBody(Value):
    """The body of `fork_conversation`; what is absent is taken from the original."""

    message_id: str
    new_id: str | None = None
    title: _Title = UNSET
    owner: _Title = UNSET
    metadata: _Metadata = UNSET


class AppendBody(Value):
    """The body of `append_messages`; without `after` any message may be the last."""

    messages: tuple[Message, ...]
    after: _After = ANY


class ReplaceBody(Value):
    """The body of `replace_messages`; with `after` null all messages are replaced.

    Without `tip` any message may be the last; with null there must be none.
    """

    messages: tuple[Message, ...]
    after: str | None
    tip: _After = ANY


class EditBody(Value):
    """The body of `update_message`; without `was` whatever is stored is replaced."""

    message: Message
    was: _Was = ANY


class PopBody(Value):
    """The body of `pop_message`; without `tip` whichever message is the last is taken."""

    tip: _PoppedTip = ANY


class Deleted(Value):
    """The answer of `delete_message`: whether it was there; null if the store does not say."""

    deleted: bool | None = None


class Popped(Value):
    """The answer of `pop_message`; null if there was no message."""

    message: Message | None = None


class ReplyBody(Value):
    """The body of `reply` and `stream_reply`."""

    conversation_id: str | None = None
    content: str | tuple[_ContentPart, ...]
    turn_id: str | None = None
    owner: str | None = None
    metadata: Mapping[str, JSON] = {}
    options: dict[str, JSON] = {}  # noqa: RUF012


class AnswerBody(Value):
    """The body of `answer` and `stream_answer`."""

    conversation_id: str
    answer: str | dict[str, JSON]
    options: dict[str, JSON] = {}  # noqa: RUF012


FeedbackBody: TypeAlias = Feedback | None
"""The body of `set_feedback`; null clears the feedback."""


class Info(Value):
    """The description of a served store; fields that a later version adds are ignored.

    Attributes:
        version: The version of the gateway.
        offers: The names of the operations that this token may call.
        traits: The traits of the served store; see `convostore.adapters.Traits`.
        max_page: The maximum number of items in a page.
        reply_options: The names of the options of a turn.
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
        """The operations of `offers` that this version knows."""
        return frozenset([operation for operation in Operation if operation in self.offers])

    @property
    def is_first_version(self) -> bool:
        """Whether the gateway is 0.1, which has no notes of a mirror, for one."""
        return "keeps" not in self.traits

    @property
    def known_traits(self) -> Traits:
        """The traits of the gateway, which paginates itself and has no batches.

        The rest are the served store's, as far as this version knows them. A gateway of version 0.1
        begins no list at an id, not even one that its store returns whole.
        """
        known = {field.name for field in fields(Traits)}
        traits: dict[str, Any] = {  # by name, each of its own type
            name: frozenset(value) if isinstance(value, list) else value
            for name, value in self.traits.items()
            if name in known
        }
        if self.is_first_version and Operation.UPDATE_CONVERSATION in self.operations:
            traits["keeps"] = frozenset({"pinned"})  # a gateway that does not say it, as 0.1
        own = {"paging": "native", "batches": "none", "max_page": self.max_page}
        return Traits(**traits | own)


def traits_json(traits: Traits) -> Row:
    """Convert a store's traits to JSON; sets become sorted lists."""
    return {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in asdict(traits).items()
    }


def body_json(body: Value) -> Row:
    """Convert a request's body to JSON; UNSET and ANY are left out, None is null.

    Raises:
        InvalidError: A field for JSON contains something else.
    """
    data = dump(body)
    to_json(data)  # which ends also where data contains itself
    return separate_surrogates(data)


def message_header(message_id: str | None) -> dict[str, str]:
    """Return the header of a streamed reply that says the id of its message, if it is known."""
    return {} if message_id is None else {MESSAGE_ID: quote(message_id, errors="surrogatepass")}


def read_message_header(headers: Mapping[str, str]) -> str | None:
    """Return the id that `message_header` wrote."""
    value = headers.get(MESSAGE_ID)
    return None if value is None else unquote(value, errors="surrogatepass")


def page_json(page: Page[S]) -> Row:
    """Convert a page of values of the schema to JSON."""
    row = items_json(page.items)
    if page.cursor is not None:
        row["cursor"] = page.cursor
    if page.total is not None:
        row["total"] = page.total
    return row


def items_json(items: Iterable[Portable | str]) -> Row:
    """Convert a complete list of values of the schema, or of texts, to JSON."""
    return {"items": [item if isinstance(item, str) else dump(item) for item in items]}


def partial_json(partial: PartialReply) -> Row:
    """Convert the partial reply of an error to JSON."""
    return {
        "conversation_id": partial.conversation_id,
        "turn_id": partial.turn_id,
        "parts": [dump(part) for part in partial.parts],
        "sources": [dump(source) for source in partial.sources],
    }


def read(kind: type[T], data: JSON, what: str = "the answer") -> T:
    """Parse a value of a class from an answer's data.

    Raises:
        ProtocolError: The data is not a value of the class; the message names the field.
    """
    return _validate(_adapter(kind), data, what)


def _validate(adapter: TypeAdapter[T], data: JSON, what: str) -> T:
    try:
        return _validated(adapter, data)
    except ValidationError as error:
        problem = complaint(error)
    except RecursionError:
        problem = "it is nested too deeply"
    raise ProtocolError(f"invalid data in {what}: {problem}")


def _validated(adapter: TypeAdapter[T], data: JSON) -> T:
    try:
        return adapter.validate_python(data)
    except ValidationError as error:
        if not (later := unknown_fields(error)):
            raise
    return adapter.validate_python(without_fields(data, later))


def read_event(data: JSON) -> ReplyEvent:
    """Parse one event of a streamed reply.

    Raises:
        ProtocolError: The data is not an event.
    """
    event: ReplyEvent = _validate(_adapter_of(ReplyEvent), data, "an event of the reply")
    return event


def read_page(kind: type[T], data: JSON) -> Page[T]:
    """Parse a page of values of a class.

    Raises:
        ProtocolError: The data is not a page; the message names the field.
    """
    items = read_items(kind, data)
    cursor, total = data.get("cursor"), data.get("total")
    if not isinstance(cursor, str | None) or not isinstance(total, int | None):
        raise ProtocolError("the answer is not a page: its cursor or total has the wrong type")
    return Page(items=items, cursor=cursor, total=total)


def read_items(kind: type[T], data: JSON) -> tuple[T, ...]:
    """Parse a complete list of values of a class.

    Raises:
        ProtocolError: The data is not a list; the message names the field.
    """
    if not isinstance(data, dict) or not isinstance(data.get("items"), list):
        raise ProtocolError("the answer is not a list: it has no items")
    return read(_tuple_of(kind), data["items"])


def read_partial(data: JSON) -> PartialReply | None:
    """Parse the partial reply of a problem; None if the data is not one."""
    try:
        return _adapter(PartialReply).validate_python(data)
    except (ValidationError, RecursionError):
        return None


def read_body(kind: type[Value] | UnionType, content: bytes) -> Value | None:
    """Parse a request's body strictly: no text for a number, and no number for a time.

    Raises:
        InvalidError: The body is not JSON, or not of this class; the message names the field.
    """
    adapter: TypeAdapter[Value | None] = _adapter_of(kind)
    try:
        return adapter.validate_json(content, strict=True)
    except ValidationError as error:
        if error.errors(include_input=False)[0]["type"] != "json_invalid":
            raise InvalidError(f"invalid body: {complaint(error, kind)}") from None
    return _read_with_surrogates(kind, content)


def _read_with_surrogates(kind: type[Value] | UnionType, content: bytes) -> Value | None:
    """Parse a body with lone surrogates, which are legal JSON and refused by the fast parser.

    Only the fast parser is strict, so it also checks a copy without the surrogates.
    """
    adapter: TypeAdapter[Value | None] = _adapter_of(kind)
    try:
        data = join_surrogates(decode_json(content, "the body"))
        copy = to_json(data, ascii_only=False).encode("utf-8", "replace")
        adapter.validate_json(copy, strict=True)
        return adapter.validate_python(data)
    except ValidationError as error:
        problem = f"invalid body: {complaint(error, kind)}"
    except (ProtocolError, InvalidError) as error:
        problem = str(error)
    raise InvalidError(problem)


def complaint(error: ValidationError, kind: object = None) -> str:
    """Return the first problem by field, with the nearest name for an unknown field."""
    first, *_ = error.errors(include_input=False, include_url=False, include_context=False)
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        known = getattr(kind, "model_fields", {}) if len(first["loc"]) == 1 else {}
        return f"unknown field {where!r}{_suggestion(where, known)}"
    text = first["msg"].removeprefix("Value error, ")
    if text.startswith("Input should "):
        return f"{where or 'it'} must {text.removeprefix('Input should ')}"
    return f"{where}: {text}" if where else text


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    return cast("TypeAdapter[T]", _adapter_of(cast("Hashable", kind)))


def _tuple_of(kind: type[T]) -> type[tuple[T, ...]]:
    return cast("type[tuple[T, ...]]", GenericAlias(tuple, (kind, ...)))


@cache
def _adapter_of(kind: Any) -> TypeAdapter[Any]:  # Any: a class, or what else pydantic reads
    return TypeAdapter(kind)


def _suggestion(name: str, known: Iterable[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1)
    return f": did you mean {near[0]!r}?" if near else ""
