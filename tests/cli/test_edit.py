"""The commands that change a conversation or a message: what they change, and what they refuse."""

import pytest

import convostore
from convostore import Feedback, FilePart, Message, TextPart, ToolCallPart
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


def test_assign_gives_an_owner_and_takes_it_away(target):
    assert run("assign", target, "tides", "ann").exit_code == 0
    assert conversation(target, "tides").owner == "ann"
    assert run("assign", target, "tides", "--clear").exit_code == 0
    assert conversation(target, "tides").owner is None
    assert run("assign", target, "tides").exit_code == ExitCode.USAGE


def test_tag_merges_values_and_takes_them_away(target):
    assert run("tag", target, "tides", "project=sea", "stars=5", "note=a=b").exit_code == 0
    assert conversation(target, "tides").metadata == {"project": "sea", "stars": 5, "note": "a=b"}
    assert run("tag", target, "tides", "stars=", 'note=""').exit_code == 0
    assert conversation(target, "tides").metadata == {"project": "sea", "note": ""}
    assert run("tag", target, "tides", "project").exit_code == ExitCode.USAGE


@pytest.mark.parametrize("words", [("At seven.",), ("-",), ()])
def test_edit_replaces_the_text_of_a_message_and_keeps_the_rest(target, words):
    with convostore.open(target) as store:
        file, call = FilePart(name="tide.pdf"), ToolCallPart(name="look")
        parts = (file, TextPart(text="one"), call, TextPart(text="two"))
        store.append_messages("tides", [Message(id="m", role="assistant", parts=parts)])
        store.set_feedback("tides", "m", Feedback(rating="good"))
    assert run("edit", target, "tides", "m", *words, input="At seven.\n").exit_code == 0
    with convostore.open(target) as store:
        edited = store.get_message("tides", "m")
    assert edited.parts == (file, TextPart(text="At seven."), call)
    assert edited.feedback == Feedback(rating="good")
    assert run("edit", target, "tides", "m", *words[1:], input="\n").exit_code == ExitCode.USAGE
    with convostore.open(target) as store:
        assert store.get_message("tides", "m") == edited


def test_edit_overwrites_nothing_that_somebody_else_wrote_meanwhile(target, monkeypatch):
    def edit_meanwhile(message, text):
        theirs = message.model_copy(update={"parts": (TextPart(text="theirs"),)})
        with convostore.open(target) as store:
            store.update_message("tides", theirs)
        return (TextPart(text=text),)

    monkeypatch.setattr("convostore.cli.commands.edit._with_text", edit_meanwhile)
    result = run("edit", target, "tides", "answer", "ours")
    assert result.exit_code != 0
    assert "was changed" in result.stderr
    with convostore.open(target) as store:
        assert store.get_message("tides", "answer").text == "theirs"


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
        ("assign", "nothing", "ann"),
        ("tag", "nothing", "key=value"),
        ("edit", "tides", "nothing", "text"),
        ("feedback", "nothing", "answer", "good"),
        ("feedback", "tides", "nothing", "good"),
    ],
)
def test_changing_what_is_absent_has_a_status_of_its_own(target, command):
    first, *more = command
    result = run(first, target, *more)
    assert result.exit_code == ExitCode.NOT_FOUND
    assert "nothing" in result.stderr
