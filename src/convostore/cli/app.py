"""The application of the `convostore` command: all commands, each with examples.

The commands themselves are in `commands`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

import typer

from ._group import DEBUG, NO_PAGER, CommandGroup
from ._pager import use_pager
from ._plugins import SETTINGS
from ._targets import TargetCommand
from .commands.ask import ask
from .commands.chat import chat
from .commands.delete import clear, pop, rm
from .commands.doctor import completion, doctor, plugins
from .commands.edit import assign, edit, feedback, fork, pin, rename, tag
from .commands.export_import import export, import_
from .commands.list_show import ls, show
from .commands.mirror import mirror
from .commands.profiles import add, check, default, init, list_, profiles
from .commands.search import search
from .commands.stats import stats

__all__ = ["EXAMPLES", "app"]

app: Final = typer.Typer(name="convostore", cls=CommandGroup, **SETTINGS)
"""The Typer application, with the commands of installed plugins among ours."""

EXAMPLES: Final[dict[Callable[..., None], list[str]]] = {
    init: [
        "convostore init sqlite:///history.db",
        "convostore init sqlite:///history.db --name work",
        "convostore init fastgpt+https://chat.example.org --command api_key='pass show fastgpt'",
    ],
    list_: ["convostore profiles list", "convostore profiles list --json"],
    add: [
        "convostore profiles add moon sqlite:///moon.db",
        "convostore profiles add team perplexica+https://example.org --env headers=TEAM_HEADERS",
        "convostore profiles add notes echo://notes --default",
    ],
    default: ["convostore profiles default work"],
    check: ["convostore profiles test", "convostore profiles test work --json"],
    plugins: ["convostore plugins", "convostore plugins --json"],
    ls: [
        "convostore ls perplexica+http://localhost:3000",
        "convostore ls work --since 7d --title invoice",
        "convostore ls work --since 2026-01-01 --until 2026-01-31 --jsonl",
        "convostore ls work --older-than 90d",
        "convostore ls work --owner ann --reverse --limit 10",
        "convostore ls fastgpt+https://chat.example.org -o app_id=0123456789abcdef01234567",
    ],
    show: [
        "convostore show work tides",
        "convostore show work tides --last 2",
        "convostore show -",
        "convostore show work tides --json --raw",
    ],
    chat: [
        "convostore chat work",
        "convostore chat work tides",
        "convostore chat perplexica+http://localhost:3000 -t optimization_mode=speed",
    ],
    ask: [
        "convostore ask work 'When is high tide?'",
        "convostore ask work --conversation tides 'And tomorrow?' --json",
        "convostore ask work 'Translate this:' --file https://example.org/tides.pdf",
        "convostore ask work 'Explain this:' < notes.txt",
        "convostore ask --conversation - 'And tomorrow?'",
        "convostore ask work --conversation=forms --answer blue",
    ],
    search: [
        "convostore search work high tide",
        "convostore search work '\"high tide\"' --role assistant --since 30d",
        "convostore search work 潮汐 --in tides --json",
        "convostore search perplexica+http://localhost:3000 tide --mirror",
    ],
    stats: ["convostore stats work", "convostore stats work --since 30d --json"],
    rename: ["convostore rename work tides 'Tides of the North Sea'"],
    pin: ["convostore pin work tides", "convostore pin work tides --unpin"],
    assign: ["convostore assign work tides ann", "convostore assign work tides --clear"],
    tag: ["convostore tag work tides project=sea stars=5", "convostore tag work tides project="],
    edit: ["convostore edit work tides answer 'At seven.'"],
    fork: ["convostore fork work tides question --title 'Another way'"],
    rm: [
        "convostore rm work tides moon",
        "convostore rm work tides --message answer",
        "convostore rm work --older-than 90d",
        "convostore rm work --owner ann --yes",
        "convostore rm work tides --yes",
    ],
    pop: ["convostore pop work tides --yes"],
    clear: ["convostore clear work", "convostore clear work --yes"],
    feedback: [
        "convostore feedback work tides answer good",
        "convostore feedback work tides answer bad --comment 'That was yesterday.'",
        "convostore feedback work tides answer --clear",
    ],
    mirror: [
        "convostore mirror perplexica+http://localhost:3000 sqlite:///history.db",
        "convostore mirror work archive --dry-run",
        "convostore mirror work archive --delete --yes --json",
    ],
    export: [
        "convostore export work > work.jsonl",
        "convostore export work tides --file tides.html",
        "convostore export work --file work.md",
        "convostore export work --format openai --file training.jsonl",
    ],
    import_: [
        "convostore import work.jsonl archive",
        "convostore import chatgpt.zip archive --dry-run",
    ],
    doctor: ["convostore doctor perplexica+http://localhost:3000", "convostore doctor work --json"],
    completion: [
        "convostore completion bash > ~/.local/share/bash-completion/completions/convostore",
        "convostore completion fish > ~/.config/fish/completions/convostore.fish",
    ],
}
"""Examples of each command, in the order of the list of commands; `work` is a profile."""


def _epilog(examples: list[str]) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  {example}" for example in examples)


for _command, _examples in EXAMPLES.items():
    _group, _, _name = _command.__name__.rpartition(" ")
    _host = profiles if _group else app
    _host.command(_name, cls=TargetCommand, epilog=_epilog(_examples))(_command)
app.add_typer(
    profiles,
    name="profiles",
    epilog=_epilog(
        [line for command in (list_, add, default, check) for line in EXAMPLES[command]]
    ),
)


def _show_version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version

        typer.echo(f"convostore {version('convostore')}")
        raise typer.Exit


@app.callback(epilog="'convostore COMMAND --help' shows the options and examples of a command.")
def _commands(
    debug: Annotated[  # noqa: ARG001  # read by the group
        bool, typer.Option(DEBUG, help="Show where an error comes from. May be written anywhere.")
    ] = False,
    no_pager: Annotated[
        bool, typer.Option(NO_PAGER, help="Do not use a pager. May be written anywhere.")
    ] = False,
    version: Annotated[  # noqa: ARG001  # its callback does it
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """List, read, edit, search and copy chat history in any installed backend.

    TARGET is a store: a DSN or the name of a profile. It may be left out if there is a default
    target: CONVOSTORE_TARGET, or 'default' in the configuration file ('convostore init' creates
    it).
    """
    use_pager(not no_pager)
