"""One test for both faces: what it is given, how it runs, and what must be over at its end."""

import asyncio

import pytest

import convostore
from convostore.config import open_adapter
from convostore.errors import InvalidError
from convostore.http import Response
from convostore.store import AsyncConversationStore
from convostore.testing import FACES, StoreFace, both_faces


@both_faces
async def test_a_coroutine_runs_on_each_face(face):
    store = face.open("memory://")
    made = await store.create_conversation(title="Tides")
    assert [each async for each in store.conversations()] == [made]


@both_faces
def test_a_plain_function_runs_calls_and_iterators_to_their_end(face):
    store = face.open("memory://")
    made = face.run(store.create_conversation(title="Tides"))
    assert face.run(store.conversations()) == [made]
    assert store.offers("search")
    assert store.label == "memory://"


@both_faces
@pytest.mark.parametrize("text", ["one", "two"])
async def test_other_arguments_are_as_without_it(face, text, tmp_path):
    assert tmp_path.exists()
    store = face.open("echo://")
    async with store.stream_reply(None, text) as stream:
        assert [event async for event in stream]
    assert stream.reply.text == f"You said: {text}"


def test_a_test_is_parametrised_by_both():
    (mark,) = test_a_coroutine_runs_on_each_face.pytestmark
    assert (mark.name, *mark.args) == ("parametrize", "face", FACES)


class TestInAClass:
    @both_faces
    async def test_a_method_is_a_test_as_well(self, face):
        async with face.open("memory://") as store:
            assert [each async for each in store.conversations()] == []
        with pytest.raises(InvalidError):
            await store.list_conversations()


@pytest.mark.parametrize("name", FACES)
def test_stores_are_closed_with_their_face(name):
    openers = {"sync": convostore.open, "async": convostore.aopen}
    with StoreFace(name) as face:
        stores = [face.open("memory://"), face.wrap(openers[name]("memory://"))]
        for store in stores:
            face.run(store.list_conversations())
    with StoreFace(name) as face:
        for store in stores:
            with pytest.raises(InvalidError):
                face.run(store.list_conversations())


@both_faces
async def test_a_function_stands_in_for_a_service(face):
    json_type = {"content-type": "application/json"}
    store = face.open(
        "perplexica+http://chat.test", service=lambda _: Response(200, json_type, b'{"chats": []}')
    )
    assert [each async for each in store.conversations()] == []


def test_an_async_store_is_its_own():
    with StoreFace("async") as face:
        assert isinstance(face.open("memory://"), AsyncConversationStore)


@both_faces
async def test_calls_are_made_side_by_side(face):
    store = face.open("memory://")
    names = [f"c{number}" for number in range(8)]
    made = await face.gather(
        [lambda name=name: store.create_conversation(id=name) for name in names]
    )
    assert [each.id for each in made] == names


def test_a_task_that_is_left_is_an_error():
    async def leave():
        asyncio.get_running_loop().left = asyncio.ensure_future(asyncio.Event().wait())

    with pytest.raises(AssertionError, match="tasks are left"), StoreFace("async") as face:
        face.run(leave())


def test_nothing_is_waited_for_on_the_sync_face():
    with pytest.raises(AssertionError, match="must not wait"), StoreFace("sync") as face:
        face.run(asyncio.sleep(0))


def test_a_test_without_an_argument_named_face_is_a_type_error():
    with pytest.raises(TypeError, match="test_nothing"):

        @both_faces
        def test_nothing(store):
            raise AssertionError


def test_a_store_of_the_other_face_is_a_type_error():
    with (
        convostore.open("memory://") as store,
        StoreFace("async") as face,
        pytest.raises(TypeError, match="async face"),
    ):
        face.wrap(store)


@both_faces
def test_options_beside_an_adapter_are_a_type_error(face):
    with pytest.raises(TypeError, match="retries"):
        face.open(open_adapter("memory://"), retries=0)
