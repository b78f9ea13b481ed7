"""The marker of the tests that need a socket; within the project it is there already."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "rim: needs a socket")
