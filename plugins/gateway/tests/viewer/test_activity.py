"""The chart of activity: what is counted, how it is drawn, and where counting ends."""

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import convostore
from convostore.models import Conversation, Origin
from convostore_gateway.viewer.activity import Counts, chart, count
from convostore_gateway.viewer.render import store_name
from convostore_gateway.viewer.urls import Addresses, id_of, key_of, segment

from ..support.gateway import got, served
from ..support.viewer import Page, ordinary, put

BACKENDS = st.sampled_from([f"store://{number}" for number in range(9)])


def counted(target, **bounds):
    async def go():
        async with convostore.aopen(target) as store:
            return await count(store, 10, **bounds)

    return asyncio.run(go())


def test_conversations_count_for_the_backend_they_come_from():
    target = "memory://viewer-activity-backends"
    day = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
    origin = Origin(store="fastgpt://desk.example", conversation_id="x")
    copied = Conversation(id="a", updated_at=day, created_at=day - timedelta(9), origin=origin)
    own, undated = Conversation(id="b", created_at=day), Conversation(id="c")
    put(target, [(copied, ()), (own, ()), (undated, ())])
    counts = counted(target)
    assert counts.is_whole
    assert counts.backends == {"fastgpt://desk.example": 1, target: 2}
    assert counts.days == {
        (day.date(), "fastgpt://desk.example"): 1,
        (day.date(), target): 1,
    }
    drawn = chart(counts)
    assert (drawn.total, drawn.undated, drawn.earlier, drawn.highest) == (3, 1, 0, 2)


def test_counting_stops_at_its_bound_and_says_so():
    target = "memory://viewer-activity-bound"
    put(target, [(each, ()) for each in ordinary(35)])
    counts = counted(target, most=20)
    assert (counts.backends.total(), counts.is_whole) == (20, False)
    assert counted(target, most=36).is_whole


@given(
    st.dictionaries(
        st.tuples(st.dates(date(1990, 1, 1), date(2040, 1, 1)), BACKENDS),
        st.integers(1, 10**6),
        max_size=30,
    ),
    st.dictionaries(BACKENDS, st.integers(1, 100)),
)
def test_every_conversation_is_in_a_bar_or_told_of(days, undated):
    backends = Counter(undated)
    for (_, name), number in days.items():
        backends[name] += number
    drawn = chart(Counts(Counter(days), backends, is_whole=True))
    assert drawn.total == backends.total() == sum(number for _, number in drawn.backends)
    in_bars = sum(bar.total for bar in drawn.bars)
    assert in_bars + drawn.earlier + drawn.undated == drawn.total
    assert len(drawn.backends) <= 5
    assert len(drawn.bars) <= 40
    for bar in drawn.bars:
        edge = 1000
        for each in bar.pieces:
            assert each.series < len(drawn.backends)
            assert each.top + each.height == edge
            edge = each.top
        assert edge >= 0
        assert edge == 1000 - 1000 * bar.total // max(1, drawn.highest)


@pytest.mark.rim
def test_the_chart_is_drawn_and_told_as_a_table():
    target = "memory://viewer-activity-drawn"
    several = list(ordinary(60))
    put(target, [(each, ()) for each in several])
    with served(target) as url:
        page = Page(got(f"{url}/viewer/activity").text)
    page.assert_safe()
    assert 0 < len(page.all("th", scope="row")) <= len(page.all("rect", class_="ground")) <= 40
    assert "fastgpt://desk.example" in page.text
    told = [each.split(": ") for each in page.shown if each.startswith("20")]
    assert sum(int(number) for _, *numbers in told for number in numbers) == 60


@pytest.mark.rim
def test_an_empty_store_has_no_chart():
    with served("memory://viewer-activity-empty") as url:
        answer = got(f"{url}/viewer/activity")
    assert answer.status_code == 200
    assert not Page(answer.text).all("rect")


@given(st.text(st.characters(codec=None)))
def test_an_id_is_one_segment_of_a_path_and_comes_back(id):
    written = segment(id)
    assert id_of(written) == id
    assert written
    assert written not in {".", ".."}
    assert "/" not in written
    assert written.isascii()
    assert key_of(id).isalnum()
    assert Addresses("/viewer").conversation(id, a=id).isascii()


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("sqlite:////home/somebody/chats.db", "sqlite:///chats.db"),
        ("sqlite:///chats.db", "sqlite:///chats.db"),
        ("fastgpt://desk.example/app", "fastgpt://desk.example/app"),
        ("memory://", "memory://"),
        ("a name", "a name"),
        ("", ""),
    ],
)
def test_a_store_is_called_by_its_address_without_a_path_of_the_machine(label, name):
    assert store_name(label) == name
