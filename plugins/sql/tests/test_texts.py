"""Whatever text is stored comes back the same, wherever it stands; what is no JSON is refused."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from tests.support.naming import naming

import convostore
from convostore import (
    ConflictError,
    Conversation,
    ConversationStore,
    Feedback,
    FilePart,
    InvalidError,
    Message,
    Origin,
    OtherPart,
    Problem,
    Source,
    StoreError,
    TextPart,
    ToolCallPart,
)
from convostore.testing.samples import BEYOND_UTF8, HOSTILE_TEXTS, full_message
from convostore.testing.strategies import nested

TEXTS = [
    *HOSTILE_TEXTS,
    *BEYOND_UTF8,
    "\x00",
    "\ud800",
    "\udfff",
    "two surrogates that are no pair yet: \ud83c" + "\udfc4",
    "\\u0000 and \\ud800, spelt out, and \\\\u0000",
    "~{}",
    "~",
    "\\",
    "\ufeff byte order mark \ufffe \uffff",
    "".join(map(chr, range(0x300))),
]
EARLY, LATE = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def full_of(text: str, number: int) -> Message:
    """Return a message with the text wherever a text may stand."""
    identity = f"{text}-{number}"
    return Message(
        id=identity,
        role="assistant",
        parts=(
            TextPart(text=text),
            ToolCallPart(id=text, name=text, arguments=text),
            FilePart(name=text, url=text, media_type=text),
            OtherPart(type=text, data={text: [text]}),
        ),
        sources=(Source(title=text, url=text, content=text, mark=text, raw={text: text}),),
        feedback=Feedback(rating="bad", comment=text),
        model=text,
        parent_id=text,
        problems=(Problem(where=text, what=text),),
        raw={text: [text, {text: None}]},
    )


def test_any_text_of_a_message_comes_back_the_same(database):
    sent = [full_of(text, number) for number, text in enumerate(TEXTS)]
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
        store.append_messages("c", sent)
    with convostore.open(database.dsn()) as store:
        read = list(store.messages("c"))
        fields = [item.model_dump(exclude={"stored_at"}) for item in read]
        assert fields == [item.model_dump(exclude={"stored_at"}) for item in sent]
        assert store.append_messages("c", sent) == tuple(read)
        assert len(list(store.messages("c"))) == len(sent)


def test_any_text_of_a_conversation_and_its_ids_comes_back_the_same(database):
    with convostore.open(database.dsn()) as store:
        for text in TEXTS:
            with naming(ascii(text[:20])):
                a_text_comes_back_the_same(store, text)
            store.clear_conversations()


def a_text_comes_back_the_same(store: ConversationStore, text: str) -> None:
    key = text[:300] + "!"
    sent = Conversation(
        id=key,
        title=text,
        origin=Origin(store=text, conversation_id=text),
        files=(FilePart(name=text),),
        problems=(Problem(where=text, what=text),),
        raw={text: text},
    )
    good = Feedback(rating="good", comment=text)
    store.create_conversation(id="other", title="other")
    store.put_conversation(sent)
    store.append_messages(key, [Message(id=key, role="user"), Message(id="m", role="user")])
    store.set_feedback(key, key, good)
    assert store.get_conversation(key).title == text
    (first, second) = store.messages(key)
    assert (first.id, first.feedback, second.id) == (key, good, "m")
    store.update_conversation(key, title=f"new {text}")
    store.update_conversation(key, title=text)
    assert store.fork_conversation(key, key, id=f"{key}2").title == text
    store.delete_message(key, key)
    assert [message.id for message in store.messages(key)] == ["m"]
    found = {conversation.id: conversation for conversation in store.conversations()}
    assert set(found) == {"other", key, f"{key}2"}
    assert found[key].model_copy(update={"updated_at": None}) == sent
    assert found[f"{key}2"].origin.conversation_id == key
    store.delete_conversation(key)
    assert {conversation.id for conversation in store.conversations()} == {"other", f"{key}2"}


def test_feedback_keeps_any_comment_and_changes_nothing_else(database):
    sent = full_message()
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
        store.append_messages("c", [sent])
        for text in TEXTS:
            feedback = Feedback(rating="good", comment=text)
            store.set_feedback("c", sent.id, feedback)
            (read,) = store.messages("c")
            assert read == sent.model_copy(update={"feedback": feedback})


LONG = {
    "one word": "a",
    "no spaces": "夏",
    "words": "word ",
    "what no database takes": "\x00 and \ud800, " + 200 * "b",
}


@pytest.mark.slow
@pytest.mark.parametrize("piece", LONG.values(), ids=LONG)
def test_ten_megabytes_come_back_the_same(database, piece):
    text = piece * (10_000_000 // len(piece.encode("utf-8", "surrogatepass")))
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
        store.append_messages("c", [Message(role="user", parts=(TextPart(text=text),))])
        (read,) = store.messages("c")
    assert read.text == text


@pytest.mark.slow
def test_a_text_of_many_different_words_is_stored_and_found(database):
    text = " ".join(f"word{number}" for number in range(200_000))
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
        store.append_messages("c", [Message(id="m", role="user", parts=(TextPart(text=text),))])
        assert [hit.message.id for hit in store.search("word199999").items] == ["m"]
        assert store.search("word200000").items == ()


def test_a_very_long_id_is_kept_or_refused(database):
    chance = random.Random(1)
    key = "".join(chance.choices("abcdefghijklmnopqrstuvwxyzABCDEF0123456789夏", k=50_000))
    calls = {
        "conversation": lambda store: store.create_conversation(id=key),
        "message": lambda store: store.append_messages("c", [Message(id=key, role="user")]),
        "fork": lambda store: store.fork_conversation("c", "m", id=key),
    }
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
        store.append_messages("c", [Message(id="m", role="user")])
        for name, call in calls.items():
            before = [
                (transcript.conversation_id, transcript.messages)
                for transcript in store.transcripts()
            ]
            try:
                call(store)
            except InvalidError:
                after = [
                    (transcript.conversation_id, transcript.messages)
                    for transcript in store.transcripts()
                ]
                assert after == before
            else:
                ids = {conversation.id for conversation in store.conversations()}
                ids |= {message.id for message in store.messages("c")}
                assert key in ids, name
                store.delete_conversation(key)


DEPTHS = [50, 400, 900, 980, 995, 1500, 3000, 10_000, 200_000]


def depth_of(value: object) -> int:
    depth = 0
    while isinstance(value, list):
        depth += 1
        value = value[0] if value else None
    return depth


@pytest.mark.slow
def test_nested_json_is_kept_or_refused_and_never_unreadable(database):
    with convostore.open(database.dsn()) as store:
        for depth in DEPTHS:
            with naming("depth", depth):
                nested_json_is_kept_or_refused(store, depth)
            store.clear_conversations()


def nested_json_is_kept_or_refused(store: ConversationStore, depth: int) -> None:
    store.create_conversation(id="c")
    try:
        store.append_messages("c", [Message(id="m", role="user", raw=nested(depth))])
    except InvalidError:
        assert depth > 400
        assert list(store.messages("c")) == []
    else:
        (read,) = store.messages("c")
        assert depth_of(read.raw) == depth
        store.set_feedback("c", "m", Feedback(rating="good"))
    try:
        store.put_conversation(Conversation(id="d", raw=nested(depth)))
    except InvalidError:
        assert depth > 400
        assert [conversation.id for conversation in store.conversations()] == ["c"]
    else:
        assert depth_of(store.get_conversation("d").raw) == depth
        store.update_conversation("d", title="new")


def test_what_is_no_json_is_refused_and_nothing_is_stored(database):
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
        for value in (object(), {1, 2}, b"bytes", {(1, 2): 3}, [EARLY]):
            with naming(type(value).__name__):
                what_is_no_json_is_refused(store, value)


def what_is_no_json_is_refused(store: ConversationStore, value: object) -> None:
    fine = Message(id="fine", role="user")
    for bad in (
        Message(role="user", raw=value),
        Message(role="user", parts=(OtherPart(data={"a": value}),)),
        Message(role="user", sources=(Source(raw=value),)),
    ):
        with pytest.raises(InvalidError):
            store.append_messages("c", [fine, bad])
        with pytest.raises(InvalidError):
            store.replace_messages("c", [fine, bad], after=None)
    with pytest.raises(InvalidError):
        store.put_conversation(Conversation(id="d", raw=value))
    assert [
        (transcript.conversation_id, transcript.messages) for transcript in store.transcripts()
    ] == [("c", ())]


def test_numbers_of_json_come_back_the_same(database):
    raw = [0, -1, 2**63, 10**400, 1.5, 1e-300, 0.1, float("inf"), -float("inf"), True, False, None]
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
        store.append_messages("c", [Message(role="user", raw=raw)])
        (read,) = store.messages("c")
    assert read.raw == raw
    assert list(map(type, read.raw)) == list(map(type, raw))


TIMES = [
    EARLY,
    LATE,
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=UTC),
]


def test_any_time_comes_back_to_the_microsecond(database):
    with convostore.open(database.dsn()) as store:
        for time in TIMES:
            with naming(time):
                a_time_comes_back(store, time)
            store.clear_conversations()


def a_time_comes_back(store: ConversationStore, time: datetime) -> None:
    store.put_conversation(Conversation(id="c", created_at=time, updated_at=time))
    got = store.get_conversation("c")
    assert (got.created_at, got.updated_at) == (time, time)
    store.append_messages("c", [Message(id="m", role="user", created_at=time)])
    (read,) = store.messages("c")
    assert read.created_at == time
    made = store.create_conversation(id="d", created_at=time)
    assert made.created_at == store.get_conversation("d").created_at == time
    assert [conversation.id for conversation in store.list_conversations(older_than=LATE).items]


def test_a_time_ahead_of_the_clock_moves_on_all_the_same(database):
    ahead = datetime(2999, 1, 1, tzinfo=UTC)
    with convostore.open(database.dsn()) as store:
        store.put_conversation(Conversation(id="c", updated_at=ahead))
        times = [ahead]
        for number in range(3):
            store.append_messages("c", [Message(id=str(number), role="user")])
            times.append(store.get_conversation("c").updated_at)
        store.delete_message("c", "0")
        times.append(store.get_conversation("c").updated_at)
    assert times == sorted(set(times))


def test_a_time_that_cannot_move_on_does_not_stop_a_write(database):
    with convostore.open(database.dsn()) as store:
        store.put_conversation(Conversation(id="c", updated_at=LATE))
        store.append_messages("c", [Message(id="m", role="user")])
        assert [message.id for message in store.messages("c")] == ["m"]
        assert store.get_conversation("c").updated_at == LATE


@pytest.mark.slow
def test_ten_thousand_messages_are_stored_at_once_or_not_at_all(database):
    many = [
        Message(id=str(number), role="user", parts=(TextPart(text=f"number {number}"),))
        for number in range(10_000)
    ]
    bad = Message(id="5000", role="assistant", parts=(TextPart(text="another"),))
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
        with pytest.raises(ConflictError):
            store.append_messages("c", [*many, bad])
        assert list(store.messages("c")) == []
        assert store.append_messages("c", many) == tuple(many)
        assert store.append_messages("c", many) == tuple(many)
        assert [message.id for message in store.messages("c")] == [item.id for item in many]
        with pytest.raises(StoreError):
            store.replace_messages("c", [many[0], bad, many[1]], after="0")
        assert len(list(store.messages("c"))) == 10_000
        store.replace_messages("c", many[:10], after=None)
        assert list(store.messages("c")) == many[:10]
        assert len(store.search("number", limit=1000).items) == 10
