"""`ask`: one turn, its answer in each form, and what is said when there is none."""

import json
import shlex
import signal
import subprocess
import sys

import pytest

import convostore
from convostore import Message, Source, TextPart, ToolCallPart
from convostore.cli._arguments import Place, command_line
from convostore.cli.chat.plain_view import PipedReply
from convostore.cli.errors import ExitCode
from convostore.models import (
    PartAdded,
    PartsReplaced,
    ReasoningDelta,
    Reply,
    ReplyFinished,
    RunDetailsReported,
    RunStep,
    SourcesFound,
    TextDelta,
)

from ..support.cli import PATIENCE, SEEDED, TAIL, on_a_terminal, on_posix, run
from ..support.tap import END, line, said

MARK = "0123456789abcdef01234567"


@pytest.fixture
def target(name):
    """An echo over the memory that has `tides` and `moon`."""
    return f"echo://{name}"


def stored(target, conversation_id):
    with convostore.open(target) as store:
        return [message.text for message in store.messages(conversation_id)]


def test_the_answer_is_printed_and_nothing_else(target):
    result = run("ask", target, "How *are* you?")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "You said: How *are* you?\n"


def test_what_the_model_thinks_is_not_part_of_the_text(target):
    assert run("ask", target, "think hello").stdout == "You said: hello\n"


@pytest.mark.parametrize("words", [(), ("-",)])
def test_what_is_said_may_come_through_a_pipe(target, words):
    result = run("ask", target, *words, input="one\ntwo\n")
    assert result.stdout == "You said: one\ntwo\n"


def test_what_is_piped_in_stands_below_the_text(target):
    result = run("ask", target, "Explain this:", input="\n  one\ntwo\n\n")
    assert result.stdout == "You said: Explain this:\n\n  one\ntwo\n"


@pytest.mark.parametrize("piped", ["", " \n\n"])
def test_an_empty_pipe_adds_nothing_to_the_text(target, piped):
    assert run("ask", target, "Hello", input=piped).stdout == "You said: Hello\n"


def test_a_turn_goes_to_the_conversation_that_is_named(target):
    assert run("ask", target, "hello", "--conversation", "moon").exit_code == 0
    assert stored(target, "moon") == ["hello", "You said: hello"]


def test_without_a_name_it_is_a_new_conversation_each_time(target):
    first = json.loads(run("ask", target, "hello", "--json").stdout)["conversation_id"]
    second = json.loads(run("ask", target, "hello", "--json").stdout)["conversation_id"]
    assert first != second
    assert stored(target, first) == ["hello", "You said: hello"]


def test_json_is_the_reply_with_the_ids_that_other_commands_take(target):
    found = json.loads(run("ask", target, "hello", "--conversation=moon", "--json").stdout)
    reply = Reply(**found)
    assert reply.text == "You said: hello"
    assert run("feedback", target, "moon", reply.message.id, "good").exit_code == 0
    assert "raw" not in found["message"]
    assert "raw" in json.loads(run("ask", target, "hello", "--json", "--raw").stdout)["message"]


def test_events_are_a_line_each_and_the_last_has_the_reply(target):
    lines = run("ask", target, "think hello", "--events").stdout.splitlines()
    events = [json.loads(line) for line in lines]
    kinds = [event["kind"] for event in events]
    assert kinds[0] == "reasoning_delta"
    assert kinds[-1] == "reply_finished"
    text = "".join(event["text"] for event in events if event["kind"] == "text_delta")
    assert text == events[-1]["reply"]["message"]["parts"][1]["text"]


@pytest.mark.rim
@pytest.mark.parametrize("raw", [True, False])
def test_raw_is_in_events_only_when_it_is_asked_for(tap, raw):
    service, dsn = tap
    inner = RunStep(name="inner", raw={"a": 1})
    service.pieces = [
        line(SourcesFound(sources=(Source(title="t", raw={"a": 1}),))),
        line(RunDetailsReported(steps=(RunStep(name="outer", steps=(inner,), raw={"a": 1}),))),
        END,
    ]
    found = run("ask", dsn, "hello", "--events", *(["--raw"] if raw else []))
    assert found.exit_code == 0, found.stderr
    sources, steps, finished = map(json.loads, found.stdout.splitlines())
    for each in (
        sources["sources"][0],
        steps["steps"][0],
        steps["steps"][0]["steps"][0],
        finished["reply"]["message"],
        finished["reply"]["run_details"][0]["steps"][0],
    ):
        assert ("raw" in each) is raw


