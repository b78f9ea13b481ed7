"""Conversations and messages as rows, and back.

Any text is stored losslessly and in its order: NUL and surrogates, which databases refuse, are
encoded as pairs of characters. A row that another program damaged is read as far as it can be. No
statement may be known here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from json.encoder import encode_basestring_ascii  # a third of the time of `to_json`
from typing import Any, Final, get_args, overload

from convostore.adapters.write_rules import new_revision
from convostore.errors import InvalidError
from convostore.models import JSON, Conversation, Message, Role
from convostore.serialization import (
    damage,
    dump,
    dumps,
    parse_conversation,
    parse_message,
    salvage_conversation,
    salvage_message,
    separate_surrogates,
    structure_of,
    to_json,
)

from .queries import Row

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH: Final = _EPOCH.replace(tzinfo=None)
_MICROSECOND: Final = timedelta(microseconds=1)
PINNED: Final = 2**62
"""Subtracted from the rank of a pinned conversation: more than the range of times."""
_ENCODED: Final = "~"
"""First character of a body with surrogates: JSON would merge two adjacent ones into one."""
_SURROGATE: Final = "\ue000"
"""First character of an encoded surrogate."""
_REFUSED: Final = re.compile("[\x00\x01\ud800-\udfff\ue000]")
_REPLACED: Final = re.compile("\x01[\x01\x02]|\ue000[\x01-\u0801]")
_SURROGATES: Final = 0xD800
_ROLES: Final = frozenset(get_args(Role))
_is_sound: Final = structure_of(Message, without=("id", "role"))
_DAMAGE: Final = (InvalidError, TypeError, AttributeError, KeyError, OverflowError)
"""What reading a damaged row raises: not JSON of a value, or columns of another type."""


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
    if number is None:
        return None
    seconds, rest = divmod(number, 1_000_000)  # faster than a timedelta of microseconds
    return _EPOCH + timedelta(0, seconds, rest)


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
    """Make a conversation from a row of `tables.CONVERSATION_COLUMNS`.

    What cannot be read of a damaged row is among its problems.
    """
    identity, title, pinned, created_at, updated_at, _, body, owner, revision = row
    try:
        if revision is not None and type(revision) is not str:
            raise InvalidError("the revision is not text")
        rest = _BODILESS
        if body is not None:
            rest = parse_conversation(f'{{"id":"-",{_plain_body(body)[1:]}').__dict__
        return Conversation.model_construct(  # with all fields, which spares it the defaults
            id=decode_text(identity),
            title=None if title is None else decode_text(title),
            created_at=time_of(created_at),
            updated_at=time_of(updated_at),
            pinned=_TRUTHS[pinned],
            owner=None if owner is None else decode_text(owner),
            metadata=rest["metadata"] or {},
            revision=revision,
            origin=rest["origin"],
            files=rest["files"],
            problems=rest["problems"],
            raw=rest["raw"],
        )
    except _DAMAGE:
        return _salvaged_conversation(row)


_BODILESS: Final[dict[str, Any]] = Conversation.model_construct(id="-").__dict__
"""The fields of a conversation whose body holds none."""
_TRUTHS: Final = {0: False, 1: True}


def _salvaged_conversation(row: Row) -> Conversation:
    identity, title, pinned, created_at, updated_at, _, body, owner, revision = row
    columns = {
        "id": _identity(identity),
        "title": decode_text(title) if isinstance(title, str) else title,
        "pinned": pinned in {0, 1} and bool(pinned) if isinstance(pinned, int) else pinned,
        "created_at": _iso_time(created_at),
        "updated_at": _iso_time(updated_at),
        "owner": decode_text(owner) if isinstance(owner, str) else owner,
        "revision": revision,
    }
    return salvage_conversation(_stored_body(body), columns)


def _identity(identity: object) -> str:
    if isinstance(identity, bytes):
        return identity.decode("utf-8", "backslashreplace") or "-"
    return decode_text(str(identity)) or "-"


def _iso_time(number: Any) -> object:
    """Return the time of a column for salvage, or what stands there if it is not one."""
    try:
        time = time_of(number)
    except (TypeError, OverflowError):
        return number
    return None if time is None else time.isoformat()


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
    """Make a message from a row; what cannot be read of a damaged one is among its problems."""
    try:
        return _sound_message(identity, role, body)
    except _DAMAGE:
        text = _stored_body(body)
        columns = {"id": _identity(identity), "role": role}
        return salvage_message("" if text is None else text, columns)


def stored_message(
    identity: str, role: str, body: str, stored_at: int | None, said_at: int
) -> Message:
    """Make a message from a row of `tables.MESSAGE_COLUMNS`."""
    message = message_of(identity, role, body)
    if stored_at is None and message.created_at is None:
        stored_at = said_at  # as version 1 of the tables has it
    try:
        message.__dict__["stored_at"] = _stored_time(stored_at)  # its only owner is here
    except (TypeError, OverflowError):
        problem = damage("stored_at", "it is not a time")
        return message.trusted_copy(problems=(*message.problems, problem))
    return message


def stored_message_json(
    identity: str, role: str, body: str, stored_at: int | None, said_at: int
) -> str:
    """Return the message of a row as JSON, without writing anew what is stored so.

    The columns are those of `tables.MESSAGE_COLUMNS`.
    """
    try:
        time = _iso_of(said_at if stored_at is None else stored_at)
        if role in _ROLES and _SURROGATE not in identity and _is_sound(body):
            # A row of version 1 that says when it was written does not say when it was stored.
            known = stored_at is None and f'"created_at":"{time}"' in body
            return _whole(identity, role, body, "" if known else f',"stored_at":"{time}"')
    except _DAMAGE:
        pass
    return dumps(stored_message(identity, role, body, stored_at, said_at))


_stored_time: Final = lru_cache(maxsize=256)(time_of)
"""`time_of`, which messages that were stored together have in common."""


@lru_cache(maxsize=256)
def _iso_of(number: int) -> str:
    """Return the time of a column in ISO 8601."""
    seconds, rest = divmod(number, 1_000_000)
    # Half the time of a time that knows its zone.
    return f"{(_NAIVE_EPOCH + timedelta(0, seconds, rest)).isoformat()}+00:00"


def _sound_message(identity: str, role: str, body: str) -> Message:
    """Make a message from a row.

    Raises:
        InvalidError: The row is damaged, as it may be with other errors of `_DAMAGE`.
    """
    message = parse_message(_whole(identity, role, body))
    if message.role != role or message.id != decode_text(identity):
        raise InvalidError("the body has fields that belong in columns")
    return message


def _whole(identity: str, role: str, body: str, more: str = "") -> str:
    """Return the JSON of a row's message, with more fields in it."""
    text = _plain_body(body)
    rest = "}" if text == "{}" else f",{text[1:]}"
    return f'{{"id":{encode_basestring_ascii(decode_text(identity))},"role":"{role}"{more}{rest}'


def _plain_body(body: str) -> str:
    """Decode a body; an object's, if it is not damaged.

    Raises:
        InvalidError: It is not the text of an object.
    """
    # What is encoded has its surrogates as they are; in what is parsed, pairs are parted.
    text = separate_surrogates(decode_text(body[1:])) if body.startswith(_ENCODED) else body
    if not text.startswith("{"):
        raise InvalidError("the body is not a JSON object")
    return text


def _stored_body(body: object) -> object:
    """Return the JSON in a column, whatever it holds."""
    if isinstance(body, str) and body.startswith(_ENCODED):
        return decode_text(body[1:])
    return body


def _encode_body(data: Mapping[str, JSON]) -> str:
    text = to_json(data, ascii_only=False)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _ENCODED + encode_text(text)
    return text
