"""Options as a closed model checks them, and what is said of those that are wrong.

What the options are, each adapter says; nothing is read or asked here.
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
    """Checks options by name.

    Args:
        kind: The model of those that there are.
        values: What was given.
        failure: Makes the error that is raised for what is wrong with them; what it is told names
            no value, which may be a secret.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        complaint = "; ".join(_complaints(error, sorted(kind.model_fields)))
    raise failure(complaint)


def _complaints(error: ValidationError, known: list[str]) -> list[str]:
    import difflib

    complaints = []
    for each in error.errors(include_input=False, include_context=False, include_url=False):
        name = str(each["loc"][0]) if each["loc"] else "options"
        if each["type"] == "extra_forbidden":
            near = difflib.get_close_matches(name, known, n=1)
            hint = (
                f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known) or 'none'}"
            )
            complaints.append(f"there is no option {name!r}: {hint}")
        elif each["type"] == "missing":
            complaints.append(f"the option {name!r} is needed")
        else:
            told = each["msg"].removeprefix("Value error, ")
            complaints.append(f"the option {name!r} is wrong: {told}")
    return complaints
