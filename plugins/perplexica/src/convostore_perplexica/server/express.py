"""Responses in the style of Express: JSON with an ETag, the page of an unknown route, a 304.

Which of them a request gets is decided in `dialect`. No store here.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from html import escape
from typing import Final

from convostore.dialects import IncomingRequest
from convostore.http import Response

_PAGE: Final = (
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n'
    "</head>\n<body>\n<pre>{}</pre>\n</body>\n</html>\n"
)
_OF_PAGES: Final = {"content-security-policy": "default-src 'none'"}
_CACHING: Final = "private, no-cache"
"""An ETag is of use only to clients that may cache; the original leaves that open."""
_READING: Final = frozenset({"GET", "HEAD"})


def json_response(
    request: IncomingRequest,
    status: int,
    text: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Make a response of JSON text; a 304 without a body if the client has it already."""
    content = text.encode("utf-8")
    etag = _etag(content)
    fields = {"etag": etag, "cache-control": _CACHING}
    if status == 200 and request.method in _READING and _is_fresh(request, etag):
        return Response(304, fields)
    fields["content-type"] = "application/json; charset=utf-8"
    return _response(request, status, content, {**fields, **(headers or {})})


def unknown_route(request: IncomingRequest) -> Response:
    """Make the page for an unknown route, or for one without this method."""
    return _page(request, 404, f"Cannot {request.method} {request.path}")


def malformed_path(request: IncomingRequest) -> Response:
    """Make the page for a path that cannot be decoded, without the original's stack trace."""
    return _page(request, 400, "Bad Request")


def _page(request: IncomingRequest, status: int, text: str) -> Response:
    fields = {"content-type": "text/html; charset=utf-8", "x-content-type-options": "nosniff"}
    content = _PAGE.format(escape(text)).encode("utf-8")
    return _response(request, status, content, _OF_PAGES | fields)


def _response(
    request: IncomingRequest, status: int, content: bytes, headers: Mapping[str, str]
) -> Response:
    """Make a response; to HEAD, without the body but with its length."""
    headers = {**headers, "content-length": str(len(content))}
    return Response(status, headers, b"" if request.method == "HEAD" else content)


def _etag(content: bytes) -> str:
    digest = b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode("ascii")
    return f'W/"{len(content):x}-{digest[:27]}"'


def _is_fresh(request: IncomingRequest, etag: str) -> bool:
    """Return whether a conditional request accepts the cached response that it names."""
    if "no-cache" in _header_values(request, "cache-control"):
        return False
    known = [tag.removeprefix("W/") for tag in _header_values(request, "if-none-match")]
    return "*" in known or etag.removeprefix("W/") in known


def _header_values(request: IncomingRequest, header: str) -> list[str]:
    return [value.strip() for value in request.headers.get(header, "").split(",")]
