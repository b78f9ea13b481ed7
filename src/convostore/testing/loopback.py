"""A small real HTTP server on 127.0.0.1, and a guard that fails any other use of the network.

A test or a demonstration determines the answers, with a function from request to response. No
service's paths or fields may be here, and no HTTP client.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import sys
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, NoReturn, Protocol, TypeAlias, cast
from urllib.parse import parse_qsl, urlsplit

from ..errors import ProtocolError
from ..http import Method, Request, Response
from ..models import JSON
from ..parsing import decode_json

__all__ = [
    "FRAMING_HEADERS",
    "Handler",
    "LoopbackServer",
    "WireAnswer",
    "closed_network",
    "replay",
    "serve",
]


class WireAnswer(Protocol):
    """An answer that writes its bytes itself, where no `Response` will do."""

    def write_to(self, connection: socket.socket) -> bool:
        """Write to the client, and return whether to wait for its next request."""


Handler: TypeAlias = Callable[[Request], Response | WireAnswer]
"""A function that answers a request; several threads may call it at a time."""

FRAMING_HEADERS: Final = frozenset(
    {"connection", "content-length", "keep-alive", "transfer-encoding"}
)
"""The headers that the server sets itself, whatever a response says."""
_WITHOUT_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1"})


class LoopbackServer:
    """A server that runs while its ``with`` does; `serve` makes one.

    Entering starts it and gives its URL, leaving ends its threads and closes its sockets.

    Attributes:
        url: ``http://127.0.0.1:<port>``; empty before it runs.
        connections: How many connections it has accepted.
        requests: How many requests it has read.
        errors: The exceptions of the handler, in order; the clients were answered 500.
    """

    def __init__(self, handler: Handler, *, latency: float = 0.0) -> None:
        self.handler = handler
        self.latency = latency
        self.url = ""
        self.connections = 0
        self.requests = 0
        self.errors: list[Exception] = []
        self._changed = threading.Condition()
        self._ending = threading.Event()

    def __enter__(self) -> str:
        self._ending.clear()
        self._listener = _Listener(self)
        self.url = f"http://127.0.0.1:{self._listener.server_address[1]}"
        self._thread = threading.Thread(target=self._listener.accept_all, name="loopback")
        self._thread.start()
        return self.url

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._listener.stop()
        self._thread.join()
        self._listener.hang_up()
        self._listener.server_close()

    def wait_until(self, condition: Callable[[], bool], *, seconds: float) -> bool:
        """Wait until a condition holds; it is checked whenever the server changes.

        Returns:
            Whether it came to hold within the time.
        """
        with self._changed:
            return self._changed.wait_for(condition, seconds)

    def is_left(self) -> bool:
        """Return whether no client is connected."""
        return not self._listener.open_connections

    def count_connection(self) -> None:
        with self._changed:
            self.connections += 1
            self._changed.notify_all()

    def note_end_of_connection(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def answer(self, request: Request) -> Response | WireAnswer:
        """Answer one request after the latency; a handler that raises is a 500 and an error."""
        with self._changed:
            self.requests += 1
            self._changed.notify_all()
        self._ending.wait(self.latency)
        try:
            return self.handler(request)
        except Exception as error:  # whatever it is, the client is to get an answer
            self.errors.append(error)
            text = f"{type(error).__name__}: {error}"
            return Response(500, {"content-type": "text/plain; charset=utf-8"}, text.encode())


def serve(handler: Handler, *, latency: float = 0.0) -> LoopbackServer:
    """Return a server to be used in a ``with``, which gives its URL.

    Args:
        handler: Answers each request. `Request.path` is percent-encoded as it came, header names
            are lower-case, and a JSON body is decoded.
        latency: Seconds to wait before each answer.
    """
    return LoopbackServer(handler, latency=latency)


def replay(cassettes: Iterable[Mapping[str, Any]], *, by_field: str | None = None) -> Handler:
    """Return a handler that answers from recordings, by method and path, in their order.

    The last answer of a method and path repeats, so that a thing can be read twice; the query does
    not count. A request that was not recorded raises `LookupError`, which a server keeps in its
    `errors`.

    Args:
        cassettes: In the format of vcrpy, parsed: reading the YAML is the caller's.
        by_field: A field of JSON bodies that distinguishes requests to one path, such as the
            service's name for the conversation's id.
    """
    recorded: defaultdict[tuple[str, str, object], deque[Response]] = defaultdict(deque)
    for cassette in cassettes:
        for exchange in cassette["interactions"]:
            request_data = exchange["request"]
            body = (
                decode_json(request_data["body"]) if by_field and request_data.get("body") else None
            )
            key = (
                request_data["method"],
                urlsplit(request_data["uri"]).path,
                _field(body, by_field),
            )
            recorded[key].append(_recorded_response(exchange["response"]))
    lock = threading.Lock()

    def handler(request: Request) -> Response:
        with lock:
            key = (request.method, request.path, _field(request.json, by_field))
            answers = recorded.get(key)
            if answers is None:
                raise LookupError(f"{request.method} {request.path} was not recorded")
            return answers.popleft() if len(answers) > 1 else answers[0]

    return handler


def _field(body: JSON, name: str | None) -> object:
    return body.get(name) if name is not None and isinstance(body, dict) else None


def _recorded_response(response: Mapping[str, Any]) -> Response:
    body: str | bytes = response["body"]["string"]
    return Response(
        status=response["status"]["code"],
        headers={name.lower(): ", ".join(values) for name, values in response["headers"].items()},
        content=body.encode() if isinstance(body, str) else body,
    )


class _Listener(ThreadingHTTPServer):
    """A listener with one thread per connection, which can end the open ones."""

    daemon_threads = False  # so that closing waits for them
    request_queue_size = 128

    def __init__(self, loopback: LoopbackServer) -> None:
        self.loopback = loopback
        self.open_connections: set[socket.socket] = set()
        self.hung_up = False
        self._stops, self._stopped = socket.socketpair()
        super().__init__(("127.0.0.1", 0), _Connection)

    def accept_all(self) -> None:
        """Accept connections until stopped; unlike `shutdown`, stopping takes no time."""
        with selectors.DefaultSelector() as selector:
            selector.register(self, selectors.EVENT_READ)
            selector.register(self._stopped, selectors.EVENT_READ)
            while not any(key.fileobj is self._stopped for key, _ in selector.select()):
                self.handle_request()

    def stop(self) -> None:
        self._stops.send(b"\0")

    def server_close(self) -> None:
        super().server_close()
        self._stops.close()
        self._stopped.close()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.open_connections.add(connection)
        self.loopback.count_connection()
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.open_connections.discard(request)
        self.loopback.note_end_of_connection()

    def hang_up(self) -> None:
        """End the connections that clients keep alive, and with them their threads."""
        self.hung_up = True
        for connection in tuple(self.open_connections):
            with contextlib.suppress(OSError):  # its thread may have closed it just now
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep what went wrong here.

        It is not an error if a client leaves in the middle, or if a connection that is ended from
        here fails.
        """
        error = sys.exception()
        harmless = (OSError, ValueError) if self.hung_up else ConnectionError
        if isinstance(error, Exception) and not isinstance(error, harmless):
            self.loopback.errors.append(error)


