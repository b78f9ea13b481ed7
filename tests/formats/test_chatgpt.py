"""The ChatGPT export: trees become conversations and forks, and nothing of a message is lost."""

import copy
import io
import json
import struct
import zipfile
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convostore.errors import InvalidError, ProtocolError
from convostore.formats import _json_array as json_array
from convostore.formats import reader
from convostore.formats.chatgpt import _archive as archives
from convostore.formats.chatgpt import read_folder
from convostore.models import (
    FilePart,
    Origin,
    OtherPart,
    ReasoningPart,
    Source,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from convostore.testing import strategies

from ..support.formats import read, sample

OLD = sample("chatgpt-2023.json")
NEW = sample("chatgpt-2025.json")
TIDES = "cccc0001-0000-4000-8000-000000000000"


def node(key, parent, text="", role="user", **fields):
    """A node of a tree with a message of one text."""
    content = {"content_type": "text", "parts": [text]}
    message = {"id": key, "author": {"role": role}, "content": content} | fields
    return {"id": key, "parent": parent, "children": [], "message": message}


def tree(*nodes, current=None, **fields):
    """An export of one conversation."""
    mapping = {node["id"]: node for node in nodes}
    row = {"id": "c", "title": "T", "mapping": mapping, "current_node": current} | fields
    return json.dumps([row])


def told(*nodes, **fields):
    """The texts of each conversation, by its id."""
    found = read("chatgpt", tree(*nodes, **fields))
    return {each.id: [message.text for message in messages] for each, messages in found}


def message_of(content, role="assistant", **fields):
    """What a message of some content is read as; None when nothing is."""
    ((_, messages),) = read("chatgpt", tree(node("a", None, role=role, content=content, **fields)))
    return messages[0] if messages else None


def zipped(**files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def test_the_branch_last_looked_at_is_the_conversation():
    (tides, messages), *_ = read("chatgpt", OLD)
    assert tides.id == TIDES
    assert tides.title == "Tides at Hilo"
    assert tides.created_at == datetime(2023, 7, 13, 8, 0, 0, 512345, tzinfo=UTC)
    assert tides.updated_at == datetime(2023, 7, 13, 8, 2, 0, 250000, tzinfo=UTC)
    assert tides.origin == Origin(store="chatgpt", conversation_id=TIDES)
    assert "mapping" not in tides.raw
    assert tides.raw["plugin_ids"] is None
    assert [message.role for message in messages] == [
        "user",
        "assistant",
        "tool",
        "tool",
        "assistant",
    ]
    assert messages[0].text == "When is high tide at Hilo?"
    assert messages[1].parts == (
        ToolCallPart(name="browser", arguments='search("high tide Hilo")'),
    )
    assert messages[2].parts == (
        ToolResultPart(content="# 【0†Hilo tides†tides.example】\nHigh at noon"),
    )
    assert messages[3].sources == (
        Source(
            title="Hilo tides",
            url="https://tides.example/hilo",
            content="High water 12:04",
            kind="quote",
        ),
    )
    assert messages[4].model == "gpt-4-browsing"
    assert messages[4].status == "complete"
    assert messages[4].created_at == datetime(2023, 7, 13, 8, 0, 30, tzinfo=UTC)
    assert messages[4].raw["content"]["parts"] == [
        "At 12:04 today【0†source】, as `tides[1]` says."
    ]


def test_marks_are_rewritten_so_that_they_lead_to_their_sources():
    messages = read("chatgpt", OLD)[0][1]
    assert messages[4].text == "At 12:04 today[1], as `tides[1]` says."
    assert next(messages[4].citations()).source == messages[4].sources[0]
    (answer,) = [each for each in read("chatgpt", NEW)[0][1] if each.sources]
    assert answer.text == "A catamaran [1, 2], so fast [3]."
    assert [(each.mark, each.title, each.url) for each in answer.sources] == [
        ("1", "Two hulls", "https://boats.example/two"),
        ("2", "Hulls", "https://hulls.example"),
        ("3", "log book.pdf", None),
        (None, "Speeds", "https://speeds.example"),
    ]
    assert [citation.source.mark for citation in answer.citations()] == ["1", "2", "3"]


def test_another_branch_is_a_fork_with_all_messages_from_the_root():
    _, (fork, messages), _ = read("chatgpt", OLD)
    assert fork.id == f"{TIDES}/aaa0c1d2-0002-4000-8000-000000000000"
    assert fork.origin == Origin(store="chatgpt", conversation_id=TIDES)
    assert fork.title == "Tides at Hilo"
    assert [message.text for message in messages] == [
        "When is high tide at Hilo?",
        "I do not know.",
    ]
    assert messages[1].parent_id == messages[0].id


def test_a_branch_that_holds_nothing_of_its_own_is_no_fork():
    stopped = node("c", "a", role="assistant", status="in_progress")
    assert told(node("a", None, "q"), node("b", "a", "r"), stopped, current="b") == {
        "c": ["q", "r"]
    }


def test_ends_that_hold_nothing_do_not_double_the_fork_before_them():
    stopped = [node(key, "b", role="assistant", status="in_progress") for key in ("d", "e")]
    found = told(
        node("a", None, "1"), node("b", "a", "2"), node("c", "a", "3"), *stopped, current="c"
    )
    assert found == {"c": ["1", "3"], "c/d": ["1", "2"]}


def test_forks_of_forks_are_told_each_by_its_end():
    found = told(
        node("a", None, "1"),
        node("b", "a", "2"),
        node("c", "b", "3"),
        node("d", "b", "4"),
        node("e", "a", "5"),
        current="c",
    )
    assert found == {"c": ["1", "2", "3"], "c/d": ["1", "2", "4"], "c/e": ["1", "5"]}


@pytest.mark.parametrize("current", [None, "gone", 3])
def test_without_a_current_node_the_latest_end_counts(current):
    found = told(
        node("a", None, "1", create_time=1),
        node("b", "a", "late", create_time=3),
        node("d", "a", "early", create_time=2),
        current=current,
    )
    assert found == {"c": ["1", "late"], "c/d": ["1", "early"]}


def test_a_current_node_in_the_middle_makes_its_end_a_fork():
    found = told(node("a", None, "1"), node("b", "a", "2"), current="a")
    assert found == {"c": ["1"], "c/b": ["1", "2"]}


def test_a_tree_that_goes_in_a_circle_ends():
    found = told(node("a", "b", "1"), node("b", "a", "2"), current="b")
    assert found == {"c": ["1", "2"]}


@pytest.mark.parametrize("current", [None, "gone"])
def test_a_circle_is_read_without_a_current_node(current):
    assert told(node("a", "b", "1"), node("b", "a", "2"), current=current) == {"c": ["1", "2"]}


def test_a_circle_beside_the_current_branch_is_a_fork():
    found = told(node("a", "b", "1"), node("b", "a", "2"), node("d", None, "3"), current="d")
    assert found == {"c": ["3"], "c/b": ["1", "2"]}


def test_a_deep_tree_is_no_matter():
    nodes = [node(str(place), str(place - 1), f"{place}") for place in range(5000)]
    assert told(*nodes, current="4999") == {"c": [str(place) for place in range(5000)]}


def test_newer_kinds_of_content_are_read():
    (boat, messages), *forks = read("chatgpt", NEW)
    assert forks == []
    assert boat.pinned
    context, question, thoughts, recap, _, widget = messages
    assert context.role == "system"
    assert context.parts == (TextPart(text="I sail."), TextPart(text="Be brief."))
    assert question.parts == (
        FilePart(name="boat.png", url="file-service://file-Abc123", media_type="image/png"),
        TextPart(text="Which boat is this?"),
        FilePart(url="sediment://file_00000000", media_type="audio/wav"),
        TextPart(text="And how fast?"),
        FilePart(name="log book.pdf", media_type="application/pdf"),
    )
    assert thoughts.parts == (
        ReasoningPart(text="Looking at the hull\n\nIt has two of them."),
        ReasoningPart(text="Searched"),
    )
    assert recap.parts == (ReasoningPart(text="Thought for 4s"),)
    assert widget.parts == (
        OtherPart(
            type="super_widget",
            data={"content_type": "super_widget", "widget": {"deep": [1, None]}},
        ),
    )


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (
            {"content_type": "text", "parts": ["a", "", "b"]},
            [TextPart(text="a"), TextPart(text="b")],
        ),
        ({"parts": ["no type"]}, [TextPart(text="no type")]),
        ({"content_type": "code", "text": "x = 1"}, [TextPart(text="x = 1")]),
        ({"content_type": "thoughts", "thoughts": "hm"}, [ReasoningPart(text="hm")]),
        (
            {"content_type": "thoughts", "thoughts": [{"summary": ["?"]}, 3]},
            [OtherPart(data=3)],
        ),
        (
            {"content_type": "model_editable_context", "model_set_context": "m"},
            [TextPart(text="m")],
        ),
        (
            {"content_type": "multimodal_text", "parts": [{"content_type": "smell", "of": 1}]},
            [OtherPart(type="smell", data={"content_type": "smell", "of": 1})],
        ),
        (
            {
                "content_type": "multimodal_text",
                "parts": [
                    {
                        "content_type": "real_time_user_audio_video_asset_pointer",
                        "audio_asset_pointer": None,
                        "video_container_asset_pointer": "sediment://v",
                    }
                ],
            },
            [FilePart(url="sediment://v", media_type="video/*")],
        ),
    ],
)
def test_contents_are_read_by_their_type(content, parts):
    assert message_of(content).parts == tuple(parts)


