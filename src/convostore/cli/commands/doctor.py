"""The commands `plugins`, `doctor` and `completion`: what is installed and whether it works.

How an installed backend is loaded belongs to `_backends`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ...errors import (
    AuthError,
    ConfigError,
    NotFoundError,
    RateLimitError,
    StoreError,
    UnavailableError,
)
from .._backends import Backend, installed_backends
from .._confirm import reason_if_broken
from .._group import COMPLETE_VARIABLE, NAME
from .._output import AsJSON, Form, choose_form, display, waiting, write, write_json
from ..errors import ExitCode
from ..options import Given, Target, opened
from ..render.text import one_line, tab_separated

if TYPE_CHECKING:
    from ...models import Problem
    from ...store import ConversationStore

__all__ = ["completion", "doctor", "plugins"]

_MOST_SHOWN: Final = 10
"""Damaged rows that are listed; the JSON has all."""
_MARKS: Final = {True: "✓", False: "✗", None: "-"}
_MARKS_IN_ASCII: Final = {True: "ok", False: "NO", None: "-"}


class _Shell(Enum):
    """The shells that can complete commands."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


def plugins(as_json: AsJSON = False) -> None:
    """List the backends that are installed.

    With the distribution that brings each, whether it loads, and what it offers.
    """
    form = choose_form(as_json=as_json)
    backends = installed_backends()
    if form is Form.JSON:
        write_json(
            [{**asdict(backend), "offers": list(backend.offers)} for backend in backends], indent=2
        )
    elif form is Form.TERMINAL:
        from ..render.terminal import backends_table

        display(backends_table([(_mark(backend.loads), backend) for backend in backends]))
    else:
        for backend in backends:
            write(_backend_line(backend))


def _backend_line(backend: Backend) -> str:
    state, offers = backend.problem or "loads", ",".join(backend.offers)
    return tab_separated(backend.scheme, backend.distribution, backend.version, state, offers)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Diagnosis:
    """The result of a check; None for what could not be checked.

    Attributes:
        reachable: Whether a server answers at the address.
        understood: Whether it answers as the service that the adapter is for.
        accepted: Whether it accepts the credential, or needs none.
    """

    store: str
    reachable: bool
    understood: bool | None = None
    accepted: bool | None = None
    generation: str | None = None
    detail: str | None = None
    error: str | None = None
    damaged: Sequence[_DamagedRow] = ()

    @property
    def is_well(self) -> bool:
        return self.error is None and not self.damaged


@dataclass(frozen=True, slots=True, kw_only=True)
class _DamagedRow:
    """A conversation or one of its messages that the store cannot read whole any more."""

    conversation_id: str
    message_id: str | None
    problems: tuple[str, ...]

    def __str__(self) -> str:
        of = "" if self.message_id is None else f"message {self.message_id} of "
        return f"{of}conversation {self.conversation_id}: {'; '.join(self.problems)}"


def doctor(
    target: Target,
    as_json: AsJSON = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Do not read what is stored, to find damaged rows.")
    ] = False,
    given: Given = None,
) -> None:
    """Check whether a backend works.

    Whether it can be reached, speaks as it should, and accepts the credential; and what it offers.
    Of a store that keeps whole copies, such as a database, every message is read as well, to find
    damaged rows.

    Ends with 0 when all is well, and with 1 when it is not.
    """
    from ...adapters import Operation

    form = choose_form(as_json=as_json)
    with opened(target, given) as store:
        with waiting("the state of the service"):
            diagnosis = _diagnose(store)
        if diagnosis.error is None and not quick and store.offers(Operation.PUT_CONVERSATION):
            with waiting("what is stored"):
                diagnosis = _read_all(store, diagnosis)
        offers = {operation.value: store.offers(operation) for operation in Operation}
    if form is Form.JSON:
        write_json({**asdict(diagnosis), "ok": diagnosis.is_well, "offers": offers}, indent=2)
    else:
        for mark, name, text in (*_lines(diagnosis), *_offer_lines(offers)):
            write(f"{_mark(mark)} {name:<12}{text}".rstrip())
    if not diagnosis.is_well:
        raise typer.Exit(ExitCode.FAILED)