class _Connection(BaseHTTPRequestHandler):
    """One connection: bytes to a `Request`, a `Response` to bytes."""

    server: _Listener
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer leaves in one piece
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        if "transfer-encoding" in self.headers:
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
            return
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            request = self._request(body)
        except ProtocolError as error:  # a body that claims to be JSON
            self.send_error(HTTPStatus.BAD_REQUEST, explain=str(error))
            return
        self._send(self.server.loopback.answer(request))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _request(self, body: bytes) -> Request:
        path, _, query = self.path.partition("?")
        return Request(
            method=cast("Method", self.command),
            path=path,
            query=tuple(parse_qsl(query, keep_blank_values=True)),
            json=self._json(body),
            headers=tuple((name.lower(), value) for name, value in self.headers.items()),
        )

    def _json(self, body: bytes) -> JSON:
        is_json = self.headers.get_content_subtype().rpartition("+")[2] == "json"
        return decode_json(body, "the request's body") if body and is_json else None

    def _send(self, response: Response | WireAnswer) -> None:
        if not isinstance(response, Response):
            self.close_connection = not response.write_to(self.connection)
            return
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            if name not in FRAMING_HEADERS:
                self.send_header(name, value)
        if response.status not in _WITHOUT_BODY:
            self.send_header("content-length", str(len(response.content)))
        self.end_headers()
        if self.command != "HEAD" and response.status not in _WITHOUT_BODY:
            self.wfile.write(response.content)

    def finish(self) -> None:
        """Close both ends, even where the last of an answer cannot be sent any more."""
        try:
            super().finish()
        finally:
            self.rfile.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@contextlib.contextmanager
def closed_network(*ports: int) -> Iterator[None]:
    """Fail the test that looks a host up or connects to one, whatever catches the error.

    Connections within this machine stay open, as some event loops wake themselves by one.

    Args:
        *ports: Ports of this machine that are closed all the same, such as a recorded server's.
    """
    import pytest

    def refuse(*args: object, **options: object) -> NoReturn:
        pytest.fail(f"the network was used: {args} {options}")

    def within(connect: Callable[[socket.socket, Any], Any]) -> Callable[[socket.socket, Any], Any]:
        def connect_within(self: socket.socket, address: Any) -> Any:  # as wide as the socket's own
            host, port = address[:2] if isinstance(address, tuple) else (None, None)
            if host not in _THIS_MACHINE or port in ports:
                refuse(address)
            return connect(self, address)

        return connect_within

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", refuse)
        patch.setattr(socket.socket, "connect", within(socket.socket.connect))
        patch.setattr(socket.socket, "connect_ex", within(socket.socket.connect_ex))
        yield
