"""Drafts: what events put together, and that looking at it on the way costs little."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convostore import (
    FilePart,
    InteractionPart,
    Message,
    OtherEvent,
    OtherPart,
    ProtocolError,
    ReasoningPart,
    RunStep,
    Source,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from convostore.adapters import ReplyAccumulator
from convostore.models import (
    InteractionRequested,
    PartAdded,
    PartsReplaced,
    ReasoningDelta,
    ReplyFinished,
    RunDetailsReported,
    SourcesFound,
    StatusChanged,
    TextDelta,
    TitleChanged,
    ToolCallArgumentsDelta,
    ToolCallStarted,
    ToolResultDelta,
    Usage,
    UsageReported,
    VariablesUpdated,
)

ASKED = InteractionPart(type="userSelect", prompt="Which one?")
EVERY_PART = (
    ReasoningPart(text="Hm."),
    TextPart(text=""),
    ToolCallPart(id="1", name="search", arguments="{}"),
    TextPart(text="Blue"),
    ToolResultPart(id="1", content="sky"),
    ToolCallPart(id="2", name="search"),
    ToolCallPart(name="nameless", arguments="1"),
    ToolResultPart(content="nobody's"),
    ToolResultPart(id="elsewhere", content="a call before"),
    FilePart(url="https://h/a.png"),
    OtherPart(type="chart", data={"a": 1}),
    TextPart(text="one"),
    TextPart(text="two"),
    ASKED,
)


def folded(*events):
    accumulator = ReplyAccumulator()
    for event in events:
        accumulator.add(event)
    return accumulator


def parts_of(*events):
    return folded(*events).parts


def test_an_accumulator_without_events_is_empty():
    accumulator = ReplyAccumulator()
    assert (accumulator.parts, accumulator.sources, accumulator.run_details) == ((), (), ())
    assert (accumulator.title, accumulator.variables, accumulator.usage) == (None, None, None)


def test_deltas_of_one_kind_make_one_part():
    assert parts_of(
        ReasoningDelta(text="H"),
        ReasoningDelta(text="m."),
        TextDelta(text="Bl"),
        TextDelta(text="ue"),
        ReasoningDelta(text="Or?"),
        TextDelta(text="Red"),
    ) == (
        ReasoningPart(text="Hm."),
        TextPart(text="Blue"),
        ReasoningPart(text="Or?"),
        TextPart(text="Red"),
    )


def test_a_delta_of_nothing_begins_no_part():
    assert parts_of(TextDelta(text=""), ReasoningDelta(text="")) == ()
    assert parts_of(TextDelta(text="a"), ReasoningDelta(text=""), TextDelta(text="b")) == (
        TextPart(text="ab"),
    )


@pytest.mark.parametrize(
    ("event", "part"),
    [
        (PartAdded(part=FilePart(name="a.pdf")), FilePart(name="a.pdf")),
        (PartAdded(part=TextPart(text="whole")), TextPart(text="whole")),
        (InteractionRequested(interaction=ASKED), ASKED),
        (ToolCallStarted(id="1", name="f"), ToolCallPart(id="1", name="f")),
    ],
)
def test_a_piece_between_begins_a_new_text(event, part):
    assert parts_of(TextDelta(text="a"), event, TextDelta(text="b")) == (
        TextPart(text="a"),
        part,
        TextPart(text="b"),
    )


@pytest.mark.parametrize(
    "event",
    [
        StatusChanged(name="Model", status="running"),
        OtherEvent(type="heartbeat", data={}),
        SourcesFound(sources=(Source(title="T"),)),
        TitleChanged(title="T"),
        VariablesUpdated(variables={}),
        RunDetailsReported(steps=()),
        UsageReported(usage=Usage(input_tokens=1)),
        ReplyFinished(
            reply=folded().reply(
                conversation_id="c",
                turn_id="t",
                message=Message(role="assistant", parts=()),
                question=None,
            )
        ),
    ],
    ids=lambda event: event.kind,
)
def test_what_is_no_piece_of_the_answer_leaves_a_text_whole(event):
    assert parts_of(TextDelta(text="a"), event, TextDelta(text="b")) == (TextPart(text="ab"),)


def test_calls_may_be_interleaved_and_each_result_stands_behind_its_call():
    assert parts_of(
        ToolCallStarted(id="1", name="search"),
        ToolCallStarted(id="2", name="add"),
        ToolCallArgumentsDelta(id="1", arguments='{"q":'),
        ToolCallArgumentsDelta(id="2", arguments="[1"),
        ToolCallArgumentsDelta(id="1", arguments='"sky"}'),
        ToolResultDelta(id="2", content="1"),
        ToolCallArgumentsDelta(id="2", arguments="]"),
        ToolResultDelta(id="1", content=""),
        TextDelta(text="Blue"),
        ToolResultDelta(id="2", content="!"),
        TextDelta(text="."),
    ) == (
        ToolCallPart(id="1", name="search", arguments='{"q":"sky"}'),
        ToolResultPart(id="1", content=""),
        ToolCallPart(id="2", name="add", arguments="[1]"),
        ToolResultPart(id="2", content="1!"),
        TextPart(text="Blue."),
    )


def test_a_call_that_was_not_announced_is_a_call_and_may_be_named_later():
    events = [
        ToolResultDelta(id="1", content="sky"),
        ToolCallArgumentsDelta(id="2", arguments="{}"),
    ]
    assert parts_of(*events) == (
        ToolCallPart(id="1", name=""),
        ToolResultPart(id="1", content="sky"),
        ToolCallPart(id="2", name="", arguments="{}"),
    )
    accumulator = folded(*events)
    assert accumulator.parts[2].name == ""
    accumulator.add(ToolCallStarted(id="2", name="add"))
    assert accumulator.parts[2] == ToolCallPart(id="2", name="add", arguments="{}")


def test_parts_that_replace_others_are_kept_as_they_are():
    assert parts_of(TextDelta(text="taken back"), PartsReplaced(parts=EVERY_PART)) == EVERY_PART
    assert parts_of(PartsReplaced(parts=EVERY_PART), PartsReplaced(parts=())) == ()


def test_more_may_come_of_parts_that_replaced_others():
    assert parts_of(
        ToolCallStarted(id="1", name="gone"),
        ToolResultDelta(id="1", content="gone"),
        PartsReplaced(parts=EVERY_PART[:6]),
        ToolCallArgumentsDelta(id="1", arguments=" "),
        ToolResultDelta(id="1", content="!"),
        ToolResultDelta(id="2", content="3"),
        TextDelta(text="Yes"),
    ) == (
        *EVERY_PART[:2],
        ToolCallPart(id="1", name="search", arguments="{} "),
        TextPart(text="Blue"),
        ToolResultPart(id="1", content="sky!"),
        ToolCallPart(id="2", name="search"),
        ToolResultPart(id="2", content="3"),
        TextPart(text="Yes"),
    )
    assert parts_of(PartsReplaced(parts=EVERY_PART[11:13]), TextDelta(text="!")) == (
        TextPart(text="one"),
        TextPart(text="two!"),
    )


def test_a_call_that_was_replaced_is_begun_anew():
    assert parts_of(
        ToolCallStarted(id="1", name="old"),
        ToolCallArgumentsDelta(id="1", arguments="old"),
        PartsReplaced(parts=()),
        ToolCallStarted(id="1", name="new"),
        ToolResultDelta(id="1", content="new"),
    ) == (ToolCallPart(id="1", name="new"), ToolResultPart(id="1", content="new"))


def test_sources_and_steps_add_up_and_the_newest_of_the_rest_counts():
    accumulator = folded(
        SourcesFound(sources=(Source(title="1"),)),
        SourcesFound(sources=(Source(title="2"), Source(title="3"))),
        RunDetailsReported(steps=(RunStep(name="a"),)),
        RunDetailsReported(steps=(RunStep(name="b"),)),
        TitleChanged(title="old"),
        TitleChanged(title="new"),
        VariablesUpdated(variables={"a": 1, "b": 2}),
        VariablesUpdated(variables={"a": 3}),
        UsageReported(usage=Usage(input_tokens=1)),
        UsageReported(usage=Usage(input_tokens=2, output_tokens=3)),
    )
    assert [source.title for source in accumulator.sources] == ["1", "2", "3"]
    assert [step.name for step in accumulator.run_details] == ["a", "b"]
    assert accumulator.parts == ()
    message = Message(id="a", role="assistant", parts=(TextPart(text="Blue"),))
    question = Message(id="q", role="user", parts=(TextPart(text="?"),))
    reply = accumulator.reply(conversation_id="c", turn_id="t", message=message, question=question)
    assert (reply.conversation_id, reply.turn_id) == ("c", "t")
    assert (reply.message, reply.question) == (message, question)
    assert (reply.title, reply.variables) == ("new", {"a": 3})
    assert reply.run_details == accumulator.run_details
    assert reply.usage == Usage(input_tokens=2, output_tokens=3)


@given(st.text(st.characters() | st.sampled_from("\ud83d\ude00\r\n")), st.data())
def test_any_text_comes_through_in_any_pieces(text, data):
    text = joined(text)
    units = [*utf16_units(text)]
    pieces = []
    while units:
        size = data.draw(st.integers(1, len(units)))
        pieces.append(joined("".join(units[:size])))
        del units[:size]
    expected = (TextPart.model_construct(text=text),) if text else ()
    assert parts_of(*(TextDelta(text=piece) for piece in pieces)) == expected


def joined(text):
    """The text as JSON brings it: halves that stand together are one character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def utf16_units(text):
    """The text as JavaScript holds it, which cuts characters in halves."""
    for char in text:
        if char > "\uffff":
            place = ord(char) - 0x10000
            yield chr(0xD800 + (place >> 10))
            yield chr(0xDC00 + (place & 0x3FF))
        else:
            yield char


