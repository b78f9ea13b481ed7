"""Cursors: an adapter's note of where a page ended, sealed for the one list that it belongs to.

What a note says, the adapter knows.
"""

from __future__ import annotations

import base64
import json

from ..errors import InvalidError


def encode_cursor(position: str | None, seal: list[str]) -> str | None:
    """Makes a cursor of an adapter's position: good only for the list that the seal names."""
    if position is None:
        return None
    text = json.dumps([*seal, position])
    return base64.urlsafe_b64encode(text.encode("ascii")).decode("ascii").rstrip("=")


def decode_cursor(cursor: str | None, seal: list[str]) -> str | None:
    """The adapter's position in a cursor.

    Raises:
        InvalidError: It is none, or of another list.
    """
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        *found, position = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if not isinstance(position, str) or not position:
            raise TypeError
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise InvalidError("this is no cursor of this library: pass page.cursor as it is") from None
    if found != seal:
        raise InvalidError(
            f"this cursor is of {' '.join(map(str, found)) or 'nothing'}, not of {' '.join(seal)}: "
            "a cursor is good only for the list it came from"
        )
    return position
