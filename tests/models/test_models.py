"""The schema: closed, frozen values that survive being written down, and forget where they were."""

import json
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from convostore import (
    ANY,
    UNSET,
    Citation,
    Conversation,
    Feedback,
    FilePart,
    Health,
    InteractionField,
    InteractionOption,
    InteractionPart,
    Message,
    MessageFields,
    Origin,
    OtherPart,
    Page,
    Problem,
    ReasoningPart,
    RunStep,
    Source,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Transcript,
)

from ..support.naming import naming

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)

PARTS = [
    TextPart(text="Why is the sky blue?"),
    ReasoningPart(text="Scattering."),
    ToolCallPart(id="call-1", name="search", arguments='{"q": '),
    ToolCallPart(name="now"),
    ToolResultPart(id="call-1", content="found"),
    FilePart(name="a.pdf", url="https://files.example/a.pdf?sig=1", media_type="application/pdf"),
    FilePart(),
    InteractionPart(
        type="userSelect",
        prompt="Which?",
        options=(InteractionOption(value="a", label="A"), InteractionOption(value="b")),
        answered=True,
        answer="a",
    ),
    InteractionPart(
        type="formInput",
        fields=(InteractionField(key="age", label="Age", required=True, value=[1, {"b": None}]),),
    ),
    OtherPart(type="chart", data={"points": [1, 2.5, None, {"x": "y"}]}),
    OtherPart(),
]

VALUES = [
    *((type(part), dict(part)) for part in PARTS),
    (TextPart, {"text": "short"}),
    (ToolCallPart, {"name": "now"}),
    (InteractionField, {"key": "age"}),
    (Problem, {"where": "metadata", "what": "is not JSON"}),
    (Feedback, {"rating": "bad"}),
    (Feedback, {"rating": "good", "comment": "thanks"}),
    (Source, {}),
    (Source, {"url": "https://a.example", "mark": "1"}),
    (
        Source,
        {
            "title": "T",
            "url": "https://a.example",
            "content": "passage",
            "score": 0.5,
            "kind": "quote",
            "mark": "1",
            "raw": {"pageContent": "passage"},
        },
    ),
    (Message, {"id": "m", "role": "user"}),
    (Message, {"role": "user", "id": "m", "parts": (TextPart(text="a"),)}),
    (
        Message,
        {
            "id": "m",
            "role": "assistant",
            "parts": tuple(PARTS),
            "created_at": NOON,
            "sources": (Source(title="T", raw=["x"]),),
            "feedback": Feedback(rating="good"),
            "status": "complete",
            "model": "small",
            "parent_id": "l",
            "problems": (Problem(where="w", what="x"),),
            "raw": {"content": "a"},
        },
    ),
    (Origin, {"store": "memory://", "conversation_id": "c"}),
    (Conversation, {"id": "c"}),
    (
        Conversation,
        {
            "id": "c",
            "title": "T",
            "created_at": NOON,
            "updated_at": LATER,
            "pinned": True,
            "origin": Origin(store="memory://", conversation_id="b"),
            "files": (FilePart(name="a"),),
            "problems": (Problem(where="w", what="x"),),
            "raw": {"id": "c"},
        },
    ),
    (RunStep, {"name": "model", "seconds": 1.5, "steps": (RunStep(name="inner"),)}),
    (Health, {"generation": "1.12"}),
]


def written(value):
    return TypeAdapter(type(value)).dump_python(value)


def written_as_json(value):
    return TypeAdapter(type(value)).dump_json(value)


def test_a_value_cannot_be_changed():
    for kind, fields in VALUES:
        value = kind(**fields)
        name = next(iter(written(value)))
        with naming(kind, fields), pytest.raises((ValidationError, FrozenInstanceError)):
            setattr(value, name, None)
        assert value == kind(**fields)


def test_a_value_takes_no_field_that_it_does_not_know():
    for kind, fields in VALUES:
        known = {"type": "chart"} if kind is OtherPart else fields
        with (
            naming(kind, fields),
            pytest.raises(ValidationError, match=r"Extra inputs|Unexpected keyword"),
        ):
            kind(**known, tilte="a slip of the pen")


