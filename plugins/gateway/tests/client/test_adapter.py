"""The adapter of `gateway+http(s)://`: which request each operation is, and what answers mean."""

from datetime import UTC, datetime

import pytest

import convostore
from convostore.adapters import Answer, Operation, Traits, Turn
from convostore.config import open_adapter
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
from convostore.flow import run
from convostore.http import Request, Response
from convostore.models import (
    ANY,
    Conversation,
    ConversationChange,
    ConversationFilter,
    Feedback,
    FilePart,
    Health,
    Listing,
    Message,
    NewConversation,
    Origin,
    Page,
    PartialReply,
    Reply,
    RunStep,
    TextPart,
)
from convostore.search import Hit, Search, Snippet
from convostore.serialization import to_json
from convostore_gateway import problems, schema

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TIDES = Conversation(id="c/1", title="Tides", created_at=NOON)
ASKED = Message(id="m 1", role="user", parts=(TextPart(text="What is a tide?"),))
SAID = Message(id="m2", role="assistant", parts=(TextPart(text="Water \ud800"),))
REPLY = Reply(conversation_id="c/1", turn_id="t", message=SAID, question=ASKED)
STEP = RunStep(id="s", name="search", steps=(RunStep(name="inner"),))
HIT = Hit(conversation=TIDES, message=ASKED, where="text", snippet=Snippet(text="a tide"))
HEALTH = Health(generation="1.12", detail="3 conversations")
OLD = ConversationFilter(older_than=NOON)
EVENTS = (("accept", "text/event-stream"),)
ROW = schema.body_json


def adapter(**options):
    return open_adapter("gateway+http://gateway.test", **options)


def answered(status, body=None, media_type="application/json", **headers):
    content = b"" if body is None else to_json(body).encode()
    return Response(status, {"content-type": media_type, **headers}, content)


def told(error, **others):
    row = problems.problem_of(error) | others
    return answered(row["status"], row, problems.MEDIA_TYPE)


def carried_out(flow, *answers):
    """What a flow asks, and what it returns when these are the answers."""
    requests, waiting = [], iter(answers)

    def send(request):
        requests.append(request)
        return next(waiting)

    return requests, run(flow, send)


def listing(**fields):
    return Listing(**fields)


PAGE = {"items": [ROW(TIDES)], "cursor": "more", "total": 7}

