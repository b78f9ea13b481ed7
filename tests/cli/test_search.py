"""`search`: what is found, in which form, and stores that cannot search themselves."""

import json
from datetime import UTC, datetime, timedelta

import platformdirs
import pytest
from rich.console import Console

import convostore
from convostore import Hit, Message, Snippet, Source, TextPart
from convostore.cli import _archive as archives
from convostore.cli.commands import search
from convostore.cli.errors import ExitCode
from convostore.cli.render import terminal
from convostore.models import Conversation

from ..support.cli import on_a_terminal, on_posix, run, seeded

SPECIAL = """
from convostore.adapters import Adapter
from convostore.errors import ProtocolError
from convostore.adapters.memory import MemoryAdapter
from convostore.plugins import hookimpl

class Simple(MemoryAdapter):
    name = "simple"
    search = Adapter.search

class Broken(Simple):
    name = "broken"

    def list_messages(self, conversation_id, listing):
        if conversation_id == "moon":
            raise ProtocolError("a row is broken")
        return super().list_messages(conversation_id, listing)

@hookimpl
def convostore_adapters():
    return {"simple": Simple, "broken": Broken}
"""


@pytest.fixture
def target(name):
    return f"memory://{name}"


@pytest.fixture
def archive():
    """An empty memory for copies."""
    return f"memory://archive-{seeded()}"


@pytest.fixture
def special(site):
    """Backends over the same memories that cannot search."""
    site.install("convostore-special", dict.fromkeys(["simple", "broken"], SPECIAL))


def found(result):
    """Conversation and message of each line."""
    assert result.exit_code == 0, result.stderr
    return [tuple(line.split("\t")[:2]) for line in result.stdout.splitlines()]


def test_what_is_found_is_a_line_each_titles_first(target):
    assert found(run("search", target, "high tide")) == [("tides", ""), ("tides", "question")]


def test_a_line_tells_where_and_what(target):
    result = run("search", target, "six")
    conversation, message, time, role, title, snippet = result.stdout.rstrip("\n").split("\t")
    assert (conversation, message, time, role) == ("tides", "answer", "", "assistant")
    assert (title, snippet) == ("When is high tide?", "At *six*[1], they say[7].")


def test_words_may_stand_apart_and_a_phrase_may_not(target):
    assert found(run("search", target, "tide", "when")) == [("tides", ""), ("tides", "question")]
    assert found(run("search", target, '"is high"')) == [("tides", "")]
    assert found(run("search", target, '"tide when"')) == []


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_a_role_leaves_the_others_and_the_titles_out(target, role):
    lines = run("search", target, "tide", "--role", role).stdout.splitlines()
    assert [line.split("\t")[3] for line in lines] == [role]


def test_a_search_may_keep_to_one_conversation(target):
    with convostore.open(target) as store:
        store.append_messages("moon", [Message(id="m", role="user", parts=[TextPart(text="six")])])
    assert found(run("search", target, "six", "--in", "moon")) == [("moon", "m")]


def test_a_search_may_keep_to_a_time(target):
    now = datetime.now(UTC)
    neap = Message(id="new", role="user", created_at=now, parts=[TextPart(text="neap")])
    old = neap.model_copy(update={"id": "old", "created_at": now - timedelta(days=1)})
    with convostore.open(target) as store:
        store.append_messages("moon", [old, neap])
    assert found(run("search", target, "neap", "--until", "12h")) == [("moon", "old")]
    assert found(run("search", target, "neap", "--since", "12h")) == [("moon", "new")]


def test_beyond_the_limit_it_is_said_that_there_is_more(target):
    with convostore.open(target) as store:
        for number in range(150):
            store.create_conversation(id=f"{number:03}", title="spring")
    result = run("search", target, "spring", "--limit", "120")
    assert len(found(result)) == 120
    assert "--limit" in result.stderr
    whole = run("search", target, "spring", "--limit", "150")
    assert len(found(whole)) == 150
    assert whole.stderr == ""