def test_a_value_is_the_same_after_being_written_as_plain_data_or_as_json():
    for kind, fields in VALUES:
        value = kind(**fields)
        with naming(kind, fields):
            assert TypeAdapter(kind).validate_python(written(value)) == value
            assert TypeAdapter(kind).validate_json(written_as_json(value)) == value
            assert TypeAdapter(kind).validate_python(json.loads(written_as_json(value))) == value


def test_a_value_made_without_validation_is_the_same():
    for kind, fields in VALUES:
        quick, checked = kind.model_construct(**fields), kind(**fields)
        with naming(kind, fields):
            assert quick == checked
            assert checked == quick
            assert written(quick) == written(checked)
            assert quick.portable() == checked.portable()


def test_a_value_made_without_validation_shows_and_writes_its_fields_in_their_order():
    for kind, fields in VALUES:
        quick, checked = kind.model_construct(**fields), kind(**fields)
        with naming(kind, fields):
            assert repr(quick) == repr(checked)
            assert written_as_json(quick) == written_as_json(checked)


def test_a_message_made_without_validation_chooses_an_id_too():
    first, second = Message.model_construct(role="user"), Message.model_construct(role="user")
    assert first.id != second.id


def test_values_made_without_validation_do_not_share_what_is_changed_in_a_copy():
    first, second = TextPart.model_construct(text="a"), TextPart.model_construct(text="a")
    first.model_copy(update={"text": "b"})
    assert (first, second) == (TextPart(text="a"), TextPart(text="a"))
    assert first.model_fields_set == second.model_fields_set == set(TextPart.model_fields)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.kind)
def test_a_part_is_read_back_as_its_own_kind(part):
    message = Message.model_validate({"id": "m", "role": "user", "parts": [part.model_dump()]})
    assert message.parts == (part,)
    assert type(message.parts[0]) is type(part)


@pytest.mark.parametrize("kind", ["hologram", "", "TEXT"])
def test_a_part_of_an_unknown_kind_is_kept_whole(kind):
    whole = {"kind": kind, "text": "shimmer", "depth": {"z": [1, None]}}
    (part,) = Message.model_validate({"role": "user", "parts": [whole]}).parts
    assert part == OtherPart(type=kind, data=whole)


@pytest.mark.parametrize("kind", [5, None, True, ["text"], {"text": 1}])
def test_a_part_whose_kind_is_no_text_is_kept_whole(kind):
    whole = {"kind": kind, "text": "shimmer"}
    (part,) = Message.model_validate({"role": "user", "parts": [whole]}).parts
    assert isinstance(part, OtherPart)
    assert part.data == whole


def test_a_part_of_a_known_kind_must_be_right():
    with pytest.raises(ValidationError):
        Message.model_validate({"role": "user", "parts": [{"kind": "text", "txet": "a"}]})


@pytest.mark.parametrize("role", ["User", "", "robot", None])
def test_a_role_is_one_of_the_five(role):
    with pytest.raises(ValidationError):
        Message(role=role)


def test_lists_become_tuples():
    message = Message(role="user", parts=[TextPart(text="a")], sources=[Source()])
    assert message.parts == (TextPart(text="a"),)
    assert message.sources == (Source(),)


@pytest.mark.parametrize(
    "fields", [{"text": "hi"}, {"content": "hi"}, {"parts": "hi"}, {"parts": ["hi"]}]
)
def test_a_text_in_place_of_parts_is_refused_and_the_error_shows_how_to_write_it(fields):
    with pytest.raises(ValidationError) as caught:
        Message(role="user", **fields)
    assert caught.value.__notes__ == [
        'A message consists of parts: write Message.user("…"), or parts=[TextPart(text="…")].'
    ]


def test_what_else_is_wrong_with_a_message_says_nothing_of_texts():
    with pytest.raises(ValidationError) as caught:
        Message(role="human", parts=[TextPart(text="hi")])
    assert not hasattr(caught.value, "__notes__")


