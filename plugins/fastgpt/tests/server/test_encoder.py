"""What the dialect streams is decoded to the events that it was given."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from tests.support.cases import for_each

from convostore.errors import ConflictError, InvalidError, RateLimitError, UnavailableError
from convostore.models import (
    FilePart,
    InteractionField,
    InteractionOption,
    InteractionPart,
    InteractionRequested,
    Message,
    OtherEvent,
    PartAdded,
    PartsReplaced,
    ReasoningDelta,
    Reply,
    ReplyFinished,
    RunDetailsReported,
    RunStep,
    Source,
    SourcesFound,
    StatusChanged,
    TextDelta,
    TextPart,
    TitleChanged,
    ToolCallArgumentsDelta,
    ToolCallStarted,
    ToolResultDelta,
    Usage,
    UsageReported,
    VariablesUpdated,
)
from convostore.testing.strategies import texts
from convostore_fastgpt.server.encoder import CompletionEncoder

from ..support.streams import outcome_of

SAID = texts().filter(bool)
ASKED = InteractionPart(
    type="userSelect",
    prompt="Which one?",
    options=(InteractionOption(value="tea"), InteractionOption(value="coffee")),
)
FORM = InteractionPart(
    type="userInput",
    fields=(InteractionField(key="k", label="K", type="input", required=True, value=""),),
)
ANSWERS = st.builds(TextDelta, text=SAID) | st.builds(ReasoningDelta, text=SAID)
EVENTS = st.one_of(
    ANSWERS,
    st.builds(ToolCallStarted, id=SAID, name=SAID),
    st.builds(ToolCallArgumentsDelta, id=SAID, arguments=SAID),
    st.builds(ToolResultDelta, id=SAID, content=SAID),
    st.builds(StatusChanged, name=SAID, status=SAID),
    st.builds(TitleChanged, title=SAID),
    st.builds(VariablesUpdated, variables=st.dictionaries(texts(), texts(), max_size=2)),
    st.builds(InteractionRequested, interaction=st.sampled_from([ASKED, FORM])),
    st.builds(
        OtherEvent,
        type=st.sampled_from(["plan", "planStatus", "workflowDuration"]),
        data=st.dictionaries(texts(), texts(), max_size=2),
    ),
)


def reply(text="", *, parts=None, **more) -> Reply:
    parts = ((TextPart(text=text),) if text else ()) if parts is None else parts
    message = Message(role="assistant", parts=parts)
    return Reply(conversation_id="c", turn_id="t", message=message, **more)


def streamed(events, finished=None, **how):
    encoder = CompletionEncoder(**{"detail": True} | how)
    last = [] if finished is None else [ReplyFinished(reply=finished)]
    return [encoder.feed(item) for item in [*events, *last]]


def events_of(pieces):
    events, error = outcome_of(pieces)
    assert error is None
    return events


def whole_text(events):
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def frames(pieces):
    """Return the frames of a stream: the name of each, where it has one, and its data."""
    found = []
    for frame in b"".join(pieces).decode("ascii").split("\n\n")[:-1]:
        name, _, data = frame.rpartition("\n")
        data = data.removeprefix("data: ")
        found.append((name.removeprefix("event: "), data if data == "[DONE]" else json.loads(data)))
    return found


@given(st.lists(EVENTS, max_size=8))
def test_with_details_the_events_are_decoded_as_they_were(events):
    finished = reply(whole_text(events))
    assert events_of(streamed(events, finished)) == events


@given(st.lists(EVENTS, max_size=8))
def test_without_details_only_what_is_answered_is_told(events):
    finished = reply(whole_text(events))
    answers = [event for event in events if isinstance(event, TextDelta | ReasoningDelta)]
    pieces = streamed(events, finished, detail=False)
    assert events_of(pieces) == answers
    assert b"event:" not in b"".join(pieces)


STEPS = (
    RunStep(name="start", type="workflowStart", seconds=0),
    RunStep(id="n", name="AI", seconds=0.5, steps=(RunStep(id="t", name="tool"),)),
)


@for_each("version, groups", [("v1", [2]), ("v2", [1, 1])])
def test_nodes_are_told_at_the_end_or_one_by_one(version, groups):
    events = [TextDelta(text="hi"), RunDetailsReported(steps=STEPS)]
    pieces = streamed(events, reply("hi"), version=version)
    found = [item for item in events_of(pieces) if isinstance(item, RunDetailsReported)]
    assert [len(item.steps) for item in found] == groups
    steps = [step for item in found for step in item.steps]
    assert [item.portable() for item in steps] == [item.portable() for item in STEPS]
    names = [name for name, _ in frames(pieces)]
    assert ("flowResponses" in names) == (version == "v1")
    if version == "v1":
        assert names[-3:] == ["answer", "flowResponses", "answer"]
    assert frames(pieces)[-1][1] == "[DONE]"


def test_what_only_the_finished_reply_has_is_told_before_the_end():
    finished = reply(
        parts=(TextPart(text="all of it"), ASKED),
        title="a title",
        variables={"x": 1},
        run_details=STEPS[:1],
    )
    told = events_of(streamed([TextDelta(text="all")], finished))
    assert [event.kind for event in told] == [
        "text_delta",
        "text_delta",
        "title_changed",
        "variables_updated",
        "interaction_requested",
        "run_details_reported",
    ]
    assert whole_text(told) == "all of it"


def test_what_the_events_told_is_not_told_again():
    events = [
        TextDelta(text="hi"),
        TitleChanged(title="t"),
        VariablesUpdated(variables={}),
        InteractionRequested(interaction=ASKED),
    ]
    finished = reply(parts=(TextPart(text="hi"), ASKED), title="t", variables={}, run_details=STEPS)
    steps = RunDetailsReported(steps=STEPS)
    told = events_of(streamed([*events, steps], finished))
    assert told[:-1] == events
    assert len(told[-1].steps) == len(STEPS)


def test_a_text_that_is_stored_otherwise_is_not_said_twice():
    assert whole_text(events_of(streamed([TextDelta(text="hello")], reply("good day")))) == "hello"


def test_what_an_answered_question_was_is_no_part_of_what_follows():
    asked = ASKED.model_copy(update={"answered": True, "answer": "tea"})
    stored = reply(parts=(TextPart(text="Before."), asked, TextPart(text="You chose tea.")))
    told = events_of(streamed([], stored, answering=True))
    assert whole_text(told) == "You chose tea."


@for_each(
    "said, replaced, told",
    [("a", "ab", "ab"), ("a", "xb", "a"), ("ab", "a", "ab"), ("", "ab", "ab")],
)
def test_parts_that_are_replaced_are_gone_on_with_where_they_begin_alike(said, replaced, told):
    events = [TextDelta(text=said), PartsReplaced(parts=(TextPart(text=replaced),))]
    assert whole_text(events_of(streamed(events, reply(replaced)))) == told


def test_what_the_service_has_no_event_for_is_not_told():
    events = [
        PartAdded(part=FilePart(url="https://files.test/a")),
        SourcesFound(sources=(Source(title="t"),)),
        OtherEvent(type="of another service", data={}),
        OtherEvent(data={}),
    ]
    assert b"".join(streamed(events)) == b""


def test_a_heartbeat_is_an_empty_answer_that_no_decoder_sees():
    for detail in (False, True):
        encoder = CompletionEncoder(detail=detail)
        beat = encoder.idle()
        assert frames([beat])[0][1]["choices"][0]["delta"]["content"] == ""
        pieces = [beat, encoder.feed(ReplyFinished(reply=reply()))]
        assert events_of(pieces) == []


def test_usage_is_told_to_who_asks_for_it_and_constant_where_it_is_not_known():
    known = UsageReported(usage=Usage(input_tokens=3, output_tokens=5))
    for events, told in (([known], [3, 5, 8]), ([], [1, 1, 1])):
        pieces = streamed(events, reply(), detail=False, with_usage=True)
        stop = frames(pieces)[-2][1]
        assert list(stop["usage"].values()) == told
        assert stop["choices"][0]["finish_reason"] == "stop"
    assert "usage" not in frames(streamed([known], reply(), detail=False))[-2][1]


@for_each(
    "error, read_as",
    [
        (UnavailableError("inside: /var/lib/x.db"), UnavailableError),
        (ConflictError("busy", retryable=True), ConflictError),
        (ConflictError("taken"), ConflictError),
        (InvalidError("does not fit"), InvalidError),
        (RateLimitError("slowly"), RateLimitError),
    ],
)
def test_a_reply_that_breaks_off_says_so_and_nothing_of_what_is_inside(error, read_as):
    encoder = CompletionEncoder(detail=False, turn_id="t")
    pieces = [encoder.feed(TextDelta(text="so f")), encoder.failed(error)]
    events, told = outcome_of(pieces)
    assert events == [TextDelta(text="so f")]
    assert type(told) is read_as
    assert b"/var/lib" not in pieces[1]
