"""Answers to interactions: their validation, and the text that they are sent as.

The service accepts anything: an unknown choice runs no branch and uses up the question. So an
answer that does not fit is never sent; only types that are unknown here accept any value. No
request here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from convostore.adapters import AnswerContent
from convostore.errors import InvalidError
from convostore.models import JSON, InteractionField, InteractionPart
from convostore.parsing import Row

from ..schema.interactions import params_of

_SHOWN: Final = 20
"""Number of options or fields that an error lists."""


def asks_for_a_new_turn(interaction: Row) -> bool:
    """Return whether the answer is a new turn with new records, not a part of the old one."""
    if interaction.get("type") == "agentAsk":
        return params_of(interaction).get("responseMode") != "submit"
    return interaction.get("type") == "agentPlanAskQuery"


def encode_answer(part: InteractionPart, interaction: Row, answer: AnswerContent) -> str:
    """Validate an answer and encode it as the text that is sent.

    Args:
        part: The interaction.
        interaction: The interaction as the service stores it.
        answer: A choice's value, a form's values by key, or a text.

    Raises:
        InvalidError: The answer does not fit; the message names what would.
    """
    if "questions" in params_of(interaction):
        return _json({"answers": _in_order(part, answer)})
    if part.fields:
        return _json(_with_labels(part, _form_values(part, answer)))
    if part.options:
        return _chosen(part, answer)
    if isinstance(answer, str):
        return answer
    raise InvalidError(f"the answer to {part.type} must be a string, got a form's values")


def _chosen(part: InteractionPart, answer: AnswerContent) -> str:
    values = [option.value for option in part.options]
    if isinstance(answer, str) and answer in values:
        return answer
    got = repr(answer) if isinstance(answer, str) else "a form's values"
    raise InvalidError(f"the answer must be one of the options {_listed(values)}, got {got}")


def _in_order(part: InteractionPart, answer: AnswerContent) -> list[JSON]:
    """Return the answers to an agent's questions; a text answers a single one."""
    if isinstance(answer, str) and len(part.fields) == 1:
        answer = {part.fields[0].key: answer}
    values = _form_values(part, answer)
    return [values[field.key] for field in part.fields]


def _form_values(part: InteractionPart, answer: AnswerContent) -> dict[str, JSON]:
    """Validate the values of a form and return them in its order."""
    keys = [field.key for field in part.fields]
    if isinstance(answer, str):
        raise InvalidError(f"the answer to a form must be a dict with the keys {_listed(keys)}")
    unknown = [key for key in answer if key not in keys]
    if unknown:
        raise InvalidError(
            f"the form has no field {_listed(unknown)}: its fields are {_listed(keys)}"
        )
    for field in part.fields:
        _check(field, answer)
    return {key: answer[key] for key in keys if key in answer}


def _check(field: InteractionField, answer: Mapping[str, JSON]) -> None:
    value = answer.get(field.key)
    if value is None or value == "" or value == []:
        if field.required:
            raise InvalidError(f"the field {field.key!r} must not be empty")
        return
    fits, expected = _TYPES.get(field.type or "", _ANYTHING)
    if not fits(value):
        raise InvalidError(
            f"the field {field.key!r} must be {expected}, got {type(value).__name__}"
        )
    values = [option.value for option in field.options]
    if field.type not in _CHOICES:
        return
    for choice in value if isinstance(value, list) else [value]:
        if choice not in values:
            raise InvalidError(
                f"the field {field.key!r} must be among {_listed(values)}, got {choice!r}"
            )


_Fits = Callable[[JSON], bool]


def _is_text(value: JSON) -> bool:
    return isinstance(value, str)


def _is_number(value: JSON) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_switch(value: JSON) -> bool:
    return isinstance(value, bool)


def _is_texts(value: JSON) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


_CHOICES: Final = frozenset({"select", "multipleSelect"})
_ANYTHING: Final[tuple[_Fits, str]] = (lambda _: True, "anything")
_TYPES: Final[dict[str, tuple[_Fits, str]]] = {
    "input": (_is_text, "a string"),
    "textarea": (_is_text, "a string"),
    "password": (_is_text, "a string"),
    "numberInput": (_is_number, "a number"),
    "switch": (_is_switch, "a boolean"),
    "select": (_is_text, "one of its options"),
    "multipleSelect": (_is_texts, "a list of its options"),
}
"""The values that a field of each type accepts; a type that is not listed accepts any."""


def _with_labels(part: InteractionPart, values: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return a form's values by key and by label: servers before 4.14.3 look them up by label."""
    labelled = {
        field.label: values[field.key]
        for field in part.fields
        if field.label is not None and field.key in values
    }
    return {**values, **{label: value for label, value in labelled.items() if label not in values}}


def _json(value: JSON) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise InvalidError(
            "an answer must contain only strings, numbers, lists and objects"
        ) from None


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:_SHOWN]))
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
