"""A process that keeps a PostgreSQL running until its last user has gone, run as a script.

It tells in one line of JSON where the server is, and where it listens itself. A user connects, gets
a byte, and stays connected as long as it uses the server; the last one's connection ends when the
server is gone.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import sys
from contextlib import suppress
from pathlib import Path

import servers

PATIENCE = 60
"""Seconds in which the first user has to come."""


def main() -> None:
    leave_those_who_test()
    try:
        with (
            servers.running() as server,
            socket.create_server(("127.0.0.1", 0)) as entrance,
        ):
            tell(keeper=entrance.getsockname()[1], port=server.port, password=server.password)
            last = served(entrance)
            entrance.close()
        if last is not None:
            last.close()
    except servers.NoServer as reason:
        tell(complaint=str(reason))


def leave_those_who_test() -> None:
    """Become a daemon, which an interrupt at the terminal does not reach."""
    if hasattr(os, "fork"):
        if os.fork():
            os._exit(0)
        os.setsid()


def tell(**what: object) -> None:
    """Write the one line, and no more: who reads it need not wait for this process."""
    print(json.dumps(what), flush=True)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def served(entrance: socket.socket) -> socket.socket | None:
    """Wait until nobody is connected any more, and return the last connection."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(entrance, selectors.EVENT_READ)
        patience: float | None = PATIENCE
        while found := waiting.select(patience):
            for key, _ in found:
                if key.fileobj is entrance:
                    user, _ = entrance.accept()
                    with suppress(OSError):  # whoever went at once is noticed like the others
                        user.sendall(b"1")
                    waiting.register(user, selectors.EVENT_READ)
                    patience = None
                    continue
                waiting.unregister(key.fileobj)
                if len(waiting.get_map()) == 1:
                    return key.fileobj
                key.fileobj.close()
        return None


if __name__ == "__main__":
    main()
