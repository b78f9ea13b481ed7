"""A PgBouncer that the tests start in front of their PostgreSQL: it lends the server's connections.

It listens on loopback, wants the server's password, and runs as the user without rights that the
server has. Nothing of the plugin may be known here.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from . import servers

_SETTINGS = {
    "listen_addr": "127.0.0.1",
    "unix_socket_dir": "",
    "auth_type": "md5",
    "default_pool_size": "2",  # fewer than the clients, who then meet on each of them
    "max_client_conn": "500",
    "log_connections": "0",
    "log_disconnections": "0",
    "log_pooler_errors": "0",
    "log_stats": "0",
}
_UNTIL_NOBODY_LISTENS = 'pgbouncer "$0" & read -r _; kill $!; wait'
"""It ends with whoever holds its standard input, even if that is killed."""


@contextlib.contextmanager
def running(server: servers.Server, mode: str = "transaction") -> Iterator[servers.Server]:
    """Yield a PgBouncer as if it were the server that it stands before.

    Args:
        server: The server, with all of its databases.
        mode: How long a client has a connection of the server: PgBouncer's ``pool_mode``.

    Raises:
        NoServer: There is no PgBouncer, or it does not start.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
    if not shutil.which("pgbouncer", path=path):
        raise servers.NoServer(
            "there is no PgBouncer to test on: install your system's package pgbouncer, as "
            ".ci/install-package does"
        )
    with tempfile.TemporaryDirectory(prefix="pgbouncer-", ignore_cleanup_errors=True) as folder:
        port = servers.free_port()
        configuration = _configured(Path(folder), server, port, mode)
        user = servers.unprivileged_user()
        process = subprocess.Popen(
            ["sh", "-c", _UNTIL_NOBODY_LISTENS, configuration],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=os.environ | {"PATH": path},
            **({"user": user[0], "group": user[1], "extra_groups": []} if user else {}),
        )
        try:
            _wait_for(process)
            yield servers.Server(port, server.password)
        finally:
            process.communicate()  # which closes its standard input


def _configured(folder: Path, server: servers.Server, port: int, mode: str) -> str:
    users, configuration = folder / "users", folder / "pgbouncer.ini"
    users.write_text(f'"postgres" "{server.password}"\n', encoding="utf-8")
    settings = {**_SETTINGS, "listen_port": port, "pool_mode": mode, "auth_file": users}
    lines = [f"{name} = {value}" for name, value in settings.items()]
    databases = ["[databases]", f"* = host=127.0.0.1 port={server.port}"]
    configuration.write_text("\n".join([*databases, "[pgbouncer]", *lines, ""]), encoding="utf-8")
    if user := servers.unprivileged_user():
        for item in (folder, users, configuration):
            os.chown(item, *user)
    return str(configuration)


def _wait_for(process: subprocess.Popen[str]) -> None:
    """Wait until it listens.

    Raises:
        NoServer: It does not.
    """
    assert process.stderr is not None
    told = []
    for line in process.stderr:
        if "process up" in line:
            return
        told.append(line)
        if "FATAL" in line or "ERROR" in line:
            break
    raise servers.NoServer(f"PgBouncer does not start: {''.join(told)}")
