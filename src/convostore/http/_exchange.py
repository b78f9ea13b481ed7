"""One HTTP exchange without its I/O, shared by the sync and the async transport.

It converts requests into httpx's arguments and httpx's errors into ours, bounds bodies, and reports
each exchange. Nothing is sent or read here.
"""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar
from urllib.parse import urlsplit

from ..errors import ConfigError, InvalidError, ProtocolError, StoreError, UnavailableError
from ._client import parse_url
from ._deadlines import clock
from ._messages import Exchange, Request, Response
from ._options import HTTPOptions
from ._redirects import REDIRECTS, OutgoingRequest, encode_body, invalid_redirect, request_url

if TYPE_CHECKING:
    import httpx

C = TypeVar("C")

_log: Final = logging.getLogger("convostore.http")
_LOCATION: Final = "convostore.location"
_ERRNO: Final = re.compile(r"^\[Errno -?\d+\] ")
_OTHER_PROTOCOLS: Final = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "RECORD_LAYER_FAILURE",
    "record layer failure",
    "PACKET_LENGTH_TOO_LONG",
)
"""Texts of OpenSSL's errors, which differ between its versions."""


@dataclass(slots=True)
class ExchangeStats:
    """The status and the size of an exchange, as far as they are known."""

    status: int | None = None
    size: int = 0


class BoundedBody:
    """The chunks of a body that is read whole, bounded before they are kept."""

    def __init__(self, largest: int) -> None:
        self.chunks: list[bytes] = []
        self._largest = largest
        self._size = 0

    def add(self, chunk: bytes) -> None:
        """Keep the next chunk.

        Raises:
            ProtocolError: The body is too large.
        """
        self._size += len(chunk)
        if self._size > self._largest:
            raise ProtocolError(
                f"the response is larger than {self._largest:,} bytes: raise max_body"
            )
        self.chunks.append(chunk)


