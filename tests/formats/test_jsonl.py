"""JSONL: nothing is lost, and an error about a broken, truncated or newer file names the line."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convostore import parsing
from convostore.errors import InvalidError
from convostore.formats import _ndjson as ndjson
from convostore.formats import reader, writer
from convostore.models import Conversation, Message, Origin, OtherPart, TextPart
from convostore.testing import samples, strategies

from ..support.formats import CONVERSATIONS, EVERYTHING, MESSAGES, read, said, written

SMALL = written(
    "jsonl",
    (Conversation(id="a"), [said("one"), said("two")]),
    (Conversation(id="b"), [said("three")]),
)


WHOLE = [("a", "one"), ("a", "two"), ("b", "three")]


def take(entries, got):
    for entry in entries:
        for each in entry.messages:
            got.append((entry.conversation_id, each.text))  # kept so far


def what_is_whole(text):
    """What is read of a file before it breaks off, and the error."""
    got = []
    with pytest.raises(InvalidError) as failure:
        take(reader("jsonl")(_stream(text), None), got)
    return got, failure.value


def canonical(value):
    """What two values have in common that are equal, NaN included."""
    if isinstance(value, Message):
        value = value.trusted_copy(stored_at=None)  # which no file holds
    return repr(value) + repr(value.raw)


@given(st.lists(st.tuples(CONVERSATIONS, st.lists(MESSAGES, max_size=3)), max_size=3))
def test_whatever_is_written_is_read_back_the_same(conversations):
    back = read("jsonl", written("jsonl", *conversations))
    assert [canonical(each) for each, _ in back] == [canonical(each) for each, _ in conversations]
    assert [[*map(canonical, each)] for _, each in back] == [
        [*map(canonical, each)] for _, each in conversations
    ]


def test_what_only_a_store_knows_is_neither_written_nor_read():
    origin = Origin(store="s", conversation_id="c", revision="r1", metadata_keys=("a",))
    conversation = Conversation(id="c", metadata={"a": 1}, origin=origin, revision="r2")
    message = said("1", stored_at=samples.START)
    text = written("jsonl", (conversation, [message]))
    assert "revision" not in text
    assert "stored_at" not in text
    foreign = text.replace('"id":"c"', '"id":"c","revision":"r3"').replace(
        '"id":"m"', '"id":"m","stored_at":"2025-05-01T12:00:00+00:00"'
    )
    for data in (text, foreign):
        ((read_back, (read_message,)),) = read("jsonl", data)
        assert read_back.revision is read_back.origin.revision is read_message.stored_at is None
        assert read_back.origin.metadata_keys == ("a",)
        assert (read_back, read_message) == (conversation, message)


def test_a_file_without_owners_and_metadata_is_what_it_always_was():
    origin = Origin(store="s", conversation_id="c", revision="r1")
    conversation = Conversation(id="c", title="T", origin=origin, revision="r2")
    assert written("jsonl", (conversation, [said("1", stored_at=samples.START)])) == (
        '{"format":"convostore","version":1,"raw":true}\n'
        '{"conversation":{"id":"c","title":"T","origin":{"store":"s","conversation_id":"c"}}}\n'
        '{"in":"c","message":{"id":"m","role":"assistant","parts":[{"kind":"text","text":"1"}]}}\n'
        '{"end":{"conversations":1,"messages":1}}\n'
    )


def test_every_field_comes_back():
    ((conversation, messages),) = read("jsonl", written("jsonl", EVERYTHING))
    assert conversation == EVERYTHING[0]
    assert messages == EVERYTHING[1]
    assert messages[0].sources[0].raw == {}


@pytest.mark.parametrize("text", [*samples.HOSTILE_TEXTS, *samples.BEYOND_UTF8])
def test_hostile_texts_come_back_anywhere(text):
    conversation = Conversation(id=text or "x", title=text, raw={text: [text]})
    message = Message(id=text or "x", role="user", parts=(TextPart(text=text),), raw={text: text})
    ((stored, messages),) = read("jsonl", written("jsonl", (conversation, [message])))
    assert stored == conversation
    assert messages == [message]
    assert stored.raw == {text: [text]}


def test_the_file_is_ascii_and_each_value_stands_on_one_line():
    text = written("jsonl", (Conversation(id="\u2028 \ud800"), [said("夏\n\x00")]))
    assert text.isascii()
    assert len(text.split("\n")) == 5
    assert json.loads(text.splitlines()[0]) == {"format": "convostore", "version": 1, "raw": True}
    assert json.loads(text.splitlines()[-1]) == {"end": {"conversations": 1, "messages": 1}}


def test_without_raw_there_is_none_at_any_depth():
    text = written("jsonl", EVERYTHING, raw=False)
    ((_, (message,)),) = read("jsonl", text)
    assert message.raw is None
    assert all(source.raw is None for source in message.sources)
    assert message.parts == EVERYTHING[1][0].parts


def test_what_is_as_deep_as_a_service_may_send_comes_back():
    deep = strategies.nested(parsing.MAX_NESTING)
    message = Message(role="user", parts=(OtherPart(data=deep),), raw=deep)
    ((_, (back,)),) = read("jsonl", written("jsonl", (Conversation(id="c", raw=deep), [message])))
    assert back == message


def test_an_unknown_kind_of_part_is_kept_whole():
    line = '{"in":"a","message":{"id":"m","role":"user","parts":[{"kind":"smell","of":["sea"]}]}}'
    text = SMALL.splitlines()
    text[2] = line
    (_, (message, _)), _ = read("jsonl", "\n".join(text) + "\n")
    assert message.parts == (OtherPart(type="smell", data={"kind": "smell", "of": ["sea"]}),)


@pytest.mark.parametrize("end", range(1, len(SMALL.splitlines())))
def test_a_file_that_was_cut_between_two_lines_gives_what_is_whole_and_says_so(end):
    ndjson = SMALL.splitlines(True)[:end]
    got, error = what_is_whole("".join(ndjson))
    assert "truncated: its closing line is missing" in str(error)
    assert got == WHOLE[: sum('"message"' in line for line in ndjson)]


@pytest.mark.parametrize("line", range(1, 8))
def test_a_file_that_was_cut_within_a_line_gives_what_is_whole_and_names_the_line(line):
    ndjson = SMALL.splitlines(True)[:line]
    got, error = what_is_whole("".join(ndjson)[:-5])
    assert str(error).startswith(f"line {line} is not valid JSON: the file is truncated")
    assert got == WHOLE[: sum('"message"' in line for line in ndjson[:-1])]


@pytest.mark.parametrize(
    ("line", "instead", "told"),
    [
        (1, "{}", "line 1 is not a header"),
        (1, '{"format":"convostore"}', "line 1 must name the version of the format, .* got None"),
        (1, '{"format":"convostore","version":2}', "line 1 names version 2 .* up to 1: upgrade"),
        (2, '{"conversation":{"id":3}}', "line 2: invalid conversation: id"),
        (3, '{"in":"a","message":{"id":"m","role":"pope"}}', "line 3: invalid message: role"),
        (
            3,
            '{"in":"b","message":{"id":"m","role":"user"}}',
            "line 3 must hold a message of conversation 'a', got one of 'b'",
        ),
        (
            3,
            '{"in":[1,2,3],"message":{"id":"m","role":"user"}}',
            "line 3 must hold a message of conversation 'a', got one that names none",
        ),
        (3, "[1]", "line 3 must be a JSON object, got list"),
        (3, "nonsense", "line 3 is not valid JSON"),
        (3, "[" * 100_000, "line 3 is (nested too deeply|not valid JSON)"),
        (3, '{"x":' + "9" * 5000 + "}", "line 3 is not valid JSON: a value is out of"),
        (3, '{"x":1}', "line 3 must be a conversation, a message or the closing line"),
        (7, '{"end":{"conversations":2,"messages":4}}', "line 7 counts 2 .* with 4 messages, "),
        (7, '{"end":{"conversations":1,"messages":3}}', "line 7 counts 1 conversations"),
    ],
)
def test_a_broken_line_is_told_with_its_number(line, instead, told):
    text = SMALL.splitlines()
    text[line - 1] = instead
    with pytest.raises(InvalidError, match=told):
        read("jsonl", "\n".join(text) + "\n")


def test_what_stands_behind_the_closing_line_is_refused():
    with pytest.raises(InvalidError, match="line 8 comes after the closing line"):
        read("jsonl", SMALL + '{"x":1}\n')


def test_an_empty_file_is_refused():
    with pytest.raises(InvalidError, match="the file is empty"):
        read("jsonl", "")


def test_empty_lines_and_a_byte_order_mark_do_no_harm():
    text = "\ufeff" + SMALL.replace("\n", "\r\n\r\n")
    assert [conversation.id for conversation, _ in read("jsonl", text)] == ["a", "b"]


def test_a_line_beyond_all_bounds_is_refused(monkeypatch):
    monkeypatch.setattr(ndjson, "MAX_LINE", 1000)
    long = written("jsonl", (Conversation(id="a"), [said("x" * 1000)]))
    with pytest.raises(InvalidError, match="line 3 is longer than 1000 bytes"):
        read("jsonl", long)


def test_a_message_that_is_not_taken_is_passed_over():
    entries = reader("jsonl")(_stream(SMALL), None)
    assert [entry.conversation_id for entry in entries] == ["a", "b"]


def test_a_million_messages_would_stream():
    """Each piece is made of what has been given, and each value read of the lines so far."""
    made = writer("jsonl")
    pieces = (made.message(said(str(number))) for number in range(10**9))
    assert made.start() + made.conversation(Conversation(id="a"))
    assert '"0"' in next(pieces)

    class Endless:
        """A file whose end is never reached: reading it whole would not return."""

        def __init__(self):
            self.lines = iter(SMALL.encode().splitlines(True)[:2])
            self.asked = 0

        def readline(self, size):
            self.asked += 1
            return next(self.lines, SMALL.encode().splitlines(True)[2])

    endless = Endless()
    entry = next(reader("jsonl")(endless, None))
    assert [next(entry.messages).text for _ in range(1000)] == ["one"] * 1000
    assert endless.asked < 1010


def _stream(text):
    return io.BytesIO(text.encode())
