"""The addresses of the viewer's pages and actions, and the ids in them.

An id is one segment of a path, whatever characters it has.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlencode


def segment(id: str) -> str:
    """Encode an id as a segment of a path; browsers resolve ``.`` and ``..``."""
    escaped = f"~{id}" if id.startswith((".", "~")) or not id else id
    return quote(escaped.encode("utf-8", "surrogatepass"), safe="~")


def id_of(segment: str) -> str:
    """Decode the id of a segment.

    Raises:
        ValueError: The segment is not UTF-8.
    """
    return unquote(segment, errors="surrogatepass").removeprefix("~")


def key_of(id: str) -> str:
    """Return a short key for an id that is safe in an HTML document."""
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

    def page(self, name: str, **query: str | None) -> str:
        """Return the address of a page by its name."""
        return _with(f"{self.root}/{name}", query)

    def asset(self, name: str, version: str) -> str:
        """Return the address of a static file."""
        return _with(f"{self.root}/static/{name}", {"v": version})

    def conversation(self, id: str, part: str = "", /, **query: str | None) -> str:
        """Return the address of a conversation, or of a part of it or an action on it."""
        path = f"{self.root}/conversations/{segment(id)}"
        return _with(f"{path}/{part}" if part else path, query)

    def message(self, conversation_id: str, id: str, part: str) -> str:
        """Return the address of a part of a message, or of an action on it."""
        return self.conversation(conversation_id, f"messages/{segment(id)}/{part}")

    def place(self, conversation_id: str, id: str) -> str:
        """Return the address of a message within its conversation."""
        return f"{self.conversation(conversation_id, message=id)}#m-{key_of(id)}"


def _with(path: str, query: dict[str, str | None]) -> str:
    values = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(values, errors='surrogatepass')}" if values else path