class HTTPExchange(ABC, Generic[C]):
    """The base of both transports: all they do around their client `C`, except I/O.

    Args:
        base_url: The URL that paths are appended to.
        options: The options of the service.
        authorization: The ``Authorization`` header; None to send none.
        scheme: The scheme of the DSN, as errors name it; None if there was only a URL.
    """

    def __init__(
        self,
        base_url: str,
        options: HTTPOptions,
        authorization: str | None = None,
        *,
        scheme: str | None = None,
    ) -> None:
        self.options = options
        self._scheme = scheme
        self._base_url = base_url.rstrip("/")
        self._authorization = authorization
        self._closed = False
        self._client: C | None = None
        self._lock = threading.Lock()

    @abstractmethod
    def _make_client(self) -> C:
        """Make the client; it opens no connection yet."""

    def _ensure_client(self) -> C:
        """Return the client, made at the first request."""
        client = self._client
        if client is None:
            with self._lock:
                client = self._client
                if client is None:
                    client = self._client = self._make_client()
        return client

    def _outgoing(self, request: Request) -> OutgoingRequest:
        """Return a request as it is sent first, with the deadline that its redirects share.

        Raises:
            InvalidError: The store is closed, or the request cannot be sent.
        """
        if self._closed:
            raise _closed()
        url = request_url(self._base_url, request)
        content, headers = encode_body(request)
        self._ensure_client()  # before the time runs: making the client is slow
        patience = self.options.reply_timeout if request.patient else self.options.timeout
        return OutgoingRequest(request, url, content, headers, clock().monotonic() + patience)

    def _arguments(self, outgoing: OutgoingRequest) -> dict[str, Any]:
        """Return a request as the client's arguments."""
        arguments: dict[str, Any] = {
            "method": outgoing.request.method,
            "url": parse_url(outgoing.url),
            "content": outgoing.content,
            "headers": outgoing.headers,
        }
        if outgoing.request.patient:
            import httpx

            timeout = httpx.Timeout(self.options.timeout, read=self.options.reply_timeout)
            arguments["timeout"] = timeout
        return arguments

    @contextmanager
    def _reporting(self, request: Request) -> Iterator[ExchangeStats]:
        """Report an exchange when it is over, however it ends."""
        started = time.perf_counter()
        stats = ExchangeStats()
        failure: StoreError | None = None
        try:
            yield stats
        except StoreError as error:
            failure = error
            raise
        finally:
            self._report(
                Exchange(
                    method=request.method,
                    path=request.path,
                    status=stats.status,
                    seconds=time.perf_counter() - started,
                    size=stats.size,
                    error=failure,
                )
            )

    def _report(self, exchange: Exchange) -> None:
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

    @contextmanager
    def _translating(self, outgoing: OutgoingRequest, *, streamed: bool = False) -> Iterator[None]:
        """Convert the client's errors into ours, whose text repeats no header."""
        import httpx

        try:
            yield
        except StoreError:
            raise  # it is one of ours already, and may be an OSError as well
        except (OSError, UnicodeError, httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._error(error, outgoing, streamed=streamed) from None
        except RuntimeError:  # of httpx, if the client was closed just before
            if self._closed:
                raise _closed() from None
            raise

    def _error(self, error: Exception, outgoing: OutgoingRequest, *, streamed: bool) -> StoreError:
        import httpx

        summary = outgoing.summary
        match error:
            case httpx.ConnectTimeout():
                return UnavailableError(
                    f"{summary}: cannot reach {self._destination()} within "
                    f"{self.options.timeout:g} s: check the address, or raise timeout"
                )
            case TimeoutError() | httpx.TimeoutException():
                return self._too_late(outgoing, streamed=streamed)
            case httpx.DecodingError():
                return ProtocolError(f"{summary}: the response cannot be decompressed")
            case httpx.InvalidURL() | httpx.UnsupportedProtocol() | UnicodeError():
                if outgoing.redirects:
                    return invalid_redirect(outgoing.request)
                return ConfigError(f"{summary}: the base URL must be a valid http or https URL")
            case httpx.LocalProtocolError():
                return InvalidError(
                    f"{summary}: headers and ids must be valid HTTP: check the option headers"
                )
        if self.options.proxy is None and _speaks_no_tls(error):
            return self._no_tls(summary)
        # The text of a protocol error may repeat what the service sent, including a secret.
        reason = f": {error}" if isinstance(error, OSError | httpx.NetworkError) else ""
        if isinstance(error, httpx.ConnectError | socket.gaierror):
            return self._unreachable(summary, _ERRNO.sub("", str(error)))
        return UnavailableError(
            f"{summary}: no complete response from {self._origin()} "
            f"({type(error).__name__}{reason})"
        )

    def _origin(self) -> str:
        base = urlsplit(self._base_url)
        return f"{base.scheme}://{base.netloc}"

    def _unreachable(self, summary: str, reason: str) -> UnavailableError:
        advice = "check the address, and that the service is running"
        if "CERTIFICATE" in reason:
            advice = "check the certificate, or name its authority with verify"
        elif self.options.proxy is not None:
            advice = "check the option proxy, and the address"
        return UnavailableError(
            f"{summary}: cannot reach {self._destination()} ({reason}): {advice}"
        )

    def _destination(self) -> str:
        """Return the service's address, and whether a proxy leads there; its URL is a secret."""
        return self._origin() + (" through the proxy" if self.options.proxy is not None else "")

    def _no_tls(self, summary: str) -> ConfigError:
        scheme = f"{self._scheme}+http" if self._scheme else "http"
        return ConfigError(
            f"{summary}: the service at {self._origin()} does not speak TLS: "
            f"did you mean {scheme}://{urlsplit(self._base_url).netloc}?"
        )

    def _too_late(self, outgoing: OutgoingRequest, *, streamed: bool) -> UnavailableError:
        if not outgoing.request.patient:
            return UnavailableError(
                f"{outgoing.summary}: no complete response within {self.options.timeout:g} s"
            )
        missing = "no data for" if streamed else "no complete response within"
        return UnavailableError(
            f"{outgoing.summary}: {missing} {self.options.reply_timeout:g} s (reply_timeout)"
        )


def _closed() -> InvalidError:
    return InvalidError("this store is closed: open it again")


def _speaks_no_tls(error: Exception) -> bool:
    """Return whether the first bytes of a TLS handshake were answered by another protocol."""
    import httpx

    return isinstance(error, httpx.ConnectError) and any(
        reason in str(error) for reason in _OTHER_PROTOCOLS
    )


def take_location(reply: httpx.Response) -> None:
    """Move a redirect's location out of httpx's sight: it parses it even when not to follow it."""
    if reply.status_code in REDIRECTS:
        reply.extensions[_LOCATION] = reply.headers.pop("location", None)


def response_of(reply: httpx.Response, chunks: list[bytes]) -> Response:
    """Return httpx's response, with these chunks of its body, as ours."""
    headers = dict(reply.headers.items())  # much faster than dict(reply.headers)
    if (location := reply.extensions.get(_LOCATION)) is not None:
        headers["location"] = location
    return Response(reply.status_code, headers, b"".join(chunks))


def is_streamed(reply: httpx.Response) -> bool:
    """Return whether to stream a body: not that of an error, a JSON object or a page of HTML."""
    media_type = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    return reply.status_code < 300 and media_type not in {"application/json", "text/html"}
