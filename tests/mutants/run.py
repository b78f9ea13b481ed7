"""Runs the mutants: small faults put into the product's code by hand, each of which must be found.

``.venv/bin/python tests/mutants/run.py`` (``make mutants``) copies the checkout to a temporary
folder, puts one fault after the other into that copy, and runs the few tests that have to fail of
it: the working tree is not touched. It prints a line for each mutant, and ends with status 1 if one
survived or no longer fits the code. With ``--only WORD`` it takes those alone whose file, area or
description holds the word; ``--list`` runs nothing; ``--jobs N`` runs so many at a time.

The lists are the TOML files beside this one, an area each. An entry has the ``file`` it is put
into, the ``old`` text, which stands there exactly once, the ``new`` text that takes its place, what
the fault ``says`` in a sentence, and the ``tests`` that must fail of it, as pytest is told them.
When code is rewritten and a mutant fits no more, move it to where the same mistake could be made
now. Before the mutants each selection of tests runs once on the code as it is, and must pass
(``--trust`` leaves that out).
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import cache_from_source
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Literal, TypeAlias, TypeVar

A = TypeVar("A")
B = TypeVar("B")

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[1]
LEFT_OUT: Final = (
    *(".git", ".venv*", "__pycache__", ".*_cache", ".hypothesis", "test-output"),
    *("build", "dist"),
)
PYTEST: Final = (
    *(sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=short"),
    *("-p", "no:randomly", "-p", "no:cacheprovider", "-p", "tests.mutants.own_copy"),
)
UNKNOWN_LIMIT: Final = 120.0
"""Seconds that tests may take of which it is not known how long they take."""
SHOWN: Final = 30
"""Lines that are shown of tests which do not pass on the code as it is, or cannot be run."""

Verdict: TypeAlias = Literal["killed", "timed out", "SURVIVED", "DOES NOT APPLY", "CANNOT BE RUN"]
Tests: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A fault, and what must find it.

    Attributes:
        area: The list that it is of.
    """

    area: str
    file: str
    old: str
    new: str
    says: str
    tests: Tests

    @classmethod
    def read(cls, area: str, entry: dict[str, object]) -> Mutant:
        """Reads an entry of a list; one with another shape is a TypeError."""
        tests = entry.pop("tests")
        if not isinstance(tests, list):
            raise TypeError(f"tests is a list, not {tests!r}")
        return cls(area=area, tests=tuple(tests), **entry)  # type: ignore[arg-type]

    def holds(self, word: str) -> bool:
        """Whether a word is in what the mutant is called."""
        return word.lower() in f"{self.area} {self.file} {self.says}".lower()

    def put_into(self, text: str) -> str:
        """Returns the module with the fault in it.

        Raises:
            ValueError: The old text is not there exactly once, or what comes out is no Python.
        """
        if (count := text.count(self.old)) != 1:
            raise ValueError(f"the old text is there {count} times")
        mutated = text.replace(self.old, self.new)
        try:
            compile(mutated, self.file, "exec")
        except SyntaxError as error:
            raise ValueError(f"it is no Python: {error}") from error
        return mutated


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run of tests ended; the status is None where it did not end in time."""

    status: int | None
    seconds: float
    output: str = ""


class Runs:
    """Runs tests in other processes, and ends them when it is told to."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, tree: Path, tests: Tests, limit: float) -> Outcome:
        """Runs tests in a copy of the checkout, as a group of processes that ends as a whole."""
        started = time.monotonic()
        with self._begun(tree, tests) as process:
            try:
                output, _ = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                return Outcome(None, time.monotonic() - started)
        return Outcome(process.returncode, time.monotonic() - started, output)

    def stop(self) -> None:
        """Ends what runs, and lets nothing begin any more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                _end(process)

    @contextmanager
    def _begun(self, tree: Path, tests: Tests) -> Iterator[subprocess.Popen[str]]:
        with self._lock:
            if self._stopped:
                raise KeyboardInterrupt
            process = subprocess.Popen(
                [*PYTEST, *tests],
                cwd=tree,
                env=environment(tree),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            self._running.add(process)
        try:
            with process:
                try:
                    yield process
                finally:
                    _end(process)
        finally:
            with self._lock:
                self._running.discard(process)


def _end(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):  # it and all that it began may have ended
        os.killpg(process.pid, signal.SIGKILL)


def environment(tree: Path) -> dict[str, str]:
    """Returns this process's environment, with the copy in front of what is installed."""
    sources = [tree / "src", *sorted((tree / "plugins").glob("*/src"))]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, sources)),
    }


