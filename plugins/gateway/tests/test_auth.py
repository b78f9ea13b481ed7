"""Who may do what: tokens, namespaces, scopes, and the store as a reader gets it."""

import asyncio
import inspect

import pytest
from pydantic import SecretStr

import convostore
from convostore import AuthError, ConfigError
from convostore.adapters import Operation
from convostore.dialects import AbsentScopeError
from convostore.errors import ForbiddenError
from convostore_gateway import Token, create_app
from convostore_gateway.auth import READING, Access, Grant, ReadOnlyStore
from convostore_gateway.stores import Stores

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
    store = convostore.aopen("memory://")
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


def test_a_reader_gets_no_operation_that_changes_anything():
    store = convostore.aopen("echo://")
    reader = ReadOnlyStore(store)
    for operation in Operation:
        if operation in READING:
            assert reader.offers(operation) is store.offers(operation)
        else:
            assert not reader.offers(operation)
            with pytest.raises(ForbiddenError, match=operation.value):
                getattr(reader, operation.value)("c")


def test_a_reader_has_no_way_around_that():
    """Whatever else a store can do by name is built of operations, or reads."""
    harmless = {"aclose", "label", "offers", "traits", "reply_options"}
    harmless |= {"conversations", "messages", "transcripts"}  # they go through lists page by page
    harmless |= {"messages_as_json"}  # as list_messages
    more = {
        name
        for name, _ in inspect.getmembers(ReadOnlyStore)
        if not name.startswith("_") and name not in {each.value for each in Operation}
    }
    assert more <= harmless, more - harmless


def test_a_reader_reads_and_leaves_the_store_open():
    async def reading():
        store = convostore.aopen("memory://")
        await store.create_conversation(id="c")
        reader = ReadOnlyStore(store)
        assert (await reader.get_conversation("c")).id == "c"
        await reader.aclose()
        assert (await store.get_conversation("c")).id == "c"
        await store.aclose()

    asyncio.run(reading())
