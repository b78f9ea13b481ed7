"""What the dialect writes is read back the same, for whatever the service's shapes can hold."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from tests.support.cases import for_each

from convostore.models import (
    Conversation,
    Feedback,
    FilePart,
    InteractionField,
    InteractionOption,
    InteractionPart,
    Message,
    OtherPart,
    ReasoningPart,
    RunStep,
    Source,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from convostore.serialization import to_json
from convostore.testing.samples import BEYOND_UTF8, HOSTILE_TEXTS, full_message
from convostore.testing.strategies import json_values, texts
from convostore_fastgpt.schema.message_ids import record_ids
from convostore_fastgpt.schema.records import read_conversations, read_messages, read_run_steps
from convostore_fastgpt.server.render import history_row, node_row, record_row

APP = "65f000000000000000000010"
HEX = "0123456789abcdef"
SAID = texts().filter(bool)
IDS = SAID | st.builds("{}.{}".format, st.text(HEX, min_size=24, max_size=24), SAID)
TIMES = st.none() | st.datetimes(
    datetime(1970, 1, 2),  # noqa: DTZ001  # as Hypothesis takes bounds
    datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000))
COMMENTS = st.none() | SAID.filter(lambda text: text != "yes")
CHOICES = st.lists(SAID, min_size=1, max_size=3, unique=True)


def sent(row):
    """Return a row as a client gets it."""
    return json.loads(to_json(row))


@st.composite
def calls(draw):
    """Return a call of a tool, and what it answered, if it has."""
    call_id = draw(st.none() | SAID)
    call = ToolCallPart(id=call_id, name=draw(texts()), arguments=draw(texts()))
    answered = draw(st.none() | SAID)
    return [call] if answered is None else [call, ToolResultPart(id=call_id, content=answered)]


@st.composite
def choices(draw):
    values = draw(CHOICES)
    answer = draw(st.none() | st.sampled_from(values))
    return InteractionPart(
        type=draw(SAID.filter(lambda kind: kind != "agentAsk")),
        prompt=draw(st.none() | SAID),
        options=tuple(InteractionOption(value=value) for value in values),
        answered=answer is not None,
        answer=answer,
    )


@st.composite
def forms(draw):
    fields = [
        InteractionField(
            key=key,
            label=draw(SAID),
            type=draw(SAID),
            required=draw(st.booleans()),
            options=tuple(
                InteractionOption(value=item, label=draw(SAID)) for item in draw(CHOICES)
            ),
            value=draw(texts() | st.integers(-9, 9) | st.booleans() | st.lists(texts())),
        )
        for key in draw(CHOICES)
    ]
    return InteractionPart(
        type=draw(SAID.filter(lambda kind: kind != "agentAsk")),
        prompt=draw(st.none() | SAID),
        fields=tuple(fields),
        answered=draw(st.booleans()),
    )


@st.composite
def questions(draw):
    fields = [
        InteractionField(
            key=str(number),
            label=question,
            required=True,
            options=tuple(
                InteractionOption(value=item, label=draw(st.none() | SAID))
                for item in draw(CHOICES)
            ),
            value=draw(st.none() | SAID),
        )
        for number, question in enumerate(draw(CHOICES))
    ]
    return InteractionPart(type="agentAsk", fields=tuple(fields), answered=draw(st.booleans()))


FILES = st.builds(
    FilePart,
    name=st.none() | SAID,
    url=st.none() | SAID,
    media_type=st.sampled_from([None, "image/*", "audio/*", "video/*"]),
)
PLANS = st.builds(
    OtherPart, type=st.sampled_from(["plan", "skills", "planStatus"]), data=st.lists(texts())
)
UNKNOWN = SAID.filter(lambda kind: kind != "type").map(
    lambda kind: OtherPart(type=kind, data={"type": kind, "widget": [1, None]})
)
PARTS = st.lists(
    st.one_of(
        st.builds(TextPart, text=texts()).map(lambda part: [part]),
        st.builds(ReasoningPart, text=texts()).map(lambda part: [part]),
        st.one_of(FILES, choices(), forms(), questions(), PLANS, UNKNOWN).map(lambda part: [part]),
        calls(),
    ),
    min_size=1,
    max_size=5,
).map(lambda several: tuple(part for item in several for part in item))
QUOTES = st.builds(
    Source,
    title=st.none() | SAID,
    url=st.none() | SAID.map("https://{}".format),
    content=st.none() | SAID,
    score=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    kind=st.just("quote"),
    mark=st.none() | SAID,
)
LINKS = st.builds(Source, title=st.none() | SAID, url=st.none() | SAID, kind=st.just("researched"))
FEEDBACK = st.none() | st.builds(
    Feedback, rating=st.sampled_from(["good", "bad"]), comment=COMMENTS
)


@st.composite
def messages(draw):
    role = draw(st.sampled_from(["user", "assistant", "system"]))
    answers = role == "assistant"
    sources = (*draw(st.lists(QUOTES, max_size=2)), *draw(st.lists(LINKS, max_size=2)))
    statuses = {"assistant": ["complete", "failed"], "user": ["unanswered"], "system": [None]}
    return Message(
        id=draw(IDS),
        role=role,
        parts=draw(PARTS),
        created_at=draw(TIMES),
        sources=sources if answers else (),
        feedback=draw(FEEDBACK),
        status=draw(st.sampled_from(statuses[role])),
    )


def read(row):
    (message,) = read_messages([sent(row)], first=0, following=None, ended=True)
    return message


@given(messages())
def test_a_message_that_the_shape_can_hold_is_read_back_the_same(message):
    ids = record_ids(message.id)
    again = read(record_row(message))
    assert again.portable() == message.portable()
    assert again.id == f"{ids.own}.{ids.data}"
    assert again.problems == ()


@given(
    st.builds(
        Conversation,
        id=SAID,
        title=st.none() | SAID,
        updated_at=TIMES,
        pinned=st.booleans(),
    )
)
def test_a_conversation_is_read_back_the_same(conversation):
    (again,) = read_conversations([sent(history_row(conversation, APP))])
    assert again.portable() == conversation.portable()
    assert again.id == conversation.id


STEPS = st.recursive(
    st.builds(
        RunStep,
        id=st.none() | SAID,
        name=texts(),
        type=st.none() | SAID,
        seconds=st.none() | st.floats(0, 1e6),
        error=st.none() | SAID,
    ),
    lambda inner: st.builds(RunStep, name=texts(), steps=st.lists(inner).map(tuple)),
    max_leaves=5,
)


@given(st.lists(STEPS, max_size=3))
def test_steps_of_a_run_are_read_back_the_same(steps):
    again = read_run_steps(sent([node_row(step) for step in steps]))
    assert [item.portable() for item in again] == [step.portable() for step in steps]
    assert [item.id for item in again] == [step.id for step in steps]


@given(json_values(), st.none() | texts())
def test_a_part_without_a_word_is_shown_whatever_it_holds(data, kind):
    message = Message(role="assistant", parts=(OtherPart(type=kind, data=data),))
    assert read(record_row(message)).parts


@for_each("text", [*HOSTILE_TEXTS, *BEYOND_UTF8])
def test_hostile_texts_are_read_back_the_same_wherever_they_stand(text):
    parts = (TextPart(text=text), ReasoningPart(text=text), ToolCallPart(name=text, arguments=text))
    message = Message(role="assistant", parts=parts, sources=(Source(title=text, kind="quote"),))
    again = read(record_row(message))
    assert again.parts == parts
    assert again.sources[0].title == (text or None)


def test_a_message_with_every_field_is_shown_whole_as_far_as_the_shape_goes():
    again = read(record_row(full_message()))
    kinds = [part.kind for part in again.parts]
    assert kinds == [part.kind for part in full_message().parts]
    assert again.feedback == full_message().feedback
    assert [source.kind for source in again.sources] == ["quote", "researched", "researched"]


@for_each(
    "role, obj, read_as",
    [
        ("user", "Human", "user"),
        ("assistant", "AI", "assistant"),
        ("tool", "AI", "assistant"),
        ("system", "System", "system"),
        ("other", "System", "system"),
    ],
)
def test_every_role_is_one_of_the_services_three(role, obj, read_as):
    row = record_row(Message(role=role, parts=(TextPart(text="x"),)))
    assert row["obj"] == obj
    assert read(row).role == read_as


def test_only_an_answer_that_is_being_made_has_no_value():
    assert record_row(Message(role="assistant", status="generating"))["value"] == []
    assert read(record_row(Message(role="assistant", status="complete"))).status == "complete"
    assert record_row(Message(role="user"))["value"] != []


def test_results_of_tools_stand_with_the_calls_that_they_answer():
    parts = (
        ToolCallPart(id="a", name="one"),
        ToolCallPart(id="b", name="two"),
        ToolResultPart(id="a", content="1"),
        ToolResultPart(id="b", content="2"),
        ToolResultPart(id="lost", content="3"),
    )
    again = read(record_row(Message(role="assistant", parts=parts)))
    assert [(part.kind, part.id) for part in again.parts] == [
        ("tool_call", "a"),
        ("tool_result", "a"),
        ("tool_call", "b"),
        ("tool_result", "b"),
        ("tool_call", "lost"),
        ("tool_result", "lost"),
    ]


@given(SAID, SAID)
def test_ids_of_the_service_are_kept_and_others_are_data_ids(own, rest):
    assert record_ids(f"{'a1' * 12}.{rest}") == ("a1" * 12, rest)
    if re.match(r"([0-9a-f]{24}|[0-9a-f]{32})\..", own, re.DOTALL) is None:
        made = record_ids(own)
        assert made.data == own
        assert re.fullmatch("[0-9a-f]{32}", made.own)
        assert record_ids(f"{made.own}.{own}") == made


# What came from the service itself


def copied() -> Message:
    """Return an answer as the adapter reads it, with fields that the schema has no place for."""
    return read(
        {
            "_id": "a1" * 12,
            "dataId": "d",
            "obj": "AI",
            "value": [{"text": {"content": "hi"}, "id": "v1"}],
            "durationSeconds": 2.5,
            "hideInUI": True,
            "teamId": "whose it was",
            "customFeedbacks": ["one"],
            "userGoodFeedback": "yes",
        }
    )


def test_a_copy_is_shown_with_what_the_schema_has_no_place_for():
    row = record_row(copied(), with_custom_feedbacks=True)
    assert (row["durationSeconds"], row["hideInUI"]) == (2.5, True)
    assert row["value"] == [{"text": {"content": "hi"}, "id": "v1"}]
    assert row["customFeedbacks"] == ["one"]
    assert "teamId" not in row
    assert "customFeedbacks" not in record_row(copied())


def test_feedback_is_the_stores_and_not_that_of_the_copy():
    row = record_row(copied().model_copy(update={"feedback": None}))
    assert (row["durationSeconds"], "userGoodFeedback" in row) == (2.5, False)


@for_each(
    "change",
    [
        {"parts": (TextPart(text="bye"),)},
        {"status": "failed"},
        {"role": "user"},
        {"sources": (Source(kind="quote", title="t"),)},
        {"raw": {"obj": "AI"}},
        {"raw": {"content": "of another service"}},
        {"raw": ["rows"]},
    ],
)
def test_what_was_changed_since_is_shown_as_it_is(change):
    changed = copied().model_copy(update=change)
    row = record_row(changed)
    assert "durationSeconds" not in row
    assert row["hideInUI"] is False
    assert read(row).parts == changed.parts


def test_a_copied_conversation_has_both_its_titles_until_it_is_renamed():
    raw = {"chatId": "c", "title": "made", "customTitle": "by hand", "top": False}
    (conversation,) = read_conversations([raw])
    row = history_row(conversation, APP)
    assert (row["title"], row["customTitle"]) == ("made", "by hand")
    renamed = history_row(conversation.model_copy(update={"title": "new"}), APP)
    assert (renamed["title"], renamed["customTitle"]) == ("new", "new")


def test_a_copied_node_is_shown_whole_until_something_of_it_was_changed():
    raw = {"moduleName": "AI", "id": "n", "query": "hi", "runningTime": 1}
    (step,) = read_run_steps([raw])
    assert node_row(step) == raw
    assert "query" not in node_row(step.model_copy(update={"error": "broke"}))