def test_a_file_is_given_by_its_address(target):
    url = "https://example.org/tables/high%20tide.pdf?signed=1"
    result = run("ask", target, "Read this", "--file", url, "--conversation=moon")
    assert result.exit_code == 0, result.stderr
    with convostore.open(target) as store:
        question = next(store.messages("moon"))
    text, file = question.parts
    assert text.text == "Read this"
    assert (file.name, file.url, file.media_type) == ("high tide.pdf", url, "application/pdf")


def test_a_question_is_told_with_the_way_to_answer_it_and_a_status_of_its_own(target):
    asked = run("ask", target, "choose red blue", "--conversation=moon")
    assert asked.exit_code == ExitCode.ASKED
    assert asked.stdout == ""
    prompt, *options, way = asked.stderr.splitlines()
    assert (prompt, options) == ("Which one?", ["  red", "  blue"])
    words = shlex.split(way.partition(": convostore ")[2].replace("…", "blue"))
    answered = run(*words)
    assert (answered.exit_code, answered.stdout) == (0, "You said blue.\n")


def test_a_form_is_answered_by_an_object(target):
    asked = run("ask", target, "fill in name age", "--conversation=moon")
    assert asked.exit_code == ExitCode.ASKED
    assert "  name: text, required" in asked.stderr
    answer = json.dumps({"name": "Ann", "age": 7})
    answered = run("ask", target, "--conversation=moon", "--answer", answer)
    assert answered.stdout == "You said name is Ann, age is 7.\n"


def test_a_question_in_json_has_the_same_status(target):
    asked = run("ask", target, "choose red blue", "--json")
    assert asked.exit_code == ExitCode.ASKED
    assert json.loads(asked.stdout)["message"]["parts"][-1]["options"][1]["value"] == "blue"


def test_an_answer_that_does_not_fit_is_refused_and_the_question_stays(target):
    run("ask", target, "choose red blue", "--conversation=moon")
    refused = run("ask", target, "--conversation=moon", "--answer", "green")
    assert refused.exit_code == ExitCode.FAILED
    assert refused.stderr.count("\n") == 1
    assert run("ask", target, "--conversation=moon", "--answer", "red").exit_code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("hello", "--json", "--events"),
        ("hello", "--raw"),
        ("",),
        (" \n",),
        (),
        ("hello", "--answer", "red"),
        ("--answer", "red"),
        ("--resume", "turn"),
        ("--answer", "red", "--resume", "turn", "--conversation=moon"),
        ("--resume", "turn", "--conversation=moon", "-t", "a=1"),
        ("--answer", "red", "--conversation=moon", "--file", "https://example.org/a"),
        ("hello", "--file", "/etc/hostname"),
        ("hello", "--file", "notes.txt"),
        ("hello", "--conversation="),
        ("hello", "-t", "depth"),
        ("hello", "-t", "depth=1"),
        ("hello", "-t", "turn_id=1"),
        ("hello", "-t", "a=1", "-t", "a=2"),
    ],
)
def test_what_cannot_be_asked_is_one_line_and_a_usage_error_and_nothing_is_sent(target, words):
    result = run("ask", target, *words)
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.startswith("convostore: ")
    assert result.stderr.count("\n") == 1
    with convostore.open(target) as store:
        assert {conversation.id for conversation in store.conversations()} == {"tides", "moon"}


def test_what_is_no_text_is_not_sent(target):
    result = run("ask", target, input=b"\xff\xfe\x00")
    assert result.exit_code == ExitCode.USAGE
    assert "must be text" in result.stderr


def test_a_backend_that_does_not_answer_is_a_usage_error(name):
    result = run("ask", f"memory://{name}", "hello")
    assert result.exit_code == ExitCode.USAGE
    assert "memory does not offer stream_reply" in result.stderr


