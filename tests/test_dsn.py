"""DSNs: their parts, and that their text never shows a secret."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from convostore import DSN, ConfigError

WHOLE = "notes+http://user:s3cret@host.example:8080/prefix/api?limit=5&api_key=s3cret2"


def test_a_dsn_is_split_into_its_parts():
    assert DSN.parse(WHOLE) == DSN(
        scheme="notes",
        transport="http",
        username="user",
        password="s3cret",
        host="host.example",
        port=8080,
        path="/prefix/api",
        options=(("limit", "5"), ("api_key", "s3cret2")),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("memory://", DSN(scheme="memory")),
        ("memory://shelf", DSN(scheme="memory", host="shelf")),
        ("sqlite:///file.db", DSN(scheme="sqlite", path="/file.db")),
        ("notes://h?a=", DSN(scheme="notes", host="h", options=(("a", ""),))),
        (
            "notes://h?a=%26&b=x+y",
            DSN(scheme="notes", host="h", options=(("a", "&"), ("b", "x y"))),
        ),
        ("NOTES+HTTPS://h", DSN(scheme="notes", transport="https", host="h")),
        ("notes://u%40x:p%2F%3A@h", DSN(scheme="notes", username="u@x", password="p/:", host="h")),
        ("notes://[::1]:3000", DSN(scheme="notes", host="::1", port=3000)),
    ],
)
def test_every_form_is_read(text, expected):
    assert DSN.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "memory",
        "memory:",
        "memory:/",
        "://host",
        "no spaces://host",
        "notes+ftp://host",
        "notes+http+https://host",
        "1notes://host",
        "notes://host:port",
        "notes://host:99999",
        "notes://[::1",
        "notes://host/path#fragment",
        "notes://host/#",
        "notes://host?a=1&a=2",
    ],
)
def test_what_is_no_dsn_is_refused(text):
    with pytest.raises(ConfigError):
        DSN.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "notes://user:s3cret@host:port",
        "notes://user:s3cret@host/#",
        "notes://user:s3cret@[::1",
        "notes://host?key=s3cret&key=s3cret",
        "user:s3cret@host",
        "no scheme://user:s3cret@host",
    ],
)
def test_a_refusal_repeats_no_secret(text):
    with pytest.raises(ConfigError) as caught:
        DSN.parse(text)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "base_url"),
    [
        ("notes://host.example", "https://host.example"),
        ("notes+https://host.example/", "https://host.example/"),
        ("notes+http://host.example:3000/api", "http://host.example:3000/api"),
        ("notes+http://[::1]:3000", "http://[::1]:3000"),
        ("notes+http://u:p@host.example?a=b", "http://host.example"),
    ],
)
def test_the_base_url_is_encrypted_unless_asked_and_holds_no_credentials(text, base_url):
    assert DSN.parse(text).base_url == base_url


def test_a_dsn_without_a_host_has_no_base_url():
    with pytest.raises(ConfigError, match=r"notes\+http://host:port"):
        _ = DSN.parse("notes:///path").base_url


def test_the_text_of_a_dsn_masks_passwords_and_secret_options():
    assert str(DSN.parse(WHOLE)) == (
        "notes+http://user:***@host.example:8080/prefix/api?limit=5&api_key=***"
    )
    assert repr(DSN.parse(WHOLE)) == f"DSN({str(DSN.parse(WHOLE))!r})"


@pytest.mark.parametrize(
    "name",
    [
        "api_key",
        "API_KEY",
        "token",
        "secret",
        "password",
        "credentials",
        "auth",
        "headers",
        "proxy",
    ],
)
def test_options_that_may_be_secret_are_masked(name):
    assert "s3cret" not in str(DSN.parse(f"notes://h?{name}=s3cret"))


@pytest.mark.parametrize(
    "text",
    ["memory://", "memory://shelf", "sqlite:///file.db", "notes+http://u@[::1]:30/p?a=b+c&d="],
)
def test_the_text_of_a_dsn_without_secrets_can_be_parsed_again(text):
    dsn = DSN.parse(text)
    assert DSN.parse(str(dsn)) == dsn


ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(ANY_TEXT.map(lambda rest: f"notes://{rest}") | ANY_TEXT)
@example("notes://\ud800:\ud800@h/\ud800?\ud800=\ud800")
@example("notes://u:p@[v1.x]:1/")
@example("notes://\u2100/")
def test_any_text_is_a_dsn_that_can_be_shown_or_a_config_error(text):
    try:
        dsn = DSN.parse(text)
    except ConfigError:
        return
    assert dsn.scheme
    assert isinstance(str(dsn), str)
    assert isinstance(repr(dsn), str)
