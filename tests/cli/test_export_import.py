"""`export` and `import`: which file, in which format, and what is said when that cannot be."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import convostore
from convostore.cli.commands.export_import import _InputFormat, _OutputFormat
from convostore.cli.errors import ExitCode
from convostore.formats import READ, WRITTEN

from ..support.cli import PATIENCE, SEEDED, TAIL, child, on_a_terminal, on_posix, run

FORMATS = Path(__file__).parents[1] / "formats"
SPECIAL = """
from convostore.adapters import Adapter
from convostore.errors import ProtocolError, UnavailableError
from convostore.adapters.memory import MemoryAdapter
from convostore.plugins import hookimpl

class Broken(MemoryAdapter):
    name = "broken"

    def list_messages(self, conversation_id, listing):
        if conversation_id == "moon":
            raise ProtocolError("a row is broken")
        return super().list_messages(conversation_id, listing)

class Weary(MemoryAdapter):
    name = "weary"

    def list_messages(self, conversation_id, listing):
        if conversation_id == "tides":
            raise UnavailableError("gone for lunch")
        return super().list_messages(conversation_id, listing)

class Reading(MemoryAdapter):
    name = "reading"
    create_conversation = Adapter.create_conversation

class Bare(MemoryAdapter):
    name = "bare"
    put_conversation = Adapter.put_conversation
    update_conversation = Adapter.update_conversation

@hookimpl
def convostore_adapters():
    return {"broken": Broken, "weary": Weary, "reading": Reading, "bare": Bare}
