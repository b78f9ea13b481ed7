"""HTTPAdapter: transports, retries and redaction for adapters of HTTP services.

No path or field of a service may be here.
"""

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
"""A flow over HTTP: it yields a `Request`, is sent a `Response`, and returns a `T`."""

_LONGEST_WAIT: Final = 60.0
"""Seconds; where a service asks for a longer wait, the error is raised, with `retry_after`."""


class HTTPAdapter(Adapter[Request, Response]):
    """The base of adapters of HTTP services: transports, retries, failures, redaction.

    A subclass writes its operations as flows of `Request`, and overrides `failure` where its
    service reports errors in other ways than by the HTTP status.
    """

    Options: ClassVar[type[AdapterOptions]] = HTTPOptions

    def __init__(self, dsn: DSN, options: Any) -> None:
        super().__init__(dsn, options)
        self.base_url = dsn.base_url.rstrip("/")

    def transport(self) -> Transport[Request, Response]:
        return HTTPTransport(
            self.base_url, self.options, self.authorization(), scheme=self.dsn.scheme
        )

    def async_transport(self) -> AsyncTransport[Request, Response]:
        return AsyncHTTPTransport(
            self.base_url, self.options, self.authorization(), scheme=self.dsn.scheme
        )

    def authorization(self) -> str | None:
        """Return the ``Authorization`` header: HTTP Basic if the DSN names a user, by default."""
        if self.dsn.username is None:
            return None
        pair = f"{self.dsn.username}:{self.dsn.password or ''}"
        return "Basic " + base64.b64encode(pair.encode()).decode("ascii")

    def secrets(self) -> Iterator[str]:
        """Yield what no message may show: secret options, passwords and headers."""
        yield from self.dsn.secrets
        yield from filter(None, [(self.authorization() or "").partition(" ")[2]])
        for value in dict(self.options).values():
            for secret in value.values() if isinstance(value, dict) else (value,):
                if isinstance(secret, SecretStr):
                    yield secret.get_secret_value()

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
        """Return the error that a response reports, or None if it is a result.

        Pure, so that a test needs no service. By default the HTTP status decides.
        """
        return status_error(request, response)


def _delay(attempts: int, error: StoreError) -> float | None:
    retry_after: float | None = getattr(error, "retry_after", None)
    if retry_after is not None:
        return retry_after if retry_after <= _LONGEST_WAIT else None
    return min(8.0, 0.25 * 2.0**attempts) * random.uniform(0.5, 1.0)  # noqa: S311  # jitter, no secret
