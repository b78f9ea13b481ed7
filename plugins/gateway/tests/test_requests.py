"""Requests as they come over ASGI: which path is meant, wherever the gateway is mounted, and that a
head is parsed once."""

import asyncio
from urllib.parse import unquote

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

import convostore
from convostore_gateway import create_app
from convostore_gateway.requests import path_of


def scope(path: str, raw: str | None, root: str) -> dict[str, object]:
    return {"path": path, "raw_path": raw and raw.encode("ascii"), "root_path": root}


@pytest.mark.parametrize(
    ("path", "raw", "root", "expected"),
    [
        ("/v1/a/b", "/v1/a%2Fb", "", "/v1/a%2Fb"),
        ("/v1/a b", None, "", "/v1/a%20b"),
        ("/v1", "/v1?q=1", "", "/v1"),
        ("", "", "", "/"),
        ("/app/v1/a/b", "/app/v1/a%2Fb", "/app", "/v1/a%2Fb"),
        ("/app/v1", "/app/v1", "/app/", "/v1"),
        ("/app", "/app", "/app", "/"),
        ("/app/", "/app/", "/app", "/"),
        ("/app//v1", "/app//v1", "/app", "//v1"),
        ("/one/two/v1", "/one/two/v1", "/one/two", "/v1"),
        ("/pré fix/v1", "/pr%C3%A9%20fix/v1", "/pré fix", "/v1"),
        ("/pré fix/v1", "/pr%c3%a9%20fi%78/v1", "/pré fix", "/v1"),
        ("/app/app/v1", "/app/app/v1", "/app", "/app/v1"),
        ("/apple/v1", "/apple/v1", "/app", "/apple/v1"),
        ("/v1", "/v1", "/app", "/v1"),
    ],
)
def test_a_path_is_what_stands_below_the_mount_as_it_was_sent(path, raw, root, expected):
    assert path_of(scope(path, raw, root)) == expected


class CountedHeaders(list):
    """Headers that know how often they were iterated over."""

    iterations = 0

    def __iter__(self):
        self.iterations += 1
        return super().__iter__()


def request(app, method, path, headers=()):
    """Send a request to the app; return the status of the answer, and the headers as sent."""
    sent = []
    counted = CountedHeaders(headers)
    scope = {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": b"",
        "headers": counted,
    }

    async def receive():
        return {"type": "http.request", "body": b"{}"}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], counted


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/conversations", 200),
        ("POST", "/v1/conversations", 201),
        ("GET", "/api/chats", 200),
        ("GET", "/viewer/", 200),
        ("GET", "/nowhere", 404),
    ],
)
def test_a_head_is_parsed_once_whichever_surface_answers(method, path, status):
    app = create_app(convostore.aopen("memory://"), open_access=True)
    answered, headers = request(app, method, path, [(b"host", b"localhost")])
    assert answered == status
    assert headers.iterations == 1


def test_a_gateway_within_another_sees_the_path_below_its_own_mount():
    inner = create_app(convostore.aopen("memory://"), open_access=True)
    outer = create_app(convostore.aopen("memory://"), open_access=True, viewer=False)
    outer.router.routes.append(Mount("/inner", inner))
    app = Starlette(routes=[Mount("/outer", outer)])
    assert request(app, "GET", "/outer/inner/v1/conversations")[0] == 200
    assert request(app, "GET", "/outer/v1/conversations")[0] == 200
    assert request(app, "GET", "/outer/inner/nowhere")[0] == 404