def test_pydantic_validates_messages_without_calling_their_constructor():
    assert not Message.__pydantic_custom_init__


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_a_message_of_a_role_is_written_from_a_text_or_from_parts(role):
    write = getattr(Message, role)
    message = write("hi", id="a", created_at=NOON)
    assert message == Message(id="a", role=role, parts=(TextPart(text="hi"),), created_at=NOON)
    assert write([TextPart(text="hi")], id="a").parts == message.parts


def test_the_fields_of_a_message_are_its_arguments():
    names = {"role", "parts", *MessageFields.__annotations__}
    assert names == set(Message.model_fields)


def test_a_message_without_an_id_chooses_one_of_its_own():
    first, second = Message(role="user"), Message(role="user")
    assert first.id
    assert first.id != second.id


def test_a_message_takes_no_empty_id():
    with pytest.raises(ValidationError):
        Message(id="", role="user")


def test_raw_is_kept_untouched_and_not_shown():
    raw = {"id": 1, "nested": [{"secret": "s3cret"}]}
    message = Message(id="m", role="user", raw=raw, sources=(Source(raw=raw),))
    assert message.raw is raw
    assert "s3cret" not in repr(message)
    assert "s3cret" not in repr(Conversation(id="c", raw=raw))


def test_a_validation_error_shows_nothing_of_the_input():
    with pytest.raises(ValidationError) as caught:
        Message(role="user", parts=({"kind": "text", "text": ["s3cret"]},))
    assert "s3cret" not in str(caught.value)


def test_text_joins_the_text_parts_and_no_others():
    message = Message(
        role="assistant",
        parts=(TextPart(text="a"), ReasoningPart(text="b"), TextPart(text=""), TextPart(text="c")),
    )
    assert message.text == "a\n\nc"
    assert Message(role="assistant").text == ""


@pytest.mark.parametrize("kind", [Message, Conversation])
def test_a_naive_time_is_refused(kind):
    fields = {"id": "x", "role": "user"} if kind is Message else {"id": "x"}
    with pytest.raises(ValidationError, match="created_at"):
        kind(**fields, created_at=datetime(2026, 3, 1))  # noqa: DTZ001


@pytest.mark.parametrize(("time", "hours"), [("0001-01-01T00:00", 14), ("9999-12-31T23:59", -14)])
def test_a_time_that_utc_cannot_hold_is_refused(time, hours):
    local = datetime.fromisoformat(time).replace(tzinfo=timezone(timedelta(hours=hours)))
    with pytest.raises(ValidationError, match="created_at"):
        Conversation(id="c", created_at=local)


def test_a_time_of_any_zone_becomes_utc():
    east = timezone(timedelta(hours=8))
    conversation = Conversation(id="c", created_at=NOON.astimezone(east), updated_at=NOON)
    assert conversation.created_at == NOON
    assert conversation.created_at.tzinfo is UTC
    read = Conversation.model_validate_json(
        '{"id": "c", "created_at": "2026-03-01T20:00:00+08:00"}'
    )
    assert read.created_at == NOON
    assert read.created_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("created_at", "updated_at", "expected"),
    [(NOON, LATER, LATER), (LATER, NOON, NOON), (NOON, None, NOON), (None, None, None)],
)
def test_a_conversation_was_last_active_when_updated_or_else_when_created(
    created_at, updated_at, expected
):
    conversation = Conversation(id="c", created_at=created_at, updated_at=updated_at)
    assert conversation.last_active_at == expected


