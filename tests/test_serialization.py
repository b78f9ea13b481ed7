"""The schema as JSON: what is written down comes back the same, and what is none is refused."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convostore import (
    Conversation,
    FilePart,
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
    is_damage,
    join_surrogates,
    load_conversation,
    load_message,
    message_json,
    parse_conversation,
    parse_message,
    salvage_conversation,
    salvage_message,
    structure_of,
    to_json,
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
    | texts(pairs=True),
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
    data = join_surrogates(json.loads(dumps(message)))
    for read in (load_message(data), parse_message(dumps(message))):
        assert read == message
        assert as_told(read) == as_told(message)
        assert read.fingerprint() == message.fingerprint()
        assert dump(read) == dump(message)


@given(conversations)
def test_a_conversation_comes_back_the_same(conversation):
    data = join_surrogates(json.loads(dumps(conversation)))
    for read in (load_conversation(data), parse_conversation(dumps(conversation))):
        assert read == conversation
        assert as_told(read) == as_told(conversation)
        assert dump(read) == dump(conversation)


def test_a_message_with_every_field_comes_back_the_same():
    message = full_message()
    assert set(dump(message)) == set(Message.model_fields)
    assert load_message(json.loads(dumps(message))) == message
    assert parse_message(dumps(message)) == message


def test_what_is_parsed_is_frozen_and_takes_every_method():
    read = parse_message(dumps(full_message()))
    assert [citation.mark for citation in read.citations()] == ["1"]
    assert read.text == "text [1]"
    with pytest.raises(ValueError, match="frozen"):
        read.role = "user"


def test_to_read_data_leaves_it_as_it_is():
    data = json.loads(dumps(full_message()))
    before = json.dumps(data)
    load_message(data)
    assert json.dumps(data) == before


@given(messages | conversations)
def test_what_is_written_is_one_line_of_ascii(value):
    line = dumps(value)
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_a_number_that_json_has_no_word_for_survives(number):
    data = json.loads(dumps(user(raw=number, sources=(Source(score=number),))))
    for read in (load_message(data), parse_message(json.dumps(data))):
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
    for read in (load_message(data), parse_message(json.dumps(data))):
        assert read.parts == (OtherPart(type=str(kind), data=part), TextPart(text="hi"))
        assert load_message(json.loads(dumps(read))) == read


@pytest.mark.parametrize(
    "message",
    [
        user(),
        full_message(),
        user(parts=(TextPart(text="\ud800"),)),
        user(parts=(TextPart(text="\ud83d\ude00"),)),
        user(raw={"\ud800": [1]}),
        user(raw=[{"a": {"\ud83d\ude00": "�"}}]),
        user(raw={"�": "�"}),
    ],
)
def test_a_message_written_fast_reads_back_the_same(message):
    assert parse_message(message_json(message)) == message


@given(messages)
def test_any_message_has_the_structure_of_one(message):
    text = dumps(message)
    assert structure_of(Message)(text) or "\\ud" in text


@given(corrupted(json.loads(dumps(full_message())), places=2))
def test_what_has_the_structure_of_a_message_can_be_parsed(data):
    text = json.dumps(data)
    sound = structure_of(Message)(text) and data.get("id") != ""
    try:
        parse_message(text)
    except InvalidError:
        assert not sound


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"id":"m","role":"user"', "not JSON"),
        ("[1]", "valid dictionary|an object"),
        ('{"id":"m","role":"user","created_at":5}', "created_at"),
        ('{"id":"m","role":"user","raw":"\\ud800","parts":[{"kind":"text","text":5}]}', "text"),
        ('{"id":"m","role":"user","raw":' + 200_000 * "[", "nested too deeply"),
    ],
)
def test_text_that_is_not_a_message_is_refused_with_the_reason(text, reason):
    with pytest.raises(InvalidError, match=f"^invalid message: .*({reason})"):
        parse_message(text)


@pytest.mark.parametrize("more", ["", ',"raw":"\\ud800"'])
def test_a_surrogate_elsewhere_leaves_the_reason_as_it_is(more):
    with pytest.raises(InvalidError, match=r"^invalid message: role must be"):
        parse_message(f'{{"id":"m","role":"pope"{more}}}')
    with pytest.raises(InvalidError, match=r"^invalid conversation: title must be"):
        parse_conversation(f'{{"id":"c","title":5{more}}}')


@pytest.mark.parametrize("text", ["{", "[" * 200_000])
def test_text_that_is_not_a_conversation_is_refused_as_one(text):
    with pytest.raises(InvalidError, match=r"^invalid conversation: it is "):
        parse_conversation(text)


@pytest.mark.parametrize("more", ["", ',"raw":"\\ud800"'])
def test_a_problem_of_a_damaged_value_gives_the_bare_reason(more):
    (problem,) = salvaged(f'{{"status":"odd"{more}}}').problems
    assert problem.where == "status"
    assert problem.what.startswith("is damaged in the store: must be")


# What is salvaged.


def salvaged(text):
    return salvage_message(text, {"id": "m", "role": "assistant"})


def test_what_can_be_read_of_a_damaged_message_is_kept_and_the_rest_is_named():
    data = json.loads(dumps(full_message()))
    del data["id"], data["role"]
    whole = salvaged(json.dumps(data))
    for field in set(data) - {"raw"}:
        text = json.dumps(data | {field: 5})
        read = salvaged(text)
        lost = {field: Message.model_fields[field].default, "raw": text}
        if field == "parts":
            lost["parts"] = (OtherPart(data=5),)
        if field != "problems":
            assert [problem.where for problem in read.problems if is_damage(problem)] == [field]
            lost["problems"] = read.problems
        else:
            assert all(map(is_damage, read.problems))
            lost["problems"] = read.problems
        assert read == whole.model_copy(update=lost)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"parts":"hello"}', "hello"),
        ('{"parts":[{"kind":"text","text":"hel', "hel"),
        ('{"parts":{"kind":"text","text":"hi"}}', "hi"),
        ('{"parts":[{"kind":"text","text":5},{"kind":"text","text":"hi"}]}', "hi"),
        ('{"parts":[{"kind":"text","text":"hi","colour":1}]}', "hi"),
        ('{"parts":[{"kind":"text","text":"hi"}],"feedback":"good"}', "hi"),
        ('{"parts":[{"kind":"text","text":"a"}]} and more', "a"),
        ("[1]", ""),
        ("", ""),
    ],
)
def test_the_text_of_a_damaged_message_is_shown_where_there_is_one(text, shown):
    read = salvaged(text)
    assert (read.id, read.role, read.text, read.raw) == ("m", "assistant", shown, text)
    assert any(map(is_damage, read.problems))


def test_a_damaged_part_stays_in_its_place():
    (first, second) = salvaged('{"parts":[{"kind":"text","text":5},{"kind":"file"}]}').parts
    assert first == OtherPart(data={"kind": "text", "text": 5})
    assert second == FilePart()


def test_a_sound_message_is_salvaged_as_it_is():
    message = full_message()
    data = join_surrogates(json.loads(dumps(message)))
    columns = {name: data.pop(name) for name in ("id", "role")}
    assert salvage_message(json.dumps(data), columns) == message


def test_damaged_columns_are_kept_beside_the_body():
    columns = {"id": "c", "title": b"\xff", "created_at": "yesterday", "pinned": True}
    read = salvage_conversation('{"raw":1}', columns)
    assert (read.title, read.created_at, read.pinned) == (None, None, True)
    assert [problem.where for problem in read.problems] == ["title", "created_at"]
    assert read.raw == {"title": "\\xff", "created_at": "yesterday", "body": '{"raw":1}'}


def test_what_is_no_json_is_refused_however_it_is_written():
    with pytest.raises(InvalidError):
        message_json(user(raw=object()))
