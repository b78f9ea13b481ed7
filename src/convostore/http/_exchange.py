"""Exchanges: what the transports of both faces do around their client, as a flow of hops.

Redirects are followed as far as they may be, each exchange is told of, and the client's errors
become ours.
"""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from ..errors import ConfigError, InvalidError, ProtocolError, StoreError, UnavailableError
from ..flow import Flow
from ._deadlines import clock
from ._messages import Exchange, Request, Response
from ._options import HTTPOptions
from ._redirects import REDIRECTS, OutgoingRequest, address, body, followed, nowhere

if TYPE_CHECKING:
    import httpx

_log: Final = logging.getLogger("convostore.http")
_MAX_REDIRECTS: Final = 5
_LOCATION: Final = "convostore.location"


@dataclass(slots=True)
class ExchangeStats:
    """What is known of an exchange so far."""

    status: int | None = None
    size: int = 0


class HTTPExchange:
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

    def _exchange(self, request: Request) -> Flow[OutgoingRequest, Response, Response]:
        """Sends a request, follows what may be followed, and tells of it."""
        with self._telling(request) as told:
            response = yield from self._hops(request)
            told.status, told.size = response.status, len(response.content)
            return response

    @contextmanager
    def _telling(self, request: Request) -> Iterator[ExchangeStats]:
        """Tells of an exchange when it is over, however it ends."""
        started = time.perf_counter()
        told = ExchangeStats()
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

    def _hops(self, request: Request) -> Flow[OutgoingRequest, Response, Response]:
        if self._closed:
            raise InvalidError("this store is closed: open it again")
        url = address(self._base_url, request)
        content, headers = body(request)
        self._connect()  # before the time runs: making the client is none of the request's
        patience = self.options.reply_timeout if request.patient else self.options.timeout
        deadline = clock().monotonic() + patience
        for redirects in range(_MAX_REDIRECTS + 1):
            try:
                response = yield OutgoingRequest(
                    request.method, url, content, headers, deadline, request.patient
                )
            except ConfigError:
                if redirects:
                    raise nowhere(request) from None
                raise
            if response.status not in REDIRECTS:
                return response
            url = followed(request, url, response)
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

    def _sent(self, hop: OutgoingRequest) -> dict[str, Any]:
        """A hop as the client's arguments."""
        sent: dict[str, Any] = {"content": hop.content, "headers": hop.headers}
        if hop.patient:
            import httpx

            sent["timeout"] = httpx.Timeout(self.options.timeout, read=self.options.reply_timeout)
        return sent

    @contextmanager
    def _translating(self, hop: OutgoingRequest, *, streamed: bool = False) -> Iterator[None]:
        """Turns the client's errors into ours, whose text repeats no header."""
        import httpx

        asked = f"{hop.method} {urlsplit(hop.url).path}"
        try:
            yield
        except StoreError:
            raise  # it is translated already, and an OSError as well
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

    def _too_late(self, asked: str, hop: OutgoingRequest, *, streamed: bool) -> UnavailableError:
        if not hop.patient:
            return UnavailableError(f"{asked}: no whole answer within {self.options.timeout:g} s")
        bound = f"{self.options.reply_timeout:g} s (reply_timeout)"
        missing = "nothing came for" if streamed else "no whole answer within"
        return UnavailableError(f"{asked}: {missing} {bound}")

    def _bound(self, size: int) -> None:
        """Bounds an answer that is read whole, before it is kept."""
        if size > self.options.max_body:
            raise ProtocolError(
                f"the answer is larger than {self.options.max_body:,} bytes: raise max_body"
            )


def take_location(reply: httpx.Response) -> None:
    """Puts aside where a redirect leads: the client reads it even when it is not to follow it."""
    if reply.status_code in REDIRECTS:
        reply.extensions[_LOCATION] = reply.headers.pop("location", None)


def response_of(reply: httpx.Response, chunks: list[bytes]) -> Response:
    headers = dict(reply.headers.items())  # much quicker than by its keys
    if (location := reply.extensions.get(_LOCATION)) is not None:
        headers["location"] = location
    return Response(reply.status_code, headers, b"".join(chunks))


def comes_piecemeal(reply: httpx.Response) -> bool:
    """Whether a body is to be read as it comes: no refusal, and no page or object of JSON."""
    media_type = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    return reply.status_code < 300 and media_type not in {"application/json", "text/html"}