TURN_OPTIONS = """
from convostore.adapters.echo import EchoAdapter
from convostore.plugins import hookimpl
from convostore.adapters import AdapterOptions
from convostore.adapters import Turn
from convostore.models import TextPart
from dataclasses import replace

class Choosy(EchoAdapter):
    name = "choosy"

    class ReplyOptions(AdapterOptions):
        model: str = "none"
        variables: dict = {}

    def stream_reply(self, turn):
        said = TextPart(text=f"{turn.options.model} {turn.options.variables}")
        return super().stream_reply(replace(turn, content=(said,)))

@hookimpl
def convostore_adapters():
    return {"choosy": Choosy}
"""


def test_options_of_a_turn_are_json_or_else_texts(site):
    site.install("convostore-choosy", {"choosy": TURN_OPTIONS})
    words = ("-t", "model=small", "-t", 'variables={"a": [1]}')
    assert run("ask", "choosy://", "?", *words).stdout == "You said: small {'a': [1]}\n"


def test_options_may_say_it_all(site):
    site.install("convostore-choosy", {"choosy": TURN_OPTIONS})
    assert run("ask", "choosy://", "", "-t", "model=small").stdout == "You said: small {}\n"


@pytest.mark.rim
def test_a_reply_that_breaks_off_leaves_what_came_and_says_how_to_look_for_the_rest(tap):
    service, dsn = tap
    service.pieces = said("High tide ", "is at")
    result = run("ask", dsn, "When?")
    assert result.exit_code == ExitCode.FAILED
    assert result.stdout == "High tide is at\n"
    way, error = result.stderr.splitlines()
    assert error.startswith("convostore: ")
    assert "try again" not in error
    service.stored = {"parts": [{"kind": "text", "text": "High tide is at six."}]}
    found = run(*shlex.split(way.partition(": convostore ")[2]))
    assert (found.exit_code, found.stdout) == (0, "High tide is at six.\n")
    assert service.asked == ["When?"]


def test_of_an_answer_that_failed_it_is_not_said_that_it_goes_on(name):
    place = f"echo://{name}"
    way = run("ask", place, "--conversation=moon", "fail").stderr.splitlines()[0]
    result = run(*shlex.split(way.partition(": convostore ")[2]))
    assert result.exit_code == ExitCode.FAILED
    assert "goes on" not in result.stderr
    assert f"convostore show {place} moon" in result.stderr


@pytest.mark.rim
@on_posix
def test_on_a_full_disk_it_is_told_how_to_look_for_the_answer():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-c", SEEDED + TAIL, "ask", "echo://seeded", "hello"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    way, error = done.stderr.splitlines()
    assert done.returncode == ExitCode.FAILED
    assert "--resume=" in way
    assert error.startswith("convostore: No space left")


@pytest.mark.rim
def test_what_is_garbled_is_an_error_with_the_same_way_out(tap):
    service, dsn = tap
    service.pieces = [*said("High tide"), b"{garbled\n", END]
    result = run("ask", dsn, "When?")
    assert (result.exit_code, result.stdout) == (ExitCode.FAILED, "High tide\n")
    assert "--resume=" in result.stderr
    assert service.asked == ["When?"]


@pytest.mark.rim
def test_a_document_of_json_is_whole_or_not_there(tap):
    service, dsn = tap
    service.pieces = said("High tide")
    result = run("ask", dsn, "When?", "--json")
    assert (result.exit_code, result.stdout) == (ExitCode.FAILED, "")
    assert "--resume=" in result.stderr


def test_a_turn_that_did_not_arrive_is_not_found(target):
    result = run("ask", target, "--conversation=moon", "--resume=nothing")
    assert result.exit_code == ExitCode.NOT_FOUND


@pytest.mark.rim
def test_what_was_refused_is_not_looked_for(tap, target):
    result = run("ask", target, "--conversation=moon", "--answer", "red")
    assert result.exit_code == ExitCode.FAILED
    assert "--resume" not in result.stderr


@pytest.mark.rim
@pytest.mark.parametrize("status", ["failed", "generating"])
def test_an_answer_that_is_not_whole_is_printed_and_the_status_says_so(tap, status):
    service, dsn = tap
    service.pieces = [*said("High"), END]
    service.stored = {"parts": [{"kind": "text", "text": "High"}], "status": status}
    result = run("ask", dsn, "When?")
    assert (result.exit_code, result.stdout) == (ExitCode.FAILED, "High\n")
    assert status in result.stderr


