"""A real PostgreSQL that the tests start for themselves: found, set up, started, stopped.

It is looked for in the wheel `pgserver`, on the path, and where Debian puts it. It listens on
loopback, wants a password, and keeps its data in a temporary folder. As it refuses to run as root,
it then runs as a user without rights. All processes of one run of the tests share it, see `shared`.
Nothing of the plugin may be known here.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import importlib.util
import json
import os
import re
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlencode

import psycopg
import pytest
from psycopg import sql

T = TypeVar("T")

REQUIRED = "CONVOSTORE_REQUIRE_POSTGRESQL"
"""The environment variable that makes a missing PostgreSQL a failure; ``1`` sets it."""

_KEEPER = Path(__file__).with_name("server_keeper.py")
_SECONDS = 60
_UNPRIVILEGED = ("postgres", "nobody")
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",  # the data does not outlive the tests
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "Pacific/Honolulu",  # none of the values may depend on it
}


class NoServer(Exception):  # noqa: N818  # it is no error where none is required
    """There is no PostgreSQL on this machine, or none that can be started."""


def programs() -> Path:
    """Return the folder of `initdb` and `pg_ctl`.

    Raises:
        NoServer: There is none; says what to install.
    """
    for folder in _candidates():
        if all(shutil.which(name, path=str(folder)) for name in ("initdb", "pg_ctl", "postgres")):
            return folder
    raise NoServer(
        "there is no PostgreSQL to test on: install the wheel pgserver (CPython 3.11 and 3.12) or "
        "your system's package postgresql, as .ci/install-postgresql does"
    )


def _candidates() -> Iterator[Path]:
    wheel = importlib.util.find_spec("pgserver")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "pginstall" / "bin"
    if found := shutil.which("initdb"):
        yield Path(found).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)


def _version(folder: Path) -> float:
    return float(re.sub(r"[^\d.]", "", folder.parent.name) or 0)


@dataclass
class Server:
    """A PostgreSQL that runs."""

    port: int
    password: str = field(repr=False)

    def dsn(self, database: str, **options: object) -> str:
        """Return the address of a database of it, as an app would write it."""
        query = f"?{urlencode(options)}" if options else ""
        user = f"postgres:{quote(self.password, safe='')}"
        return f"postgresql://{user}@127.0.0.1:{self.port}/{quote(database, safe='')}{query}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Return a plain connection in autocommit, for what the plugin cannot do."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            password=self.password,
            dbname=database,
            connect_timeout=_SECONDS,
            autocommit=True,
        )

    def create_database(self) -> str:
        """Make an empty database.

        Its collation is not by code points, where the server has another: what compares texts must
        not depend on it.
        """
        name = f"test_{secrets.token_hex(6)}"
        with self.connect() as connection:
            known = connection.execute(
                "SELECT 1 FROM pg_collation WHERE collname = 'en-x-icu'"
            ).fetchone()
            foreign = " LOCALE_PROVIDER icu ICU_LOCALE 'en'" if known else ""
            statement = "CREATE DATABASE {} TEMPLATE template0" + foreign
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
        return name

    def drop_database(self, name: str) -> None:
        """End the connections to a database and drop it."""
        with self.connect() as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """Yield an empty database for as long as the ``with`` lasts."""
        name = self.create_database()
        try:
            yield name
        finally:
            self.drop_database(name)

    def terminate_connections(self, database: str) -> int:
        """End every other connection to a database, and return their number."""
        with self.connect() as connection:
            return _terminate_connections(connection, database)

    def restore(self, database: str, clear: Callable[[psycopg.Connection], None]) -> None:
        """End all that runs in a database, reset its settings, and clear its contents."""
        with self.connect() as connection:
            _terminate_connections(connection, database)
            name = sql.Identifier(database)
            connection.execute(sql.SQL("ALTER DATABASE {} RESET ALL").format(name))
        with self.connect(database) as connection:
            clear(connection)


def _terminate_connections(connection: psycopg.Connection, database: str) -> int:
    ended = connection.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        "WHERE datname = %s AND pid <> pg_backend_pid()",
        [database],
    ).fetchall()
    return len(ended)


@dataclass
class OwnServer(Server):
    """A PostgreSQL that is its user's alone, and may be stopped."""

    _installation: _Installation = field(repr=False)

    def stop(self) -> None:
        """Stop it at once, as a crash would."""
        self._installation.control("stop", "--mode=immediate")

    def start(self) -> None:
        """Start it again after `stop`, at the same address."""
        self._installation.start(self.port)


