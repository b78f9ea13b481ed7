"""Packages whose public names are imported when they are first used.

Nothing of convostore is known here.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_attributes(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Make a package's ``__getattr__``, which imports a public name's module on first use.

    A plugin is loaded to see what it has; what it has need not be loaded for that.

    Args:
        package: Its ``__name__``.
        homes: By public name, the package's module that has it.
    """

    def get(name: str) -> Any:  # Any: whatever the name stands for
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f".{homes[name]}", package), name)
        vars(sys.modules[package])[name] = value  # the next use does not come here
        return value

    return get
