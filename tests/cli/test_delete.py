"""`rm` and `clear`: nothing is deleted that was not shown and agreed to."""

import signal
from datetime import UTC, datetime, timedelta

import pytest

import convostore
from convostore import Conversation
from convostore.cli.errors import ExitCode
from convostore.errors import NotFoundError

from ..support.cli import on_a_terminal, on_posix, run

SPECIAL = """
from convostore.adapters import Adapter, Traits
from convostore.errors import ProtocolError, UnavailableError, AuthError
from convostore.adapters.memory import MemoryAdapter
from convostore.plugins import hookimpl

class Far(MemoryAdapter):
    name = "far"
    traits = Traits(
        order="pinned_then_active",
        deletes="may_delete_turn",
        clears="may_clear_others",
        deleted_readable=True,
    )

class Broken(MemoryAdapter):
    name = "broken"

    def list_messages(self, conversation_id, listing):
        if conversation_id == "tides":
            raise ProtocolError("a row is broken")
        if conversation_id == "secret":
            raise AuthError("not for you")
        return super().list_messages(conversation_id, listing)

class Weary(MemoryAdapter):
    name = "weary"

    def delete_conversation(self, conversation_id):
        if conversation_id == "tides":
            raise UnavailableError("gone for lunch")
        return super().delete_conversation(conversation_id)

class Singly(MemoryAdapter):
    name = "singly"
    delete_conversations = Adapter.delete_conversations

@hookimpl
def convostore_adapters():
    return {"far": Far, "broken": Broken, "weary": Weary, "singly": Singly}
"""
NOTHING_BUT_READING = """
from convostore.adapters import Adapter
from convostore.adapters.memory import MemoryAdapter
from convostore.plugins import hookimpl

class Reading(MemoryAdapter):
    name = "reading"
    delete_conversation = Adapter.delete_conversation
    delete_conversations = Adapter.delete_conversations
    clear_conversations = Adapter.clear_conversations
    delete_message = Adapter.delete_message

@hookimpl
def convostore_adapters():
    return {"reading": Reading}
"""


@pytest.fixture
def target(name):
    return f"memory://{name}"


@pytest.fixture
def special(site):
    """Backends over the same memories that behave in ways of their own."""
    site.install("convostore-special", dict.fromkeys(["far", "broken", "weary", "singly"], SPECIAL))


@pytest.fixture
def reading(site):
    """A backend that can be read and no more."""
    site.install("convostore-reading", {"reading": NOTHING_BUT_READING})


def left(name):
    with convostore.open(f"memory://{name}") as store:
        return {conversation.id for conversation in store.conversations()}


@pytest.mark.parametrize(
    "command", [("rm", "tides"), ("clear",), ("rm", "tides", "--message", "answer")]
)
def test_without_a_terminal_nothing_is_deleted_unasked(name, target, command):
    first, *more = command
    result = run(first, target, *more, input="y\n")
    assert result.exit_code == ExitCode.USAGE
    assert "--yes" in result.stderr
    assert left(name) == {"tides", "moon"}
    with convostore.open(target) as store:
        assert len(list(store.messages("tides"))) == 2


def test_rm_deletes_what_it_showed(name, target):
    result = run("rm", target, "tides", "--yes")
    assert result.exit_code == 0
    assert "When is high tide?" in result.stderr
    assert "2 messages" in result.stderr
    assert not result.stdout
    assert left(name) == {"moon"}


def test_rm_takes_several_and_each_once(name, target):
    result = run("rm", target, "moon", "tides", "moon", "-y")
    assert result.exit_code == 0
    assert "2 conversations" in result.stderr
    assert left(name) == set()


def test_what_is_not_there_is_done_and_said(name, target):
    result = run("rm", target, "nothing", "tides", "--yes")
    assert result.exit_code == 0
    assert "nothing not found" in result.stderr
    assert left(name) == {"moon"}


def test_rm_of_only_absent_ones_deletes_nothing(name, target):
    result = run("rm", target, "nothing", "--yes")
    assert result.exit_code == 0
    assert "deleted for good" not in result.stderr


def test_rm_of_a_message_deletes_that_one(target):
    result = run("rm", target, "tides", "--message", "answer", "--yes")
    assert result.exit_code == 0
    assert "At *six*" in result.stderr
    assert "Note" not in result.stderr
    with convostore.open(target) as store:
        assert [message.id for message in store.messages("tides")] == ["question"]


@pytest.mark.parametrize("where", [("tides", "nothing"), ("nothing", "answer")])
def test_a_message_that_is_not_there_is_done_and_said(target, where):
    conversation_id, message_id = where
    result = run("rm", target, conversation_id, "--message", message_id, "--yes")
    assert result.exit_code == 0
    assert result.stderr.startswith("there is no ")
    assert "'nothing'" in result.stderr
    with convostore.open(target) as store:
        assert len(list(store.messages("tides"))) == 2


