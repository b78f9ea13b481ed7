"""What the tests of this plugin stand on: the PostgreSQL of the session, and databases in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from . import servers
from .databases import Database, PostgreSQL, SQLite

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def server() -> Iterator[servers.Server]:
    """A PostgreSQL; where there is none, the test is skipped, or fails where one is required."""
    with servers.running_or_skipped() as running:
        yield running


@pytest.fixture
def new_database(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[..., Database]]:
    """Makes empty databases, `new_database(kind)`; they are gone at the end of the test."""
    with ExitStack() as stack:
        made = 0

        def make(kind: str) -> Database:
            nonlocal made
            made += 1
            if kind == "sqlite":
                return SQLite(tmp_path / f"store-{made}.db")
            server: servers.Server = request.getfixturevalue("server")
            return PostgreSQL(server, stack.enter_context(server.database()))

        yield make


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, new_database: Callable[..., Database]) -> Database:
    """An empty database: each test that takes it runs on both kinds."""
    return new_database(request.param)