TRIPLES = [
    (
        lambda a: a.list_conversations(listing(limit=3, cursor="x&y", older_than=NOON)),
        Request(
            "GET",
            "/v1/conversations",
            query=(("limit", "3"), ("cursor", "x&y"), ("older_than", "2026-11-21T12:00:00+00:00")),
        ),
        answered(200, PAGE),
        Page(items=(TIDES,), cursor="more", total=7),
    ),
    (
        lambda a: a.list_conversations(listing()),
        Request("GET", "/v1/conversations"),
        answered(200, {"items": []}),
        Page(items=()),
    ),
    (
        lambda a: a.get_conversation("c/1"),
        Request("GET", "/v1/conversations/c%2F1"),
        answered(200, ROW(TIDES)),
        TIDES,
    ),
    (
        lambda a: a.list_messages("c/1", listing(limit=2, order="newest_first")),
        Request(
            "GET",
            "/v1/conversations/c%2F1/messages",
            query=(("limit", "2"), ("order", "newest_first")),
        ),
        answered(200, {"items": [ROW(SAID), ROW(ASKED)]}),
        Page(items=(SAID, ASKED)),
    ),
    (
        lambda a: a.search(
            Search("a tide", "c/1", "user", NOON, NOON), listing(limit=5, cursor="k")
        ),
        Request(
            "GET",
            "/v1/search",
            query=(
                ("limit", "5"),
                ("cursor", "k"),
                ("q", "a tide"),
                ("conversation_id", "c/1"),
                ("role", "user"),
                ("since", "2026-11-21T12:00:00+00:00"),
                ("until", "2026-11-21T12:00:00+00:00"),
            ),
        ),
        answered(200, {"items": [ROW(HIT)]}),
        Page(items=(HIT,)),
    ),
    (
        lambda a: a.search(Search(""), listing()),
        Request("GET", "/v1/search", query=(("q", ""),)),
        answered(200, {"items": []}),
        Page(items=()),
    ),
    (
        lambda a: a.get_run_details("c", "m 1"),
        Request("GET", "/v1/conversations/c/messages/m%201/run-details"),
        answered(200, {"items": [ROW(STEP)]}),
        (STEP,),
    ),
    (
        lambda a: a.suggest_questions("c"),
        Request("GET", "/v1/conversations/c/suggested-questions", patient=True),
        answered(200, {"items": ["Why?", "When \ud800?"]}),
        ("Why?", "When \ud800?"),
    ),
    (
        lambda a: a.create_conversation(
            NewConversation(
                id="c/1",
                title="Tides",
                created_at=NOON,
                origin=Origin(store="elsewhere://", conversation_id="x"),
            )
        ),
        Request(
            "POST",
            "/v1/conversations",
            json={
                "id": "c/1",
                "title": "Tides",
                "created_at": "2026-11-21T12:00:00+00:00",
                "origin": {"store": "elsewhere://", "conversation_id": "x"},
            },
        ),
        answered(201, ROW(TIDES)),
        TIDES,
    ),
    (
        lambda a: a.put_conversation(TIDES),
        Request("PUT", "/v1/conversations/c%2F1", json=ROW(TIDES)),
        answered(204),
        None,
    ),
    (
        lambda a: a.fork_conversation("c", "m2", "new", ConversationChange(title=None)),
        Request(
            "POST",
            "/v1/conversations/c/fork",
            json={"message_id": "m2", "new_id": "new", "title": None},
        ),
        answered(201, ROW(TIDES)),
        TIDES,
    ),
    (
        lambda a: a.fork_conversation("c", "m2", None, ConversationChange()),
        Request("POST", "/v1/conversations/c/fork", json={"message_id": "m2"}),
        answered(201, ROW(TIDES)),
        TIDES,
    ),
    (
        lambda a: a.fork_conversation(
            "c", "m2", None, ConversationChange(owner=None, metadata={"a": None})
        ),
        Request(
            "POST",
            "/v1/conversations/c/fork",
            json={"message_id": "m2", "owner": None, "metadata": {"a": None}},
        ),
        answered(201, ROW(TIDES)),
        TIDES,
    ),
    (
        lambda a: a.append_messages("c", [ASKED], ANY),
        Request("POST", "/v1/conversations/c/messages", json={"messages": [ROW(ASKED)]}),
        answered(200, {"items": [ROW(ASKED)]}),
        (ASKED,),
    ),
    (
        lambda a: a.append_messages("c", [ASKED], None),
        Request(
            "POST", "/v1/conversations/c/messages", json={"messages": [ROW(ASKED)], "after": None}
        ),
        answered(200, {"items": [ROW(ASKED)]}),
        (ASKED,),
    ),
    (
        lambda a: a.replace_messages("c", [], None, ANY),
        Request("PUT", "/v1/conversations/c/messages", json={"messages": [], "after": None}),
        answered(200, {"items": []}),
        (),
    ),
    (
        lambda a: a.replace_messages("c", [], None, None),
        Request(
            "PUT",
            "/v1/conversations/c/messages",
            json={"messages": [], "after": None, "tip": None},
        ),
        answered(200, {"items": []}),
        (),
    ),
    (
        lambda a: a.replace_messages("c", [SAID], "m 1", "m2"),
        Request(
            "PUT",
            "/v1/conversations/c/messages",
            json={"messages": [ROW(SAID)], "after": "m 1", "tip": "m2"},
        ),
        answered(200, {"items": [ROW(SAID)]}),
        (SAID,),
    ),
    (
        lambda a: a.get_message("c", "m 1"),
        Request("GET", "/v1/conversations/c/messages/m%201"),
        answered(200, ROW(ASKED)),
        ASKED,
    ),
    (
        lambda a: a.update_message("c", ASKED, ANY),
        Request("PUT", "/v1/conversations/c/messages/m%201", json={"message": ROW(ASKED)}),
        answered(200, ROW(ASKED)),
        ASKED,
    ),
    (
        lambda a: a.update_message("c", ASKED, ASKED),
        Request(
            "PUT",
            "/v1/conversations/c/messages/m%201",
            json={"message": ROW(ASKED), "was": ROW(ASKED)},
        ),
        answered(200, ROW(ASKED)),
        ASKED,
    ),
    (
        lambda a: a.pop_message("c", "m 1"),
        Request("POST", "/v1/conversations/c/pop", json={"tip": "m 1"}),
        answered(200, {"message": ROW(ASKED)}),
        ASKED,
    ),
    (
        lambda a: a.pop_message("c", ANY),
        Request("POST", "/v1/conversations/c/pop", json={}),
        answered(200, {"message": None}),
        None,
    ),
    (
        lambda a: a.list_conversations(listing(start="c/1", reverse=True, owner="ann")),
        Request(
            "GET",
            "/v1/conversations",
            query=(("start", "c/1"), ("order", "oldest_first"), ("owner", "ann")),
        ),
        answered(200, {"items": []}),
        Page(items=()),
    ),
    (
        lambda a: a.list_messages("c", listing(start="m 1")),
        Request(
            "GET",
            "/v1/conversations/c/messages",
            query=(("start", "m 1"), ("order", "oldest_first")),
        ),
        answered(200, {"items": []}),
        Page(items=()),
    ),
    (
        lambda a: a.search(Search("a", owner=None), listing()),
        Request("GET", "/v1/search", query=(("q", "a"), ("without_owner", "true"))),
        answered(200, {"items": []}),
        Page(items=()),
    ),
    (
        lambda a: a.update_conversation("c", ConversationChange(title=None)),
        Request("PATCH", "/v1/conversations/c", json={"title": None}),
        answered(204),
        None,
    ),
    (
        lambda a: a.update_conversation("c", ConversationChange(pinned=False)),
        Request("PATCH", "/v1/conversations/c", json={"pinned": False}),
        answered(204),
        None,
    ),
    (
        lambda a: a.delete_conversation("c"),
        Request("DELETE", "/v1/conversations/c"),
        answered(204),
        None,
    ),
    (
        lambda a: a.delete_conversations(ConversationFilter(owner="ann", older_than=NOON)),
        Request(
            "DELETE",
            "/v1/conversations",
            query=(("older_than", "2026-11-21T12:00:00+00:00"), ("owner", "ann")),
        ),
        answered(200, {"deleted": 3}),
        3,
    ),
    (lambda a: a.clear_conversations(), Request("POST", "/v1/clear"), answered(204), None),
    (
        lambda a: a.delete_message("c", "m 1"),
        Request("DELETE", "/v1/conversations/c/messages/m%201"),
        answered(200, {"deleted": False}),
        False,
    ),
    (
        lambda a: a.delete_message("c", "m 1"),
        Request("DELETE", "/v1/conversations/c/messages/m%201"),
        answered(204),  # of a gateway that does not say
        None,
    ),
    (
        lambda a: a.set_feedback("c", "m", Feedback(rating="bad", comment="no")),
        Request(
            "PUT",
            "/v1/conversations/c/messages/m/feedback",
            json={"rating": "bad", "comment": "no"},
        ),
        answered(204),
        None,
    ),
    (
        lambda a: a.set_feedback("c", "m", None),
        Request("PUT", "/v1/conversations/c/messages/m/feedback"),
        answered(204),
        None,
    ),
    (
        lambda a: a.get_reply("c/1", "t?"),
        Request("GET", "/v1/conversations/c%2F1/replies/t%3F"),
        answered(200, ROW(REPLY)),
        REPLY,
    ),
]


