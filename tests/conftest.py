"""What every test of the core stands on: no settings of this machine.

A server on loopback and temporary plugins are made here, as fixtures; what is tested is not.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .support import forking

if TYPE_CHECKING:
    from .support.tap import Tap

_PROXY_VARIABLES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}


@pytest.fixture(scope="session", autouse=True)
def _what_forks_itself_ends() -> Iterator[None]:
    yield
    forking.close()


@pytest.fixture
def name() -> str:
    """A memory that belongs to this test, with `tides`, of two messages, and `moon`, pinned."""
    from .support.cli import seeded

    return seeded()


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("CONVOSTORE_") or name.lower() in _PROXY_VARIABLES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("CONVOSTORE_CONFIG", str(tmp_path / "config.toml"))


@pytest.fixture(autouse=True)
def _memories_are_forgotten() -> Iterator[None]:
    """Lets go of what a test kept under a name, which would else stay as long as the process."""
    before = set(_memories())
    yield
    memories = _memories()
    for name in set(memories) - before:
        del memories[name]


def _memories() -> dict[str, Any]:
    module = sys.modules.get("convostore.adapters.memory")
    return {} if module is None else module._memories


@dataclass(frozen=True)
class Asked:
    """A request as it reached the server; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Service:
    """A server on loopback, and what has reached it."""

    port: int
    scheme: str = "http"
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


Handler = Callable[[Asked], Any]
"""Answers `(status, body)` or `(status, body, headers)`, where a body is bytes or JSON; or bytes,
which are written as they are before the connection is closed."""


@pytest.fixture
def serve() -> Iterator[Callable[..., Service]]:
    """Starts servers: `serve(handler)`, with `tls=context` one over TLS."""
    running: list[_Server] = []

    def start(handler: Handler, tls: Any = None) -> Service:
        server = _Server(handler, tls)
        running.append(server)
        return server.service

    yield start
    for server in running:
        server.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, handler: Handler, tls: Any) -> None:
        super().__init__(("127.0.0.1", 0), _RequestHandler)
        self.handler, self.tls = handler, tls
        self.service = Service(self.server_address[1], "https" if tls else "http")
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._stops, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._accept_all)
        self._thread.start()

    def _accept_all(self) -> None:
        """Accepts connections until it is stopped, which takes no time as `shutdown` would."""
        with selectors.DefaultSelector() as selector:
            selector.register(self, selectors.EVENT_READ)
            selector.register(self._stopped, selectors.EVENT_READ)
            while not any(key.fileobj is self._stopped for key, _ in selector.select()):
                self.handle_request()

    def get_request(self) -> Any:
        connection, address = super().get_request()
        with self._lock:
            self.service.connections += 1
            self._open.add(connection)
        return connection, address

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        with self.tls.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves early, or that does not trust us, is none of the server's errors."""

    def stop(self) -> None:
        self._stops.send(b"\0")
        self._thread.join()
        self._stops.close()
        self._stopped.close()
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # it was gone already
        self.server_close()


class _RequestHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def handle_any(self) -> None:
        asked = Asked(
            self.command,
            self.path,
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(int(self.headers.get("content-length", 0))),
        )
        self.server.service.asked.append(asked)
        answer = self.server.handler(asked)
        if isinstance(answer, bytes):
            self.wfile.write(answer)
            self.close_connection = True
            return
        status, body, headers = (*answer, {})[:3]
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"Content-Type": "application/json", "Content-Length": str(len(content))} | headers
        self.send_response(status)
        for name, value in told.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

    def log_message(self, *args: Any) -> None:
        """The tests' output is not the place for an access log."""


@dataclass
class Site:
    """A folder of temporary distributions, which stands in the place of site-packages."""

    folder: Path
    modules: list[str] = field(default_factory=list)

    def install(
        self,
        distribution: str,
        modules: Mapping[str, str],
        *requires: str,
        version: str = "1.0",
        group: str = "convostore",
    ) -> None:
        """Install a distribution with a plugin module for each entry point.

        Args:
            distribution: Its name.
            modules: The modules' sources by the names of the entry points, such as a scheme.
            *requires: What it requires.
            version: Its version.
            group: The group of the entry points.
        """
        info = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        lines = [
            "Metadata-Version: 2.1",
            f"Name: {distribution}",
            f"Version: {version}",
            *(f"Requires-Dist: {each}" for each in requires),
        ]
        (info / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
        points = [f"[{group}]"]
        for name, source in modules.items():
            module = f"{distribution}_{name}".replace("-", "_").replace(".", "_")
            (self.folder / f"{module}.py").write_text(source, encoding="utf-8")
            self.modules.append(module)
            points.append(f"{name} = {module}")
        if modules:
            (info / "entry_points.txt").write_text("\n".join(points) + "\n", encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The only place where distributions are found; `convostore` itself is one of them."""
    import packaging.requirements  # noqa: F401  # plugins need both where site-packages are hidden
    import platformdirs  # noqa: F401

    from convostore import plugins

    folder = tmp_path / "site"
    folder.mkdir()
    made = Site(folder)
    made.install("convostore", {}, version="0.2.0")
    without_others = [each for each in sys.path if not list(Path(each).glob("*.dist-info"))]
    monkeypatch.setattr(sys, "path", [str(folder), *without_others])
    plugins.forget()
    yield made
    plugins.forget()
    for module in made.modules:
        sys.modules.pop(module, None)


@pytest.fixture
def tap(site: Site) -> Iterator[tuple[Tap, str]]:
    """A service whose answers the test pours out, and its DSN."""
    from .support import tap

    site.install("convostore-tap", {"tap": tap.ADAPTER})
    with tap.running() as running:
        yield running
