"""The HTTP client itself, for interfaces that promise its own responses; the one place that does.

It makes the same client as the transports and sends the same requests, but reads nothing into what
comes: statuses, bodies and the client's own exceptions are the caller's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from ._client import install_backend, make_async_client, make_client
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

    def __init__(self, base_url: str, options: HTTPOptions) -> None:
        self.options = options
        self._base_url = base_url.rstrip("/")

    def _arguments(self, request: Request) -> dict[str, Any]:
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
        super().__init__(base_url, options)
        self._client = make_client(options, authorization)

    def send(self, request: Request, *, stream: bool = False) -> RawResponse:
        """Sends a request.

        Args:
            request: What to send.
            stream: Whether to return the response before its body is read; it is then the caller's
                to close.

        Raises:
            httpx.HTTPError: No answer came, as the client says it.
        """
        outgoing = self._client.build_request(**self._arguments(request))
        return self._client.send(outgoing, stream=stream)

    def close(self) -> None:
        """Closes the connections; calling it twice is fine."""
        self._client.close()


class AsyncRawHTTPClient(_Raw):
    """As `RawHTTPClient`, for an event loop."""

    def __init__(
        self, base_url: str, options: HTTPOptions, authorization: str | None = None
    ) -> None:
        super().__init__(base_url, options)
        self._client = make_async_client(options, authorization)
        install_backend(self._client, ClosingBackend)

    async def send(self, request: Request, *, stream: bool = False) -> RawResponse:
        """As `RawHTTPClient.send`."""
        outgoing = self._client.build_request(**self._arguments(request))
        return await self._client.send(outgoing, stream=stream)

    async def aclose(self) -> None:
        """Closes the connections; calling it twice is fine."""
        await self._client.aclose()