@pytest.mark.parametrize(("operation", "request_", "answer", "result"), TRIPLES)
def test_an_operation_is_its_request_and_its_answer_is_the_result(
    operation, request_, answer, result
):
    requests, returned = carried_out(operation(adapter()), answer)
    assert requests == [request_]
    assert returned == result


def turn(content, **options):
    checked = adapter().ReplyOptions.model_validate(options)
    return Turn(conversation_id="c", turn_id="t", content=content, options=checked, begins=True)


STREAMS = [
    (
        lambda a: a.stream_reply(turn((TextPart(text="Hi"),), model="small", context=[{"a": 1}])),
        Request(
            "POST",
            "/v1/replies",
            json={
                "conversation_id": "c",
                "content": [{"kind": "text", "text": "Hi"}],
                "turn_id": "t",
                "options": {"model": "small", "context": [{"a": 1}]},
            },
            headers=EVENTS,
            patient=True,
        ),
        "t",
    ),
    (
        lambda a: a.stream_reply(turn((FilePart(name="a.png", url="https://files.test/a"),))),
        Request(
            "POST",
            "/v1/replies",
            json={
                "conversation_id": "c",
                "content": [{"kind": "file", "name": "a.png", "url": "https://files.test/a"}],
                "turn_id": "t",
            },
            headers=EVENTS,
            patient=True,
        ),
        "t",
    ),
    (
        lambda a: a.stream_answer(
            Answer(conversation_id="c", answer={"name": "Ada"}, options=a.ReplyOptions())
        ),
        Request(
            "POST",
            "/v1/answers",
            json={"conversation_id": "c", "answer": {"name": "Ada"}},
            headers=EVENTS,
            patient=True,
        ),
        None,
    ),
    (
        lambda a: a.resume_reply("c", "t/1"),
        Request("POST", "/v1/conversations/c/replies/t%2F1/resume", headers=EVENTS, patient=True),
        "t/1",
    ),
]


