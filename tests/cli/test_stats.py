"""`stats`: what is counted, and how it is shown."""

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import convostore
from convostore import Message, Origin, TextPart
from convostore.cli._statistics import Statistics
from convostore.cli.errors import ExitCode
from convostore.cli.render import charts

from ..support.cli import on_a_terminal, on_posix, run

DAY = datetime(2026, 1, 31, 12, tzinfo=UTC)
SPECIAL = """
from convostore.errors import AuthError, NotFoundError, ProtocolError
from convostore.adapters.memory import MemoryAdapter
from convostore.plugins import hookimpl

class Broken(MemoryAdapter):
    name = "broken"
    refusals = {"moon": ProtocolError, "gone": NotFoundError, "secret": AuthError}

    def list_messages(self, conversation_id, listing):
        if refusal := self.refusals.get(conversation_id):
            raise refusal("a row is broken")
        return super().list_messages(conversation_id, listing)

@hookimpl
def convostore_adapters():
    return {"broken": Broken}
"""


@pytest.fixture
def special(site):
    """A backend over the same memories that cannot read everything."""
    site.install("convostore-broken", {"broken": SPECIAL})


@pytest.fixture
def target(name):
    return f"memory://{name}"


@pytest.fixture
def dated(target):
    """Three messages more in `moon`, of two days and of two models."""
    with convostore.open(target) as store:
        store.append_messages(
            "moon",
            [
                said("one", role="user", created_at=DAY),
                said("two", role="assistant", created_at=DAY, model="m-1"),
                said("three", role="assistant", created_at=DAY + timedelta(days=2), model="m-2"),
            ],
        )
    return target


def said(id, **more):
    return Message(id=id, parts=[TextPart(text="hm")], **more)


def counted(*words):
    result = run("stats", *words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_messages_are_counted_by_day_role_model_and_store(dated, name):
    told = counted(dated)
    assert (told["conversations"], told["messages"], told["undated"]) == (2, 5, 2)
    assert told["days"] == {"2026-01-31": 2, "2026-02-02": 1}
    assert told["roles"] == {"assistant": 3, "user": 2}
    assert told["models"] == {"m-1": 1, "m-2": 1}
    assert told["stores"] == {f"memory://{name}": {"conversations": 2, "messages": 5}}
    assert told["unreadable"] == {}


def test_copies_count_for_the_store_that_they_come_from(target):
    with convostore.open(target) as store:
        store.create_conversation(id="copy", origin=Origin(store="far", conversation_id="x"))
        store.append_messages("copy", [said("m", role="user")])
    assert counted(target)["stores"]["far"] == {"conversations": 1, "messages": 1}


def test_a_span_leaves_out_what_is_not_of_it(dated):
    told = counted(dated, "--since", "2026-02-01", "--until", "2026-02-02")
    assert (told["conversations"], told["messages"]) == (1, 1)
    assert told["days"] == {"2026-02-02": 1}
    assert told["undated"] == 0
    assert counted(dated, "--until", "2026-02-01")["days"] == {"2026-01-31": 2}


def test_in_a_pipe_each_count_is_a_line(dated, name):
    result = run("stats", dated)
    assert result.exit_code == 0
    assert [tuple(line.split("\t")) for line in result.stdout.splitlines()] == [
        ("day", "2026-01-31", "2"),
        ("day", "2026-02-02", "1"),
        ("day", "", "2"),
        ("role", "assistant", "3"),
        ("role", "user", "2"),
        ("model", "m-1", "1"),
        ("model", "m-2", "1"),
        ("store", f"memory://{name}", "5"),
        ("conversations", f"memory://{name}", "2"),
    ]


def test_an_empty_store_counts_nothing():
    told = counted("memory://")
    assert (told["conversations"], told["messages"], told["days"]) == (0, 0, {})
    assert run("stats", "memory://").stdout == ""


@pytest.fixture
def broken(special, name):
    return f"broken://{name}"


def test_what_cannot_be_read_is_said_and_the_rest_is_counted(broken):
    result = run("stats", broken, "--json")
    assert result.exit_code == ExitCode.FAILED
    assert "not counted: moon: a row is broken" in result.stderr
    told = json.loads(result.stdout)
    assert told["messages"] == 2
    assert told["unreadable"] == {"moon": "a row is broken"}


def test_what_is_deleted_meanwhile_is_not_counted(broken, target):
    with convostore.open(target) as store:
        store.delete_conversation("moon")
        store.create_conversation(id="gone")
    assert counted(broken)["conversations"] == 1


def test_what_ended_before_the_span_is_not_even_asked_for(broken):
    assert counted(broken, "--since", "2100-01-01")["messages"] == 0


def test_an_error_of_the_whole_store_ends_it(broken, target):
    with convostore.open(target) as store:
        store.create_conversation(id="secret")
    assert run("stats", broken).exit_code == ExitCode.CREDENTIAL


@pytest.mark.rim
@on_posix
def test_a_terminal_gets_bars():
    session = on_a_terminal("stats", "memory://seeded")
    assert session.status == 0
    assert "2 messages in 2 conversations" in session.shown
    assert "Messages by role" in session.shown
    assert "█" in session.shown


@pytest.mark.parametrize(
    ("last", "unit", "rows"),
    [
        (date(2026, 1, 1), "day", 1),
        (date(2026, 1, 31), "day", 31),
        (date(2026, 2, 1), "week", 5),
        (date(2026, 7, 31), "week", 31),
        (date(2026, 12, 31), "month", 12),
        (date(2030, 1, 1), "year", 5),
    ],
)
def test_bars_are_of_the_smallest_time_that_leaves_few_enough(last, unit, rows):
    chosen, shown = charts._rows_over_time(Counter({date(2026, 1, 1): 1, last: 2}))
    assert (chosen, len(shown)) == (unit, rows)


def test_bars_over_time_leave_no_day_out():
    _, shown = charts._rows_over_time(Counter({date(2026, 2, 27): 1, date(2026, 3, 2): 5}))
    assert shown == [("2026-02-27", 1), ("2026-02-28", 0), ("2026-03-01", 0), ("2026-03-02", 5)]


def test_years_that_are_too_many_become_one_bar():
    unit, shown = charts._rows_over_time(Counter({date(1, 1, 1): 3, date(9999, 12, 31): 1}))
    assert unit == "year"
    assert len(shown) == 32
    assert (shown[0], shown[-1]) == (("before", 3), ("9999", 1))


@given(st.dictionaries(st.dates(), st.integers(1, 10**6)))
def test_bars_over_time_count_all(days):
    _, shown = charts._rows_over_time(Counter(days))
    assert sum(row.number for row in shown) == sum(days.values())
    assert len(shown) <= 32


def test_many_models_are_shown_by_the_largest_and_the_others():
    counts = Statistics(
        models=Counter({f"model\x1b[2J {number}": 30 - number for number in range(30)})
    )
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(charts.charts(counts))
    shown = capture.get()
    assert "model�[2J 0" in shown
    assert "others" in shown
    assert "model�[2J 15" not in shown
    assert "\x1b" not in shown


def test_a_time_at_the_end_of_all_has_a_day(target):
    with convostore.open(target) as store:
        last = datetime.max.replace(tzinfo=UTC)
        store.append_messages("moon", [said("m", role="user", created_at=last)])
        first = datetime.min.replace(tzinfo=UTC)
        store.append_messages("moon", [said("n", role="user", created_at=first)])
    assert sum(counted(target)["days"].values()) == 2
