"""The bounds that the gateway keeps; each is enforced where it applies."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on what one client may ask for.

    Attributes:
        body: The maximum size of a request's body in bytes.
        head: The maximum size of a request's line and headers in bytes.
        id: The maximum number of characters in an id or an owner.
        page: The maximum number of items in a page; a larger limit is lowered to this.
        arrival: Seconds within which a request's head, and then its body, must arrive.
        departure: Seconds over which a client must read at least 4 KiB of an answer a second on
            average; one that reads less is disconnected.
        idle: Seconds that a connection may be idle between two requests.
        connections: The maximum number of connections at a time; further ones are answered 503.
    """

    body: int = 64 * 2**20
    head: int = 16 * 2**10
    id: int = 1024
    page: int = 500
    arrival: float = 20.0
    departure: float = 30.0
    idle: float = 5.0
    connections: int = 1000
