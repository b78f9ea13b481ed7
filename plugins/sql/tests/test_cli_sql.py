"""The command line on a database: what one command wrote, the next one finds."""

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import platformdirs
import pytest
from tests.support.naming import naming
from typer.testing import CliRunner

import convostore
from convostore import Conversation, Message, TextPart
from convostore.cli._archive import archive_file
from convostore.cli.app import app
from convostore.cli.errors import ExitCode

DAYS_AGO = {"now": 0, "month": 40, "year": 400}


@pytest.fixture
def source(new_database):
    """Return a file with three conversations of two messages, last active at different times."""
    dsn = new_database("sqlite").dsn()
    with convostore.open(dsn) as store:
        for name, days in DAYS_AGO.items():
            time = datetime.now(UTC) - timedelta(days=days)
            store.create_conversation(id=name, title=f"The tides of {name}")
            store.append_messages(
                name,
                [
                    make_message("question", "When is 潮汐?", time),
                    make_message("answer", "At six.", time),
                ],
            )
            store.put_conversation(
                Conversation(id=name, title=f"The tides of {name}", updated_at=time)
            )
    return dsn


def make_message(id, text, time):
    role = "user" if id == "question" else "assistant"
    return Message(id=id, role=role, created_at=time, parts=(TextPart(text=text),))


def run(*words, **more):
    return CliRunner().invoke(app, [str(word) for word in words], **more)


def done(*words, **more):
    result = run(*words, **more)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def held(dsn):
    """Return the messages of each conversation, by the id that it has in the first store."""
    with convostore.open(dsn) as store:
        return {
            conversation.origin.conversation_id if conversation.origin else conversation.id: list(
                store.messages(conversation.id)
            )
            for conversation in store.conversations()
        }


@pytest.mark.rim
def test_a_mirror_holds_the_same_and_a_second_run_finds_nothing_to_do(source, database):
    assert "3 copied" in done("mirror", source, database.dsn())
    assert held(database.dsn()) == held(source)
    again = json.loads(done("mirror", source, database.dsn(), "--json"))
    assert (again["unchanged"], again["messages"]) == (3, 0)


def test_a_mirror_writes_into_the_namespace_that_is_its_option(source, database):
    done("mirror", source, database.dsn(), "-O", "namespace=alice")
    assert held(database.dsn(namespace="alice")) == held(source)
    assert held(database.dsn()) == {}


def test_what_is_kept_is_found(source, database):
    done("mirror", source, database.dsn())
    lines = done("search", database.dsn(), "潮", "--limit", "5", "--role", "user").splitlines()
    assert [line.split("\t")[4] for line in lines] == [f"The tides of {item}" for item in DAYS_AGO]