def test_what_a_tool_said_is_a_result_and_its_pictures_are_files():
    picture = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-1"}
    content = {"content_type": "multimodal_text", "parts": ["drawn", picture]}
    assert message_of(content, role="tool").parts == (
        ToolResultPart(content="drawn"),
        FilePart(url="file-service://file-1", media_type="image/*"),
    )
    error = {"content_type": "system_error", "name": "E", "text": "it broke"}
    assert message_of(error, role="tool").parts == (ToolResultPart(content="it broke"),)


def test_what_an_assistant_said_to_a_tool_is_a_call():
    content = {"content_type": "text", "parts": ['{"prompt": "a boat"}']}
    assert message_of(content, recipient="dalle.text2im").parts == (
        ToolCallPart(name="dalle.text2im", arguments='{"prompt": "a boat"}'),
    )
    assert message_of(content, recipient="all").parts == (TextPart(text='{"prompt": "a boat"}'),)


def test_an_answer_that_was_not_finished_failed():
    assert message_of({"parts": ["half an"]}, status="in_progress").status == "failed"


@pytest.mark.parametrize("content", [None, {}, {"content_type": "text", "parts": [""]}])
def test_a_message_of_nothing_is_left_out(content):
    assert message_of(content) is None


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"create_time": "soon"}, "create_time"),
        ({"create_time": 1e300}, "create_time"),
        ({"create_time": True}, "create_time"),
        ({"content": 3}, "content"),
        ({"metadata": []}, "metadata"),
        ({"author": "me"}, "author"),
        ({"status": 3}, "status"),
        ({"create_time": 10**400}, "create_time"),
    ],
)
def test_what_cannot_be_read_is_noted_and_the_rest_stands(fields, where):
    ((_, (message,)),) = read("chatgpt", tree(node("a", None, "text", **fields)))
    assert [problem.where for problem in message.problems] == [where]
    assert message.raw["id"] == "a"


