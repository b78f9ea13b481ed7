"""Addresses: where each page and each action of the viewer is, and which ids an address holds.

An id is one segment of a path, whatever it consists of.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlencode


def segment(id: str) -> str:
    """An id as a segment of a path; a browser would take ``.`` and ``..`` for steps."""
    escaped = f"~{id}" if id.startswith((".", "~")) or not id else id
    return quote(escaped.encode("utf-8", "surrogatepass"), safe="~")


def id_of(segment: str) -> str:
    """The id that a segment stands for.

    Raises:
        ValueError: It is no UTF-8.
    """
    return unquote(segment, errors="surrogatepass").removeprefix("~")


def key_of(id: str) -> str:
    """A short name for an id that may stand in a document, where an id itself may not."""
    return hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Addresses:
    """The viewer's addresses.

    Attributes:
        root: The path of the viewer, percent-encoded, as browsers see it.
    """

    root: str

    @property
    def home(self) -> str:
        return f"{self.root}/"

    def named(self, name: str, **query: str | None) -> str:
        """A page that has a name of its own."""
        return _with(f"{self.root}/{name}", query)

    def asset(self, name: str, version: str) -> str:
        """A file that pages need."""
        return _with(f"{self.root}/static/{name}", {"v": version})

    def conversation(self, id: str, part: str = "", /, **query: str | None) -> str:
        """A conversation, or a part of it or action on it."""
        path = f"{self.root}/conversations/{segment(id)}"
        return _with(f"{path}/{part}" if part else path, query)

    def message(self, conversation_id: str, id: str, part: str) -> str:
        """A part of a message, or an action on it."""
        return self.conversation(conversation_id, f"messages/{segment(id)}/{part}")

    def place(self, conversation_id: str, id: str) -> str:
        """Where in its conversation a message stands."""
        return f"{self.conversation(conversation_id, message=id)}#m-{key_of(id)}"


def _with(path: str, query: dict[str, str | None]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given, errors='surrogatepass')}" if given else path
