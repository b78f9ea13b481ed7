"""HTTP adapters: what they share, and the transports that carry their requests.

The only package that imports an HTTP client, inside functions, so that naming an adapter costs
nothing. No httpx type may be in a public signature but in `raw`, and no service's paths or fields
anywhere here.
"""

from __future__ import annotations

from ._adapter import HTTPAdapter, HTTPFlow
from ._framing import EventStream, Lines, ServerSentEvent
from ._messages import Exchange, Method, Request, Response, path
from ._options import HTTPOptions
from ._raw import AsyncRawHTTPClient, RawHTTPClient, RawResponse
from ._status import status_error, status_of
from ._transports import AsyncHTTPTransport, HTTPTransport

__all__ = [
    "AsyncHTTPTransport",
    "AsyncRawHTTPClient",
    "EventStream",
    "Exchange",
    "HTTPAdapter",
    "HTTPFlow",
    "HTTPOptions",
    "HTTPTransport",
    "Lines",
    "Method",
    "RawHTTPClient",
    "RawResponse",
    "Request",
    "Response",
    "ServerSentEvent",
    "path",
    "status_error",
    "status_of",
]
