"""Conversations and messages as rows, and back.

Texts and times are encoded in `columns`, damaged rows are read in `damage`. No statement may be
known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from hashlib import blake2b
from json.encoder import encode_basestring_ascii  # a third of the time of `to_json`
from operator import index
from typing import Any, Final, get_args

from convostore.adapters.write_rules import new_revision
from convostore.errors import InvalidError
from convostore.models import JSON, Conversation, Message, Role
from convostore.serialization import (
    damage,
    dump,
    dumps,
    parse_conversation,
    parse_message,
    separate_surrogates,
    structure_of,
    to_json,
)

from .columns import (
    ENCODED,
    EPOCH,
    MOST,
    decode_text,
    encode_text,
    is_encoded,
    microseconds,
    time_of,
)
from .damage import (
    DAMAGE,
    TRUTHS,
    damage_of_numbers,
    salvaged_conversation,
    salvaged_message,
    with_problems,
)
from .queries import Row

_NAIVE_EPOCH: Final = EPOCH.replace(tzinfo=None)
PINNED: Final = 2**62
"""Subtracted from the rank of a pinned conversation: more than the range of times."""
_ROLES: Final = frozenset(get_args(Role))
_is_sound: Final = structure_of(Message, without=("id", "role"))


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

    The values of a damaged row that cannot be read are among its problems.
    """
    # Without a star, which would take as long as all checks together.
    (
        identity,
        title,
        pinned,
        created_at,
        updated_at,
        stored_at,
        body,
        owner,
        revision,
        message_count,
        next_seq,
        rank,
    ) = row
    try:
        if not (type(stored_at) is type(message_count) is type(next_seq) is type(rank) is int):
            raise InvalidError("a column is not a number")
        if not (0 <= message_count < MOST and 0 <= next_seq < MOST):
            raise InvalidError("a column is not a number of messages")
        if not identity or not (identity.isprintable() or is_encoded(identity)):
            raise InvalidError("the id is not one that was encoded")
        if revision is not None and type(revision) is not str:
            raise InvalidError("the revision is not text")
        if owner == "":
            raise InvalidError("the owner is empty")
        rest = _BODILESS
        if body is not None:
            rest = parse_conversation(f'{{"id":"-",{_plain_body(body)[1:]}').__dict__
        return Conversation.model_construct(  # with all fields, which spares it the defaults
            id=decode_text(identity),
            title=None if title is None else decode_text(title),
            created_at=time_of(created_at),
            updated_at=time_of(updated_at),
            pinned=TRUTHS[pinned],
            owner=None if owner is None else decode_text(owner),
            metadata=rest["metadata"] or {},
            revision=revision,
            origin=rest["origin"],
            files=rest["files"],
            problems=rest["problems"],
            raw=rest["raw"],
        )
    except DAMAGE:
        return salvaged_conversation(row)


_BODILESS: Final[dict[str, Any]] = Conversation.model_construct(id="-").__dict__
"""The fields of a conversation whose body holds none."""


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
    except DAMAGE:
        return salvaged_message(identity, role, body)


def stored_message(
    seq: int, identity: str, role: str, body: str, stored_at: int | None, said_at: int
) -> Message:
    """Make a message from a row of `tables.MESSAGE_COLUMNS`."""
    message = message_of(identity, role, body)
    if not (type(seq) is type(said_at) is int):
        problems = damage_of_numbers(seq=seq, said_at=said_at)
        message = with_problems(message, problems)
    if stored_at is None and message.created_at is None:
        stored_at = said_at  # as version 1 of the tables has it
    try:
        message.__dict__["stored_at"] = _stored_time(stored_at)  # its only owner is here
    except (TypeError, OverflowError):
        return with_problems(message, [damage("stored_at", "it is not a time")])
    return message


def stored_message_json(
    seq: int, identity: str, role: str, body: str, stored_at: int | None, said_at: int
) -> str:
    """Return the message of a row as JSON, without encoding again what is stored so.

    The columns are those of `tables.MESSAGE_COLUMNS`.
    """
    try:
        time = _iso_of(said_at if stored_at is None else stored_at)
        is_placed = type(seq) is type(said_at) is int
        # What is printable has no encoded surrogates, which would be left as pairs.
        is_plain = is_placed and identity and identity.isprintable()
        if is_plain and role in _ROLES and _is_sound(body):
            # A row of version 1 that says when it was written does not say when it was stored.
            known = stored_at is None and f'"created_at":"{time}"' in body
            return _whole(identity, role, body, "" if known else f',"stored_at":"{time}"')
    except DAMAGE:
        pass
    return dumps(stored_message(seq, identity, role, body, stored_at, said_at))


_stored_time: Final = lru_cache(maxsize=256)(time_of)
"""`time_of`, which messages that were stored together have in common."""


@lru_cache(maxsize=256)
def _iso_of(number: int) -> str:
    """Return the time of a column in ISO 8601."""
    seconds, rest = divmod(index(number), 1_000_000)
    # Half the time of a time that knows its zone.
    return f"{(_NAIVE_EPOCH + timedelta(0, seconds, rest)).isoformat()}+00:00"


def _sound_message(identity: str, role: str, body: str) -> Message:
    """Make a message from a row.

    Raises:
        InvalidError: The row is damaged, as it may be with other errors of `DAMAGE`.
    """
    message = parse_message(_whole(identity, role, body))
    if message.role != role or message.id != decode_text(identity):
        raise InvalidError("the body has fields that belong in columns")
    if not (identity.isprintable() or is_encoded(identity)):
        raise InvalidError("the id is not one that was encoded")
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
    text = separate_surrogates(decode_text(body[1:])) if body.startswith(ENCODED) else body
    if not text.startswith("{"):
        raise InvalidError("the body is not a JSON object")
    return text


def _encode_body(data: Mapping[str, JSON]) -> str:
    text = to_json(data, ascii_only=False)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return ENCODED + encode_text(text)
    return text
