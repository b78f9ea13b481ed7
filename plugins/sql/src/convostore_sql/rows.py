"""Rows and the schema: what of a conversation and a message stands in which column.

Whatever text is to be kept comes back as it was, and sorts as it does: for NUL and surrogates,
which databases refuse, stand pairs of characters. No statement may be known here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final, cast

from convostore.errors import ProtocolError
from convostore.models import JSON, Conversation, Message
from convostore.serialization import dump, dumps, to_json, trusted_conversation, trusted_message

from .queries import Row

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
LATEST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""The last time there is, in microseconds."""
PINNED: Final = 2**62
"""Taken off the rank of a conversation that is pinned: further than any time reaches."""
_KEPT_APART: Final = "~"
"""Begins a body with surrogates: JSON would make one character of two that stand together."""
_REFUSED: Final = re.compile("[\x00\x01\ud800-\udfff\ue000]")
_REPLACED: Final = re.compile("\x01[\x01\x02]|\ue000[\x01-\u0801]")
_SURROGATES: Final = 0xD800
_decode: Final = json.JSONDecoder().raw_decode


def written(text: str) -> str:
    """A text as a column holds it; what is written keeps the order of code points."""
    return _REFUSED.sub(_pair_for, text)


def read(text: str) -> str:
    """A column's text as it was before it was `written`."""
    if "\x01" not in text and "\ue000" not in text:
        return text
    return _REPLACED.sub(_one_for, text)


def _pair_for(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code <= 1:
        return "\x01" + chr(code + 1)
    # The surrogates stand before U+E000: they and it become pairs that begin with it.
    return "\ue000" + chr(code - _SURROGATES + 1)


def _one_for(found: re.Match[str]) -> str:
    pair = found[0]
    return chr(ord(pair[1]) - 1 + (0 if pair[0] == "\x01" else _SURROGATES))


def microseconds(time: datetime | None) -> int | None:
    """A time as a column holds it: since 1970, UTC."""
    return None if time is None else (time - _EPOCH) // _MICROSECOND


def time_of(number: int | None) -> datetime | None:
    """The time that a column holds."""
    return None if number is None else _EPOCH + timedelta(microseconds=number)


def rank_of(conversation: Conversation) -> int:
    """A conversation's place in the list: pinned first, then the latest activity."""
    active = microseconds(conversation.last_active_at) or 0
    return -active - PINNED if conversation.pinned else -active


def namespace_mark(namespace: str) -> str:
    """What the words of a namespace begin with, so that an index keeps namespaces apart."""
    if not namespace:
        return ""
    digest = blake2b(namespace.encode("utf-8", "surrogatepass"), digest_size=4)
    return f"n{digest.hexdigest()}_"


def conversation_row(conversation: Conversation, stored_at: int) -> dict[str, Any]:
    """The columns of a conversation that is its own, without those of its messages and words."""
    rest = dump(conversation)
    for name in ("id", "title", "pinned", "created_at", "updated_at"):
        rest.pop(name, None)
    return {
        "id": written(conversation.id),
        "title": None if conversation.title is None else written(conversation.title),
        "pinned": conversation.pinned,
        "created_at": microseconds(conversation.created_at),
        "updated_at": microseconds(conversation.updated_at),
        "stored_at": stored_at,
        "rank": rank_of(conversation),
        "body": _packed(rest) if rest else None,
    }


def conversation_of(row: Row) -> Conversation:
    """The conversation of a row of `tables.CONVERSATION_COLUMNS`."""
    identity, title, pinned, created_at, updated_at, _, body = row
    columns: dict[str, Any] = {
        "id": read(identity),
        "title": None if title is None else read(title),
        "pinned": bool(pinned),
        "created_at": time_of(created_at),
        "updated_at": time_of(updated_at),
    }
    if body is None:
        return Conversation.model_construct(**columns)
    return trusted_conversation(_unpacked(body) | {"id": ""}).model_copy(update=columns)


def message_row(message: Message, now: int) -> dict[str, Any]:
    """The columns of a message that is its own, without its place and its words."""
    rest = dump(message)
    del rest["id"], rest["role"]
    said_at = microseconds(message.created_at)
    return {
        "message_id": written(message.id),
        "role": message.role,
        "said_at": now if said_at is None else said_at,
        "body": _packed(rest),
    }


def message_body(message: Message) -> str:
    """What of a message has no column of its own."""
    body: str = message_row(message, 0)["body"]
    return body


def message_of(identity: str, role: str, body: str) -> Message:
    """The message of a row."""
    values = _unpacked(body)
    values["id"] = read(identity)
    values["role"] = role
    return trusted_message(values)


def message_json(identity: str, role: str, body: str) -> str:
    """The message of a row as JSON: nothing is decoded that is not kept apart.

    Raises:
        ProtocolError: The row is damaged, as far as that shows.
    """
    if body.startswith(_KEPT_APART):
        return dumps(message_of(identity, role, body))
    if not (body.startswith("{") and body.endswith("}")):
        raise _damaged()
    rest = "}" if body == "{}" else f",{body[1:]}"
    return f'{{"id":{to_json(read(identity))},"role":"{role}"{rest}'


def _damaged() -> ProtocolError:
    return ProtocolError("a row was damaged, or written by another program: no JSON")


def _packed(data: Mapping[str, JSON]) -> str:
    text = to_json(data, ascii_only=False)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _KEPT_APART + written(text)
    return text


def _unpacked(body: str) -> dict[str, JSON]:
    text = read(body[1:]) if body.startswith(_KEPT_APART) else body
    try:
        unpacked, end = _decode(text)  # half of what `json.loads` takes
    except ValueError:
        end = -1
    if end != len(text):
        raise _damaged()
    return cast("dict[str, JSON]", unpacked)
