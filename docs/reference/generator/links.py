"""Links from the names in docstrings to their entries."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Final

import convostore

from .kit import is_clause
from .members import home_of, members_of
from .names import anchor_of, exporters, exports_of, homes, page_of

_NAME: Final = re.compile(r"(?<![`\[])`([A-Za-z_][\w.]*)(?:\(\))?`(?![`\]])")
"""A name in single backticks; literals have two in docstrings."""


def linker(
    path: str,
    name: str = "",
    *,
    owner: type | None = None,
    function: FunctionType | None = None,
) -> Callable[[str], str]:
    """Return a function that puts links into the prose of a docstring.

    Args:
        path: The module of the entry.
        name: The name that the entry describes, which is not linked.
        owner: The class of the entry.
        function: The function of the entry, whose parameters are not linked.
    """
    parameters = set(inspect.signature(function).parameters) if function is not None else set()

    def replace(found: re.Match[str]) -> str:
        target = None if found[1] in {name, *parameters} else _target(found[1], path, owner)
        return f"[{found[0]}]({target})" if target else found[0]

    def link(text: str) -> str:
        return "\n".join(
            line if line.startswith("    ") else _NAME.sub(replace, line)
            for line in text.split("\n")
        )

    return link


def link_to(value: type) -> str:
    """Return the address of a class's entry."""
    return _address(home_of(value) or "", value.__name__)


def _address(path: str, name: str) -> str:
    return f"{page_of(path, name)}#{anchor_of(name)}"


def _target(written: str, path: str, owner: type | None) -> str | None:
    """Return the address of a name that a docstring of a module, or of a class there, contains."""
    if owner is not None and (address := _member_address(owner, written)):
        return address
    module, _, name = written.rpartition(".")
    if module in exporters():
        return _address(module, name) if name in exports_of(exporters()[module]) else None
    head, _, rest = written.partition(".")
    if (home := _home(head, path)) is None:
        return None
    value = getattr(exporters()[home], head)
    if not rest:
        return _address(home, head)
    return _member_address(value, rest) if inspect.isclass(value) else None


def _home(name: str, path: str) -> str | None:
    """Return the module that a docstring means: its own, one around it, or any with that class."""
    while path:
        if path in exporters() and name in exports_of(exporters()[path]):
            return path
        path = path.rpartition(".")[0]
    if name in convostore.__all__:
        return homes()[name, id(getattr(convostore, name))]
    found = [each for each, module in exporters().items() if name in exports_of(module)]
    return found[0] if len(found) == 1 and name[0].isupper() else None


def _member_address(owner: type, name: str) -> str | None:
    for each in owner.__mro__:
        home = home_of(each)
        if home is not None and name in _member_names(each):
            return f"{page_of(home, each.__name__)}#{anchor_of(f'{each.__name__}.{name}')}"
    return None


@cache
def _member_names(owner: type) -> frozenset[str]:
    return frozenset(member.name for member in members_of(owner) if not is_clause(member.function))