@pytest.mark.rim
def test_a_secret_of_the_target_is_in_no_advice(tap):
    service, dsn = tap
    service.pieces = said("High")
    dsn = dsn.replace("://", "://me:s3cr3t@")
    result = run("ask", dsn, "When?", "-o", "headers=X-Key: s3cr3t")
    assert "--resume=" in result.stderr
    assert "-o 'headers=…'" in result.stderr
    assert "s3cr3t" not in result.output


def test_ids_that_look_like_options_are_told_so_that_they_can_be_typed():
    place = Place("my store", ["a=1"])
    assert command_line("show", place, "-id") == "convostore show -o 'a=…' -- 'my store' -id"


def finished(message):
    return ReplyFinished(reply=Reply(conversation_id="c", turn_id="t", message=message))


def piped(capsys, *events):
    with PipedReply() as reply:
        for event in events:
            reply.show(event)
    return capsys.readouterr()


def deltas(text, size=1):
    return [TextDelta(text=text[at : at + size]) for at in range(0, len(text), size)]


@pytest.mark.parametrize("size", [1, 5, 26, 100])
def test_sources_are_numbered_in_a_pipe_however_the_text_is_cut(capsys, size):
    text = f"At six[{MARK}](CITE), or [later]."
    sources = (Source(title="Moon", mark="0" * 24), Source(title="Tide table", mark=MARK))
    message = Message(role="assistant", parts=(TextPart(text=text),), sources=sources)
    shown = piped(capsys, *deltas(text, size), finished(message))
    assert shown.out == "At six[1], or [later].\n"
    assert shown.err == "[2] Moon\n[1] Tide table\n"


def test_texts_with_something_between_are_lines_of_their_own_as_in_the_message(capsys):
    call = PartAdded(part=ToolCallPart(id="1", name="look", arguments="{}"))
    events = [*deltas("one"), call, ReasoningDelta(text="hm"), *deltas("two")]
    assert piped(capsys, *events).out == "one\ntwo\n"


def test_a_text_that_goes_on_after_it_was_replaced_is_not_written_twice(capsys):
    replaced = PartsReplaced(parts=(TextPart(text="one two"),))
    shown = piped(capsys, *deltas("one"), replaced, *deltas(" three"))
    assert (shown.out, shown.err) == ("one two three\n", "")


def test_a_text_that_is_taken_back_is_written_anew_and_that_is_said(capsys):
    replaced = PartsReplaced(parts=(TextPart(text="two"),))
    shown = piped(capsys, *deltas("one"), replaced)
    assert shown.out == "one\ntwo\n"
    assert "withdrew" in shown.err


def test_no_control_character_of_an_answer_gets_through(capsys):
    shown = piped(capsys, *deltas("a\r\nb\x1b[2J\u202ec\r"))
    assert shown.out == "a\nb�[2J�c�\n"


def test_sources_command_nothing_either(capsys):
    source = Source(title="\x1b[2J", url="https://example.org/\x07", mark="1")
    message = Message(role="assistant", parts=(TextPart(text="a"),), sources=(source,))
    assert "\x1b" not in piped(capsys, finished(message)).err


@pytest.mark.rim
@on_posix
def test_on_a_terminal_markdown_is_rendered_and_the_way_to_go_on_told():
    session = on_a_terminal("ask", "echo://seeded", "some **bold** words", "--conversation=moon")
    assert session.status == 0
    assert "\x1b[1mbold\x1b[0m" in session.shown
    assert "To continue: convostore ask --conversation=moon echo://seeded" in session.shown


@pytest.mark.rim
@on_posix
def test_ctrl_c_ends_it_and_tells_how_to_look_for_the_answer(tap, site, monkeypatch):
    service, dsn = tap
    monkeypatch.setenv("PYTHONPATH", str(site.folder))
    service.pieces, service.stays = said("High tide"), True
    session = on_a_terminal("ask", dsn, "When?", answers=[("High tide", signal.SIGINT)])
    assert session.status == ExitCode.INTERRUPTED
    assert "the service continues" in session.shown
    assert "--resume=" in session.shown
    assert "Traceback" not in session.shown
    assert service.asked == ["When?"]