def _answer(text, *marks):
    sources = tuple(Source(title=f"source {mark}", mark=mark) for mark in marks)
    return Message(id="m", role="assistant", parts=(TextPart(text=text),), sources=sources)


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("Blue[1].", ["1"]),
        ("Blue[2][3].", ["2", "3"]),
        ("Blue[1][2][3].", ["1", "2", "3"]),
        ("Blue[1,2].", ["1", "2"]),
        ("Blue[1, 2 ,3].", ["1", "2", "3"]),
        ("Blue[1, 2][3].", ["1", "2", "3"]),
        ("Blue[1][2, 3].", ["1", "2", "3"]),
        ("Blue [1] [2]", ["1", "2"]),
        ("[1]\nsecond line [2]", ["1", "2"]),
        ("Blue[0123456789abcdef01234567](CITE)", ["0123456789abcdef01234567"]),
        ("Blue[0123456789abcdef01234567](QUOTE)", ["0123456789abcdef01234567"]),
        ("[012345678901234567890123](CITE)[1]", ["012345678901234567890123", "1"]),
        ("a [1](http://a.example) link", []),
        ("a [1][ref] link", []),
        ("[1]: http://a.example", []),
        ("[0123456789abcdef01234567](http://a.example)", []),
        ("[]", []),
        ("[a]", []),
        ("[1,]", []),
        ("[12345]", []),
        ("none", []),
    ],
)
def test_marks_of_citations_are_found_in_their_order(text, marks):
    assert [citation.mark for citation in _answer(text).citations()] == marks


def test_a_citation_points_at_its_source_and_its_place():
    answer = _answer("Blue[2], not red[1,3].", "1", "2")
    one, two = answer.sources
    assert list(answer.citations()) == [
        Citation(4, 7, "2", two),
        Citation(16, 21, "1", one),
        Citation(16, 21, "3", None),
    ]


def test_a_citation_by_id_points_at_its_source():
    mark = "0123456789abcdef01234567"
    (citation,) = _answer(f"Blue[{mark}](CITE)", mark).citations()
    assert citation.source.title == f"source {mark}"


def test_a_mark_without_its_source_stays_readable():
    (citation,) = _answer("Blue[7].", "1").citations()
    assert (citation.mark, citation.source) == ("7", None)


HOSTILE = "lone \ud800 nul \x00 line\u2028 \r astral 🜁 e\u0301"


def test_hostile_text_survives():
    message = Message(
        id="m",
        role="user",
        parts=(TextPart(text=HOSTILE), OtherPart(data={HOSTILE: HOSTILE})),
        sources=(Source(title=HOSTILE),),
    )
    assert message.text == HOSTILE
    assert Message.model_validate(message.model_dump()) == message


def test_hostile_text_survives_as_escaped_json():
    message = Message(id="m", role="user", parts=(TextPart(text=HOSTILE),), created_at=NOON)
    written = json.dumps(message.model_dump(mode="json"))
    assert Message.model_validate(json.loads(written)) == message


def test_a_hostile_id_survives():
    message = Message.model_construct(id=HOSTILE, role="user")
    assert Message.model_validate(message.model_dump()) == message


def test_hostile_text_has_a_fingerprint():
    plain = Message(id="m", role="user", parts=(TextPart(text="lone"),))
    hostile = Message(id="m", role="user", parts=(TextPart(text="lone \ud800"),))
    assert hostile.fingerprint() == hostile.fingerprint()
    assert hostile.fingerprint() != plain.fingerprint()


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_survives_and_has_a_fingerprint(text):
    message = Message(id="m", role="user", parts=(TextPart(text=text),))
    assert Message.model_validate(message.model_dump()) == message
    assert len(message.fingerprint()) == 64
    list(message.citations())


FULL = Message(
    id="m",
    role="assistant",
    parts=(
        TextPart(text="Blue[1]."),
        ToolCallPart(id="call-1", name="search", arguments="{}"),
        ToolResultPart(id="call-1", content="found"),
        FilePart(name="a", url="https://files.example/a?sig=1"),
        OtherPart(type="chart", data={"id": "kept: it is the part itself"}),
    ),
    created_at=NOON,
    sources=(Source(title="T", mark="1", raw={"id": 1}),),
    feedback=Feedback(rating="good"),
    status="complete",
    model="small",
    parent_id="l",
    raw={"id": 1},
)


def test_what_is_portable_has_no_raw_and_no_id_of_the_service_at_any_depth():
    plain = FULL.portable()
    assert not {"raw", "id", "parent_id"} & set(plain)
    assert "raw" not in plain["sources"][0]
    assert [set(part) & {"id", "raw"} for part in plain["parts"]] == [set()] * 5
    assert plain["parts"][4]["data"] == {"id": "kept: it is the part itself"}
    assert plain["created_at"] == "2026-03-01T12:00:00+00:00"
    assert plain["feedback"] == {"rating": "good", "comment": None}


