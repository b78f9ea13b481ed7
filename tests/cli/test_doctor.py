"""`plugins`, `doctor` and `completion`: what is installed, whether it works."""

import json
import os
import subprocess
import sys

import pytest

from convostore import Operation
from convostore.adapters import OPERATIONS
from convostore.cli.errors import ExitCode

from ..support.cli import PATIENCE, TAIL, on_a_terminal, on_posix, run

SAMPLE = """
from convostore.plugins import hookimpl
from tests.contract.mutants.sample_service import SampleAdapter

@hookimpl
def convostore_adapters():
    return {"sample": SampleAdapter}
"""
BROKEN = "raise ImportError('no such room\\nand no floor')"


@pytest.fixture
def sample(site):
    site.install("convostore-sample", {"sample": SAMPLE}, version="2.0")


def answering(serve, *answer):
    return f"sample+{serve(lambda _: answer).url}?retries=0"


def test_plugins_are_a_line_each_with_what_they_offer(sample):
    result = run("plugins")
    assert result.exit_code == 0
    echo, memory, sample = (line.split("\t") for line in result.stdout.splitlines())
    assert echo[:2] == ["echo", "convostore"]
    assert memory[:2] == ["memory", "convostore"]
    assert sample[:4] == ["sample", "convostore-sample", "2.0", "loads"]
    assert "delete_conversation" in sample[4].split(",")
    assert "clear_conversations" not in sample[4].split(",")


def test_a_plugin_that_does_not_load_says_why_and_hides_no_other(sample, site):
    site.install("convostore-broken", {"broken": BROKEN})
    result = run("plugins")
    assert result.exit_code == 0
    broken, *others = result.stdout.splitlines()
    assert "no such room and no floor" in broken
    assert len(others) == 3


def test_plugins_as_json(sample, site):
    site.install("convostore-broken", {"broken": BROKEN})
    broken, _, memory, sample = json.loads(run("plugins", "--json").stdout)
    assert (broken["loads"], broken["offers"]) == (False, [])
    assert "no such room" in broken["problem"]
    assert (memory["loads"], memory["problem"]) == (True, None)
    assert sample["distribution"] == "convostore-sample"


@pytest.mark.rim
@on_posix
def test_plugins_on_a_terminal_are_a_table():
    session = on_a_terminal("plugins", width=120)
    assert session.status == 0
    assert "✓" in session.shown
    assert "rename and pin" in session.shown


def test_doctor_finds_all_well():
    result = run("doctor", "memory://")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line[0] for line in lines[:3]] == ["✓", "✓", "✓"]
    offered, lacking = lines[3:]
    assert offered.startswith("✓ offers      read, create, append, ")
    assert lacking == (
        "- lacks       show run details, suggest questions, chat, answer interactions, "
        "resume replies"
    )


def test_doctor_and_plugins_have_words_for_every_operation():
    shown = ", ".join(OPERATIONS[operation].words for operation in Operation)
    offered, lacking = (
        line.split(maxsplit=2)[2] for line in run("doctor", "memory://").stdout.splitlines()[3:]
    )
    assert {*shown.split(", ")} == {*offered.split(", "), *lacking.split(", ")}


def test_doctor_as_json():
    found = json.loads(run("doctor", "memory://", "--json").stdout)
    assert found["ok"] is True
    assert found["error"] is None
    assert found["offers"]["list_messages"] is True
    assert found["offers"]["suggest_questions"] is False