@pytest.mark.parametrize("kind", [{}, [], 3])
def test_a_reference_of_an_odd_type_is_no_source(kind):
    references = [{"type": kind, "matched_text": "【1】", "url": "https://a.example"}]
    message = message_of(
        {"content_type": "text", "parts": ["x"]}, metadata={"content_references": references}
    )
    assert (message.text, message.sources) == ("x", ())


@given(strategies.corrupted(json.loads(NEW), places=3))
def test_a_spoilt_export_is_read_as_far_as_it_can_be(document):
    try:
        text = json.dumps(document)
        found = list(reader("chatgpt")(io.BytesIO(text.encode()), None))
    except InvalidError:
        assert not isinstance(document, list) or not all(isinstance(row, dict) for row in document)
        return
    for entry in found:
        assert (entry.conversation is None) == isinstance(entry.error, ProtocolError)
        for message in entry.messages:
            assert message.fingerprint()


@given(st.binary(max_size=300) | st.integers(0, len(OLD)).map(lambda end: OLD[:end]))
def test_broken_files_are_refused_or_read(data):
    try:
        for entry in reader("chatgpt")(io.BytesIO(data), None):
            list(entry.messages)
    except InvalidError:
        return


@given(st.integers(1, 400), st.integers(0, 3))
def test_where_the_pieces_of_a_file_end_does_not_matter(size, shift):
    class Slow(io.BytesIO):
        def read(self, wanted=-1):
            return super().read(min(size, wanted) if wanted >= 0 else size)

    data = b" " * shift + NEW
    assert list(json_array.json_objects(Slow(data))) == list(
        json_array.json_objects(io.BytesIO(data))
    )
    (text,) = json_array.json_objects(Slow(data))
    assert json.loads(text) == json.loads(NEW)[0]


