"""HTTPAdapter: what adapters of HTTP services share; they write flows of requests."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from typing import Any, ClassVar, Final, TypeAlias, TypeVar

from pydantic import SecretStr

from ..adapters import Adapter, AdapterOptions, AsyncTransport, Transport
from ..dsn import DSN
from ..errors import ProtocolError, StoreError, redact
from ..flow import Flow, retrying
from ._messages import Request, Response
from ._options import HTTPOptions
from ._status import status_error
from ._transports import AsyncHTTPTransport, HTTPTransport

T = TypeVar("T")

HTTPFlow: TypeAlias = Flow[Request, Response, T]
"""A flow over HTTP: yields `Request`, is sent `Response`, returns a `T`."""

_PATIENCE: Final = 60.0
"""Seconds: a service that asks for a longer wait gets an error instead, with `retry_after`."""


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
        yield from self.dsn.secrets
        yield from filter(None, [(self.authorization() or "").partition(" ")[2]])
        for value in dict(self.options).values():
            for each in value.values() if isinstance(value, dict) else (value,):
                if isinstance(each, SecretStr):
                    yield each.get_secret_value()

    def wrap(self, flow: HTTPFlow[T]) -> HTTPFlow[T]:
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
