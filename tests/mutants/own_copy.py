"""A plugin of pytest for mutants: what is tested has to be the copy that a mutant was put into."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Ends a run that imported a module of the product from elsewhere with a status of its own."""
    sources = [Path(each) for each in os.environ["PYTHONPATH"].split(os.pathsep)]
    packages = {package.name: source for source in sources for package in source.iterdir()}
    strangers = [
        f"{name} of {module.__file__}"
        for name, module in list(sys.modules.items())
        if (source := packages.get(name.partition(".")[0])) is not None
        if not Path(str(module.__file__)).is_relative_to(source)
    ]
    if "convostore" not in sys.modules or strangers:
        session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
        print("not the copy's own:", strangers)