def test_what_is_portable_of_a_conversation_has_no_id_and_no_origin():
    plain = Conversation(
        id="c", title="T", origin=Origin(store="memory://", conversation_id="b"), raw={}
    ).portable()
    assert set(plain) == set(Conversation.model_fields) - {"id", "origin", "raw", "revision"}


def test_what_is_portable_is_json():
    assert json.loads(json.dumps(FULL.portable())) == FULL.portable()


def _with_part(index, **change):
    parts = list(FULL.parts)
    parts[index] = parts[index].model_copy(update=change)
    return FULL.model_copy(update={"parts": tuple(parts)})


@pytest.mark.parametrize(
    "other",
    [
        FULL.model_copy(update={"id": "n"}),
        FULL.model_copy(update={"parent_id": None}),
        FULL.model_copy(update={"raw": None}),
        FULL.model_copy(update={"feedback": None}),
        FULL.model_copy(update={"status": "failed"}),
        FULL.model_copy(update={"created_at": NOON.astimezone(timezone(timedelta(hours=8)))}),
        FULL.model_copy(update={"sources": (replace(FULL.sources[0], raw=None),)}),
        _with_part(1, id="call-9"),
        _with_part(2, id=None),
        _with_part(3, url="https://files.example/a?sig=2&expires=9"),
        _with_part(3, url="https://files.example/a"),
    ],
)
def test_a_fingerprint_does_not_depend_on_the_store(other):
    message = Message.model_validate(other.model_dump())
    assert message.fingerprint() == FULL.fingerprint()


@pytest.mark.parametrize(
    "other",
    [
        FULL.model_copy(update={"role": "user"}),
        FULL.model_copy(update={"created_at": LATER}),
        FULL.model_copy(update={"created_at": None}),
        FULL.model_copy(update={"model": "large"}),
        FULL.model_copy(update={"sources": ()}),
        FULL.model_copy(update={"parts": FULL.parts[::-1]}),
        _with_part(0, text="Red[1]."),
        _with_part(1, arguments="{ }"),
        _with_part(3, url="https://files.example/b"),
        _with_part(4, data={}),
    ],
)
def test_a_fingerprint_depends_on_what_was_said(other):
    assert other.fingerprint() != FULL.fingerprint()


def test_an_argument_that_was_not_given_is_neither_none_nor_any():
    assert UNSET is not ANY
    assert (repr(UNSET), repr(ANY)) == ("UNSET", "ANY")


def test_pages_and_transcripts_are_values():
    assert Page(items=(1, 2), cursor="c") == Page(items=(1, 2), cursor="c", total=None)
    with pytest.raises(AttributeError):
        Page(items=()).cursor = "c"
    transcript = Transcript(conversation_id="c", messages=(FULL,))
    assert "Blue" not in repr(transcript)


def test_metadata_that_are_their_own_contents_are_refused_at_once():
    nested: list[object] = ["x"]
    for _ in range(60):
        nested = [nested, nested]
    endless: dict[str, object] = {}
    endless.update(a=endless, b=endless)
    for value in (nested, endless, ["y" * 60_000] * 60_000):
        with pytest.raises(ValidationError, match="at most 6"):
            Conversation(id="c", metadata={"key": value})


def test_metadata_are_bounded_by_bytes_levels_and_lengths_of_keys():
    deep: object = None
    for _ in range(63):
        deep = [deep]
    for key, value, more in (("k", "é" * 32_764, "é" * 32_765), ("k", deep, [deep])):
        Conversation(id="c", metadata={key: value})
        with pytest.raises(ValidationError, match="at most 6"):
            Conversation(id="c", metadata={key: more})
    Conversation(id="c", metadata={"k" * 256: 1})
    with pytest.raises(ValidationError, match="256 characters"):
        Conversation(id="c", metadata={"k" * 257: 1})
