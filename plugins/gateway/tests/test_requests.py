"""Requests as they come over ASGI: which path is meant, wherever the gateway is mounted."""

import pytest

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
