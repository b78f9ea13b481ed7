"""Periods: the smallest unit of which few enough reach from the first day to the last."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convostore.timeline import group_days

FRIDAY = date(2026, 1, 2)


@pytest.mark.parametrize(
    ("first", "unit", "names"),
    [
        (date(2025, 12, 31), "day", ["2025-12-31", "2026-01-01", "2026-01-02"]),
        (date(2025, 12, 21), "week", ["2025-12-15", "2025-12-22", "2025-12-29"]),
        (date(2025, 11, 30), "month", ["2025-11", "2025-12", "2026-01"]),
        (date(2024, 12, 31), "year", ["2024", "2025", "2026"]),
        (date(2001, 1, 1), "year", ["2024", "2025", "2026"]),
    ],
)
def test_the_unit_is_the_smallest_that_fits(first, unit, names):
    shown = group_days({FRIDAY, first}, 3)
    assert shown.unit == unit
    assert [shown.name(start) for start in shown.starts] == names


def test_no_day_has_no_period():
    assert group_days([], 3).starts == ()


def test_the_ends_of_the_calendar_are_days_as_others():
    assert group_days([date.min], 3).starts == (date.min,)
    assert group_days([date.min, date.max], 3).starts[-1] == date(9999, 1, 1)


@given(st.sets(st.dates(), min_size=1), st.integers(1, 40))
def test_every_day_is_in_a_period_unless_it_is_older_than_all(days, most):
    shown = group_days(days, most)
    assert 1 <= len(shown.starts) <= most
    assert list(shown.starts) == sorted(set(shown.starts))
    for day in days:
        start = shown.start(day)
        assert start <= day
        assert start in shown.starts or start < shown.starts[0]
    assert all(shown.start(start) == start for start in shown.starts)


@given(st.dates(date(1990, 1, 1), date(2030, 1, 1)), st.integers(0, 900))
def test_periods_have_no_gap(first, length):
    days = [first, first + timedelta(days=length)]
    shown = group_days(days, 40)
    later = {shown.start(first + timedelta(days=days)) for days in range(length + 1)}
    assert set(shown.starts) == later
