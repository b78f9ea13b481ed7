"""OpenAI's messages and items in memory: what goes out, what comes in, and what comes back."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convostore.errors import InvalidError
from convostore.formats.openai import from_items, from_messages, to_items, to_messages
from convostore.models import (
    FilePart,
    Message,
    OtherPart,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from convostore.testing import samples, strategies
from convostore.testing.value_strategies import tuples

from ..support.cases import for_each
from ..support.formats import HOSTILE, MESSAGES

IMAGE = "data:image/png;base64,AAAA"
PDF = "data:application/pdf;base64,AAAA"


def said(text, role="assistant"):
    return Message(role=role, parts=(TextPart(text=text),))


def content(messages):
    """The roles and parts of messages, one after the other, however they are divided."""
    return [(message.role, part) for message in messages for part in message.parts]


TEXTS = HOSTILE.filter(bool)
CALLS = st.builds(ToolCallPart, id=TEXTS, name=TEXTS, arguments=HOSTILE)
FILES = st.builds(FilePart, url=st.just(PDF), name=TEXTS, media_type=st.just("application/pdf"))
IMAGES = st.builds(FilePart, url=st.just(IMAGE), media_type=st.just("image/png"))
HELD = st.lists(
    st.one_of(
        st.builds(said, TEXTS, st.sampled_from(["system", "user", "assistant"])),
        st.builds(
            lambda text, files: Message(role="user", parts=(TextPart(text=text), *files)),
            TEXTS,
            st.lists(IMAGES | FILES, min_size=1, max_size=2),
        ),
        st.builds(
            lambda calls: Message(role="assistant", parts=calls),
            st.lists(CALLS, min_size=1, max_size=2).map(tuple),
        ),
        st.builds(
            lambda call, text: Message(role="tool", parts=(ToolResultPart(id=call, content=text),)),
            TEXTS,
            HOSTILE,
        ),
    ),
    max_size=5,
)
"""Conversations of what both APIs have a place for."""


@given(HELD)
def test_what_the_apis_hold_comes_back_equal(messages):
    losses = Counter()
    assert content(from_messages(to_messages(messages, losses=losses))) == content(messages)
    assert content(from_items(to_items(messages, losses=losses))) == content(messages)
    assert not losses


@given(tuples(MESSAGES, 4))
def test_of_any_message_what_was_written_is_read_and_written_again_the_same(messages):
    rows, items = to_messages(messages), to_items(messages)
    assert to_messages(from_messages(rows)) == rows
    assert to_items(from_items(items)) == items


@given(tuples(MESSAGES, 4))
def test_nothing_is_left_out_without_being_counted(messages):
    for convert in (to_messages, to_items):
        losses = Counter()
        convert(messages, losses=losses)
        for kind in ("reasoning", "interaction"):
            held = sum(
                part.kind == kind
                for message in messages
                if message.role != "other"
                for part in message.parts
            )
            assert losses[f"message.parts.{kind}"] == held
        assert losses["message.role"] == sum(message.role == "other" for message in messages)


STEP = [
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"},
    {"type": "web_search_call", "id": "ws_1", "status": "completed"},
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [
            {
                "type": "output_text",
                "text": "At noon.",
                "annotations": [
                    {"type": "url_citation", "title": "Tides", "url": "https://tides.example"}
                ],
            },
            {"type": "refusal", "refusal": "No more."},
        ],
    },
    {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "tide", "arguments": "{}"},
    {"type": "function_call", "id": "fc_2", "call_id": "c2", "name": "moon", "arguments": "{}"},
]
OUTPUTS = [
    {"type": "function_call_output", "call_id": "c1", "output": "noon"},
    {
        "type": "function_call_output",
        "call_id": "c2",
        "output": [{"type": "input_text", "text": "full"}],
    },
]
NEXT_STEP = [
    {"type": "reasoning", "id": "rs_2", "summary": [{"type": "summary_text", "text": "So."}]},
    {"type": "message", "role": "assistant", "content": "Noon, full moon."},
]
QUESTION = {"role": "user", "content": [{"type": "input_text", "text": "When?"}]}


def test_what_a_model_made_in_one_step_is_one_message():
    question, step, tide, moon, answer = from_items([QUESTION, *STEP, *OUTPUTS, *NEXT_STEP])
    assert (question.role, question.text) == ("user", "When?")
    assert step.role == answer.role == "assistant"
    assert [part.kind for part in step.parts] == ["other", "text", "text", *2 * ["tool_call"]]
    assert step.parts[0] == OtherPart(type="web_search_call", data=STEP[1])
    assert step.text == "At noon.\nNo more."
    assert [(source.title, source.url) for source in step.sources] == [
        ("Tides", "https://tides.example")
    ]
    assert tide.role == moon.role == "tool"
    assert moon.parts == (ToolResultPart(id="c2", content="full"),)
    assert answer.parts == (ReasoningPart(text="So."), TextPart(text="Noon, full moon."))


def test_two_answers_in_a_row_are_two_messages():
    first, second = from_items([NEXT_STEP[-1], NEXT_STEP[-1]])
    assert first.parts == second.parts == (TextPart(text="Noon, full moon."),)


def test_a_call_and_its_result_without_ids_get_the_same():
    call = Message(role="assistant", parts=(ToolCallPart(name="tide"),))
    result = Message(role="tool", parts=(ToolResultPart(content="noon"),))
    made, answered = to_messages([call, result])
    assert made["tool_calls"][0]["id"] == answered["tool_call_id"]
    made, answered = to_items([call, result])
    assert made["call_id"] == answered["call_id"]


def test_items_go_back_as_they_came_with_ids_and_encrypted_reasoning():
    items = [QUESTION, *STEP, *OUTPUTS, *NEXT_STEP]
    assert to_items(from_items(items)) == items


def test_a_message_that_was_edited_does_not_go_back_as_it_came():
    (step,) = from_items(NEXT_STEP)
    losses = Counter()
    edited = step.model_copy(update={"parts": (step.parts[0], TextPart(text="Midnight."))})
    rewritten = [{"type": "message", "role": "assistant", "content": "Midnight."}]
    assert to_items([edited], losses=losses) == rewritten
    assert losses == {"message.parts.reasoning": 1}
    assert to_items([step], raw=False)[0]["content"] == "Noon, full moon."


@for_each("raw", [None, [], [3], [{"type": "message"}], {"type": "message"}, [{"role": "user"}]])
def test_what_other_services_said_is_not_taken_for_items(raw):
    message = said("x", "user").model_copy(update={"raw": raw})
    assert to_items([message]) == [{"type": "message", "role": "user", "content": "x"}]


def test_files_of_a_user_go_as_each_api_has_them():
    link = FilePart(name="a.pdf", url="https://files.example/a.pdf")
    pdf = FilePart(name="a.pdf", url=PDF)
    image = FilePart(url=IMAGE, media_type="image/png")
    audio = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    parts = (TextPart(text="?"), image, pdf, OtherPart(type="input_audio", data=audio), link)
    losses = Counter()
    (row,) = to_messages([Message(role="user", parts=parts)], losses=losses)
    assert row["content"] == [
        {"type": "text", "text": "?"},
        {"type": "image_url", "image_url": {"url": IMAGE}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}},
        audio,
    ]
    assert losses == {"message.parts.file": 1}  # Chat Completions fetches no file
    (item,) = to_items([Message(role="user", parts=parts)])
    assert item["content"] == [
        {"type": "input_text", "text": "?"},
        {"type": "input_image", "image_url": IMAGE, "detail": "auto"},
        {"type": "input_file", "filename": "a.pdf", "file_data": PDF},
        audio,
        {"type": "input_file", "file_url": "https://files.example/a.pdf"},
    ]


def test_what_the_schema_has_no_field_for_stays_in_raw():
    row = {"role": "user", "content": "Hi", "name": "ann", "new": {"a": 1}}
    (message,) = from_messages([row])
    assert message.raw == row
    (answer,) = from_messages([{"role": "assistant", "content": None, "audio": {"id": "audio_1"}}])
    assert answer.parts == (OtherPart(type="audio", data={"id": "audio_1"}),)


@for_each(
    "convert, given_, complaint",
    [
        (
            from_messages,
            [{"role": "user", "content": "x"}, 3],
            "messages[1] must be a mapping, got int",
        ),
        (from_messages, [{"content": "x"}], "messages[0].role must be a string, got None"),
        (from_messages, [{"role": 3}], "messages[0].role must be a string, got int"),
        (
            from_messages,
            [{"role": "user", "content": 3}],
            "messages[0].content must be a string or a list of parts, got int",
        ),
        (
            from_messages,
            [{"role": "assistant", "tool_calls": {}}],
            "messages[0].tool_calls must be a list, got dict",
        ),
        (from_messages, {"role": "user", "content": "x"}, "messages must be a list, got dict"),
        (from_messages, None, "messages must be a list, got NoneType"),
        (
            from_messages,
            [Message(role="user")],
            "messages[0] must be a mapping, got Message: pass its model_dump()",
        ),
        (
            to_messages,
            [{"role": "user", "content": "x"}],
            (
                "messages[0] must be a convostore.Message, got dict: "
                "from_messages converts OpenAI's own"
            ),
        ),
        (to_messages, Message(role="user"), "messages must be a list, got Message"),
        (
            to_items,
            [{"role": "user", "content": "x"}],
            "messages[0] must be a convostore.Message, got dict: from_items converts OpenAI's own",
        ),
        (from_items, [QUESTION, {"id": "x"}], "items[1].type must be a string, got None"),
        (
            from_items,
            [{"role": "user"}],
            "items[0].content must be a string or a list of parts, got None",
        ),
        (
            from_items,
            [{"type": "message", "content": ""}],
            "items[0].role must be a string, got None",
        ),
        (
            from_items,
            [{"type": "function_call", "call_id": "c", "name": 3, "arguments": ""}],
            "items[0].name must be a string, got int",
        ),
        (
            from_items,
            [{"type": "function_call_output", "output": ""}],
            "items[0].call_id must be a string, got None",
        ),
        (from_items, "items", "items must be a list, got str"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_its_place(convert, given_, complaint):
    with pytest.raises(InvalidError) as caught:
        convert(given_)
    assert str(caught.value) == complaint


ANYTHING = st.lists(
    st.dictionaries(
        st.sampled_from(
            ["role", "type", "content", "summary", "output", "call_id", "name", "arguments", "x"]
        ),
        strategies.json_values()
        | st.sampled_from(["message", "reasoning", "function_call", "user", "assistant"]),
    ),
    max_size=4,
)


@given(ANYTHING)
def test_whatever_is_given_is_read_or_refused(rows):
    for convert in (from_messages, from_items):
        try:
            messages = convert(rows)
        except InvalidError:
            continue
        to_messages(messages)
        to_items(messages)


def test_what_is_written_is_valid_for_openais_own_library():
    chat = pytest.importorskip("openai.types.chat")
    responses = pytest.importorskip("openai.types.responses")
    from pydantic import TypeAdapter

    messages = [
        said("Be brief.", "system"),
        *from_items([QUESTION, *STEP, *OUTPUTS]),
        samples.full_message(),
        Message(
            role="user",
            parts=(
                TextPart(text="?"),
                FilePart(url=IMAGE, media_type="image/png"),
                FilePart(url=PDF),
            ),
        ),
    ]
    TypeAdapter(list[chat.ChatCompletionMessageParam]).validate_python(to_messages(messages))
    items = to_items(messages, raw=False)
    TypeAdapter(list[responses.ResponseInputItemParam]).validate_python(items)
