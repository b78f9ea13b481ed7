"""HTTP adapters: what they share, and the two transports that carry their requests.

The only module that imports an HTTP client, inside its transports, so that naming an adapter costs
nothing. No httpx type may stand in a public signature, and no service's paths or fields here.
"""

from __future__ import annotations

import base64
import json
import logging
import random
import threading
import time
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import (
    AsyncExitStack,
    ExitStack,
    aclosing,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, TypeAlias, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from .adapter import (
    Adapter,
    AdapterOptions,
    AsyncIncoming,
    AsyncTransport,
    Incoming,
    Transport,
)
from .dsn import DSN
from .errors import ConfigError, InvalidError, ProtocolError, StoreError, UnavailableError, redact
from .exchange import Exchange, Method, Request, Response, path, status_error
from .flow import Flow, arun, retrying, run
from .network import BoundedBackend, ClosingBackend, Deadline

if TYPE_CHECKING:
    import httpx

__all__ = [
    "AsyncHTTPTransport",
    "Exchange",
    "HTTPAdapter",
    "HTTPFlow",
    "HTTPOptions",
    "HTTPTransport",
    "Method",
    "Request",
    "Response",
    "path",
    "status_error",
]

T = TypeVar("T")

HTTPFlow: TypeAlias = Flow[Request, Response, T]
"""A flow over HTTP: yields `Request`, is sent `Response`, returns a `T`."""

_log: Final = logging.getLogger("convostore.http")
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS: Final = 5
_KEEP_ALIVE: Final = 4.0
"""Seconds that an idle connection is kept: Node closes its side after 5."""
_LONGEST_URL: Final = 65_536
"""Characters; the client takes no more."""
_LOCATION: Final = "convostore.location"
_PATIENCE: Final = 60.0
"""Seconds: a service that asks for a longer wait gets an error instead, with `retry_after`."""


def _header_lines(value: object) -> object:
    """Reads ``Name: value`` lines, the form that DSNs and environment variables can hold."""
    if not isinstance(value, str):
        return value
    lines = [line.partition(":") for line in value.splitlines() if line.strip()]
    return {name.strip(): content.strip() for name, _, content in lines}


class HTTPOptions(AdapterOptions):
    """The options that every HTTP adapter takes.

    Attributes:
        timeout: Seconds for one request: from connecting to the end of its answer. Each attempt
            has as many, and the waits between attempts are not counted.
        reply_timeout: Seconds that a model may take: for the whole of a reply that is not streamed,
            and between two pieces of one that is.
        retries: How often one harmless request is repeated after a passing failure; 0 turns it off.
        concurrency: How many requests of one store are under way at a time (async).
        headers: Sent with every request; in a DSN or the environment as ``Name: value`` lines.
        verify: Whether to verify TLS certificates, or the path of a file of trusted ones.
        proxy: The URL of a proxy; the environment's proxies are used without it.
        max_body: The most bytes of one answer.
        trace: Called with an `Exchange` after each request; only as an argument.
    """

    timeout: float = Field(default=30.0, gt=0)
    reply_timeout: float = Field(default=120.0, gt=0)
    retries: int = Field(default=2, ge=0)
    concurrency: int = Field(default=4, ge=1)
    headers: Annotated[dict[str, SecretStr], BeforeValidator(_header_lines)] = Field(
        default_factory=dict
    )
    verify: Annotated[bool | str, Field(union_mode="left_to_right")] = True
    proxy: SecretStr | None = None
    max_body: int = Field(default=512 * 2**20, ge=1)
    trace: Callable[[Exchange], None] | None = Field(default=None, repr=False)

    @field_validator("headers")
    @classmethod
    def _headers_are_sendable(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            text = name + value.get_secret_value()
            if not name or not text.isprintable() or not text.isascii():
                raise ValueError("a header must be printable ASCII on one line")
        return headers


class HTTPAdapter(Adapter[Request, Response]):
    """What adapters of HTTP services share: transports, retries, and reading failures.

    A subclass writes operations as flows of `Request` and, where its service has its own way to say
    no, `failure`.
    """

    Options: ClassVar[type[AdapterOptions]] = HTTPOptions

    def __init__(self, dsn: DSN, options: Any) -> None:
        super().__init__(dsn, options)
        self.base_url = dsn.base_url.rstrip("/")

    def transport(self) -> Transport[Request, Response]:
        return HTTPTransport(self.base_url, self.options, self.authorization())

    def async_transport(self) -> AsyncTransport[Request, Response]:
        return AsyncHTTPTransport(self.base_url, self.options, self.authorization())

    def authorization(self) -> str | None:
        """The ``Authorization`` header; by default HTTP Basic when the DSN names a user."""
        if self.dsn.username is None:
            return None
        pair = f"{self.dsn.username}:{self.dsn.password or ''}"
        return "Basic " + base64.b64encode(pair.encode()).decode("ascii")

    def secrets(self) -> Iterator[str]:
        """What must never show in a message: every secret option, password and header."""
        yield from filter(None, (self.dsn.password, (self.authorization() or "").partition(" ")[2]))
        for value in dict(self.options).values():
            for each in value.values() if isinstance(value, dict) else (value,):
                if isinstance(each, SecretStr):
                    yield each.get_secret_value()

    def surround(self, flow: HTTPFlow[T]) -> HTTPFlow[T]:
        return retrying(
            self._redacting(flow),
            retries=self.options.retries,
            failure=self.failure,
            repeatable=lambda request: request.repeatable,
            delay=_delay,
        )

    def _redacting(self, flow: HTTPFlow[T]) -> HTTPFlow[T]:
        try:
            return (yield from flow)
        except StoreError as error:
            self.redact(error)
            raise

    def redact(self, error: StoreError) -> None:
        secrets = tuple(self.secrets())
        error.args = (redact(str(error), secrets),)
        error.detail = error.detail and redact(error.detail, secrets)
        if isinstance(error, ProtocolError):
            error.excerpt = error.excerpt and redact(error.excerpt, secrets)

    def failure(self, request: Request, response: Response) -> StoreError | None:
        """Says which error a reply stands for; None when it is a result.

        Pure, so that a test needs no service. By default the HTTP status decides.
        """
        return status_error(request, response)


def _delay(attempts: int, error: StoreError) -> float | None:
    asked: float | None = getattr(error, "retry_after", None)
    if asked is not None:
        return asked if asked <= _PATIENCE else None
    return min(8.0, 0.25 * 2.0**attempts) * random.uniform(0.5, 1.0)  # noqa: S311  # no secret


@dataclass(frozen=True, slots=True, repr=False)
class _Hop:
    """One request as the client sends it; a redirect makes another.

    Attributes:
        deadline: When its answer has to be whole, by `time.monotonic`; the same for all that a
            request is redirected to.
        patient: Whether a model answers it.
    """

    method: Method
    url: str
    content: bytes | None
    headers: dict[str, str]
    deadline: float
    patient: bool


@dataclass(slots=True)
class _Told:
    """What is known of an exchange so far."""

    status: int | None = None
    size: int = 0


class _Exchanges:
    """What both transports do around their client: a flow of hops, written once."""

    def __init__(
        self, base_url: str, options: HTTPOptions, authorization: str | None = None
    ) -> None:
        self.options = options
        self._base_url = base_url.rstrip("/")
        self._authorization = authorization
        self._closed = False

    @abstractmethod
    def _connect(self) -> object:
        """Makes the client, where it is not made yet."""

    def _client_arguments(self) -> dict[str, Any]:
        from http.cookiejar import CookieJar, DefaultCookiePolicy
        from importlib.metadata import version

        import httpx

        headers = {
            "accept": "application/json",
            "user-agent": f"convostore/{version('convostore')}",
        }
        if self._authorization is not None:
            headers["authorization"] = self._authorization
        for name, value in self.options.headers.items():
            headers[name.lower()] = value.get_secret_value()
        proxy = self.options.proxy
        verify: object = self.options.verify
        if isinstance(verify, str):
            import ssl

            try:
                verify = ssl.create_default_context(cafile=verify)
            except OSError:
                raise ConfigError("verify names no readable file of certificates") from None
        return {
            "headers": headers,
            "timeout": httpx.Timeout(self.options.timeout),
            "limits": httpx.Limits(keepalive_expiry=_KEEP_ALIVE),
            "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            "verify": verify,
            "proxy": proxy.get_secret_value() if proxy else None,
        }

    def _exchange(self, request: Request) -> Flow[_Hop, Response, Response]:
        """Sends a request, follows what may be followed, and tells of it."""
        with self._telling(request) as told:
            response = yield from self._hops(request)
            told.status, told.size = response.status, len(response.content)
            return response

    @contextmanager
    def _telling(self, request: Request) -> Iterator[_Told]:
        """Tells of an exchange when it is over, however it ends."""
        started = time.perf_counter()
        told = _Told()
        failed: StoreError | None = None
        try:
            yield told
        except StoreError as error:
            failed = error
            raise
        finally:
            self._tell(
                Exchange(
                    method=request.method,
                    path=request.path,
                    status=told.status,
                    seconds=time.perf_counter() - started,
                    size=told.size,
                    error=failed,
                )
            )

    def _hops(self, request: Request) -> Flow[_Hop, Response, Response]:
        if self._closed:
            raise InvalidError("this store is closed: open it again")
        url = self._base_url + request.path
        if request.query:
            url += f"?{_query(request)}"
        if len(url) > _LONGEST_URL:
            raise InvalidError(f"{request.method}: an id or a query is too long for an address")
        headers = dict(request.headers)
        content: bytes | None = None
        if request.json is not None:
            content = json.dumps(request.json, separators=(",", ":")).encode("ascii")
            headers["content-type"] = "application/json"
        self._connect()  # before the time runs: making the client is none of the request's
        patience = self.options.reply_timeout if request.patient else self.options.timeout
        deadline = time.monotonic() + patience
        for redirects in range(_MAX_REDIRECTS + 1):
            try:
                response = yield _Hop(
                    request.method, url, content, headers, deadline, request.patient
                )
            except ConfigError:
                if redirects:
                    raise _nowhere(request) from None
                raise
            if response.status not in _REDIRECTS:
                return response
            url = _followed(request, url, response)
        raise ProtocolError(f"{request.method} {request.path} is redirected in a circle")

    def _tell(self, exchange: Exchange) -> None:
        _log.debug(
            "%s %s -> %s (%.1f ms, %d bytes)",
            exchange.method,
            exchange.path,
            exchange.status or exchange.error,
            exchange.seconds * 1000,
            exchange.size,
        )
        if self.options.trace is not None:
            try:
                self.options.trace(exchange)
            except Exception:
                _log.exception("the trace callback failed; the request did not")

    def _sent(self, hop: _Hop) -> dict[str, Any]:
        """A hop as the client's arguments."""
        sent: dict[str, Any] = {"content": hop.content, "headers": hop.headers}
        if hop.patient:
            import httpx

            sent["timeout"] = httpx.Timeout(self.options.timeout, read=self.options.reply_timeout)
        return sent

    @contextmanager
    def _translating(self, hop: _Hop, *, streamed: bool = False) -> Iterator[None]:
        """Turns the client's errors into ours, whose text repeats no header."""
        import httpx

        asked = f"{hop.method} {urlsplit(hop.url).path}"
        try:
            yield
        except httpx.ConnectTimeout:
            raise UnavailableError(
                f"{asked}: no connection within {self.options.timeout:g} s"
            ) from None
        except (TimeoutError, httpx.TimeoutException):
            raise self._too_late(asked, hop, streamed=streamed) from None
        except httpx.DecodingError:
            raise ProtocolError(f"{asked}: the answer's compression is broken") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
            raise ConfigError(f"{asked}: the base URL is none that HTTP can reach") from None
        except httpx.LocalProtocolError:
            raise InvalidError(f"{asked}: a header or the path is not legal HTTP") from None
        except (OSError, httpx.HTTPError) as error:
            # Of a protocol error the text may repeat what the service sent, and that a secret.
            said = f": {error}" if isinstance(error, OSError | httpx.NetworkError) else ""
            host = urlsplit(self._base_url)
            raise UnavailableError(
                f"{asked}: {host.scheme}://{host.netloc} gave no whole answer "
                f"({type(error).__name__}{said})"
            ) from None

    def _too_late(self, asked: str, hop: _Hop, *, streamed: bool) -> UnavailableError:
        if not hop.patient:
            return UnavailableError(f"{asked}: no whole answer within {self.options.timeout:g} s")
        bound = f"{self.options.reply_timeout:g} s (reply_timeout)"
        missing = "nothing came for" if streamed else "no whole answer within"
        return UnavailableError(f"{asked}: {missing} {bound}")

    def _grown(self, size: int, chunk: bytes) -> int:
        if size + len(chunk) > self.options.max_body:
            raise ProtocolError(
                f"the answer is larger than {self.options.max_body:,} bytes: raise max_body"
            )
        return size + len(chunk)


def _followed(request: Request, url: str, response: Response) -> str:
    """Where a redirect leads, if it may be followed: only reading, and only on the same origin.

    A credential so never leaves its service, and a delete of one thing never becomes a call on the
    collection that the thing stood in.
    """
    old = urlsplit(url)
    try:
        target = urljoin(url, response.headers.get("location", ""))
        new = urlsplit(target)
    except ValueError:
        raise _nowhere(request) from None
    if request.method not in {"GET", "HEAD"} or (old.scheme, old.netloc) != (
        new.scheme,
        new.netloc,
    ):
        place = f"{new.scheme}:" + (f"//{new.hostname}" if new.hostname else "")
        raise ProtocolError(
            f"{request.method} {request.path} is redirected to {place}, "
            "which is not followed: check the base URL"
        )
    return target


def _nowhere(request: Request) -> ProtocolError:
    return ProtocolError(f"{request.method} {request.path} is redirected to nowhere")


def _take_location(reply: httpx.Response) -> None:
    """Puts aside where a redirect leads: the client reads it even when it is not to follow it."""
    if reply.status_code in _REDIRECTS:
        reply.extensions[_LOCATION] = reply.headers.pop("location", None)


def _response(reply: httpx.Response, chunks: list[bytes]) -> Response:
    headers = dict(reply.headers)
    if (location := reply.extensions.get(_LOCATION)) is not None:
        headers["location"] = location
    return Response(reply.status_code, headers, b"".join(chunks))


def _comes_piecemeal(reply: httpx.Response) -> bool:
    """Whether a body is to be read as it comes: no refusal, and no page or object of JSON."""
    media_type = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    return reply.status_code < 300 and media_type not in {"application/json", "text/html"}


def _query(request: Request) -> str:
    try:
        return urlencode(request.query)
    except UnicodeEncodeError:
        raise InvalidError("a query holds a lone surrogate, which no URL can carry") from None


@contextmanager
def _configuring() -> Iterator[None]:
    """Turns what a client says of its proxy, perhaps with a password, into an error of ours."""
    import httpx

    try:
        yield
    except (ValueError, TypeError, ImportError, httpx.InvalidURL):
        raise ConfigError("proxy, or the environment's, is none that HTTP can use") from None


def _underlay(client: httpx.Client | httpx.AsyncClient, put: Callable[[Any], object]) -> None:
    """Puts something below a client's pools; httpx has no argument for it, httpcore has one."""
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001
        pool: Any = getattr(transport, "_pool", None)  # Any: httpcore's, and private in httpx
        backend = getattr(pool, "_network_backend", None)
        if backend is not None:
            pool._network_backend = put(backend)  # noqa: SLF001


class HTTPTransport(_Exchanges, Transport[Request, Response]):
    """Carries requests over one `httpx.Client`, made at the first; threads may share it."""

    _client: httpx.Client | None = None

    def __init__(
        self, base_url: str, options: HTTPOptions, authorization: str | None = None
    ) -> None:
        super().__init__(base_url, options, authorization)
        self._lock = threading.Lock()
        self._deadline = Deadline()

    def send(self, request: Request) -> Response:
        return run(self._exchange(request), self._fetch)

    def _fetch(self, hop: _Hop) -> Response:
        client = self._connect()
        with (
            self._translating(hop),
            self._deadline.at(hop.deadline),
            client.stream(hop.method, hop.url, **self._sent(hop)) as reply,
        ):
            chunks, size = [], 0
            for chunk in reply.iter_bytes():
                size = self._grown(size, chunk)
                chunks.append(chunk)
            return _response(reply, chunks)

    @contextmanager
    def stream(self, request: Request) -> Iterator[Incoming[Response]]:
        with self._telling(request) as told, ExitStack() as replies:
            opened: list[tuple[_Hop, httpx.Response]] = []

            def start(hop: _Hop) -> Response:
                client = self._connect()
                with self._translating(hop, streamed=True):
                    reply = replies.enter_context(
                        client.stream(hop.method, hop.url, **self._sent(hop))
                    )
                    opened.append((hop, reply))
                    whole = [] if _comes_piecemeal(reply) else list(self._pieces(reply, told))
                return _response(reply, whole)

            response = run(self._hops(request), start)
            told.status = response.status
            hop, reply = opened[-1]
            yield Incoming(response, self._streamed(hop, reply, told))

    def _streamed(self, hop: _Hop, reply: httpx.Response, told: _Told) -> Iterator[bytes]:
        with self._translating(hop, streamed=True):
            yield from self._pieces(reply, told)

    def _pieces(self, reply: httpx.Response, told: _Told) -> Iterator[bytes]:
        for chunk in reply.iter_bytes():
            told.size = self._grown(told.size, chunk)
            yield chunk

    def _connect(self) -> httpx.Client:
        if self._client is not None:
            return self._client
        import httpx

        with self._lock:
            if self._client is None:
                with _configuring():
                    client = httpx.Client(
                        **self._client_arguments(), event_hooks={"response": [_take_location]}
                    )
                _underlay(client, lambda backend: BoundedBackend(backend, self._deadline))
                self._client = client
            return self._client

    def close(self) -> None:
        self._closed = True
        if self._client is not None:
            self._client.close()


class AsyncHTTPTransport(_Exchanges, AsyncTransport[Request, Response]):
    """Carries requests over one `httpx.AsyncClient`, `concurrency` of them at a time."""

    _client: httpx.AsyncClient | None = None

    def __init__(
        self, base_url: str, options: HTTPOptions, authorization: str | None = None
    ) -> None:
        import asyncio

        super().__init__(base_url, options, authorization)
        self.concurrency = options.concurrency
        self._slots = asyncio.Semaphore(self.concurrency)

    async def send(self, request: Request) -> Response:
        async with self._slots:
            return await arun(self._exchange(request), self._fetch)

    async def _fetch(self, hop: _Hop) -> Response:
        import asyncio

        client = self._connect()
        with self._translating(hop):
            async with (
                asyncio.timeout(hop.deadline - time.monotonic()),
                client.stream(hop.method, hop.url, **self._sent(hop)) as reply,
            ):
                chunks, size = [], 0
                async for chunk in reply.aiter_bytes():
                    size = self._grown(size, chunk)
                    chunks.append(chunk)
                return _response(reply, chunks)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIncoming[Response]]:
        async with AsyncExitStack() as replies:
            told = replies.enter_context(self._telling(request))
            opened: list[tuple[_Hop, httpx.Response]] = []

            async def start(hop: _Hop) -> Response:
                client = self._connect()
                with self._translating(hop, streamed=True):
                    reply = await replies.enter_async_context(
                        client.stream(hop.method, hop.url, **self._sent(hop))
                    )
                    opened.append((hop, reply))
                    whole = (
                        []
                        if _comes_piecemeal(reply)
                        else [each async for each in self._pieces(reply, told)]
                    )
                return _response(reply, whole)

            response = await arun(self._hops(request), start)
            told.status = response.status
            hop, reply = opened[-1]
            chunks = await replies.enter_async_context(aclosing(self._streamed(hop, reply, told)))
            yield AsyncIncoming(response, chunks)

    async def _streamed(
        self, hop: _Hop, reply: httpx.Response, told: _Told
    ) -> AsyncGenerator[bytes]:
        with self._translating(hop, streamed=True):
            async with aclosing(self._pieces(reply, told)) as pieces:
                async for chunk in pieces:
                    yield chunk

    async def _pieces(self, reply: httpx.Response, told: _Told) -> AsyncGenerator[bytes]:
        async for chunk in reply.aiter_bytes():
            told.size = self._grown(told.size, chunk)
            yield chunk

    def _connect(self) -> httpx.AsyncClient:
        if self._client is not None:
            return self._client
        import httpx

        async def take_location(reply: httpx.Response) -> None:
            _take_location(reply)

        with _configuring():
            self._client = httpx.AsyncClient(
                **self._client_arguments(), event_hooks={"response": [take_location]}
            )
        _underlay(self._client, ClosingBackend)
        return self._client

    async def aclose(self) -> None:
        self._closed = True
        if self._client is not None:
            await self._client.aclose()
