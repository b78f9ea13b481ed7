"""Errors of commands: one line and an exit code for each, and no secret in any."""

import re
import signal
import subprocess
import sys
import threading

import pytest

from convostore import errors
from convostore.cli.errors import ExitCode, error_text
from convostore.http import Response
from convostore.testing.loopback import serve as serve_loopback

from ..support.cli import (
    PATIENCE,
    SEEDED,
    SILENCE,
    TAIL,
    child,
    on_a_terminal,
    on_posix,
    run,
    seeded,
)

pytestmark = pytest.mark.rim

FAILING = """
from convostore import errors
from convostore.adapters.memory import MemoryAdapter
from convostore.plugins import hookimpl

class Failing(MemoryAdapter):
    name = "failing"

    def list_conversations(self, listing):
        kind = getattr(errors, self.dsn.host, None) or RuntimeError
        raise kind("it is so\\nfor a reason")

@hookimpl
def convostore_adapters():
    return {"failing": Failing}
"""
SECRET = "s3cr3t-that-nobody-may-see"


@pytest.fixture
def failing(site, monkeypatch):
    """`failing://NotFoundError` raises that; a DSN's host comes in small letters."""
    site.install("convostore-failing", {"failing": FAILING})
    for name in errors.__all__:
        monkeypatch.setattr(errors, name.lower(), getattr(errors, name), raising=False)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("ConfigError", ExitCode.USAGE),
        ("PluginError", ExitCode.USAGE),
        ("UnsupportedError", ExitCode.USAGE),
        ("NotFoundError", ExitCode.NOT_FOUND),
        ("ConflictError", ExitCode.FAILED),
        ("InvalidError", ExitCode.FAILED),
        ("AuthError", ExitCode.CREDENTIAL),
        ("RateLimitError", ExitCode.FAILED),
        ("UnavailableError", ExitCode.FAILED),
        ("ProtocolError", ExitCode.FAILED),
    ],
)
def test_each_kind_of_error_has_its_status_and_one_line(failing, kind, status):
    result = run("ls", f"failing://{kind}")
    assert result.exit_code == status
    assert result.stderr.startswith("convostore: ")
    assert result.stderr.count("\n") == 1
    assert "it is so for a reason" in result.stderr or kind == "UnsupportedError"


@pytest.mark.parametrize(
    ("words", "command"),
    [(("show", "absent"), "ls"), (("feedback", "tides", "absent", "good"), "show")],
)
def test_an_absent_conversation_is_looked_for_in_ls_and_an_absent_message_in_show(words, command):
    first, *rest = words
    result = run(first, f"memory://{seeded()}", *rest)
    assert result.exit_code == ExitCode.NOT_FOUND
    assert f"'convostore {command}' lists what is there" in result.stderr


PLAIN = """
from convostore.adapters import Traits
from convostore.adapters.memory import MemoryAdapter
from convostore.plugins import hookimpl

class Plain(MemoryAdapter):
    name = "plain"
    traits = Traits(changes=frozenset({"title"}))

@hookimpl
def convostore_adapters():
    return {"plain": Plain}
"""
_BY_OWNER = "filter conversations by owner: leave out --owner or --without-owner"


@pytest.fixture
def plain(site):
    """`plain://` has no owners, no pins, and only one order of lists."""
    site.install("convostore-plain", {"plain": PLAIN})


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("ls", "plain://", "--owner", "ann"), f"plain cannot {_BY_OWNER}"),
        (("ls", "plain://", "--without-owner"), f"plain cannot {_BY_OWNER}"),
        (("search", "plain://", "--owner", "ann", "x"), f"plain cannot {_BY_OWNER}"),
        (("rm", "plain://", "--owner", "ann", "--yes"), f"plain cannot {_BY_OWNER}"),
        (
            ("ls", "plain://", "--reverse"),
            "plain cannot list conversations oldest first: leave out --reverse",
        ),
        (
            ("ls", "plain://", "--start", "c"),
            "plain cannot begin a page of conversations at an id: leave out --start",
        ),
        (
            ("fork", "plain://", "c", "m", "--owner", "ann"),
            "plain cannot set a conversation's owner: leave out --owner",
        ),
        (("assign", "plain://", "c", "ann"), "plain cannot set a conversation's owner"),
        (("tag", "plain://", "c", "k=v"), "plain cannot set a conversation's metadata"),
        (("pin", "plain://", "c"), "plain cannot set a conversation's pinned"),
    ],
)
def test_an_option_that_the_backend_does_not_support_is_named_with_what_to_do(plain, words, text):
    result = run(*words)
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr == f"convostore: {text}\n"


