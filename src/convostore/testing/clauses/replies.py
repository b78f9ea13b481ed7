"""Clauses of replies: what is stored, found again and refused.

The backend's `Prompts` have the texts and the options of the turns. How replies stream is in
`streaming`, flows that ask are in `interactions`.
"""

from __future__ import annotations

from typing import Any, Final

from ...adapters import Operation
from ...errors import InvalidError, NotFoundError
from ...models import Feedback, ReasoningPart, TextPart, ToolCallPart
from .._assertions import (
    collect,
    conversation_ids,
    open_filled,
    raises,
    read_stream,
    role_text_pairs,
)
from .._backend import Kit
from ..samples import HOSTILE_TEXTS, numbered_conversations
from ._reply_helpers import QUESTION, id_and_content, open_replying, reply_content, require_prompts

__all__ = ["ReplyClauses"]

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

_NO_CONTENT: Final[tuple[Any, ...]] = (
    None,
    7,
    (),
    [],
    ["a text that is not a part"],
    TextPart(text="alone"),
    [ToolCallPart(id="1", name="look", arguments="{}")],
    [TextPart(text="a part"), ReasoningPart(text="thoughts are the model's")],
)


class ReplyClauses:
    """The clauses of a backend that answers."""

    # Storage

    async def test_a_reply_is_what_the_list_of_messages_shows(self, kit: Kit) -> None:
        """A reply's message and question are those that the store lists.

        An app shows the reply at once and the list later; both must be the same.
        """
        store, prompts = open_replying(kit, Operation.REPLY)
        reply = await store.reply(None, QUESTION, **prompts.options)
        messages = await collect(store.messages(reply.conversation_id))
        assert role_text_pairs(messages) == [("user", QUESTION), ("assistant", reply.text)]
        assert id_and_content(messages[1]) == id_and_content(reply.message)
        assert reply.question is None or id_and_content(messages[0]) == id_and_content(
            reply.question
        )

    async def test_a_new_conversation_is_in_the_list(self, kit: Kit) -> None:
        """A turn without a conversation begins one, which is listed.

        Its id is on the reply, for the next turn.
        """
        store, prompts = open_replying(kit, Operation.REPLY)
        reply = await store.reply(None, QUESTION, **prompts.options)
        assert await conversation_ids(store) == [reply.conversation_id]
        assert (await store.get_conversation(reply.conversation_id)).id == reply.conversation_id

    async def test_each_turn_adds_a_question_and_its_answer(self, kit: Kit) -> None:
        """A turn adds its question and its answer, and changes nothing before them.

        Copies and links go by the ids of earlier messages.
        """
        store, prompts = open_replying(kit, Operation.REPLY)
        first = await store.reply(None, "one", **prompts.options)
        before = await collect(store.messages(first.conversation_id))
        parts = [TextPart(text="two")]
        second = await store.reply(first.conversation_id, parts, **prompts.options)
        messages = await collect(store.messages(first.conversation_id))
        assert second.conversation_id == first.conversation_id
        assert role_text_pairs(messages) == [
            ("user", "one"),
            ("assistant", first.text),
            ("user", "two"),
            ("assistant", second.text),
        ]
        assert [message.id for message in messages[:2]] == [message.id for message in before]
        assert len({message.id for message in messages}) == 4

    async def test_a_turn_goes_on_with_a_conversation_that_was_there(self, kit: Kit) -> None:
        """A turn may continue a conversation that no reply started.

        Imported conversations are continued, and no other one is touched.
        """
        open_replying(kit, Operation.REPLY)
        store, options = (
            await open_filled(kit, numbered_conversations(2)),
            require_prompts(kit).options,
        )
        before = role_text_pairs(await collect(store.messages("c0000")))
        reply = await store.reply("c0000", QUESTION, **options)
        messages = role_text_pairs(await collect(store.messages("c0000")))
        assert messages == [*before, ("user", QUESTION), ("assistant", reply.text)]
        assert len(await collect(store.conversations())) == 2
        assert len(await collect(store.messages("c0001"))) == 2

    async def test_hostile_texts_are_asked_as_they_are(self, kit: Kit) -> None:
        """A question is sent and stored character for character.

        A prompt that was trimmed or escaped asks something else.
        """
        store, prompts = open_replying(kit, Operation.REPLY)
        for text in filter(str.strip, HOSTILE_TEXTS):
            reply = await store.reply(None, text, **prompts.options)
            messages = await collect(store.messages(reply.conversation_id))
            assert role_text_pairs(messages) == [("user", text), ("assistant", reply.text)]

    async def test_an_answer_takes_feedback_at_once(self, kit: Kit) -> None:
        """The id on a reply takes feedback at once.

        Users rate what they have just read.
        """
        store, prompts = open_replying(kit, Operation.REPLY, Operation.SET_FEEDBACK)
        reply = await store.reply(None, QUESTION, **prompts.options)
        good = Feedback(rating="good")
        await store.set_feedback(reply.conversation_id, reply.message.id, good)
        messages = await collect(store.messages(reply.conversation_id))
        assert [message.feedback for message in messages] == [None, good]

    async def test_an_answer_is_deleted_at_once(self, kit: Kit) -> None:
        """The id on a reply deletes its message at once.

        Users take back what they have just read; earlier turns stay.
        """
        store, prompts = open_replying(kit, Operation.REPLY, Operation.DELETE_MESSAGE)
        first = await store.reply(None, "one", **prompts.options)
        second = await store.reply(first.conversation_id, "two", **prompts.options)
        await store.delete_message(first.conversation_id, second.message.id)
        left = await collect(store.messages(first.conversation_id))
        assert len(left) == 3 or (len(left) == 2 and store.traits.deletes == "may_delete_turn")
        assert second.message.id not in {message.id for message in left}
        assert role_text_pairs(left[:2]) == [("user", "one"), ("assistant", first.text)]

    # Ids and finding again

    async def test_a_reply_is_found_by_its_turn_in_a_store_opened_later(self, kit: Kit) -> None:
        """`get_reply` finds a reply by its conversation and turn, in any store.

        It is how an app recovers after a lost connection or a restart.
        """
        store, prompts = open_replying(kit, Operation.REPLY, Operation.GET_REPLY)
        first = await store.reply(None, "one", **prompts.options)
        second = await store.reply(first.conversation_id, "two", **prompts.options)
        later = kit.open()
        for reply in (first, second):
            assert reply.turn_id is not None
            stored_reply = await later.get_reply(reply.conversation_id, reply.turn_id)
            assert reply_content(stored_reply) == reply_content(reply)

    async def test_a_turn_that_never_arrived_is_not_found(self, kit: Kit) -> None:
        """A turn that was never sent, or is another conversation's, is a `NotFoundError`.

        It is the proof that sending it again asks nothing twice.
        """
        store, prompts = open_replying(kit, Operation.REPLY, Operation.GET_REPLY)
        never = kit.open_refusing().stream_reply(None, QUESTION, **prompts.options)
        reply = await store.reply(None, QUESTION, **prompts.options)
        other = await store.reply(None, QUESTION, **prompts.options)
        for conversation_id, turn_id in (
            (never.conversation_id, never.turn_id),
            (reply.conversation_id, never.turn_id),
            (other.conversation_id, reply.turn_id),
        ):
            assert turn_id is not None
            with raises(NotFoundError):
                await store.get_reply(conversation_id, turn_id)
            if store.offers(Operation.RESUME_REPLY):
                with raises(NotFoundError):
                    await read_stream(store.resume_reply(conversation_id, turn_id))

    # Refusal

    async def test_what_is_no_content_is_refused_before_any_request(self, kit: Kit) -> None:
        """Content other than texts and files is an `InvalidError` before any request.

        A service would answer to nothing, at a price.
        """
        open_replying(kit, Operation.STREAM_REPLY)
        store, options = kit.open_refusing(), require_prompts(kit).options
        for content in _NO_CONTENT:
            with raises(InvalidError):
                await read_stream(store.stream_reply(None, content, **options))
            with raises(InvalidError):
                await store.reply(None, content, **options)

    async def test_an_unknown_option_is_refused_before_any_request(self, kit: Kit) -> None:
        """An option that the adapter does not know is an `InvalidError` that names it.

        A typing mistake must not be ignored, least of all after the request.
        """
        open_replying(kit, Operation.STREAM_REPLY)
        store, options = kit.open_refusing(), require_prompts(kit).options
        unknown = dict(options) | {"no_such_option": 1}
        with raises(InvalidError) as caught:
            await read_stream(store.stream_reply(None, QUESTION, **unknown))
        assert "no_such_option" in str(caught.error)
        with raises(InvalidError):
            await store.reply(None, QUESTION, **unknown)
        if store.offers(Operation.ANSWER):
            with raises(InvalidError):
                await store.answer("c0000", "a", **unknown)

    # Suggestions

    async def test_suggested_questions_are_texts_and_change_nothing(self, kit: Kit) -> None:
        """Suggested questions are texts that are not empty, and nothing is stored.

        They are shown as buttons; asking for them adds nothing to the conversation.
        """
        store, prompts = open_replying(kit, Operation.REPLY, Operation.SUGGEST_QUESTIONS)
        reply = await store.reply(None, QUESTION, **prompts.options)
        questions = await store.suggest_questions(reply.conversation_id)
        assert questions
        assert [type(question) for question in questions] == [str] * len(questions)
        assert all(questions)
        messages = await collect(store.messages(reply.conversation_id))
        assert role_text_pairs(messages) == [("user", QUESTION), ("assistant", reply.text)]