@pytest.mark.parametrize(("operation", "request_", "turn_id"), STREAMS)
def test_a_reply_is_asked_for_as_a_stream_of_events(operation, request_, turn_id):
    requests, stream = carried_out(operation(adapter()))
    assert requests == []
    assert stream.request == request_
    assert not stream.request.repeatable
    assert stream.turn_id == turn_id


def test_an_option_of_a_turn_that_is_no_json_is_refused_by_its_name():
    with pytest.raises(InvalidError, match="'model'"):
        carried_out(adapter().stream_reply(turn((TextPart(text="Hi"),), model=object())))


# Errors

PARTIAL = PartialReply(conversation_id="c", turn_id="t", parts=(TextPart(text="Wat"),))
ERRORS = [
    NotFoundError("there is no conversation 'c'"),
    ConflictError("another message is the last"),
    InvalidError("there is no field 'titel': did you mean 'title'?"),
    ForbiddenError("this token may only read"),
    UnsupportedError("memory does not offer reply"),
    RateLimitError("wait", retry_after=7.5),
    UnavailableError("out of reach"),
    UnavailableError("broken", retryable=False),
    ProtocolError("unreadable"),
    StoreError("it failed"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda each: type(each).__name__)
def test_an_error_is_of_its_class_again(error):
    error.partial = PARTIAL
    read = adapter().failure(Request("GET", "/v1/conversations/c"), told(error))
    assert type(read) is type(error)
    assert read.retryable is error.retryable
    assert getattr(read, "retry_after", None) == getattr(error, "retry_after", None)
    assert read.partial == PARTIAL
    assert read.detail == str(read) == problems.problem_of(error)["detail"]


def test_a_missing_token_says_where_to_put_it():
    advice = "a token is required: send the header Authorization: Bearer <token>"
    read = adapter().failure(Request("GET", "/v1"), told(AuthError(advice)))
    assert type(read) is AuthError
    assert read.detail == advice
    assert str(read) == "a token is required: pass token=…, or set CONVOSTORE_GATEWAY_TOKEN"


@pytest.mark.parametrize(
    "answer",
    [
        answered(404, {"message": "no such route"}),
        answered(404, media_type="text/plain"),
        answered(404, {"detail": "no"}, problems.MEDIA_TYPE),
        Response(404, {"content-type": "text/html"}, b"<html>"),
    ],
)
def test_a_404_of_another_program_is_no_absence(answer):
    read = adapter().failure(Request("DELETE", "/v1/conversations/c"), answer)
    assert type(read) is ProtocolError
    assert "check the base URL" in str(read)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (answered(502, media_type="text/plain"), UnavailableError),
        (answered(503, None, "text/html", **{"retry-after": "9"}), UnavailableError),
        (answered(401), AuthError),
        (answered(429, None, **{"retry-after": "3"}), RateLimitError),
        (answered(500, {"kind": []}, problems.MEDIA_TYPE), UnavailableError),
        (Response(400, {"content-type": problems.MEDIA_TYPE}, b'{"kind": "inv'), InvalidError),
        (Response(200, {"content-type": "text/html"}, b"<html>"), ProtocolError),
    ],
)
def test_what_a_balancer_answers_is_told_by_its_status(answer, error):
    assert type(adapter().failure(Request("GET", "/v1"), answer)) is error


