"""One request as the client sends it: its address and body, and where a redirect may lead."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

from ..errors import InvalidError, ProtocolError
from ._messages import Method, Request, Response

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_LONGEST_URL: Final = 65_536
"""Characters; the client takes no more."""


@dataclass(frozen=True, slots=True, repr=False)
class OutgoingRequest:
    """One request as the client sends it; a redirect makes another.

    Attributes:
        deadline: When its answer has to be whole, by `time.monotonic`; the same for all that a
            request is redirected to.
        patient: Whether a model answers it.
    """

    method: Method
    url: str
    content: bytes | None
    headers: dict[str, str]
    deadline: float
    patient: bool


def address(base_url: str, request: Request) -> str:
    """The URL that a request goes to.

    Raises:
        InvalidError: It would be too long, or the query is none that a URL can hold.
    """
    url = base_url + request.path
    if request.query:
        url += f"?{_query(request)}"
    if len(url) > _LONGEST_URL:
        raise InvalidError(f"{request.method}: an id or a query is too long for an address")
    return url


def body(request: Request) -> tuple[bytes | None, dict[str, str]]:
    """What a request sends, and its headers.

    Raises:
        InvalidError: It holds a number that JSON has none for.
    """
    headers = dict(request.headers)
    if request.json is None:
        return None, headers
    headers["content-type"] = "application/json"
    try:
        content = json.dumps(request.json, separators=(",", ":"), allow_nan=False)
    except ValueError:
        raise InvalidError(
            f"{request.method} {request.path}: what is to be sent is no JSON: it holds NaN or an "
            "infinity"
        ) from None
    return content.encode("ascii"), headers


def followed(request: Request, url: str, response: Response) -> str:
    """Where a redirect leads, if it may be followed: only reading, and only on the same origin.

    A credential so never leaves its service, and a delete of one thing never becomes a call on the
    collection that the thing stood in.
    """
    old = urlsplit(url)
    try:
        target = urljoin(url, response.headers.get("location", ""))
        new = urlsplit(target)
    except ValueError:
        raise nowhere(request) from None
    if request.method not in {"GET", "HEAD"} or (old.scheme, old.netloc) != (
        new.scheme,
        new.netloc,
    ):
        place = f"{new.scheme}:" + (f"//{new.hostname}" if new.hostname else "")
        raise ProtocolError(
            f"{request.method} {request.path} is redirected to {place}, "
            "which is not followed: check the base URL"
        )
    return target


def nowhere(request: Request) -> ProtocolError:
    return ProtocolError(f"{request.method} {request.path} is redirected to nowhere")


def _query(request: Request) -> str:
    try:
        return urlencode(request.query)
    except UnicodeEncodeError:
        raise InvalidError("a query holds a lone surrogate, which no URL can carry") from None
