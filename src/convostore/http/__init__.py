"""HTTP adapters: what they share, and the transports that carry their requests.

The only package that imports an HTTP client, inside functions, so that naming an adapter costs
nothing. No httpx type may stand in a public signature but in `raw`, and no service's paths or
fields anywhere here.
"""

from __future__ import annotations

from ..exchange import Exchange, Method, Request, Response, path, status_error
from .adapter import HTTPAdapter, HTTPFlow
from .options import HTTPOptions
from .raw import AsyncRawHTTPClient, RawHTTPClient, RawResponse
from .transports import AsyncHTTPTransport, HTTPTransport

__all__ = [
    "AsyncHTTPTransport",
    "AsyncRawHTTPClient",
    "Exchange",
    "HTTPAdapter",
    "HTTPFlow",
    "HTTPOptions",
    "HTTPTransport",
    "Method",
    "RawHTTPClient",
    "RawResponse",
    "Request",
    "Response",
    "path",
    "status_error",
]