@pytest.mark.parametrize(
    "answer", [answered(200, {"items": []}), answered(200, media_type="text/plain"), answered(204)]
)
def test_what_is_no_stream_where_one_was_asked_for_is_a_protocol_error(answer):
    requests = Request("POST", "/v1/replies", headers=EVENTS)
    assert type(adapter().failure(requests, answer)) is ProtocolError
    stream = Response(200, {"content-type": "text/event-stream; charset=utf-8"})
    assert adapter().failure(requests, stream) is None


@pytest.mark.parametrize("answer", [answered(200, {"message": "done"}), answered(200, None)])
def test_a_write_that_is_answered_as_by_another_program_is_not_taken_for_done(answer):
    for operation in (
        lambda a: a.delete_conversation("c"),
        lambda a: a.clear_conversations(),
        lambda a: a.put_conversation(TIDES),
    ):
        with pytest.raises(ProtocolError, match="base URL"):
            carried_out(operation(adapter()), answer)


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (lambda a: a.get_conversation("c"), {"id": 7}),
        (lambda a: a.get_conversation("c"), {"id": 7, "colour": "red"}),
        (lambda a: a.list_conversations(listing()), {"rows": []}),
        (lambda a: a.list_conversations(listing()), {"items": [], "cursor": 7}),
        (lambda a: a.list_messages("c", listing()), {"items": [{"id": "m", "role": "king"}]}),
        (lambda a: a.suggest_questions("c"), {"items": [7]}),
        (lambda a: a.delete_conversations(OLD), {"gone": 3}),
        (lambda a: a.delete_conversations(OLD), {"deleted": "x"}),
        (lambda a: a.delete_message("c", "m"), {"deleted": "x"}),
        (lambda a: a.pop_message("c", "m"), {"message": 7}),
        (lambda a: a.check(), []),
    ],
)
def test_an_answer_of_another_shape_is_a_protocol_error(operation, body):
    with pytest.raises(ProtocolError):
        carried_out(operation(adapter()), answered(200, body))


# What is served

INFO = {
    "label": "memory://",
    "version": "0.1.0",
    "offers": ["list_conversations", "get_conversation", "list_messages", "reply", "fly", "check"],
    "traits": {"paging": "whole", "order": "pinned_then_active", "colour": "red"},
    "max_page": 200,
    "reply_options": ["model", "context"],
}


def looked(info=INFO):
    made = adapter()
    requests, health = carried_out(made.check(), answered(200, info), answered(200, ROW(HEALTH)))
    assert [each.path for each in requests] == ["/v1", "/v1/check"]
    assert health == HEALTH
    return made


