"""One request as the client sends it: its address and body, and where a redirect may lead."""

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
        deadline: When its answer has to be whole, by `Clock.monotonic`; the same for all that a
            request is redirected to.
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
    """Return the request that a redirect leads to: only a read, and only on the same origin.

    So a credential never leaves its service, and the deletion of one thing never becomes a call on
    the collection that held it.

    Raises:
        ProtocolError: It may not be followed, leads nowhere, or is one too many.
    """
    request = outgoing.request
    if outgoing.redirects == _MAX_REDIRECTS:
        raise ProtocolError(f"{request.method} {request.path} is redirected in a circle")
    location = response.headers.get("location", "")
    try:
        target = urljoin(outgoing.url, location)
        old, new = urlsplit(outgoing.url), urlsplit(target)
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
    return replace(outgoing, url=target, redirects=outgoing.redirects + 1)


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


def nowhere(request: Request) -> ProtocolError:
    return ProtocolError(f"{request.method} {request.path} is redirected to nowhere")


def _query(request: Request) -> str:
    try:
        return urlencode(request.query)
    except UnicodeEncodeError:
        raise InvalidError("a query holds a lone surrogate, which no URL can carry") from None
