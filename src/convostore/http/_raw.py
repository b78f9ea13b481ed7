"""The HTTP client itself, for interfaces that promise its own responses; the one place that does.

It makes the same client as the transports and sends the same requests, but reads nothing into what
comes: statuses, bodies and the client's own exceptions are the caller's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from ._client import client_arguments, config_errors, install_backend
from ._deadlines import ClosingBackend
from ._messages import Request
from ._options import HTTPOptions
from ._redirects import address, body

if TYPE_CHECKING:
    import httpx

    RawResponse: TypeAlias = httpx.Response
    """A response as the HTTP client gives it."""
else:
    RawResponse = Any


class _Raw:
    """What both faces share: a request as the client's arguments."""

    def __init__(
        self, base_url: str, options: HTTPOptions, authorization: str | None = None
    ) -> None:
        self.options = options
        self._base_url = base_url.rstrip("/")
        self._authorization = authorization

    def _arguments(self) -> dict[str, Any]:
        return client_arguments(self.options, self._authorization)

    def _sent(self, request: Request) -> dict[str, Any]:
        import httpx

        content, headers = body(request)
        patience = self.options.reply_timeout if request.patient else self.options.timeout
        return {
            "method": request.method,
            "url": address(self._base_url, request),
            "content": content,
            "headers": headers,
            "timeout": httpx.Timeout(self.options.timeout, read=patience),
        }


class RawHTTPClient(_Raw):
    """Sends requests and returns the client's own responses; threads may share it."""

    def __init__(
        self, base_url: str, options: HTTPOptions, authorization: str | None = None
    ) -> None:
        import httpx

        super().__init__(base_url, options, authorization)
        with config_errors():
            self._client = httpx.Client(**self._arguments())

    def send(self, request: Request, *, stream: bool = False) -> RawResponse:
        """Sends a request.

        Args:
            request: What to send.
            stream: Whether to return the response before its body is read; it is then the caller's
                to close.

        Raises:
            httpx.HTTPError: No answer came, as the client says it.
        """
        return self._client.send(self._client.build_request(**self._sent(request)), stream=stream)

    def close(self) -> None:
        """Closes the connections; calling it twice is fine."""
        self._client.close()


class AsyncRawHTTPClient(_Raw):
    """As `RawHTTPClient`, for an event loop."""

    def __init__(
        self, base_url: str, options: HTTPOptions, authorization: str | None = None
    ) -> None:
        import httpx

        super().__init__(base_url, options, authorization)
        with config_errors():
            self._client = httpx.AsyncClient(**self._arguments())
        install_backend(self._client, ClosingBackend)

    async def send(self, request: Request, *, stream: bool = False) -> RawResponse:
        """As `RawHTTPClient.send`."""
        sent = self._client.build_request(**self._sent(request))
        return await self._client.send(sent, stream=stream)

    async def aclose(self) -> None:
        """Closes the connections; calling it twice is fine."""
        await self._client.aclose()
