"""Validation of options by a pydantic model, with messages that name the option.

The models belong to the adapters; no environment and no file is read here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from ..errors import StoreError

T = TypeVar("T", bound=BaseModel)


def validate_options(
    kind: type[T], values: Mapping[str, object], failure: Callable[[str], StoreError]
) -> T:
    """Validate options by name.

    Args:
        kind: The model of the options.
        values: The options to validate.
        failure: Converts a message into the error to raise; the message repeats no value, which may
            be a secret.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        complaint = "; ".join(_complaints(error, sorted(kind.model_fields)))
    raise failure(complaint)


def _complaints(error: ValidationError, known: list[str]) -> list[str]:
    import difflib

    complaints = []
    for detail in error.errors(include_input=False, include_context=False, include_url=False):
        name = str(detail["loc"][0]) if detail["loc"] else "options"
        if detail["type"] == "extra_forbidden":
            near = difflib.get_close_matches(name, known, n=1)
            hint = (
                f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known) or 'none'}"
            )
            complaints.append(f"there is no option {name!r}: {hint}")
        elif detail["type"] == "missing":
            complaints.append(f"the option {name!r} is required")
        else:
            complaints.append(f"the option {name!r} {_reason(detail['msg'])}")
    return complaints


def _reason(message: str) -> str:
    """Return what is wrong with an option, in this library's words."""
    text = message.removeprefix("Value error, ").replace("Input should", "must", 1)
    if not text.startswith("must "):
        return f"is invalid: {text}"
    text = text.partition(", unable to ")[0]
    return text.replace("a valid integer", "an integer").replace("a valid ", "a ")
