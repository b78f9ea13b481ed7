"""One request as the client sends it: its URL, its body, and the redirects it may follow.

Pure: nothing is sent here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

from ..errors import InvalidError, ProtocolError
from ._messages import Request, Response

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
"""The statuses that redirect a request."""
_MAX_REDIRECTS: Final = 5
_LONGEST_URL: Final = 65_536
"""Characters; the client takes no more."""


@dataclass(frozen=True, slots=True, repr=False)
class OutgoingRequest:
    """One request as the client sends it; a redirect makes another.

    Attributes:
        request: The request as the adapter made it.
        content: The body; None sends none.
        deadline: When the response has to be complete, as a value of `Clock.monotonic`; a redirect
            does not extend it.
        redirects: How many redirects have led here.
    """

    request: Request
    url: str
    content: bytes | None
    headers: dict[str, str]
    deadline: float
    redirects: int = 0

    @property
    def summary(self) -> str:
        """The method and the path, for an error; without the query."""
        return f"{self.request.method} {urlsplit(self.url).path}"


def follow_redirect(outgoing: OutgoingRequest, response: Response) -> OutgoingRequest:
    """Return the request that a redirect leads to: only of a read, and only on the same origin.

    So a credential never leaves its service, and the deletion of one thing never becomes a call on
    the collection that holds it.

    Raises:
        ProtocolError: The redirect may not be followed, is invalid, or is one too many.
    """
    request = outgoing.request
    if outgoing.redirects == _MAX_REDIRECTS:
        raise ProtocolError(
            f"{request.method} {request.path} is redirected more than {_MAX_REDIRECTS} times: "
            "check the base URL"
        )
    location = response.headers.get("location", "")
    try:
        target = urljoin(outgoing.url, location)
        old, new = urlsplit(outgoing.url), urlsplit(target)
    except ValueError:
        raise invalid_redirect(request) from None
    if request.method not in {"GET", "HEAD"} or (old.scheme, old.netloc) != (
        new.scheme,
        new.netloc,
    ):
        origin = f"{new.scheme}:" + (f"//{new.hostname}" if new.hostname else "")
        raise ProtocolError(
            f"{request.method} {request.path} is redirected to {origin}, "
            "which is not followed: check the base URL"
        )
    return replace(outgoing, url=target, redirects=outgoing.redirects + 1)


def request_url(base_url: str, request: Request) -> str:
    """Return the URL of a request.

    Raises:
        InvalidError: It is too long, or a URL cannot hold the query.
    """
    url = base_url + request.path
    if request.query:
        url += f"?{_query(request)}"
    if len(url) > _LONGEST_URL:
        raise InvalidError(f"{request.method}: the URL is too long: shorten the id or the query")
    return url


def encode_body(request: Request) -> tuple[bytes | None, dict[str, str]]:
    """Return the encoded body of a request, and its headers.

    Raises:
        InvalidError: The body contains what JSON does not have, such as NaN or an object.
    """
    headers = dict(request.headers)
    if request.json is None:
        return None, headers
    headers["content-type"] = "application/json"
    try:
        content = json.dumps(request.json, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise InvalidError(
            f"{request.method} {request.path}: the body must be JSON, which has no NaN, no "
            "infinities and no objects of Python"
        ) from None
    return content.encode("ascii"), headers


def invalid_redirect(request: Request) -> ProtocolError:
    return ProtocolError(f"{request.method} {request.path} is redirected to an invalid URL")


def _query(request: Request) -> str:
    try:
        return urlencode(request.query)
    except UnicodeEncodeError:
        raise InvalidError("a query in a URL must not contain a lone surrogate") from None
