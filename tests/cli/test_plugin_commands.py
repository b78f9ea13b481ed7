"""The commands that plugins bring: listed, run and refused as ours are, and paid for only then."""

import os
import subprocess
import sys

import pytest

from convostore.cli._plugins import _EXTRAS
from convostore.cli.errors import ExitCode
from convostore.plugins import commands

from ..support.cli import run

PLUGIN = """
from typing import Annotated

import typer

from convostore.cli.options import Target, opened
from convostore.errors import NotFoundError
from convostore.plugins import hookimpl

def wave(target: Target, times: Annotated[int, typer.Option(min=1)] = 1) -> None:
    '''Waves at a store.'''
    with opened(target, None) as store:
        typer.echo(" ".join([f"wave {store.label}"] * times))

def stumble() -> None:
    '''Fails.'''
    raise NotFoundError("there is no stone")

several = typer.Typer()

@several.command()
def one() -> None:
    '''Is one.'''
    typer.echo("this is one")

@several.command()
def three(target: Target, times: int = 1) -> None:
    '''Is three.'''
    typer.echo(f"{target}{times}")

@several.command()
def two() -> None:
    '''Is two.'''

@hookimpl
def convostore_commands():
    return {"wave": wave, "stumble": stumble, "several": several, "ls": wave}
"""
BROKEN = "import a_module_that_nobody_has\n"
WRONG = """
from convostore.plugins import hookimpl

@hookimpl
def convostore_commands():
    return {"wrong": lambda thing: None, "worse": 7}
"""


@pytest.fixture
def waving(site):
    site.install("acme-waving", {"waving": PLUGIN})


def listed(result):
    return [
        line.split()[0] for line in result.stdout.partition("Commands:\n")[2].splitlines() if line
    ]


def test_help_lists_the_commands_of_plugins_behind_ours(waving):
    result = run("--help")
    assert listed(result)[-6:-1] == ["doctor", "completion", "several", "stumble", "wave"]
    assert "Waves at a store." in result.stdout
    assert not result.stderr


def test_a_plugins_command_uses_the_default_target(waving, monkeypatch):
    monkeypatch.setenv("CONVOSTORE_TARGET", "memory://default")
    assert run("wave").stdout == "wave memory://default\n"
    assert run("wave", "-T", "memory://named").stdout == "wave memory://named\n"
    assert run("several", "three", "--times", "2").stdout == "memory://default2\n"


def test_a_plugins_function_is_a_command_with_its_arguments(waving):
    result = run("wave", "memory://sea", "--times", "2")
    assert (result.exit_code, result.stdout) == (0, "wave memory://sea wave memory://sea\n")


def test_a_plugins_application_is_a_command_with_commands(waving):
    assert run("several", "one").stdout == "this is one\n"
    assert "Is two." in run("several", "--help").stdout


def test_a_plugin_takes_the_place_of_none_of_our_commands(waving):
    result = run("ls", "memory://")
    assert result.exit_code == 0
    assert "wave" not in result.stdout


def test_what_a_plugins_command_raises_is_one_line_and_a_status_as_ours(waving):
    result = run("stumble")
    assert result.exit_code == ExitCode.NOT_FOUND
    assert result.stderr.startswith("convostore: there is no stone")
    assert result.stderr.count("\n") == 1
    assert "Traceback" in run("stumble", "--debug").stderr


@pytest.mark.parametrize("words", [("wave",), ("wave", "memory://", "--times", "0")])
def test_a_plugins_command_that_is_misused_leads_to_its_own_help(waving, words):
    result = run(*words)
    assert result.exit_code == ExitCode.USAGE
    assert "see convostore wave --help" in result.stderr


def test_a_misspelt_command_of_a_plugin_gets_the_nearest_name(waving):
    assert "'wave'" in run("wav").stderr


def test_a_plugin_that_does_not_load_is_told_of_with_the_help_and_hides_nothing(waving, site):
    site.install("acme-broken", {"broken": BROKEN})
    result = run("--help")
    assert result.exit_code == 0
    assert "wave" in listed(result)
    assert "acme-broken 1.0" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_plugin_that_does_not_load_is_told_of_where_a_command_is_unknown(site):
    site.install("acme-broken", {"broken": BROKEN})
    result = run("greet")
    assert result.exit_code == ExitCode.USAGE
    assert "acme-broken 1.0" in result.stderr
    assert "no such command 'greet'" in result.stderr


def test_a_command_of_our_plugin_that_is_not_installed_names_the_pip_line(site):
    for words in (
        ["serve"],
        ["serve", "sqlite:///chats.db", "--port", "8421"],
        ["serve", "--help"],
    ):
        result = run(*words)
        assert result.exit_code == ExitCode.USAGE
        assert result.stderr == (
            "convostore: the command 'serve' comes with the gateway, which is not installed: "
            'pip install "convostore[cli,gateway]"\n'
        )


def test_our_plugin_that_is_installed_and_does_not_load_is_not_to_be_installed(site):
    site.install("convostore-gateway", {"gateway": BROKEN})
    result = run("serve")
    assert "convostore-gateway 1.0" in result.stderr
    assert "no such command 'serve'" in result.stderr
    assert "pip install" not in result.stderr


def test_every_command_of_our_plugins_has_a_pip_line():
    brought = {
        name: function.__module__.partition(".")[0] for name, function in commands()[0].items()
    }
    assert brought == {name: f"convostore_{extra}" for name, extra in _EXTRAS.items()}


def test_a_plugin_that_does_not_load_is_no_concern_of_our_commands(site):
    site.install("acme-broken", {"broken": BROKEN})
    assert not run("ls", "memory://").stderr
    assert not run("ls", "--help").stderr


def test_a_command_that_is_none_is_told_of_and_hides_nothing(waving, site):
    site.install("acme-wrong", {"wrong": WRONG})
    result = run("--help")
    assert "wave" in listed(result)
    assert "'worse'" in result.stderr
    assert "worse" not in listed(result)


def test_our_own_commands_import_no_plugin(waving):
    run("ls", "memory://")
    assert "acme_waving_waving" not in sys.modules
    run("--help")
    assert "acme_waving_waving" in sys.modules


def completions(words, environment=None):
    """What the shell is told when TAB is pressed behind these words."""
    done = subprocess.run(
        [sys.executable, "-c", "from convostore.cli import main; main()"],
        env={
            **os.environ,
            "_CONVOSTORE_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
            **(environment or {}),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not done.stderr
    return done.stdout.split()


@pytest.mark.rim
def test_a_shell_completes_the_commands_of_plugins_and_their_options(tmp_path):
    (tmp_path / "waving.py").write_text(PLUGIN, "utf-8")
    info = tmp_path / "acme_waving-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: acme-waving\nVersion: 1.0\n", "utf-8"
    )
    (info / "entry_points.txt").write_text("[convostore]\nwaving = waving\n", "utf-8")
    broken = tmp_path / "acme_broken-1.0.dist-info"
    broken.mkdir()
    (broken / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: acme-broken\nVersion: 1\n", "utf-8"
    )
    (broken / "entry_points.txt").write_text("[convostore]\nbroken = no_such\n", "utf-8")
    there = {"PYTHONPATH": str(tmp_path)}
    assert completions("convostore wa", there) == ["wave"]
    assert completions("convostore wave --t", there) == ["--times", "--target"]
