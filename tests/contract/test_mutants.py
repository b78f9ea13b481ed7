"""The kit itself: every clause fails for some mutant, and a mutant fails where it says."""

from typing import ClassVar

import pytest

from convostore.dsn import DSN
from convostore.errors import StoreError
from convostore.http import HTTPOptions
from convostore.testing import (
    FACES,
    Backend,
    Face,
    NotOffered,
    StoreContract,
    list_clauses,
    never,
    notyet,
    run_clause,
)

from ..support.naming import naming
from .mutants import ALL, Mutant
from .mutants.replying_service import PROMPTS, AnsweringAdapter, AnsweringService
from .mutants.sample_service import SampleAdapter, SampleService


@pytest.mark.parametrize("face", FACES)
def test_a_mutant_is_caught_by_the_clauses_it_names(face: Face) -> None:
    survived = [
        f"{mutant.name}: {name}"
        for mutant in ALL
        for name in mutant.caught_by
        if not is_caught(mutant, name, face)
    ]
    assert survived == []


def is_caught(mutant: Mutant, name: str, face: Face) -> bool:
    try:
        with naming(mutant.name, name):
            run_clause(list_clauses()[name], mutant.backend(), face)
    except (AssertionError, StoreError, BaseExceptionGroup):
        return True
    return False


def test_every_clause_is_failed_by_some_mutant() -> None:
    caught = {name for mutant in ALL for name in mutant.caught_by}
    assert caught == set(list_clauses())


class TestTheSampleService(StoreContract):
    """What the mutants over HTTP spoil is right as long as nobody spoils it."""

    @pytest.fixture
    def backend(self) -> Backend:
        service = SampleService()
        dsn = DSN.parse("sample+http://sample.test")
        return Backend(
            lambda **options: SampleAdapter(dsn, HTTPOptions.model_validate(options)),
            service=service.handle,
            seed=service.seed,
        )


class TestTheAnsweringService(StoreContract):
    """So is what answers, and streams."""

    @pytest.fixture
    def backend(self) -> Backend:
        service = AnsweringService()
        dsn = DSN.parse("answering+http://answering.test")
        return Backend(
            lambda **options: AnsweringAdapter(dsn, HTTPOptions.model_validate(options)),
            service=service.handle,
            seed=service.seed,
            prompts=PROMPTS,
        )


def test_redefining_a_clause_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="test_raw_survives"):

        class TestCheating(StoreContract):
            def test_raw_survives(self) -> None:
                """Nothing is asked."""


def test_waiving_what_is_no_clause_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="test_nothing"):

        class TestMistaken(StoreContract):
            waivers: ClassVar = {"test_nothing": notyet("never heard of")}


def test_a_clause_of_what_is_not_offered_does_not_apply() -> None:
    service = SampleService()
    dsn = DSN.parse("sample+http://sample.test")
    backend = Backend(
        lambda **options: SampleAdapter(dsn, HTTPOptions.model_validate(options)),
        service=service.handle,
        seed=service.seed,
    )
    with pytest.raises(NotOffered):
        run_clause(list_clauses()["test_raw_survives"], backend, "sync")


def test_a_waiver_is_a_strict_expected_failure_with_its_word_and_reason() -> None:
    class TestLossy(StoreContract):
        waivers: ClassVar = {"test_raw_survives": never("there is no room for it")}

    (mark,) = [m for m in TestLossy.test_raw_survives.pytestmark if m.name == "xfail"]
    assert mark.kwargs == {"reason": "never: there is no room for it", "strict": True}
    assert [m.name for m in TestLossy.test_titles_come_back_the_same.pytestmark] == ["parametrize"]