def test_everything_is_offered_and_nothing_promised_until_a_look():
    made = adapter()
    assert made.offers == frozenset(Operation)
    assert made.traits == Traits(
        paging="native",
        order="backend",
        updated_at="any",
        deletes="may_delete_turn",
        clears="may_clear_others",
        reports_absent=False,
        deleted_readable=True,
        max_page=None,
        starts=frozenset({"conversations", "messages"}),
        orders=frozenset({"oldest_first", "newest_first"}),
        filters=frozenset({"owner"}),
        keeps=frozenset(),
        changes=frozenset({"title", "pinned", "owner", "metadata"}),
    )


def test_a_look_narrows_what_is_offered_to_what_can_be_asked_for():
    made = looked()
    assert made.offers == {  # `reply` is asked for as a stream
        Operation.LIST_CONVERSATIONS,
        Operation.GET_CONVERSATION,
        Operation.LIST_MESSAGES,
        Operation.CHECK,
    }
    both = looked(INFO | {"offers": ["reply", "stream_reply"]})
    assert both.offers == {Operation.REPLY, Operation.STREAM_REPLY}
    assert type(made).offers == frozenset(Operation)


def test_a_look_tells_the_traits_of_the_store_behind_and_the_gateways_own_paging():
    assert looked().traits == Traits(paging="native", order="pinned_then_active", max_page=200)


def test_a_first_gateway_begins_no_list_at_an_id_though_its_store_returns_it_whole():
    traits = looked(INFO | {"traits": {"paging": "whole"}}).traits
    assert (traits.paging, traits.starts, traits.orders) == ("native", set(), {"newest_first"})


def test_a_gateway_begins_the_lists_at_an_id_that_its_store_returns_whole():
    row = schema.traits_json(Traits(paging="whole"))
    traits = looked(INFO | {"traits": row}).traits
    assert traits.paging == "native"
    assert traits.starts == {"conversations", "messages"}
    assert traits.orders == {"newest_first", "oldest_first"}


def test_a_look_tells_the_names_of_a_turns_options():
    made = looked()
    assert set(made.ReplyOptions.model_fields) == {"model", "context"}
    assert set(adapter().ReplyOptions.model_fields) == set()
    with convostore.open("gateway+http://gateway.test") as store:
        store._operations.adapter._learn(
            schema.read(schema.Info, INFO | {"offers": ["stream_reply"]})
        )
        assert store.reply_options == {"model", "context"}
        with pytest.raises(InvalidError, match="did you mean 'model'"):
            store.stream_reply(None, "Hi", modle="small")


def test_options_that_were_not_given_are_not_sent():
    made = looked()
    options = made.ReplyOptions.model_validate({"model": None})
    sent = Turn(conversation_id="c", turn_id="t", content=(), options=options)
    _, stream = carried_out(made.stream_reply(sent))
    assert stream.request.json["options"] == {"model": None}


@pytest.mark.parametrize(
    ("operation", "gone"),
    [
        ("search", {Operation.SEARCH}),
        ("stream_reply", {Operation.STREAM_REPLY, Operation.REPLY}),
        ("stream_answer", {Operation.STREAM_ANSWER, Operation.ANSWER}),
        ("fly", set()),
        ([], set()),
    ],
)
def test_what_is_refused_as_unsupported_is_offered_no_more(operation, gone):
    made = adapter()
    refusal = told(UnsupportedError("no"), operation=operation)
    read = made.failure(Request("GET", "/v1/search"), refusal)
    assert type(read) is UnsupportedError
    assert read.operation is None  # the store says what it was asked for
    assert made.offers == frozenset(Operation) - gone
    assert adapter().offers == frozenset(Operation)


# The address and the token

TOKEN = "a-token-of-sixteen-or-more"


