"""Clauses of streamed replies: stored, left early, broken off, and concurrent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ...adapters import Operation
from ...errors import InvalidError, StoreError, UnsupportedError
from .._assertions import collect, conversation_ids, raises, read_stream, role_text_pairs
from .._backend import Kit
from ._reply_helpers import (
    QUESTION,
    accumulate,
    assert_stored_turn,
    finished_reply,
    id_and_content,
    open_replying,
    reply_content,
    require_prompt,
)

if TYPE_CHECKING:
    from ...models import ReplyEvent

__all__ = ["StreamingClauses"]

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's


class StreamingClauses:
    """The clauses of a backend whose replies stream."""

    # Streamed and stored

    async def test_a_streamed_reply_folds_to_the_stored_message(self, kit: Kit) -> None:
        """The events of a stream add up to the parts of the finished message.

        The stored message must be the one that the user saw arrive.
        """
        store, prompts = open_replying(kit, Operation.STREAM_REPLY)
        for text in filter(None, (QUESTION, prompts.thinking, prompts.choice, prompts.form)):
            events = await read_stream(store.stream_reply(None, text, **prompts.options))
            reply = finished_reply(events)
            assert accumulate(events).parts == reply.message.parts
            assert reply.message.parts, text

    async def test_what_a_model_thinks_streams_before_its_text(self, kit: Kit) -> None:
        """Reasoning streams before the text, and is a part of the message.

        Apps show it apart, and close it when the text begins.
        """
        store, prompts = open_replying(kit, Operation.STREAM_REPLY)
        text = require_prompt(prompts.thinking, "makes it think")
        events = await read_stream(store.stream_reply(None, text, **prompts.options))
        kinds = [event.kind for event in events if event.kind in {"reasoning_delta", "text_delta"}]
        assert kinds[:1] == ["reasoning_delta"]
        assert kinds[-1:] == ["text_delta"]
        thought, *_ = [
            part for part in finished_reply(events).message.parts if part.kind == "reasoning"
        ]
        assert thought.text

    async def test_the_last_event_and_no_other_is_the_finished_reply(self, kit: Kit) -> None:
        """The last event, and no other, is `ReplyFinished`, with the stream's `reply`.

        It is how a reader knows that nothing is missing.
        """
        store, prompts = open_replying(kit, Operation.STREAM_REPLY)
        async with store.stream_reply(None, QUESTION, **prompts.options) as stream:
            events = await collect(stream)
            assert await collect(stream) == []
        assert [event.kind for event in events].index("reply_finished") == len(events) - 1
        assert stream.reply == finished_reply(events)

    async def test_a_whole_reply_and_a_streamed_one_say_the_same(self, kit: Kit) -> None:
        """`reply` and `stream_reply` give the same message for the same question.

        Apps choose between them by what they can show.
        """
        store, prompts = open_replying(kit, Operation.REPLY, Operation.STREAM_REPLY)
        whole = await store.reply(None, QUESTION, **prompts.options)
        streamed = await read_stream(store.stream_reply(None, QUESTION, **prompts.options))
        assert whole.message.parts == finished_reply(streamed).message.parts
        assert whole.text

    # Before and after

    async def test_ids_are_known_before_anything_is_sent(self, kit: Kit) -> None:
        """A stream's conversation and turn are known before it is entered, and are the sent ones.

        An app stores them first, to find the reply if it crashes.
        """
        store, prompts = open_replying(kit, Operation.STREAM_REPLY)
        unsent = [
            kit.open_refusing().stream_reply(None, QUESTION, **prompts.options) for _ in range(2)
        ]
        first, other = unsent
        assert first.turn_id is not None
        assert first.turn_id != other.turn_id
        assert first.conversation_id != other.conversation_id
        events = await read_stream(
            store.stream_reply(
                first.conversation_id, QUESTION, turn_id=first.turn_id, **prompts.options
            )
        )
        reply = finished_reply(events)
        assert (reply.conversation_id, reply.turn_id) == (first.conversation_id, first.turn_id)
        assert await collect(store.messages(first.conversation_id))

    async def test_a_reply_that_is_over_is_resumed_to_its_end(self, kit: Kit) -> None:
        """Resuming a reply that is over ends with the stored reply.

        A reader that comes back late still gets it.
        """
        store, prompts = open_replying(kit, Operation.REPLY, Operation.RESUME_REPLY)
        reply = await store.reply(None, QUESTION, **prompts.options)
        assert reply.turn_id is not None
        stream = kit.open().resume_reply(reply.conversation_id, reply.turn_id)
        events = await read_stream(stream)
        assert reply_content(finished_reply(events)) == reply_content(reply)
        assert accumulate(events).parts in ((), reply.message.parts)

    # Left, broken off, misused

    async def test_what_is_left_early_is_stored_whole(self, kit: Kit) -> None:
        """A stream that is left early is stored whole, and `so_far` has what had arrived.

        Users close the window; the answer must be there when they come back.
        """
        store, prompts = open_replying(kit, Operation.STREAM_REPLY)
        whole = finished_reply(
            await read_stream(store.stream_reply(None, QUESTION, **prompts.options))
        )
        async with store.stream_reply(None, QUESTION, **prompts.options) as stream:
            async for event in stream:
                if event.kind == "text_delta":
                    break
        so_far = stream.so_far
        assert so_far.conversation_id == stream.conversation_id
        assert so_far.text
        assert whole.text.startswith(so_far.text)
        messages = await collect(store.messages(stream.conversation_id))
        assert role_text_pairs(messages) == [("user", QUESTION), ("assistant", whole.text)]
        if store.offers(Operation.GET_REPLY):
            assert stream.turn_id is not None
            stored_reply = await kit.open().get_reply(stream.conversation_id, stream.turn_id)
            assert id_and_content(stored_reply.message) == id_and_content(messages[1])

    async def test_a_reply_that_breaks_off_raises_with_what_had_arrived(self, kit: Kit) -> None:
        """A reply that breaks off raises a `StoreError` whose `partial` holds what had arrived.

        The user has read it already; afterwards the store answers as before.
        """
        store, prompts = open_replying(kit, Operation.STREAM_REPLY)
        text = require_prompt(prompts.failing, "makes it fail")
        stream = store.stream_reply(None, text, **prompts.options)
        seen = accumulate([])
        with raises(StoreError) as caught:
            async with stream:
                async for event in stream:
                    seen.add(event)
        partial = caught.error.partial
        assert partial is not None
        assert (partial.conversation_id, partial.turn_id) == (
            stream.conversation_id,
            stream.turn_id,
        )
        assert partial.parts == seen.parts
        assert (caught.error.operation, bool(caught.error.adapter)) == ("stream_reply", True)
        with raises(InvalidError):
            await anext(stream)
        with raises(StoreError) as whole:
            await store.reply(None, text, **prompts.options)
        assert (whole.error.operation, bool(whole.error.partial)) == ("reply", True)
        assert (await store.reply(None, QUESTION, **prompts.options)).text

    async def test_a_reply_that_failed_is_a_failure_later(self, kit: Kit) -> None:
        """`get_reply` of a failed turn is an error of `get_reply`, not an empty reply.

        An app that recovers must not show half an answer as a whole one.
        """
        store, prompts = open_replying(kit, Operation.REPLY, Operation.GET_REPLY)
        text = require_prompt(prompts.failing, "makes it fail")
        with raises(StoreError) as caught:
            await store.reply(None, text, **prompts.options)
        partial = caught.error.partial
        assert partial is not None
        assert partial.turn_id is not None
        with raises(StoreError) as later:
            await kit.open().get_reply(partial.conversation_id, partial.turn_id)
        assert not isinstance(later.error, UnsupportedError)
        assert later.error.operation == "get_reply"

    async def test_a_stream_is_used_once(self, kit: Kit) -> None:
        """Entering a stream a second time is an `InvalidError`.

        It would ask the question twice.
        """
        store, prompts = open_replying(kit, Operation.STREAM_REPLY)
        stream = store.stream_reply(None, QUESTION, **prompts.options)
        await read_stream(stream)
        with raises(InvalidError):
            await read_stream(stream)
        assert len(await collect(store.messages(stream.conversation_id))) == 2

    async def test_a_stream_is_read_while_it_is_open_and_no_other_time(self, kit: Kit) -> None:
        """Reading before a stream is entered or after it is left is an `InvalidError`.

        So is `reply` before the end; nothing is sent until a stream is entered.
        """
        store, prompts = open_replying(kit, Operation.STREAM_REPLY)
        unsent = store.stream_reply(None, QUESTION, **prompts.options)
        with raises(InvalidError):
            await anext(unsent)
        async with store.stream_reply(None, QUESTION, **prompts.options) as stream:
            await anext(stream)
            with raises(InvalidError):
                _ = stream.reply
        with raises(InvalidError):
            await anext(stream)
        listed = await conversation_ids(store)
        assert listed == [stream.conversation_id]

    # Side by side

    async def test_replies_side_by_side_do_not_mix(self, kit: Kit) -> None:
        """Streams read at the same time, in threads or tasks, each get their own answer.

        A mix-up shows one user's answer to another.
        """
        store, prompts = open_replying(kit, Operation.STREAM_REPLY)
        texts = [f"question {number}" for number in range(8)]

        def sending(text: str) -> Callable[[], Awaitable[list[ReplyEvent]]]:
            return lambda: read_stream(store.stream_reply(None, text, **prompts.options))

        for text, events in zip(texts, await kit.gather([sending(t) for t in texts]), strict=True):
            await assert_stored_turn(store, text, events)

    async def test_two_streams_are_read_in_turn(self, kit: Kit) -> None:
        """Two streams read by turns each get their own answer.

        Interleaved reading is how one program shows two models side by side.
        """
        store, prompts = open_replying(kit, Operation.STREAM_REPLY)
        one: list[ReplyEvent] = []
        other: list[ReplyEvent] = []
        async with (
            store.stream_reply(None, "one", **prompts.options) as first,
            store.stream_reply(None, "another", **prompts.options) as second,
        ):
            async for event in first:
                one.append(event)
                if (next_one := await anext(second, None)) is not None:
                    other.append(next_one)
            other += await collect(second)
        await assert_stored_turn(store, "one", one)
        await assert_stored_turn(store, "another", other)
