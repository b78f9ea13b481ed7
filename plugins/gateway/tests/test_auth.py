"""Who may do what: tokens, namespaces, scopes, and the store as a reader gets it."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

import convostore
from convostore import AuthError, ConfigError, InvalidError
from convostore.adapters import READING, Operation
from convostore.dialects import AbsentScopeError
from convostore.errors import ForbiddenError
from convostore.http import Request
from convostore.store import WriteCall
from convostore_gateway import Token, create_app
from convostore_gateway.auth import Access, Grant, read_only_view
from convostore_gateway.stores import Stores

from .support.asgi import answered

FIRST, SECOND = "the-first-of-the-tokens", "the-second-of-the-tokens"


def token(value=FIRST, **more):
    return Token(value=SecretStr(value), **more)


@pytest.mark.parametrize(
    "value", ["", "short", "x" * 15, "x" * 16 + " ", "ü" * 20, "x" * 20 + "\n"]
)
def test_what_is_too_short_or_no_header_is_no_token_and_does_not_show(value):
    with pytest.raises(ConfigError, match="'ops'") as caught:
        token(value, name="ops")
    assert not value or value not in str(caught.value)


def test_a_token_grants_what_it_says():
    access = Access([token(name="ops"), token(SECOND, name="eyes", namespace="n", rights="read")])
    assert access.grant([FIRST]) == Grant(name="ops")
    assert access.grant([SECOND]) == Grant(name="eyes", namespace="n", may_write=False)


def test_any_credential_of_a_request_may_be_the_token():
    assert Access([token()]).grant(["no-token", f"x{FIRST}", FIRST]).name == "token"


@pytest.mark.parametrize("given", [[], [""], [FIRST[:-1]], [FIRST + "x"], ["\ud800"], ["ü"]])
def test_what_is_not_exactly_a_token_is_refused_and_not_repeated(given):
    with pytest.raises(AuthError, match="Authorization: Bearer") as caught:
        Access([token()]).grant(given)
    assert not any(each and each in str(caught.value) for each in given if len(each) > 1)


def test_without_tokens_everybody_is_admitted():
    assert Access().grant([]).may_write
    assert Access().is_open
    assert not Access([token()]).is_open


def test_where_nothing_may_be_changed_no_token_and_no_stranger_may():
    assert not Access([token()], read_only=True).grant([FIRST]).may_write
    assert not Access(read_only=True).grant([]).may_write


def test_two_tokens_that_are_the_same_are_refused():
    with pytest.raises(ConfigError, match="same"):
        Access([token(name="a"), token(name="b")])


def test_a_gateway_without_tokens_says_so_or_is_none():
    store = convostore.aopen("gateway+http://gateway.test")  # it has no namespaces
    with pytest.raises(ConfigError, match="open_access"):
        create_app(store)
    with pytest.raises(ConfigError, match="'n'"):
        create_app(store, tokens=[token(namespace="n")])
    with pytest.raises(ConfigError, match="'n'"):
        create_app(store, tokens=[token()], scopes={"app": "n"})


@pytest.fixture
def stores():
    return {"": convostore.aopen("memory://"), "n": convostore.aopen("memory://")}


def served(stores, **scopes):
    return Stores(stores=stores, access=Access(), scopes=scopes)


def test_a_grant_reaches_its_namespace_and_one_of_all_the_first(stores):
    assert served(stores).store_of(Grant(name="a")) is stores[""]
    assert served(stores).store_of(Grant(name="a", namespace="n")) is stores["n"]


def test_namespaces_without_a_store_of_their_own_are_views_of_one():
    async def asking():
        store = convostore.aopen("memory://")
        tokens = [token(namespace="ann"), token(SECOND, namespace="ben")]
        app = create_app(store, tokens=tokens)
        await store.with_namespace("ann").create_conversation(id="c")
        for value, expected in ((FIRST, 200), (SECOND, 404)):
            headers = (("authorization", f"Bearer {value}"),)
            request = Request("GET", "/v1/conversations/c", headers=headers)
            assert (await answered(app, request)).status == expected
        await store.aclose()

    asyncio.run(asking())


def count_descriptors():
    return len([*Path("/proc/self/fd").iterdir()])


def test_a_hundred_tokens_of_namespaces_share_one_file(tmp_path):
    async def descriptors(count):
        store = convostore.aopen(f"sqlite:///{tmp_path}/{count}.db")
        tokens = [token(f"{FIRST}{number}", namespace=f"n{number}") for number in range(count)]
        app = create_app(store, tokens=tokens)
        for number in range(count):
            headers = (("authorization", f"Bearer {FIRST}{number}"),)
            request = Request("GET", "/v1/conversations", headers=headers)
            assert (await answered(app, request)).status == 200
        opened = count_descriptors()
        await store.aclose()
        return opened

    asyncio.run(descriptors(1))
    assert asyncio.run(descriptors(100)) <= asyncio.run(descriptors(1)) + 4


def test_a_scope_that_nobody_named_makes_no_difference(stores):
    assert served(stores).store_of(Grant(name="a"), "whatever") is stores[""]


def test_a_scope_is_the_namespace_that_it_stands_for(stores):
    some = served(stores, app="n")
    assert some.store_of(Grant(name="a"), "app") is stores["n"]
    assert some.store_of(Grant(name="a", namespace="n"), "app") is stores["n"]


def test_a_scope_that_is_not_served_or_not_reached_is_refused(stores):
    some = served(stores, app="n", other="")
    with pytest.raises(AbsentScopeError, match="'nowhere'"):
        some.store_of(Grant(name="a"), "nowhere")
    with pytest.raises(AbsentScopeError) as caught:
        some.store_of(Grant(name="a"), "<script>")
    assert "<script>" not in str(caught.value)
    with pytest.raises(ForbiddenError):
        some.store_of(Grant(name="a", namespace="n"), "other")


@pytest.fixture
def reader():
    return read_only_view(convostore.aopen("echo://"))


def test_a_reader_is_offered_what_changes_nothing(reader):
    store = convostore.aopen("echo://")
    for operation in Operation:
        assert reader.offers(operation) is (store.offers(operation) and operation in READING)


WRITES = {
    "create_conversation": (),
    "put_conversation": (convostore.Conversation(id="c"),),
    "fork_conversation": ("c", "m"),
    "append_messages": ("c", []),
    "replace_messages": ("c", [], None),
    "update_conversation": ("c",),
    "delete_conversation": ("c",),
    "delete_conversations": (datetime(2025, 1, 1, tzinfo=UTC),),
    "clear_conversations": (),
    "update_message": ("c", convostore.Message(id="m", role="user")),
    "delete_message": ("c", "m"),
    "pop_message": ("c", "m"),
    "set_feedback": ("c", "m", None),
    "reply": ("c", "hello"),
    "answer": ("c", "yes"),
}
STREAMED = {"stream_reply": ("c", "hello"), "stream_answer": ("c", "yes")}


def called(reader, operation, arguments):
    """Calls a method by its positional arguments; one that replaces messages needs `after`."""
    *head, last = arguments or (None,)
    if operation == "replace_messages":
        return reader.replace_messages(*head, after=last)
    if operation == "pop_message":
        return reader.pop_message(*head, tip=last)
    if operation == "delete_conversations":
        return reader.delete_conversations(older_than=last)
    return getattr(reader, operation)(*arguments)


@pytest.mark.parametrize(("operation", "arguments"), WRITES.items(), ids=WRITES.keys())
def test_a_reader_is_refused_whatever_changes_anything(reader, operation, arguments):
    with pytest.raises(ForbiddenError, match="this token may only read") as caught:
        asyncio.run(called(reader, operation, arguments))
    assert caught.value.operation == operation


@pytest.mark.parametrize(("operation", "arguments"), STREAMED.items(), ids=STREAMED.keys())
def test_a_reader_is_refused_a_stream_before_it_is_entered(reader, operation, arguments):
    with pytest.raises(ForbiddenError):
        called(reader, operation, arguments)


def test_every_operation_that_changes_anything_is_refused_above():
    assert WRITES.keys() | STREAMED.keys() == set(Operation) - READING


def test_a_reader_has_no_way_around_that(tmp_path):
    """Batches, views, mirrors and imports go through the same adapter."""

    async def trying():
        store = convostore.aopen("memory://")
        reader = read_only_view(store)
        source = convostore.aopen("memory://")
        await source.create_conversation(id="c")
        path = tmp_path / "c.jsonl"
        await convostore.aexport_conversations(source, path)
        call = WriteCall("create_conversation", id="c")
        for attempt in (
            lambda: reader.write_batch([call]),
            lambda: reader.write_batch([call], atomic=False),
            lambda: reader.view(lambda adapter: adapter).create_conversation(id="c"),
            lambda: convostore.amirror(source, reader),
            lambda: convostore.aimport_conversations(path, reader),
        ):
            with pytest.raises(ForbiddenError):
                await attempt()
        assert (await store.list_conversations()).items == ()

    asyncio.run(trying())


def test_a_reader_reads_and_leaves_the_store_open():
    async def reading():
        store = convostore.aopen("memory://")
        await store.create_conversation(id="c")
        reader = read_only_view(store)
        assert (await reader.get_conversation("c")).id == "c"
        await reader.aclose()
        assert (await store.get_conversation("c")).id == "c"
        await store.aclose()
        assert reader.closed
        with pytest.raises(InvalidError):
            await reader.get_conversation("c")

    asyncio.run(reading())
