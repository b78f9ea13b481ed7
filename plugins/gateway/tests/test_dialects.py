"""What the gateway sees to for every dialect, whichever it is."""

import asyncio

import pytest
from starlette.types import Scope

import convostore
from convostore.dialects import Dialect
from convostore.http import Response
from convostore_gateway.auth import Access
from convostore_gateway.dialects import Dialects
from convostore_gateway.requests import parse_head
from convostore_gateway.stores import Stores


class Plain(Dialect):
    """Answers with the size of a body, and keeps where its requests were decoded."""

    name = "plain"

    def serves(self, request):
        return True

    def scope(self, request):
        self.is_decoded = "_decoded" in vars(request)
        return super().scope(request)

    def handle(self, request):
        yield from ()
        return Response(200, {}, str(len(request.json)).encode())

    def failed(self, request, error):
        return Response(400, {}, type(error).__name__.encode())


async def answer(dialect: Dialect, content: bytes) -> tuple[int, bytes]:
    sent = []
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [],
    }

    parse_head(scope)

    async def receive():
        return {"type": "http.request", "body": content}

    async def send(message):
        sent.append(message)

    async with convostore.aopen("memory://") as store:
        served = Stores(stores={"": store}, access=Access())
        await Dialects([dialect], served).answer(dialect, scope, receive, send)
    return sent[0]["status"], sent[1]["body"]


@pytest.mark.parametrize(("size", "is_decoded"), [(10, False), (300_000, True)])
def test_a_large_body_is_decoded_beside_the_event_loop(size, is_decoded):
    dialect = Plain()
    assert asyncio.run(answer(dialect, b'"%s"' % (b"x" * size))) == (200, b"%d" % size)
    assert dialect.is_decoded is is_decoded


@pytest.mark.parametrize("size", [10, 300_000])
def test_a_body_that_is_no_json_is_refused_whatever_its_size(size):
    assert asyncio.run(answer(Plain(), b"x" * size)) == (400, b"InvalidError")
