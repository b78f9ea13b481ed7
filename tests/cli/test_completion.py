"""What shells complete: profiles, ids of conversations and messages; quickly, or nothing."""

import os
import shutil
import subprocess
import sys

import pytest

import convostore
from convostore import Message, TextPart
from convostore.cli import _completion as completion
from convostore.cli.errors import ExitCode
from convostore.config import config_file

from ..support.cli import PATIENCE, TAIL, on_posix, run, seeded


def completed(*words, shell="bash"):
    """What the command answers to a shell that asks what comes next."""
    environment = {
        "_CONVOSTORE_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": " ".join(words),
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    result = run(env=environment)
    assert result.exit_code == 0
    assert not result.stderr
    return result.stdout.split() if shell == "bash" else result.stdout.splitlines()


@pytest.fixture
def work():
    """The name of the memory of the profile `work`, which is the default."""
    name = seeded()
    config_file().write_text(
        f'default = "work"\n[profiles.work]\ndsn = "memory://{name}"\n'
        '[profiles.home]\ndsn = "memory://home"\n',
        encoding="utf-8",
    )
    return name


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_each_shell_has_a_completion_script(shell):
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_CONVOSTORE_COMPLETE" in result.stdout
    assert "convostore" in result.stdout


def test_an_unknown_shell_is_refused_with_those_that_are_known():
    result = run("completion", "cmd")
    assert result.exit_code == ExitCode.USAGE
    assert "powershell" in result.stderr


def test_commands_and_options_are_completed():
    assert completed("convostore", "do") == ["doctor"]
    assert completed("convostore", "ls", "--js") == ["--json", "--jsonl"]


def test_names_of_profiles_are_completed(work):
    assert completed("convostore", "ls", "wo") == ["work"]
    assert completed("convostore", "doctor", "''") == ["home", "work"]
    assert completed("convostore", "show", "-T", "ho") == ["home"]
    assert completed("convostore", "profiles", "test", "ho") == ["home"]


@pytest.mark.parametrize("config", ["not toml [", "profiles = 3", "", "[profiles]\n"])
def test_profiles_that_cannot_be_read_complete_to_nothing(config):
    config_file().write_text(config)
    assert completed("convostore", "ls", "wo") == []
    assert completed("convostore", "show", "wo", "") == []


@pytest.mark.parametrize(
    "words",
    [
        ("show", "work", "ti"),
        ("show", "ti"),
        ("rm", "work", "moon", "ti"),
        ("ask", "work", "--conversation", "ti"),
        ("search", "work", "tide", "--in", "ti"),
        ("ls", "work", "--start", "ti"),
        ("show", "-T", "work", "ti"),
    ],
)
def test_ids_of_conversations_are_completed(work, words):
    assert completed("convostore", *words) == ["tides"]


def test_ids_of_messages_are_completed(work):
    assert completed("convostore", "feedback", "work", "tides", "an") == ["answer"]
    assert completed("convostore", "fork", "tides", "q") == ["question"]
    assert completed("convostore", "rm", "work", "tides", "--message", "an") == ["answer"]


def test_fish_shows_titles_beside_the_ids(work):
    assert completed("convostore", "show", "work", "ti", shell="fish") == [
        "tides\tWhen is high tide"
    ]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_nothing_that_a_shell_could_evaluate_gets_through(work, shell):
    evil = "$(touch pwned)`touch pwned`';touch pwned;'\"))\\ {a,b} :x &|<>*?!#~\n\x1b"
    with convostore.open(f"memory://{work}") as store:
        store.create_conversation(id="ok", title=evil)
        for number, sign in enumerate("$`'\";()\\{}&|<>*?!#:\n\t "):
            store.create_conversation(id=f"o{sign}{number}", title="x")
    shown = "\n".join(completed("convostore", "show", "work", "o", shell=shell))
    assert "ok" in shown
    assert "o$" not in shown
    told = shown.replace('_arguments \'*: :(("ok":"', "").replace("\"))'", "")
    assert not set("$`'\";()\\{}&|<>*?!#~:\x1b") & set(told)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_names_of_profiles_that_a_shell_could_evaluate_are_left_out(shell):
    names = ["a b", "$(id)", "x`id`", "it's", "x:y", "-dash", 'say \\"id\\"', "good"]
    config_file().write_text("".join(f'[profiles."{name}"]\ndsn = "echo://x"\n' for name in names))
    shown = "\n".join(completed("convostore", "ls", "", shell=shell))
    assert "good" in shown
    assert not any(part in shown for part in ("id", "a b", "it's", "x:", "-dash"))


def test_what_fails_completes_to_nothing(work):
    config_file().write_text('[profiles.gone]\ndsn = "sqlite:///no-such-file.db"\n')
    assert completed("convostore", "show", "gone", "t") == []
    assert completed("convostore", "show", "nothing://x", "t") == []
    assert completed("convostore", "show", "perplexica+http://127.0.0.1:1", "-o", "x=", "t") == []


def test_a_completion_runs_no_command(tmp_path):
    trace = tmp_path / "asked"
    config_file().write_text(
        "[profiles.locked]\n"
        'dsn = "fastgpt+http://127.0.0.1:1"\n'
        f'api_key = {{ command = ["touch", "{trace.as_posix()}"] }}\n'
    )
    assert completed("convostore", "show", "locked", "t") == []
    assert not trace.exists()


def test_a_completion_waits_two_seconds_and_tries_once(monkeypatch):
    opened = {}

    def note(target, **options):
        opened.update(options)
        raise OSError

    monkeypatch.setattr("convostore.config.open", note)
    assert completed("convostore", "show", "perplexica+http://127.0.0.1:1", "t") == []
    assert (opened["timeout"], opened["retries"]) == (2.0, 0)


def test_no_more_than_a_page_is_asked_for(monkeypatch, work):
    pages = []
    really = convostore.ConversationStore.list_conversations

    def list_conversations(store, **more):
        pages.append(more)
        return really(store, **more)

    monkeypatch.setattr(convostore.ConversationStore, "list_conversations", list_conversations)
    completed("convostore", "show", "work", "t")
    assert pages == [{"limit": completion._MOST}]


@pytest.fixture
def command(tmp_path, work):
    """A command `convostore` for shells, with a database of its own as its default."""
    database = f"sqlite:///{(tmp_path / 'history.db').as_posix()}"
    with convostore.open(database) as store:
        store.create_conversation(id="tides", title="It's $(high) `tide`")
        store.append_messages("tides", [Message(role="user", parts=(TextPart(text="hi"),))])
    config_file().write_text(f'default = "db"\n[profiles.db]\ndsn = "{database}"\n')
    file = tmp_path / "convostore"
    file.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c \'{TAIL}\' "$@"\n')
    file.chmod(0o755)
    return f"{tmp_path}{os.pathsep}{os.environ['PATH']}"