def test_halves_of_a_character_are_put_together_and_a_lone_one_is_kept():
    assert parts_of(TextDelta(text="a\ud83d"), TextDelta(text="\ude00b")) == (
        TextPart(text="a\U0001f600b"),
    )
    assert parts_of(TextDelta(text="a\ud83d"), TextDelta(text="b"), TextDelta(text="\ude00")) == (
        TextPart(text="a\ud83db\ude00"),
    )
    assert parts_of(
        ToolCallArgumentsDelta(id="1", arguments='"\ud83d'),
        ToolCallArgumentsDelta(id="1", arguments='\ude00"'),
        ToolResultDelta(id="1", content="\ufeff\ud83d"),
        ToolResultDelta(id="1", content="\ude00"),
    ) == (
        ToolCallPart(id="1", name="", arguments='"\U0001f600"'),
        ToolResultPart(id="1", content="\ufeff\U0001f600"),
    )


def test_parts_that_did_not_change_are_not_made_again():
    accumulator = folded(
        ReasoningDelta(text="Hm."),
        ToolCallStarted(id="1", name="search"),
        ToolResultDelta(id="1", content="sky"),
        TextDelta(text="Bl"),
    )
    before = accumulator.parts
    accumulator.add(TextDelta(text="ue"))
    after = accumulator.parts
    assert [one is other for one, other in zip(before, after, strict=True)] == [
        True,
        True,
        True,
        False,
    ]
    assert (before[-1].text, after[-1].text) == ("Bl", "Blue")


