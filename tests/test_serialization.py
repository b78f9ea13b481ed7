"""The schema as JSON: what is written down comes back the same, and what is none is refused."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convostore import (
    Conversation,
    InteractionField,
    InteractionPart,
    InvalidError,
    Message,
    Origin,
    OtherPart,
    Source,
    TextPart,
)
from convostore.serialization import (
    dump,
    dumps,
    load_conversation,
    load_message,
    message_json,
    to_json,
    trusted_conversation,
    trusted_message,
)
from convostore.testing.samples import full_message
from convostore.testing.strategies import corrupted, nested, texts
from convostore.testing.value_strategies import Values

from .support.naming import naming

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

raws = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from([10**400, -0.0, "\x00", "\ud800", "\\u0000", "\\ud800"])
    | texts(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(), inner, max_size=3),
    max_leaves=5,
)
any_value = Values(json=raws)
messages, conversations = any_value.messages(), any_value.conversations()


def user(**fields):
    return Message(id="m", role="user", **fields)


def as_told(value):
    """A value with the type of everything in it: 1, True and 1.0 are equal."""
    return repr(value.model_dump())


# There and back.


@given(messages)
def test_a_message_comes_back_the_same(message):
    data = json.loads(dumps(message))
    for read in (load_message(data), trusted_message(json.loads(dumps(message)))):
        assert read == message
        assert as_told(read) == as_told(message)
        assert read.fingerprint() == message.fingerprint()
        assert dump(read) == dump(message)


@given(conversations)
def test_a_conversation_comes_back_the_same(conversation):
    data = json.loads(dumps(conversation))
    for read in (load_conversation(data), trusted_conversation(data)):
        assert read == conversation
        assert as_told(read) == as_told(conversation)
        assert dump(read) == dump(conversation)


def test_a_message_with_every_field_comes_back_the_same():
    message = full_message()
    assert set(dump(message)) == set(Message.model_fields)
    assert load_message(json.loads(dumps(message))) == message
    assert trusted_message(json.loads(dumps(message))) == message


def test_what_is_read_back_unseen_is_frozen_and_takes_every_method():
    read = trusted_message(json.loads(dumps(full_message())))
    assert [citation.mark for citation in read.citations()] == ["1"]
    assert read.text == "text [1]"
    with pytest.raises(ValueError, match="frozen"):
        read.role = "user"


def test_to_read_data_leaves_it_as_it_is():
    data = json.loads(dumps(full_message()))
    before = json.dumps(data)
    load_message(data)
    trusted_message(data)
    assert json.dumps(data) == before


@given(messages | conversations)
def test_what_is_written_is_one_line_of_ascii(value):
    line = dumps(value)
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_a_number_that_json_has_no_word_for_survives(number):
    data = json.loads(dumps(user(raw=number, sources=(Source(score=number),))))
    for read in (load_message(data), trusted_message(data)):
        assert str(read.raw) == str(read.sources[0].score) == str(number)


# What is written.


def test_a_field_that_holds_its_default_is_left_out():
    assert dump(user(parts=(TextPart(text="hi"),))) == {
        "id": "m",
        "role": "user",
        "parts": [{"kind": "text", "text": "hi"}],
    }
    assert dump(Conversation(id="c")) == {"id": "c"}


@pytest.mark.parametrize("value", [0, False, "", [], {}, 0.0])
def test_a_value_that_is_only_like_a_default_is_written(value):
    written = json.loads(dumps(user(raw=value)))
    assert written["raw"] == value
    assert type(written["raw"]) is type(value)


def test_empty_texts_are_no_missing_ones():
    conversation = Conversation(id="c", title="", origin=Origin(store="", conversation_id=""))
    assert dump(conversation)["title"] == ""
    assert load_conversation(dump(conversation)) == conversation


def test_times_are_iso_8601_in_utc():
    east = datetime(2026, 3, 1, 20, 0, 0, 7, tzinfo=timezone(timedelta(hours=8)))
    assert dump(user(created_at=east))["created_at"] == "2026-03-01T12:00:00.000007+00:00"


def test_without_raw_it_is_gone_at_every_depth_and_data_is_not():
    message = full_message()
    without = dump(message, raw=False)
    assert '"raw"' not in to_json(without)
    read = load_message(without)
    assert (read.raw, read.sources[0].raw) == (None, None)
    assert read.portable() == message.portable()
    assert read.parts[-1].data == message.parts[-1].data
    assert dump(Conversation(id="c", raw={"x": 1}), raw=False) == {"id": "c"}


@pytest.mark.parametrize(
    "holding",
    [
        lambda value: user(raw=value),
        lambda value: user(raw={"deep": [value]}),
        lambda value: user(sources=(Source(raw=value),)),
        lambda value: user(parts=(OtherPart(data=value),)),
        lambda value: user(
            parts=(InteractionPart(type="f", fields=(InteractionField(key="k", value=value),)),)
        ),
        lambda value: Conversation(id="c", raw=value),
    ],
)
def test_what_is_no_json_is_refused(holding):
    none = [object(), {1, 2}, b"bytes", NOON, 1j, {("a", "tuple"): 1}, [Conversation(id="c")]]
    for value in none:
        with naming(value), pytest.raises(InvalidError, match="plain JSON"):
            dumps(holding(value))


def test_what_is_refused_in_raw_may_be_left_out():
    assert json.loads(dumps(user(raw=object()), raw=False)) == {"id": "m", "role": "user"}


@pytest.mark.parametrize("value", [10**5000, nested(200_000)], ids=["digits", "nested"])
def test_what_no_reader_would_take_is_refused(value):
    with pytest.raises(InvalidError):
        dumps(user(raw=value))


def test_a_value_that_holds_itself_is_refused():
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(InvalidError):
        dumps(user(raw=circle))


def test_plain_data_may_be_written_in_its_own_letters():
    assert to_json({"a": "夏"}) == '{"a":"\\u590f"}'
    assert to_json({"a": "夏"}, ascii_only=False) == '{"a":"夏"}'


# What is read.


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"role": "nobody"}, "role"),
        ({"id": ""}, "id"),
        ({"id": 5}, "id"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"created_at": "2026-03-01T12:00:00"}, "created_at"),
        ({"created_at": "0001-01-01T00:00:00+10:00"}, "created_at"),
        ({"parts": "text"}, "parts"),
        ({"parts": [{"kind": "text"}]}, r"parts\.0\.text\.text"),
        ({"parts": [{"kind": "text", "text": "a"}, {"kind": "file", "name": 1}]}, r"parts\.1"),
        ({"sources": [{"score": "high"}]}, r"sources\.0\.score"),
        ({"feedback": {"rating": "fair"}}, r"feedback\.rating"),
        ({"problems": [{"where": "x"}]}, r"problems\.0\.what"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_message_that_is_none_is_refused_with_the_field(change, field):
    data = {"id": "m", "role": "user"} | change
    with pytest.raises(InvalidError, match=f"invalid message: {field}"):
        load_message(data)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "id"),
        ({"id": "c", "title": 5}, "title"),
        ({"id": "c", "pinned": "perhaps"}, "pinned"),
        ({"id": "c", "origin": {"store": "x"}}, r"origin\.conversation_id"),
        ({"id": "c", "updated_at": {}}, "updated_at"),
        ({"id": "c", "files": [{"kind": "text"}]}, r"files\.0\.kind"),
        ({"id": "c", "role": "user"}, "role"),
    ],
)
def test_a_conversation_that_is_none_is_refused_with_the_field(data, field):
    with pytest.raises(InvalidError, match=f"invalid conversation: {field}"):
        load_conversation(data)


@pytest.mark.parametrize("data", [None, [], "text", 5, True, [["id", "c"]], {5: 5}])
@pytest.mark.parametrize("load", [load_message, load_conversation])
def test_data_of_another_kind_is_refused(load, data):
    with pytest.raises(InvalidError, match=r"invalid (message|conversation): "):
        load(data)


def test_an_error_shows_nothing_of_what_was_read():
    with pytest.raises(InvalidError) as caught:
        load_message({"id": "m", "role": "a secret", "raw": "another secret"})
    assert "secret" not in str(caught.value)


@given(corrupted(json.loads(dumps(full_message())), places=3))
def test_spoilt_data_is_read_or_refused_and_nothing_else(data):
    with suppress(InvalidError):
        read = load_message(data)
        assert load_message(dump(read)) == read


@given(corrupted({"id": "c", "title": "t", "files": [{"name": "f"}], "origin": None}, places=3))
def test_a_spoilt_conversation_is_read_or_refused_and_nothing_else(data):
    with suppress(InvalidError):
        read = load_conversation(data)
        assert load_conversation(dump(read)) == read


@pytest.mark.parametrize("kind", ["audio", "", 5, None, "TEXT", "\ud800"])
def test_a_part_of_an_unknown_kind_becomes_another_part_whole(kind):
    part = {"kind": kind, "url": "https://example.org/a.mp3", "text": "la"}
    data = {"id": "m", "role": "assistant", "parts": [part, {"kind": "text", "text": "hi"}]}
    for read in (load_message(data), trusted_message(data)):
        assert read.parts == (OtherPart(type=str(kind), data=part), TextPart(text="hi"))
        assert load_message(json.loads(dumps(read))) == read


@pytest.mark.parametrize(
    "message", [user(), full_message(), user(parts=(TextPart(text="\ud800"),))]
)
def test_a_message_written_fast_reads_back_the_same(message):
    assert load_message(json.loads(message_json(message))) == message


def test_what_is_no_json_is_refused_however_it_is_written():
    with pytest.raises(InvalidError):
        message_json(user(raw=object()))
