"""JSON schemas of the native API's bodies and answers, true to how they are parsed.

pydantic derives them from the classes; what it cannot know is corrected here.
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
    "UpdateBody": ("title", "pinned", "owner", "metadata"),
    "ForkBody": ("title", "owner", "metadata"),
    "AppendBody": ("after",),
    "ReplaceBody": ("tip",),
    "EditBody": ("was",),
    "PopBody": ("tip",),
}
"""Fields whose absence has a meaning that JSON cannot express as a default."""
_IDS: Final = {
    "CreateBody": ("id",),
    "ForkBody": ("message_id", "new_id"),
    "AppendBody": ("after",),
    "ReplaceBody": ("after", "tip"),
    "PopBody": ("tip",),
    "ReplyBody": ("conversation_id", "turn_id"),
    "AnswerBody": ("conversation_id",),
}
_OWN_IDS: Final = ("Conversation", "Message")
_OWNED: Final = ("Conversation", "CreateBody", "UpdateBody", "ForkBody", "ReplyBody")
_CHANGING: Final = ("UpdateBody", "ForkBody")
"""Bodies in which null takes a key of the metadata away."""
_LONGEST_KEY: Final = 256


class Schemas:
    """The schemas of several classes.

    Args:
        kinds: The classes.
        limits: The limits of the server.
        options: The names of the options of a turn.

    Attributes:
        components: The schemas that the others refer to, by name.
    """

    def __init__(self, kinds: Iterable[object], limits: Limits, options: Iterable[str]) -> None:
        kinds = list(kinds)
        adapters: list[tuple[int, JsonSchemaMode, TypeAdapter[object]]] = [
            (place, "validation", TypeAdapter(cast("type[object]", kind)))
            for place, kind in enumerate(kinds)
        ]
        schemas, definitions = TypeAdapter.json_schemas(
            adapters, schema_generator=_Generator, ref_template=_REFERENCE
        )
        self._schemas = [(kind, schemas[place, "validation"]) for place, kind in enumerate(kinds)]
        self.components: Row = _without_titles(definitions["$defs"])
        _correct(self.components, limits)
        _add_options(self.components, options)
        self.components[PROBLEM] = _problem()

    def of(self, kind: object) -> Row:
        """Return the schema of one of the classes."""
        return next(dict(schema) for known, schema in self._schemas if known == kind)


class _Generator(GenerateJsonSchema):
    """A generator that skips defaults which mean absent values."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012


def _without_titles(schema: JSON) -> JSON:
    """Return a schema without the titles that pydantic makes of names; a property may have one."""
    if isinstance(schema, dict):
        return {
            name: _without_titles(inner)
            for name, inner in schema.items()
            if not (name == "title" and isinstance(inner, str))
        }
    return [_without_titles(item) for item in schema] if isinstance(schema, list) else schema


def _correct(components: Row, limits: Limits) -> None:
    # In a list of files a file needs no kind.
    components["ConversationFile"] = deepcopy(components["FilePart"])
    components["Conversation"]["properties"]["files"]["items"] = {
        "$ref": _REFERENCE.format(model="ConversationFile")
    }
    for kind, name in _PARTS.items():
        components[name]["required"] = ["kind", *components[name].get("required", ())]
        components[name]["properties"]["kind"] = {"const": kind, "type": "string"}
    for name, absent in _ABSENT.items():
        for field in absent:
            components[name]["properties"][field].pop("default", None)
    for name in _OWN_IDS:
        components[name]["properties"]["id"]["minLength"] = 1
    for name, ids in _IDS.items():
        for field in ids:
            _bound(components[name]["properties"][field], limits)
    for name in _OWNED:
        _bound_owner(components[name]["properties"], limits, may_remove=name in _CHANGING)
    # A part of an unknown kind is accepted as an OtherPart.
    unknown = {"not": {"enum": list(_PARTS)}}
    components["OtherPart"] = {
        "oneOf": [
            components["OtherPart"],
            {"type": "object", "properties": {"kind": unknown}, "required": ["kind"]},
        ]
    }


def _add_options(components: Row, options: Iterable[str]) -> None:
    schema = {
        "type": "object",
        "properties": {name: {} for name in sorted(options)},
        "additionalProperties": False,
    }
    for name in ("ReplyBody", "AnswerBody"):
        components[name]["properties"]["options"] = schema
    _, several = components["ReplyBody"]["properties"]["content"]["anyOf"]
    several["minItems"] = 1


def _bound(schema: Row, limits: Limits) -> None:
    """Add the bounds of an id to a schema, nullable or not."""
    for choice in schema.get("anyOf", [schema]):
        if choice["type"] == "string":
            choice |= {"minLength": 1, "maxLength": limits.id}


def _bound_owner(properties: Row, limits: Limits, *, may_remove: bool) -> None:
    """Add the bounds of an owner and of metadata."""
    _bound(properties["owner"], limits)
    metadata = properties["metadata"]
    metadata["propertyNames"] = {"maxLength": _LONGEST_KEY}
    if not may_remove:
        metadata["additionalProperties"] = {"not": {"type": "null"}}


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
            "operation": {
                "type": "string",
                "description": "Where it is not supported, what is not offered; absent if only an "
                "argument is not.",
            },
            "argument": {
                "type": "string",
                "description": "Where it is not supported, the argument that is not; absent if the "
                "whole operation is not offered.",
            },
            "retryable": {"type": "boolean"},
            "retry_after": {"type": "number", "description": "Seconds to wait."},
            "partial": {"$ref": _REFERENCE.format(model="PartialReply")},
        },
        "required": ["type", "title", "status", "detail", "kind", "retryable"],
    }
