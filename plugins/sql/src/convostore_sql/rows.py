"""Conversations and messages as rows, and back.

Any text is stored losslessly and in its order: NUL and surrogates, which databases refuse, are
encoded as pairs of characters. No statement may be known here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final, cast, overload

from convostore.adapters.write_rules import new_revision
from convostore.errors import ProtocolError
from convostore.models import JSON, Conversation, Message
from convostore.serialization import dump, dumps, to_json, trusted_conversation, trusted_message

from .queries import Row

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
LATEST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""The latest possible time, in microseconds since 1970."""
PINNED: Final = 2**62
"""Subtracted from the rank of a pinned conversation: more than the range of times."""
_ENCODED: Final = "~"
"""First character of a body with surrogates: JSON would merge two adjacent ones into one."""
_REFUSED: Final = re.compile("[\x00\x01\ud800-\udfff\ue000]")
_REPLACED: Final = re.compile("\x01[\x01\x02]|\ue000[\x01-\u0801]")
_SURROGATES: Final = 0xD800
_decode: Final = json.JSONDecoder().raw_decode


def encode_text(text: str) -> str:
    """Encode a text for a column; encoded texts sort by code points, as the texts do."""
    return _REFUSED.sub(_pair_for, text)


def decode_text(text: str) -> str:
    """Decode the text of a column."""
    if "\x01" not in text and "\ue000" not in text:
        return text
    return _REPLACED.sub(_one_for, text)


def _pair_for(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code <= 1:
        return "\x01" + chr(code + 1)
    # Surrogates sort before U+E000: they and it become pairs that begin with it.
    return "\ue000" + chr(code - _SURROGATES + 1)


def _one_for(match: re.Match[str]) -> str:
    pair = match[0]
    return chr(ord(pair[1]) - 1 + (0 if pair[0] == "\x01" else _SURROGATES))


@overload
def microseconds(time: datetime) -> int: ...
@overload
def microseconds(time: datetime | None) -> int | None: ...
def microseconds(time: datetime | None) -> int | None:
    """Encode a time for a column: microseconds since 1970, UTC."""
    return None if time is None else (time - _EPOCH) // _MICROSECOND


@overload
def time_of(number: int) -> datetime: ...
@overload
def time_of(number: int | None) -> datetime | None: ...
def time_of(number: int | None) -> datetime | None:
    """Decode the time of a column."""
    return None if number is None else _EPOCH + timedelta(microseconds=number)


def rank_of(conversation: Conversation) -> int:
    """Return what conversations are sorted by: pinned first, then the latest activity."""
    active = microseconds(conversation.last_active_at) or 0
    return -active - PINNED if conversation.pinned else -active


def namespace_mark(namespace: str) -> str:
    """Return the prefix of a namespace's words, which separates namespaces in the index."""
    if not namespace:
        return ""
    digest = blake2b(namespace.encode("utf-8", "surrogatepass"), digest_size=4)
    return f"n{digest.hexdigest()}_"


def conversation_row(conversation: Conversation, stored_at: int) -> dict[str, Any]:
    """Return a conversation's columns, except those about its messages and its words.

    The revision is a new one.
    """
    rest = dump(conversation)
    # What has a column is not stored twice.
    for name in ("id", "title", "pinned", "created_at", "updated_at", "owner", "revision"):
        rest.pop(name, None)
    return {
        "id": encode_text(conversation.id),
        "title": None if conversation.title is None else encode_text(conversation.title),
        "pinned": conversation.pinned,
        "created_at": microseconds(conversation.created_at),
        "updated_at": microseconds(conversation.updated_at),
        "stored_at": stored_at,
        "rank": rank_of(conversation),
        "body": _encode_body(rest) if rest else None,
        "owner": None if conversation.owner is None else encode_text(conversation.owner),
        "revision": new_revision(),
    }


def conversation_of(row: Row) -> Conversation:
    """Make a conversation from a row of `tables.CONVERSATION_COLUMNS`."""
    identity, title, pinned, created_at, updated_at, _, body, owner, revision = row
    columns: dict[str, Any] = {
        "id": decode_text(identity),
        "title": None if title is None else decode_text(title),
        "pinned": bool(pinned),
        "created_at": time_of(created_at),
        "updated_at": time_of(updated_at),
        "owner": None if owner is None else decode_text(owner),
        "revision": revision,
    }
    if body is None:
        return Conversation.model_construct(**columns)
    return trusted_conversation(_decode_body(body) | {"id": ""}).trusted_copy(**columns)


def message_row(message: Message, stored_at: int | None) -> dict[str, Any]:
    """Return a message's columns, except its place and its words."""
    rest = dump(message)
    del rest["id"], rest["role"]
    rest.pop("stored_at", None)
    said_at = microseconds(message.created_at)
    return {
        "message_id": encode_text(message.id),
        "role": message.role,
        "said_at": stored_at if said_at is None else said_at,
        "body": _encode_body(rest),
        "stored_at": stored_at,
    }


def message_body(message: Message) -> str:
    """Return the body of a message: what has no column."""
    body: str = message_row(message, 0)["body"]
    return body


def message_of(identity: str, role: str, body: str) -> Message:
    """Make a message from a row."""
    values = _decode_body(body)
    values["id"] = decode_text(identity)
    values["role"] = role
    return trusted_message(values)


def stored_message(
    identity: str, role: str, body: str, stored_at: int | None, said_at: int
) -> Message:
    """Make a message from a row of `tables.MESSAGE_COLUMNS`."""
    message = message_of(identity, role, body)
    if stored_at is None and message.created_at is None:
        stored_at = said_at  # as version 1 of the tables has it
    message.__dict__["stored_at"] = time_of(stored_at)  # its only owner is here
    return message


def stored_message_json(
    identity: str, role: str, body: str, stored_at: int | None, said_at: int
) -> str:
    """Return the message of a row of `tables.MESSAGE_COLUMNS` as JSON, as `message_json` does."""
    text = message_json(identity, role, body)
    time = time_of(said_at if stored_at is None else stored_at).isoformat()
    if stored_at is None and f'"created_at":"{time}"' in text:
        return text  # a row of version 1 whose `said_at` is not when it was stored
    return f'{{"stored_at":"{time}",{text[1:]}'


def message_json(identity: str, role: str, body: str) -> str:
    """Return the message of a row as JSON, without decoding a body that needs no decoding.

    Raises:
        ProtocolError: The row is visibly damaged.
    """
    if body.startswith(_ENCODED):
        return dumps(message_of(identity, role, body))
    if not (body.startswith("{") and body.endswith("}")):
        raise _damaged()
    rest = "}" if body == "{}" else f",{body[1:]}"
    return f'{{"id":{to_json(decode_text(identity))},"role":"{role}"{rest}'


def _damaged() -> ProtocolError:
    return ProtocolError("a row is damaged, or written by another program: its body is not JSON")


def _encode_body(data: Mapping[str, JSON]) -> str:
    text = to_json(data, ascii_only=False)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _ENCODED + encode_text(text)
    return text


def _decode_body(body: str) -> dict[str, JSON]:
    text = decode_text(body[1:]) if body.startswith(_ENCODED) else body
    try:
        values, end = _decode(text)  # takes half the time of `json.loads`
    except ValueError:
        end = -1
    if end != len(text):
        raise _damaged()
    return cast("dict[str, JSON]", values)