def in_shell(command, *words):
    """What a shell prints; without that shell the test is skipped, or fails where CI needs it."""
    if shutil.which(words[0]) is None:
        report = pytest.fail if os.environ.get("CONVOSTORE_REQUIRE_SHELLS") else pytest.skip
        report(f"there is no {words[0]} here: install it, as .ci/install-package does")
    done = subprocess.run(
        words,
        env={**os.environ, "PATH": command, "TERM": "xterm"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert not done.stderr
    return done.stdout.split("\n")


@pytest.mark.rim
@on_posix
def test_bash_completes_with_the_script(command):
    asked = (
        'source /dev/stdin <<< "$(convostore completion bash)"; '
        "COMP_WORDS=(convostore comp); COMP_CWORD=1; "
        '_convostore_completion convostore; echo "${COMPREPLY[@]}"; '
        "COMP_WORDS=(convostore show ti); COMP_CWORD=2; "
        '_convostore_completion convostore; echo "${COMPREPLY[@]}"'
    )
    assert in_shell(command, "bash", "-c", asked)[:2] == ["completion", "tides"]


@pytest.mark.rim
@on_posix
def test_fish_completes_with_the_script(command):
    asked = "convostore completion fish | source; complete -C 'convostore show ti'"
    assert in_shell(command, "fish", "--no-config", "-c", asked)[0] == "tides\tIt s high tide"


@pytest.mark.rim
@on_posix
def test_zsh_completes_with_the_script(command):
    asked = (
        "compdef() { : }; _arguments() { print -r -- $1 }; words=(convostore show ti); CURRENT=3; "
        'eval "$(convostore completion zsh)"; _convostore_completion'
    )
    assert in_shell(command, "zsh", "-f", "-c", asked)[0] == '*: :(("tides":"It s high tide"))'
