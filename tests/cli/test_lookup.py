"""Which conversation a word means: a whole id, its beginning for people, the last active one."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

import convostore
from convostore import Message, TextPart
from convostore.cli import _lookup as lookup
from convostore.cli.errors import ExitCode

from ..support.cli import on_a_terminal, on_posix, run, seeded


@pytest.fixture
def target():
    return f"memory://{seeded()}"


@pytest.fixture
def person(monkeypatch):
    """The command is at a terminal, as far as the beginnings of ids go."""
    monkeypatch.setattr(lookup, "can_ask", lambda: True)


def create(target, *ids):
    with convostore.open(target) as store:
        for id in ids:
            store.create_conversation(id=id, title=f"Of {id}")


def stored(target):
    with convostore.open(target) as store:
        return {conversation.id for conversation in store.conversations()}


def test_a_dash_is_the_last_active_conversation_though_others_are_pinned(target):
    with convostore.open(target) as store:
        store.append_messages("tides", [Message(role="user", parts=(TextPart(text="And now?"),))])
    assert "And now?" in run("show", target, "-").stdout
    assert '"id":"moon"' not in run("export", target, "-").stdout
    assert run("show", target, "-", "--jsonl").stdout.count("\n") == 3


def test_the_last_active_one_is_looked_for_beyond_what_is_pinned():
    pinned = [
        convostore.Conversation(
            id=str(number),
            pinned=True,
            updated_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number),
        )
        for number in range(150)
    ]
    last = convostore.Conversation(id="last", updated_at=datetime(2026, 6, 1, tzinfo=UTC))
    later = itertools.repeat(convostore.Conversation(id="older"))

    class Listed:
        def conversations(self):
            return itertools.chain(pinned, [last], later)

    assert lookup.find_id(Listed(), "-") == "last"


def test_a_dash_of_an_empty_store_is_not_found():
    result = run("show", "memory://empty-of-lookup", "-")
    assert result.exit_code == ExitCode.NOT_FOUND
    assert "no conversation yet" in result.stderr


def test_ask_goes_on_with_the_last_conversation(name):
    run("ask", f"echo://{name}", "--conversation", "tides", "The first")
    run("ask", f"echo://{name}", "-c", "-", "The second")
    with convostore.open(f"memory://{name}") as store:
        assert [message.text for message in store.messages("tides")][-2] == "The second"


def test_what_changes_a_conversation_takes_a_dash(target):
    assert run("rename", target, "-", "New title").exit_code == 0
    with convostore.open(target) as store:
        assert "New title" in {conversation.title for conversation in store.conversations()}


def test_the_beginning_of_an_id_is_enough_for_people(target, person):
    assert "tide?" in run("show", target, "ti").stdout
    assert (
        '"tides"'
        in run("show", target, "ti", "--jsonl").stdout + run("show", target, "ti", "--json").stdout
    )
    assert "tides" in run("export", target, "tid").stdout
    assert run("search", target, "tide", "--in", "tid").stdout.startswith("tides\t")


def test_a_script_needs_the_whole_id(target):
    for words in (("show",), ("export",), ("rename", "x"), ("tag", "a=b")):
        command, *more = words
        assert run(command, target, "tid", *more).exit_code == ExitCode.NOT_FOUND


def test_a_whole_id_wins_over_what_it_is_the_beginning_of(target, person):
    create(target, "tid")
    assert "# Of tid" in run("show", target, "tid").stdout
    assert run("rename", target, "tid", "Renamed").exit_code == 0
    assert "# Renamed" in run("show", target, "tid").stdout


@pytest.mark.parametrize(
    ("command", "more"),
    [("feedback", ["sent", "good"]), ("fork", ["sent"]), ("edit", ["sent", "New"])],
)
def test_an_absent_message_is_not_looked_for_in_a_conversation_with_a_longer_id(
    name, person, command, more
):
    ids = ["user-1", *map(str, range(lookup._LOOKED_THROUGH)), "user-10"]
    create(f"memory://{name}", *ids)
    with convostore.open(f"memory://{name}") as store:
        store.append_messages("user-10", [Message.assistant("Hello", id="sent")])
    before = stored(f"memory://{name}")
    assert run(command, f"memory://{name}", "user-1", *more).exit_code == ExitCode.NOT_FOUND
    with convostore.open(f"memory://{name}") as store:
        message = store.get_message("user-10", "sent")
    assert (message.text, message.feedback) == ("Hello", None)
    assert stored(f"memory://{name}") == before


def test_the_beginning_of_several_lists_them_and_does_nothing(target, person):
    create(target, *[f"tides-{number}" for number in range(7)])
    result = run("rename", target, "tides-", "Renamed")
    assert result.exit_code == ExitCode.USAGE
    *candidates, error = result.stderr.splitlines()
    assert len(candidates) == 6
    assert candidates[-1].strip() == "and 2 more"
    assert "Of tides-6" in candidates[0]
    assert "beginning of 7 ids" in error
    assert "Renamed" not in run("ls", target).stdout


def test_what_is_changed_by_a_beginning_is_said(target, person):
    result = run("pin", target, "tid")
    assert result.exit_code == 0
    assert "tid is tides" in result.stderr


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        (("edit", "ti", "an", "New text"), "New text"),
        (("feedback", "ti", "an", "good"), "feedback: good"),
    ],
)
def test_the_beginning_of_a_messages_id_is_enough_for_people(target, person, words, changed):
    command, *others = words
    assert run(command, target, *others).exit_code == 0
    assert changed in run("show", target, "tides").stdout


def test_a_fork_at_the_beginning_of_an_id_ends_with_that_message(target, person):
    copy = run("fork", target, "tides", "q").stdout.strip()
    with convostore.open(target) as store:
        assert [message.text for message in store.messages(copy)] == ["When is **high** tide?"]


def test_the_beginning_of_several_messages_lists_them(target, person):
    with convostore.open(target) as store:
        store.append_messages("tides", [Message(id="answer-2", role="assistant")])
    result = run("feedback", target, "tides", "ans", "good")
    assert result.exit_code == ExitCode.USAGE
    assert [line.split()[0] for line in result.stderr.splitlines()] == [
        "answer-2",
        "answer",
        "convostore:",
    ]


def test_a_script_needs_the_whole_id_of_a_message(target):
    assert run("feedback", target, "tides", "ans", "good").exit_code == ExitCode.NOT_FOUND


def test_with_yes_the_beginning_of_a_messages_id_deletes_nothing(target, person):
    run("rm", target, "tides", "--message", "ans", "--yes")
    with convostore.open(target) as store:
        assert len(list(store.messages("tides"))) == 2


def test_no_more_than_the_head_of_the_list_is_looked_through(monkeypatch, person):
    asked = []

    class Listed:
        def get_conversation(self, id):
            raise convostore.NotFoundError(id)

        def conversations(self):
            for number in itertools.count():
                asked.append(number)
                yield convostore.Conversation(id=f"c{number}")

    assert lookup.find_id(Listed(), "x") == "x"
    assert len(asked) == 500


@pytest.mark.parametrize(("older", "meant"), [(0, "m10"), (lookup._LOOKED_THROUGH, "m1")])
def test_an_older_message_may_have_the_whole_id_where_the_store_gets_no_single_one(
    person, older, meant
):
    newest = [Message.user("Hi", id="m10")]
    rest = [Message.user("Hi", id=str(number)) for number in range(older)]

    class Listed:
        def offers(self, operation):
            return False

        def messages(self, conversation_id, order):
            return iter([*newest, *rest])

    assert lookup.find_message_id(Listed(), "c", "m1") == meant


@pytest.mark.rim
@on_posix
def test_rm_of_a_beginning_shows_the_whole_id_and_asks():
    session = on_a_terminal("rm", "memory://seeded", "tid", answers=[("[y/N]", "y\n")])
    assert session.status == 0
    assert "(tides, 2 messages" in session.shown


@pytest.mark.parametrize("command", ["rm", "pop"])
def test_with_yes_a_beginning_deletes_nothing(target, person, command):
    result = run(command, target, "tid", "--yes")
    assert "not found" in result.stderr or result.exit_code == ExitCode.NOT_FOUND
    assert stored(target) == {"tides", "moon"}


@pytest.mark.parametrize("command", ["rm", "pop"])
def test_a_delete_names_its_conversation(target, command):
    result = run(command, target, "-", "--yes")
    assert result.exit_code == ExitCode.USAGE
    assert stored(target) == {"tides", "moon"}
