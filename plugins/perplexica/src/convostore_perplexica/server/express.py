"""Answers as Express gives them: JSON with a validator, the page of an unknown route, a 304.

What is answered when, `dialect` says; no store is known here.
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
"""A validator is of use only to who may keep an answer; the original leaves that open."""
_READING: Final = frozenset({"GET", "HEAD"})


def json_answer(
    request: IncomingRequest,
    status: int,
    text: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An answer of JSON text; nothing but its validator where the client has it already."""
    content = text.encode("utf-8")
    etag = _etag(content)
    described = {"etag": etag, "cache-control": _CACHING}
    if status == 200 and request.method in _READING and _is_fresh(request, etag):
        return Response(304, described)
    described["content-type"] = "application/json; charset=utf-8"
    return _answer(request, status, content, {**described, **(headers or {})})


def unknown_route(request: IncomingRequest) -> Response:
    """The page that says there is no such route, or none for this method."""
    return _page(request, 404, f"Cannot {request.method} {request.path}")


def malformed_address(request: IncomingRequest) -> Response:
    """The page of an address that cannot be decoded, without the stack trace of the original."""
    return _page(request, 400, "Bad Request")


def _page(request: IncomingRequest, status: int, text: str) -> Response:
    described = {"content-type": "text/html; charset=utf-8", "x-content-type-options": "nosniff"}
    content = _PAGE.format(escape(text)).encode("utf-8")
    return _answer(request, status, content, _OF_PAGES | described)


def _answer(
    request: IncomingRequest, status: int, content: bytes, headers: Mapping[str, str]
) -> Response:
    """An answer; of one to HEAD, the length of what GET would get."""
    headers = {**headers, "content-length": str(len(content))}
    return Response(status, headers, b"" if request.method == "HEAD" else content)


def _etag(content: bytes) -> str:
    digest = b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode("ascii")
    return f'W/"{len(content):x}-{digest[:27]}"'


def _is_fresh(request: IncomingRequest, etag: str) -> bool:
    """Whether a conditional request names what it would get, and does not insist on a new one."""
    if "no-cache" in _listed(request, "cache-control"):
        return False
    named = [each.removeprefix("W/") for each in _listed(request, "if-none-match")]
    return "*" in named or etag.removeprefix("W/") in named


def _listed(request: IncomingRequest, header: str) -> list[str]:
    return [each.strip() for each in request.headers.get(header, "").split(",")]