def test_a_message_goes_with_one_conversation_only(name, target):
    result = run("rm", target, "tides", "moon", "--message", "answer", "--yes")
    assert result.exit_code == ExitCode.USAGE
    assert left(name) == {"tides", "moon"}


def test_clear_shows_and_deletes_all(name, target):
    result = run("clear", target, "--yes")
    assert result.exit_code == 0
    assert "all 2 conversations" in result.stderr
    assert "The moon" in result.stderr
    assert "2 messages" in result.stderr
    assert left(name) == set()


def test_clear_shows_the_first_ones_of_many_and_the_number_of_the_others(target):
    with convostore.open(target) as store:
        for number in range(20):
            store.create_conversation(title=f"number {number}")
    result = run("clear", target, "--yes")
    assert "all 22 conversations" in result.stderr
    assert "and 12 more" in result.stderr
    assert result.stderr.count("number") == 9


def test_clear_of_an_empty_store_has_nothing_to_ask(name, target):
    run("clear", target, "--yes")
    result = run("clear", target, "--yes")
    assert result.exit_code == 0
    assert "nothing to delete" in result.stderr


def test_what_a_delete_takes_beyond_the_named_is_said(special, name):
    message = run("rm", f"far://{name}", "tides", "--message", "answer", "--yes")
    assert "other half of the turn" in message.stderr
    conversation = run("rm", f"far://{name}", "tides", "--yes")
    assert "only hides" in conversation.stderr
    everything = run("clear", f"far://{name}", "--yes")
    assert "conversations that are not listed here" in everything.stderr
    assert "only hides" in everything.stderr


def test_an_empty_list_is_still_cleared_where_others_can_go_with_it(special, name):
    run("rm", f"memory://{name}", "tides", "moon", "--yes")
    result = run("clear", f"far://{name}", "--yes")
    assert "all 0 conversations" in result.stderr


def test_what_memory_deletes_is_only_what_it_showed(target):
    assert "Note" not in run("rm", target, "tides", "--yes").stderr
    assert "Note" not in run("clear", target, "--yes").stderr


def test_a_conversation_that_cannot_be_read_can_be_deleted(special, name):
    result = run("rm", f"broken://{name}", "tides", "--yes")
    assert result.exit_code == 0
    assert "cannot be read: a row is broken" in result.stderr
    assert left(name) == {"moon"}


def test_an_error_that_is_not_of_one_conversation_ends_before_any_delete(special, name):
    with convostore.open(f"memory://{name}") as store:
        store.create_conversation(id="secret")
    result = run("rm", f"broken://{name}", "moon", "secret", "--yes")
    assert result.exit_code == ExitCode.CREDENTIAL
    assert "moon" in left(name)


@pytest.fixture
def aged(name):
    """Conversations that were last active 3, 30 and 300 days ago, and one of no time."""
    with convostore.open(f"memory://{name}") as store:
        for days in (3, 30, 300):
            time = datetime.now(UTC) - timedelta(days=days)
            store.put_conversation(
                Conversation(id=f"{days} days", title=f"Of {days} days", updated_at=time)
            )
        store.put_conversation(Conversation(id="timeless", pinned=True))
    return name


@pytest.mark.parametrize("scheme", ["memory", "singly"])
def test_rm_by_age_deletes_what_is_older_and_nothing_else(special, aged, scheme):
    result = run("rm", f"{scheme}://{aged}", "--older-than", "20d", "--yes")
    assert result.exit_code == 0
    assert "2 conversations" in result.stderr
    assert "Of 30 days" in result.stderr
    assert left(aged) == {"tides", "moon", "timeless", "3 days"}


@pytest.mark.parametrize("scheme", ["memory", "singly"])
def test_rm_by_age_without_a_terminal_deletes_nothing_unasked(special, aged, scheme):
    before = left(aged)
    result = run("rm", f"{scheme}://{aged}", "--older-than", "20d", input="y\n")
    assert result.exit_code == ExitCode.USAGE
    assert "--yes" in result.stderr
    assert left(aged) == before


def test_rm_by_age_of_nothing_that_old_has_nothing_to_ask(target):
    result = run("rm", target, "--older-than", "1d", "--yes")
    assert result.exit_code == 0
    assert "nothing to delete" in result.stderr
    assert "for good" not in result.stderr


def test_ls_lists_what_rm_by_age_deletes(target, aged):
    lines = run("ls", target, "--older-than", "20d").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["30 days", "300 days"]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("tides", "--older-than", "20d"),
        ("--message", "answer"),
        ("--message", "answer", "--older-than", "20d"),
        ("--older-than", "long ago"),
    ],
)
def test_rm_takes_either_ids_or_an_age(name, target, words):
    result = run("rm", target, *words, "--yes")
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.count("\n") == 1
    assert left(name) == {"tides", "moon"}


def test_when_a_delete_fails_it_is_said_how_far_it_came(special, name):
    result = run("rm", f"weary://{name}", "moon", "tides", "--yes")
    assert result.exit_code == ExitCode.FAILED
    assert "the first 1 of 2" in result.stderr
    assert "gone for lunch" in result.stderr
    assert left(name) == {"tides"}


