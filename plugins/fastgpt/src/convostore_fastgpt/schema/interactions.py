"""Interactive nodes: questions that a running flow put to its user, at whatever depth.

Read by the keys of their parameters, as the types' names changed with the versions: a choice, a
form, the questions of an agent, a pause for payment.
"""

from __future__ import annotations

from collections.abc import Sequence

from convostore.models import JSON, InteractionField, InteractionOption, InteractionPart
from convostore.parsing import Row, non_empty_text


def read_interaction(value: JSON) -> InteractionPart | None:
    """Reads an interactive item, unwrapped to the deepest; None when it is no object."""
    row = innermost(value)
    kind, params = row.get("type"), params_of(row)
    if not isinstance(kind, str):
        return None
    answer = non_empty_text(params, "userSelectedVal") or non_empty_text(params, "answer")
    flags = (params.get("submitted"), params.get("continue"), params.get("confirmed"))
    return InteractionPart.model_construct(
        kind="interaction",
        type=kind,
        prompt=non_empty_text(params, "description") or non_empty_text(params, "content"),
        options=_options(params),
        fields=(*_form(params), *_questions(params)),
        answered=answer is not None or True in flags,
        answer=answer,
    )


def innermost(value: JSON) -> Row:
    """The interaction itself, out of those of sub-flows, tools and loops that wrap it."""
    row: Row = value if isinstance(value, dict) else {}
    while isinstance(child := params_of(row).get("childrenResponse"), dict):
        row = child
    return row


def params_of(row: Row) -> Row:
    """What an interaction asks; empty where it says nothing."""
    params = row.get("params")
    return params if isinstance(params, dict) else {}


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
            label=non_empty_text(each, "label"),
            type=non_empty_text(each, "type"),
            required=each.get("required") is True,
            options=tuple(
                [
                    InteractionOption.model_construct(
                        value=value, label=non_empty_text(choice, "label")
                    )
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
            label=non_empty_text(each, "question"),
            required=True,
            options=tuple(
                [
                    InteractionOption.model_construct(
                        value=_string(choice.get("value")), label=non_empty_text(choice, "summary")
                    )
                    for choice in _rows(each, "options")
                ]
            ),
            value=non_empty_text(each, "answer"),
        )
        for number, each in enumerate(_rows(params, "questions"))
    ]


def _rows(row: Row, name: str) -> list[Row]:
    value = row.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _string(value: JSON) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
