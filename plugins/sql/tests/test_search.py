"""What is typed finds the same on a database as in the memory, whatever it is."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from tests.support.naming import naming

import convostore
from convostore import Conversation, InvalidError, Message, Source, TextPart
from convostore import ConversationStore as Store

from .support.databases import KINDS, Databases, SQLite
from .support.vocabulary import WORDS

TYPED = [
    *WORDS,
    *(f"{one} {other}" for one, other in itertools.pairwise(WORDS)),
    *("shared hello", "hello shared", '"shared hello"', '"hello shared"', "sha", "hared", "SHARED"),
    *("夏", "威", "夷大", "夏威夷", "大夏", "geht", "user name", "username", "http server", "x 86"),
    *('text"', '"', '""', "(", ")", "a OR b", "NOT hello", "hello*", "words:hello", "{a b}:c", "+"),
    *(";", "--", "/* */", "'", "''", "%s", "$1", "?1", ":a", "\\", "hello\\", "@@", "&", "|", "!"),
]


def fill(store: Store) -> None:
    for number, word in enumerate(WORDS):
        store.put_conversation(Conversation(id=f"c{number}", title=f"shared {word} in a title"))
        store.append_messages(
            f"c{number}",
            [
                Message(id="said", role="user", parts=(TextPart(text=f"shared {word}, said"),)),
                Message(
                    id="read",
                    role="assistant",
                    parts=(TextPart(text=f"{word}{word}"),),
                    sources=(Source(title=f"{word} in a shared source"),),
                ),
            ],
        )


@pytest.fixture(scope="module")
def filled_stores(request, tmp_path_factory) -> Iterator[Callable[..., tuple[Store, Store]]]:
    """Yield a store on a database and one in memory with the same content, filled once.

    No test writes to them.
    """
    with ExitStack() as stack:

        def opened(kind: str, fill: Callable[[Store], None]) -> tuple[Store, Store]:
            if kind == "sqlite":
                database = SQLite(tmp_path_factory.mktemp("searching") / "store.db")
            else:
                databases: Databases = request.getfixturevalue("databases")
                database = stack.enter_context(databases.one())
            both = [
                stack.enter_context(convostore.open(dsn)) for dsn in (database.dsn(), "memory://")
            ]
            for store in both:
                fill(store)
            return both[0], both[1]

        yield functools.cache(opened)


@pytest.fixture(params=KINDS)
def filled(request, filled_stores):
    """Return a store on a database, and the memory with the same in it."""
    return filled_stores(request.param, fill)


def test_what_is_typed_finds_what_the_memory_finds(filled):
    def results(store, typed):
        hits = store.search(typed, limit=1000).items
        return [
            (hit.conversation.id, hit.message and hit.message.id, hit.where, hit.snippet)
            for hit in hits
        ]

    store, memory = filled
    for typed in TYPED:
        assert results(store, typed) == results(memory, typed), typed


def test_pages_of_hits_join_to_the_whole(filled):
    store, _ = filled
    whole = store.search("shared", limit=1000).items
    assert len(whole) == 3 * len(WORDS)
    for limit in (1, 7, 50):
        results = []
        cursor = None
        while True:
            page = store.search("shared", limit=limit, cursor=cursor)
            assert len(page.items) <= limit
            results += page.items
            if (cursor := page.cursor) is None:
                break
        assert results == list(whole)


TIMES = [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2, 3)]


def fill_with_dates(store: Store) -> None:
    """Store conversations and messages of the same few times."""
    for name, made_at in itertools.product("ab", TIMES):
        conversation_id = f"{name} {made_at.day}"
        store.create_conversation(id=conversation_id, title="dated", created_at=made_at)
        store.append_messages(
            conversation_id,
            [
                Message(
                    id=f"{said_at.day} {role}",
                    role=role,
                    parts=(TextPart(text="dated"),),
                    created_at=said_at,
                )
                for said_at, role in itertools.product(TIMES, ["user", "assistant", "tool"])
            ],
        )


@pytest.fixture(params=KINDS)
def dated(request, filled_stores):
    """Return a store on a database, and the memory, both with the same few times."""
    return filled_stores(request.param, fill_with_dates)


def places(page) -> list[tuple[str, str | None]]:
    return [(hit.conversation.id, hit.message and hit.message.id) for hit in page.items]


@pytest.mark.parametrize("role", [None, "user"])
def test_bounds_and_the_order_of_equal_times_are_those_of_the_memory(dated, role):
    store, memory = dated
    for since, until in itertools.product([None, *TIMES], repeat=2):
        for conversation_id in (None, "a 2"):
            limits = {
                "since": since,
                "until": until,
                "role": role,
                "conversation_id": conversation_id,
            }
            expected = places(memory.search("dated", limit=100, **limits))
            assert places(store.search("dated", limit=100, **limits)) == expected, limits


def test_pages_of_hits_of_equal_times_join_to_the_whole(dated):
    store, memory = dated
    results = []
    cursor = None
    while True:
        page = store.search("dated", limit=1, cursor=cursor)
        results += places(page)
        if (cursor := page.cursor) is None:
            break
    assert results == places(memory.search("dated", limit=100))
    assert len(results) == 6 + 54


def test_a_cursor_of_another_search_is_refused(filled):
    store, _ = filled
    cursor = store.search("shared", limit=1).cursor
    for other in ({"query": "hello"}, {"query": "shared", "role": "user"}):
        with pytest.raises(InvalidError):
            store.search(**other, cursor=cursor)


@pytest.mark.slow
def test_very_long_queries_are_answered(filled):
    store, _ = filled
    numbers = " ".join(map(str, range(5_000)))
    for typed in ("shared " * 20_000, "a" * 1_000_000, "夏" * 10_000, numbers):
        with naming(typed[:20]):
            store.search(typed)


def test_an_index_follows_each_change(database):
    def results(typed):
        return [(hit.conversation.id, hit.where) for hit in store.search(typed).items]

    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c", title="first title")
        store.append_messages(
            "c", [Message(id=i, role="user", parts=(TextPart(text=f"{i} word"),)) for i in "ab"]
        )
        store.update_conversation("c", title="second title")
        assert (results("first"), results("second")) == ([], [("c", "title")])
        store.update_conversation("c", title=None)
        assert results("second") == []
        store.put_conversation(Conversation(id="c", title="third title"))
        assert results("third") == [("c", "title")]
        store.replace_messages(
            "c", [Message(id="d", role="user", parts=(TextPart(text="d word"),))], after="a"
        )
        assert [hit.message.id for hit in store.search("word").items] == ["d", "a"]
        store.delete_message("c", "a")
        assert [hit.message.id for hit in store.search("word").items] == ["d"]
        store.fork_conversation("c", "d", id="fork")
        assert {hit.conversation.id for hit in store.search("word").items} == {"c", "fork"}
        assert len(results("third")) == 2
        store.delete_conversation("c")
        assert {item for item, _ in results("word") + results("third")} == {"fork"}
        store.clear_conversations()
        assert results("word") + results("third") == []