"""


@pytest.fixture
def special(site):
    """Backends over the same memories that do less, or not all is well with."""
    site.install(
        "convostore-special", dict.fromkeys(["broken", "weary", "reading", "bare"], SPECIAL)
    )


@pytest.fixture
def source(name):
    return f"memory://{name}"


@pytest.fixture
def target(name):
    return f"memory://{name}-copies"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The folder in which the command runs."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def conversations(target):
    with convostore.open(target) as store:
        return {
            conversation.id: list(store.messages(conversation.id))
            for conversation in store.conversations()
        }


def test_what_was_exported_and_imported_is_the_same(source, target, here):
    exported = run("export", source, "--file", "all.jsonl")
    assert (exported.exit_code, exported.output) == (0, "")
    imported = run("import", "all.jsonl", target)
    assert (imported.exit_code, imported.stderr) == (0, "")
    assert imported.stdout == (
        "conversations: 2 imported, 0 continued, 0 unchanged; written: 2 messages\n"
    )
    assert conversations(target) == conversations(source)


def test_what_is_imported_can_be_given_an_owner(source, target, here):
    run("export", source, "--file", "all.jsonl")
    assert run("import", "all.jsonl", target, "--owner", "ann").exit_code == 0
    with convostore.open(target) as store:
        assert {conversation.owner for conversation in store.conversations()} == {"ann"}


def test_importing_twice_changes_nothing(source, target, here):
    run("export", source, "-f", "all.jsonl")
    run("import", "all.jsonl", target)
    assert "0 imported, 0 continued, 2 unchanged" in run("import", "all.jsonl", target).stdout


def test_without_a_file_jsonl_goes_to_the_standard_output_and_comes_from_the_standard_input(
    source, target
):
    exported = run("export", source)
    assert exported.exit_code == 0
    assert exported.stderr == ""
    assert all(json.loads(line) for line in exported.stdout.splitlines())
    assert run("import", "-", target, input=exported.stdout).exit_code == 0
    assert conversations(target) == conversations(source)


@pytest.mark.parametrize(
    ("words", "beginning"),
    [
        (("--file", "x.md"), "# "),
        (("--file", "x.html"), "<!DOCTYPE html>"),
        (("--file", "x.jsonl"), '{"format"'),
        (("--file", "x.txt", "--format", "markdown"), "# "),
        (("--file", "x", "--format", "openai"), '{"messages"'),
    ],
)
def test_the_format_is_the_one_that_is_named_or_that_the_file_ends_in(
    source, here, words, beginning
):
    result = run("export", source, "tides", *words)
    assert (result.exit_code, result.output) == (0, "")
    assert (here / words[1]).read_text(encoding="utf-8").lower().startswith(beginning.lower())


def test_advice_about_a_format_names_the_option_of_the_command(target, here):
    (here / "x.txt").write_text("not a format", encoding="utf-8")
    result = run("import", "x.txt", target)
    assert result.exit_code == ExitCode.FAILED
    assert "pass --format as one of" in result.stderr


def test_only_what_is_named_is_exported(source, target, here):
    run("export", source, "moon", "-f", "moon.jsonl")
    run("import", "moon.jsonl", target)
    assert conversations(target) == {"moon": []}


@pytest.mark.parametrize(("words", "held"), [((), True), (("--no-raw",), False)])
def test_what_the_service_sent_is_exported_unless_it_is_refused(source, words, held):
    with convostore.open(source) as store:
        moon = store.get_conversation("moon").model_copy(update={"raw": {"row": "as it came"}})
        store.put_conversation(moon)
    assert ("as it came" in run("export", source, *words).stdout) is held


def test_what_cannot_be_read_is_left_out_of_all_and_the_status_says_so(special, name, target, here):
    result = run("export", f"broken://{name}", "-f", "all.jsonl")
    assert result.exit_code == ExitCode.FAILED
    assert "skipped: moon: " in result.stderr
    assert "a row is broken" in result.stderr
    run("import", "all.jsonl", target)
    assert set(conversations(target)) == {"tides"}


@pytest.mark.parametrize(
    ("scheme", "words", "status"),
    [
        ("broken", ["tides", "moon"], ExitCode.FAILED),
        ("memory", ["tides", "nothing"], ExitCode.NOT_FOUND),
        ("weary", [], ExitCode.FAILED),
    ],
)
def test_an_export_that_fails_leaves_the_file_as_it_was(special, name, here, scheme, words, status):
    (here / "all.jsonl").write_text("as it was")
    result = run("export", f"{scheme}://{name}", *words, "-f", "all.jsonl")
    assert result.exit_code == status
    assert (here / "all.jsonl").read_text() == "as it was"
    assert [path.name for path in here.iterdir()] == ["all.jsonl"]


@pytest.mark.parametrize(
    "words",
    [
        ("-f", "all.txt"),
        ("-f", "all.jsonl", "--format", "chatgpt"),
        ("-f",),
        ("--format", "word"),
    ],
)
def test_an_export_that_is_wrong_is_one_line_and_a_usage_error(source, here, words):
    result = run("export", source, *words)
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.count("\n") == 1
    assert list(here.iterdir()) == []


def test_a_file_that_cannot_be_written_is_one_line_that_names_it(source, here):
    (here / "folder.md").mkdir()
    for file in ("missing/all.md", "folder.md"):
        result = run("export", source, "-f", file)
        assert result.exit_code == ExitCode.FAILED
        assert result.stderr.count("\n") == 1
        assert file in result.stderr
        assert "cannot write" in result.stderr


@on_posix
def test_a_disk_that_is_full_is_one_line(source):
    result = run("export", source, "-f", "/dev/full", "--format", "jsonl")
    assert result.exit_code == ExitCode.FAILED
    assert result.stderr.splitlines()[-1] == (
        "convostore: cannot write '/dev/full': No space left on device"
    )


@pytest.mark.rim
@on_posix
@pytest.mark.parametrize(
    ("file", "status"), [(None, ExitCode.PIPE_CLOSED), ("/dev/full", ExitCode.FAILED)]
)
def test_an_output_that_takes_no_more_ends_it_quietly(file, status):
    before = """
with convostore.open("memory://seeded") as store:
    store.append_messages("moon", [
        Message(id=f"{number}", role="user", parts=(TextPart(text="x" * 1000),))
        for number in range(3000)
    ])
"""
    reading, writing = os.pipe() if file is None else (None, os.open(file, os.O_WRONLY))
    process = subprocess.Popen(
        [sys.executable, "-c", SEEDED + before + TAIL, "export", "memory://seeded"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    if reading is not None:
        assert os.read(reading, 1)
        os.close(reading)
    with process.stderr:
        told = process.stderr.read().splitlines()
    assert process.wait(PATIENCE) == status
    assert len(told) == (0 if file is None else 1)


@pytest.mark.rim
def test_the_standard_output_gets_what_a_file_would_get_in_any_encoding(tmp_path):
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    done = child("export", "memory://seeded", "tides", "--format", "markdown", env=environment)
    assert done.returncode == 0, done.stderr
    assert "潮汐" in done.stdout.decode("utf-8")


HOSTILE = """
with convostore.open("memory://seeded") as store:
    store.append_messages("moon", [
        Message(id="m", role="user", parts=(TextPart(text="\\x1b[2J\\x9b2Jgone\\u202e"),))
    ])
