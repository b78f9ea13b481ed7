"""Rows as the dialect writes them: what the shape holds is read back, and nothing is invented."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.cases import for_each

from convostore.models import (
    Conversation,
    FilePart,
    InteractionPart,
    Message,
    OtherPart,
    ReasoningPart,
    Source,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from convostore.parsing import decode_json
from convostore.serialization import dump
from convostore.testing.samples import BEYOND_UTF8, HOSTILE_TEXTS, full_message
from convostore.testing.strategies import json_values, texts
from convostore_perplexica.schema import chats
from convostore_perplexica.server.render import chat_row, encode_json, message_row

START = datetime(2024, 12, 7, 9, 35, 59, 119371, tzinfo=UTC)


def joined(text):
    """As UTF-16 holds it, in which two halves of a character that meet are one."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def any_texts():
    return st.sampled_from((*HOSTILE_TEXTS, *BEYOND_UTF8, "9" * 5000)) | texts().map(joined)


def times(resolution):
    """Generate times in UTC, as precise as a field of the format."""
    moments = st.datetimes(timezones=st.just(UTC))
    return st.none() | moments.map(
        lambda time: time - (time - datetime.min.replace(tzinfo=UTC)) % resolution
    )


@st.composite
def conversations(draw):
    """Generate conversations that the format can hold in full."""
    ids = st.none() | texts().map(joined).map("file_id://{}".format)
    files = st.builds(FilePart, name=any_texts(), url=ids)
    return Conversation(
        id=draw(any_texts().filter(bool)),
        title=draw(any_texts()),
        created_at=draw(times(timedelta(seconds=1))),
        files=tuple(draw(st.lists(files, max_size=3))),
        raw=draw(json_values()),
    )


@st.composite
def messages(draw, message_id):
    """Generate messages that the format can hold in full, with defaults elsewhere."""
    maybe = st.none() | any_texts()
    sources = draw(st.lists(st.tuples(maybe, maybe, maybe, json_values()), max_size=3))
    return Message(
        id=message_id,
        role=draw(st.sampled_from(("system", "user", "assistant", "tool", "other"))),
        parts=(TextPart(text=draw(any_texts())),),
        created_at=draw(times(timedelta(milliseconds=1))),
        sources=tuple(
            Source(title=title, url=url, content=content, mark=str(place), raw=raw)
            for place, (title, url, content, raw) in enumerate(sources, start=1)
        ),
    )


@st.composite
def dialogues(draw):
    ids = draw(st.lists(any_texts().filter(bool), unique=True, max_size=4))
    return [draw(messages(id_)) for id_ in ids]


def sent(body):
    """Return what arrives of a body, which any client reads as strict JSON."""
    content = encode_json(body).encode("utf-8")
    json.loads(content, parse_constant=pytest.fail)
    return decode_json(content)


def chat_back(conversation):
    (read,) = chats.read_conversations(sent({"chats": [chat_row(conversation)]}))
    return read


def messages_back(given_messages, conversation_id="c"):
    numbered = enumerate(given_messages, start=1)
    rows = [message_row(item, number, conversation_id) for number, item in numbered]
    return chats.read_messages(sent({"messages": rows}))


def row_of(**fields):
    return message_row(Message(**{"id": "m", "role": "assistant"} | fields), 7, "c")


def without_status(message):
    plain = dump(message, raw=False)
    plain.pop("status", None)
    return plain


# Both ways


@given(conversations())
def test_a_conversation_is_read_back_the_same(conversation):
    assert dump(chat_back(conversation), raw=False) == dump(conversation, raw=False)


@given(dialogues())
def test_messages_are_read_back_the_same_but_for_their_status(said):
    assert list(map(without_status, messages_back(said))) == list(map(without_status, said))


PARTS = st.one_of(
    st.builds(TextPart, text=any_texts()),
    st.builds(ReasoningPart, text=any_texts()),
    st.builds(ToolCallPart, name=any_texts(), arguments=any_texts()),
    st.builds(ToolResultPart, content=any_texts()),
    st.builds(FilePart, name=any_texts(), url=any_texts()),
    st.builds(InteractionPart, type=any_texts(), prompt=any_texts()),
    st.builds(OtherPart, type=any_texts(), data=json_values()),
)


@given(st.lists(PARTS, max_size=4))
@example(list(full_message().parts))
def test_whatever_a_message_holds_its_text_is_read_back_and_no_other(parts):
    (read,) = messages_back([Message(role="assistant", parts=tuple(parts))])
    assert read.text == joined("\n".join([item.text for item in parts if item.kind == "text"]))
    assert read.problems == ()
    assert [part.kind for part in read.parts] == ["text"]


def test_the_statuses_that_are_read_back_follow_from_who_spoke():
    roles = ("user", "user", "assistant", "system")
    said = [Message(role=role, status="failed") for role in roles]
    statuses = [item.status for item in messages_back(said)]
    assert statuses == ["unanswered", "complete", "complete", None]


