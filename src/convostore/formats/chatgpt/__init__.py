"""The ChatGPT export: its conversations are trees; the current branch is the conversation.

Each other branch is a fork: another conversation, with all messages from the root. Parsing a single
message and finding the files of an export must not be here.
"""

from __future__ import annotations

import zipfile
from collections.abc import Container, Generator, Iterator, Sequence
from pathlib import Path
from typing import IO, BinaryIO, Final

from ...errors import InvalidError, ProtocolError, StoreError
from ...models import Conversation, Message, Origin, Problem
from ...parsing import Row, decode_json, non_empty_text, read_text
from .._base import Entry
from .._json_array import json_objects
from ._archive import convert_zip_errors, files_in_folder, files_in_zip
from ._messages import read_message, seconds

__all__ = ["read", "read_folder"]

_STORE: Final = "chatgpt"
"""The name of the store in the `Origin` of these conversations."""
_ZIP_SIGNATURES: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")


def read(stream: BinaryIO, name: str | None = None) -> Generator[Entry]:
    """Read a `conversations.json`, or a zip with one or several of them.

    Raises:
        InvalidError: The file is broken, encrypted, or not a ChatGPT export.
    """
    if not stream.seekable():
        yield from _read_json(stream, name)
        return
    start = stream.tell()
    signature = stream.read(4)
    stream.seek(start)
    if signature not in _ZIP_SIGNATURES:
        yield from _read_json(stream, name)
        return
    with convert_zip_errors(), zipfile.ZipFile(stream) as archive:
        for file in files_in_zip(archive):
            yield from _read_one_of_many(file, file.name, name)


def read_folder(folder: Path, name: str | None = None) -> Generator[Entry]:
    """Read an unpacked export.

    Raises:
        InvalidError: A file is broken, or the folder has none.
    """
    for path in files_in_folder(folder):
        with path.open("rb") as stream:
            yield from _read_one_of_many(stream, path.name, name)


def _read_one_of_many(stream: IO[bytes], file: str, name: str | None) -> Iterator[Entry]:
    try:
        yield from _read_json(stream, name)
    except InvalidError as error:
        raise InvalidError(f"{file!r}: {error}") from error


def _read_json(stream: IO[bytes], name: str | None) -> Iterator[Entry]:
    for text in json_objects(stream):
        try:
            row = decode_json(text, "a conversation")
            tree = _Tree(row, name or _STORE)
        except StoreError as error:
            yield Entry(conversation_id="?", error=error)
        else:
            yield from tree.entries()


class _Tree:
    """A conversation of the export with all its branches."""

    def __init__(self, row: Row, store: str) -> None:
        nodes = row.get("mapping")
        if not isinstance(nodes, dict):
            raise ProtocolError('a conversation has no "mapping" of messages')
        self._nodes: dict[str, Row] = {
            key: node for key, node in nodes.items() if key and isinstance(node, dict)
        }
        self._row = row
        self._store = store
        self.id = (
            non_empty_text(row, "conversation_id")
            or non_empty_text(row, "id")
            or next(iter(nodes), "?")
        )

    def entries(self) -> Iterator[Entry]:
        leaves = self._leaves()
        current = non_empty_text(self._row, "current_node")
        if current not in self._nodes:
            current = max(leaves, key=self._time_of, default=None)
        main = self._path(current)
        yield self._entry(self.id, main)
        written = {*main}
        for leaf in leaves:
            path = self._without_empty_end(self._path(leaf))
            if not written.issuperset(path):
                written.update(path)
                yield self._entry(f"{self.id}/{leaf}", path)

    def _leaves(self) -> list[str]:
        """Return the last nodes of all branches; a cycle without a leaf ends at its last node."""
        parents = {non_empty_text(node, "parent") for node in self._nodes.values()}
        leaves: list[str] = []
        visited: set[str] = set()
        for key in [*(key for key in self._nodes if key not in parents), *reversed(self._nodes)]:
            if key not in visited:
                leaves.append(key)
                visited.update(self._above(key, visited))
        return leaves

    def _above(self, leaf: str | None, visited: Container[str] = ()) -> list[str]:
        """Return a leaf and its ancestors, up to the root or to one that was visited before."""
        path: dict[str, None] = {}
        key = leaf
        while key in self._nodes and key not in path and key not in visited:
            path[key] = None
            key = non_empty_text(self._nodes[key], "parent")
        return list(path)

    def _time_of(self, key: str) -> float:
        message = self._nodes[key].get("message")
        time = message.get("create_time") if isinstance(message, dict) else None
        return time if isinstance(time, int | float) else 0

    def _path(self, leaf: str | None) -> list[str]:
        """Return the nodes with a message from the root to a leaf, each of a cycle once."""
        return [key for key in reversed(self._above(leaf)) if self._has_message(key)]

    def _without_empty_end(self, path: list[str]) -> list[str]:
        """Remove empty messages at the end: an answer that was stopped at once is not a branch."""
        while path and read_message(path[-1], self._nodes[path[-1]]["message"], None) is None:
            path.pop()
        return path

    def _has_message(self, key: str) -> bool:
        return isinstance(self._nodes[key].get("message"), dict)

    def _entry(self, conversation_id: str, path: Sequence[str]) -> Entry:
        problems: list[Problem] = []
        row = self._row
        conversation = Conversation(
            id=conversation_id,
            title=read_text(row, "title", problems),
            created_at=seconds(row.get("create_time"), "create_time", problems),
            updated_at=seconds(row.get("update_time"), "update_time", problems),
            pinned=row.get("is_starred") is True or bool(row.get("pinned_time")),
            origin=Origin(store=self._store, conversation_id=self.id),
            problems=tuple(problems),
            raw={name: value for name, value in row.items() if name != "mapping"},
        )
        return Entry(
            conversation_id=conversation_id,
            conversation=conversation,
            messages=self._messages(path),
        )

    def _messages(self, path: Sequence[str]) -> Iterator[Message]:
        before: str | None = None
        for key in path:
            message = read_message(key, self._nodes[key]["message"], before)
            if message is not None:
                yield message
                before = key
