"""Raw HTTP clients, for interfaces that promise httpx's own responses; no other module does.

They make the same client as the transports and send the same requests, but do not interpret what
comes back: statuses, bodies and httpx's exceptions reach the caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from ._client import install_backend, make_async_client, make_client
from ._deadlines import ClosingBackend
from ._messages import Request
from ._options import HTTPOptions
from ._redirects import encode_body, request_url

if TYPE_CHECKING:
    import httpx

    RawResponse: TypeAlias = httpx.Response
else:
    RawResponse = Any
"""A response of httpx, as httpx itself returns it."""


class _Raw:
    """The part shared by the sync and the async client: a request as httpx's arguments."""

    def __init__(self, base_url: str, options: HTTPOptions) -> None:
        self.options = options
        self._base_url = base_url.rstrip("/")

    def _arguments(self, request: Request) -> dict[str, Any]:
        import httpx

        content, headers = encode_body(request)
        patience = self.options.reply_timeout if request.patient else self.options.timeout
        return {
            "method": request.method,
            "url": request_url(self._base_url, request),
            "content": content,
            "headers": headers,
            "timeout": httpx.Timeout(self.options.timeout, read=patience),
        }


class RawHTTPClient(_Raw):
    """A client that returns httpx's own responses; threads may share it."""

    def __init__(
        self, base_url: str, options: HTTPOptions, authorization: str | None = None
    ) -> None:
        super().__init__(base_url, options)
        self._client = make_client(options, authorization)

    def send(self, request: Request, *, stream: bool = False) -> RawResponse:
        """Send a request.

        Args:
            request: The request.
            stream: Whether to return the response before its body is read; the caller then has to
                close it.

        Raises:
            httpx.HTTPError: No response came.
        """
        outgoing = self._client.build_request(**self._arguments(request))
        return self._client.send(outgoing, stream=stream)

    def close(self) -> None:
        """Close the connections; calling it twice is fine."""
        self._client.close()


class AsyncRawHTTPClient(_Raw):
    """The async counterpart of `RawHTTPClient`; belongs to one event loop."""

    def __init__(
        self, base_url: str, options: HTTPOptions, authorization: str | None = None
    ) -> None:
        super().__init__(base_url, options)
        self._client = make_async_client(options, authorization)
        install_backend(self._client, ClosingBackend)

    async def send(self, request: Request, *, stream: bool = False) -> RawResponse:
        """Send a request, as `RawHTTPClient.send` does."""
        outgoing = self._client.build_request(**self._arguments(request))
        return await self._client.send(outgoing, stream=stream)

    async def aclose(self) -> None:
        """Close the connections; calling it twice is fine."""
        await self._client.aclose()
