"""What the SQL plugin's tests have that benchmarks need as well: a PostgreSQL, and the plans."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from recordings import PLUGINS


def servers() -> Any:
    """The module that finds and starts a PostgreSQL."""
    return _module("support.servers")


def plans() -> Any:
    """The module that asks the databases about each statement."""
    return _module("test_plans")


def _module(name: str) -> Any:
    root = str(PLUGINS.parent)
    if root not in sys.path:
        sys.path.append(root)
    return importlib.import_module(f"plugins.sql.tests.{name}")
