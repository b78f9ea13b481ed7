"""Any run of operations has the same results on a database as in the memory, the specification.

Results are compared up to the times of each store's clock, and the totals of lists that databases
do not count. A cursor is held across writes and taken up later, on all sides at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    multiple,
    rule,
    run_state_machine_as_test,
)
from tests.support.naming import naming

import convostore
from convostore import (
    ANY,
    UNSET,
    Conversation,
    ConversationStore,
    Feedback,
    FilePart,
    Hit,
    Message,
    NotFoundError,
    Origin,
    OtherPart,
    Page,
    Problem,
    ReasoningPart,
    Source,
    StoreError,
    TextPart,
    ToolCallPart,
)
from convostore.testing import strategies

from .support.vocabulary import WORDS

IDS = ["a", "b", "c", "A", "\x00", "\ud800", "\\", "\\u0000", "é", "e\u0301", " ", "~", "'", "夏"]
TIMES = [
    datetime(1931, 1, 1, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2020, 2, 29, 12, tzinfo=UTC),
    datetime(2020, 2, 29, 12, 0, 0, 1, tzinfo=UTC),
    datetime(2099, 1, 1, tzinfo=UTC),
]

words = st.sampled_from(WORDS)
ids = st.sampled_from(IDS)
message_ids = st.sampled_from([f"m{number}" for number in range(40)] + IDS[4:8])
seldom = st.sampled_from([False] * 19 + [True])
some_times = st.sampled_from([None, *TIMES])
sentences = st.lists(words, max_size=5).map(" ".join)
titles = st.none() | sentences
raws = st.none() | strategies.json_values()
origins = st.none() | st.builds(Origin, store=words, conversation_id=ids)
owners = st.sampled_from([None, "ann", "\x00", "ben"])
some_owner = st.just(UNSET) | owners
metadata = st.dictionaries(st.sampled_from(["a", "b", "\ud800"]), st.integers() | words, max_size=2)
merges = st.dictionaries(st.sampled_from(["a", "b", "\ud800"]), st.none() | words, max_size=2)
feedbacks = st.none() | st.builds(
    Feedback, rating=st.sampled_from(["good", "bad"]), comment=st.none() | words
)
parts = st.one_of(
    st.builds(TextPart, text=sentences),
    st.builds(TextPart, text=strategies.texts()),
    st.builds(ReasoningPart, text=words),
    st.builds(ToolCallPart, name=words, arguments=words),
    st.builds(OtherPart, type=words, data=raws),
)
sources = st.builds(Source, title=st.none() | sentences, content=words, raw=raws)
messages = st.builds(
    Message,
    id=message_ids,
    role=st.sampled_from(["system", "user", "assistant", "tool", "other"]),
    parts=st.lists(parts, min_size=1, max_size=3).map(tuple),
    created_at=some_times,
    sources=st.lists(sources, max_size=2).map(tuple),
    feedback=feedbacks,
    status=st.sampled_from([None, "complete", "failed"]),
    model=st.none() | words,
    parent_id=st.none() | words,
    raw=raws,
)
conversations = st.builds(
    Conversation,
    id=ids,
    title=titles,
    created_at=some_times,
    updated_at=some_times,
    pinned=st.booleans(),
    owner=owners,
    metadata=metadata,
    origin=origins,
    files=st.lists(st.builds(FilePart, name=words), max_size=1).map(tuple),
    problems=st.lists(st.builds(Problem, where=words, what=words), max_size=1).map(tuple),
    raw=raws,
)
orders = st.sampled_from(["oldest_first", "newest_first"])
limits = st.integers(1, 4)
places = st.integers(0, 9)


_ABSENT = 9


@dataclass
class Side:
    """A store, and what makes its results comparable with the other one's."""

    store: ConversationStore
    opened_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def comparable(self, value: Any) -> Any:
        match value:
            case Conversation():
                return repr(self._conversation(value))
            case Message():
                plain = value.model_dump()  # of JSON, NaN is equal to itself so
                return repr(plain | {"stored_at": value.stored_at is not None})
            case Hit():
                place = value.where, value.snippet
                return self.comparable(value.conversation), self.comparable(value.message), place
            case Page():
                return self.comparable(value.items), value.cursor is None
            case tuple() | list():
                return [self.comparable(item) for item in value]
        return value

    def _conversation(self, value: Conversation) -> dict[str, Any]:
        plain = value.model_dump() | {"revision": value.revision is not None}
        if value.origin is not None and value.origin.store == self.store.label:
            plain["origin"] = "this store", value.origin.conversation_id
        latest = datetime.now(UTC) + timedelta(seconds=1)
        if value.updated_at is not None and self.opened_at <= value.updated_at <= latest:
            plain["updated_at"] = "by the clock"
        return plain


