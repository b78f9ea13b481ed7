"""The exceptions: their base classes, their attributes, and redaction."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convostore import (
    AuthError,
    ConfigError,
    ConflictError,
    InvalidError,
    NotFoundError,
    PluginError,
    ProtocolError,
    RateLimitError,
    StoreError,
    UnavailableError,
    UnsupportedError,
)
from convostore.errors import redact

ALL = [
    AuthError,
    ConfigError,
    ConflictError,
    InvalidError,
    NotFoundError,
    PluginError,
    ProtocolError,
    RateLimitError,
    UnavailableError,
    UnsupportedError,
]


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (ConfigError, ValueError),
        (PluginError, ConfigError),
        (UnsupportedError, NotImplementedError),
        (NotFoundError, LookupError),
        (InvalidError, ValueError),
        (AuthError, PermissionError),
        (UnavailableError, ConnectionError),
    ],
)
def test_an_error_is_caught_as_the_builtin_of_its_meaning(error, builtin):
    assert issubclass(error, StoreError)
    with pytest.raises(builtin):
        raise error("no")


@pytest.mark.parametrize("error", ALL)
def test_an_error_tells_only_its_message(error):
    instance = error("it is so", adapter="notes", operation="check", detail="the service's words")
    assert str(instance) == "it is so"


@pytest.mark.parametrize("error", ALL)
def test_an_error_carries_where_it_happened(error):
    instance = error("no", adapter="notes", operation="check", detail="said")
    assert (instance.adapter, instance.operation, instance.detail) == ("notes", "check", "said")


@pytest.mark.parametrize("error", ALL)
def test_an_error_made_bare_knows_of_no_place(error):
    instance = error("no")
    assert (instance.adapter, instance.operation, instance.detail) == (None, None, None)


@pytest.mark.parametrize("error", ALL)
def test_only_a_rate_limit_and_an_outage_are_retryable_of_themselves(error):
    assert error("no").retryable is (error in {RateLimitError, UnavailableError})


@pytest.mark.parametrize("error", ALL)
@pytest.mark.parametrize("retryable", [True, False])
def test_retryable_can_be_said_otherwise(error, retryable):
    assert error("no", retryable=retryable).retryable is retryable


@pytest.mark.parametrize("error", [RateLimitError, UnavailableError])
def test_a_wait_that_the_service_asked_for_is_kept(error):
    assert error("wait", retry_after=2.5, adapter="notes").retry_after == 2.5
    assert error("wait").retry_after is None


def test_a_protocol_error_keeps_an_excerpt():
    assert ProtocolError("what?", excerpt="<html>").excerpt == "<html>"
    assert ProtocolError("what?").excerpt is None


def test_an_unsupported_argument_is_told_apart_from_an_operation():
    assert UnsupportedError("no", argument="owner", operation="search").argument == "owner"
    assert UnsupportedError("no", operation="search").argument is None


@pytest.mark.parametrize("error", ALL)
@pytest.mark.parametrize("again", [copy.copy, lambda value: pickle.loads(pickle.dumps(value))])
def test_an_error_survives_a_copy_to_another_process(error, again):
    copied = again(error("no", adapter="notes", operation="check", retryable=True, detail="said"))
    assert type(copied) is error
    assert (str(copied), copied.adapter, copied.operation) == ("no", "notes", "check")
    assert (copied.retryable, copied.detail) == (True, "said")


def test_redacting_hides_every_occurrence():
    assert redact("key-1 and key-1", ["key-1"]) == "*** and ***"


def test_redacting_hides_a_secret_that_holds_another_one_whole():
    assert redact("token abcdef", ["abc", "abcdef"]) == "token ***"


def test_redacting_hides_a_secret_of_which_only_the_beginning_was_kept():
    secret = "fastgpt-sesame-4711-abcdefghij"
    for length in range(10, len(secret) + 1):
        assert redact(f"refused: {secret[:length]}; check", [secret]) == "refused: ***; check"


def test_redacting_leaves_text_alone_where_a_secret_is_empty():
    assert redact("plain", [""]) == "plain"


@given(
    before=st.text(alphabet="xyz "),
    after=st.text(alphabet="xyz "),
    secrets=st.lists(st.text(alphabet="abc", min_size=1), min_size=1),
)
def test_no_secret_is_left_after_redacting(before, after, secrets):
    text = before.join(secrets) + after
    assert not any(secret in redact(text, secrets) for secret in secrets)
