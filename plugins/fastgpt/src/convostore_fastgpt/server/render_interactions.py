"""Interactions encoded for records and streams: the inverse of `schema.interactions`.

The fields by which clients draw a question, its type and label, are always set, even where the
schema has none. Nothing is parsed here.
"""

from __future__ import annotations

from typing import Final

from convostore.models import JSON, InteractionField, InteractionOption, InteractionPart
from convostore.parsing import Row

_VALUE_TYPES: Final = {
    "numberInput": "number",
    "switch": "boolean",
    "multipleSelect": "arrayString",
}
"""Value types by field type; fields of any other type hold text."""
QUESTIONS: Final = "agentAsk"
"""Type of an interaction whose fields are an agent's questions, answered in their order."""


def interaction_row(part: InteractionPart) -> Row:
    """Encode an interaction for a record's value and for an event."""
    params: Row = {"description": part.prompt or ""}
    if part.options:
        params["userSelectOptions"] = [
            {"key": f"option{number}", "value": option.value}
            for number, option in enumerate(part.options, 1)
        ]
    if part.fields:
        params |= _questions(part) if part.type == QUESTIONS else _form(part)
    if part.answered:
        params |= {"userSelectedVal": part.answer} if part.answer else {"submitted": True}
    return {"type": part.type, "params": params}


def _form(part: InteractionPart) -> Row:
    return {"inputForm": [_field(field) for field in part.fields]}


def _field(field: InteractionField) -> Row:
    kind = field.type or "input"
    return {
        "type": kind,
        "key": field.key,
        "label": field.label or field.key,
        "description": "",
        "value": _value(field),
        "defaultValue": "",
        "valueType": _VALUE_TYPES.get(kind, "string"),
        "required": field.required,
        "list": [_choice(option) for option in field.options] or [{"label": "", "value": ""}],
    }


def _value(field: InteractionField) -> JSON:
    return "" if field.value is None else field.value


def _choice(option: InteractionOption) -> Row:
    return {"label": option.label or option.value, "value": option.value}


def _questions(part: InteractionPart) -> Row:
    return {
        "responseMode": "submit",
        "questions": [
            {
                "question": field.label or field.key,
                "options": [
                    {"value": option.value, "summary": option.label or ""}
                    for option in field.options
                ],
            }
            | ({"answer": field.value} if isinstance(field.value, str) else {})
            for field in part.fields
        ],
    }