@pytest.mark.rim
@pytest.mark.parametrize(
    ("answer", "reachable", "understood", "accepted"),
    [
        ((200, {"chats": []}), True, True, True),
        ((401, {"message": "no such key"}), True, None, False),
        ((403, {"message": "not yours"}), True, None, False),
        ((404, b"<html>", {"Content-Type": "text/html"}), True, False, None),
        ((200, b"<html>", {"Content-Type": "text/html"}), True, False, None),
        ((429, {}), True, None, None),
        ((500, {}), True, False, None),
        ((503, {}), False, None, None),
    ],
)
def test_doctor_tells_apart_what_is_wrong(sample, serve, answer, reachable, understood, accepted):
    dsn = answering(serve, *answer)
    result = run("doctor", dsn, "--json")
    found = json.loads(result.stdout)
    assert (found["reachable"], found["understood"], found["accepted"]) == (
        reachable,
        understood,
        accepted,
    )
    assert result.exit_code == (0 if accepted else ExitCode.FAILED)
    assert found["ok"] is (result.exit_code == 0)
    lines = run("doctor", dsn).stdout.splitlines()
    marks = {True: "✓", False: "✗", None: "-"}
    assert [line[0] for line in lines[:3]] == [marks[reachable], marks[understood], marks[accepted]]
    assert not found["error"] or any(found["error"] in line for line in lines[:3])


@pytest.mark.rim
def test_doctor_of_a_port_where_nobody_listens(sample, serve):
    service = serve(lambda _: (200, {}))
    dsn = f"sample+http://127.0.0.1:{service.port}"
    assert json.loads(run("doctor", dsn, "--json").stdout)["reachable"] is True
    closed = run("doctor", "sample+http://127.0.0.1:1", "-o", "retries=0")
    assert closed.exit_code == ExitCode.FAILED
    assert closed.stdout.startswith("✗ reachable")


MOVING = """
from convostore import Conversation, Message, NotFoundError, Page, ProtocolError, UnavailableError
from convostore.adapters.memory import MemoryAdapter
from convostore.models import Problem
from convostore.plugins import hookimpl
from convostore.serialization import is_damage

ERRORS = {"gone": NotFoundError, "broken": ProtocolError, "away": UnavailableError}
DAMAGE = Problem(where="parts", what="is damaged in the store, as a test")
assert is_damage(DAMAGE)

class Moving(MemoryAdapter):
    name = "moving"

    def list_conversations(self, listing):
        yield lambda: None
        return Page(items=tuple([Conversation(id=each) for each in ("before", "it", "after")]))

    def list_messages(self, conversation_id, listing):
        yield lambda: None
        if conversation_id == "it":
            raise ERRORS[self.dsn.host]("it is so")
        return Page(items=(Message(id="m", role="user", problems=(DAMAGE,)),))

@hookimpl
def convostore_adapters():
    return {"moving": Moving}
"""


@pytest.fixture
def moving(site):
    """`moving://gone` has a conversation whose messages are a `NotFoundError`, and so on."""
    site.install("convostore-moving", {"moving": MOVING})


def diagnosed(dsn):
    result = run("doctor", dsn, "--json")
    assert result.exit_code == ExitCode.FAILED
    assert not result.stderr
    return json.loads(result.stdout)


def test_doctor_passes_over_a_conversation_that_is_deleted_while_it_reads(moving):
    found = diagnosed("moving://gone")
    assert [each["conversation_id"] for each in found["damaged"]] == ["before", "after"]
    assert found["error"] is None


def test_doctor_names_a_conversation_that_cannot_be_read_and_reads_the_others(moving):
    found = diagnosed("moving://broken")
    assert [each["conversation_id"] for each in found["damaged"]] == ["before", "it", "after"]
    assert found["damaged"][1]["problems"] == ["it is so"]
    assert found["error"] is None


def test_doctor_diagnoses_what_ends_its_reading_and_keeps_what_it_found(moving):
    found = diagnosed("moving://away")
    assert [each["conversation_id"] for each in found["damaged"]] == ["before"]
    assert (found["reachable"], found["error"], found["ok"]) == (False, "it is so", False)


def test_doctor_of_what_cannot_be_opened_is_a_usage_error():
    result = run("doctor", "unheard-of://x")
    assert result.exit_code == ExitCode.USAGE
    assert "unheard-of" in result.stderr


@pytest.mark.rim
def test_marks_are_plain_where_the_output_has_no_others():
    code = "import sys; sys.argv[1:] = ['doctor', 'memory://']" + TAIL
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stdout.startswith("ok reachable")
