"""HTTP as values: paths, replies, and what a status means."""

import email.utils
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from convostore import (
    AuthError,
    ConflictError,
    InvalidError,
    NotFoundError,
    ProtocolError,
    RateLimitError,
    StoreError,
    UnavailableError,
)
from convostore.errors import ConfigError, ForbiddenError, UnsupportedError
from convostore.http import Request, Response, path, status_error, status_of

GET = Request("GET", "/notes/1")


@pytest.mark.parametrize(
    ("identifier", "segment"),
    [
        ("plain-id_1.2~3", "plain-id_1.2~3"),
        ("a/b", "a%2Fb"),
        ("a b?c#d", "a%20b%3Fc%23d"),
        ("%2F", "%252F"),
        ("%2e%2e", "%252e%252e"),
        ("...", "..."),
        (".a", ".a"),
        ("潮", "%E6%BD%AE"),
        ("🜁", "%F0%9F%9C%81"),
        ("\x00\n", "%00%0A"),
        ("{}", "%7B%7D"),
    ],
)
def test_an_id_is_one_segment_of_the_path(identifier, segment):
    assert path("/notes/{}/lines", identifier) == f"/notes/{segment}/lines"


@pytest.mark.parametrize("identifier", ["", ".", "..", "\ud800", "a\udfffb"])
def test_an_id_that_would_reach_another_thing_is_refused(identifier):
    with pytest.raises(InvalidError):
        path("/notes/{}", identifier)
    with pytest.raises(InvalidError):
        path("/notes/{}/lines/{}", "fine", identifier)


def test_a_path_takes_several_ids():
    assert path("/notes/{}/lines/{}", "a/b", "c") == "/notes/a%2Fb/lines/c"


@given(st.text(min_size=1).filter(lambda text: text not in {".", ".."}))
def test_any_id_stays_one_segment_without_a_query(identifier):
    url = path("/notes/{}", identifier)
    assert url.isascii()
    assert url.count("/") == 2
    assert not {"?", "#"} & set(url)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_is_repeatable_unless_it_says_otherwise(method):
    assert Request(method, "/").repeatable
    assert not Request(method, "/", idempotent=False).repeatable


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_writing_is_not_repeatable_unless_it_says_so(method):
    assert not Request(method, "/").repeatable
    assert Request(method, "/", idempotent=True).repeatable


def test_a_request_shows_no_header_and_a_response_no_body():
    assert "s3cret" not in repr(Request("GET", "/", headers=(("authorization", "s3cret"),)))
    assert "s3cret" not in repr(Response(200, {"set-cookie": "s3cret"}, b"s3cret"))


@pytest.mark.parametrize(
    ("header", "media_type"),
    [
        ("application/json", "application/json"),
        ("Application/JSON; charset=utf-8", "application/json"),
        (" text/html ;q=1", "text/html"),
        ("", ""),
    ],
)
def test_the_media_type_is_without_parameters_and_case(header, media_type):
    assert Response(200, {"content-type": header}).media_type == media_type


def test_a_response_without_a_content_type_has_no_media_type():
    assert Response(200).media_type == ""


def test_text_replaces_what_is_no_utf8():
    assert Response(200, content=b"caf\xc3\xa9 \xff").text == "café \ufffd"


def test_json_is_decoded_whatever_the_content_type_says():
    assert Response(200, {"content-type": "text/plain"}, b'{"a": 1}').json() == {"a": 1}


def test_an_html_page_instead_of_json_says_to_check_the_base_url():
    page = Response(200, {"content-type": "text/html"}, b"<html>" + b"x" * 1000)
    with pytest.raises(ProtocolError, match="check the base URL") as caught:
        page.json()
    assert caught.value.excerpt.startswith("<html>")
    assert len(caught.value.excerpt) == 200