def test_the_token_is_sent_as_a_bearer_and_shows_nowhere():
    made = adapter(token=TOKEN)
    assert made.authorization() == f"Bearer {TOKEN}"
    error = ProtocolError(f"it said {TOKEN}", excerpt=TOKEN)
    made.redact(error)
    assert TOKEN not in f"{error} {error.excerpt} {made.options!r} {made.label}"
    with convostore.open(f"gateway+http://gateway.test?token={TOKEN}") as store:
        assert TOKEN not in f"{store!r} {store.label}"


def test_the_token_is_found_in_the_environment(monkeypatch):
    monkeypatch.setenv("CONVOSTORE_GATEWAY_TOKEN", TOKEN)
    assert adapter().authorization() == f"Bearer {TOKEN}"
    assert adapter(token="another").authorization() == "Bearer another"


def test_a_user_of_the_address_is_sent_where_there_is_no_token():
    target = "gateway+http://ada:hush@gateway.test"
    assert open_adapter(target).authorization().startswith("Basic ")
    assert open_adapter(target, token=TOKEN).authorization() == f"Bearer {TOKEN}"


@pytest.mark.parametrize("token", ["two words", "naïve", "line\n"])
def test_a_token_that_no_header_can_hold_is_refused_without_being_shown(token):
    with pytest.raises(ConfigError, match="'token'") as caught:
        adapter(token=token)
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "base_url"),
    [
        ("gateway+http://gateway.test:8321", "http://gateway.test:8321"),
        ("gateway+http://gateway.test/archive/", "http://gateway.test/archive"),
        ("gateway+http://gateway.test/archive/v1", "http://gateway.test/archive"),
        ("gateway://gateway.test", "https://gateway.test"),
    ],
)
def test_the_address_may_have_a_prefix_and_name_the_version(target, base_url):
    made = open_adapter(target)
    assert made.base_url == base_url
    assert made.label.partition("://")[2] == base_url.partition("://")[2]


def test_a_name_in_the_address_tells_two_stores_of_one_gateway_apart():
    labels = {
        open_adapter(f"gateway+http://{name}@gateway.test", token=TOKEN).label
        for name in ("ada", "bob")
    }
    assert labels == {"gateway+http://ada@gateway.test", "gateway+http://bob@gateway.test"}


@pytest.mark.rim
def test_no_server_is_loaded_with_the_adapter():
    import subprocess
    import sys

    code = (
        "import sys, convostore; convostore.open('gateway+http://gateway.test').close();"
        "print(sorted({'starlette', 'uvicorn', 'httpx', 'nh3'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_contains_itself_is_refused():
    endless: dict[str, object] = {}
    endless["self"] = endless
    message = Message(role="user").trusted_copy(raw=endless)
    with pytest.raises(InvalidError, match="Circular"):
        adapter().append_messages("c", [message], None)


def test_what_a_store_notes_itself_is_not_sent():
    stored = Message(role="user", stored_at=datetime(2026, 1, 1, tzinfo=UTC))
    flow = adapter().append_messages("c", [stored], None)
    assert "stored_at" not in next(flow).json["messages"][0]
    flow = adapter().put_conversation(Conversation(id="c", revision="r"))
    assert "revision" not in next(flow).json


def test_a_gateway_of_the_first_version_is_sent_no_notes_of_a_mirror():
    origin = Origin(store="s", conversation_id="c", revision="r", metadata_keys=("k",))
    copy = Conversation(id="c", origin=origin)
    newer, older = adapter(), adapter()
    traits = schema.traits_json(Traits())
    for one, known in ((newer, traits), (older, {**traits, "keeps": None})):
        told = {name: value for name, value in known.items() if value is not None}
        info = schema.Info(label="l", version="0", offers=(), traits=told, max_page=9)
        one._learn(info)
    assert next(newer.put_conversation(copy)).json["origin"]["metadata_keys"] == ["k"]
    assert next(older.put_conversation(copy)).json["origin"].keys() == {"store", "conversation_id"}