def test_an_import_with_an_owner_names_the_option_that_its_target_does_not_support(plain, tmp_path):
    file = tmp_path / "saved.jsonl"
    file.touch()
    result = run("import", str(file), "plain://here", "--owner", "ann")
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr == (
        "convostore: plain://here cannot set a conversation's owner: leave out --owner\n"
    )


def test_what_nobody_foresaw_is_one_line_too(failing):
    result = run("ls", "failing://bug")
    assert result.exit_code == ExitCode.FAILED
    assert result.stderr == (
        "convostore: unexpected RuntimeError: --debug shows where it was raised\n"
    )


@pytest.mark.parametrize("place", [0, 1, 2])
def test_debug_shows_where_an_error_comes_from_wherever_it_stands(failing, place):
    words = ["ls", "failing://AuthError"]
    words.insert(place, "--debug")
    result = run(*words)
    assert result.exit_code == ExitCode.CREDENTIAL
    assert "Traceback" in result.stderr
    assert "in list_conversations" in result.stderr
    assert result.stderr.splitlines()[-1] == "convostore: it is so for a reason"


@pytest.mark.parametrize("target", ["unheard-of://x", "no-profile", "perplexica+http://x?timeot=1"])
def test_a_wrong_target_is_one_line_and_a_usage_error(target):
    result = run("ls", target)
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.startswith("convostore: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("lst",),
        ("ls",),
        ("ls", "memory://", "more"),
        ("ls", "memory://", "--unheard-of"),
        ("ls", "memory://", "--limit", "0"),
        ("ls", "memory://", "--limit", "many"),
        ("ls", "memory://", "-o"),
        ("ls", "memory://", "-o", "timeout"),
        ("ls", "memory://", "-o", "=1"),
        ("ls", "memory://", "-o", "timeout=1"),
        ("ls", "memory://", "-o", "a=1", "-o", "a=2"),
        ("ls", "memory://", "-o", "transport=x"),
        ("ls", "memory://", "-o", "target=x"),
        ("--unheard-of",),
    ],
)
def test_a_command_line_that_is_wrong_is_one_line_and_a_usage_error(words):
    result = run(*words)
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.startswith("convostore: ")
    assert result.stderr.count("\n") == 1
    assert not result.stdout


def test_a_usage_error_leads_to_the_help_of_its_command():
    assert "see convostore ls --help" in run("ls").stderr
    assert "see convostore --help" in run("lst").stderr


def test_options_reach_the_backend_and_win_over_the_dsn(serve, site):
    site.install("convostore-sample", {"sample": SAMPLE})
    service = serve(lambda _: (200, {"chats": []}))
    dsn = f"sample+{service.url}?headers=X-One:%20dsn"
    assert run("ls", dsn, "-o", "headers=X-One: option").exit_code == 0
    assert service.asked[0].headers["x-one"] == "option"


SAMPLE = """
from convostore.plugins import hookimpl
from tests.contract.mutants.sample_service import SampleAdapter

@hookimpl
def convostore_adapters():
    return {"sample": SampleAdapter}
"""


@pytest.mark.parametrize("debug", [(), ("--debug",)])
@pytest.mark.parametrize(
    "words",
    [
        ("ls", "{dsn}", "-o", "headers=X-Key: {secret}"),
        ("ls", "{dsn}", "-oheaders=X-Key: {secret}", "more"),
        ("ls", "{dsn}", "headers=X-Key: {secret}"),
        ("ls", "{dsn}", "-o", "headers=X-Key: {secret}\x01"),
        ("ls", "{dsn}", "-o", "api_key={secret}"),
        ("ls", "{dsn}", "-o", "{secret}"),
        ("ls", "{dsn}", "--api-key={secret}"),
        ("ls", "sample+http://me:{secret}@127.0.0.1:1", "-o", "retries=0"),
        ("ls", "memory://", "sample+http://me:{secret}@127.0.0.1:1"),
        ("ls", "memory://", "sample+http://127.0.0.1:1?api_key={secret}"),
        ("ls", "memory://", "no dsn://{secret}"),
        ("doctor", "{dsn}", "-o", "headers=X-Key: {secret}"),
        ("doctor", "{dsn}", "--json", "-o", "headers=X-Key: {secret}"),
    ],
)
def test_no_secret_shows(serve, site, words, debug):
    site.install("convostore-sample", {"sample": SAMPLE})

    def refuse(asked):
        return 401, {"message": f"not with {asked.headers.get('x-key')}"}

    dsn = f"sample+{serve(refuse).url}"
    result = run(*(word.format(dsn=dsn, secret=SECRET) for word in words), *debug)
    assert result.exit_code != 0
    assert result.output
    assert SECRET not in result.output


