"""HTTP for adapters: requests, responses, the transports that carry them, and stream framing.

This is the only package that imports an HTTP client, and only inside functions, so that importing
an adapter stays cheap. No httpx type may be in a public signature, except those of the raw clients,
and no path or field of a service may be here.
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
