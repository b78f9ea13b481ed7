"""The suite as a whole: its tiers, what a quick test may touch, its memory, and its summary.

Every test is in the tier `full`. Those that need a socket, another process, a server or a browser
bear the mark `rim`, those that take a second or more the mark `slow`, and are not in the tier
`quick`; a test without the mark `rim` that opens a socket or a process fails.
Loaded by pyproject.toml for the core's tests and each plugin's; what is tested is not known here.
"""

from __future__ import annotations

import gc
import ipaddress
import re
import shutil
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import settings

from convostore.testing import StoreContract

TIERS: Final = ("quick", "full", "nightly")
_EXAMPLES: Final = {"quick": 10, "full": 50, "nightly": 1000}
"""How many examples Hypothesis draws for a property; only nightly ones differ from run to run."""

_NEEDS_THE_RIM: Final = frozenset(
    {"socket.bind", "socket.connect", "subprocess.Popen", "os.posix_spawn"}
)
_OF_THE_RIM: Final = re.compile(r"^pytestmark = \[?pytest\.mark\.rim\b", re.MULTILINE)
_SLOWEST: Final = 4
_REASONS: Final = 4


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--tier",
        choices=TIERS,
        default="full",
        help="quick: no sockets, processes, servers or browsers; nightly: many more examples",
    )


def pytest_configure(config: pytest.Config) -> None:
    tier = config.getoption("tier")
    for name, examples in _EXAMPLES.items():
        settings.register_profile(
            name,
            max_examples=examples,
            deadline=None,
            derandomize=name != "nightly",
            database=None,
        )
    settings.load_profile(tier)
    config.pluginmanager.register(_Summary(), "suite-summary")


def pytest_sessionstart() -> None:
    """Lets Ctrl-C through, here and in child processes, where a shell keeps it from its jobs."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves modules that are the rim's as a whole unread in the quick tier."""
    if config.getoption("tier") == "quick" and collection_path.suffix == ".py":
        return bool(_OF_THE_RIM.search(collection_path.read_text("utf-8"))) or None
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("tier") != "quick":
        return
    left_out = [item for item in items if not _is_quick(item)]
    items[:] = [item for item in items if _is_quick(item)]
    config.hook.pytest_deselected(items=left_out)


def _is_quick(item: pytest.Item) -> bool:
    """Whether a test is in the quick tier; of the contracts' clauses the async face alone is."""
    if any(item.get_closest_marker(mark) for mark in ("rim", "slow")):
        return False
    of_a_contract = issubclass(getattr(item, "cls", None) or object, StoreContract)
    return not of_a_contract or item.callspec.params["face"] == "async"  # type: ignore[attr-defined]


def pytest_collection_finish() -> None:
    """Keeps what is there from now on out of every later collection of garbage.

    A test that collects, or looks at each object, then costs the same wherever it runs. How often
    Python collects depends on how much the last collection left: the second one leaves nothing.
    """
    gc.collect()
    gc.freeze()
    gc.collect()


# What a test may touch


class _Watch:
    """What the running test may touch, and what it touched all the same."""

    def __init__(self) -> None:
        self.item: pytest.Item | None = None
        self.is_rim = True
        self.complaint: str | None = None

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.item is None:
            return
        if event in _NEEDS_THE_RIM and not self.is_rim and _leaves(event, arguments):
            self._refuse(f"{event} in a test without the mark `rim`: {arguments[-1]!r}")
        elif event == "socket.connect" and not _is_local(arguments[1]):
            self._refuse(f"a test connects to {arguments[1]!r}")
        elif event == "socket.getaddrinfo" and not _is_address(arguments[0]):
            if isinstance(arguments[0], str):
                arguments[0].encode("idna")  # what no look-up takes fails as it does without us
            self._refuse(f"a test looks up {arguments[0]!r}")

    def _refuse(self, complaint: str) -> None:
        self.complaint = complaint
        raise AssertionError(complaint)


def _leaves(event: str, arguments: tuple[Any, ...]) -> bool:
    return not event.startswith("socket") or isinstance(arguments[1], tuple)


def _is_local(address: Any) -> bool:
    host = address[0] if isinstance(address, tuple) else "localhost"
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(host: Any) -> bool:
    """Whether a host is none that has to be looked up elsewhere."""
    name = host.decode() if isinstance(host, bytes) else host
    if name in {None, "", "localhost"}:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


_watch: Final = _Watch()
sys.addaudithook(_watch.audit)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    _watch.item, _watch.complaint = item, None
    _watch.is_rim = item.get_closest_marker("rim") is not None
    try:
        return (yield)
    finally:
        _watch.item = None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fails a test that swallowed what it was told of the network."""
    result = yield
    if _watch.complaint is not None:
        pytest.fail(_watch.complaint, pytrace=False)
    return result


# What is said at the end


class _Summary:
    """Counts what was slow and what was skipped, and keeps nothing else of what passed."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.skipped: Counter[str] = Counter()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid.partition("[")[0]] += report.duration
        if report.passed:
            report.sections.clear()
        elif report.skipped and not hasattr(report, "wasxfail"):
            assert isinstance(report.longrepr, tuple)
            self.skipped[report.longrepr[2].removeprefix("Skipped: ")] += 1

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Says in ten lines at the most what was slowest, and what was skipped and why."""
        slowest = sorted(self.seconds.items(), key=lambda each: -each[1])[:_SLOWEST]
        reasons = self.skipped.most_common()
        rest = sum(count for _, count in reasons[_REASONS:])
        lines = [f"slowest: {seconds:6.1f} s {name}" for name, seconds in slowest]
        lines += [f"skipped: {count:6} {reason}" for reason, count in reasons[:_REASONS]]
        if rest:
            lines.append(f"skipped: {rest:6} for {len(reasons) - _REASONS} other reasons (-rs)")
        width = shutil.get_terminal_size((100, 24)).columns
        for line in lines:
            terminalreporter.write_line(line[:width])
