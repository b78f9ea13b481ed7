"""The values of the schema: their fields, and the events of a reply."""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Iterable
from dataclasses import MISSING, fields, is_dataclass
from typing import Final, ForwardRef, get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from convostore import models
from convostore.store import ReplyStream

from .markdown import attributes, one_line, summary, table


def annotation(owner: type, name: str) -> str:
    for each in owner.__mro__:
        if written := inspect.get_annotations(each).get(name):
            text = written.__forward_arg__ if isinstance(written, ForwardRef) else written
            text = " ".join(text.split()).replace("[ ", "[").replace(", ]", "]")
            return re.sub(r"^Annotated\[(.+), \w+\(.*\)\]$", r"\1", text)
    raise KeyError(name)


def _default(value: object, factory: object) -> str:
    if value in (PydanticUndefined, MISSING):
        return "required" if factory in (None, MISSING) else "generated"
    if isinstance(value, frozenset):
        return (
            f"`frozenset({{{', '.join(map(repr, sorted(value)))}}})`" if value else "`frozenset()`"
        )
    return f"`{value.name if isinstance(value, enum.Enum) else value!r}`"


def fields_with_defaults(owner: type) -> Iterable[tuple[str, str]]:
    if issubclass(owner, BaseModel):
        for name, info in owner.model_fields.items():
            yield name, _default(info.default, info.default_factory)
    elif is_dataclass(owner):
        for each in fields(owner):
            yield each.name, _default(each.default, each.default_factory)
    elif issubclass(owner, tuple) and hasattr(owner, "_fields"):
        defaults: dict[str, object] = vars(owner)["_field_defaults"]
        for name in owner._fields:
            yield name, _default(defaults.get(name, MISSING), None)


def fields_of(owner: type, *, beside: type[BaseModel] | None = None) -> str:
    """The fields of a class, without those that it shares with another."""
    told = attributes(owner)
    shared = beside.model_fields if beside is not None else ()
    rows = [
        [f"`{name}`", f"`{annotation(owner, name)}`", default, told.get(name, "")]
        for name, default in fields_with_defaults(owner)
        if name not in shared
    ]
    return table(["field", "type", "default", "meaning"], rows)


def section_of(owner: type) -> str:
    return f"### {owner.__name__}\n\n{summary(owner)}\n\n{fields_of(owner)}"


def schema() -> str:
    shown: tuple[type, ...] = (
        models.Conversation,
        models.Message,
        models.TextPart,
        models.ReasoningPart,
        models.ToolCallPart,
        models.ToolResultPart,
        models.FilePart,
        models.InteractionPart,
        models.InteractionOption,
        models.InteractionField,
        models.OtherPart,
        models.Source,
        models.Feedback,
        models.Problem,
        models.Origin,
        models.Page,
        models.Transcript,
        models.RunStep,
        models.Health,
    )
    return "\n".join(section_of(each) for each in shown)


_EVENTS: Final = get_args(get_args(models.ReplyEvent)[0])
_SENT: Final[dict[type, tuple[str, str]]] = {
    models.TextDelta: ("the text as it grows", "the text as it grows"),
    models.ReasoningDelta: ("1.12: the thoughts of its search steps", "what the model thinks"),
    models.ToolCallStarted: ("never", "a node calls a tool"),
    models.ToolCallArgumentsDelta: ("never", "with the call, or piece by piece"),
    models.ToolResultDelta: ("never", "the tool has answered"),
    models.PartAdded: (
        "widgets, 1.12's search steps, a thought after another, the empty text of no answer",
        "never",
    ),
    models.PartsReplaced: ("1.12: something before the end of the answer was changed", "never"),
    models.SourcesFound: (
        "what the answer cites; in 1.12 what was read on the way as well",
        "never: sources come with `ReplyFinished`",
    ),
    models.StatusChanged: ("1.12: `research` is `running`, `complete`", "a node begins"),
    models.InteractionRequested: ("never", "the flow stops at a question"),
    models.TitleChanged: ("never", "4.15 or later: the conversation was given its title"),
    models.VariablesUpdated: ("never", "a node set a variable"),
    models.RunDetailsReported: ("never", "v1: all nodes at the end; v2: each when it is done"),
    models.UsageReported: ("never", "never: the service reports every count as 1"),
    models.ReplyFinished: ("last", "last"),
    models.OtherEvent: ("a line of another type or shape", "how long it took, plans, skills, …"),
}
"""When Perplexica's adapter and FastGPT's send each event."""


def reply_events() -> str:
    rows = [[f"`{each.__name__}`", _fields_told(each), _meaning(each)] for each in _EVENTS]
    return table(["event", "fields", "meaning"], rows)


def _fields_told(event: type[BaseModel]) -> str:
    names = [name for name in event.model_fields if name != "kind"]
    return ", ".join(f"`{name}: {annotation(event, name)}`" for name in names)


def _meaning(event: type[BaseModel]) -> str:
    told = attributes(event)
    details = [f"`{name}`: {told[name]}" for name in event.model_fields if name in told]
    return " ".join([" ".join(summary(event).split()), *details])


def events_sent() -> str:
    rows = [[f"`{each.__name__}`", *_SENT[each]] for each in _EVENTS]
    return table(["event", "Perplexica", "FastGPT"], rows)


def reply_values() -> str:
    shown = (models.Reply, models.PartialReply, models.Usage)
    return "\n".join(section_of(each) + _properties(each) for each in shown)


def _properties(*owners: type) -> str:
    """List the properties of classes, in the order of their code."""
    lines = [
        f"* `{name}` (`{inspect.get_annotations(each.fget)['return']}`): {one_line(each)}\n"
        for owner in owners
        for name, each in vars(owner).items()
        if isinstance(each, property) and each.fget is not None
    ]
    return "\n" + "".join(lines) if lines else ""


def reply_stream() -> str:
    """Return the properties of a reply stream, and `close`."""
    properties = _properties(*reversed(ReplyStream.__mro__))
    return f"{summary(ReplyStream)}\n{properties}* `close()`: {one_line(ReplyStream.close)}\n"


def words() -> str:
    kinds = {
        "Role": models.Role,
        "Status": models.Status,
        "SourceKind": models.SourceKind,
        "Order": models.Order,
    }
    rows = [
        [f"`{name}`", ", ".join(f"`{w}`" for w in get_args(kind))] for name, kind in kinds.items()
    ]
    return table(["type", "words"], rows)
