"""`rename`, `pin` and `feedback`: what they change, and what they refuse."""

import pytest

import convostore
from convostore import Feedback
from convostore.cli.errors import ExitCode

from ..support.cli import run, seeded


@pytest.fixture
def target():
    return f"memory://{seeded()}"


def conversation(target, conversation_id):
    with convostore.open(target) as store:
        return store.get_conversation(conversation_id)


def rated(target):
    with convostore.open(target) as store:
        return list(store.messages("tides"))[1].feedback


def test_rename_gives_another_title(target):
    result = run("rename", target, "tides", "潮汐 [bold]")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert conversation(target, "tides").title == "潮汐 [bold]"


def test_a_title_may_begin_with_a_dash_behind_two(target):
    assert run("rename", target, "tides", "--", "--debug").exit_code == 0
    assert conversation(target, "tides").title == "--debug"


def test_pin_pins_and_lets_go(target):
    assert run("pin", target, "tides").exit_code == 0
    assert conversation(target, "tides").pinned
    assert run("pin", target, "tides", "--unpin").exit_code == 0
    assert not conversation(target, "tides").pinned


@pytest.mark.parametrize("rating", ["good", "bad"])
def test_feedback_is_set(target, rating):
    result = run("feedback", target, "tides", "answer", rating)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert rated(target) == Feedback(rating=rating)


def test_feedback_may_have_a_comment(target):
    run("feedback", target, "tides", "answer", "bad", "--comment", "Too long.")
    assert rated(target) == Feedback(rating="bad", comment="Too long.")


def test_feedback_is_taken_back(target):
    run("feedback", target, "tides", "answer", "good")
    assert run("feedback", target, "tides", "answer", "--clear").exit_code == 0
    assert rated(target) is None


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("good", "--clear"),
        ("great",),
        ("--clear", "--comment", "why"),
        ("--comment", "why"),
    ],
)
def test_feedback_that_says_nothing_or_two_things_is_refused(target, words):
    run("feedback", target, "tides", "answer", "good")
    result = run("feedback", target, "tides", "answer", *words)
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.count("\n") == 1
    assert rated(target) == Feedback(rating="good")


def test_fork_makes_a_new_conversation_and_prints_its_id(target):
    result = run("fork", target, "tides", "question")
    assert (result.exit_code, result.stderr) == (0, "")
    made = result.stdout.strip()
    assert made not in {"tides", "moon"}
    assert conversation(target, made).title == conversation(target, "tides").title
    with convostore.open(target) as store:
        assert [message.id for message in store.messages(made)] == ["question"]
        assert [message.id for message in store.messages("tides")] == ["question", "answer"]


@pytest.mark.parametrize("title", ["Another way", ""])
def test_a_fork_may_have_a_title_of_its_own(target, title):
    made = run("fork", target, "tides", "answer", "--title", title).stdout.strip()
    assert conversation(target, made).title == title


@pytest.mark.parametrize(
    "command",
    [
        ("fork", "nothing", "answer"),
        ("fork", "tides", "nothing"),
        ("rename", "nothing", "title"),
        ("pin", "nothing"),
        ("feedback", "nothing", "answer", "good"),
        ("feedback", "tides", "nothing", "good"),
    ],
)
def test_changing_what_is_absent_has_a_status_of_its_own(target, command):
    first, *more = command
    result = run(first, target, *more)
    assert result.exit_code == ExitCode.NOT_FOUND
    assert "nothing" in result.stderr
