"""Interactive nodes: questions that a running flow put to its user, at whatever depth.

Read by the keys of their parameters, as the types' names changed with the versions: a choice, a
form, the questions of an agent, a pause for payment.
"""

from __future__ import annotations

from collections.abc import Sequence

from convostore.models import JSON, InteractionField, InteractionOption, InteractionPart
from convostore.reading import Row, filled


def read_interaction(value: JSON) -> InteractionPart | None:
    """Reads an interactive item, unwrapped to the deepest; None when it is no object."""
    row, params = value, _object(value, "params")
    while isinstance(child := params.get("childrenResponse"), dict):
        row, params = child, _object(child, "params")
    kind = row.get("type") if isinstance(row, dict) else None
    if not isinstance(kind, str):
        return None
    answer = filled(params, "userSelectedVal") or filled(params, "answer")
    flags = (params.get("submitted"), params.get("continue"), params.get("confirmed"))
    return InteractionPart.model_construct(
        kind="interaction",
        type=kind,
        prompt=filled(params, "description") or filled(params, "content"),
        options=_options(params),
        fields=(*_form(params), *_questions(params)),
        answered=answer is not None or True in flags,
        answer=answer,
    )


def _options(params: Row) -> tuple[InteractionOption, ...]:
    choices = _rows(params, "userSelectOptions")
    found = [
        InteractionOption.model_construct(value=_string(each.get("value")), label=None)
        for each in choices
    ]
    texts = params.get("options")
    found += [
        InteractionOption.model_construct(value=each, label=None)
        for each in (texts if isinstance(texts, list) else ())
        if isinstance(each, str)
    ]
    return tuple(found)


def _form(params: Row) -> Sequence[InteractionField]:
    return [
        InteractionField.model_construct(
            key=_string(each.get("key")),
            label=filled(each, "label"),
            type=filled(each, "type"),
            required=each.get("required") is True,
            options=tuple(
                [
                    InteractionOption.model_construct(value=value, label=filled(choice, "label"))
                    for choice in _rows(each, "list")
                    if (value := _string(choice.get("value")))
                ]
            ),
            value=each.get("value"),
        )
        for each in _rows(params, "inputForm")
    ]


def _questions(params: Row) -> Sequence[InteractionField]:
    """An agent's questions, answered by a list of texts in their order."""
    return [
        InteractionField.model_construct(
            key=str(number),
            label=filled(each, "question"),
            required=True,
            options=tuple(
                [
                    InteractionOption.model_construct(
                        value=_string(choice.get("value")), label=filled(choice, "summary")
                    )
                    for choice in _rows(each, "options")
                ]
            ),
            value=filled(each, "answer"),
        )
        for number, each in enumerate(_rows(params, "questions"))
    ]


def _object(value: JSON, name: str) -> Row:
    inner = value.get(name) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def _rows(row: Row, name: str) -> list[Row]:
    value = row.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _string(value: JSON) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
