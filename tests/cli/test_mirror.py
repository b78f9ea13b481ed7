"""`mirror`: what it tells of a run, what it asks before, and what it leaves when broken off."""

import json
import signal
import subprocess
import sys

import pytest

import convostore
from convostore.cli._progress import Bar, Progress, progress_bar
from convostore.cli.errors import ExitCode
from convostore.errors import UnavailableError

from ..support.cli import PATIENCE, SEEDED, TAIL, on_a_terminal, on_posix, run

SPECIAL = """
from convostore.adapters import Adapter
from convostore.errors import AuthError, ProtocolError
from convostore.adapters.memory import MemoryAdapter
from convostore.plugins import hookimpl

class Broken(MemoryAdapter):
    name = "broken"

    def list_messages(self, conversation_id, listing):
        if conversation_id == "moon":
            raise ProtocolError("a row\\nis broken")
        if conversation_id == "secret":
            raise AuthError("not for you")
        return super().list_messages(conversation_id, listing)

class Bare(MemoryAdapter):
    name = "bare"
    put_conversation = Adapter.put_conversation
    update_conversation = Adapter.update_conversation

class Reading(MemoryAdapter):
    name = "reading"
    create_conversation = Adapter.create_conversation

class Keeping(MemoryAdapter):
    name = "keeping"
    delete_conversation = Adapter.delete_conversation

@hookimpl
def convostore_adapters():
    return {"broken": Broken, "bare": Bare, "reading": Reading, "keeping": Keeping}
"""

SAMPLE = """
from convostore.plugins import hookimpl
from tests.contract.mutants.sample_service import SampleAdapter

@hookimpl
def convostore_adapters():
    return {"sample": SampleAdapter}
"""


@pytest.fixture
def special(site):
    """Backends over the same memories that do less, or not all is well with."""
    site.install(
        "convostore-special", dict.fromkeys(["broken", "bare", "reading", "keeping"], SPECIAL)
    )


@pytest.fixture
def sample(site):
    """A backend over HTTP."""
    site.install("convostore-sample", {"sample": SAMPLE})


@pytest.fixture
def source(name):
    return f"memory://{name}"


@pytest.fixture
def target(name):
    return f"memory://{name}-copies"


def originals(target):
    with convostore.open(target) as store:
        return {conversation.origin.conversation_id for conversation in store.conversations()}


def test_all_is_copied_and_the_report_says_so(source, target):
    result = run("mirror", source, target)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "conversations: 2 copied, 0 updated, 0 unchanged, 0 deleted; written: 2 messages\n"
    )
    assert originals(target) == {"tides", "moon"}


def test_a_second_run_finds_nothing_to_do(source, target):
    run("mirror", source, target)
    assert "0 copied, 0 updated, 2 unchanged" in run("mirror", source, target).stdout


def test_the_report_as_json(source, target):
    assert json.loads(run("mirror", source, target, "--json").stdout) == {
        "dry_run": False,
        "copied": 2,
        "updated": 0,
        "unchanged": 0,
        "deleted": 0,
        "messages": 2,
        "skipped": [],
        "losses": {},
    }


