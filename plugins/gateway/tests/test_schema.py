"""What the native API carries is read as it was rendered, whatever stands in it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convostore.dialects import AbsentScopeError
from convostore.errors import (
    AuthError,
    ConfigError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    ProtocolError,
    RateLimitError,
    StoreError,
    UnavailableError,
    UnsupportedError,
)
from convostore.models import (
    Conversation,
    Feedback,
    Health,
    Message,
    Page,
    PartialReply,
    Reply,
    RunStep,
    TextPart,
)
from convostore.parsing import decode_json
from convostore.search import Hit
from convostore.serialization import dump, join_surrogates, to_exact_json, to_json
from convostore_gateway import schema
from convostore_gateway.api.responses import LARGE, encode_result
from convostore_gateway.problems import problem_of, read_problem, status_of

from .support import values as values

quietly = settings(
    max_examples=settings.default.max_examples // 2,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def sent(data: Any) -> Any:
    """Data as it comes out at the other end."""
    return join_surrogates(decode_json(to_exact_json(data).encode("ascii")))


def rendered_and_read(result: Any) -> Any:
    return join_surrogates(decode_json(asyncio.run(encode_result(result))))


@quietly
@given(values.events)
def test_an_event_is_read_as_it_was_rendered(event: Any) -> None:
    assert schema.read_event(sent(dump(event))) == event


@quietly
@given(values.replies)
def test_a_reply_is_read_as_it_was_rendered(reply: Reply) -> None:
    assert schema.read(Reply, rendered_and_read(reply)) == reply


@quietly
@given(values.bodies)
def test_a_body_is_read_as_it_was_rendered(body: Any) -> None:
    content = to_json(schema.body_json(body)).encode("ascii")
    assert schema.read_body(type(body), content) == body


@pytest.mark.parametrize("feedback", [None, Feedback(rating="bad", comment="\ud800")])
def test_feedback_is_read_as_it_was_rendered(feedback: Feedback | None) -> None:
    content = to_exact_json(None if feedback is None else dump(feedback)).encode("ascii")
    assert schema.read_body(schema.FeedbackBody, content) == feedback


@quietly
@given(
    st.one_of(
        st.tuples(st.just(Conversation), st.lists(values.VALUES.conversations(), max_size=3)),
        st.tuples(st.just(Message), st.lists(values.VALUES.messages(), max_size=3)),
        st.tuples(st.just(Hit), st.lists(values.hits, max_size=2)),
    ),
    values.MAYBE,
    st.none() | values.COUNTS,
)
def test_a_page_is_read_as_it_was_rendered(
    listed: tuple[Any, list[Any]], cursor: str | None, total: int | None
) -> None:
    kind, items = listed
    page = Page(items=tuple(items), cursor=cursor, total=total)
    assert schema.read_page(kind, rendered_and_read(page)) == page
    assert schema.read_page(kind, sent(schema.page_json(page))) == page


@quietly
@given(st.lists(values.run_steps, max_size=3).map(tuple))
def test_run_details_are_read_as_they_were_rendered(steps: tuple[RunStep, ...]) -> None:
    assert schema.read_items(RunStep, rendered_and_read(steps)) == steps


@quietly
@given(st.lists(values.texts(), max_size=3).map(tuple))
def test_questions_are_read_as_they_were_rendered(questions: tuple[str, ...]) -> None:
    assert schema.read_items(str, rendered_and_read(questions)) == questions


@quietly
@given(values.VALUES.conversations())
def test_a_conversation_is_read_as_it_was_rendered(conversation: Conversation) -> None:
    assert schema.read(Conversation, rendered_and_read(conversation)) == conversation


def test_a_large_page_is_read_as_it_was_rendered() -> None:
    texts = ["x" * (LARGE // 4), "\ud800" * 10, "é" * (LARGE // 2), "y" * LARGE]
    messages = tuple(Message(role="user", parts=(TextPart(text=text),)) for text in texts)
    page = Page(items=messages, cursor="next", total=9)
    assert schema.read_page(Message, rendered_and_read(page)) == page


def test_numbers_that_json_has_no_word_for_are_kept() -> None:
    message = Message(role="user", raw={"score": float("inf"), "large": 10**400})
    assert schema.read_items(Message, rendered_and_read((message,))) == (message,)


def test_health_and_info_are_read_as_they_were_rendered() -> None:
    health = Health(generation="1.2", detail="fine")
    info = schema.Info(
        label="memory://x", version="1", offers=("search", "fly"), traits={"order": "backend"},
        max_page=7, reply_options=("model",),
    )  # fmt: skip
    assert schema.read(Health, sent(dump(health))) == health
    assert schema.read(schema.Info, sent(dump(info) | {"novel": 1})) == info
    assert info.operations == {"search"}
    assert info.known_traits.max_page == 7


@pytest.mark.parametrize(
    ("kind", "content", "told"),
    [
        (schema.UpdateBody, '{"titel": "x"}', "unknown field 'titel': did you mean 'title'?"),
        (schema.UpdateBody, '{"pinned": "yes"}', "pinned"),
        (schema.UpdateBody, '{"pinned": 1}', "pinned"),
        (schema.UpdateBody, '{"title": "\\ud800", "pinned": "true"}', "pinned"),
        (schema.UpdateBody, "[]", "object"),
        (schema.UpdateBody, "{", "not JSON"),
        (schema.UpdateBody, "[" * 5000 + "]" * 5000, "nested"),
        (schema.UpdateBody, '{"title": ' + "9" * 5000 + "}", "out of bounds"),
        (schema.CreateBody, '{"created_at": 0}', "created_at"),
        (schema.CreateBody, '{"created_at": "2026-01-01T00:00:00"}', "created_at"),
        (schema.CreateBody, '{"created_at": "9999-12-31T23:59:59-23:59"}', "created_at"),
        (schema.ReplaceBody, '{"messages": []}', "after"),
        (schema.AppendBody, '{"messages": [{"role": "king"}]}', "messages.0.role"),
        (schema.AppendBody, '{"messages": [{"role": "user", "id": ""}]}', "messages.0.id"),
        (schema.AppendBody, '{"messages": {}}', "messages"),
        (schema.ReplyBody, '{"content": [{"kind": "reasoning", "text": "x"}]}', "content"),
        (schema.FeedbackBody, '{"rating": "fair"}', "rating"),
    ],
)
def test_a_wrong_body_is_refused_by_the_name_of_its_field(
    kind: Any, content: str, told: str
) -> None:
    with pytest.raises(InvalidError, match=None) as refused:
        schema.read_body(kind, content.encode())
    assert told in str(refused.value)


@pytest.mark.parametrize("data", [None, [], {}, {"items": {}}, {"items": [1]}, {"items": [{}]}])
def test_what_is_no_page_is_a_protocol_error(data: Any) -> None:
    with pytest.raises(ProtocolError):
        schema.read_page(Conversation, data)


@pytest.mark.parametrize("more", [{"cursor": 1}, {"total": "7"}])
def test_a_page_with_a_wrong_frame_is_a_protocol_error(more: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        schema.read_page(Conversation, {"items": [], **more})


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFoundError("there is none"), 404),
        (ConflictError("another one"), 409),
        (InvalidError("wrong"), 400),
        (AuthError("no token"), 401),
        (ForbiddenError("may only read"), 403),
        (UnsupportedError("cannot"), 501),
        (RateLimitError("slowly", retry_after=2.5), 429),
        (UnavailableError("out of reach", retry_after=3), 503),
        (UnavailableError("broken", retryable=False), 502),
        (ProtocolError("unreadable"), 502),
        (StoreError("failed"), 500),
    ],
)
def test_an_error_is_read_as_the_very_same_class(error: StoreError, status: int) -> None:
    problem = problem_of(error)
    read = read_problem(sent(problem))
    assert type(read) is type(error)
    assert problem["status"] == status_of(error) == status
    assert read.retryable == error.retryable
    assert getattr(read, "retry_after", None) == getattr(error, "retry_after", None)


@quietly
@given(values.partials)
def test_what_had_arrived_is_read_as_it_was_rendered(partial: PartialReply) -> None:
    error = UnavailableError("it broke off")
    error.partial = partial
    read = read_problem(sent(problem_of(error)))
    assert read is not None
    assert read.partial == partial


def test_the_words_of_what_concerns_the_caller_are_kept() -> None:
    error = NotFoundError("there is no conversation 'x'", operation="get_conversation")
    problem = problem_of(error)
    assert (problem["detail"], problem["operation"]) == (str(error), "get_conversation")
    assert str(read_problem(problem)) == str(error)


@pytest.mark.parametrize(
    "error",
    [
        UnavailableError("cannot reach postgresql://u:secret@db/x at /srv/secret/file.db"),
        ProtocolError("secret", detail="at https://u:secret@host/secret and /home/secret/a.db"),
        ConfigError("the file /home/secret.db was moved"),
        AuthError("the key secret was refused", adapter="fastgpt"),
        InvalidError("postgresql://user:secret@host refused it"),
    ],
)
def test_nothing_of_what_is_inside_is_told(error: StoreError) -> None:
    assert "secret" not in str(problem_of(error))


def test_a_store_that_does_not_admit_the_gateway_is_not_the_clients_fault() -> None:
    error = AuthError("refused", adapter="fastgpt", operation="search")
    assert status_of(error) == 502
    assert type(read_problem(problem_of(error))) is AuthError


def test_what_is_not_served_is_not_there() -> None:
    assert problem_of(AbsentScopeError("x"))["kind"] == "not_found"


@pytest.mark.parametrize("data", [None, [], {}, {"kind": "novel"}, {"kind": 7}, {"kind": []}])
def test_what_is_no_problem_is_read_as_none(data: Any) -> None:
    assert read_problem(data) is None


def test_a_problem_of_an_argument_names_it_and_leaves_its_operation_offered() -> None:
    error = UnsupportedError("no owners", operation="search", argument="owner")
    problem = problem_of(error)
    assert problem["argument"] == "owner"
    assert "operation" not in problem  # an older client would no longer offer it
    read = read_problem(sent(problem))
    assert isinstance(read, UnsupportedError)
    assert read.argument == "owner"


@pytest.mark.parametrize("told", [None, 1, "", ["owner"], "two words"])
def test_an_argument_that_is_no_name_is_none(told: Any) -> None:
    read = read_problem({"kind": "unsupported", "argument": told})
    assert isinstance(read, UnsupportedError)
    assert read.argument is None


@pytest.mark.parametrize(
    "more", [{"detail": 1}, {"retryable": "x"}, {"retry_after": "x"}, {"partial": 1}]
)
def test_a_spoilt_problem_is_still_its_class(more: dict[str, Any]) -> None:
    read = read_problem({"kind": "rate_limit", **more})
    assert type(read) is RateLimitError
    assert read.retryable


@pytest.mark.parametrize(
    ("told", "read"),
    [(0, 0.0), (1.5, 1.5), (10**400, 1e9), (1e999, 1e9)]
    + [(wrong, None) for wrong in (-1, -0.5, float("nan"), True, "3", None, [1])],
)
def test_how_long_to_wait_is_a_time_or_nothing(told, read):
    assert read_problem({"kind": "rate_limit", "retry_after": told}).retry_after == read


def test_what_a_later_version_adds_is_left_out_and_noted() -> None:
    row = {
        "id": "c",
        "title": "T",
        "colour": "red",
        "origin": {"store": "s", "conversation_id": "o"},
    }
    read = schema.read(Conversation, row)
    assert (read.id, read.title) == ("c", "T")
    assert [problem.where for problem in read.problems] == ["colour"]
    part = {"kind": "text", "text": "hello", "mood": "good"}
    messages = [
        {"id": "m", "role": "user", "parts": [part]},
        {"id": "n", "role": "user", "seen": 1},
    ]
    first, second = schema.read_items(Message, {"items": messages})
    assert (first.text, first.problems) == ("hello", ())
    assert [problem.where for problem in second.problems] == ["seen"]
    with pytest.raises(ProtocolError):  # what is wrong besides stays wrong
        schema.read(Conversation, {"id": 7, "colour": "red"})