@dataclass(frozen=True)
class Cursor:
    """Where a list was left on each side, and how it goes on."""

    ends: tuple[str, ...]
    read: Callable[..., Page[Any]]


class Equivalence(RuleBasedStateMachine):
    """Every call is made on all sides, the memory first.

    All ids are given: those that stores choose break ties in an order of their own.
    """

    names = Bundle("names")
    cursors = Bundle("cursors")
    told = Bundle("told")
    any_name = st.one_of(names, names, names, names, names, ids)

    def __init__(self, stores: Sequence[ConversationStore]) -> None:
        super().__init__()
        self.sides = [Side(store) for store in stores]

    def all(self, call: Callable[[Side], Any]) -> list[Any]:
        """Make a call on all sides and return its result; nothing if it was refused."""
        given: list[Any] = []
        outcomes = []
        for side in self.sides:
            try:
                given.append(call(side))
                outcomes.append(side.comparable(given[-1]))
            except StoreError as error:
                outcomes.append((type(error), error.operation))
        for side, outcome in zip(self.sides, outcomes, strict=True):
            with naming(side.store):
                assert outcome == outcomes[0]
        return given

    @property
    def beginning(self) -> tuple[None, ...]:
        """Where every list begins."""
        return (None,) * len(self.sides)

    def message_of(self, name: str, place: int) -> str:
        """Return the id of a conversation's message by its place, or an absent id."""
        kept = []
        with suppress(NotFoundError):
            kept = list(self.sides[0].store.messages(name))
        return kept[place % len(kept)].id if kept and place < _ABSENT else "absent"

    def page(self, read: Callable[..., Page[Any]], ends: tuple[str | None, ...]) -> Any:
        """Read a page on all sides; where a list goes on, its cursor is for other rules."""
        at = dict(zip(map(id, self.sides), ends, strict=True))
        given = self.all(lambda side: read(side, cursor=at[id(side)]))
        ends = tuple(page.cursor for page in given)
        return Cursor(ends, read) if given and None not in ends else multiple()

    @initialize(
        target=names,
        first=st.lists(messages, min_size=3, max_size=9, unique_by=lambda message: message.id),
    )
    def begin(self, first):
        for id in IDS[:2]:
            self.create(id, title=f"{id} hello 夏威夷", created_at=None, origin=None)
            self.append(id, first)
        return multiple(*IDS[:2])

    @rule(
        target=names,
        id=ids,
        title=titles,
        created_at=some_times,
        origin=origins,
        owner=owners,
        metadata=metadata,
    )
    def create(self, id, **values):
        self.all(lambda side: side.store.create_conversation(id=id, **values))
        return id

    @rule(target=names, conversation=conversations)
    def put(self, conversation):
        self.all(lambda side: side.store.put_conversation(conversation))
        return conversation.id

    @rule(
        target=names,
        name=any_name,
        place=places,
        id=st.sampled_from([f"fork{number}" for number in range(10)]) | ids,
        title=st.just(UNSET) | titles,
        owner=some_owner,
        metadata=st.just(UNSET) | merges,
    )
    def fork(self, name, place, **values):
        message_id = self.message_of(name, place)
        self.all(lambda side: side.store.fork_conversation(name, message_id, **values))
        return values["id"]

    @rule(target=told, name=any_name, new=st.lists(messages, max_size=3))
    def append(self, name, new):
        self.all(lambda side: side.store.append_messages(name, new))
        return multiple(*new)

    @rule(name=any_name, again=st.lists(told, max_size=3), new=st.lists(messages, max_size=1))
    def append_again(self, name, again, new):
        self.all(lambda side: side.store.append_messages(name, [*again, *new]))

    @rule(
        name=any_name,
        new=st.lists(messages, max_size=2),
        place=st.sampled_from([None, ANY]) | places,
    )
    def append_after(self, name, new, place):
        after = self.message_of(name, place) if isinstance(place, int) else place
        self.all(lambda side: side.store.append_messages(name, new, after=after))

    @rule(target=told, name=any_name, new=messages)
    def append_after_the_last(self, name, new):
        def call(side: Side) -> Any:
            page = side.store.list_messages(name, limit=1, order="newest_first")
            tip = page.items[0].id if page.items else None
            return side.store.append_messages(name, [new], after=tip)

        self.all(call)
        return new

    @rule(
        target=told,
        name=any_name,
        new=st.lists(messages, max_size=3),
        place=st.none() | places,
        last=st.just(ANY) | places,
    )
    def replace(self, name, new, place, last):
        after = None if place is None else self.message_of(name, place)
        tip = last if last is ANY else self.message_of(name, last)
        for _ in range(2):  # again, as a caller does who was not answered
            self.all(lambda side: side.store.replace_messages(name, new, after=after, tip=tip))
        return multiple(*new)

    @rule(target=told, name=any_name, new=messages, place=places, was=st.just(ANY) | places)
    def edit(self, name, new, place, was):
        edited = new.model_copy(update={"id": self.message_of(name, place)})

        def call(side: Side) -> Any:
            before = was
            if before is not ANY:
                before = side.store.get_message(name, edited.id)
                if was % 2:
                    before = before.model_copy(update={"model": "another"})
            return side.store.update_message(name, edited, was=before)

        self.all(call)
        return edited

    @rule(name=any_name, place=st.just(ANY) | places)
    def pop(self, name, place):
        tip = place if place is ANY else self.message_of(name, place)
        self.all(lambda side: side.store.pop_message(name, tip=tip))

    @rule(name=any_name, place=places)
    def get_message(self, name, place):
        message_id = self.message_of(name, place)
        self.all(lambda side: side.store.get_message(name, message_id))

    @rule(
        name=any_name,
        title=st.just(UNSET) | titles,
        pinned=st.sampled_from([UNSET, True, False]),
        owner=some_owner,
        metadata=st.just(UNSET) | merges,
    )
    def update(self, name, **values):
        self.all(lambda side: side.store.update_conversation(name, **values))

    @rule(name=any_name, place=places, feedback=feedbacks)
    def set_feedback(self, name, place, feedback):
        message_id = self.message_of(name, place)
        self.all(lambda side: side.store.set_feedback(name, message_id, feedback))

    @rule(name=any_name, place=places)
    def delete_message(self, name, place):
        message_id = self.message_of(name, place)
        self.all(lambda side: side.store.delete_message(name, message_id))

    @rule(name=consumes(names))
    def delete_conversation(self, name):
        self.all(lambda side: side.store.delete_conversation(name))

    @rule(older_than=st.sampled_from([None, *TIMES[:-1]]), owner=some_owner)
    def delete_some(self, **which):
        self.all(lambda side: side.store.delete_conversations(**which))

    @rule(really=seldom)
    def delete_all(self, really):
        if really:
            self.all(lambda side: side.store.delete_conversations(older_than=TIMES[-1]))
            self.all(lambda side: side.store.clear_conversations())

    @rule(name=any_name)
    def get(self, name):
        self.all(lambda side: side.store.get_conversation(name))

    @rule(
        target=cursors,
        start=st.none() | any_name,
        limit=limits,
        older_than=some_times,
        owner=some_owner,
        order=orders,
    )
    def list_conversations(self, start, **values):
        def read(side: Side, cursor: str | None) -> Any:
            place = {"start": start} if cursor is None else {"cursor": cursor}
            return side.store.list_conversations(**values, **place)

        return self.page(read, self.beginning)

    @rule(target=cursors, name=any_name, limit=limits, order=orders, first=st.none() | places)
    def list_messages(self, name, limit, order, first):
        start = None if first is None else self.message_of(name, first)

        def read(side: Side, cursor: str | None) -> Any:
            place = {"start": start} if cursor is None else {"cursor": cursor}
            return side.store.list_messages(name, limit=limit, order=order, **place)

        return self.page(read, self.beginning)

    @rule(target=cursors, query=words | sentences, limit=limits)
    def search(self, query, limit):
        return self.page(_searching(query, limit), self.beginning)

    @rule(
        target=cursors,
        query=words,
        conversation_id=st.none() | names,
        role=st.sampled_from([None, "user", "assistant"]),
        since=some_times,
        until=some_times,
        owner=some_owner,
    )
    def search_within(self, query, **limits):
        return self.page(_searching(query, 2, **limits), self.beginning)

    @rule(target=cursors, message=told, data=st.data())
    def search_a_piece_of_what_was_said(self, message, data):
        text = message.text
        start = data.draw(st.integers(0, len(text)))
        piece = text[start : start + data.draw(st.integers(1, 8))]
        return self.page(_searching(piece, 3), self.beginning)

    @rule(target=cursors, cursor=consumes(cursors))
    def read_on(self, cursor):
        return self.page(cursor.read, cursor.ends)

    @rule(cursor=cursors, other=cursors)
    def read_on_elsewhere(self, cursor, other):
        """Check that a cursor of another list is refused, or serves the same list."""
        self.page(cursor.read, other.ends)

    @rule(older_than=some_times)
    def read_everything(self, older_than):
        self.all(lambda side: list(side.store.conversations(older_than=older_than)))
        self.all(
            lambda side: [
                (transcript.conversation, transcript.messages)
                for transcript in side.store.transcripts()
            ]
        )

    @rule(name=any_name)
    def count(self, name):
        self.all(lambda side: side.store.list_messages(name, limit=1).total)

    def teardown(self):
        try:
            self.read_everything(None)
        finally:
            for side in self.sides:
                side.store.close()


def _searching(query: str, limit: int, **limits: Any) -> Callable[..., Page[Any]]:
    def read(side: Side, cursor: str | None) -> Any:
        return side.store.search(query, limit=limit, cursor=cursor, **limits)

    return read


ALONE = 10
"""Examples for SQLite alone; the others are made of both databases, which takes a server."""


@pytest.mark.parametrize(
    ("kinds", "most"),
    [
        pytest.param(["sqlite"], ALONE, id="sqlite"),
        pytest.param(["sqlite", "postgresql"], None, id="both", marks=pytest.mark.rim),
    ],
)
def test_a_database_gives_what_the_memory_gives(new_database, kinds, most):
    databases = [new_database(kind) for kind in kinds]
    made = 0

    def stores() -> list[ConversationStore]:
        nonlocal made
        made += 1
        dsns = [database.dsn(namespace=f"example-{made}") for database in databases]
        return [convostore.open(dsn) for dsn in ["memory://", *dsns]]

    examples = settings().max_examples
    run_state_machine_as_test(
        lambda: Equivalence(stores()),
        settings=settings(
            max_examples=min(examples, most or examples),
            stateful_step_count=40,
            phases=[Phase.reuse, Phase.generate],  # to shrink a run takes minutes
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