@contextlib.contextmanager
def running() -> Iterator[OwnServer]:
    """Yield a new PostgreSQL, stopped and thrown away at the end.

    Raises:
        NoServer: There is none, or it does not start.
    """
    found = programs()
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        installation = _Installation(found, Path(folder), unprivileged_user())
        password = secrets.token_urlsafe(12) + "/@:% ?#"  # what a DSN must escape
        try:
            installation.prepare(password)
            port = installation.start_anywhere()
            server = OwnServer(port, password, installation)
            with server.connect() as connection:
                connection.execute(_quickly_checked(password))
            yield server
        finally:
            installation.stop_whatever_runs()


def _quickly_checked(password: str) -> str:
    """Return the statement that sets the password so that a connection is made in a moment.

    Password and protocol stay the same; each side just hashes it once and not 4096 times, for each
    of the thousands of connections that tests make.
    """
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations=1)
    client, server = (
        hmac.digest(salted, name, "sha256") for name in (b"Client Key", b"Server Key")
    )
    salt, stored, server = (
        base64.b64encode(value).decode()
        for value in (salt, hashlib.sha256(client).digest(), server)
    )
    return f"ALTER ROLE postgres PASSWORD 'SCRAM-SHA-256$1:{salt}${stored}:{server}'"


def unprivileged_user() -> tuple[int, int] | None:
    """Return the ids of the user to run it as; None for the user of the tests."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    import pwd

    for name in _UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return found.pw_uid, found.pw_gid
    raise NoServer(f"PostgreSQL refuses to run as root, and no user {_UNPRIVILEGED} exists")


class _Installation:
    """The programs, where their data is, and whom they run as."""

    def __init__(self, found: Path, folder: Path, user: tuple[int, int] | None) -> None:
        self._programs, self._folder, self._data = found, folder, folder / "data"
        self._user: dict[str, object] = {}
        if user is not None:
            uid, gid = user
            self._user = {"user": uid, "group": gid, "extra_groups": []}
            os.chown(folder, uid, gid)
            self._make_reachable()

    def _make_reachable(self) -> None:
        """Copy the programs if their user has no access to their folder."""
        try:
            self._call("postgres", "--version")
        except PermissionError:
            home, copy = self._programs.parent, self._folder / "programs"
            for item in (home, home.parent.with_suffix(".libs")):  # where a wheel has libraries
                if item.is_dir():
                    into = copy / item.relative_to(home.parents[1])
                    shutil.copytree(item, into, symlinks=True)
            self._programs = copy / self._programs.relative_to(home.parents[1])

    def prepare(self, password: str) -> None:
        secret = self._folder / "password"
        secret.touch()
        if self._user:
            os.chown(secret, self._user["user"], self._user["group"])
        secret.write_text(f"{password}\n", encoding="utf-8")
        self._call(
            "initdb",
            f"--pgdata={self._data}",
            "--username=postgres",
            "--encoding=UTF8",
            "--no-locale",
            "--auth=scram-sha-256",
            f"--pwfile={secret}",
            "--no-sync",
        )
        settings = "".join(f"{name} = '{value}'\n" for name, value in _SETTINGS.items())
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(settings)

    def start_anywhere(self) -> int:
        """Start on a free port, which another program may take first, and return it."""
        for _ in range(5):
            port = free_port()
            try:
                self.start(port)
                return port
            except NoServer as error:
                failure = error
        raise failure

    def start(self, port: int) -> None:
        self.control("start", f"--log={self._folder / 'server.log'}", f"--options=-p {port}")

    def stop_whatever_runs(self) -> None:
        with contextlib.suppress(NoServer):
            self.control("stop", "--mode=immediate")

    def control(self, *arguments: str) -> None:
        self._call("pg_ctl", *arguments, f"--pgdata={self._data}", "--wait", f"-t{_SECONDS}")

    def _call(self, name: str, *arguments: str) -> None:
        program = shutil.which(name, path=str(self._programs)) or str(self._programs / name)
        # Not through a pipe: the server would inherit it, and the end of it never come.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [program, *arguments],
                cwd=self._folder,
                env=os.environ | {"LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=2 * _SECONDS,
                **self._user,  # type: ignore[arg-type]
            )
            if done.returncode:
                output.seek(0)
                raise NoServer(self._complaint(name, output.read()))

    def _complaint(self, name: str, output: bytes) -> str:
        log = self._folder / "server.log"
        told = log.read_bytes() if log.exists() else b""
        return f"{name} failed: {(output + told[-2000:]).decode('utf-8', 'replace')}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def shared(folder: Path) -> Iterator[Server]:
    """Yield the PostgreSQL that all processes of a folder share while one of them runs.

    The first starts it. `server_keeper` keeps it, and notices when the last has gone, even if that
    was killed: each holds a connection to the keeper.

    Raises:
        NoServer: There is none, or it does not start.
    """
    programs()
    server, keeper = _kept_server(folder)
    with keeper:
        yield server
        keeper.shutdown(socket.SHUT_WR)
        keeper.settimeout(2 * _SECONDS)
        keeper.recv(1)  # ends at once where others go on, and else when the server is gone


def _kept_server(folder: Path) -> tuple[Server, socket.socket]:
    """Return the server that the folder's users share, and a connection to its keeper."""
    # The file is a lock as well: it works on each system, and ends with whoever holds it.
    notes = sqlite3.connect(folder / "postgresql.db", timeout=4 * _SECONDS, isolation_level=None)
    with contextlib.closing(notes):
        notes.execute("BEGIN IMMEDIATE")
        notes.execute("CREATE TABLE IF NOT EXISTS keeper (told TEXT)")
        for (told,) in notes.execute("SELECT told FROM keeper ORDER BY rowid DESC LIMIT 1"):
            with contextlib.suppress(OSError):
                return _joined(told)
        told = _started_keeper()
        kept = _joined(told)
        notes.execute("INSERT INTO keeper VALUES (?)", [told])
        notes.execute("COMMIT")
        return kept