# Row by row


def test_keys_stand_in_the_services_order():
    assert list(chat_row(Conversation(id="c"))) == [
        "id",
        "title",
        "createdAt",
        "focusMode",
        "files",
    ]
    row = row_of(parts=(TextPart(text="t"),), created_at=START, sources=(Source(title="T"),))
    assert list(row) == ["id", "content", "chatId", "messageId", "role", "metadata"]
    assert isinstance(row["metadata"], str)
    assert list(json.loads(row["metadata"])) == ["createdAt", "sources"]


@for_each(
    "time, shown",
    [
        (START, "Sat Dec 07 2024 09:35:59 GMT+0000 (Coordinated Universal Time)"),
        (
            START.astimezone(timezone(timedelta(hours=-10))),
            "Sat Dec 07 2024 09:35:59 GMT+0000 (Coordinated Universal Time)",
        ),
        (
            datetime(1, 1, 1, tzinfo=UTC),
            "Mon Jan 01 0001 00:00:00 GMT+0000 (Coordinated Universal Time)",
        ),
    ],
)
def test_the_time_of_a_chat_is_that_of_a_server_in_utc(time, shown):
    assert chat_row(Conversation(id="c", created_at=time))["createdAt"] == shown


def test_the_last_change_stands_in_for_an_unknown_time_of_making():
    changed = Conversation(id="c", updated_at=START)
    assert chat_row(changed)["createdAt"].startswith("Sat Dec 07 2024 09:35:59")
    made = Conversation(id="c", created_at=START - timedelta(days=1), updated_at=START)
    assert chat_row(made)["createdAt"].startswith("Fri Dec 06 2024 09:35:59")


def test_what_is_not_known_of_a_chat_is_empty_text():
    row = chat_row(Conversation(id="c"))
    assert (row["title"], row["createdAt"]) == ("", "")
    assert chat_back(Conversation(id="c")).problems == ()


@for_each(
    "raw, mode",
    [
        ({"focusMode": "academicSearch"}, "academicSearch"),
        ({"focusMode": ""}, "webSearch"),
        ({"focusMode": ["x"]}, "webSearch"),
        ({}, "webSearch"),
        (["focusMode"], "webSearch"),
        (None, "webSearch"),
    ],
)
def test_the_focus_is_what_the_service_said_where_it_did(raw, mode):
    assert chat_row(Conversation(id="c", raw=raw))["focusMode"] == mode


@for_each(
    "file, row",
    [
        (FilePart(name="n", url="file_id://0f1e"), {"name": "n", "fileId": "0f1e"}),
        (FilePart(url="file_id://0f1e"), {"name": "", "fileId": "0f1e"}),
        (FilePart(name="n", url="https://example.org/f"), {"name": "n"}),
        (FilePart(url="https://example.org/f"), {"name": "https://example.org/f"}),
        (FilePart(name="n"), {"name": "n"}),
        (FilePart(), {"name": ""}),
    ],
)
def test_only_a_file_of_the_service_has_an_id(file, row):
    assert chat_row(Conversation(id="c", files=(file,)))["files"] == [row]


def metadata_of(**fields):
    return json.loads(row_of(**fields)["metadata"])


def test_metadata_has_only_what_there_is():
    assert metadata_of() == {}
    assert metadata_of(created_at=START) == {"createdAt": "2024-12-07T09:35:59.119Z"}


def test_a_source_has_only_what_it_has():
    sources = (
        Source(title="T", url="u", content="c", raw={"metadata": {"img_src": "i"}}),
        Source(url="File"),
        Source(),
    )
    assert metadata_of(sources=sources)["sources"] == [
        {"pageContent": "c", "metadata": {"title": "T", "url": "u", "img_src": "i"}},
        {"metadata": {"url": "File"}},
        {"metadata": {}},
    ]


def test_sources_that_were_only_researched_are_no_citations():
    sources = (
        Source(title="q", kind="quote", mark="0123456789abcdef01234567"),
        Source(title="r", kind="researched"),
        Source(title="c", kind="cited", mark="1"),
    )
    rows = metadata_of(sources=sources)["sources"]
    assert [row["metadata"]["title"] for row in rows] == ["c", "q"]
    assert "sources" not in metadata_of(sources=sources[1:2])


def test_lone_surrogates_are_escaped_and_all_else_stands_for_itself():
    text = "ʻ夏\u2028\U0001f3c4\ud800\x00\x7f\n"
    assert encode_json({"t": text}) == '{"t":"ʻ夏\u2028\U0001f3c4\\ud800\\u0000\x7f\\n"}'
    row = row_of(sources=(Source(title="\ud800"),))
    assert row["metadata"] == '{"sources":[{"metadata":{"title":"\\ud800"}}]}'