@dataclass(slots=True)
class Bench:
    """Copies of the checkout, and how long each selection of tests takes there."""

    trees: SimpleQueue[Path]
    runs: Runs
    seconds: dict[Tests, float] = field(default_factory=dict)

    def check(self, tests: Tests) -> Outcome:
        """Runs tests on the code as it is."""
        with self._tree() as tree:
            outcome = self.runs.run(tree, tests, UNKNOWN_LIMIT)
        self.seconds[tests] = outcome.seconds
        return outcome

    def judge(self, mutant: Mutant) -> tuple[Verdict, float]:
        """Puts a mutant into a copy, and runs its tests there."""
        with self._tree() as tree:
            file = tree / mutant.file
            try:
                sound = file.read_text(encoding="utf-8")
                mutated = mutant.put_into(sound)
            except (OSError, ValueError) as error:
                print(f"  {mutant.file}: {error}", flush=True)
                return "DOES NOT APPLY", 0.0
            try:
                _write(file, mutated)
                outcome = self.runs.run(tree, mutant.tests, self._limit(mutant.tests))
            finally:
                _write(file, sound)
        verdict = _verdict(outcome.status)
        if verdict == "CANNOT BE RUN":
            _show(outcome)
        return verdict, outcome.seconds

    def _limit(self, tests: Tests) -> float:
        known = self.seconds.get(tests)
        return UNKNOWN_LIMIT if known is None else 20 + 5 * known

    @contextmanager
    def _tree(self) -> Iterator[Path]:
        tree = self.trees.get()
        try:
            yield tree
        finally:
            self.trees.put(tree)


def _write(file: Path, text: str) -> None:
    """Writes a module; what was compiled of another one of its size and second must not be used."""
    file.write_text(text, encoding="utf-8")
    Path(cache_from_source(str(file))).unlink(missing_ok=True)


def _show(outcome: Outcome) -> None:
    print("\n".join(outcome.output.splitlines()[-SHOWN:]), flush=True)


def _verdict(status: int | None) -> Verdict:
    match status:
        case None:
            return "timed out"
        case 0:
            return "SURVIVED"
        case 1 | 2:  # a test failed, or could not be collected
            return "killed"
        case _:  # such as tests that are not there
            return "CANNOT BE RUN"


@contextmanager
def bench(jobs: int) -> Iterator[Bench]:
    """Makes the copies, one for each job, and takes them away again."""
    with tempfile.TemporaryDirectory(prefix="convostore-mutants-") as folder:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(jobs):
            tree = Path(folder).resolve() / str(number)
            shutil.copytree(ROOT, tree, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
            trees.put(tree)
        yield Bench(trees, Runs())


def mutants() -> list[Mutant]:
    """Reads the lists."""
    return [
        Mutant.read(file.stem, entry)
        for file in sorted(HERE.glob("*.toml"))
        for entry in tomllib.loads(file.read_text(encoding="utf-8"))["mutant"]
    ]


def failing(made: Bench, selections: Sequence[Tests], jobs: int) -> set[Tests]:
    """Runs each selection once without a mutant; returns and shows those that do not pass."""
    found: set[Tests] = set()
    for number, (tests, outcome) in enumerate(_each(made, selections, made.check, jobs), 1):
        said = "passes" if outcome.status == 0 else "DOES NOT PASS"
        place = f"[{number}/{len(selections)}]"
        print(f"{place} {said} {outcome.seconds:.1f} s  {' '.join(tests)}", flush=True)
        if outcome.status != 0:
            found.add(tests)
            _show(outcome)
    return found


def judge_all(made: Bench, chosen: Sequence[Mutant], jobs: int) -> Counter[Verdict]:
    """Runs each mutant, and prints a line for it."""
    verdicts: Counter[Verdict] = Counter()
    for mutant, (verdict, seconds) in _each(made, chosen, made.judge, jobs):
        verdicts[verdict] += 1
        place = f"[{verdicts.total()}/{len(chosen)}]"
        print(f"{place} {verdict} {seconds:.1f} s  {mutant.file}: {mutant.says}", flush=True)
    return verdicts


def _each(
    made: Bench, items: Iterable[A], do: Callable[[A], B], jobs: int
) -> Iterator[tuple[A, B]]:
    """Yields items with what was done for each, as they end; an interrupt ends all of it."""
    with ThreadPoolExecutor(jobs) as threads:
        under_way = {threads.submit(do, item): item for item in items}
        try:
            for done in as_completed(under_way):
                yield under_way[done], done.result()
        except BaseException:
            made.runs.stop()
            threads.shutdown(cancel_futures=True)
            raise


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the mutants that are asked for, and returns the status to end with."""
    parser = argparse.ArgumentParser(description="Runs the mutants, each of which must be found.")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="how many at a time")
    parser.add_argument("--only", default="", metavar="WORD", help="only those that hold a word")
    parser.add_argument("--trust", action="store_true", help="take it that the tests pass")
    parser.add_argument("--list", action="store_true", help="show the mutants and run none")
    asked = parser.parse_args(arguments)
    chosen = [mutant for mutant in mutants() if mutant.holds(asked.only)]
    if asked.list or not chosen:
        print(*(f"{each.area} {each.file}: {each.says}" for each in chosen), sep="\n")
        print(f"{len(chosen)} mutants")
        return 0 if chosen else 1
    started = time.monotonic()
    with bench(asked.jobs) as made:
        selections = list(dict.fromkeys(mutant.tests for mutant in chosen))
        unfit = set() if asked.trust else failing(made, selections, asked.jobs)
        fit = [mutant for mutant in chosen if mutant.tests not in unfit]
        verdicts = judge_all(made, fit, asked.jobs)
    verdicts["CANNOT BE RUN"] += len(chosen) - len(fit)
    told = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items() if count)
    print(f"{len(chosen)} mutants: {told}, in {time.monotonic() - started:.0f} s")
    return 0 if verdicts["killed"] + verdicts["timed out"] == len(chosen) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted")
        sys.exit(130)