def test_broken_json_is_a_protocol_error_with_an_excerpt():
    with pytest.raises(ProtocolError) as caught:
        Response(200, {"content-type": "application/json"}, b'{"a": ' + b"1" * 1000).json()
    assert caught.value.excerpt.startswith('{"a": 1')
    assert len(caught.value.excerpt) == 200


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_success_is_no_error(status):
    assert status_error(GET, Response(status)) is None


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (304, ProtocolError),
        (400, InvalidError),
        (401, AuthError),
        (403, AuthError),
        (404, NotFoundError),
        (405, ProtocolError),
        (409, ConflictError),
        (410, NotFoundError),
        (412, ConflictError),
        (413, InvalidError),
        (414, InvalidError),
        (418, ProtocolError),
        (422, InvalidError),
        (429, RateLimitError),
        (431, InvalidError),
        (500, UnavailableError),
        (501, UnavailableError),
        (502, UnavailableError),
        (503, UnavailableError),
        (504, UnavailableError),
        (599, UnavailableError),
    ],
)
def test_a_status_stands_for_one_class_of_error(status, error):
    result = status_error(GET, Response(status))
    assert type(result) is error
    assert f"GET /notes/1 returned {status}" in str(result)


def test_only_a_passing_failure_is_retryable():
    errors = {status: status_error(GET, Response(status)) for status in range(300, 600)}
    assert all(isinstance(error, StoreError) for error in errors.values())
    assert {status for status, error in errors.items() if error.retryable} == {429, 502, 503, 504}


def _refusal(body, media_type="application/json"):
    return status_error(GET, Response(400, {"content-type": media_type}, body))


def test_what_the_service_said_is_in_the_message_and_the_detail():
    error = _refusal(b'{"message": "title is too long", "other": 1}')
    assert error.detail == "title is too long"
    assert "title is too long" in str(error)


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b'{"message": "hidden"}', "text/html"),
        (b'{"message": ["hidden"]}', "application/json"),
        (b'["hidden"]', "application/json"),
        (b'{"message": "hidden', "application/json"),
        (b"", "application/json"),
    ],
)
def test_where_the_service_said_nothing_readable_there_is_no_detail(body, media_type):
    error = _refusal(body, media_type)
    assert error.detail is None
    assert "hidden" not in str(error)


def test_what_the_service_said_is_shortened():
    assert len(_refusal(b'{"message": "' + b"x" * 1000 + b'"}').detail) == 200


def test_an_adapter_may_say_what_the_detail_is():
    assert status_error(GET, Response(400), "its own words").detail == "its own words"


def _asks_to_wait(status, value):
    return status_error(GET, Response(status, {"retry-after": value})).retry_after


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_in_seconds_is_read(status):
    assert _asks_to_wait(status, "17") == 17.0
    assert _asks_to_wait(status, " 0 ") == 0.0


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_until_a_date_is_read(status):
    soon = email.utils.formatdate(time.time() + 3600, usegmt=True)
    assert 3000 < _asks_to_wait(status, soon) <= 3600
    assert _asks_to_wait(status, "Sun, 06 Nov 1994 08:49:37 GMT") == 0.0


@pytest.mark.parametrize("value", ["", "soon", "-5", "1.5.2", "٣", "Sun, 99 Nov 1994 08:49:37 GMT"])
def test_a_wait_that_cannot_be_read_is_none(value):
    assert _asks_to_wait(429, value) is None


@given(
    st.text(st.characters(exclude_categories=()))
    | st.from_regex(r"[A-Z][a-z]{2}, \d\d (Jan|Feb|Dec) \d{4} \d\d:\d\d:\d\d (GMT|-0000|[+-]\d{4})")
)
@example("Mon, 01 Jan 0001 00:00:00 +1400")
@example("Mon, 01 Jan 0001 00:00:00 -0000")
@example("9" * 5000)
def test_whatever_the_service_asks_for_is_a_wait_or_none(value):
    wait = _asks_to_wait(429, value)
    assert wait is None or 0 <= wait < float("inf")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFoundError("absent"), 404),
        (ConflictError("taken"), 409),
        (InvalidError("wrong"), 400),
        (AuthError("who?"), 401),
        (ForbiddenError("not you"), 403),
        (UnsupportedError("not here"), 501),
        (RateLimitError("patience"), 429),
        (UnavailableError("busy"), 503),
        (UnavailableError("broken", retryable=False), 500),
        (ProtocolError("unreadable"), 500),
        (ConfigError("wrong"), 500),
        (StoreError("failed"), 500),
    ],
)
def test_an_error_is_told_by_a_status_that_is_read_as_it(error, status):
    assert status_of(error) == status
    read = status_error(GET, Response(status))
    assert read.retryable == error.retryable
    if status < 500:
        assert isinstance(error, type(read))
