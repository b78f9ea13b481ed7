"""The syntax of the other face: each misuse says what to write, and raises nothing of ours."""

import asyncio

import pytest

import convostore


async def enter_sync_asynchronously():
    async with convostore.open("memory://"):
        pass


async def await_sync():
    await convostore.open("memory://")


async def await_async():
    await convostore.aopen("memory://")


async def enter_async_synchronously():
    with convostore.aopen("memory://"):
        pass


async def iterate_conversations_synchronously():
    list(convostore.aopen("memory://").conversations())


async def iterate_messages_synchronously():
    list(convostore.aopen("memory://").messages("c"))


async def iterate_transcripts_synchronously():
    list(convostore.aopen("memory://").transcripts())


async def iterate_a_stream_synchronously():
    async with convostore.aopen("echo://") as store, store.stream_reply(None, "hi") as stream:
        list(stream)


async def enter_an_async_stream_synchronously():
    with convostore.aopen("echo://").stream_reply(None, "hi"):
        pass


async def iterate_a_sync_stream_asynchronously():
    with convostore.open("echo://") as store, store.stream_reply(None, "hi") as stream:
        async for _ in stream:
            pass


async def enter_a_sync_stream_asynchronously():
    async with convostore.open("echo://").stream_reply(None, "hi"):
        pass


@pytest.mark.parametrize(
    ("misuse", "advice"),
    [
        (enter_sync_asynchronously, "open it with convostore.aopen"),
        (await_sync, "no 'await'"),
        (await_async, "without 'await'"),
        (enter_async_synchronously, "write 'async with'"),
        (iterate_conversations_synchronously, "write 'async for'"),
        (iterate_messages_synchronously, "write 'async for'"),
        (iterate_transcripts_synchronously, "write 'async for'"),
        (iterate_a_stream_synchronously, "write 'async for'"),
        (enter_an_async_stream_synchronously, "write 'async with'"),
        (iterate_a_sync_stream_asynchronously, "write 'for' without 'async'"),
        (enter_a_sync_stream_asynchronously, "open it with convostore.aopen"),
    ],
)
def test_the_syntax_of_the_other_face_is_a_type_error_that_says_what_to_write(misuse, advice):
    with pytest.raises(TypeError, match=advice):
        asyncio.run(misuse())


def test_items_of_an_async_store_are_taken_in_every_way_of_asyncio():
    async def main():
        async with convostore.aopen("memory://") as store:
            for name in "abc":
                await store.create_conversation(id=name)
            every = [item.id async for item in store.conversations()]
            items = store.conversations()
            first = await anext(items)
            rest = [item.id async for item in items]
            left = store.conversations()
            await anext(left)
            await left.aclose()
            return sorted(every), sorted([first.id, *rest]), [item async for item in left]

    assert asyncio.run(main()) == (["a", "b", "c"], ["a", "b", "c"], [])
