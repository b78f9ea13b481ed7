"""StoreContract: what every backend must do, as clauses that run on both faces.

A plugin's whole contract test is a subclass with one fixture:

    class TestMine(StoreContract):
        @pytest.fixture
        def backend(self) -> Backend:
            return Backend("mine+http://mine.test", service=…, seed=…)

A clause that a backend cannot keep is waived with a word and a reason; it must then fail. The
clauses themselves are in `clauses`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

import pytest

from . import _rewriting as rewriting  # noqa: F401  # before the modules that it names
from ._assertions import NotOffered, rule_in_errors
from ._backend import Backend, Kit
from ._faces import FACES, Face, StoreFace
from .clauses.editing import EditingClauses
from .clauses.failures import FailureClauses
from .clauses.interactions import InteractionClauses
from .clauses.namespaces import NamespaceClauses
from .clauses.owners_metadata import OwnerMetadataClauses
from .clauses.paging_from import PagingFromClauses
from .clauses.put_fork_age import PutForkAgeClauses
from .clauses.reading import ReadingClauses
from .clauses.replies import ReplyClauses
from .clauses.revisions_times import RevisionTimeClauses
from .clauses.search import SearchClauses
from .clauses.streaming import StreamingClauses
from .clauses.validation import ValidationClauses
from .clauses.writing import WritingClauses

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

Clause: TypeAlias = Callable[[Any, Kit], Coroutine[Any, Any, None]]
"""A method of the contract: a coroutine that takes a `Kit` and fails if the rule is broken."""


@dataclass(frozen=True)
class Waiver:
    """The reason why a clause need not hold."""

    word: Literal["notimpl", "notyet", "never"]
    reason: str


def notimpl(reason: str) -> Waiver:
    """Waive a clause that the service permits but the adapter does not implement."""
    return Waiver("notimpl", reason)


def notyet(reason: str) -> Waiver:
    """Waive a clause that a later version of the service may permit."""
    return Waiver("notyet", reason)


def never(reason: str) -> Waiver:
    """Waive a clause that the service is not made for."""
    return Waiver("never", reason)


class _Clauses(
    ReadingClauses,
    WritingClauses,
    ValidationClauses,
    EditingClauses,
    PagingFromClauses,
    OwnerMetadataClauses,
    RevisionTimeClauses,
    NamespaceClauses,
    PutForkAgeClauses,
    SearchClauses,
    ReplyClauses,
    StreamingClauses,
    InteractionClauses,
    FailureClauses,
):
    """All clauses, as coroutines."""


def list_clauses() -> Mapping[str, Clause]:
    """Return the clauses of the contract by name."""
    names = [name for name in dir(_Clauses) if name.startswith("test_")]
    return {name: getattr(_Clauses, name) for name in names}


class StoreContract:
    """The contract of every backend: subclass it as ``Test…`` with a `backend` fixture.

    Attributes:
        waivers: Why clauses need not hold, by the clause's name. A waived clause is a strict
            expected failure: once it holds, the waiver is an error.
    """

    waivers: ClassVar[Mapping[str, Waiver]] = {}

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Make a test of each clause.

        Raises:
            TypeError: The subclass redefines a clause, or waives one that does not exist.
        """
        super().__init_subclass__(**kwargs)
        known = list_clauses()
        if redefined := sorted(known.keys() & vars(cls).keys()):
            raise TypeError(
                f"{cls.__name__} must not redefine {redefined[0]}: waive it, with a reason"
            )
        if unknown := sorted(cls.waivers.keys() - known.keys()):
            raise TypeError(f"{cls.__name__} waives {unknown[0]}, which is not a clause")
        for name, clause in known.items():
            setattr(cls, name, _as_test(clause, cls.waivers.get(name)))

    @pytest.fixture
    def backend(self) -> Backend:
        """Return a backend that starts empty; every subclass must override it."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture named backend")


def _as_test(clause: Clause, waiver: Waiver | None) -> Callable[..., None]:
    @functools.wraps(clause)
    def test(self: StoreContract, backend: Backend, face: Face) -> None:
        try:
            run_clause(clause, backend, face)
        except NotOffered as reason:
            pytest.skip(str(reason))

    # pytest begins a traceback at what is wrapped, and reads the fixtures from the signature.
    test.__signature__ = _SIGNATURE  # type: ignore[attr-defined]
    marked: Callable[..., None] = pytest.mark.parametrize("face", FACES)(test)
    if waiver is None:
        return marked
    expected: Callable[..., None] = pytest.mark.xfail(
        reason=f"{waiver.word}: {waiver.reason}", strict=True
    )(marked)
    return expected


def _fixtures(self: StoreContract, backend: Backend, face: Face) -> None:
    """Stand for the arguments that pytest gives a clause's test."""


_SIGNATURE = inspect.signature(_fixtures)


def run_clause(clause: Clause, backend: Backend, face: Face) -> None:
    """Run one clause on one face; if it fails, the error has the clause's rule as a note.

    Raises:
        NotOffered: The backend does not offer an operation of the clause.
        AssertionError: The clause does not hold.
    """

    async def carried_out() -> None:
        kit = Kit(backend, face)
        try:
            await clause(_Clauses(), kit)
        finally:
            await kit.close()

    with rule_in_errors(clause), StoreFace(face) as opened:
        opened.run(carried_out())
