"""What a class or a module offers: bases, members, constructors, constants."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import dataclass, is_dataclass
from functools import cache, cached_property
from types import FunctionType, ModuleType
from typing import Any, Final, is_typeddict

from pydantic import BaseModel

from .names import CORE, homes, sources, tree_of
from .signatures import WIDTH, body_of, layout, signatures_of, source_of, statements

_TOO_LONG: Final = 400


@dataclass(frozen=True)
class Member:
    """A method or a property of a class, under the class that defines it."""

    name: str
    value: Any
    function: FunctionType

    @property
    def is_property(self) -> bool:
        return isinstance(self.value, property | cached_property)


def home_of(value: type) -> str | None:
    """Return the public module of a class; None if it is private or somebody else's."""
    return homes().get((value.__name__, id(value)))


def public_bases(owner: type) -> list[type]:
    """Return the nearest bases that have entries."""
    found: list[type] = []
    for base in owner.__mro__[1:]:
        if home_of(base) and not any(issubclass(nearer, base) for nearer in found):
            found.append(base)
    return found


def shown_classes(owner: type) -> list[type]:
    """Return a class and its private bases, whose members it shows as its own."""
    inherited = {each for base in public_bases(owner) for each in base.__mro__}
    return [
        each for each in owner.__mro__ if each not in inherited and each.__module__.startswith(CORE)
    ]


def members_of(owner: type) -> list[Member]:
    """Return the public methods and properties of a class that its public bases do not document."""
    found: dict[str, Member] = {}
    for each in reversed(shown_classes(owner)):
        for name, value in vars(each).items():
            function = _function_of(value)
            if name.startswith("_") or function is None or "<" in function.__qualname__:
                continue
            if function.__module__.startswith(CORE) and _is_news(owner, name, function):
                found[name] = Member(name, value, function)
    return list(found.values())


def _is_news(owner: type, name: str, function: FunctionType) -> bool:
    """Return whether no public base has the member, or this one has a docstring."""
    return bool(function.__doc__) or not any(hasattr(base, name) for base in public_bases(owner))


def _function_of(value: object) -> FunctionType | None:
    match value:
        case property(fget=FunctionType() as function):
            found = function
        case cached_property(func=FunctionType() as function):
            found = function
        case classmethod(__func__=FunctionType() as function):
            found = function
        case staticmethod(__func__=FunctionType() as function):
            found = function
        case FunctionType() as function:
            found = function
        case _:
            return None
    return function_of(found)


def function_of(value: Any) -> FunctionType:
    """Return the function that decorators have wrapped; of a fixture what it calls."""
    value = getattr(value, "_get_wrapped_function", lambda: value)()

    def is_foreign(wrapper: Any) -> bool:  # what Hypothesis wraps is a function of its own
        return wrapper.__wrapped__.__module__ not in sources()

    unwrapped = inspect.unwrap(value, stop=is_foreign)
    assert isinstance(unwrapped, FunctionType)
    return unwrapped


def constructor_of(owner: type) -> list[str]:
    """Return how a class is called, where its own code says it; of a typed dict its keys."""
    if is_typeddict(owner):
        return [body_of(owner, owner.__module__)]
    if issubclass(owner, BaseModel) or is_dataclass(owner) or hasattr(owner, "_fields"):
        return []  # its fields say it
    found = [vars(each)["__init__"] for each in shown_classes(owner) if "__init__" in vars(each)]
    init = found[0] if found else None
    if not isinstance(init, FunctionType) or not init.__module__.startswith(CORE):
        return []
    if "<" in init.__qualname__ or getattr(owner, "_is_protocol", False):
        return []
    signatures = signatures_of(init, owner.__name__, prefix="class ")
    return signatures or [layout(f"class {owner.__name__}", [])]


def definition_of(module: ModuleType, name: str) -> str | None:
    """Return the source of a constant or an alias, if it is short and names nothing private."""
    for path, node in _assignments().get(name, ()):
        if f"{path}.".startswith(f"{module.__name__}.") and node.value is not None:
            text = source_of(node.value, path)
            if len(text) > _TOO_LONG or "#" in text or re.search(r"\b_\w", text):
                return None
            return _on_lines(name, text)
    return None


def _on_lines(name: str, text: str) -> str:
    line = f"{name} = {text}"
    if len(line) <= WIDTH or " | " not in text:
        return line
    choices = text.replace(" | ", "\n    | ")
    return f"{name} = (\n    {choices}\n)"


@cache
def _assignments() -> dict[str, list[tuple[str, ast.Assign | ast.AnnAssign]]]:
    found: dict[str, list[tuple[str, ast.Assign | ast.AnnAssign]]] = {}
    for path in sources():
        for node in statements(tree_of(path).body):
            if isinstance(node, ast.Assign | ast.AnnAssign):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append((path, node))
    return found
