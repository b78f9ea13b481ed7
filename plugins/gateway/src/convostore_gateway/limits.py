"""The bounds within which the gateway serves; what enforces each stands where it belongs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of what one client may ask for.

    Attributes:
        body: The most bytes of one request's body.
        head: The most bytes of one request's line and headers.
        id: The most characters of one id.
        page: The most items of one page; who asks for more gets as many.
        arrival: Seconds within which a request's head, and then its body, must have arrived.
        departure: Seconds after which a client is cut off that accepts next to nothing of an answer
            meanwhile: less than 4 KiB for each of them.
        idle: Seconds that a connection may rest between two requests.
        connections: The most connections at a time; who comes then is answered 503.
    """

    body: int = 64 * 2**20
    head: int = 16 * 2**10
    id: int = 1024
    page: int = 500
    arrival: float = 20.0
    departure: float = 30.0
    idle: float = 5.0
    connections: int = 1000
