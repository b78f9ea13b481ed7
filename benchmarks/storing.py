"""(f) A database of one's own, SQLite and PostgreSQL, beside its driver doing the same work.

Of PostgreSQL the server is the one of the plugin's tests: on loopback, without fsync, for both.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

from chats import CHARACTER, COMMON, RARE, Said, messages, said
from harness import Cost, alternating, compare, heading, timed, wall
from plain_sql import Cut, PlainPostgreSQL, PlainSQLite, cut
from sql_tests import servers

import convostore
from convostore import AsyncConversationStore, ConversationStore

ROUNDS = 7
ONES = 200
"""Messages that are appended one by one, in each round."""
BULK = 10_000
CONVERSATIONS = 10_000
READS = 50
FOUND = 10


class Plain(Protocol):
    """What a program does without the library; see `plain_sql`."""

    def create(self, titles: Mapping[str, str]) -> None: ...
    def append(self, identity: str, chat: Sequence[Said | Cut]) -> None: ...
    def load(self, identity: str) -> Sequence[object]: ...
    def last(self, identity: str, limit: int) -> Sequence[object]: ...
    def first(self, limit: int) -> Sequence[object]: ...
    def search(self, word: str, limit: int) -> Sequence[object]: ...
    def close(self) -> None: ...


class Sides(NamedTuple):
    """Databases of one kind.

    Attributes:
        address: Where the store is.
        plain: Another one, for the driver alone.
        cut: One more, for messages whose words were cut before.
        ours_plainly: Opens the store's without the library, to fill it quickly.
    """

    address: str
    plain: Plain
    cut: Plain
    ours_plainly: Callable[[], Plain]


class Bench:
    """One database and the other, with the same in both."""

    def __init__(self, store: ConversationStore, sides: Sides) -> None:
        self.store = store
        self.plain = sides.plain
        self.cut = sides.cut
        self.address = sides.address
        self.ours_plainly = sides.ours_plainly
        self.numbers = itertools.count()

    def run(self) -> None:
        self.store.create_conversation(id="c", title="a first chat")
        for plain in (self.plain, self.cut):
            plain.create({"c": "a first chat"})
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
            return one_by_one(self.plain, self.chat(ONES))

        def tokens() -> Cost:
            return one_by_one(self.cut, cut(self.chat(ONES)))

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
            self.plain.create({identity: ""})
            return timed(lambda: self.plain.append(identity, chat))

        def tokens() -> Cost:
            identity, chat = self.new(), cut(self.chat(BULK))
            self.cut.create({identity: ""})
            return timed(lambda: self.cut.append(identity, chat))

        costs = alternating(3, {"ours": ours, "plain": plain, "tokens": tokens})
        compare("append 10,000 at once", wall(costs["ours"]), wall(costs["plain"]), "<= 1.5x")
        compare("  beside words that are cut", wall(costs["ours"]), wall(costs["tokens"]), "")

    def load(self) -> None:
        identity = self.new()
        chat = self.chat(BULK)
        self.store.create_conversation(id=identity)
        self.store.append_messages(identity, messages(chat))
        self.plain.create({identity: ""})
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
        """As many conversations as a list goes through; the same rows on both sides."""
        titles = {f"f{number}": f"Chat {number} about things" for number in range(CONVERSATIONS)}
        self.plain.create(titles)
        with closing(self.ours_plainly()) as ours:
            ours.create(titles)

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
                f"search, the first {FOUND}: {what}",
                partial(self.found, word),
                partial(self.plain.search, word, FOUND),
                "",
            )

    def found(self, word: str) -> Sequence[object]:
        return self.store.search(word, limit=FOUND).items

    def compare_reads(
        self,
        what: str,
        ours: Callable[[], Sequence[object]],
        plain: Callable[[], Sequence[object]],
        goal: str,
    ) -> None:
        assert len(ours()) == len(plain()) > 0, (what, len(ours()), len(plain()))
        costs = alternating(ROUNDS, {"ours": repeating(ours), "plain": repeating(plain)})
        compare(what, wall(costs["ours"]), wall(costs["plain"]), goal, "us")

    def chat(self, count: int) -> list[Said]:
        return list(said(count, seed=next(self.numbers)))

    def new(self) -> str:
        return f"c{next(self.numbers)}"


def timing(job: Callable[[], object]) -> Callable[[], Cost]:
    return lambda: timed(job)


def one_by_one(plain: Plain, chat: Sequence[Said | Cut]) -> Cost:
    def job() -> None:
        for one in chat:
            plain.append("c", [one])

    return each(job, len(chat))


def repeating(job: Callable[[], object]) -> Callable[[], Cost]:
    return lambda: each(lambda: [job() for _ in range(READS)], READS)


def each(job: Callable[[], object], count: int) -> Cost:
    cost = timed(job)
    return Cost(cost.wall / count, cost.cpu / count)


async def opened(address: str) -> AsyncConversationStore:
    return convostore.aopen(address)


@contextmanager
def sqlite() -> Iterator[Sides]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = folder / "ours.db"
        plain, before = (
            stack.enter_context(closing(PlainSQLite(folder / f"{name}.db")))
            for name in ("plain", "cut")
        )
        address = f"sqlite:///{ours.as_posix()}"
        yield Sides(address, plain, before, lambda: PlainSQLite(ours, new=False))


@contextmanager
def postgresql() -> Iterator[Sides]:
    with ExitStack() as stack:
        server = stack.enter_context(servers().running())
        ours, *others = (server.dsn(stack.enter_context(server.database())) for _ in range(3))
        plain, before = (stack.enter_context(closing(PlainPostgreSQL(each))) for each in others)
        yield Sides(ours, plain, before, lambda: PlainPostgreSQL(ours, new=False))


def measure(name: str, driver: str, made: Callable[[], AbstractContextManager[Sides]]) -> None:
    with made() as sides, convostore.open(sides.address) as store:
        heading(f"(f) {name}", beside=driver)
        Bench(store, sides).run()


def main() -> None:
    measure("SQLite", "sqlite3", sqlite)
    try:
        measure("PostgreSQL", "psycopg", postgresql)
    except servers().NoServer as reason:
        print(f"NOT MEASURED on PostgreSQL: {reason}")


if __name__ == "__main__":
    main()
