"""What a model is asked: whose words, which files, and how much of what was said before."""

from __future__ import annotations

import pytest

from convostore.models import (
    FilePart,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from convostore.serialization import to_json
from convostore_openai.options import ModelOptions, ModelReplyOptions
from convostore_openai.requests import QUESTION, History, body_of, content_of, row_of

URL = "http://localhost:1/v1"
PICTURE = "data:image/png;base64,iVBORw0KGgo="


def said(role: str, text: str, **fields: object) -> Message:
    return Message(role=role, parts=(TextPart(text=text),), **fields)


def told(messages: list[Message], **options: object) -> list[tuple[str, str]]:
    """What the model is told of messages, which stand in the conversation's order."""
    history = History(ModelOptions(url=URL, **options))
    history.add(messages[::-1])
    return [(row["role"], row["content"]) for row in history.rows()]


def test_a_text_is_told_as_a_text():
    parts = [TextPart(text="one"), TextPart(text="two")]
    assert content_of(parts) == "one\ntwo"


@pytest.mark.parametrize(
    "part",
    [
        FilePart(url="https://x.test/a", media_type="image/*"),
        FilePart(url="https://x.test/a.png?signed=1"),
        FilePart(url="https://x.test/a", name="a.JPG"),
        FilePart(url=PICTURE),
    ],
)
def test_a_picture_is_told_by_its_address(part):
    assert content_of([TextPart(text="what is it?"), part]) == [
        {"type": "text", "text": "what is it?"},
        {"type": "image_url", "image_url": {"url": part.url}},
    ]


def test_a_file_that_comes_along_is_told_whole():
    url = "data:application/pdf;base64,JVBERi0="
    assert content_of([FilePart(url=url, name="a.pdf")]) == [
        {"type": "file", "file": {"filename": "a.pdf", "file_data": url}}
    ]


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (FilePart(url="https://x.test/a.pdf", name="a.pdf"), "[a.pdf](https://x.test/a.pdf)"),
        (FilePart(url="https://x.test/a.pdf"), "[file](https://x.test/a.pdf)"),
        (FilePart(url="javascript:alert(1)", name="a.png"), "a.png"),
        (FilePart(url="file:///etc/passwd", media_type="image/png"), ""),
        (FilePart(name="a.pdf"), "a.pdf"),
        (FilePart(url="http://[::1", name="a.pdf"), "[a.pdf](http://[::1)"),
        (FilePart(), ""),
    ],
)
def test_any_other_file_is_told_in_words_or_not_at_all(part, text):
    assert content_of([part]) == text


def test_thoughts_and_tools_are_not_told():
    parts = (
        ReasoningPart(text="Hm"),
        ToolCallPart(id="a", name="look", arguments="{}"),
        ToolResultPart(id="a", content="a tide"),
        TextPart(text="Two."),
    )
    assert row_of(Message(role="assistant", parts=parts)) == {
        "role": "assistant",
        "content": "Two.",
    }
    assert row_of(Message(role="assistant", parts=parts[:3])) is None


@pytest.mark.parametrize("role", ["tool", "other"])
def test_only_users_answers_and_instructions_are_told(role):
    assert row_of(said(role, "x")) is None


def test_history_is_told_oldest_first_and_begins_with_no_answer():
    messages = [said("assistant", "hello"), said("user", "one"), said("assistant", "1")]
    assert told(messages) == [("user", "one"), ("assistant", "1")]


def test_history_is_bounded_in_messages():
    messages = [said("user", str(number)) for number in range(9)]
    assert told(messages, history_messages=3) == [("user", each) for each in "678"]
    assert told(messages, history_messages=0) == []


def test_history_is_bounded_in_characters_and_cuts_no_message():
    messages = [said("user", "a" * 10), said("user", "b" * 6), said("user", "c" * 4)]
    assert told(messages, history_characters=20) == [("user", each.text) for each in messages]
    assert told(messages, history_characters=19) == [("user", "b" * 6), ("user", "c" * 4)]
    assert told(messages, history_characters=3) == []


def test_a_message_behind_one_that_does_not_fit_is_not_told_either():
    messages = [said("user", "a"), said("user", "b" * 99), said("user", "c")]
    assert told(messages, history_characters=9) == [("user", "c")]


def test_pictures_count_as_they_are_sent():
    message = Message(role="user", parts=(TextPart(text="it"), FilePart(url=PICTURE)))
    size = len(to_json(content_of(message.parts)))
    for room, number in ((size, 1), (size - 1, 0)):
        history = History(ModelOptions(url=URL, history_characters=room))
        history.add([message])
        assert len(history.rows()) == number


def test_a_question_whose_answer_failed_without_a_word_is_left_out():
    messages = [
        said("user", "one"),
        said("assistant", "1"),
        said("user", "two", id="t" + QUESTION),
        Message(id="t", role="assistant", status="failed"),
        said("user", "never answered", status="unanswered"),
    ]
    assert told(messages) == [("user", "one"), ("assistant", "1")]


def test_what_an_answer_said_before_it_failed_is_told():
    messages = [said("user", "one", id="t" + QUESTION), said("assistant", "1", status="failed")]
    assert told(messages) == [("user", "one"), ("assistant", "1")]


def test_the_body_has_what_was_said_of_the_turn_and_nothing_else():
    rows = [{"role": "user", "content": "one"}]
    options = ModelOptions(url=URL, system="Be brief.")
    turn = ModelReplyOptions(temperature=0, top_p=0.5, max_tokens=9)
    assert body_of("m", rows, options, turn) == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, *rows],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0,
        "top_p": 0.5,
        "max_tokens": 9,
    }
    plain = ModelOptions(url=URL, usage=False)
    assert body_of("m", rows, plain, ModelReplyOptions()) == {
        "model": "m",
        "messages": rows,
        "stream": True,
    }
