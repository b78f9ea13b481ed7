"""Namespaces: what alice does is nothing to bob, though both keep the same ids in one database.

Each operation that the adapters offer has a case here, found by its name: one without fails.
"""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import UTC, datetime

from tests.support.naming import naming

import convostore
from convostore import (
    AsyncConversationStore,
    ConflictError,
    Conversation,
    Feedback,
    InvalidError,
    Message,
    NotFoundError,
    Origin,
    Source,
    TextPart,
)
from convostore.adapters import Operation
from convostore.config import open_adapter
from convostore.testing import both_faces, collect, raises
from convostore_sql.rows import namespace_mark

FAR = datetime(2100, 1, 1, tzinfo=UTC)
OFFERED = sorted(open_adapter("sqlite://").offers)


def make_message(message_id: str, owner: str) -> Message:
    return Message(
        id=message_id,
        role="user",
        parts=(TextPart(text=f"shared words of {owner} in {message_id}"),),
        sources=(Source(title=f"a source that {owner} read"),),
    )


async def fill(store: AsyncConversationStore, owner: str) -> None:
    """Return what alice and bob both have, and under the id `only-<owner>` what one of them has."""
    for conversation_id in ("c", "d", f"only-{owner}"):
        await store.create_conversation(id=conversation_id, title=f"a title of {owner}")
        ids = ["m1", "m2", "m3", f"{owner}'s"]
        await store.append_messages(conversation_id, [make_message(id_, owner) for id_ in ids])


async def state(store: AsyncConversationStore) -> object:
    """Return all that a store shows."""
    page = await store.list_conversations(limit=100)
    return (
        page.total,
        [(item.conversation, item.messages) for item in await collect(store.transcripts())],
        (await store.search("shared", limit=100)).items,
        (await store.search("title", limit=100)).items,
    )


class Both:
    """The two stores of a case.

    Attributes:
        shown: What alice was shown; bob's name may not stand in it.
    """

    def __init__(self, alice: AsyncConversationStore, bob: AsyncConversationStore) -> None:
        self.alice, self.bob = alice, bob
        self.shown: list[object] = []

    async def see(self, call: Awaitable[object]) -> object:
        self.shown.append(seen := await call)
        return seen

    async def see_or(self, refusal: type[Exception], call: Awaitable[object]) -> None:
        """For a cursor of bob's: to be refused is as good as to lead through alice's list."""
        try:
            await self.see(call)
        except refusal:
            self.shown.append("refused")