def test_no_word_is_help():
    result = run()
    assert result.exit_code == 0
    assert "Usage: convostore" in result.stdout


def test_the_version_is_told():
    assert re.fullmatch(r"convostore \d+\.\d+\.\d+\n", run("--version").stdout)


COMMANDS = [
    "init",
    "profiles",
    "plugins",
    "ls",
    "show",
    "chat",
    "ask",
    "search",
    "stats",
    "rename",
    "pin",
    "assign",
    "tag",
    "edit",
    "fork",
    "rm",
    "pop",
    "clear",
    "feedback",
    "mirror",
    "export",
    "import",
    "doctor",
    "completion",
]


def test_help_lists_every_command(site):
    listed = re.findall(
        r"^  (\w+) {2,}\w", run("--help").stdout.partition("Commands:")[2], re.MULTILINE
    )
    assert listed == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_has_examples(command):
    result = run(command, "--help", env={"COLUMNS": "80"})
    assert result.exit_code == 0
    assert f"    convostore {command}" in result.stdout.partition("Examples:")[2]


def modules_after(*words):
    code = f"import sys; sys.argv[1:] = {list(words)}\ntry:\n    from convostore.cli import main\n"
    code += "    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return set(done.stderr.split())


def test_the_help_of_a_command_waits_for_nothing_that_it_does_not_need():
    loaded = modules_after("ls", "--help")
    assert "typer" in loaded
    unneeded = {"asyncio", "httpx", "pluggy", "rich", "tomllib", "convostore.adapters.memory"}
    unneeded |= {"prompt_toolkit", "markdown_it", "convostore.models._events"}
    assert not unneeded & loaded


def test_lines_for_a_pipe_wait_for_nothing_that_draws():
    loaded = modules_after("ls", "memory://")
    assert "convostore.adapters.memory" in loaded
    assert not {"httpx", "rich"} & loaded


NEEDED = 'the convostore command needs {}: pip install "convostore[cli]"'


def test_without_the_extra_the_command_says_what_to_install():
    result = child("ls", "memory://seeded", before="sys.modules['typer'] = None\n")
    assert result.returncode == ExitCode.FAILED
    assert result.stderr.decode().strip() == NEEDED.format("typer")


def test_a_pipe_needs_nothing_that_draws():
    result = child("ls", "memory://seeded", before="sys.modules['rich'] = None\n")
    assert result.returncode == 0
    assert result.stdout.count(b"\n") == 2


def test_an_answer_in_a_pipe_needs_nothing_that_draws():
    drawing = ["rich", "prompt_toolkit", "markdown_it"]
    without = f"sys.modules.update(dict.fromkeys({drawing}))\n"
    result = child("ask", "echo://seeded", "hello", before=without)
    assert (result.returncode, result.stdout) == (0, b"You said: hello\n")


@on_posix
@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (("ls", "memory://seeded"), "rich"),
        (("ask", "echo://seeded", "hello"), "rich"),
        (("chat", "echo://seeded"), "rich"),
        (("chat", "echo://seeded"), "prompt_toolkit"),
    ],
)
def test_a_terminal_without_what_draws_says_what_to_install(words, missing):
    without = f"sys.modules[{missing!r}] = None\n"
    session = on_a_terminal(*words, before=without, fresh=True)
    assert session.status == ExitCode.FAILED
    assert session.shown.strip() == "convostore: " + NEEDED.format(missing)


@on_posix
@pytest.mark.parametrize("form", [(), ("--jsonl",)])
def test_a_reader_that_has_enough_is_no_error(form):
    before = """
with convostore.open("memory://seeded") as store:
    for number in range(3_000):
        store.create_conversation(id=f"{number:05}", title="x" * 100)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", SEEDED + before + TAIL, "ls", "memory://seeded", *form],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.readline()
    process.stdout.close()
    with process.stderr:
        told = process.stderr.read()
    assert process.wait(PATIENCE) == ExitCode.PIPE_CLOSED
    assert told == b""


@on_posix
@pytest.mark.parametrize("words", [("ls", "memory://seeded"), ("--help",)])
def test_a_full_disk_is_one_line(words):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-c", SEEDED + TAIL, *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == ExitCode.FAILED
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("convostore: No space left")


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
def test_a_stream_that_is_closed_is_no_error(stream):
    done = child("ls", "memory://seeded", before=f"sys.{stream} = None")
    assert done.returncode == 0
    assert done.stderr == b""


@on_posix
def test_an_interrupt_ends_quietly_with_its_status():
    asked, started, hold = [], threading.Event(), threading.Event()

    def answer(request):
        asked.append(request)
        assert started.wait(PATIENCE)
        process.send_signal(signal.SIGINT)
        while not hold.wait(SILENCE):  # Python overlooks a signal that comes just before it waits
            process.send_signal(signal.SIGINT)
        return Response(503)  # nobody waits any more

    with serve_loopback(answer) as url:
        process = subprocess.Popen(
            [sys.executable, "-c", TAIL, "ls", f"perplexica+{url}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.set()
        try:
            out, told = process.communicate(timeout=PATIENCE)
        finally:
            hold.set()
    assert asked
    assert (process.returncode, out, told) == (ExitCode.INTERRUPTED, "", "")


IMPATIENT = """
import threading
from convostore.cli import _output
from convostore.store import ConversationStore
_output.PATIENCE = 0.0
every = ConversationStore.conversations

