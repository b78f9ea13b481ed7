"""One item for many cases: a test is called for each, and a failure names the one it was at."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from .naming import naming


def for_each(names: str, cases: Iterable[Any] | Callable[[], Iterable[Any]]):
    """Calls a test for each case, in the place of `pytest.mark.parametrize`.

    Args:
        names: The test's parameters that a case gives, separated by commas.
        cases: The cases, or a function that makes them when the test runs. Of several decorators
            the lowest is the innermost loop, whose cases are made anew at each round: there stands
            what a test changes.
    """
    parameters = [name.strip() for name in names.split(",")]

    def decorated(test: Callable[..., None]) -> Callable[..., None]:
        @wraps(test)
        def run(**fixtures: Any) -> None:
            rounds = 0
            for case in cases() if callable(cases) else cases:
                rounds += 1  # none is seen afterwards, too
                values = case if len(parameters) > 1 else [case]
                given = dict(zip(parameters, values, strict=True))
                with naming(*[f"{name} = {_shown(value)}" for name, value in given.items()]):
                    test(**fixtures, **given)
            assert rounds, f"there is no case of {names}"

        signature = inspect.signature(test)
        left = [each for each in signature.parameters.values() if each.name not in parameters]
        assert len(left) + len(parameters) == len(signature.parameters), names
        run.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        return run

    return decorated


def _shown(value: Any) -> str:
    return str(getattr(value, "__name__", None) or value)[:100]