def test_an_answer_may_be_looked_at_after_each_of_its_events():
    accumulator, seen = ReplyAccumulator(), 0
    for number in range(10_000):
        accumulator.add(TextDelta(text=f"{number:04} "))
        seen += len(accumulator.parts[0].text)
    assert seen == 5 * 10_000 * 10_001 // 2


@pytest.mark.parametrize(
    "more",
    [
        TextDelta(text="67"),
        ReasoningDelta(text="67"),
        ToolCallArgumentsDelta(id="1", arguments="67"),
        ToolResultDelta(id="1", content="67"),
    ],
)
def test_a_reply_that_grows_beyond_any_is_an_error(more):
    accumulator = ReplyAccumulator(largest=6)
    accumulator.add(TextDelta(text="12345"))
    with pytest.raises(ProtocolError, match="longer than 6 characters"):
        accumulator.add(more)
    assert accumulator.parts[0] == TextPart(text="12345")


def test_what_a_service_took_back_does_not_count():
    accumulator = ReplyAccumulator(largest=6)
    for _ in range(3):
        accumulator.add(TextDelta(text="12345"))
        accumulator.add(PartsReplaced(parts=()))
    assert accumulator.parts == ()


def test_what_stands_in_the_place_of_what_was_taken_back_counts():
    accumulator = ReplyAccumulator(largest=6)
    accumulator.add(PartsReplaced(parts=(TextPart(text="12345"),)))
    with pytest.raises(ProtocolError, match="longer than 6 characters"):
        accumulator.add(TextDelta(text="67"))
