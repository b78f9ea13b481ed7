"""Views: a store through a wrapped adapter, which lives and ends with it; on both classes."""

import asyncio

import pytest

import convostore
from convostore import ConversationStore, InvalidError, Operation
from convostore.adapters import WrappedAdapter, read_only
from convostore.config import open_adapter
from convostore.errors import ForbiddenError
from convostore.testing._faces import awaitable_store


class Titled(WrappedAdapter):
    """Shows each conversation with another title."""

    def get_conversation(self, conversation_id):
        conversation = yield from self.inner.get_conversation(conversation_id)
        return conversation.model_copy(update={"title": "through the view"})


@pytest.fixture(params=["sync", "async"])
def opened(request):
    """A store of either class and what makes a view of it, both awaited."""

    def open_both(target):
        if request.param == "async":
            store = convostore.aopen(target)
            return store, store.view
        sync = convostore.open(target)
        return awaitable_store(sync), lambda wrap: awaitable_store(sync.view(wrap))

    return open_both


def test_a_view_reads_and_writes_the_store_through_its_wrapper(opened):
    async def trying():
        store, view = opened("memory://")
        await view(Titled).create_conversation(id="c", title="plain")
        assert (await store.get_conversation("c")).title == "plain"
        assert (await view(Titled).get_conversation("c")).title == "through the view"
        assert view(Titled).label == store.label

    asyncio.run(trying())


def test_a_view_of_a_view_is_wrapped_twice(opened):
    async def trying():
        store, view = opened("memory://")
        await store.create_conversation(id="c", title="plain")
        both = view(lambda adapter: read_only(Titled(adapter)))
        assert (await both.get_conversation("c")).title == "through the view"
        with pytest.raises(ForbiddenError):
            await both.delete_conversation("c")

    asyncio.run(trying())


def test_to_close_a_view_leaves_the_store_open(opened):
    async def trying():
        store, view = opened("memory://")
        await store.create_conversation(id="c")
        reader = view(read_only)
        await reader.aclose()
        assert not reader.closed
        assert (await store.get_conversation("c")).id == "c"

    asyncio.run(trying())


def test_a_view_of_a_closed_store_raises(opened):
    async def trying():
        store, view = opened("memory://")
        reader = view(read_only)
        await store.aclose()
        assert store.closed
        assert reader.closed
        with pytest.raises(InvalidError) as caught:
            await reader.list_conversations()
        assert caught.value.operation == Operation.LIST_CONVERSATIONS

    asyncio.run(trying())


def test_replies_stream_through_a_view(opened):
    async def trying():
        _, view = opened("echo://")
        through = view(WrappedAdapter)
        async with through.stream_reply(None, "hello") as stream:
            async for _ in stream:
                pass
        assert stream.reply.text == "You said: hello"

    asyncio.run(trying())


class Connected(WrappedAdapter):
    """Has a transport of its own."""

    def transport(self):
        return self.inner.transport()


@pytest.mark.parametrize(
    ("wrap", "complaint"),
    [
        (lambda _: None, "an Adapter, got NoneType"),
        (Connected, "Connected has its own transport"),
        (lambda adapter: read_only(Connected(adapter)), "Connected has its own transport"),
    ],
    ids=["no adapter", "a transport", "a wrapped transport"],
)
def test_what_cannot_be_a_view_is_refused_at_once(opened, wrap, complaint):
    async def trying():
        _, view = opened("memory://")
        with pytest.raises(InvalidError, match=complaint):
            view(wrap)

    asyncio.run(trying())


def test_a_store_whose_own_adapter_has_a_transport_has_views():
    adapter = Connected(open_adapter("memory://"))
    with ConversationStore(adapter, adapter.transport()) as store:
        assert store.view(read_only).view(WrappedAdapter).label == store.label


def test_an_async_view_belongs_to_its_stores_loop():
    store = convostore.aopen("memory://")
    view = store.view(WrappedAdapter)

    async def listing(some):
        return await some.list_conversations()

    asyncio.run(listing(store))
    with pytest.raises(InvalidError, match="another event loop"):
        asyncio.run(listing(view))


def test_a_view_and_its_store_are_one_store_and_another_is_not():
    with convostore.open("memory://") as store, convostore.open("memory://") as other:
        assert store.is_same_store(store.view(read_only))
        assert store.view(read_only).is_same_store(store)
        assert not store.is_same_store(other)


def test_a_view_cannot_be_unwrapped_nor_lead_to_another_store(opened):
    async def trying():
        store, view = opened("memory://")
        reader = view(read_only)
        other = open_adapter("memory://")
        for wrap in (lambda adapter: adapter.inner, lambda _: other, lambda _: read_only(other)):
            with pytest.raises(InvalidError, match="a WrappedAdapter around it"):
                reader.view(wrap)
        assert reader.view(lambda adapter: adapter).offers("create_conversation") is False
        assert store.offers("create_conversation")

    asyncio.run(trying())