def test_without_a_limit_twenty_are_shown(target):
    with convostore.open(target) as store:
        for number in range(21):
            store.create_conversation(id=f"{number:03}", title="spring")
    assert len(found(run("search", target, "spring"))) == 20


def test_json_is_one_document_of_our_schema(target):
    title, message = json.loads(run("search", target, "high tide", "--json").stdout)
    assert (title["where"], title["message"]) == ("title", None)
    assert Conversation(**title["conversation"]).title == "When is\nhigh tide?"
    assert Message(**message["message"]).id == "question"
    assert "raw" not in message["message"]
    start, end = message["snippet"]["marks"][0]
    assert message["snippet"]["text"][start:end] == "high"


def test_json_lines_are_the_same_line_by_line(target):
    lines = run("search", target, "tide", "--jsonl").stdout.splitlines()
    assert list(map(json.loads, lines)) == json.loads(
        run("search", target, "tide", "--json").stdout
    )


def test_json_with_raw_has_what_the_service_sent(target):
    message = Message(id="m", role="user", parts=[TextPart(text="neap")], raw={"row": 1})
    with convostore.open(target) as store:
        store.append_messages("moon", [message])
    (hit,) = json.loads(run("search", target, "neap", "--json", "--raw").stdout)
    assert hit["message"]["raw"] == {"row": 1}


def test_nothing_found_is_no_error(target):
    result = run("search", target, "nothing like that")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert json.loads(run("search", target, "nothing", "--json").stdout) == []


@pytest.mark.parametrize("query", ['"', "AND OR", "*", "(", "high -tide", "a:b", "\x00"])
def test_no_query_is_an_error(target, query):
    assert run("search", target, "--", query).exit_code == 0


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("tide", "--role", "captain"),
        ("tide", "--limit", "0"),
        ("tide", "--since", "soon"),
        ("tide", "--archive", "memory://x"),
        ("tide", "--raw"),
    ],
)
def test_a_search_that_is_wrong_is_one_line_and_a_usage_error(target, words):
    result = run("search", target, *words)
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.count("\n") == 1


def test_a_store_that_cannot_search_says_how_to_all_the_same(special, name):
    result = run("search", f"simple://{name}", "tide")
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.count("\n") == 1
    assert "simple does not offer search" in result.stderr
    assert "--mirror" in result.stderr


def test_a_mirror_is_searched_and_told_by_the_ids_of_the_store(special, name, archive):
    words = ("search", f"simple://{name}", "high", "--mirror", "--archive", archive)
    assert found(run(*words)) == [("tides", ""), ("tides", "question")]
    with convostore.open(archive) as copies:
        assert {copy.origin.conversation_id for copy in copies.conversations()} == {"tides", "moon"}
    assert found(run(*words, "--in", "moon")) == []
    assert len(found(run(*words, "--in", "tides"))) == 2


def test_an_archive_of_several_stores_gives_only_those_of_the_one_that_was_asked(special, archive):
    mine, other = seeded(), seeded()
    with convostore.open(f"memory://{other}") as store:
        store.create_conversation(id="other", title="Another tide")
    run("search", f"simple://{other}", "tide", "--mirror", "--archive", archive)
    result = run("search", f"simple://{mine}", "tide", "--mirror", "--archive", archive)
    assert {conversation for conversation, _ in found(result)} == {"tides"}


def test_what_could_not_be_copied_is_said_and_the_status_says_so(special, name, archive):
    result = run("search", f"broken://{name}", "six", "--mirror", "--archive", archive)
    assert result.exit_code == ExitCode.FAILED
    assert "skipped: moon: " in result.stderr
    assert "a row is broken" in result.stderr
    assert result.stdout.startswith("tides\tanswer\t")


