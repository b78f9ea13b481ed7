"""What the tests of this plugin stand on: the PostgreSQL of the run, databases, and processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .support import poolers, pythons, servers
from .support.databases import KINDS, Database, Databases, SQLite


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, tmp_path_factory) -> Iterator[servers.Server]:
    """Yield a PostgreSQL, the same for all processes of a run.

    Where there is none, the test is skipped, or fails where one is required.
    """
    folder = servers.folder_of_run(request.config, tmp_path_factory)
    with servers.shared_or_skipped(folder) as shared:
        yield shared


@pytest.fixture(scope="session")
def databases(server: servers.Server) -> Databases:
    """Return the databases of the server."""
    return Databases(server)


@pytest.fixture(scope="session")
def pooler(server: servers.Server) -> Iterator[servers.Server]:
    """Yield a PgBouncer before the server, which lends a connection for a transaction."""
    with servers.or_skipped(poolers.running(server)) as running:
        yield running


@pytest.fixture
def new_database(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[..., Database]]:
    """Make empty databases, `new_database(kind)`; they are the test's alone until its end.

    Those of PostgreSQL may have the tables of an earlier test, without a row, unless they are
    wanted `bare`.
    """
    with ExitStack() as stack:
        made = 0

        def make(kind: str, *, bare: bool = False) -> Database:
            nonlocal made
            made += 1
            if kind == "sqlite":
                return SQLite(tmp_path / f"store-{made}.db")
            databases: Databases = request.getfixturevalue("databases")
            return stack.enter_context(databases.one(bare=bare))

        yield make


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, new_database: Callable[..., Database]) -> Database:
    """Return an empty database: each test that takes it runs on both kinds."""
    return new_database(request.param)


@pytest.fixture(params=KINDS)
def bare_database(
    request: pytest.FixtureRequest, new_database: Callable[..., Database]
) -> Database:
    """Return a database that nobody has opened yet, of both kinds."""
    return new_database(request.param, bare=True)


@pytest.fixture(scope="session")
def python() -> Iterator[pythons.Python]:
    """Start processes of Python that have the plugin loaded."""
    with pythons.warm() as python:
        yield python
