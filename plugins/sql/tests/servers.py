"""A real PostgreSQL that the tests start for themselves: found, set up, started, stopped.

It is looked for in the wheel `pgserver`, on the path, and where Debian puts it. It listens on
loopback, wants a password, and keeps its data in a temporary folder. As it refuses to run as root,
it then runs as a user without rights. Nothing of the plugin may be known here.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
import pytest
from psycopg import sql

REQUIRED = "CONVOSTORE_REQUIRE_POSTGRESQL"
"""The environment variable that makes a missing PostgreSQL a failure; ``1`` sets it."""

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
    """The folder of `initdb` and `pg_ctl`.

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
    _installation: _Installation = field(repr=False)

    def dsn(self, database: str, **options: object) -> str:
        """The address of a database of it, as an app would write it."""
        query = f"?{urlencode(options)}" if options else ""
        user = f"postgres:{quote(self.password, safe='')}"
        return f"postgresql://{user}@127.0.0.1:{self.port}/{quote(database, safe='')}{query}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A plain connection, to prepare and to look at what the plugin cannot; autocommit."""
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
        """Makes an empty database.

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
        """Ends the connections to a database and drops it."""
        with self.connect() as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """An empty database for as long as the ``with`` lasts."""
        name = self.create_database()
        try:
            yield name
        finally:
            self.drop_database(name)

    def terminate_connections(self, database: str) -> int:
        """Ends every other connection to a database, and returns how many there were."""
        with self.connect() as connection:
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                "WHERE datname = %s AND pid <> pg_backend_pid()",
                [database],
            ).fetchall()
        return len(ended)

    def stop(self) -> None:
        """Stops it at once, as a crash would."""
        self._installation.control("stop", "--mode=immediate")

    def start(self) -> None:
        """Starts it again after `stop`, at the same address."""
        self._installation.start(self.port)


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """A new PostgreSQL, stopped and thrown away at the end.

    Raises:
        NoServer: There is none, or it does not start.
    """
    found = programs()
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        installation = _Installation(found, Path(folder), _user())
        password = secrets.token_urlsafe(12) + "/@:% ?#"  # what a DSN must escape
        try:
            installation.prepare(password)
            port = installation.start_anywhere()
            yield Server(port, password, installation)
        finally:
            installation.stop_whatever_runs()


def _user() -> tuple[int, int] | None:
    """The ids of whom to run it as; None for whoever runs the tests."""
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
        """Copies the programs where their user cannot go to where they are."""
        try:
            self._call("postgres", "--version")
        except PermissionError:
            home, copy = self._programs.parent, self._folder / "programs"
            for each in (home, home.parent.with_suffix(".libs")):  # where a wheel has libraries
                if each.is_dir():
                    into = copy / each.relative_to(home.parents[1])
                    shutil.copytree(each, into, symlinks=True)
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
        """Starts on a free port, which another program may take first; returns it."""
        for _ in range(5):
            port = _free_port()
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running_or_skipped() -> Iterator[Server]:
    """As `running`; where there is none, the tests are skipped, or fail where one is required."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(running())
        except NoServer as reason:
            if os.environ.get(REQUIRED) == "1":
                pytest.fail(f"{REQUIRED}=1, but {reason}")
            pytest.skip(f"NOT TESTED on PostgreSQL: {reason}")
        yield server