def test_each_store_has_an_archive_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_data_path", lambda name: tmp_path / name)
    labels = ["sample+http://a:1", "sample+http://a:2", "sample+http://a:1/", "x" * 500, "\ud800"]
    files = [archives.archive_file(label) for label in labels]
    assert len(set(files)) == len(labels)
    assert files[0].name.startswith("sample-http-a-1-")
    assert archives.archive_file(labels[0]) == files[0]
    for label in labels:
        assert archives.archive_target(label).startswith("sqlite:///")
        archives.archive_file(label).touch()


@on_posix
def test_archives_are_for_nobody_elses_eyes(tmp_path, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_data_path", lambda name: tmp_path / name)
    archives.archive_target("memory://x")
    assert archives.archive_file("memory://x").parent.stat().st_mode & 0o077 == 0


def test_an_archive_that_has_no_place_is_one_line(special, name, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(platformdirs, "user_data_path", lambda name: tmp_path / "file" / name)
    result = run("search", f"simple://{name}", "tide", "--mirror")
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.count("\n") == 1
    assert "--archive" in result.stderr


SIMPLE = """
from convostore import plugins
from convostore.adapters import Adapter
from convostore.adapters.memory import MemoryAdapter

class Simple(MemoryAdapter):
    name = "simple"
    search = Adapter.search

found = plugins.adapter_for
plugins.adapter_for = lambda scheme: Simple if scheme == "simple" else found(scheme)
"""
ELSEWHERE = """
from convostore.cli.commands import search
search.archive_target = lambda label: "memory://archive"
"""


@pytest.mark.rim
@on_posix
def test_on_a_terminal_one_is_asked_before_a_copy_is_made():
    session = on_a_terminal(
        "search",
        "simple://seeded",
        "tide",
        before=SIMPLE + ELSEWHERE,
        answers=[("[y/N] ", "y\n")],
    )
    assert session.status == 0
    assert "simple does not offer search" in session.shown
    assert session.shown.index("[y/N]") < session.shown.index("question")


@pytest.mark.rim
@on_posix
def test_on_a_terminal_nothing_is_copied_unasked():
    session = on_a_terminal(
        "search", "simple://seeded", "tide", before=SIMPLE, answers=[("[y/N] ", "\n")]
    )
    assert session.status == ExitCode.FAILED
    assert "nothing was copied" in session.shown


@pytest.mark.rim
@on_posix
def test_a_terminal_marks_what_was_found():
    session = on_a_terminal("search", "memory://seeded", "潮", width=120)
    assert session.status == 0
    assert "\x1b[1;33m潮\x1b[0m" in session.shown
    nothing = on_a_terminal("search", "memory://seeded", "nothing")
    assert (nothing.status, nothing.shown.strip()) == (0, "no hits")


def shown(hits, width=80):
    console = Console(width=width, force_terminal=True, color_system="truecolor")
    with console.capture() as capture:
        console.print(terminal.hits_list(hits))
    return capture.get()


def hit(text, marks, **more):
    return Hit(
        conversation=Conversation(id="c", title="[bold]Tide[/bold]"),
        snippet=Snippet(text=text, marks=marks),
        **more,
    )


def test_a_conversation_stands_once_above_what_was_found_in_it():
    messages = [Message(id=each, role="user", parts=()) for each in "ab"]
    hits = [hit("neap", ((0, 4),), message=message, where="text") for message in messages]
    terminal = shown(hits)
    assert terminal.count("[bold]Tide[/bold]") == 1
    assert terminal.count("neap") == 2


def test_marks_stand_right_behind_what_could_command_a_terminal():
    message = Message(id="m\x1b[2J", role="user", parts=(), sources=(Source(title="x"),))
    terminal = shown([hit("\x1b[2Ja\x07 neap", ((7, 11),), message=message, where="source")])
    assert "\x1b[1;33mneap\x1b[0m" in terminal
    assert "\x1b[2J" not in terminal
    assert "\x07" not in terminal
    assert "source: " in terminal


def test_the_roles_are_those_of_messages():
    from typing import get_args

    from convostore.models import Role

    assert [role.value for role in search._Role] == list(get_args(Role))
