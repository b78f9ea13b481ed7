"""Files: recognised by what they hold, whole or not there, and never the wrong kind of stream."""

import io
import os
from pathlib import Path

import pytest

from convostore.errors import InvalidError
from convostore.formats import format_of, reader, recognise, writer
from convostore.formats._files import entries_of, sink_to

from ..support.formats import EVERYTHING, sample, written

JSONL = written("jsonl", EVERYTHING).encode()


def ids(entries):
    return [entry.conversation_id for entry in entries]


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.jsonl", "jsonl"),
        ("a.MD", "markdown"),
        ("a.b.markdown", "markdown"),
        ("a.html", "html"),
        ("a.htm", "html"),
    ],
)
def test_a_name_tells_the_format_to_write(name, format, tmp_path):
    assert format_of(tmp_path / name) == format


@pytest.mark.parametrize("name", ["a", "a.txt", ".jsonl", "a.jsonl.gz"])
def test_a_name_that_tells_no_format_is_refused(name, tmp_path):
    with pytest.raises(InvalidError, match=r"must end in one of \.jsonl, .* format="):
        format_of(tmp_path / name)


@pytest.mark.parametrize(
    ("head", "format"),
    [
        (JSONL, "jsonl"),
        (b'\xef\xbb\xbf\n { "format" : "convostore"', None),
        (b'\xef\xbb\xbf\n{ "format" : "convostore", "version": 1}\n', "jsonl"),
        (sample("chatgpt-2023.json"), "chatgpt"),
        (b'{"title": "T", "mapping": {', "chatgpt"),
        (b"PK\x03\x04 and so on", "chatgpt"),
        (sample("openai.jsonl"), "openai"),
        (b'{"tools": [], "messages": [', "openai"),
    ],
)
def test_a_file_tells_its_format_by_its_first_bytes(head, format):
    assert recognise(head) == (format or "jsonl")


@pytest.mark.parametrize("head", [b"# Markdown", b"<!DOCTYPE html>", b'{"a": 1}', b"\x89PNG", b"3"])
def test_other_files_are_refused(head):
    with pytest.raises(InvalidError, match="was not recognised: pass format="):
        recognise(head)


