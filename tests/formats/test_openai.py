"""OpenAI-style messages: what training files hold goes out and comes in, in every spelling."""

import json

import pytest
from hypothesis import given

from convostore.errors import InvalidError
from convostore.formats import writer
from convostore.models import (
    Conversation,
    FilePart,
    Message,
    Origin,
    OtherPart,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from convostore.testing.value_strategies import tuples

from ..support.formats import CONVERSATIONS, EVERYTHING, MESSAGES, read, said, sample, written


def rows(*messages):
    """What the messages of one conversation are written as."""
    text = written("openai", (Conversation(id="c"), messages))
    assert text.count("\n") == 1
    return json.loads(text)["messages"]


def message(role, *parts):
    return Message(role=role, parts=parts)


def test_texts_are_written_as_plain_content():
    assert rows(said("Be brief.", "system"), said("Hi", "user"), said("Hello.")) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello."},
    ]


def test_a_call_and_its_result_are_told_apart_though_one_message_holds_both():
    call = ToolCallPart(id="call-1", name="look", arguments='{"at": 1}')
    called = {
        "id": "call-1",
        "type": "function",
        "function": {"name": "look", "arguments": '{"at": 1}'},
    }
    mixed = message(
        "assistant",
        TextPart(text="I look."),
        call,
        ToolResultPart(id="call-1", content="a boat"),
        TextPart(text="A boat."),
    )
    assert rows(mixed) == [
        {"role": "assistant", "content": "I look.", "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "call-1", "content": "a boat"},
        {"role": "assistant", "content": "A boat."},
    ]
    assert rows(message("assistant", call), message("tool", ToolResultPart(content="a boat"))) == [
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "call-1", "content": "a boat"},
    ]


def test_calls_without_ids_get_some_that_their_results_share():
    first = ToolCallPart(name="a")
    made = rows(
        message("assistant", first),
        message("tool", ToolResultPart(content="1")),
        message("assistant", first),
        message("tool", TextPart(text="2")),
    )
    assert [row["tool_calls"][0]["id"] for row in made[::2]] == ["call_1", "call_2"]
    assert [row["tool_call_id"] for row in made[1::2]] == ["call_1", "call_2"]
    assert [row["content"] for row in made[1::2]] == ["1", "2"]


def test_pictures_of_a_user_go_with_the_text():
    picture = FilePart(url="https://p.example/1.png", media_type="image/png")
    assert rows(message("user", TextPart(text="this?"), picture)) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "this?"},
                {"type": "image_url", "image_url": {"url": "https://p.example/1.png"}},
            ],
        }
    ]


def test_what_has_no_place_is_counted():
    made = writer("openai")
    made.conversation(EVERYTHING[0])
    text = made.message(EVERYTHING[1][0])
    assert "because" not in text
    assert made.losses == {
        "conversation.title": 1,
        "message.sources": 1,
        "message.feedback": 1,
        "message.created_at": 1,
        "message.model": 1,
        "message.parts.reasoning": 1,
        "message.parts.file": 1,
        "message.parts.interaction": 1,
        "message.parts.other": 1,
    }
    assert made.message(Message(role="other", parts=(TextPart(text="x"),))) == ""
    assert made.losses["message.role"] == 1


def test_a_message_of_nothing_that_is_held_is_still_a_turn():
    assert rows(message("assistant", ReasoningPart(text="hm"))) == [
        {"role": "assistant", "content": ""}
    ]


@given(CONVERSATIONS, tuples(MESSAGES, 4))
def test_each_conversation_is_one_line_of_json_in_ascii(conversation, messages):
    text = written("openai", (conversation, messages), (conversation, messages))
    assert text.isascii()
    first, second = text.splitlines()
    assert first == second
    for row in json.loads(first)["messages"]:
        assert row["role"] in {"system", "user", "assistant", "tool"}
        assert ("tool_call_id" in row) == (row["role"] == "tool")
        assert row["role"] == "assistant" or "tool_calls" not in row


