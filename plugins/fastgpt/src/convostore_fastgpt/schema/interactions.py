"""Interactive nodes: the questions that a running flow puts to its user, at any depth.

A choice, a form, an agent's questions and a pause for payment differ in the keys of their
parameters, as the names of the types changed with the versions. Nothing is answered here.
"""

from __future__ import annotations

from collections.abc import Sequence

from convostore.models import JSON, InteractionField, InteractionOption, InteractionPart
from convostore.parsing import Row, non_empty_text


def read_interaction(value: JSON) -> InteractionPart | None:
    """Parse the innermost interaction of an item; None if it is not an object."""
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
    """Return the interaction inside those of the sub-flows, tools and loops that wrap it."""
    row: Row = value if isinstance(value, dict) else {}
    while isinstance(child := params_of(row).get("childrenResponse"), dict):
        row = child
    return row


def params_of(row: Row) -> Row:
    """Return an interaction's parameters; empty if it has none."""
    params = row.get("params")
    return params if isinstance(params, dict) else {}


def _options(params: Row) -> tuple[InteractionOption, ...]:
    values = [_string(row.get("value")) for row in _rows(params, "userSelectOptions")]
    texts = params.get("options")
    if isinstance(texts, list):
        values += [text for text in texts if isinstance(text, str)]
    return tuple([InteractionOption.model_construct(value=value, label=None) for value in values])


def _form(params: Row) -> Sequence[InteractionField]:
    return [
        InteractionField.model_construct(
            key=_string(row.get("key")),
            label=non_empty_text(row, "label"),
            type=non_empty_text(row, "type"),
            required=row.get("required") is True,
            options=tuple(
                [
                    InteractionOption.model_construct(
                        value=value, label=non_empty_text(choice, "label")
                    )
                    for choice in _rows(row, "list")
                    if (value := _string(choice.get("value")))
                ]
            ),
            value=row.get("value"),
        )
        for row in _rows(params, "inputForm")
    ]


def _questions(params: Row) -> Sequence[InteractionField]:
    """Parse an agent's questions, which a list of texts in their order answers."""
    return [
        InteractionField.model_construct(
            key=str(number),
            label=non_empty_text(row, "question"),
            required=True,
            options=tuple(
                [
                    InteractionOption.model_construct(
                        value=_string(choice.get("value")), label=non_empty_text(choice, "summary")
                    )
                    for choice in _rows(row, "options")
                ]
            ),
            value=non_empty_text(row, "answer"),
        )
        for number, row in enumerate(_rows(params, "questions"))
    ]


def _rows(row: Row, name: str) -> list[Row]:
    value = row.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _string(value: JSON) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
