"""Checks of the schema's values that callers pass to a store, whole or changed by hand.

A value that its constructor made is right, but `model_construct` and `trusted_copy` validate
nothing. So each value is looked at before it is sent or stored: its fields, parts and sources have
the right types, and words are among those that there are. That takes a few microseconds. Only what
fails is validated in full, which converts what the constructor would have converted, or names the
wrong field. Whether arbitrary JSON is JSON shows when it is encoded, and is not looked at here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, get_args

from ..errors import InvalidError
from ..models import (
    Conversation,
    Feedback,
    FilePart,
    Message,
    Origin,
    OtherPart,
    Part,
    Problem,
    ReasoningPart,
    Role,
    Source,
    SourceKind,
    Status,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Value,
)
from ..models._metadata import check_metadata
from ..serialization import load_conversation, load_message

T = TypeVar("T")
_Fields = Mapping[str, Any]  # a value's fields may hold anything: that is what is checked
_Check = Callable[[Any], bool]

_LONGEST: Final = 80
"""The maximum number of characters of a wrong argument that an error shows."""
_NOTHING: Final = type(None)
_TEXT: Final = (str, _NOTHING)
_ROLES: Final = frozenset(get_args(Role))
_STATUSES: Final = frozenset({None, *get_args(Status)})
_SOURCE_KINDS: Final = frozenset(get_args(SourceKind))
_RATINGS: Final = frozenset({"good", "bad"})


def check_message(message: object) -> Message:
    """Return a message that is right in all its fields.

    Raises:
        InvalidError: It is not a message, or a field is wrong; the error names it.
    """
    if type(message) is Message and _holds(_is_message, message):
        return message
    if not isinstance(message, Message):
        raise InvalidError(f"must be a convostore.Message, got {type(message).__name__}")
    return _validated(message, load_message)


def check_conversation(conversation: object) -> Conversation:
    """Return a conversation that is right in all its fields.

    Raises:
        InvalidError: It is not a conversation, or a field is wrong; the error names it.
    """
    if not isinstance(conversation, Conversation):
        raise InvalidError(
            f"conversation must be a convostore.Conversation, got {type(conversation).__name__}"
        )
    check_text(conversation.id, "an id")
    if type(conversation) is Conversation and _holds(_is_conversation, conversation):
        return conversation
    return _validated(conversation, load_conversation)


def check_feedback(feedback: object) -> Feedback | None:
    """Return feedback that is right.

    Raises:
        InvalidError: It is neither None nor feedback, or a field is wrong.
    """
    if feedback is None or (type(feedback) is Feedback and _holds(_is_feedback, feedback)):
        return feedback
    wanted = "None or a convostore.Feedback(rating='good' or 'bad')"
    raise InvalidError(f"feedback must be {wanted}, got {shown(feedback)}")


def check_origin(origin: object) -> None:
    """Raise `InvalidError` unless an origin is None or right."""
    if origin is not None and not (type(origin) is Origin and _holds(_is_origin, origin)):
        raise InvalidError(f"origin must be None or a convostore.Origin, got {shown(origin)}")


def check_text(value: object, what: str) -> str:
    """Return a string that is not empty.

    Raises:
        InvalidError: It is something else.
    """
    if not isinstance(value, str) or not value:
        raise InvalidError(f"{what} must be a non-empty string, got {shown(value)}")
    return value


def shown(value: object) -> str:
    """Return how an error names a wrong argument: short, and without what a value holds."""
    if value is not None and not isinstance(value, str | int | float | bytes):
        return f"a {type(value).__name__}"
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of thousands of digits
        return f"a huge {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"a long {type(value).__name__}"


def is_valid_part(part: Part) -> bool:
    """Return whether the fields of a part, of any kind but an `InteractionPart`, are right."""
    return _holds(_PARTS[type(part)], part)


def _holds(check: Callable[[T], bool], value: T) -> bool:
    try:
        return check(value)
    except (AttributeError, KeyError, TypeError):  # a field is missing, or cannot be hashed
        return False


def _validated(value: Value, load: Callable[[Any], T]) -> T:
    try:
        return load(_as_given(value))
    except RecursionError:  # a value within itself
        name = type(value).__name__.lower()
        raise InvalidError(f"invalid {name}: it is nested too deeply") from None


def _as_given(content: object) -> object:
    """Return the fields of a value as its constructor would be given them, at all depths.

    pydantic looks at no field of an instance, and `dump` would write a time where a text belongs.
    """
    if isinstance(content, Source):
        names = [name for name in content.__slots__ if hasattr(content, name)]
        return {name: getattr(content, name) for name in names}
    if isinstance(content, Value):
        return {name: _as_given(field) for name, field in content.__dict__.items()}
    return [_as_given(item) for item in content] if isinstance(content, tuple) else content


def _is_message(message: Message) -> bool:
    fields: _Fields = message.__dict__
    parts, sources, feedback = fields["parts"], fields["sources"], fields["feedback"]
    return (
        type(fields["id"]) is str
        and fields["id"] != ""
        and fields["role"] in _ROLES
        and type(parts) is tuple
        and all([_PARTS[type(part)](part) for part in parts])  # noqa: C419  # takes half the time
        and _is_time(fields["created_at"])
        and (sources == () or (type(sources) is tuple and all(map(_is_source, sources))))
        and (feedback is None or _is_feedback(feedback))
        and fields["status"] in _STATUSES
        and type(fields["model"]) in _TEXT
        and type(fields["parent_id"]) in _TEXT
        and _is_time(fields["stored_at"])
        and _are_problems(fields["problems"])
    )


def _is_conversation(conversation: Conversation) -> bool:
    fields: _Fields = conversation.__dict__
    return (
        type(fields["id"]) is str
        and type(fields["title"]) in _TEXT
        and _is_time(fields["created_at"])
        and _is_time(fields["updated_at"])
        and type(fields["pinned"]) is bool
        and (fields["owner"] is None or (type(fields["owner"]) is str and fields["owner"] != ""))
        and _is_metadata(fields["metadata"])
        and type(fields["revision"]) in _TEXT
        and (fields["origin"] is None or _is_origin(fields["origin"]))
        and type(fields["files"]) is tuple
        and all(type(file) is FilePart and _is_file(file) for file in fields["files"])
        and _are_problems(fields["problems"])
    )


def _is_time(time: object) -> bool:
    return time is None or (type(time) is datetime and time.tzinfo is UTC)


def _is_metadata(metadata: object) -> bool:
    if not metadata:
        return type(metadata) is dict
    try:
        return check_metadata(metadata) == metadata
    except ValueError:
        return False


def _is_origin(origin: Origin) -> bool:
    return (
        type(origin) is Origin
        and type(origin.store) is str
        and type(origin.conversation_id) is str
        and type(origin.revision) in _TEXT
        and type(origin.metadata_keys) is tuple
        and all(type(key) is str for key in origin.metadata_keys)
    )


def _are_problems(problems: object) -> bool:
    return problems == () or (
        type(problems) is tuple
        and all(type(item) is Problem and _are_texts(item.__dict__) for item in problems)
    )


def _are_texts(fields: _Fields) -> bool:
    return all(type(value) is str for value in fields.values())


def _is_feedback(feedback: Feedback) -> bool:
    return (
        type(feedback) is Feedback
        and feedback.rating in _RATINGS
        and type(feedback.comment) in _TEXT
    )


def _is_source(source: Source) -> bool:
    return (
        type(source) is Source
        and type(source.title) in _TEXT
        and type(source.url) in _TEXT
        and type(source.content) in _TEXT
        and _is_score(source.score)
        and source.kind in _SOURCE_KINDS
        and type(source.mark) in _TEXT
    )


def _is_score(score: object) -> bool:
    return (
        score is None or type(score) is float or (type(score) is int and -_EXACT < score < _EXACT)
    )


_EXACT: Final = 2**53
"""The integers below are floats as well."""


def _is_text(part: Any) -> bool:
    return part.kind == "text" and type(part.text) is str


def _is_reasoning(part: Any) -> bool:
    return part.kind == "reasoning" and type(part.text) is str


def _is_file(part: Any) -> bool:
    return (
        part.kind == "file"
        and type(part.name) in _TEXT
        and type(part.url) in _TEXT
        and type(part.media_type) in _TEXT
    )


def _is_tool_call(part: Any) -> bool:
    return (
        part.kind == "tool_call"
        and type(part.id) in _TEXT
        and type(part.name) is str
        and type(part.arguments) is str
    )


def _is_tool_result(part: Any) -> bool:
    return part.kind == "tool_result" and type(part.id) in _TEXT and type(part.content) is str


def _is_other(part: Any) -> bool:
    return part.kind == "other" and type(part.type) in _TEXT


_PARTS: Final[dict[type, _Check]] = {
    TextPart: _is_text,
    ReasoningPart: _is_reasoning,
    FilePart: _is_file,
    ToolCallPart: _is_tool_call,
    ToolResultPart: _is_tool_result,
    OtherPart: _is_other,
}
"""The checks by kind; an `InteractionPart` is rare, and validated in full."""