"""


@pytest.mark.rim
@on_posix
def test_no_text_of_strangers_commands_a_terminal():
    session = on_a_terminal(
        "export", "memory://seeded", "moon", "--format", "markdown", before=HOSTILE
    )
    assert session.status == 0
    assert "gone" in session.shown
    assert not {"\x1b", "\x9b", "\u202e"} & set(session.shown)


@pytest.mark.rim
@on_posix
def test_a_terminal_shows_a_bar_and_what_was_done(tmp_path):
    file = str(tmp_path / "all.md")
    exported = on_a_terminal("export", "memory://seeded", "-f", file, width=120)
    assert exported.status == 0
    assert "exporting" in exported.shown
    assert "exported: 2 conversations, 2 messages" in exported.shown


def test_a_chatgpt_export_is_imported_from_its_zip(target, here):
    with zipfile.ZipFile("chatgpt.zip", "w") as archive:
        archive.write(FORMATS / "chatgpt-2025.json", "conversations.json")
    result = run("import", "chatgpt.zip", target)
    assert result.exit_code == 0, result.stderr
    with convostore.open(target) as store:
        assert {conversation.origin.store for conversation in store.conversations()} == {"chatgpt"}
    named = run("import", "chatgpt.zip", f"{target}-named", "--name", "my account")
    assert named.exit_code == 0
    with convostore.open(f"{target}-named") as store:
        assert {conversation.origin.store for conversation in store.conversations()} == {
            "my account"
        }


def test_the_report_as_json(target):
    told = json.loads(run("import", FORMATS / "openai.jsonl", target, "--json").stdout)
    assert told["imported"] == len(conversations(target)) > 0
    assert told["messages"] == sum(map(len, conversations(target).values()))
    assert (told["dry_run"], told["skipped"]) == (False, [])


def test_a_dry_run_tells_the_same_and_writes_nothing(target):
    dry = json.loads(run("import", FORMATS / "openai.jsonl", target, "--dry-run", "--json").stdout)
    assert conversations(target) == {}
    real = json.loads(run("import", FORMATS / "openai.jsonl", target, "--json").stdout)
    assert dry == {**real, "dry_run": True}


def test_what_has_another_content_there_is_skipped_and_the_status_says_so(source, target, here):
    run("export", source, "-f", "all.jsonl")
    with convostore.open(target) as store:
        store.create_conversation(id="tides", title="Mine")
        store.append_messages("tides", [convostore.Message(id="mine", role="user", parts=())])
    result = run("import", "all.jsonl", target)
    assert result.exit_code == ExitCode.FAILED
    assert "skipped: tides: " in result.stdout
    assert "1 imported" in result.stdout
    assert [message.id for message in conversations(target)["tides"]] == ["mine"]


def test_what_the_target_cannot_hold_is_told(special, source, name, here):
    run("export", source, "-f", "all.jsonl")
    result = run("import", "all.jsonl", f"bare://{name}-copies")
    assert "not stored there: conversation.updated_at, of 2" in result.stdout


@pytest.mark.parametrize("content", [None, b"", b"no format at all", b"PK\x03\x04broken"])
def test_a_file_with_nothing_to_import_is_one_line(target, here, content):
    if content is not None:
        (here / "file").write_bytes(content)
    result = run("import", "file", target)
    assert result.exit_code == ExitCode.FAILED
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_a_store_that_takes_nothing_is_refused(special, name):
    result = run("import", FORMATS / "openai.jsonl", f"reading://{name}")
    assert result.exit_code == ExitCode.USAGE
    assert "reading does not offer create_conversation" in result.stderr


@pytest.mark.rim
@on_posix
def test_a_standard_input_that_cannot_be_read_is_one_line():
    closed = os.open(os.devnull, os.O_WRONLY)
    done = child("import", "-", "memory://seeded", stdin=closed)
    os.close(closed)
    assert done.returncode == ExitCode.FAILED
    assert done.stderr.count(b"\n") == 1
    assert b"cannot read the standard input" in done.stderr


@pytest.mark.rim
@on_posix
def test_nobody_is_made_to_type_a_file():
    session = on_a_terminal("import", "-", "memory://seeded")
    assert session.status == ExitCode.USAGE
    assert "FILE" in session.shown


def test_the_formats_are_those_that_there_are():
    assert [format.value for format in _OutputFormat] == list(WRITTEN)
    assert [format.value for format in _InputFormat] == list(READ)
