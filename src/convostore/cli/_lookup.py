"""The conversation that a word on the command line means: an id, its beginning, or ``-``.

``-`` is the conversation that was last active. A beginning counts at a terminal only, where a
person sees the conversation: ids are any texts, so the id of a deleted conversation may be the
beginning of another one, and a script must not continue with that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from ..errors import ConfigError, NotFoundError
from ._confirm import can_ask, titled
from .errors import print_to_stderr
from .render.text import one_line
from .render.times import when

if TYPE_CHECKING:
    from ..models import Conversation, Message
    from ..store import ConversationStore

T = TypeVar("T")
Item = TypeVar("Item", "Conversation", "Message")

LAST: Final = "-"
"""The word for the conversation that was last active."""

_LOOKED_THROUGH: Final = 500
"""The conversations at the head of the list among which the beginning of an id is looked for."""
_RECENT: Final = 100
"""Those among which the last active one is looked for; the head may be pinned."""
_CANDIDATES: Final = 5
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


def find_id(store: ConversationStore, word: str) -> str:
    """Return the id that a word means; the word itself if nothing has it.

    Raises:
        ConfigError: It is the beginning of several ids.
        NotFoundError: It is ``-``, and there is no conversation.
    """
    if word == LAST:
        return _last_active(store).id
    if not can_ask():
        return word
    found = None if _exists(store, word) else _beginning_with(store, word)
    return word if found is None else found.id


def with_id(
    store: ConversationStore, word: str, act: Callable[[str], T], *, is_said: bool = True
) -> T:
    """Call a function with the id that a word means.

    The word is tried as it is first, so that a whole id costs no request.

    Args:
        store: The store of the conversation.
        word: From the command line.
        act: The function; it raises `NotFoundError` if there is no such conversation.
        is_said: Whether to print the whole id for people.

    Raises:
        ConfigError: The word is the beginning of several ids.
        NotFoundError: There is no such conversation.
    """
    if word == LAST:
        return act(_said(_last_active(store), word, is_said=is_said))
    try:
        return act(word)
    except NotFoundError:
        if not can_ask() or _exists(store, word):  # then one of its messages is absent
            raise
        found = _beginning_with(store, word)
        if found is None:
            raise
    return act(_said(found, word, is_said=is_said))


def find_message_id(store: ConversationStore, conversation_id: str, word: str) -> str:
    """Return the id of a message that a word means; the word itself if nothing has it.

    It is also the word itself where an older message might have it as its whole id.

    Raises:
        ConfigError: It is the beginning of several ids.
        NotFoundError: There is no such conversation.
    """
    if not can_ask():
        return word
    is_asked = store.offers("get_message")
    if is_asked:
        with suppress(NotFoundError):
            return store.get_message(conversation_id, word).id
    newest = list(islice(store.messages(conversation_id, order="newest_first"), _LOOKED_THROUGH))
    if not is_asked and len(newest) == _LOOKED_THROUGH:
        return word
    found = [message for message in newest if word and message.id.startswith(word)]
    one = _only(found, word, _described_message)
    return word if one is None else one.id


def _exists(store: ConversationStore, conversation_id: str) -> bool:
    try:
        store.get_conversation(conversation_id)
    except NotFoundError:
        return False
    return True


def _said(conversation: Conversation, word: str, *, is_said: bool) -> str:
    if is_said and can_ask():
        print_to_stderr(f"{one_line(word)} is {one_line(conversation.id)}")
    return conversation.id


def _last_active(store: ConversationStore) -> Conversation:
    """Return the conversation that was last active; of a list without times, the first.

    Raises:
        NotFoundError: There is none.
    """
    recent: list[Conversation] = []
    for conversation in islice(store.conversations(), _LOOKED_THROUGH):
        recent.append(conversation)
        if len(recent) >= _RECENT and not conversation.pinned:
            break
    if not recent:
        raise NotFoundError("there is no conversation yet")
    return max(recent, key=lambda conversation: conversation.last_active_at or _NEVER)


def _beginning_with(store: ConversationStore, word: str) -> Conversation | None:
    """Return the one conversation whose id begins with a word; None if there is none.

    Raises:
        ConfigError: There are several.
    """
    head = islice(store.conversations(), _LOOKED_THROUGH)
    found = [conversation for conversation in head if word and conversation.id.startswith(word)]
    return _only(found, word, _described)


def _only(found: Sequence[Item], word: str, described: Callable[[Item], str]) -> Item | None:
    """Return the item whose id is a word, or the only one; None if there is none.

    Raises:
        ConfigError: There are several, which are listed for people.
    """
    for item in found:
        if item.id == word:
            return item
    if len(found) > 1:
        for item in found[:_CANDIDATES]:
            print_to_stderr(f"  {described(item)}")
        if (more := len(found) - _CANDIDATES) > 0:
            print_to_stderr(f"  and {more:,} more")
        raise ConfigError(f"{word!r} is the beginning of {len(found):,} ids: write more of one")
    return found[0] if found else None


def _described_message(message: Message) -> str:
    return titled(message.text, f"  ({message.role})", before=f"{one_line(message.id)}  ")


def _described(conversation: Conversation) -> str:
    time = when(conversation.last_active_at)
    return titled(conversation.title, f"  ({time})", before=f"{one_line(conversation.id)}  ")