@pytest.mark.parametrize(
    ("command", "operation"),
    [
        (("rm", "tides"), "delete_conversation"),
        (("clear",), "clear_conversations"),
        (("rm", "tides", "--message", "answer"), "delete_message"),
        (("rm", "--older-than", "0m"), "delete_conversation"),
    ],
)
def test_what_is_not_offered_is_refused_before_anything_is_asked(reading, name, command, operation):
    first, *more = command
    result = run(first, f"reading://{name}", *more)
    assert result.exit_code == ExitCode.USAGE
    assert f"reading does not offer {operation}" in result.stderr
    assert "doctor" in result.stderr


COUNT = """
import atexit
@atexit.register
def tell():
    with convostore.open("memory://seeded") as store:
        print("left:", *sorted(conversation.id for conversation in store.conversations()))
"""


@pytest.mark.rim
@on_posix
@pytest.mark.parametrize("word", ["y", "yes", "Y"])
def test_on_a_terminal_yes_deletes(word):
    session = on_a_terminal(
        "rm", "memory://seeded", "tides", before=COUNT, answers=[("[y/N] ", f"{word}\n")]
    )
    assert session.status == 0
    assert session.shown.index("2 messages") < session.shown.index("[y/N]")
    assert "left: moon" in session.shown


@pytest.mark.rim
@on_posix
@pytest.mark.parametrize("word", ["n", "", "yess", "\x04"])
def test_on_a_terminal_anything_else_deletes_nothing(word):
    typed = word if word == "\x04" else f"{word}\n"
    session = on_a_terminal("clear", "memory://seeded", before=COUNT, answers=[("[y/N] ", typed)])
    assert session.status == ExitCode.FAILED
    assert "nothing was deleted" in session.shown
    assert "left: moon tides" in session.shown


@pytest.mark.rim
@on_posix
def test_an_interrupt_at_the_question_deletes_nothing():
    session = on_a_terminal(
        "rm", "memory://seeded", "tides", before=COUNT, answers=[("[y/N] ", signal.SIGINT)]
    )
    assert session.status == ExitCode.INTERRUPTED
    assert "Traceback" not in session.shown
    assert "left: moon tides" in session.shown


def test_the_deleted_conversation_is_gone(target):
    run("rm", target, "tides", "--yes")
    with convostore.open(target) as store, pytest.raises(NotFoundError):
        store.get_conversation("tides")


def test_rm_by_owner_deletes_what_is_theirs_and_nothing_else(target):
    with convostore.open(target) as store:
        store.update_conversation("tides", owner="ann")
        store.create_conversation(id="winds", owner="bob")
    result = run("rm", target, "--owner", "ann", "--yes")
    assert (result.exit_code, "1 conversation" in result.stderr) == (0, True)
    with convostore.open(target) as store:
        assert {conversation.id for conversation in store.conversations()} == {"moon", "winds"}
    assert run("rm", target, "--without-owner", "--yes").exit_code == 0
    with convostore.open(target) as store:
        assert [conversation.id for conversation in store.conversations()] == ["winds"]


def test_rm_by_owner_and_age_deletes_what_both_name(special, aged):
    target = f"memory://{aged}"
    with convostore.open(target) as store:
        ids = [conversation.id for conversation in store.conversations()]
        for conversation_id in ids:
            store.update_conversation(conversation_id, owner="ann")
        store.update_conversation(ids[-1], owner=None)
    older = run("ls", target, "--older-than", "20d", "--owner", "ann").stdout.splitlines()
    assert older
    run("rm", target, "--owner", "ann", "--older-than", "20d", "--yes")
    with convostore.open(target) as store:
        assert len(list(store.conversations())) == len(ids) - len(older)


def test_pop_deletes_the_last_message_and_prints_it(target):
    result = run("pop", target, "tides", "--yes")
    assert (result.exit_code, result.stdout) == (0, "At *six*[1], they say[7].\n")
    with convostore.open(target) as store:
        assert [message.id for message in store.messages("tides")] == ["question"]
    assert '"id": "question"' in run("pop", target, "tides", "--yes", "--json").stdout
    empty = run("pop", target, "tides", "--yes")
    assert (empty.exit_code, empty.stdout) == (0, "")
    assert "nothing to delete" in empty.stderr


def test_pop_deletes_nothing_that_was_not_shown(target, monkeypatch):
    def append_meanwhile(*_, **__):
        with convostore.open(target) as store:
            store.append_messages("tides", [convostore.Message(id="new", role="user")])

    monkeypatch.setattr("convostore.cli.commands.delete.confirm", append_meanwhile)
    result = run("pop", target, "tides", "--yes")
    assert result.exit_code != 0
    assert "the last message is 'new'" in result.stderr
    with convostore.open(target) as store:
        assert len(list(store.messages("tides"))) == 3
