"""The command: what it prints for people and for pipes, and what it says when it cannot."""

import subprocess
import sys

import pytest
from rich.console import Console
from typer.testing import CliRunner

import convostore
from convostore import Conversation, Message, OtherPart, ReasoningPart, Source, TextPart
from convostore.cli import render
from convostore.cli.app import EXIT_FAILED, EXIT_USAGE, app


@pytest.fixture
def target(request):
    """A memory store under this test's name, with one conversation that has sources."""
    dsn = f"memory://{request.node.name}".replace("[", ".").replace("]", "")
    with convostore.open(dsn) as store:
        store.create_conversation(id="tides", title="When is\nhigh tide?")
        store.append_messages("tides", [question(), answer()])
    return dsn


def question():
    return Message(id="q", role="user", parts=(TextPart(text="When is **high** tide?"),))


def answer(**more):
    sources = (
        Source(title="Tide table", url="https://example.org/tides", mark="1"),
        Source(title="Moon", kind="researched"),
    )
    text = TextPart(text="At *six*[1], they say[7].")
    return Message(id="a", role="assistant", parts=(text,), sources=sources, **more)


def run(*arguments):
    return CliRunner().invoke(app, arguments)


def shown(renderable, width=80):
    console = Console(width=width, force_terminal=True, color_system="truecolor", record=True)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_ls_in_a_pipe_is_a_line_a_conversation_with_tabs_between(target):
    result = run("ls", target)
    assert result.exit_code == 0
    conversation_id, time, title = result.stdout.rstrip("\n").split("\t")
    assert (conversation_id, title) == ("tides", "When is high tide?")
    assert time.endswith("+00:00")


def test_ls_shows_no_more_than_its_limit(target):
    with convostore.open(target) as store:
        store.create_conversation(id="another")
    assert len(run("ls", target, "--limit", "1").stdout.splitlines()) == 1


def test_show_in_a_pipe_is_plain_text_with_numbered_sources(target):
    result = run("show", target, "tides")
    assert result.exit_code == 0
    assert "At *six*[1], they say[7]." in result.stdout
    assert "[1] Tide table https://example.org/tides" in result.stdout
    assert "\x1b" not in result.stdout


def test_what_is_absent_is_one_line_and_a_failure(target):
    result = run("show", target, "nothing")
    assert result.exit_code == EXIT_FAILED
    assert result.stderr.count("\n") == 1
    assert "nothing" in result.stderr


@pytest.mark.parametrize("target", ["unheard-of://x", "no-profile", "perplexica+http://x?timeot=1"])
def test_a_wrong_target_is_one_line_and_a_usage_error(target):
    result = run("ls", target)
    assert result.exit_code == EXIT_USAGE
    assert result.stderr.startswith("convostore: ")
    assert "Traceback" not in result.stderr


def test_a_terminal_shows_markdown_links_and_what_was_researched():
    text = shown(render.transcript(Conversation(id="c", title="t"), [question(), answer()]))
    assert "https://example.org/tides" in text
    assert "\x1b]8;" in text
    assert "**high**" not in text
    assert "[7]" in text
    assert "1 more read on the way" in text


def test_every_kind_of_part_leaves_a_trace():
    parts = (ReasoningPart(text="hm"), OtherPart(type="widget"), *question().parts)
    text = shown(render.transcript(Conversation(id="c"), [Message(role="user", parts=parts)]))
    assert "hm" in text
    assert "(widget)" in text


def test_a_table_names_the_store_of_each_row():
    rows = [("one", Conversation(id="1", title="a")), ("two", Conversation(id="2", pinned=True))]
    text = shown(render.conversations_table(rows))
    assert "one" in text
    assert "📌" in text


@pytest.mark.parametrize(
    "hostile", ["\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "a\rb", "\u202egnp.exe", "[bold]x[/bold]"]
)
def test_nothing_hostile_reaches_the_terminal(hostile):
    conversation = Conversation(id=hostile, title=hostile)
    source = Source(title=hostile, url=f"https://x/{hostile}", mark="1")
    message = Message(role="user", parts=(TextPart(text=hostile),), sources=(source,))
    for text in (
        shown(render.transcript(conversation, [message])),
        shown(render.conversations_table([(hostile, conversation)])),
        render.transcript_text(conversation, [message]),
        render.conversation_line(conversation),
    ):
        if "bold" in hostile:
            assert hostile in text
        else:
            assert hostile not in text


@pytest.mark.parametrize("url", ["javascript:alert(1)", "File", "file_id://0f", ""])
def test_only_web_addresses_become_links(url):
    message = answer().model_copy(update={"sources": (Source(title="t", url=url, mark="1"),)})
    assert "\x1b]8;" not in shown(render.transcript(Conversation(id="c"), [message]))


def test_without_the_extra_the_command_says_what_to_install():
    code = "import sys; sys.modules['typer'] = None; from convostore.cli import main; main()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 1
    assert (
        result.stderr.strip() == "the convostore command needs typer: pip install 'convostore[cli]'"
    )
