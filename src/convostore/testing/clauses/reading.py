"""Clauses of reading: values, order, paging, identity, absence, refusal, closing, concurrency."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ...adapters import OPERATIONS, READING, Operation
from ...errors import InvalidError, NotFoundError, UnsupportedError
from ...models import Conversation, Feedback, Order
from ...store import AsyncConversationStore
from .._assertions import (
    NotOffered,
    collect,
    conversation_ids,
    open_filled,
    pinned_then_active_key,
    raises,
    read_pages,
    read_stream,
    require,
    role_text_pairs,
)
from .._backend import Kit
from ..samples import HOSTILE_TEXTS, START, dialogue, numbered_conversations, text_message

__all__ = ["ReadingClauses", "call_operation", "offered_operations"]

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

_ABSENT = "there-is-no-such-conversation"
_ORDERS: tuple[Order, Order] = ("oldest_first", "newest_first")


class ReadingClauses:
    """The clauses of every backend that can be filled."""

    # Values

    async def test_hostile_texts_come_back_the_same(self, kit: Kit) -> None:
        """A message's text comes back character for character.

        People paste code, control characters and every script; a store that trims or escapes them
        changes what was said.
        """
        sample = dialogue("hostile", HOSTILE_TEXTS)
        store = await open_filled(kit, [sample])
        assert role_text_pairs(await collect(store.messages("hostile"))) == role_text_pairs(
            sample.messages
        )

    async def test_titles_come_back_the_same(self, kit: Kit) -> None:
        """A title comes back character for character.

        Titles are what people look for; one that was trimmed or escaped is not found again.
        """
        titles = [text for text in HOSTILE_TEXTS if len(text) < 1000]
        samples = [dialogue(f"t{place}", ["hi"], title) for place, title in enumerate(titles)]
        store = await open_filled(kit, samples)
        found = {
            conversation.id: conversation.title
            for conversation in await collect(store.conversations())
        }
        assert found == {f"t{place}": title for place, title in enumerate(titles)}

    async def test_times_are_utc_or_unknown(self, kit: Kit) -> None:
        """Every time is in UTC, or None.

        Times of several stores are compared; a local or made-up one would sort wrongly.
        """
        store = await open_filled(kit, numbered_conversations(2))
        for transcript in await collect(store.transcripts()):
            assert transcript.conversation is not None
            times = [message.created_at for message in transcript.messages]
            times += [transcript.conversation.created_at, transcript.conversation.updated_at]
            for time in times:
                assert time is None or time.utcoffset() == timedelta(0)

    # Order

    async def test_messages_come_in_the_order_they_were_written(self, kit: Kit) -> None:
        """Messages are listed in the order in which they were written.

        Read in another order, a conversation has another meaning.
        """
        sample = dialogue("long", [f"message {number}" for number in range(25)])
        store = await open_filled(kit, [sample])
        assert role_text_pairs(await collect(store.messages("long"))) == role_text_pairs(
            sample.messages
        )

    async def test_newest_first_is_the_whole_sequence_reversed(self, kit: Kit) -> None:
        """`newest_first` reverses the whole sequence, not each page.

        An app shows the end of a long conversation from one page of it.
        """
        store = await open_filled(
            kit, [dialogue("long", [f"message {number}" for number in range(12)])]
        )
        forwards = await collect(store.messages("long"))
        backwards = await collect(store.messages("long", order="newest_first"))
        assert backwards == forwards[::-1]
        page = await store.list_messages("long", limit=3, order="newest_first")
        assert list(page.items) == backwards[:3]

    async def test_conversations_come_in_the_promised_order(self, kit: Kit) -> None:
        """Conversations are listed in a stable order, the one that `traits.order` promises.

        Apps show the list as it comes, and merge lists by that order.
        """
        store = await open_filled(kit, numbered_conversations(6))
        listed = await collect(store.conversations())
        assert [conversation.id for conversation in listed] == await conversation_ids(store)
        if store.traits.order == "pinned_then_active":
            await store.update_conversation("c0002", pinned=True)
            listed = await collect(store.conversations())
            assert listed == sorted(listed, key=pinned_then_active_key)
            assert listed[0].id == "c0002"

    # Paging

    async def test_pages_of_conversations_join_to_the_whole(self, kit: Kit) -> None:
        """Pages of conversations, put together, are the whole list.

        A mistake at a page's edge loses a conversation, or shows it twice.
        """
        store = await open_filled(kit, numbered_conversations(7))
        whole = await collect(store.conversations())
        read = await read_pages(lambda cursor: store.list_conversations(limit=3, cursor=cursor))
        assert read == whole
        assert len(whole) == 7

    async def test_pages_of_messages_join_to_the_whole(self, kit: Kit) -> None:
        """Pages of messages, put together, are the whole conversation, in both orders.

        A mistake at a page's edge loses a message, or shows it twice.
        """
        store = await open_filled(kit, numbered_conversations(1, messages=7))
        for order in _ORDERS:
            whole = await collect(store.messages("c0000", order=order))
            read = await read_pages(
                lambda cursor, order=order: store.list_messages(  # type: ignore[misc]
                    "c0000", limit=2, cursor=cursor, order=order
                )
            )
            assert read == whole
            assert len(whole) == 7

    async def test_a_page_holds_no_more_than_its_limit(self, kit: Kit) -> None:
        """A page is as full as its limit and `traits.max_page` allow, and no fuller.

        Callers size their memory and their screens by the limit.
        """
        store = await open_filled(kit, numbered_conversations(5, messages=5))
        for limit in (1, 3, 1000):
            most = min(limit, store.traits.max_page or limit)
            conversations = await store.list_conversations(limit=limit)
            messages = await store.list_messages("c0000", limit=limit)
            assert len(conversations.items) == min(5, most)
            assert len(messages.items) == min(5, most)

    async def test_a_list_that_comes_whole_is_asked_for_once(self, kit: Kit) -> None:
        """A service that sends a list whole is asked for it once, not once a page.

        Asking again for each page would cost the square of the list's length.
        """
        store = await open_filled(kit, numbered_conversations(6))
        if store.traits.paging != "whole" or kit.backend.service is None:
            raise NotOffered("its list has pages, or its requests cannot be counted")
        kit.backend.requests.clear()
        assert len(await collect(store.conversations())) == 6
        assert len(kit.backend.requests) == 1

    async def test_a_limit_below_one_is_refused(self, kit: Kit) -> None:
        """A limit below one is an `InvalidError`.

        A page of nothing would have a cursor that never ends.
        """
        store = await open_filled(kit, numbered_conversations(1))
        for limit in (0, -1):
            with raises(InvalidError):
                await store.list_conversations(limit=limit)
            with raises(InvalidError):
                await store.list_messages("c0000", limit=limit)

    async def test_a_cursor_works_in_a_store_opened_later(self, kit: Kit) -> None:
        """A cursor works in a store that is opened later.

        Web apps keep it in a link, and answer the next request in another process.
        """
        store = await open_filled(kit, numbered_conversations(4, messages=4))
        conversations = await store.list_conversations(limit=2)
        messages = await store.list_messages("c0000", limit=2)
        later = kit.open()
        rest = await later.list_conversations(limit=9, cursor=conversations.cursor)
        assert len({conversation.id for conversation in (*conversations.items, *rest.items)}) == 4
        assert len(rest.items) == 2
        tail = await later.list_messages("c0000", limit=9, cursor=messages.cursor)
        assert role_text_pairs((*messages.items, *tail.items)) == role_text_pairs(
            await collect(later.messages("c0000"))
        )

    async def test_a_cursor_of_another_list_is_refused(self, kit: Kit) -> None:
        """A cursor of another list, or of another order, is an `InvalidError`.

        Taken for one of this list, it would silently skip or repeat.
        """
        store = await open_filled(kit, numbered_conversations(4, messages=4))
        of_messages = (await store.list_messages("c0000", limit=2)).cursor
        with raises(InvalidError):
            await store.list_conversations(cursor=of_messages)
        with raises(InvalidError):
            await store.list_messages("c0001", cursor=of_messages)
        with raises(InvalidError):
            await store.list_messages("c0000", cursor=of_messages, order="newest_first")

    async def test_what_is_no_cursor_is_refused(self, kit: Kit) -> None:
        """Any other text in the place of a cursor is an `InvalidError`.

        Cursors come back from links and clients, so anybody may have changed them.
        """
        store = await open_filled(kit, numbered_conversations(1))
        for cursor in ("", "x", "!!!", "bnVsbA", "ʻ", "\ud800"):
            with raises(InvalidError):
                await store.list_conversations(cursor=cursor)

    async def test_a_walk_survives_the_deletion_of_what_it_showed(self, kit: Kit) -> None:
        """Paging continues although conversations of the last page were deleted.

        An app that deletes while it iterates must neither fail nor miss the rest.
        """
        store = await open_filled(kit, numbered_conversations(6))
        require(store, Operation.DELETE_CONVERSATION)
        first = await store.list_conversations(limit=3)
        for conversation in first.items[1:]:
            await store.delete_conversation(conversation.id)
        rest = await store.list_conversations(limit=9, cursor=first.cursor)
        assert len({conversation.id for conversation in (*first.items, *rest.items)}) == 6
        assert not {conversation.id for conversation in first.items} & {
            conversation.id for conversation in rest.items
        }

    # Identity

    async def test_message_ids_are_unique_within_a_conversation(self, kit: Kit) -> None:
        """Within a conversation every message has a unique id, which is not empty.

        Feedback, deletion and copies name a message by its id.
        """
        store = await open_filled(kit, numbered_conversations(1, messages=9))
        ids = [message.id for message in await collect(store.messages("c0000"))]
        assert len(set(ids)) == len(ids) == 9
        assert all(ids)

    async def test_every_read_shows_the_same(self, kit: Kit) -> None:
        """Two reads of an unchanged store show the same.

        Copies compare what they read with what they have; noise would be copied each time.
        """
        store = await open_filled(kit, numbered_conversations(2, messages=3))
        once = await collect(store.transcripts())
        again = await collect(kit.open().transcripts())
        assert [(transcript.conversation, transcript.messages) for transcript in once] == [
            (transcript.conversation, transcript.messages) for transcript in again
        ]

    async def test_ids_still_work_in_a_store_opened_later(self, kit: Kit) -> None:
        """Ids of conversations work in a store that is opened later.

        Apps store them in links and in their own databases.
        """
        store = await open_filled(kit, numbered_conversations(3))
        ids = await conversation_ids(store)
        await store.aclose()
        later = kit.open()
        for conversation_id in ids:
            assert (await later.get_conversation(conversation_id)).id == conversation_id
            assert len(await collect(later.messages(conversation_id))) == 2

    async def test_a_listed_conversation_is_the_one_that_is_got(self, kit: Kit) -> None:
        """`get_conversation` returns what the list shows of a conversation.

        An app may read either, and must not see two truths.
        """
        store = await open_filled(kit, numbered_conversations(3))
        for listed in await collect(store.conversations()):
            got = await store.get_conversation(listed.id)
            assert got.portable() == listed.portable()
            assert got.id == listed.id

    async def test_transcripts_come_in_the_order_of_the_list(self, kit: Kit) -> None:
        """Transcripts come in the order of the list, or of the ids that were passed.

        They are matched with the list by their place, and hold the same messages.
        """
        store = await open_filled(kit, numbered_conversations(9))
        read = await collect(store.transcripts())
        listed = await conversation_ids(store)
        assert [transcript.conversation_id for transcript in read] == listed
        for transcript in read:
            assert role_text_pairs(transcript.messages) == role_text_pairs(
                await collect(store.messages(transcript.conversation_id))
            )
        ids = ["c0005", "c0001"]
        named = await collect(store.transcripts(ids))
        assert [transcript.conversation_id for transcript in named] == ids

    # Absence

    async def test_reading_what_is_absent_raises_not_found(self, kit: Kit) -> None:
        """Reading an absent conversation is a `NotFoundError`, not an empty result.

        A caller could not tell a lost conversation from an empty one.
        """
        store = await open_filled(kit, numbered_conversations(1))
        with raises(NotFoundError):
            await store.get_conversation(_ABSENT)
        with raises(NotFoundError):
            await store.list_messages(_ABSENT)
        with raises(NotFoundError):
            await collect(store.transcripts([_ABSENT]))

    async def test_an_absent_conversation_does_not_end_transcripts(self, kit: Kit) -> None:
        """With `on_error="yield"`, an absent conversation is one transcript with an error.

        One conversation that is gone must not cost an export of thousands.
        """
        store = await open_filled(kit, numbered_conversations(2))
        ids = ["c0000", _ABSENT, "c0001"]
        read = await collect(store.transcripts(ids, on_error="yield"))
        assert [transcript.conversation_id for transcript in read] == ids
        assert [type(transcript.error) for transcript in read] == [
            type(None),
            NotFoundError,
            type(None),
        ]
        assert len(read[2].messages) == 2

    async def test_an_empty_id_is_refused_before_any_request(self, kit: Kit) -> None:
        """An empty id is an `InvalidError` before any request.

        In a URL it would name the whole collection, and a delete would delete all of it.
        """
        store = kit.open_refusing()
        for operation in offered_operations(store):
            if operation in _WITH_AN_ID:
                with raises(InvalidError):
                    await call_operation(store, operation, "")

    # Refusal

    async def test_what_is_not_offered_is_refused_before_any_request(self, kit: Kit) -> None:
        """An operation that is not offered is an `UnsupportedError` before any request.

        Callers may try, and be sure that nothing has happened.
        """
        store = kit.open_refusing()
        for operation in Operation:
            if not store.offers(operation):
                with raises(UnsupportedError) as caught:
                    await call_operation(store, operation, "an-id")
                assert caught.error.operation == operation

    async def test_what_is_offered_is_not_unsupported(self, kit: Kit) -> None:
        """An operation that is offered does not raise `UnsupportedError`.

        Apps show and hide buttons by `offers`.
        """
        store = await open_filled(kit, numbered_conversations(1))
        message = (await collect(store.messages("c0000")))[-1]
        for operation in _HARMLESS:
            if store.offers(operation):
                await call_operation(store, operation, "c0000", message.id)

    async def test_an_error_says_where_it_happened(self, kit: Kit) -> None:
        """An error names its adapter and its operation, and has a message.

        With several stores open, a log line must name the one that failed, and the operation.
        """
        store = await open_filled(kit, numbered_conversations(1))
        with raises(NotFoundError) as caught:
            await store.get_conversation(_ABSENT)
        assert caught.error.operation == "get_conversation"
        assert caught.error.adapter
        assert str(caught.error)

    # Closing

    async def test_a_closed_store_refuses_every_call(self, kit: Kit) -> None:
        """A closed store raises `InvalidError`; closing twice is harmless.

        Work that continues after the end is a bug that must show, and clean-up code runs twice.
        """
        store = await open_filled(kit, numbered_conversations(1))
        await store.aclose()
        await store.aclose()
        for operation in Operation:
            if store.offers(operation):
                with raises(InvalidError):
                    await call_operation(store, operation, "c0000")

    # Side by side

    async def test_readers_side_by_side_see_the_same(self, kit: Kit) -> None:
        """Reads made at the same time, in threads or tasks, see the same.

        Servers share one store among all their requests.
        """
        store = await open_filled(kit, numbered_conversations(4, messages=4))
        read = await kit.gather([lambda: _read_all(store)] * 8)
        assert all(transcript == read[0] for transcript in read)
        assert len(read[0]) == 16


async def _read_all(store: AsyncConversationStore) -> list[tuple[str, str]]:
    return [
        line
        for transcript in await collect(store.transcripts())
        for line in role_text_pairs(transcript.messages)
    ]


_HARMLESS = READING - {
    Operation.SUGGEST_QUESTIONS,  # a model may have to be asked
    Operation.GET_REPLY,  # these need a turn
    Operation.RESUME_REPLY,
}
_WITH_AN_ID = frozenset(
    operation
    for operation, info in OPERATIONS.items()
    if {"conversation_id", "conversation"}.intersection(info.arguments)
)
_STREAMING = frozenset({Operation.STREAM_REPLY, Operation.STREAM_ANSWER, Operation.RESUME_REPLY})
_OPTIONS: dict[Operation, dict[str, Any]] = {
    Operation.CREATE_CONVERSATION: {"title": "made"},
    Operation.UPDATE_CONVERSATION: {"title": "new"},
    Operation.DELETE_CONVERSATIONS: {"older_than": START},
}


def offered_operations(store: AsyncConversationStore) -> list[Operation]:
    """Return the operations that a store offers."""
    return [operation for operation in Operation if store.offers(operation)]


async def call_operation(
    store: AsyncConversationStore,
    operation: Operation,
    conversation_id: str,
    message_id: str = "a-message",
) -> object:
    """Call an operation with the arguments that it needs; read a stream to its end."""
    values: dict[str, Any] = {
        "conversation_id": conversation_id,
        "message_id": message_id,
        "turn_id": message_id,
        "conversation": Conversation.model_construct(id=conversation_id),
        "messages": dialogue("", ["x"]).messages,
        "message": text_message("edited", "user", 1).model_copy(update={"id": message_id}),
        "after": None,
        "tip": message_id,
        "query": "text",
        "content": "a text",
        "answer": "a text",
        "feedback": Feedback(rating="good"),
    }
    arguments = {name: values[name] for name in OPERATIONS[operation].arguments}
    result = getattr(store, operation)(**arguments, **_OPTIONS.get(operation, {}))
    return await (read_stream(result) if operation in _STREAMING else result)
