"""Detection of a server's version by the requests that it answers: no endpoint returns its number.

The settings would show it, together with every model's keys; so they are never requested.
"""

from __future__ import annotations

import secrets
from enum import Enum

from convostore.errors import NotFoundError, ProtocolError
from convostore.http import HTTPFlow, Request, path

from .paths import RESUME_PATH


class Generation(Enum):
    """Ranges of versions that accept the same requests."""

    SOCKET = "1.7 - 1.10.0-rc3"
    NAMES = "1.10"
    KEYS = "1.11"
    BLOCKS = "1.12 or later"


def find_generation() -> HTTPFlow[Generation]:
    """Detect the server's generation by requests that change nothing."""
    # Each request only separates the versions that the ones before have left.
    if (yield from _knows_sessions()):
        return Generation.BLOCKS
    if not (yield from _has(Request("GET", "/api/models"), "chatModelProviders")):
        return Generation.KEYS
    is_express = yield from _has(Request("GET", "/api"), "status")
    return Generation.SOCKET if is_express else Generation.NAMES


def _knows_sessions() -> HTTPFlow[bool]:
    """Return whether an absent session is refused in JSON, not by a page of the framework."""
    try:
        yield Request("POST", path(RESUME_PATH, secrets.token_hex(16)))
    except NotFoundError:
        return True
    except ProtocolError:
        return False
    return True


def _has(request: Request, name: str) -> HTTPFlow[bool]:
    try:
        reply = yield request
        body = reply.json()
    except (NotFoundError, ProtocolError):
        return False
    return isinstance(body, dict) and name in body
