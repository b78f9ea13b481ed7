"""Clauses of flows that ask their user: what is asked, answered and refused."""

from __future__ import annotations

from collections.abc import Iterator

from ...adapters import AnswerContent, Operation
from ...errors import ConflictError, InvalidError
from ...models import InteractionPart, Message, Reply, pending_interaction
from ...store import AsyncConversationStore
from .._assertions import NotOffered, collect, raises, read_stream
from .._backend import Kit, Prompts
from ._reply_helpers import QUESTION, accumulate, finished_reply, open_replying

__all__ = ["InteractionClauses"]

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

_NO_FIELD = "there-is-no-such-field"
_NO_OPTION = "there is no such option"


class InteractionClauses:
    """The clauses of a backend whose flows ask."""

    async def test_a_flow_that_asks_waits(self, kit: Kit) -> None:
        """A flow that asks ends its reply with an open interaction, which the last message holds.

        An app that restarts finds the question by the stored message.
        """
        store, prompts = open_replying(kit, Operation.REPLY, Operation.ANSWER)
        for prompt in _asking_prompts(prompts):
            reply = await store.reply(None, prompt, **prompts.options)
            interaction = reply.interaction
            assert interaction is not None
            assert not interaction.answered
            assert interaction.options or interaction.fields
            assert pending_interaction(await _last_message(store, reply)) == interaction

    async def test_an_answer_goes_on_with_the_flow(self, kit: Kit) -> None:
        """An answer continues the same message and turn, and marks the question answered.

        It is not a new turn: ids stay, parts are added.
        """
        store, prompts = open_replying(kit, Operation.REPLY, Operation.ANSWER)
        for prompt in _asking_prompts(prompts):
            question_reply = await store.reply(None, prompt, **prompts.options)
            before = await collect(store.messages(question_reply.conversation_id))
            filled_in = _valid_answer(question_reply, prompts)
            reply = await store.answer(question_reply.conversation_id, filled_in, **prompts.options)
            assert reply.interaction is None
            assert reply.message.id == question_reply.message.id
            assert reply.turn_id == question_reply.turn_id
            _assert_it_was_answered(reply, len(question_reply.message.parts) - 1, filled_in)
            assert len(reply.message.parts) > len(question_reply.message.parts)
            messages = await collect(store.messages(question_reply.conversation_id))
            assert [message.id for message in messages] == [message.id for message in before]
            assert messages[-1].portable() == reply.message.portable()

    async def test_a_streamed_answer_folds_to_what_the_flow_added(self, kit: Kit) -> None:
        """The events of a streamed answer add up to the parts that the flow added.

        Parts from before the question must not stream again.
        """
        store, prompts = open_replying(kit, Operation.REPLY, Operation.STREAM_ANSWER)
        for prompt in _asking_prompts(prompts):
            question_reply = await store.reply(None, prompt, **prompts.options)
            filled_in = _valid_answer(question_reply, prompts)
            events = await read_stream(
                store.stream_answer(question_reply.conversation_id, filled_in, **prompts.options)
            )
            added = finished_reply(events).message.parts[len(question_reply.message.parts) :]
            assert added
            assert accumulate(events).parts == added

    async def test_an_answer_that_does_not_fit_changes_nothing(self, kit: Kit) -> None:
        """An answer that matches no option or field is an `InvalidError`, and nothing changes.

        The question stays open, and the right answer still works.
        """
        store, prompts = open_replying(kit, Operation.REPLY, Operation.ANSWER)
        for prompt in _asking_prompts(prompts):
            question_reply = await store.reply(None, prompt, **prompts.options)
            before = await collect(store.messages(question_reply.conversation_id))
            for invalid_answer in _invalid_answers(question_reply):
                with raises(InvalidError):
                    await store.answer(
                        question_reply.conversation_id, invalid_answer, **prompts.options
                    )
            assert await collect(store.messages(question_reply.conversation_id)) == before
            valid_answer = _valid_answer(question_reply, prompts)
            reply = await store.answer(
                question_reply.conversation_id, valid_answer, **prompts.options
            )
            assert reply.interaction is None

    async def test_an_answer_that_nothing_waits_for_is_a_conflict(self, kit: Kit) -> None:
        """An answer where nothing is asked, or no longer asked, is a `ConflictError`.

        A form that is sent twice must not start another turn.
        """
        store, prompts = open_replying(kit, Operation.REPLY, Operation.ANSWER)
        reply = await store.reply(None, QUESTION, **prompts.options)
        await _assert_nothing_waits(store, reply, "a", prompts)
        for prompt in _asking_prompts(prompts):
            question_reply = await store.reply(None, prompt, **prompts.options)
            valid_answer = _valid_answer(question_reply, prompts)
            await store.answer(question_reply.conversation_id, valid_answer, **prompts.options)
            await _assert_nothing_waits(store, question_reply, valid_answer, prompts)

    async def test_an_answer_is_found_by_the_turn_that_asked(self, kit: Kit) -> None:
        """After an answer, `get_reply` of the turn that asked returns the whole message.

        The app knows no other turn.
        """
        store, prompts = open_replying(
            kit, Operation.REPLY, Operation.STREAM_ANSWER, Operation.GET_REPLY
        )
        for prompt in _asking_prompts(prompts):
            question_reply = await store.reply(None, prompt, **prompts.options)
            stream = store.stream_answer(
                question_reply.conversation_id,
                _valid_answer(question_reply, prompts),
                **prompts.options,
            )
            reply = finished_reply(await read_stream(stream))
            assert question_reply.turn_id is not None
            assert stream.turn_id == question_reply.turn_id
            stored_reply = await kit.open().get_reply(
                question_reply.conversation_id, question_reply.turn_id
            )
            assert stored_reply.message.portable() == reply.message.portable()


def _asking_prompts(prompts: Prompts) -> Iterator[str]:
    texts = [prompt for prompt in (prompts.choice, prompts.form) if prompt is not None]
    if not texts:
        raise NotOffered("no prompt makes it ask")
    return iter(texts)


async def _last_message(store: AsyncConversationStore, reply: Reply) -> Message:
    return (await collect(store.messages(reply.conversation_id)))[-1]


def _interaction_of(reply: Reply) -> InteractionPart:
    assert reply.interaction is not None
    return reply.interaction


def _valid_answer(reply: Reply, prompts: Prompts) -> AnswerContent:
    """Return an answer that fits the interaction of a reply."""
    interaction = _interaction_of(reply)
    return interaction.options[0].value if interaction.options else prompts.filled_in


def _invalid_answers(reply: Reply) -> list[AnswerContent]:
    """Return answers that do not fit the interaction of a reply."""
    interaction = _interaction_of(reply)
    return [_NO_OPTION, {_NO_FIELD: "x"}] if interaction.options else [{_NO_FIELD: "x"}]


def _assert_it_was_answered(reply: Reply, place: int, filled_in: AnswerContent) -> None:
    part = reply.message.parts[place]
    assert isinstance(part, InteractionPart)
    assert part.answered
    if isinstance(filled_in, str):
        assert part.answer == filled_in
    else:
        assert {field.key: field.value for field in part.fields} == dict(filled_in)


async def _assert_nothing_waits(
    store: AsyncConversationStore, reply: Reply, answer: AnswerContent, prompts: Prompts
) -> None:
    before = await collect(store.messages(reply.conversation_id))
    with raises(ConflictError):
        await store.answer(reply.conversation_id, answer, **prompts.options)
    assert await collect(store.messages(reply.conversation_id)) == before