class Cases:
    """By the operation's name, what alice does; each shows that it did something to hers."""

    async def list_conversations(self, both: Both) -> None:
        page = await both.see(both.alice.list_conversations(limit=100))
        assert [item.id for item in page.items] == ["only-alice", "d", "c"]
        assert page.total in {3, None}
        assert len(await both.see(collect(both.alice.conversations(older_than=FAR)))) == 3
        assert len(await both.see(collect(both.alice.transcripts()))) == 3
        cursor = (await both.bob.list_conversations(limit=1)).cursor
        await both.see_or(InvalidError, both.alice.list_conversations(cursor=cursor))

    async def get_conversation(self, both: Both) -> None:
        assert (await both.see(both.alice.get_conversation("c"))).title == "a title of alice"
        with raises(NotFoundError):
            await both.alice.get_conversation("only-bob")

    async def list_messages(self, both: Both) -> None:
        for order in ("oldest_first", "newest_first"):
            page = await both.see(both.alice.list_messages("c", order=order))
            assert len(page.items) == 4
            assert page.total in {4, None}
            cursor = (await both.bob.list_messages("c", limit=1, order=order)).cursor
            call = both.alice.list_messages("c", cursor=cursor, order=order)
            await both.see_or(InvalidError, call)
        with raises(NotFoundError):
            await both.alice.list_messages("only-bob")

    async def get_message(self, both: Both) -> None:
        got = await both.see(both.alice.get_message("c", "m1"))
        assert got.text == make_message("m1", "alice").text
        for conversation_id, message_id in (("only-bob", "m1"), ("c", "bob's")):
            with raises(NotFoundError):
                await both.alice.get_message(conversation_id, message_id)

    async def create_conversation(self, both: Both) -> None:
        await both.see(both.alice.create_conversation(id="only-bob", title="new"))
        assert (await both.alice.get_conversation("only-bob")).title == "new"
        assert await collect(both.alice.messages("only-bob")) == []
        with raises(ConflictError):
            await both.alice.create_conversation(id="c", title="a title of bob")

    async def append_messages(self, both: Both) -> None:
        with raises(NotFoundError):
            await both.alice.append_messages("only-bob", [make_message("m9", "alice")])
        with raises(ConflictError):
            await both.alice.append_messages("c", [make_message("m9", "alice")], after="bob's")
        with raises(ConflictError):
            await both.alice.append_messages("c", [make_message("m1", "bob")])
        await both.see(
            both.alice.append_messages("c", [make_message("bob's", "alice")], after="alice's")
        )
        assert len(await both.see(collect(both.alice.messages("c")))) == 5

    async def replace_messages(self, both: Both) -> None:
        with raises(NotFoundError):
            await both.alice.replace_messages("only-bob", [], after=None)
        with raises(ConflictError):
            await both.alice.replace_messages("c", [make_message("m9", "alice")], after="bob's")
        await both.see(
            both.alice.replace_messages("c", [make_message("bob's", "alice")], after="m1")
        )
        await both.see(both.alice.replace_messages("d", [], after=None))
        ids = [item.id for item in await collect(both.alice.messages("c"))]
        assert ids == ["m1", "bob's"]

    async def update_message(self, both: Both) -> None:
        edited = make_message("m1", "the edited alice")
        with raises(NotFoundError):
            await both.alice.update_message("only-bob", edited)
        with raises(NotFoundError):
            await both.alice.update_message("c", edited.model_copy(update={"id": "bob's"}))
        await both.see(both.alice.update_message("c", edited))
        assert (await both.see(both.alice.search("edited"))).items[0].message.id == "m1"

    async def update_conversation(self, both: Both) -> None:
        with raises(NotFoundError):
            await both.alice.update_conversation("only-bob", title="mine")
        await both.alice.update_conversation("c", title="new", pinned=True)
        assert (await both.see(both.alice.get_conversation("c"))).pinned

    async def put_conversation(self, both: Both) -> None:
        origin = Origin(store="elsewhere", conversation_id="1")
        for conversation_id in ("c", "only-bob"):
            await both.alice.put_conversation(
                Conversation(id=conversation_id, title="put", updated_at=FAR, origin=origin)
            )
            got = await both.see(both.alice.get_conversation(conversation_id))
            assert (got.title, got.updated_at) == ("put", FAR)
        assert await collect(both.alice.messages("only-bob")) == []
        assert len(await collect(both.alice.messages("c"))) == 4

    async def fork_conversation(self, both: Both) -> None:
        with raises(NotFoundError):
            await both.alice.fork_conversation("only-bob", "m1")
        with raises(NotFoundError):
            await both.alice.fork_conversation("c", "bob's")
        fork = await both.see(both.alice.fork_conversation("c", "m2", id="only-bob", title="fork"))
        assert len(await both.see(collect(both.alice.messages(fork.id)))) == 2

    async def delete_conversation(self, both: Both) -> None:
        await both.alice.delete_conversation("only-bob")
        await both.alice.delete_conversation("c")
        with raises(NotFoundError):
            await both.alice.get_conversation("c")

    async def delete_conversations(self, both: Both) -> None:
        assert await both.alice.delete_conversations(older_than=FAR) == 3
        assert await collect(both.alice.conversations()) == []

    async def clear_conversations(self, both: Both) -> None:
        await both.alice.clear_conversations()
        assert await collect(both.alice.conversations()) == []

    async def delete_message(self, both: Both) -> None:
        for message_id in ("m2", "bob's", "alice's"):
            await both.alice.delete_message("c", message_id)
        await both.alice.delete_message("only-bob", "m1")
        assert [item.id for item in await collect(both.alice.messages("c"))] == ["m1", "m3"]

    async def pop_message(self, both: Both) -> None:
        with raises(NotFoundError):
            await both.alice.pop_message("only-bob", tip="bob's")
        with raises(ConflictError):
            await both.alice.pop_message("c", tip="bob's")
        assert (await both.see(both.alice.pop_message("c", tip="alice's"))).id == "alice's"
        assert len(await both.see(collect(both.alice.messages("c")))) == 3

    async def set_feedback(self, both: Both) -> None:
        good = Feedback(rating="good", comment="alice liked it")
        for conversation_id, message_id in (("only-bob", "m1"), ("c", "bob's")):
            with raises(NotFoundError):
                await both.alice.set_feedback(conversation_id, message_id, good)
        await both.alice.set_feedback("c", "m1", good)
        (first, *_) = await both.see(collect(both.alice.messages("c")))
        assert first.feedback == good

    async def search(self, both: Both) -> None:
        for query, count in (("shared", 12), ("title", 3), ("source", 12), ("alice", 15)):
            assert len((await both.see(both.alice.search(query, limit=100))).items) == count
        page = await both.see(both.alice.search("shared", conversation_id="c"))
        assert len(page.items) == 4
        for call in (
            both.alice.search("bob"),
            both.alice.search("shared", conversation_id="only-bob"),
        ):
            assert (await call).items == ()
        cursor = (await both.bob.search("shared", limit=1)).cursor
        await both.see_or(InvalidError, both.alice.search("shared", cursor=cursor))

    async def check(self, both: Both) -> None:
        await both.see(both.alice.check())


