"""Cursors: an adapter's position in a list, encoded with the one list that it belongs to.

A cursor is base64 of JSON, neither encrypted nor signed: its scope keeps callers from mistakes, not
from forgery. What a position says, only its adapter knows.
"""

from __future__ import annotations

import base64
import json

from ..errors import InvalidError


def encode_cursor(position: str | None, scope: list[str]) -> str | None:
    """Encode a position with the scope that the cursor is good for; None stays None.

    Args:
        position: Where the page ended, as the adapter wrote it.
        scope: Adapter, operation, list and order.
    """
    if position is None:
        return None
    # Not in ASCII: escapes join two surrogates that are two in the position.
    text = json.dumps([*scope, position], ensure_ascii=False).encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(text).decode("ascii").rstrip("=")


def decode_cursor(cursor: str | None, scope: list[str]) -> str | None:
    """Return the adapter's position in a cursor.

    Raises:
        InvalidError: It is not a cursor, or one of another scope.
    """
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        *encoded_scope, position = json.loads(
            base64.b64decode(padded, altchars=b"-_", validate=True)
        )
        if not isinstance(position, str) or not position:
            raise TypeError
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise InvalidError("invalid cursor: pass page.cursor unchanged") from None
    if encoded_scope != scope:
        origin = " ".join(map(str, encoded_scope)) or "nothing"
        raise InvalidError(
            f"invalid cursor: it belongs to {origin}, not to {' '.join(scope)}: use a cursor only "
            "for the list that it came from"
        )
    return position
