"""(f) A database of one's own, SQLite and PostgreSQL, beside its driver doing the same work.

Of PostgreSQL the server is the one of the plugin's tests: on loopback, without fsync, for both.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import itertools
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Protocol

from chats import CHARACTER, COMMON, RARE, Said, messages, said
from harness import Cost, alternating, compare, heading, timed, wall
from plain_sql import Cut, PlainPostgreSQL, PlainSQLite, cut
from recordings import PLUGINS

import convostore
from convostore import AsyncConversationStore, ConversationStore

ROUNDS = 7
ONES = 200
"""Messages that are appended one by one, in each round."""
BULK = 10_000
CONVERSATIONS = 10_000
READS = 50


class Plain(Protocol):
    """What a program does without the library; see `plain_sql`."""

    def create(self, identity: str, title: str) -> None: ...
    def append(self, identity: str, chat: Sequence[Said | Cut]) -> None: ...
    def load(self, identity: str) -> Sequence[object]: ...
    def last(self, identity: str, limit: int) -> Sequence[object]: ...
    def first(self, limit: int) -> Sequence[object]: ...
    def search(self, word: str, limit: int) -> Sequence[object]: ...


class Bench:
    """One database and the other, with the same in both."""

    def __init__(self, store: ConversationStore, plain: Plain, address: str) -> None:
        self.store = store
        self.plain = plain
        self.address = address
        self.numbers = itertools.count()

    def run(self) -> None:
        self.store.create_conversation(id="c", title="a first chat")
        self.plain.create("c", "a first chat")
        self.append_one()
        self.append_many()
        self.load()
        self.fill()
        self.read()
        self.search()

    def append_one(self) -> None:
        def ours() -> Cost:
            chat = messages(self.chat(ONES))
            return each(lambda: [self.store.append_messages("c", [one]) for one in chat], ONES)

        def after() -> Cost:
            chat = messages(self.chat(ONES))
            tips = [self.tip("c"), *[one.id for one in chat]]

            def job() -> None:
                for one, tip in zip(chat, tips, strict=False):
                    self.store.append_messages("c", [one], after=tip)

            return each(job, ONES)

        def plain() -> Cost:
            chat = self.chat(ONES)
            return each(lambda: [self.plain.append("c", [one]) for one in chat], ONES)

        def tokens() -> Cost:
            chat = cut(self.chat(ONES))
            return each(lambda: [self.plain.append("c", [one]) for one in chat], ONES)

        with asyncio.Runner() as runner:
            store = runner.run(opened(self.address))

            def later() -> Cost:
                chat = messages(self.chat(ONES))

                async def job() -> None:
                    for one in chat:
                        await store.append_messages("c", [one])

                return each(lambda: runner.run(job()), ONES)

            jobs = {"ours": ours, "after": after, "plain": plain, "tokens": tokens, "async": later}
            costs = alternating(ROUNDS, jobs)
            runner.run(store.aclose())
        beside = wall(costs["plain"])
        compare("append one", wall(costs["ours"]), beside, "<= 1.5x", "us")
        compare("  behind a tip that is looked at", wall(costs["after"]), beside, "", "us")
        compare(
            "  beside one whose words are cut", wall(costs["ours"]), wall(costs["tokens"]), "", "us"
        )
        compare("  on the async face", wall(costs["async"]), beside, "", "us")

    def tip(self, identity: str) -> str:
        (last,) = self.store.list_messages(identity, limit=1, order="newest_first").items
        return last.id

    def append_many(self) -> None:
        def ours() -> Cost:
            identity, chat = self.new(), messages(self.chat(BULK))
            self.store.create_conversation(id=identity)
            return timed(lambda: self.store.append_messages(identity, chat))

        def plain() -> Cost:
            identity, chat = self.new(), self.chat(BULK)
            self.plain.create(identity, "")
            return timed(lambda: self.plain.append(identity, chat))

        def tokens() -> Cost:
            identity, chat = self.new(), cut(self.chat(BULK))
            self.plain.create(identity, "")
            return timed(lambda: self.plain.append(identity, chat))

        costs = alternating(3, {"ours": ours, "plain": plain, "tokens": tokens})
        compare("append 10,000 at once", wall(costs["ours"]), wall(costs["plain"]), "<= 1.5x")
        compare("  beside words that are cut", wall(costs["ours"]), wall(costs["tokens"]), "")

    def load(self) -> None:
        identity = self.new()
        chat = self.chat(BULK)
        self.store.create_conversation(id=identity)
        self.store.append_messages(identity, messages(chat))
        self.plain.create(identity, "")
        self.plain.append(identity, cut(chat))
        jobs = {
            "ours": lambda: [len(each.messages) for each in self.store.transcripts([identity])],
            "pages": lambda: sum(1 for _ in self.store.messages(identity)),
            "plain": lambda: len(self.plain.load(identity)),
        }
        costs = alternating(ROUNDS, {name: timing(job) for name, job in jobs.items()})
        beside = wall(costs["plain"])
        compare("load 10,000 as Message", wall(costs["ours"]), beside, "<= 3x")
        compare("  as messages() pages them", wall(costs["pages"]), beside, "")
        self.compare_reads(
            "last 20 of 10,000 messages",
            lambda: self.store.list_messages(identity, limit=20, order="newest_first").items,
            lambda: self.plain.last(identity, 20),
            "< 1 ms",
        )

    def fill(self) -> None:
        """As many conversations as lists and searches go through, two messages in each."""
        for number in range(CONVERSATIONS):
            identity, title = f"f{number}", f"Chat {number} about things"
            self.store.create_conversation(id=identity, title=title)
            self.plain.create(identity, title)

    def read(self) -> None:
        self.compare_reads(
            "first 20 of 10,000 conversations",
            lambda: self.store.list_conversations(limit=20).items,
            lambda: self.plain.first(20),
            "< 1 ms",
        )

    def search(self) -> None:
        for what, word in {"common": COMMON, "rare": RARE, "one character": CHARACTER}.items():
            self.compare_reads(
                f"search, the first 20: {what}",
                lambda word=word: self.store.search(word, limit=20).items,
                lambda word=word: self.plain.search(word, 20),
                "",
            )

    def compare_reads(
        self,
        what: str,
        ours: Callable[[], Sequence[object]],
        plain: Callable[[], Sequence[object]],
        goal: str,
    ) -> None:
        assert len(ours()) == len(plain()) > 0, (what, len(ours()), len(plain()))
        jobs = {
            name: lambda job=job: each(lambda: [job() for _ in range(READS)], READS)
            for name, job in {"ours": ours, "plain": plain}.items()
        }
        costs = alternating(ROUNDS, jobs)
        compare(what, wall(costs["ours"]), wall(costs["plain"]), goal, "us")

    def chat(self, count: int) -> list[Said]:
        return list(said(count, seed=next(self.numbers)))

    def new(self) -> str:
        return f"c{next(self.numbers)}"


def timing(job: Callable[[], object]) -> Callable[[], Cost]:
    return lambda: timed(job)


def each(job: Callable[[], object], count: int) -> Cost:
    cost = timed(job)
    return Cost(cost.wall / count, cost.cpu / count)


async def opened(address: str) -> AsyncConversationStore:
    return convostore.aopen(address)


@contextmanager
def sqlite() -> Iterator[tuple[str, Plain]]:
    with tempfile.TemporaryDirectory() as folder:
        with closing(PlainSQLite(Path(folder) / "plain.db")) as plain:
            yield f"sqlite:///{(Path(folder) / 'ours.db').as_posix()}", plain


@contextmanager
def postgresql() -> Iterator[tuple[str, Plain]]:
    sys.path.append(str(PLUGINS / "sql" / "tests"))
    servers = importlib.import_module("servers")
    with servers.running() as server, server.database() as ours, server.database() as other:
        with closing(PlainPostgreSQL(server.dsn(other))) as plain:
            yield server.dsn(ours), plain


def main() -> None:
    for name, driver, made in (
        ("SQLite", "sqlite3", sqlite),
        ("PostgreSQL", "psycopg", postgresql),
    ):
        heading(f"(f) {name}", beside=driver)
        with made() as (address, plain), convostore.open(address) as store:
            Bench(store, plain, address).run()


if __name__ == "__main__":
    main()