def _joined(told: str) -> tuple[Server, socket.socket]:
    """Return what a keeper reports of its server, and a connection to it.

    Raises:
        OSError: It is about to go, or gone.
    """
    where = json.loads(told)
    keeper = socket.create_connection(("127.0.0.1", where["keeper"]), timeout=_SECONDS)
    if not keeper.recv(1):
        keeper.close()
        raise ConnectionResetError
    return Server(where["port"], where["password"]), keeper


def _started_keeper() -> str:
    """Start a keeper, and return what it reports of its server."""
    process = subprocess.Popen(
        [sys.executable, str(_KEEPER)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    assert process.stdout is not None
    with process.stdout:
        told = process.stdout.readline()
    if hasattr(os, "fork"):  # it leaves a child that nobody has to wait for
        process.wait()
    if not told:
        raise NoServer("what keeps PostgreSQL running ended without a word")
    if complaint := json.loads(told).get("complaint"):
        raise NoServer(complaint)
    return told


def running_or_skipped() -> contextlib.AbstractContextManager[OwnServer]:
    """As `running`; where there is none, the tests are skipped, or fail where one is required."""
    return or_skipped(running())


def shared_or_skipped(folder: Path) -> contextlib.AbstractContextManager[Server]:
    """As `shared`; where there is none, the tests are skipped, or fail where one is required."""
    return or_skipped(shared(folder))


def folder_of_run(config: pytest.Config, factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of a run have."""
    folder = factory.getbasetemp()
    # Each of pytest-xdist's processes has one in the run's.
    return folder.parent if hasattr(config, "workerinput") else folder


@contextlib.contextmanager
def or_skipped(serving: contextlib.AbstractContextManager[T]) -> Iterator[T]:
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(serving)
        except NoServer as reason:
            if os.environ.get(REQUIRED) == "1":
                pytest.fail(f"{REQUIRED}=1, but {reason}")
            pytest.skip(f"NOT TESTED on PostgreSQL: {reason}")
        yield server