def slowly(self, **wishes):
    for each in every(self, **wishes):
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer):
                thread.join()
        yield each

ConversationStore.conversations = slowly
"""


@on_posix
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_people_who_wait_are_told_what_for(form):
    session = on_a_terminal("ls", "memory://seeded", *form, before=IMPATIENT)
    assert session.status == 0
    assert "reading conversations" in session.shown
    assert session.shown.index("reading") < session.shown.index("The moon")


def test_nobody_is_told_where_nobody_looks_on():
    done = child("ls", "memory://seeded", "--json", before=IMPATIENT)
    assert done.returncode == 0
    assert done.stderr == b""


@on_posix
def test_a_terminal_gets_a_table_and_says_that_there_is_more():
    before = """
with convostore.open("memory://seeded") as store:
    for number in range(60):
        store.create_conversation(id=f"{number:05}")
"""
    session = on_a_terminal("ls", "memory://seeded", before=before)
    assert session.status == 0
    assert "Last active" in session.shown
    assert "only the first 50 are shown" in session.shown
    assert "--limit" in session.shown
    whole = on_a_terminal("ls", "memory://seeded", "--limit", "70", before=before)
    assert "00059" in whole.shown
    assert "00000" in whole.shown
    assert "more than" not in whole.shown


@on_posix
def test_a_terminal_shows_a_conversation_with_its_markdown():
    session = on_a_terminal("show", "memory://seeded", "tides")
    assert session.status == 0
    assert "潮汐" in session.shown
    assert "\x1b[1mhigh\x1b[0m" in session.shown
    assert "question" in session.shown


@on_posix
@pytest.mark.parametrize(
    "words", [("show", "memory://seeded", "tides"), ("ask", "echo://seeded", "潮汐?")]
)
def test_a_terminal_that_cannot_show_a_character_shows_a_question_mark(words):
    latin = "sys.stdout.reconfigure(encoding='latin-1')\n"
    session = on_a_terminal(*words, before=latin)
    assert session.status == 0
    assert "??" in session.shown
    assert "Traceback" not in session.shown


@on_posix
def test_a_terminal_says_so_when_there_is_nothing():
    session = on_a_terminal("ls", "memory://seeded", "--title", "nothing")
    assert (session.status, session.shown.strip()) == (0, "no conversations")


@on_posix
def test_a_terminal_confirms_a_change():
    session = on_a_terminal("rename", "memory://seeded", "tides", "\x1b[2JTides")
    assert session.status == 0
    assert "tides is now called �[2JTides" in session.shown


@pytest.mark.parametrize(
    ("advice", "shown"),
    [
        ("pass format= as one of jsonl", "pass --format as one of jsonl"),
        ("pass the option create=true", "pass -o create=true"),
        ("pass app_id=…, or set A_VARIABLE", "pass -o app_id=…, or set A_VARIABLE"),
        (
            "pass FilePart(url='file_id:<its id>') or files=['<its id>']",
            """pass -t 'files=["<its id>"]'""",
        ),
    ],
)
def test_advice_of_the_library_names_options_of_the_command_line(advice, shown):
    assert error_text(errors.InvalidError(f"so it is: {advice}")) == f"so it is: {shown}"


def test_the_advice_of_perplexica_for_a_file_names_options_of_the_command_line():
    result = run("ask", "perplexica+http://127.0.0.1:1", "Hi", "--file", "https://a.test/a.pdf")
    assert result.exit_code == ExitCode.FAILED
    assert result.stderr.endswith("""pass -t 'files=["<its id>"]'\n""")
    assert "FilePart" not in result.stderr
