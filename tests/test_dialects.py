"""Dialects: what a request tells one, and how its flow is carried out on a store."""

import asyncio

import pytest

import convostore
from convostore.dialects import Dialect, IncomingRequest
from convostore.dialects import run_dialect as carried_out
from convostore.errors import AuthError, InvalidError, NotFoundError
from convostore.http import Response
from convostore.store import ask, look


def request(path="/", **given):
    return IncomingRequest("GET", path, **given)


class Told(Dialect):
    """Answers with what its flow returns."""

    name = "told"

    def __init__(self, flow):
        self._flow = flow

    def serves(self, request):
        return True

    def handle(self, request):
        return self._flow()

    def failed(self, request, error):
        return Response(500)


def answered(flow, target="memory://"):
    async def answer():
        async with convostore.aopen(target) as store:
            return await carried_out(Told(flow), request(), store)

    return asyncio.run(answer())


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("/", ("",)),
        ("/chats/a%2Fb/%25", ("chats", "a/b", "%")),
        ("/chats//", ("chats", "", "")),
        ("/%E6%BD%AE", ("潮",)),
    ],
)
def test_a_path_is_taken_apart_before_it_is_decoded(path, segments):
    assert request(path).segments == segments


def test_a_path_that_is_no_text_is_the_clients_error():
    with pytest.raises(InvalidError):
        _ = request("/chats/%ff").segments


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_is_the_clients_error(content):
    sent = request(content=content)
    with pytest.raises(InvalidError, match="body"):
        _ = sent.json
    assert sent.fields == {}


@pytest.mark.parametrize(
    ("content", "fields"), [(b'{"a":[1]}', {"a": [1]}), (b"[1]", {}), (b"null", {}), (b'"a"', {})]
)
def test_only_an_object_has_fields(content, fields):
    assert request(content=content).fields == fields


def test_of_a_parameter_that_is_repeated_the_last_counts():
    assert request(query=(("a", "1"), ("b", "2"), ("a", "3"))).parameters == {"a": "3", "b": "2"}


@pytest.mark.parametrize(
    ("header", "credentials"),
    [
        ("Bearer sesame", ("sesame",)),
        ("bearer   sesame ", ("sesame",)),
        ("Bearer", ()),
        ("Bearer  ", ()),
        ("Basic c2VzYW1l", ()),
        ("", ()),
    ],
)
def test_a_bearers_token_is_the_credential(header, credentials):
    dialect = Told(lambda: None)
    assert dialect.credentials(request(headers={"authorization": header})) == credentials
    assert dialect.credentials(request()) == ()


def test_a_request_shows_neither_its_headers_nor_its_body():
    sent = request(headers={"authorization": "Bearer sesame"}, content=b"sesame")
    assert "sesame" not in repr(sent)


def test_what_a_dialect_asks_is_awaited_and_what_it_looks_at_is_not():
    def flow():
        made = yield from ask(lambda store: store.create_conversation(id="c"))
        offers = yield from look(lambda store: store.offers("create_conversation"))
        return made.id, offers

    assert answered(flow) == ("c", True)


def test_an_error_of_the_store_is_raised_where_it_was_asked():
    def flow():
        try:
            yield from ask(lambda store: store.get_conversation("absent"))
        except NotFoundError:
            return "none"

    assert answered(flow) == "none"


def test_what_a_flow_lets_through_is_the_callers():
    def flow():
        yield from ask(lambda store: store.get_conversation("absent"))

    with pytest.raises(NotFoundError):
        answered(flow)


def test_who_may_not_is_not_who_has_no_credential():
    from convostore.errors import ForbiddenError

    assert issubclass(ForbiddenError, AuthError)
    assert convostore.errors.ForbiddenError is ForbiddenError
