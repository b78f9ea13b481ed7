"""The commands `plugins`, `doctor` and `completion`: what is installed and whether it works.

How an installed backend is loaded belongs to `_backends`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from enum import Enum
from shutil import get_terminal_size
from typing import Annotated, Any, Final

import typer

from .._backends import Backend, installed_backends, words_of
from .._diagnosis import Diagnosis, diagnose, read_all
from .._group import COMPLETE_VARIABLE, NAME
from .._output import AsJSON, Form, choose_form, display, mark_of, waiting, write, write_json
from ..errors import ExitCode
from ..options import Given, Target, opened
from ..render.columns import wrapped
from ..render.text import one_line, tab_separated

__all__ = ["completion", "doctor", "plugins"]

_NARROWEST: Final = 20
_MOST_SHOWN: Final = 10
"""Damaged rows that are listed; the JSON has all."""


class _Shell(Enum):
    """The shells that can complete commands."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


def plugins(as_json: AsJSON = False) -> None:
    """List installed backends and models.

    Each is shown with its distribution, whether it loads, and what it offers.
    """
    form = choose_form(as_json=as_json)
    backends = installed_backends()
    if form is Form.JSON:
        write_json(
            [{**asdict(backend), "offers": list(backend.offers)} for backend in backends], indent=2
        )
    elif form is Form.TERMINAL:
        from ..render.tables import backends_table

        display(backends_table([(mark_of(backend.loads), backend) for backend in backends]))
    else:
        for backend in backends:
            write(_backend_line(backend))


def _backend_line(backend: Backend) -> str:
    state = backend.problem or "loads"
    offers = ",".join(backend.offers) if backend.kind == "store" else backend.kind
    return tab_separated(backend.scheme, backend.distribution, backend.version, state, offers)


def doctor(
    target: Target,
    as_json: AsJSON = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Do not read the stored messages to find damaged rows.")
    ] = False,
    given: Given = None,
) -> None:
    """Check that a store works.

    Check that it can be reached, answers as expected and accepts the credential, and show what it
    offers. In a database every message is read as well, to find damaged rows; --quick skips that.

    Exits with 1 if something is wrong.
    """
    from ...adapters import Operation

    form = choose_form(as_json=as_json)
    with opened(target, given) as store:
        with waiting("the state of the service"):
            diagnosis = diagnose(store)
        if diagnosis.error is None and not quick and store.offers(Operation.PUT_CONVERSATION):
            with waiting("what is stored"):
                diagnosis = read_all(store, diagnosis)
        offers = {operation.value: store.offers(operation) for operation in Operation}
    if form is Form.JSON:
        write_json({**asdict(diagnosis), "ok": diagnosis.is_well, "offers": offers}, indent=2)
    else:
        for mark, name, text in (*_lines(diagnosis), *_offer_lines(offers)):
            for line in _rows(f"{mark_of(mark)} {name:<12}", text, form):
                write(line)
    if not diagnosis.is_well:
        raise typer.Exit(ExitCode.FAILED)


def _rows(head: str, text: str, form: Form) -> Iterator[str]:
    """Yield a line of the findings; on a terminal, as many as its width needs."""
    if form is Form.PLAIN:
        yield f"{head}{text}".rstrip()
        return
    for line in wrapped(text, max(_NARROWEST, get_terminal_size().columns - len(head))):
        yield f"{head}{line}".rstrip()
        head = " " * len(head)  # of the lines below


def _lines(diagnosis: Diagnosis) -> list[tuple[bool | None, str, str]]:
    detail = f" ({diagnosis.detail})" if diagnosis.detail else ""
    service = one_line((diagnosis.generation or "version not known yet") + detail)
    states = [diagnosis.reachable, diagnosis.understood, diagnosis.accepted]
    texts = [
        one_line(diagnosis.store),
        service if diagnosis.understood else "",
        "accepted, or none is needed" if diagnosis.accepted else "",
    ]
    if diagnosis.error is not None:
        texts[states.index(False) if False in states else 0] = diagnosis.error
    lines = list(zip(states, ["reachable", "service", "credential"], texts, strict=True))
    shown = [(False, "damaged", one_line(str(row))) for row in diagnosis.damaged[:_MOST_SHOWN]]
    more = len(diagnosis.damaged) - len(shown)
    if more:
        shown.append((False, "damaged", f"and {more:,} more"))
    return [*lines, *shown]


def _offer_lines(offers: dict[str, bool]) -> list[tuple[bool | None, str, str]]:
    offered = words_of(name for name, is_offered in offers.items() if is_offered)
    others = [words for words in words_of(offers) if words not in offered]
    lines: list[tuple[bool | None, str, str]] = [(True, "offers", ", ".join(offered))]
    return [*lines, (None, "lacks", ", ".join(others))] if others else lines


def completion(
    shell: Annotated[_Shell, typer.Argument(metavar="bash|zsh|fish|powershell", help="The shell.")],
) -> None:
    """Print a shell's completion script.

    With it the shell completes commands, options, the names of profiles, and ids.
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    script: Any = get_completion_script(
        prog_name=NAME, complete_var=COMPLETE_VARIABLE, shell=shell.value
    )
    write(str(script))