@both_faces
async def test_no_operation_crosses_from_one_namespace_into_another(database, face):
    alice, bob = (face.open(database.dsn(), namespace=name) for name in ("alice", "bob"))
    for operation in OFFERED:
        with naming(operation):
            await one_operation_crosses_nothing(Both(alice, bob), operation)
        await alice.clear_conversations()
        await bob.clear_conversations()


async def one_operation_crosses_nothing(both: Both, operation: str) -> None:
    await fill(both.alice, "alice")
    await fill(both.bob, "bob")
    before = await state(both.bob)
    await getattr(Cases(), operation)(both)
    assert await state(both.bob) == before
    assert both.shown or operation in _SHOWS_NOTHING
    assert "bob" not in repr(both.shown).replace("bob's", "").replace("only-bob", "")


_SHOWS_NOTHING = {
    Operation.DELETE_CONVERSATION,
    Operation.DELETE_CONVERSATIONS,
    Operation.CLEAR_CONVERSATIONS,
    Operation.DELETE_MESSAGE,
}


def test_every_operation_but_a_models_is_offered_and_so_has_a_case():
    of_a_model = {
        Operation.GET_RUN_DETAILS,
        Operation.SUGGEST_QUESTIONS,
        Operation.REPLY,
        Operation.STREAM_REPLY,
        Operation.ANSWER,
        Operation.STREAM_ANSWER,
        Operation.GET_REPLY,
        Operation.RESUME_REPLY,
    }
    assert set(OFFERED) == set(Operation) - of_a_model
    assert open_adapter("postgresql://localhost/x").offers == set(OFFERED)
    assert {name for name in vars(Cases) if not name.startswith("_")} == set(OFFERED)


ALIKE = [
    ("", "bob"),
    ("alice", "ALICE"),
    ("alice", "alice "),
    ("alice", "alice\x00"),
    ("a_b", "axb"),
    ("%", "a"),
    ("\u00e9", "e\u0301"),
    ("\ud800", "\ufffd"),
    ("\\u0000", "\x00"),
    ("a'b", "a''b"),
    ("null", "None"),
    ("a" * 2000 + "1", "a" * 2000 + "2"),
]


def test_namespaces_that_look_alike_are_two(database):
    for names in ALIKE:
        with naming(ascii(names)):
            two_namespaces_are_apart(database, names)


def two_namespaces_are_apart(database, names) -> None:
    for name in names:
        with convostore.open(database.dsn(), namespace=name) as store:
            store.create_conversation(id="c", title=f"the title of {name!r}")
            store.append_messages("c", [make_message("m", repr(name))])
    for name in names:
        with convostore.open(database.dsn(), namespace=name) as store:
            assert store.get_conversation("c").title == f"the title of {name!r}"
            (message,) = store.messages("c")
            assert message.text == make_message("m", repr(name)).text
            assert len(store.search("shared").items) == 1
            store.clear_conversations()
            assert list(store.conversations()) == []


def test_namespaces_with_the_same_mark_in_the_index_are_two(database):
    seen: dict[str, str] = {}
    names = (f"namespace {number}" for number in range(1_000_000))
    pair = next((seen[m], n) for n in names if seen.setdefault(m := namespace_mark(n), n) != n)
    for name in pair:
        with convostore.open(database.dsn(), namespace=name) as store:
            store.create_conversation(id=f"c of {name}", title=f"a title of {name}")
            store.append_messages(f"c of {name}", [make_message("m", name)])
    for name in pair:
        with convostore.open(database.dsn(), namespace=name) as store:
            for typed in ("shared", "title"):
                (hit,) = store.search(typed).items
                assert hit.conversation.id == f"c of {name}"


def test_an_empty_namespace_is_the_one_that_is_not_named(database):
    with convostore.open(database.dsn()) as store:
        store.create_conversation(id="c")
    with convostore.open(database.dsn(namespace="")) as store:
        assert [conversation.id for conversation in store.conversations()] == ["c"]