def test_a_dry_run_tells_the_same_and_writes_nothing(source, target):
    result = run("mirror", source, target, "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.startswith("nothing was written")
    assert "2 copied" in result.stdout
    told = json.loads(run("mirror", source, target, "--dry-run", "--json").stdout)
    assert (told["dry_run"], told["copied"]) == (True, 2)
    assert originals(target) == set()


def test_copies_know_their_source_by_the_name_that_is_given(source, target):
    run("mirror", source, target, "--name", "my chats")
    with convostore.open(target) as store:
        assert {conversation.origin.store for conversation in store.conversations()} == {"my chats"}


def test_what_cannot_be_read_is_skipped_with_its_reason_and_the_status_says_so(
    special, name, target
):
    result = run("mirror", f"broken://{name}", target)
    assert result.exit_code == ExitCode.FAILED
    assert "1 copied" in result.stdout
    assert "skipped: moon: " in result.stdout
    assert "a row is broken" in result.stdout
    (skipped,) = json.loads(run("mirror", f"broken://{name}", target, "--json").stdout)["skipped"]
    assert (skipped["conversation_id"], skipped["error"]) == ("moon", "ProtocolError")
    assert originals(target) == {"tides"}


def test_what_the_target_cannot_hold_is_told(special, source, name):
    result = run("mirror", source, f"bare://{name}-copies")
    assert result.exit_code == 0
    assert "not stored there: conversation.pinned, of 1" in result.stdout
    assert (
        json.loads(run("mirror", source, f"bare://{name}-more", "--json").stdout)["losses"][
            "conversation.pinned"
        ]
        == 1
    )


def test_an_error_of_the_whole_source_ends_it_and_says_how_far_it_came(special, name, target):
    with convostore.open(f"memory://{name}") as store:
        store.create_conversation(id="secret")
    result = run("mirror", f"broken://{name}", target)
    assert result.exit_code == ExitCode.CREDENTIAL
    assert result.stdout == ""
    *_, broken_off, error = result.stderr.splitlines()
    assert broken_off.startswith("interrupted: 2 of 3 conversations, 2 messages; ")
    assert "run it again" in broken_off
    assert "not for you" in error


def test_a_target_that_cannot_be_written_to_is_refused_before_anything_is_read(special, name):
    result = run("mirror", f"memory://{name}", f"reading://{name}-copies")
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.count("\n") == 1
    assert "reading does not offer create_conversation" in result.stderr


def test_a_store_is_not_mirrored_into_itself(source):
    result = run("mirror", source, source)
    assert result.exit_code == ExitCode.FAILED
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--full", "--new-only"),
        ("-O", "timeout"),
        ("-O", "timeout=1"),
        ("-o", "timeout=1"),
        ("--name",),
    ],
)
def test_a_mirror_that_is_wrong_is_one_line_and_a_usage_error(source, target, words):
    result = run("mirror", source, *([target] if words else []), *words)
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.count("\n") == 1


@pytest.mark.rim
def test_each_side_has_options_of_its_own(sample, serve, target):
    service = serve(lambda _: (200, {"chats": []}))
    result = run("mirror", f"sample+{service.url}", target, "-o", "headers=X-One: source")
    assert result.exit_code == 0, result.stderr
    assert service.asked[0].headers["x-one"] == "source"
    refused = run("mirror", f"sample+{service.url}", target, "-O", "headers=X-One: target")
    assert refused.exit_code == ExitCode.USAGE
    assert "memory" in refused.stderr


def test_without_a_word_nothing_is_deleted(source, target):
    run("mirror", source, target)
    run("rm", source, "moon", "--yes")
    assert "0 deleted" in run("mirror", source, target).stdout
    assert originals(target) == {"tides", "moon"}


def test_a_delete_without_a_terminal_needs_to_be_agreed_to(source, target):
    run("mirror", source, target)
    run("rm", source, "moon", "--yes")
    result = run("mirror", source, target, "--delete", input="y\n")
    assert result.exit_code == ExitCode.USAGE
    assert "--yes" in result.stderr
    assert originals(target) == {"tides", "moon"}


def test_a_delete_that_is_agreed_to_follows_the_source(source, target):
    run("mirror", source, target)
    run("rm", source, "moon", "--yes")
    with convostore.open(target) as store:
        store.create_conversation(id="of another source")
    dry = run("mirror", source, target, "--delete", "--dry-run")
    assert (dry.exit_code, "1 deleted" in dry.stdout) == (0, True)
    result = run("mirror", source, target, "--delete", "--yes")
    assert result.exit_code == 0
    assert "1 deleted" in result.stdout
    with convostore.open(target) as store:
        left = list(store.conversations())
    assert {copy.origin and copy.origin.conversation_id for copy in left} == {"tides", None}


@pytest.mark.parametrize("how", ["--yes", "--dry-run"])
def test_the_copies_of_a_source_that_is_suddenly_empty_are_kept(source, target, how):
    run("mirror", source, target)
    run("rm", source, "tides", "moon", "--yes")
    result = run("mirror", source, target, "--delete", how)
    assert result.exit_code == ExitCode.FAILED
    assert "lists no conversations, but the target holds 2 copies" in result.stderr
    assert originals(target) == {"tides", "moon"}


def test_a_target_that_deletes_nothing_is_refused_before_it_is_asked(special, source, name):
    result = run("mirror", source, f"keeping://{name}-copies", "--delete")
    assert result.exit_code == ExitCode.USAGE
    assert "keeping does not offer delete_conversation" in result.stderr


COPIED = """
from convostore.transfer._mirror_api import mirror
with convostore.open("memory://seeded") as source, convostore.open("memory://copies") as target:
    mirror(source, target)
    source.delete_conversation("moon")
    source.create_conversation(id="sun", title="The sun")
    target.create_conversation(
        id="mine", title="Mine", origin=Origin(store="another", conversation_id="mine")
    )
    target.create_conversation(
        id="fork", title="A fork", origin=Origin(store=source.label, conversation_id="earlier")
    )
"""
COUNT = """
import atexit
@atexit.register
def tell():
    with convostore.open("memory://copies") as store:
        print("left:", *sorted(copy.origin.conversation_id for copy in store.conversations()))
"""


