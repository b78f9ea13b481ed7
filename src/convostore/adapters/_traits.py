"""Traits: what an adapter declares about its backend, where no method shows it.

The use of a trait by a store, a mirror or a client must not be here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from ..models import Order

KeptField: TypeAlias = Literal["pinned", "owner", "metadata"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """The behaviour of a backend that no method shows; the worst case over its versions.

    Attributes:
        paging: ``native``, or ``whole`` if each response holds the whole list.
        order: The order of conversations: ``pinned_then_active`` (pinned ones first, then by
            `last_active_at`, the latest first, then by id), or the ``backend``'s own.
        updated_at: What changes it: only the ``content`` of a conversation, or ``any`` write or
            even a read; ``none`` if there is no such time.
        deletes: ``message`` if `delete_message` deletes just that message, ``may_delete_turn`` if
            it may delete the other half of the turn as well.
        clears: ``listed`` if `clear_conversations` deletes just what the store lists,
            ``may_clear_others`` if it may delete conversations that the store does not list.
        reports_absent: Whether a write to an absent conversation raises `NotFoundError`. (Deleting
            an absent one succeeds everywhere.)
        deleted_readable: Whether a deleted conversation's messages can still be read by its id.
        max_page: The maximum number of items in a page; None if there is no limit.
        starts: The lists that can begin at an id: ``conversations``, ``messages``. Where `paging`
            is ``whole``, both are always included, as `paginate` cuts the list.
        orders: The orders of the list of conversations; ``oldest_first`` is the backend's own order
            reversed. Where `paging` is ``whole``, both are always included.
        filters: What conversations can be listed, searched and deleted by, besides their age.
        keeps: The optional fields of conversations that the backend stores; the others always hold
            their default. What `update_conversation` can change is always included.
        changes: The fields that `update_conversation` can change. An ``owner`` or ``metadata``
            among them can also be set when a conversation is created.
        batches: ``atomic`` if a batch of writes is stored as a whole or not at all, and nobody sees
            a part of it; ``none`` if each write is stored by itself.
    """

    paging: Literal["native", "whole"] = "native"
    order: Literal["backend", "pinned_then_active"] = "backend"
    updated_at: Literal["content", "any", "none"] = "none"
    deletes: Literal["message", "may_delete_turn"] = "message"
    clears: Literal["listed", "may_clear_others"] = "listed"
    reports_absent: bool = True
    deleted_readable: bool = False
    max_page: int | None = None
    starts: frozenset[Literal["conversations", "messages"]] = frozenset()
    orders: frozenset[Order] = frozenset({"newest_first"})
    filters: frozenset[Literal["owner"]] = frozenset()
    keeps: frozenset[KeptField] = frozenset()
    changes: frozenset[Literal["title", "pinned", "owner", "metadata"]] = frozenset(
        {"title", "pinned"}
    )
    batches: Literal["atomic", "none"] = "none"

    def __post_init__(self) -> None:
        if self.paging == "whole":
            object.__setattr__(self, "starts", frozenset({"conversations", "messages"}))
            object.__setattr__(self, "orders", frozenset(get_args(Order)))
