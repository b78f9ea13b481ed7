"""Text for documents: printable, on one line, shortened; and links that are safe to follow.

Markdown and HTML share this; neither of them may be known here.
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
"""The headings of messages, by role."""
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LINKED: Final = frozenset({"http", "https", "mailto"})
_UNSAFE_IN_URLS: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff<>\"\\`{}|^]")
_PASSAGE: Final = 300


def printable(text: str) -> str:
    """Replace by U+FFFD what UTF-8 or a document cannot hold: surrogates and control characters."""
    return _UNPRINTABLE.sub("\ufffd", text)


def one_line(text: str) -> str:
    """Return the text with each run of white space, line ends included, as one space."""
    return " ".join(printable(text).split())


def shortened(text: str) -> str:
    """Return the beginning of a passage, at most 300 characters, on one line."""
    line = one_line(text)
    return line if len(line) <= _PASSAGE else f"{line[: _PASSAGE - 1].rstrip()}…"


def safe_link(url: str | None) -> str | None:
    """Return the URL if a document may link to it (http, https, mailto), else None.

    Characters that could end the attribute or the brackets around it are percent-encoded.
    """
    # Not from the result of `urlsplit`: that drops line ends; encoded they are harmless.
    safe = _UNSAFE_IN_URLS.sub(lambda match: quote(match[0], errors="replace"), (url or "").strip())
    return safe if _is_linked(url or "") and _is_linked(safe) else None


def _is_linked(url: str) -> bool:
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return False
    return parts.scheme in _LINKED and bool(parts.netloc or parts.scheme == "mailto")


def time_text(time: datetime) -> str:
    """Return a time in UTC, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC")