@pytest.mark.rim
@on_posix
def test_on_a_terminal_what_would_go_is_shown_before_it_is_asked_about():
    session = on_a_terminal(
        "mirror",
        "memory://seeded",
        "memory://copies",
        "--delete",
        before=COPIED + COUNT,
        answers=[("[y/N] ", "y\n")],
    )
    assert session.status == 0
    assert session.shown.index("The moon") < session.shown.index("[y/N]")
    assert "1 of the copies" in session.shown
    assert "Mine" not in session.shown
    assert "A fork" not in session.shown
    assert "1 deleted" in session.shown
    assert "left: earlier mine sun tides" in session.shown


@pytest.mark.rim
@on_posix
@pytest.mark.parametrize(
    ("reply", "status"), [("n\n", ExitCode.FAILED), (signal.SIGINT, ExitCode.INTERRUPTED)]
)
def test_on_a_terminal_anything_but_yes_writes_nothing(reply, status):
    session = on_a_terminal(
        "mirror",
        "memory://seeded",
        "memory://copies",
        "--delete",
        before=COPIED + COUNT,
        answers=[("[y/N] ", reply)],
    )
    assert session.status == status
    assert "Traceback" not in session.shown
    assert "left: earlier mine moon tides" in session.shown


EMPTIED = """
with convostore.open("memory://seeded") as source:
    for each in list(source.conversations()):
        source.delete_conversation(each.id)
"""


@pytest.mark.rim
@on_posix
def test_on_a_terminal_it_is_not_asked_whether_to_follow_an_empty_source():
    before = COPIED + EMPTIED + COUNT
    session = on_a_terminal(
        "mirror", "memory://seeded", "memory://copies", "--delete", before=before
    )
    assert session.status == ExitCode.FAILED
    assert "lists no conversations" in session.shown
    assert "[y/N]" not in session.shown
    assert "left: earlier mine moon tides" in session.shown


STUCK = """
import asyncio, threading
from convostore import plugins
from convostore.adapters.memory import MemoryAdapter

with convostore.open("memory://seeded") as store:
    for number in range(20):
        store.create_conversation(id=f"{number:02}")

class Stuck(MemoryAdapter):
    name = "stuck"

    def async_transport(self):
        inner, came = super().async_transport(), []
        send = inner.send

        async def stopping(request):
            came.append(request)
            if len(came) > 12:
                print("stuck", file=sys.stderr, flush=True)
                await asyncio.Event().wait()
            return await send(request)

        inner.send = stopping
        return inner

found = plugins.adapter_for
plugins.adapter_for = lambda scheme: Stuck if scheme == "stuck" else found(scheme)
"""


@pytest.mark.rim
@on_posix
def test_an_interrupt_says_how_far_it_came_and_what_to_do():
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            SEEDED + STUCK + TAIL,
            "mirror",
            "stuck://seeded",
            "memory://copies",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process.stdout, process.stderr:
        assert process.stderr.readline() == "stuck\n"
        process.send_signal(signal.SIGINT)
        told = [line for line in process.stderr.read().splitlines() if line != "stuck"]
        assert process.stdout.read() == ""
    assert process.wait(PATIENCE) == ExitCode.INTERRUPTED
    (line,) = told
    assert line.startswith("interrupted: ")
    assert "of 22 conversations" in line
    assert line.endswith("run it again to continue from there")


@pytest.mark.rim
@on_posix
def test_a_terminal_shows_a_bar_and_a_pipe_does_not():
    session = on_a_terminal("mirror", "memory://seeded", "memory://copies")
    assert session.status == 0
    assert "mirroring" in session.shown
    assert "2 of 2 conversations, 2 messages" in session.shown
    assert "2 copied" in session.shown


def test_what_broke_off_before_it_began_says_only_why(capsys):
    with pytest.raises(UnavailableError), progress_bar("mirroring", advice="go on"):
        raise UnavailableError("gone")
    assert capsys.readouterr().err == ""


def test_how_far_it_came_is_kept_for_whoever_asks():
    bar = Bar()
    bar.update(Progress(conversations=1_000, messages=1, total=None))
    assert str(bar.last) == "1,000 conversations, 1 message"
