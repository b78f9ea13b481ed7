"""Completions for shells: names of profiles, and ids of conversations and messages.

A shell's script may evaluate what it is given, and titles come from strangers: only harmless
characters get through. A completion is quick or nothing: one page of the store, a short time-out,
no error, and no command that could ask for a password.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from ..store import ConversationStore

__all__ = ["complete_conversation", "complete_message", "complete_profile", "complete_target"]

_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./@%+=,~-]*")
_NOT_A_WORD: Final = re.compile(r"[^\w ,.]+")
_TITLE: Final = 40
_MOST: Final = 100
"""The items of a list that are offered."""
_QUICK: Final = {"timeout": 2.0, "retries": 0, "create": False}
"""Options of a store that is opened for completions, where it has them."""

Items = list[tuple[str, str]]


def complete_profile(incomplete: str) -> list[str]:
    """Return the names of profiles that begin with a text; none when the file cannot be read."""
    try:
        from ._profiles import profile_names

        names = filter(_ID.fullmatch, profile_names())
        return sorted(name for name in names if name.startswith(incomplete))
    except Exception:
        return []


def complete_target(ctx: typer.Context, incomplete: str) -> Items:
    """Return profiles, and with a default target what may be written in the target's place."""
    profiles = [(name, "profile") for name in complete_profile(incomplete)]
    return [*profiles, *_of_default(ctx, incomplete)]


def complete_conversation(ctx: typer.Context, incomplete: str) -> Items:
    """Return ids of conversations that begin with a text, and their titles."""
    return _from_store(ctx, incomplete, _conversations)


def complete_message(ctx: typer.Context, incomplete: str) -> Items:
    """Return ids of messages that begin with a text, and the beginning of what they say."""
    conversation_id = ctx.params.get("conversation_id") or _only(ctx.params.get("conversation_ids"))
    if not isinstance(conversation_id, str):
        return []
    return _from_store(ctx, incomplete, lambda store: _messages(store, conversation_id))


def _only(ids: object) -> object:
    return ids[0] if isinstance(ids, list | tuple) and len(ids) == 1 else None


def _of_default(ctx: typer.Context, incomplete: str) -> Items:
    """Return conversations of the default target if the command's next argument is one."""
    arguments = [param for param in ctx.command.params if param.param_type_name == "argument"]
    if [str(getattr(param, "metavar", None)) for param in arguments][:2] != ["TARGET", "ID"]:
        return []
    try:
        from ..config import default_target

        target = default_target()
    except Exception:
        return []
    return _from_store(ctx, incomplete, _conversations, target=target)


def _conversations(store: ConversationStore) -> Iterable[tuple[str, str]]:
    page = store.list_conversations(limit=_MOST)
    return [(item.id, item.title or "") for item in page.items]


def _messages(store: ConversationStore, conversation_id: str) -> Iterable[tuple[str, str]]:
    page = store.list_messages(conversation_id, limit=_MOST, order="newest_first")
    return [(item.id, f"{item.role}, {item.text[:_TITLE]}") for item in page.items]


def _from_store(
    ctx: typer.Context,
    incomplete: str,
    read: Callable[[ConversationStore], Iterable[tuple[str, str]]],
    *,
    target: str | None = None,
) -> Items:
    named = target or ctx.params.get("target")
    if not isinstance(named, str):
        return []
    try:
        with _quickly_opened(named, ctx.params.get("given")) as store:
            items = islice(read(store), _MOST)
            return [
                (id, _harmless(words))
                for id, words in items
                if id.startswith(incomplete) and _ID.fullmatch(id)
            ]
    except Exception:
        return []


def _quickly_opened(target: str, given: Any) -> ConversationStore:
    """Open a store with a short time-out, if that runs no command.

    Raises:
        ConfigError: The target is wrong, or a secret comes from a command.
    """
    from ..config import open as open_store
    from ..config import open_adapter
    from ..errors import ConfigError
    from ._profiles import profiles_table, read_settings
    from .options import store_options

    if "://" not in target and _runs_a_command(profiles_table(read_settings()).get(target)):
        raise ConfigError("a completion runs no command")
    options: dict[str, Any] = dict(store_options(list(given or [])))
    fields = type(open_adapter(target, **options)).Options.model_fields
    quick = {name: value for name, value in _QUICK.items() if name in fields}
    return open_store(target, **{**options, **quick})


def _runs_a_command(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    return "command" in value or any(map(_runs_a_command, value.values()))


def _harmless(text: str) -> str:
    """Return a title without the characters that a shell could evaluate."""
    return " ".join(_NOT_A_WORD.sub(" ", text).split())[:_TITLE].strip() or "Untitled"