def test_big_numbers_and_lone_surrogates_come_out_as_they_are():
    text = '[{"id": "c", "mapping": {}, "n": 123456789012345678901234567890, "s": "\\ud800"}]'
    ((conversation, _),) = read("chatgpt", text)
    assert conversation.raw["n"] == 123456789012345678901234567890
    assert conversation.raw["s"] == "\ud800"


@pytest.mark.parametrize(
    "row", ['{"id": "c"}', '{"mapping": 3}', '{"mapping": ' + "[" * 500 + "]" * 500 + "}"]
)
def test_one_conversation_that_cannot_be_read_does_not_spoil_the_others(row):
    entries = list(reader("chatgpt")(io.BytesIO(f"[{row}, {tree()[1:-1]}]".encode()), None))
    assert [type(entry.error) for entry in entries] == [ProtocolError, type(None)]
    assert entries[1].conversation_id == "c"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "truncated or empty"),
        (b"[", "truncated or empty"),
        (OLD[:3000], "it ends within an object after 0 conversations"),
        (OLD[:-300], "it ends within an object after 1 conversations"),
        (b"hello", "must be a JSON array or object, got b'h'"),
        (b"[3]", "expected a JSON object after 0 conversations, got b'3'"),
    ],
)
def test_a_file_that_is_no_export_is_refused(data, told):
    with pytest.raises(InvalidError, match=told):
        read("chatgpt", data)


def test_a_single_conversation_is_read_as_well():
    assert read("chatgpt", tree(node("a", None, "x"))[1:-1]) == read(
        "chatgpt", tree(node("a", None, "x"))
    )


def test_an_object_beyond_all_bounds_is_refused(monkeypatch):
    monkeypatch.setattr(json_array, "MAX_OBJECT", 300_000)
    with pytest.raises(InvalidError, match=r"the object .* is larger than 300000 bytes"):
        read("chatgpt", tree(node("a", None, "x" * 2_000_000)))


def test_conversations_are_read_one_at_a_time():
    rows = json.loads(NEW)

    class Endless(io.RawIOBase):
        """A file whose end is never reached."""

        given = 0

        def readable(self):
            return True

        def seekable(self):
            return False

        def read(self, size=-1):
            text = "[" if self.given == 0 else ""
            self.given += 1
            return (text + json.dumps(rows[0]) + ",").encode()

    endless = Endless()
    entries = reader("chatgpt")(endless, None)
    for _ in range(100):
        assert next(entries).conversation_id == "dddd0001-0000-4000-8000-000000000000"
    assert endless.given < 110


