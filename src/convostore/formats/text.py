"""Texts made fit for a document: printable, on one line, fenced, and links that may be followed.

What Markdown and HTML share lives here; neither of them may be known.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlsplit

from ..models import Role

__all__ = ["ROLES", "one_line", "printable", "safe_link", "shortened", "time_text"]

ROLES: Final[dict[Role, str]] = {
    "system": "System",
    "user": "User",
    "assistant": "Assistant",
    "tool": "Tool",
    "other": "Other",
}
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LINKED: Final = frozenset({"http", "https", "mailto"})
_UNSAFE_IN_URLS: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff<>\"\\`{}|^]")
_PASSAGE: Final = 300


def printable(text: str) -> str:
    """Puts U+FFFD in the place of what UTF-8 or a document cannot hold: surrogates and controls."""
    return _UNPRINTABLE.sub("\ufffd", text)


def one_line(text: str) -> str:
    """The text with each run of white space, line ends included, as one space."""
    return " ".join(printable(text).split())


def shortened(text: str) -> str:
    """The beginning of a passage, on one line."""
    line = one_line(text)
    return line if len(line) <= _PASSAGE else f"{line[: _PASSAGE - 1].rstrip()}…"


def safe_link(url: str | None) -> str | None:
    """The URL when it may be followed from a document (http, https, mailto), else None.

    What could end the place that it is written to is percent-encoded.
    """
    # Not of what `urlsplit` makes of it: that drops line ends, which an encoding keeps harmless.
    safe = _UNSAFE_IN_URLS.sub(lambda found: quote(found[0], errors="replace"), (url or "").strip())
    return safe if _is_linked(url or "") and _is_linked(safe) else None


def _is_linked(url: str) -> bool:
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return False
    return parts.scheme in _LINKED and bool(parts.netloc or parts.scheme == "mailto")


def time_text(time: datetime) -> str:
    """A time for people, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC")
