"""Wrong values of every argument of a store's methods, drawn from the methods' signatures.

The annotation of a parameter names the right types; whatever else is in the pool is wrong. So an
argument that is added to a method is tested without a line here.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from copy import copy
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any, Final

from ...models import (
    ANY,
    UNSET,
    Conversation,
    Feedback,
    FilePart,
    Message,
    Origin,
    OtherPart,
    Source,
    TextPart,
    ToolCallPart,
)
from ...store import ConversationStore

__all__ = ["parameters", "wrong_values"]

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

# Any, in this module: wrong values are of any type.

_NAIVE: Final = datetime(2024, 12, 7, 9, 35, 59)  # noqa: DTZ001  # it is to be wrong
_TEXT_MAY_BE_EMPTY: Final = frozenset({"title", "query", "content", "answer"})
_POOL: Final[tuple[tuple[str, Any], ...]] = (
    ("None", None),
    ("bool", True),
    ("int", 5),
    ("", 2.5),
    ("", b"bytes"),
    ("", object()),
    ("Iterable", ["a list", 5]),
    ("Mapping", {"a": "mapping"}),
    ("", _NAIVE),
    ("AnyTip", ANY),
    ("Unset", UNSET),
)
"""Values with the annotation for which they are right; none of them is right for any other."""


def parameters(method: str) -> Iterator[inspect.Parameter]:
    """Yield the parameters of a store's method, but for those of any name."""
    for parameter in inspect.signature(getattr(ConversationStore, method)).parameters.values():
        if parameter.name != "self" and parameter.kind is not parameter.VAR_KEYWORD:
            yield parameter


def wrong_values(parameter: inspect.Parameter) -> Iterator[Any]:
    """Yield values that a parameter must not take."""
    annotation = str(parameter.annotation)
    atoms = {atom.partition("[")[0] for atom in annotation.split(" | ")}
    if parameter.name == "limit":
        atoms.add("None")  # for the largest page that there is
    if "Iterable" in atoms:
        atoms.add("Mapping")  # which is one
    yield from (value for atom, value in _POOL if atom not in atoms)
    if "str" not in atoms:
        yield "a text"
    if parameter.name not in _TEXT_MAY_BE_EMPTY:
        yield ""
    for atom in atoms:
        yield from _OF_A_TYPE.get(atom, lambda _: iter(()))(parameter)


def _spoiled(value: Any) -> Iterator[Any]:
    """Yield copies of a value, each with one field that its class would refuse."""
    names = (
        [field.name for field in fields(value)] if is_dataclass(value) else type(value).model_fields
    )
    for name in names:
        if name == "kind" and not isinstance(value, Source):
            continue  # what is of no known kind is an `OtherPart`
        yield _unchecked(value, name, object())
        yield _unchecked(value, name, _UNLIKE.get(name, 5))


def _unchecked(value: Any, name: str, wrong: object) -> Any:
    copied = copy(value)
    object.__setattr__(copied, name, wrong)
    return copied


_UNLIKE: Final[dict[str, Any]] = {
    "raw": float,
    "data": {"a set"},
    "parts": "hello",
    "sources": ["a list"],
    "score": "half",
    "created_at": _NAIVE,
    "updated_at": _NAIVE,
    "stored_at": "yesterday",
    "pinned": "perhaps",
    "owner": "",
    "metadata": {"key": None},
    "rating": "great",
    "role": "nobody",
    "status": "done",
}
"""By the field's name, a value that is almost right; 5 is wrong for all others."""


def _wrong_messages(right: Message) -> Iterator[Message]:
    yield from _spoiled(right)
    yield right.trusted_copy(id="")
    for part in (TextPart(text="t"), FilePart(name="f"), ToolCallPart(name="n"), OtherPart(data=1)):
        for spoiled in _spoiled(part):
            yield right.trusted_copy(parts=(*right.parts, spoiled))
    for source in _spoiled(Source(title="t")):
        yield right.trusted_copy(sources=(source,))
    for feedback in _spoiled(Feedback(rating="good")):
        yield right.trusted_copy(feedback=feedback)


_MESSAGE: Final = Message(id="m00001", role="assistant", parts=(TextPart(text="text"),))


def _messages(parameter: inspect.Parameter) -> Iterator[Any]:
    if parameter.name == "was":  # it is only compared, so its `raw` need not be JSON
        return (wrong for wrong in _spoiled(_MESSAGE) if wrong.raw is None)
    return _wrong_messages(_MESSAGE)


def _lists(parameter: inspect.Parameter) -> Iterator[Any]:
    if "Message" in str(parameter.annotation):
        yield _MESSAGE
        yield [_MESSAGE, None]
        yield from ([message] for message in _wrong_messages(_MESSAGE))
    else:
        yield from ([part] for part in _spoiled(TextPart(text="t")))


def _conversations(_: inspect.Parameter) -> Iterator[Any]:
    right = Conversation(id="c0000", title="put")
    yield from _spoiled(right)
    yield right.trusted_copy(id="")
    yield from (right.trusted_copy(metadata=metadata) for metadata in _BAD_METADATA)
    yield from (right.trusted_copy(origin=origin) for origin in _origins(_))
    yield from (right.trusted_copy(files=(file,)) for file in _spoiled(FilePart(name="f")))


def _origins(_: inspect.Parameter) -> Iterator[Any]:
    return _spoiled(Origin(store="elsewhere://", conversation_id="x"))


_DEEP: Any = "deep"
for _ in range(70):
    _DEEP = [_DEEP]
_BAD_METADATA: Final[tuple[Any, ...]] = (
    {5: "a key"},
    {"k" * 257: "a key"},
    {"object": object()},
    {"set": {1}},
    {"bytes": [b"x"]},
    {"nan": float("nan")},
    {"infinite": {"x": [float("inf")]}},
    {"deep": _DEEP},
    {"large": "x" * 65_536},
)


def _metadata(parameter: inspect.Parameter) -> Iterator[Any]:
    yield from _BAD_METADATA
    if "Unset" not in str(parameter.annotation):
        yield {"key": None}  # it takes a key away, where there may be one


def _times(_: inspect.Parameter) -> Iterator[Any]:
    yield "2024-12-07T09:35:59Z"


_OF_A_TYPE: Final[dict[str, Any]] = {
    "Message": _messages,
    "Sequence": _lists,
    "Conversation": _conversations,
    "Feedback": lambda _: _spoiled(Feedback(rating="good")),
    "Origin": _origins,
    "Mapping": lambda parameter: (
        _metadata(parameter) if parameter.name == "metadata" else iter([{5: 5}])
    ),
    "datetime": _times,
    "int": lambda _: iter((0, -1)),
}