def test_an_archive_is_made_once_and_brought_up_to_date(source, tmp_path, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_data_path", lambda name: tmp_path / "日 data%20" / name)
    words = ("search", source, "six", "--mirror")
    assert [line.split("\t")[0] for line in done(*words).splitlines()] == list(DAYS_AGO)
    with convostore.open(source) as store:
        assert archive_file(store.label).is_file()
        store.append_messages(
            "month", [make_message("more", "Or at sixty-six?", datetime.now(UTC))]
        )
    assert done("search", source, "sixty", "--mirror").startswith("month\tmore\t")
    assert len(list((tmp_path / "日 data%20").rglob("*.db"))) == 1


def test_what_is_old_is_deleted_and_the_rest_stays(source):
    old = [line.split("\t")[0] for line in done("ls", source, "--older-than", "90d").splitlines()]
    assert old == ["year"]
    done("rm", source, "--older-than", "90d", "--yes")
    assert set(held(source)) == {"now", "month"}


def test_a_fork_is_there_for_the_next_command(source):
    made = done("fork", source, "now", "question", "--title", "Another way").strip()
    with convostore.open(source) as store:
        assert [message.id for message in store.messages(made)] == ["question"]
    assert "Another way" in done("show", source, made)


def test_counts_keep_copies_and_stores_apart(source, database):
    done("mirror", source, database.dsn(), "--name", "chats")
    counts = json.loads(done("stats", database.dsn(), "--since", "50d", "--json"))
    assert counts["stores"] == {"chats": {"conversations": 2, "messages": 4}}
    assert sum(counts["days"].values()) == 4


def test_a_file_carries_all_from_one_database_to_the_other(source, database, tmp_path):
    file = tmp_path / "all.jsonl"
    done("export", source, "--file", file)
    assert "3 imported" in done("import", file, database.dsn())
    assert held(database.dsn()) == held(source)
    assert "3 unchanged" in done("import", file, database.dsn())


OF_WHAT_IS_THERE = [
    "ls TARGET",
    "stats TARGET",
    "doctor TARGET",
    "export TARGET",
    "show TARGET c",
    "search TARGET words",
    "search TARGET words --mirror",
    "rename TARGET c title",
    "rm TARGET c --yes",
    "clear TARGET --yes",
    "mirror TARGET sqlite:///copies.db",
]


def test_a_file_that_is_mistyped_is_told_and_not_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(platformdirs, "user_data_path", lambda name: tmp_path / name)
    for command in OF_WHAT_IS_THERE:
        with naming(command):
            result = run(*command.replace("TARGET", "sqlite:///typo.db").split())
            assert result.exit_code == ExitCode.USAGE
            assert "there is no file" in result.stderr
            assert "typo.db" in result.stderr
            assert "pass -o create=true" in result.stderr
            assert list(tmp_path.rglob("*.db")) == []


def test_a_profile_an_option_or_the_dsn_may_say_that_a_file_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "config.toml"
    config.write_text('[profiles.work]\ndsn = "sqlite:///profile.db"\ncreate = true\n')
    monkeypatch.setenv("CONVOSTORE_CONFIG", str(config))
    done("ls", "work")
    done("ls", "sqlite:///option.db", "-o", "create=true")
    done("ls", "sqlite:///dsn.db?create=true")
    assert {path.stem for path in tmp_path.glob("*.db")} == {"profile", "option", "dsn"}


def test_what_copies_nothing_says_so(tmp_path):
    empty, copies = f"sqlite:///{tmp_path}/empty.db", f"sqlite:///{tmp_path}/copies.db"
    with convostore.open(empty) as store:
        store.check()
    mirrored = run("mirror", empty, copies, "--json")
    assert json.loads(mirrored.stdout)["copied"] == 0
    assert mirrored.stderr.startswith("nothing was copied: sqlite:///")
    assert "empty.db lists no conversations" in mirrored.stderr
    exported = run("export", empty)
    assert exported.stderr.startswith("nothing was exported: sqlite:///")
    assert run("search", empty, "words", "--mirror", "--archive", copies).exit_code == 0


def test_the_first_mirror_and_import_make_their_target(source, tmp_path):
    done("mirror", source, f"sqlite:///{tmp_path}/mirror.db")
    done("export", source, "--file", tmp_path / "all.jsonl")
    done("import", tmp_path / "all.jsonl", f"sqlite:///{tmp_path}/import.db")
    assert held(f"sqlite:///{tmp_path}/mirror.db") == held(f"sqlite:///{tmp_path}/import.db")


INTERRUPTED = """
import asyncio, sys
from convostore.store import AsyncConversationStore

run, writes = AsyncConversationStore._run, []

async def stopping(self, make):
    if self.label.endswith("copies.db"):
        writes.append(make)
        if len(writes) > 5:
            print("stuck", file=sys.stderr, flush=True)
            await asyncio.Event().wait()
    return await run(self, make)

AsyncConversationStore._run = stopping
from convostore.cli import main
main()
"""


@pytest.mark.rim
@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal on Windows")
def test_what_was_interrupted_goes_on(source, tmp_path):
    copies = f"sqlite:///{(tmp_path / 'copies.db').as_posix()}"
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, "mirror", source, copies],
        stderr=subprocess.PIPE,
        text=True,
    )
    with process.stderr:
        assert process.stderr.readline() == "stuck\n"
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()
    assert process.wait(60) == 130
    assert "run it again to continue" in told
    assert held(copies) != held(source)
    done("mirror", source, copies)
    assert held(copies) == held(source)
