"""`plugins`, `doctor` and `completion`: what is installed, and whether it works."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ...errors import AuthError, ConfigError, RateLimitError, StoreError, UnavailableError
from .._backends import installed_backends
from .._group import COMPLETE_VARIABLE, NAME
from .._output import AsJSON, Form, display, form, waiting, write, write_json
from ..errors import ExitCode
from ..options import Given, Target, opened
from ..render.text import one_line, tabbed

if TYPE_CHECKING:
    from ...store import ConversationStore

__all__ = ["completion", "doctor", "plugins"]

_MARKS: Final = {True: "✓", False: "✗", None: "-"}
_MARKS_IN_ASCII: Final = {True: "ok", False: "NO", None: "-"}


class _Shell(Enum):
    """The shells that can complete commands."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


def plugins(as_json: AsJSON = False) -> None:
    """Lists the backends that are installed.

    With the distribution that brings each, whether it loads, and what it offers.
    """
    wanted = form(as_json=as_json)
    backends = installed_backends()
    if wanted is Form.JSON:
        write_json([{**asdict(each), "offers": list(each.offers)} for each in backends], indent=2)
    elif wanted is Form.TERMINAL:
        from ..render.terminal import backends_table

        display(backends_table([(_mark(each.loads), each) for each in backends]))
    else:
        for each in backends:
            told = each.problem or "loads"
            write(tabbed(each.scheme, each.distribution, each.version, told, ",".join(each.offers)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Diagnosis:
    """What a look at a backend found; None where that could not be found out.

    Attributes:
        reachable: Whether something answers at the address.
        understood: Whether it answers as the service does that the adapter is for.
        accepted: Whether it takes the credential, or asks for none.
    """

    store: str
    reachable: bool
    understood: bool | None = None
    accepted: bool | None = None
    generation: str | None = None
    detail: str | None = None
    error: str | None = None


def doctor(target: Target, as_json: AsJSON = False, given: Given = None) -> None:
    """Looks whether a backend works.

    Whether it can be reached, speaks as it should, and accepts the credential; and what it offers.

    Ends with 0 when all is well, and with 1 when it is not.
    """
    from ...adapters import Operation

    wanted = form(as_json=as_json)
    with opened(target, given) as store:
        with waiting("what the service says"):
            found = _diagnosis(store)
        offers = {each.value: store.offers(each) for each in Operation}
    if wanted is Form.JSON:
        write_json({**asdict(found), "ok": found.error is None, "offers": offers}, indent=2)
    else:
        for mark, name, told in (*_lines(found), *_offer_lines(offers)):
            write(f"{_mark(mark)} {name:<12}{told}".rstrip())
    if found.error is not None:
        raise typer.Exit(ExitCode.FAILED)


def _diagnosis(store: ConversationStore) -> _Diagnosis:
    try:
        health = store.check()
    except ConfigError:
        raise
    except StoreError as error:
        return _failing(store.label, error)
    return _Diagnosis(
        store=store.label,
        reachable=True,
        understood=True,
        accepted=True,
        generation=health.generation,
        detail=health.detail,
    )


def _failing(label: str, error: StoreError) -> _Diagnosis:
    told = one_line(str(error))
    match error:
        case UnavailableError(retryable=True):
            return _Diagnosis(store=label, reachable=False, error=told)
        case AuthError():
            return _Diagnosis(store=label, reachable=True, accepted=False, error=told)
        case RateLimitError():
            return _Diagnosis(store=label, reachable=True, error=told)
        case _:
            return _Diagnosis(store=label, reachable=True, understood=False, error=told)


def _lines(found: _Diagnosis) -> list[tuple[bool | None, str, str]]:
    detail = f" ({found.detail})" if found.detail else ""
    speaks = one_line((found.generation or "the generation does not show yet") + detail)
    states = [found.reachable, found.understood, found.accepted]
    told = [
        one_line(found.store),
        speaks if found.understood else "",
        "accepted, or none is asked for" if found.accepted else "",
    ]
    if found.error is not None:
        told[states.index(False) if False in states else 0] = found.error
    return list(zip(states, ["reachable", "speaks", "credential"], told, strict=True))


def _offer_lines(offers: dict[str, bool]) -> list[tuple[bool | None, str, str]]:
    return [(offered or None, "offers", name) for name, offered in offers.items()]


def completion(
    shell: Annotated[
        _Shell, typer.Argument(metavar="bash|zsh|fish|powershell", help="Whose script to print.")
    ],
) -> None:
    """Prints a shell's completion script.

    With it the shell completes commands, options and the names of profiles.
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    script: Any = get_completion_script(
        prog_name=NAME, complete_var=COMPLETE_VARIABLE, shell=shell.value
    )
    write(str(script))


def _mark(value: bool | None) -> str:
    try:
        _MARKS[value].encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return _MARKS_IN_ASCII[value]
    return _MARKS[value]
