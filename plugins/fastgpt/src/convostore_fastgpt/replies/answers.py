"""Answers of interactions: whether one fits what was asked, and the text that it is sent as.

The service takes whatever comes: an unknown choice runs no branch and uses the question up. So
nothing is sent that does not fit; what a type unknown here would take, nobody can tell.
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
"""Options or fields that an error names."""


def asks_for_a_new_turn(interaction: Row) -> bool:
    """Whether the answer is a turn of its own, with records of its own, and not a part of one."""
    if interaction.get("type") == "agentAsk":
        return params_of(interaction).get("responseMode") != "submit"
    return interaction.get("type") == "agentPlanAskQuery"


def answering_text(asked: InteractionPart, interaction: Row, answer: AnswerContent) -> str:
    """The text that an answer is sent as.

    Args:
        asked: What was asked.
        interaction: The same as the service holds it.
        answer: A choice's value, a form's values by key, or a text.

    Raises:
        InvalidError: It does not fit; the message names what would.
    """
    if "questions" in params_of(interaction):
        return _json({"answers": _in_order(asked, answer)})
    if asked.fields:
        return _json(_with_labels(asked, _filled_in(asked, answer)))
    if asked.options:
        return _chosen(asked, answer)
    if isinstance(answer, str):
        return answer
    raise InvalidError(f"{asked.type} is answered with a text, not with a form's values")


def _chosen(asked: InteractionPart, answer: AnswerContent) -> str:
    values = [option.value for option in asked.options]
    if isinstance(answer, str) and answer in values:
        return answer
    told = repr(answer) if isinstance(answer, str) else "a form's values"
    raise InvalidError(f"{told} is none of the options, which are {_listed(values)}")


def _in_order(asked: InteractionPart, answer: AnswerContent) -> list[JSON]:
    """The answers to an agent's questions; a text is the answer where there is one question."""
    if isinstance(answer, str) and len(asked.fields) == 1:
        answer = {asked.fields[0].key: answer}
    given = _filled_in(asked, answer)
    return [given[field.key] for field in asked.fields]


def _filled_in(asked: InteractionPart, answer: AnswerContent) -> dict[str, JSON]:
    """The values of a form, checked."""
    keys = [field.key for field in asked.fields]
    if isinstance(answer, str):
        raise InvalidError(f"a form is answered with a dict by key: its fields are {_listed(keys)}")
    unknown = [key for key in answer if key not in keys]
    if unknown:
        raise InvalidError(
            f"the form has no field {_listed(unknown)}: its fields are {_listed(keys)}"
        )
    for field in asked.fields:
        _check(field, answer)
    return {key: answer[key] for key in keys if key in answer}


def _check(field: InteractionField, answer: Mapping[str, JSON]) -> None:
    value = answer.get(field.key)
    if value is None or value == "" or value == []:
        if field.required:
            raise InvalidError(f"the field {field.key!r} must be filled in")
        return
    fits, expected = _TYPES.get(field.type or "", _ANYTHING)
    if not fits(value):
        raise InvalidError(f"the field {field.key!r} takes {expected}, not {type(value).__name__}")
    values = [option.value for option in field.options]
    if field.type not in _CHOICES:
        return
    for each in value if isinstance(value, list) else [value]:
        if each not in values:
            raise InvalidError(
                f"{each!r} is no option of the field {field.key!r}, which has {_listed(values)}"
            )


_Fits = Callable[[JSON], bool]


def _is_text(value: JSON) -> bool:
    return isinstance(value, str)


def _is_number(value: JSON) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_switch(value: JSON) -> bool:
    return isinstance(value, bool)


def _is_texts(value: JSON) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


_CHOICES: Final = frozenset({"select", "multipleSelect"})
_ANYTHING: Final[tuple[_Fits, str]] = (lambda _: True, "anything")
_TYPES: Final[dict[str, tuple[_Fits, str]]] = {
    "input": (_is_text, "a text"),
    "textarea": (_is_text, "a text"),
    "password": (_is_text, "a text"),
    "numberInput": (_is_number, "a number"),
    "switch": (_is_switch, "true or false"),
    "select": (_is_text, "one of its options"),
    "multipleSelect": (_is_texts, "a list of its options"),
}
"""What a field of each type takes; of one that is not here, whatever is given."""


def _with_labels(asked: InteractionPart, values: Mapping[str, JSON]) -> dict[str, JSON]:
    """A form's values by key, and by label for servers before 4.14.3, which look by that."""
    labelled = {
        field.label: values[field.key]
        for field in asked.fields
        if field.label is not None and field.key in values
    }
    return {**values, **{label: value for label, value in labelled.items() if label not in values}}


def _json(value: JSON) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise InvalidError("an answer is made of texts, numbers, lists and objects") from None


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:_SHOWN]))
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
