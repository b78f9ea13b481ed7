"""Fields of a copy: what it takes from its original, and what is its own.

Only values are made here; messages, and how a copy is written, are not known.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from typing import Any, Final

from ..adapters.write_rules import are_same_json
from ..models import Conversation, Origin
from ..models._metadata import check_metadata

KEPT_FIELDS: Final = ("pinned", "owner", "metadata")
"""The fields that only a copy can have, if its original has none; see `Traits.keeps`."""


def mirrored_fields(
    original: Conversation, copy_id: str, store: str, followed: Collection[str]
) -> Conversation:
    """Return the conversation that a mirror makes of one that it has not copied before.

    Args:
        original: The conversation of the source.
        copy_id: The id of the copy.
        store: The name of the source.
        followed: The fields of `Traits.keeps` that the source has.
    """
    origin = Origin(
        store=store,
        conversation_id=original.id,
        revision=original.revision,
        metadata_keys=tuple(sorted(original.metadata)) if "metadata" in followed else (),
    )
    return original.trusted_copy(id=copy_id, origin=origin, revision=None)


def fields_to_write(
    existing: Conversation | None,
    wanted: Conversation,
    followed: Collection[str],
    held: AbstractSet[str],
) -> tuple[Conversation, list[str]]:
    """Return what a copy should be, in which its own fields stay.

    Args:
        existing: The copy; None if there is none yet.
        wanted: What a new copy would be.
        followed: The fields of `Traits.keeps` in which it follows its original. Of metadata it
            follows the keys that a mirror wrote before, and those that it does not have.
        held: The fields of `Traits.keeps` that the target has.

    Returns:
        The copy, and the names of the fields that it cannot hold.
    """
    lost = [name for name in ("owner", "metadata") if getattr(wanted, name) and name not in held]
    if "owner" in lost:
        wanted = wanted.trusted_copy(owner=None)
    if "metadata" in lost:
        wanted = wanted.trusted_copy(metadata={}, origin=_with_keys(wanted.origin, ()))
    if existing is None:
        return wanted, lost
    wanted = wanted.trusted_copy(origin=wanted.origin or existing.origin)
    merged, fits = _merged(existing, wanted, followed)
    return merged, lost if fits else [*lost, "metadata"]


def _merged(
    existing: Conversation, wanted: Conversation, followed: Collection[str]
) -> tuple[Conversation, bool]:
    """Return what an existing copy should be, and whether all the metadata fit."""
    own = {name: getattr(existing, name) for name in KEPT_FIELDS if name not in followed}
    kept = wanted.trusted_copy(**own)
    if "metadata" in followed:
        return _with_metadata(existing, kept)
    return kept.trusted_copy(origin=_with_keys(kept.origin, _written(existing))), True


def _with_metadata(existing: Conversation, wanted: Conversation) -> tuple[Conversation, bool]:
    written = _written(existing)
    own = {key: value for key, value in existing.metadata.items() if key not in written}
    theirs = {key: value for key, value in wanted.metadata.items() if key not in own}
    try:
        metadata = check_metadata({**own, **theirs})
    except ValueError:  # both together are too large
        kept = wanted.trusted_copy(
            metadata=existing.metadata, origin=_with_keys(wanted.origin, written)
        )
        return kept, False
    return wanted.trusted_copy(metadata=metadata, origin=_with_keys(wanted.origin, theirs)), True


def _written(copy: Conversation) -> Collection[str]:
    """Return the keys of a copy's metadata that a mirror wrote."""
    return () if copy.origin is None else copy.origin.metadata_keys


def _with_keys(origin: Origin | None, keys: Collection[str]) -> Origin | None:
    if origin is None:
        return None
    return origin.trusted_copy(metadata_keys=tuple(sorted(keys)))


def update_arguments(existing: Conversation, wanted: Conversation) -> dict[str, Any]:
    """Return the arguments of `update_conversation` that make one conversation like another."""
    changes = {
        name: getattr(wanted, name)
        for name in ("title", "pinned", "owner")
        if getattr(wanted, name) != getattr(existing, name)
    }
    ours, theirs = existing.metadata, wanted.metadata
    gone: dict[str, Any] = dict.fromkeys(ours.keys() - theirs.keys())
    new = {
        key: value
        for key, value in theirs.items()
        if key not in ours or not are_same_json(ours[key], value)
    }
    return {**changes, "metadata": gone | new} if gone or new else changes


def are_alike(existing: Conversation, wanted: Conversation) -> bool:
    """Return whether a copy is what it should be, a mirror's notes included."""
    return (
        existing.portable() == wanted.portable()
        and are_same_json(existing.metadata, wanted.metadata)
        and _notes(existing) == _notes(wanted)
    )


def _notes(conversation: Conversation) -> object:
    return None if conversation.origin is None else conversation.origin.__dict__
