"""Requests: messages of the schema as rows of OpenAI's chat completions, and how many of them.

Pure; the response is decoded in `decoder`.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable
from typing import Final

from convostore.models import JSON, FilePart, Message, Part, TextPart
from convostore.parsing import Row
from convostore.serialization import to_json

from .options import ModelOptions, ModelReplyOptions

QUESTION: Final = "-question"
"""The suffix of a question's id to that of the turn, which is the id of the answer."""

_SAMPLING: Final = ("temperature", "top_p", "max_tokens")
_CARRIED: Final = frozenset({"http", "https", "data"})


def body_of(
    model: str, rows: Iterable[Row], options: ModelOptions, turn: ModelReplyOptions
) -> dict[str, JSON]:
    """Build the body of a request."""
    system = [] if options.system is None else [{"role": "system", "content": options.system}]
    body: dict[str, JSON] = {"model": model, "messages": [*system, *rows], "stream": True}
    if options.usage:
        body["stream_options"] = {"include_usage": True}
    sampling = {name: getattr(turn, name) for name in _SAMPLING}
    return body | {name: value for name, value in sampling.items() if value is not None}


def row_of(message: Message) -> Row | None:
    """Convert a message to a row; None for one that holds nothing for the model.

    Rows hold texts, and a user's files. Reasoning is left out, and so are tool calls: a server
    accepts calls only together with their results and the tools.
    """
    if message.role == "user":
        content = content_of(message.parts)
    elif message.role in {"assistant", "system"}:
        content = message.text
    else:
        return None
    return {"role": message.role, "content": content} if content else None


def content_of(parts: Iterable[Part]) -> str | list[Row]:
    """Convert a user's parts to a text or, where there are images and files, a list of pieces."""
    pieces = [piece for part in parts if (piece := _piece(part)) is not None]
    if all(piece["type"] == "text" for piece in pieces):
        return "\n".join([piece["text"] for piece in pieces])
    return pieces


def _piece(part: Part) -> Row | None:
    if isinstance(part, TextPart):
        return _text(part.text)
    if not isinstance(part, FilePart):
        return None
    scheme = (part.url or "").partition(":")[0].lower()
    if part.url is None or scheme not in _CARRIED:
        return _text(part.name) if part.name else None
    if _media_type(part).startswith("image/"):
        return {"type": "image_url", "image_url": {"url": part.url}}
    if scheme == "data":
        file = {"filename": part.name or "file", "file_data": part.url}
        return {"type": "file", "file": file}
    # There is no piece for a file at an address: a model that can fetch it gets the address.
    return _text(f"[{part.name or 'file'}]({part.url})")


def _text(text: str) -> Row:
    return {"type": "text", "text": text}


def _media_type(part: FilePart) -> str:
    if part.media_type:
        return part.media_type
    url = part.url or ""
    if url.startswith("data:"):
        return url[5:].partition(";")[0]
    return mimetypes.guess_type(part.name or url.partition("?")[0])[0] or ""


class History:
    """The part of a conversation that the model gets, collected newest first.

    Questions whose answers failed without a word are left out, so that whoever asks again has asked
    once.
    """

    def __init__(self, options: ModelOptions) -> None:
        self._messages_left = options.history_messages
        self._characters_left = options.history_characters
        self._rows: list[Row] = []
        self._left_out: set[str] = set()

    @property
    def is_full(self) -> bool:
        return self._messages_left <= 0 or self._characters_left <= 0

    def add(self, messages: Iterable[Message]) -> None:
        """Add the next older messages, up to the first that there is no room for."""
        for message in messages:
            row = self._row(message)
            if row is not None and not self.is_full:
                self._add(row)

    def _add(self, row: Row) -> None:
        content = row["content"]
        size = len(content if isinstance(content, str) else to_json(content, ascii_only=False))
        if size > self._characters_left:
            self._characters_left = 0
            return
        self._characters_left -= size
        self._messages_left -= 1
        self._rows.append(row)

    def _row(self, message: Message) -> Row | None:
        row = row_of(message)
        if message.status == "failed" and message.role == "assistant" and row is None:
            self._left_out.add(message.id + QUESTION)
        return None if message.id in self._left_out or message.status == "unanswered" else row

    def rows(self) -> list[Row]:
        """Return the rows, oldest first, from the first question on, as some models require."""
        rows = self._rows[::-1]
        while rows and rows[0]["role"] == "assistant":
            del rows[0]
        return rows