@pytest.mark.parametrize("head", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(head):
    with pytest.raises(InvalidError, match="the file is empty"):
        recognise(head)


@pytest.mark.parametrize("of", [reader, writer])
def test_an_unknown_format_is_refused_with_those_there_are(of):
    with pytest.raises(InvalidError, match=r"format must be one of jsonl, .*openai, got 'pdf'"):
        of("pdf")


def test_a_path_a_stream_and_a_pipe_are_read_alike(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(JSONL)
    assert ids(entries_of(path)) == ids(entries_of(str(path))) == ["c"]
    stream = io.BytesIO(b"not ours" + JSONL)
    stream.seek(8)
    assert ids(entries_of(stream)) == ["c"]
    assert not stream.closed
    out_of, into = os.pipe()
    os.write(into, JSONL)
    os.close(into)
    with os.fdopen(out_of, "rb") as pipe:
        assert ids(entries_of(pipe)) == ["c"]


def test_a_long_pipe_is_read_to_its_end():
    class Pipe(io.RawIOBase):
        left = sample("openai.jsonl") * 100

        def readable(self):
            return True

        def seekable(self):
            return False

        def read(self, size=-1):
            chunk, self.left = self.left[: min(size, 1000)], self.left[min(size, 1000) :]
            return chunk

    assert len(ids(entries_of(Pipe()))) == 300


def test_a_stream_that_gives_little_at_a_time_is_read_to_its_end():
    class Trickle(io.RawIOBase):
        left = JSONL

        def readable(self):
            return True

        def readinto(self, buffer):
            piece, self.left = self.left[:1], self.left[1:]
            buffer[: len(piece)] = piece
            return len(piece)

    assert ids(entries_of(Trickle())) == ["c"]


def test_a_zip_from_a_pipe_is_refused():
    out_of, into = os.pipe()
    os.write(into, b"PK\x03\x04...")
    os.close(into)
    with os.fdopen(out_of, "rb") as pipe, pytest.raises(InvalidError, match="a zip cannot be read"):
        ids(entries_of(pipe))


def test_a_file_is_closed_when_its_reading_is_given_up(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(JSONL * 2)
    entries = entries_of(path)
    next(entries)
    entries.close()  # else an unclosed file would be a warning, and with it an error
    assert list(entries) == []


def test_what_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(InvalidError, match=r"cannot read '.*nowhere': No such file"):
        ids(entries_of(tmp_path / "nowhere"))
    with pytest.raises(InvalidError, match=r"cannot write '.*x\.md': No such file"):
        sink_to(tmp_path / "nowhere" / "x.md").open()


def test_a_folder_is_read_as_a_chatgpt_export_and_as_nothing_else(tmp_path):
    (tmp_path / "conversations.json").write_bytes(sample("chatgpt-2025.json"))
    assert len(ids(entries_of(tmp_path))) == 1
    with pytest.raises(InvalidError, match="is a folder: only a ChatGPT export"):
        ids(entries_of(tmp_path, "jsonl"))


@pytest.mark.parametrize("source", [io.StringIO("x"), 3, io.TextIOWrapper(io.BytesIO())])
def test_a_text_stream_is_no_source(source):
    with pytest.raises(InvalidError, match=r"a binary stream such as sys\.stdin\.buffer"):
        entries_of(source)


@pytest.mark.parametrize("destination", [io.BytesIO(), 3, io.BufferedWriter(io.BytesIO())])
def test_a_binary_stream_is_no_destination(destination):
    with pytest.raises(InvalidError, match="destination must be a path or a text stream"):
        sink_to(destination)


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "x.md"
    path.write_text("before", encoding="utf-8")
    sink = sink_to(path)
    sink.open()
    sink.write("夏\r\n")
    assert path.read_text(encoding="utf-8") == "before"
    sink.commit()
    sink.discard()
    assert path.read_bytes() == "夏\r\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["x.md"]


def test_a_file_that_is_given_up_leaves_nothing(tmp_path):
    sink = sink_to(tmp_path / "x.md")
    sink.open()
    sink.begin()
    sink.write("x")
    sink.discard()
    sink.discard()
    assert list(tmp_path.iterdir()) == []


def test_the_file_behind_a_link_is_replaced_and_the_link_stays(tmp_path):
    (tmp_path / "link.md").symlink_to(tmp_path / "real.md")
    sink = sink_to(tmp_path / "link.md")
    sink.open()
    sink.write("x")
    sink.commit()
    assert (tmp_path / "link.md").is_symlink()
    assert (tmp_path / "real.md").read_text() == "x"


@pytest.mark.skipif(os.name != "posix", reason="files have no such modes")
def test_who_may_read_a_file_stays_the_same_when_it_is_replaced(tmp_path):
    path = tmp_path / "x.md"
    path.touch(mode=0o600)
    sink = sink_to(path)
    sink.open()
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600, 0o600]
    sink.write("x")
    sink.commit()
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("x", 0o600)


@pytest.mark.skipif(os.name != "posix", reason="links are rare elsewhere")
def test_links_that_lead_to_each_other_are_refused(tmp_path):
    (tmp_path / "a.md").symlink_to(tmp_path / "b.md")
    (tmp_path / "b.md").symlink_to(tmp_path / "a.md")
    with pytest.raises(InvalidError, match=r"cannot write '.*a\.md': "):
        sink_to(tmp_path / "a.md").open()


def test_a_file_that_cannot_be_made_is_told_and_given_up(tmp_path):
    (tmp_path / "file").touch()
    sink = sink_to(tmp_path / "file" / "x.md")
    with pytest.raises(InvalidError, match=r"cannot write '.*x\.md': "):
        sink.open()
    sink.discard()


@pytest.mark.parametrize("use", [sink_to, entries_of])
def test_a_path_that_cannot_be_is_refused(use):
    with pytest.raises(InvalidError, match="path must not contain NUL"):
        use("a\0.md")


def test_a_name_of_any_length_can_be_written(tmp_path):
    path = tmp_path / ("x" * 240 + ".md")
    sink = sink_to(path)
    sink.open()
    sink.commit()
    assert path.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_what_is_no_plain_file_is_written_to_as_it_stands(tmp_path):
    sink = sink_to(os.devnull)
    sink.open()
    sink.write("x")
    sink.commit()
    assert not Path(os.devnull).is_file()


def test_what_is_dropped_was_never_written():
    stream = io.StringIO()
    sink = sink_to(stream)
    sink.open()
    sink.write("a")
    sink.begin()
    sink.write("b" * 3_000_000)
    sink.drop()
    sink.begin()
    sink.write("c")
    sink.keep()
    sink.write("d")
    sink.commit()
    assert stream.getvalue() == "acd"


def test_a_stream_that_cannot_hold_a_sign_is_told():
    sink = sink_to(io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    with pytest.raises(InvalidError, match=r"encoding, ascii, .* open it with encoding='utf-8'"):
        sink.write("夏")
