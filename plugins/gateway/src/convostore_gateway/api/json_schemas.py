"""JSON schemas of what the native API takes and answers, true to how it is read.

pydantic derives them of the classes; what it cannot know of them is mended here.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Final, cast

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from convostore.models import JSON
from convostore.parsing import Row

from ..limits import Limits
from ..problems import KINDS

PROBLEM: Final = "ProblemDetails"
"""The name of the schema of errors."""
_REFERENCE: Final = "#/components/schemas/{model}"
_PARTS: Final = {
    "text": "TextPart",
    "reasoning": "ReasoningPart",
    "tool_call": "ToolCallPart",
    "tool_result": "ToolResultPart",
    "file": "FilePart",
    "interaction": "InteractionPart",
    "other": "OtherPart",
}
_ABSENT: Final = {
    "UpdateBody": ("title", "pinned"),
    "ForkBody": ("title",),
    "AppendBody": ("after",),
}
"""Fields whose absence means what JSON has no word for."""
_IDS: Final = {
    "CreateBody": ("id",),
    "ForkBody": ("message_id", "new_id"),
    "AppendBody": ("after",),
    "ReplaceBody": ("after",),
    "ReplyBody": ("conversation_id", "turn_id"),
    "AnswerBody": ("conversation_id",),
}
_OWN_IDS: Final = ("Conversation", "Message")


class Schemas:
    """The schemas of several classes.

    Args:
        kinds: The classes.
        limits: The server's.
        options: The names of those that a turn takes.

    Attributes:
        components: All that the schemas refer to, by name.
    """

    def __init__(self, kinds: Iterable[object], limits: Limits, options: Iterable[str]) -> None:
        known = list(kinds)
        adapters: list[tuple[int, JsonSchemaMode, TypeAdapter[object]]] = [
            (place, "validation", TypeAdapter(cast("type[object]", kind)))
            for place, kind in enumerate(known)
        ]
        found, defined = TypeAdapter.json_schemas(
            adapters, schema_generator=_Generator, ref_template=_REFERENCE
        )
        self._schemas = [(kind, found[place, "validation"]) for place, kind in enumerate(known)]
        self.components: Row = _untitled(defined["$defs"])
        _mend(self.components, limits)
        _tell_options(self.components, options)
        self.components[PROBLEM] = _problem()

    def of(self, kind: object) -> Row:
        """The schema of one of the classes."""
        return next(dict(schema) for known, schema in self._schemas if known == kind)


class _Generator(GenerateJsonSchema):
    """Passes over defaults that stand for what is absent."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012


def _untitled(schema: JSON) -> JSON:
    """A schema without the titles that pydantic makes of names; a property may be called so."""
    if isinstance(schema, dict):
        return {
            name: _untitled(inner)
            for name, inner in schema.items()
            if not (name == "title" and isinstance(inner, str))
        }
    return [_untitled(each) for each in schema] if isinstance(schema, list) else schema


def _mend(components: Row, limits: Limits) -> None:
    # Where there is nothing but files, none has to say that it is one.
    components["ConversationFile"] = deepcopy(components["FilePart"])
    components["Conversation"]["properties"]["files"]["items"] = {
        "$ref": _REFERENCE.format(model="ConversationFile")
    }
    for kind, name in _PARTS.items():
        components[name]["required"] = ["kind", *components[name].get("required", ())]
        components[name]["properties"]["kind"] = {"const": kind, "type": "string"}
    for name, absent in _ABSENT.items():
        for each in absent:
            components[name]["properties"][each].pop("default", None)
    for name in _OWN_IDS:
        components[name]["properties"]["id"]["minLength"] = 1
    for name, ids in _IDS.items():
        for each in ids:
            _bound(components[name]["properties"][each], limits)
    # A part of a kind that is not known is taken whole, as what there is no word for.
    novel = {"not": {"enum": list(_PARTS)}}
    components["OtherPart"] = {
        "oneOf": [
            components["OtherPart"],
            {"type": "object", "properties": {"kind": novel}, "required": ["kind"]},
        ]
    }


def _tell_options(components: Row, options: Iterable[str]) -> None:
    told = {
        "type": "object",
        "properties": {name: {} for name in sorted(options)},
        "additionalProperties": False,
    }
    for name in ("ReplyBody", "AnswerBody"):
        components[name]["properties"]["options"] = told
    _, several = components["ReplyBody"]["properties"]["content"]["anyOf"]
    several["minItems"] = 1


def _bound(schema: Row, limits: Limits) -> None:
    """Bounds an id that may be null, or may not."""
    for each in schema.get("anyOf", [schema]):
        if each["type"] == "string":
            each |= {"minLength": 1, "maxLength": limits.id}


def _problem() -> Row:
    return {
        "type": "object",
        "description": "What went wrong (RFC 9457).",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "kind": {"type": "string", "enum": [kind.name for kind in KINDS]},
            "operation": {"type": "string"},
            "retryable": {"type": "boolean"},
            "retry_after": {"type": "number", "description": "Seconds to wait."},
            "partial": {"$ref": _REFERENCE.format(model="PartialReply")},
        },
        "required": ["type", "title", "status", "detail", "kind", "retryable"],
    }