def test_an_old_zip_holds_one_file():
    packed = zipped(**{"chat.html": b"<html>", "conversations.json": OLD, "user.json": b"{}"})
    assert read("chatgpt", packed) == read("chatgpt", OLD)


def test_a_newer_zip_holds_several_files():
    packed = zipped(
        **{
            "conversations-001.json": NEW,
            "conversations-000.json": OLD,
            "__MACOSX/conversations-002.json": b"junk",
            "shared_conversations.json": b"junk",
            "conversations.json.index": b"junk",
        }
    )
    assert read("chatgpt", packed) == read("chatgpt", OLD) + read("chatgpt", NEW)
    assert read("chatgpt", zipped(**{"export/conversations.json": OLD})) == read("chatgpt", OLD)


def test_an_unpacked_export_is_read_from_its_folder(tmp_path):
    (tmp_path / "conversations-000.json").write_bytes(OLD)
    (tmp_path / "conversations-001.json").write_bytes(NEW)
    (tmp_path / "conversations.json.index").write_text("junk")
    found = [(entry.conversation, list(entry.messages)) for entry in read_folder(tmp_path)]
    assert found == read("chatgpt", OLD) + read("chatgpt", NEW)


def test_a_broken_one_of_several_files_is_named(tmp_path):
    files = {"conversations-000.json": tree(node("a", None, "1")), "conversations-001.json": "[{"}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    for entries in (read_folder(tmp_path), reader("chatgpt")(io.BytesIO(zipped(**files)), None)):
        assert next(entries).conversation_id == "c"
        with pytest.raises(
            InvalidError, match=r"^'conversations-001\.json': the file is truncated"
        ):
            next(entries)


def test_a_folder_without_an_export_is_refused(tmp_path):
    with pytest.raises(InvalidError, match=r"has no conversations\.json"):
        next(read_folder(tmp_path))


def test_a_zip_without_conversations_is_refused():
    with pytest.raises(InvalidError, match=r"has no conversations\.json"):
        read("chatgpt", zipped(**{"user.json": b"{}"}))


def test_a_broken_zip_is_refused():
    packed = zipped(**{"conversations.json": OLD})
    with pytest.raises(InvalidError, match="the zip is broken"):
        read("chatgpt", packed[:-30])
    spoilt = bytearray(packed)
    spoilt[60:90] = b"\x00" * 30
    with pytest.raises(InvalidError, match="the zip is broken"):
        read("chatgpt", bytes(spoilt))


def test_an_encrypted_zip_is_refused():
    packed = bytearray(zipped(**{"conversations.json": OLD}))
    directory = packed.index(b"PK\x01\x02")
    struct.pack_into("<H", packed, directory + 8, 1)
    with pytest.raises(InvalidError, match="the zip is encrypted: unpack it"):
        read("chatgpt", bytes(packed))


def test_a_zip_packed_by_an_unknown_method_is_refused():
    packed = bytearray(zipped(**{"conversations.json": OLD}))
    struct.pack_into("<H", packed, packed.index(b"PK\x01\x02") + 10, 99)
    struct.pack_into("<H", packed, 8, 99)
    with pytest.raises(InvalidError, match="cannot read the zip"):
        read("chatgpt", bytes(packed))


def test_a_zip_that_unpacks_to_an_absurd_size_is_refused(monkeypatch):
    monkeypatch.setattr(archives, "_HARMLESS", 10_000)
    bomb = zipped(**{"conversations.json": b"[" + b" " * 5_000_000 + b"]"})
    with pytest.raises(InvalidError, match="would unpack from"):
        read("chatgpt", bomb)


def test_the_origin_names_the_store_that_is_told():
    conversation, _ = read("chatgpt", NEW, store="chatgpt of Ann")[0]
    assert conversation.origin == Origin(store="chatgpt of Ann", conversation_id=conversation.id)


def test_the_sample_is_left_as_it_was():
    rows = json.loads(OLD)
    before = copy.deepcopy(rows)
    read("chatgpt", json.dumps(rows))
    assert rows == before