@given(tuples(MESSAGES, 4))
def test_what_was_written_is_read_and_written_again_the_same(messages):
    text = written("openai", (Conversation(id="c"), messages))
    (again,) = read("openai", text)
    assert written("openai", again) == text


def test_every_spelling_is_read():
    plain, tools, old = read("openai", sample("openai.jsonl"))
    assert [(each.role, each.text) for each in plain[1]] == [
        ("system", "Be brief."),
        ("user", "Hi"),
        ("assistant", "Hello."),
    ]
    assert [each.role for each in tools[1]] == ["system", "user", "assistant", "tool", "assistant"]
    assert tools[1][1].parts == (
        TextPart(text="What is this?"),
        FilePart(url="https://pictures.example/1.png", media_type="image/*"),
        OtherPart(
            type="input_audio",
            data={"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        ),
    )
    assert tools[1][2].parts == (ToolCallPart(id="call_a", name="look", arguments='{"at": 1}'),)
    assert tools[1][3].parts == (ToolResultPart(id="call_a", content="a boat"),)
    assert tools[1][1].raw["name"] == "ann"
    assert tools[0].raw["parallel_tool_calls"] is False
    assert old[1][1].parts == (ToolCallPart(name="weather", arguments="{}"),)
    assert old[1][2].parts == (ToolResultPart(content="sunny"),)
    assert old[1][4].text == "I cannot say more."


def test_ids_are_made_of_the_content():
    first = read("openai", sample("openai.jsonl"))
    again = read("openai", b"\n".join(reversed(sample("openai.jsonl").splitlines())))
    assert {each.id for each, _ in first} == {each.id for each, _ in again}
    assert len({message.id for _, messages in first for message in messages}) == 13
    (changed,) = read("openai", '{"messages": [{"role": "user", "content": "Hi!"}]}')
    assert changed[0].id not in {each.id for each, _ in first}


def test_the_origin_names_a_store_where_one_is_told():
    line = '{"messages": []}'
    assert read("openai", line)[0][0].origin is None
    ((conversation, _),) = read("openai", line, store="training")
    assert conversation.origin == Origin(store="training", conversation_id=conversation.id)


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ({"role": "user"}, ()),
        ({"role": "pope", "content": "x"}, (TextPart(text="x"),)),
        ({"role": "user", "content": {"a": 1}}, (OtherPart(data={"a": 1}),)),
        ({"role": "user", "content": ["x", 3]}, (TextPart(text="x"), OtherPart(data=3))),
        (
            {"role": "user", "content": [{"type": "text", "text": 3}]},
            (OtherPart(type="text", data={"type": "text", "text": 3}),),
        ),
        ({"role": "assistant", "tool_calls": [7]}, (OtherPart(type="tool_call", data=7),)),
        (
            {
                "role": "assistant",
                "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}],
            },
            (ToolCallPart(name="f", arguments='{"a":1}'),),
        ),
        ({"role": "assistant", "reasoning_content": "hm"}, (ReasoningPart(text="hm"),)),
        ({"role": "tool", "content": None}, (ToolResultPart(),)),
        ({"role": ["tool"], "content": "x"}, (TextPart(text="x"),)),
        ({"role": "user", "content": [{"type": {}}]}, (OtherPart(data={"type": {}}),)),
        (
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
            (TextPart(text="No."),),
        ),
    ],
)
def test_odd_messages_are_read_as_far_as_they_can_be(row, parts):
    ((_, (read_back,)),) = read("openai", json.dumps({"messages": [row]}))
    assert read_back.parts == parts
    assert read_back.raw == row


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"messages": []}\n{"prompt": "x"}', 'line 2 must contain a list "messages"'),
        ('{"messages": {}}', 'line 1 must contain a list "messages"'),
        ('{"messages": [{}, 3]}', "line 1 must contain objects in .*, got int as number 2"),
        ('\n\n{"messages"', "line 3 is not valid JSON"),
        ("3", "line 1 must be a JSON object, got int"),
    ],
)
def test_a_broken_line_is_told_with_its_number(text, told):
    with pytest.raises(InvalidError, match=told):
        read("openai", text)