def _diagnose(store: ConversationStore) -> _Diagnosis:
    try:
        health = store.check()
    except ConfigError:
        raise
    except StoreError as error:
        return _failure(store.label, error)
    return _Diagnosis(
        store=store.label,
        reachable=True,
        understood=True,
        accepted=True,
        generation=health.generation,
        detail=health.detail,
    )


def _read_all(store: ConversationStore, diagnosis: _Diagnosis) -> _Diagnosis:
    """Read every message; return the diagnosis with what is damaged, and what ended the reading."""
    damaged: list[_DamagedRow] = []
    try:
        for row in _damaged_rows(store):
            damaged.append(row)  # noqa: PERF402  # those before an error are kept
    except ConfigError:
        raise
    except StoreError as error:
        failure = _failure(store.label, error)
        return replace(
            failure, generation=diagnosis.generation, detail=diagnosis.detail, damaged=damaged
        )
    return replace(diagnosis, damaged=damaged)


def _damaged_rows(store: ConversationStore) -> Iterator[_DamagedRow]:
    """Yield what is damaged; a conversation that was deleted meanwhile is not."""
    from ...serialization import is_damage

    def found(message_id: str | None, problems: Iterable[Problem]) -> Iterator[_DamagedRow]:
        texts = [f"{problem.where} {problem.what}" for problem in problems if is_damage(problem)]
        if texts:
            yield _DamagedRow(
                conversation_id=conversation.id, message_id=message_id, problems=tuple(texts)
            )

    for conversation in store.conversations():
        yield from found(None, conversation.problems)
        try:
            # Not as transcripts, which would hold a conversation of any length whole.
            for message in store.messages(conversation.id):
                yield from found(message.id, message.problems)
        except NotFoundError:
            continue
        except StoreError as error:
            yield _DamagedRow(
                conversation_id=conversation.id,
                message_id=None,
                problems=(reason_if_broken(error),),
            )


def _failure(label: str, error: StoreError) -> _Diagnosis:
    text = one_line(str(error))
    match error:
        case UnavailableError(retryable=True):
            return _Diagnosis(store=label, reachable=False, error=text)
        case AuthError():
            return _Diagnosis(store=label, reachable=True, accepted=False, error=text)
        case RateLimitError():
            return _Diagnosis(store=label, reachable=True, error=text)
        case _:
            return _Diagnosis(store=label, reachable=True, understood=False, error=text)


def _lines(diagnosis: _Diagnosis) -> list[tuple[bool | None, str, str]]:
    detail = f" ({diagnosis.detail})" if diagnosis.detail else ""
    speaks = one_line((diagnosis.generation or "generation not known yet") + detail)
    states = [diagnosis.reachable, diagnosis.understood, diagnosis.accepted]
    texts = [
        one_line(diagnosis.store),
        speaks if diagnosis.understood else "",
        "accepted, or none is needed" if diagnosis.accepted else "",
    ]
    if diagnosis.error is not None:
        texts[states.index(False) if False in states else 0] = diagnosis.error
    lines = list(zip(states, ["reachable", "speaks", "credential"], texts, strict=True))
    shown = [(False, "row", one_line(str(row))) for row in diagnosis.damaged[:_MOST_SHOWN]]
    more = len(diagnosis.damaged) - len(shown)
    if more:
        shown.append((False, "row", f"and {more:,} more"))
    return [*lines, *shown]


def _offer_lines(offers: dict[str, bool]) -> list[tuple[bool | None, str, str]]:
    return [(offered or None, "offers", name) for name, offered in offers.items()]


def completion(
    shell: Annotated[
        _Shell, typer.Argument(metavar="bash|zsh|fish|powershell", help="Whose script to print.")
    ],
) -> None:
    """Print a shell's completion script.

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
