"""Replies as values: what they tell, what they pass on, and what a broken one leaves."""

import copy
import pickle

import pytest
from pydantic import TypeAdapter, ValidationError

from convostore import (
    InteractionPart,
    Message,
    RateLimitError,
    ReasoningPart,
    Source,
    StoreError,
    TextPart,
    UnavailableError,
)
from convostore.models import (
    OtherEvent,
    PartialReply,
    Reply,
    ReplyEvent,
    ReplyFinished,
    TextDelta,
    ToolCallStarted,
    Usage,
    pending_interaction,
)

ASKED = InteractionPart(type="userSelect", prompt="Which one?")
DONE = ASKED.model_copy(update={"answered": True, "answer": "a"})


def reply(*parts, **fields):
    message = Message(id="a", role="assistant", parts=parts, status="complete")
    return Reply(conversation_id="c", turn_id="t", message=message, **fields)


def test_a_replys_text_is_its_messages():
    result = reply(ReasoningPart(text="Hm."), TextPart(text="Blue"), TextPart(text="Red"))
    assert result.text == result.message.text
    assert "Blue" in result.text
    assert "Hm." not in result.text


@pytest.mark.parametrize(
    ("parts", "pending"),
    [
        ((), None),
        ((TextPart(text="a"),), None),
        ((TextPart(text="a"), ASKED), ASKED),
        ((ASKED, TextPart(text="a")), None),
        ((DONE,), None),
        ((DONE, ASKED), ASKED),
        ((ASKED, DONE), None),
    ],
)
def test_an_interaction_waits_when_it_is_last_and_not_answered(parts, pending):
    result = reply(*parts)
    assert pending_interaction(result.message) == pending
    assert result.interaction == pending


def test_a_reply_is_frozen_and_closed():
    result = reply()
    with pytest.raises(ValidationError, match="frozen"):
        result.turn_id = "other"
    with pytest.raises(ValidationError, match="Extra inputs"):
        Reply.model_validate({"conversation_id": "c", "turn_id": None, "message": {}, "more": 1})


def test_a_portable_reply_forgets_the_ids_of_its_service():
    plain = reply(TextPart(text="Blue"), title="T", usage=Usage(output_tokens=2)).portable()
    assert plain["title"] == "T"
    assert plain["usage"] == {"input_tokens": None, "output_tokens": 2}
    assert not {"conversation_id", "turn_id", "question"} & plain.keys()


@pytest.mark.parametrize(
    "event",
    [
        TextDelta(text="a"),
        ToolCallStarted(id="1", name="f"),
        OtherEvent(type="chart", data=[1]),
        ReplyFinished(reply=reply(TextPart(text="a"), title="T", variables={"n": [1]})),
    ],
    ids=lambda event: event.kind,
)
def test_an_event_comes_back_from_json_by_its_kind(event):
    adapter = TypeAdapter(ReplyEvent)
    assert adapter.validate_json(adapter.dump_json(event)) == event


def test_a_partial_replys_text_is_that_of_its_text_parts():
    partial = PartialReply(
        conversation_id="c",
        turn_id=None,
        parts=(TextPart(text="one"), ReasoningPart(text="Hm."), TextPart(text="two")),
    )
    assert partial.text == "one\ntwo"
    assert PartialReply(conversation_id="c", turn_id=None).text == ""


@pytest.mark.parametrize("error", [StoreError, UnavailableError, RateLimitError])
@pytest.mark.parametrize(
    "again", [lambda value: pickle.loads(pickle.dumps(value)), copy.copy, copy.deepcopy]
)
def test_an_error_keeps_what_had_arrived_when_it_is_copied(error, again):
    original = error("it broke off", adapter="notes", operation="stream_reply")
    original.partial = PartialReply(
        conversation_id="c",
        turn_id="t",
        parts=(TextPart(text="Bl"),),
        sources=(Source(title="T"),),
    )
    copied = again(original)
    assert (copied.partial, str(copied)) == (original.partial, "it broke off")


def test_an_error_that_ended_no_reply_has_nothing_that_had_arrived():
    assert StoreError("no").partial is None
