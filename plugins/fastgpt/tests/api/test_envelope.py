"""Each refusal of the service becomes the error that says what to do next, in every generation."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from tests.support.cases import for_each

import convostore
from convostore.config import open_adapter
from convostore.errors import (
    AuthError,
    ConflictError,
    InvalidError,
    NotFoundError,
    ProtocolError,
    RateLimitError,
    StoreError,
    UnavailableError,
    UnsupportedError,
)
from convostore.http import Request, Response
from convostore.store import AsyncConversationStore
from convostore.testing import Backend, StoreFace, both_faces, raises

from ..support.service import (
    APP,
    FOREIGN_APP,
    GENERATIONS,
    HTML_TYPE,
    JSON_TYPE,
    KEY,
    OPTIONS,
    PAGE,
    ROOT,
    FastGPTService,
)

ASKED = Request("POST", f"{ROOT}history/getHistories", json={"appId": APP}, idempotent=True)


@dataclass(frozen=True)
class Row:
    """A row of the contract's table.

    Attributes:
        statuses: Over HTTP, before 4.14.11 and since.
        kind: The error that it stands for.
        told: What the message must say.
    """

    code: int
    status_text: str
    message: str
    statuses: tuple[int, int]
    kind: type[StoreError]
    told: Sequence[str] = ()
    retryable: bool = False
    more: dict[str, object] = field(default_factory=dict)

    def response(self, status: int, said: str = "", **headers: str) -> Response:
        body = {"code": self.code, "statusText": self.status_text, "message": self.message + said}
        content = json.dumps(body | {"data": None} | self.more).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Response(status, JSON_TYPE | named, content)


def zod(*path: str | int, message: str) -> dict[str, object]:
    return {"zodError": [{"code": "invalid_type", "path": list(path), "message": message}]}


UN_AUTH = "common:code_error.error_message.403"
CAST = 'Cast to ObjectId failed for value "xyz" (type string) at path "appId" for model "chat"'
EXPECTED = "Invalid input: expected string, received undefined"
ACCOUNT_KEY = "Key is error. You need to use the app key rather than the account key."

TABLE = {
    "no authorization": Row(
        403, "unAuthorization", UN_AUTH, (500, 403), AuthError, ["403", "api_key"]
    ),
    "bad key": Row(514, "unAuthApiKey", "514", (500, 500), AuthError, ["514", "api_key"]),
    "no permission": Row(502001, "unAuthApp", "no", (500, 500), AuthError, ["app", "permission"]),
    "no such app": Row(502000, "appUnExist", "no", (500, 500), NotFoundError, ["app_id"]),
    "another's chat": Row(504000, "unAuthChat", "no", (500, 500), AuthError, ["api_key"]),
    "another right": Row(501001, "unAuthDataset", "no", (500, 500), AuthError, ["unAuthDataset"]),
    "generating": Row(504001, "chatIsGenerating", "", (500, 500), ConflictError, ["again"], True),
    "bad share link": Row(501, "linkUnInvalid", "", (500, 500), AuthError, ["share_id"]),
    "a gateway's": Row(501, "notSupported", "no", (501, 501), UnsupportedError, ["notSupported"]),
    "no page size": Row(507004, "missingParams", "no", (500, 500), InvalidError, ["missingParams"]),
    "validation": Row(
        400,
        "error",
        "Data validation error",
        (500, 400),
        InvalidError,
        ["Data validation error", "chatId", EXPECTED],
        more=zod("chatId", message=EXPECTED),
    ),
    "validation within": Row(
        400,
        "error",
        "Data validation error",
        (500, 400),
        InvalidError,
        ["chatIds", "0"],
        more=zod("chatIds", 0, message=EXPECTED),
    ),
    "rate limit": Row(
        429,
        "error",
        "Request too frequent",
        (500, 429),
        RateLimitError,
        ["Request too frequent"],
        True,
        {"errorType": "UserError"},
    ),
    "too large": Row(413, "error", "too large", (500, 413), InvalidError),
    "no such thing": Row(404, "error", "not found", (500, 404), NotFoundError),
    "out of order": Row(503, "error", "later", (500, 503), UnavailableError, ["later"], True),
    "old validation": Row(500, "", CAST, (500, 500), InvalidError, ["app_id"]),
    "no such record": Row(500, "error", "Chat item not found", (500, 500), NotFoundError),
    "account key": Row(500, "error", ACCOUNT_KEY, (500, 500), AuthError, ["api_key"]),
    "no message": Row(500, "error", "messages is empty", (500, 500), InvalidError, ["text"]),
    "no app at all": Row(500, "", "app is empty", (500, 500), NotFoundError, ["app_id"]),
    "thrown text": Row(500, "error", "it broke", (500, 500), UnavailableError, ["it broke"]),
    "taken data id": Row(
        500, "error", "Chat dataId already exists: x", (500, 500), ConflictError, ["get_reply"]
    ),
    "unnamed error": Row(500, "", "", (500, 500), UnavailableError),
    "unknown code": Row(599999, "newThing", "what", (500, 500), UnavailableError, ["newThing"]),
}

NO_JSON = Response(400, {"content-type": "text/plain"}, b"Invalid JSON")
NO_ROUTE = Response(404, HTML_TYPE, PAGE)


def failure(response: Response) -> StoreError | None:
    return open_adapter("fastgpt+http://chat.test", **OPTIONS).failure(ASKED, response)


@for_each("status", ["before 4.14.11", "since 4.14.11", "200"])
@for_each("row", TABLE.values())
def test_the_bodys_code_says_which_error_it_is_whatever_the_http_status(row, status):
    statuses = dict(zip(("before 4.14.11", "since 4.14.11"), row.statuses, strict=True))
    error = failure(row.response(statuses.get(status, 200)))
    assert isinstance(error, row.kind)
    assert error.retryable is row.retryable
    for words in (*row.told, f"POST {ASKED.path}"):
        assert words in str(error)
    assert error.detail == (row.message or None)


@for_each(
    "response, kind, told",
    [
        (NO_JSON, InvalidError, "400"),
        (NO_ROUTE, ProtocolError, "base URL"),
        (Response(502, HTML_TYPE, b"<html>bad gateway</html>"), UnavailableError, "502"),
        (Response(503, {}, b""), UnavailableError, "503"),
        (Response(500, JSON_TYPE, b"not json"), UnavailableError, "500"),
        (Response(401, {}, b""), AuthError, "credential"),
        (Response(429, {"retry-after": "7"}, b""), RateLimitError, "429"),
    ],
)
def test_what_is_not_in_the_envelope_is_read_by_its_http_status(response, kind, told):
    error = failure(response)
    assert isinstance(error, kind)
    assert told in str(error)


@for_each(
    "body",
    [
        b'{"code":200,"statusText":"","message":"","data":null}',
        b' {\n "code" : 200, "data": [] }',
        b'{"data":{},"code":200}',
        b'{"data":{"code":403},"code":200}',
    ],
)
def test_a_success_is_no_error_however_it_is_written(body):
    assert failure(Response(200, JSON_TYPE, body)) is None


@for_each("body", [b"{}", b"[]", b'{"code":200}', b"not json", b""])
def test_a_result_without_data_is_not_this_services(body):
    error = failure(Response(200, JSON_TYPE, body))
    assert isinstance(error, ProtocolError)
    assert error.excerpt == body.decode()


@for_each("version", ["v1", "v2"])
def test_a_completion_comes_without_the_envelope(version):
    adapter = open_adapter("fastgpt+http://chat.test", **OPTIONS)
    request = Request("POST", f"/api/{version}/chat/completions", json={})
    assert adapter.failure(request, Response(200, JSON_TYPE, b'{"choices":[]}')) is None


def test_a_refusal_is_one_wherever_its_code_stands():
    body = b'{"data":null,"code":403,"statusText":"unAuthorization","message":""}'
    assert isinstance(failure(Response(200, JSON_TYPE, body)), AuthError)


@for_each("status", [200, 500])
def test_a_rate_limit_says_how_long_to_wait(status):
    error = failure(TABLE["rate limit"].response(status, retry_after="7"))
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 7


@for_each(
    "complaints",
    [None, "text", {}, [None, 1, "x"], [{}], [{"path": "x", "message": None}], [{"path": [None]}]],
)
def test_complaints_in_another_shape_do_no_harm(complaints):
    row = Row(400, "error", "no", (400, 400), InvalidError, more={"zodError": complaints})
    assert isinstance(failure(row.response(400)), InvalidError)


@for_each("code", [None, "403", True, 1.5, [], 10**400, -1])
def test_a_code_that_is_none_leaves_the_status_to_decide(code):
    body = json.dumps({"code": code, "message": "no", "data": None}).encode()
    assert isinstance(failure(Response(403, JSON_TYPE, body)), StoreError)


def test_long_words_of_the_service_are_shortened():
    row = Row(500, "error", "x" * 10_000, (500, 500), UnavailableError)
    assert len(str(failure(row.response(500)))) < 1000


# Through the store


def open_on(face: StoreFace, respond: Callable[[Request], Response]) -> AsyncConversationStore:
    """Open a store whose service is a function."""
    return face.open("fastgpt+http://chat.test", service=respond, retries=0, **OPTIONS)


def all_text(error: BaseException | None) -> str:
    if error is None:
        return ""
    shown = f"{error} {error!r} {vars(error)}"
    return shown + all_text(error.__cause__) + all_text(error.__context__)


@for_each("row", TABLE.values())
@both_faces
async def test_a_store_raises_it_and_names_the_operation(row, face):
    store = open_on(face, lambda _: row.response(row.statuses[0]))
    with raises(row.kind) as caught:
        await store.list_conversations()
    error = caught.error
    assert (error.operation, error.adapter) == ("list_conversations", "fastgpt")
    assert error.retryable is row.retryable
    for words in row.told:
        assert words in str(error)


@for_each("of", ["bad key", "validation", "rate limit", "thrown text"])
@both_faces
async def test_a_key_that_the_service_repeats_is_not_shown(of, face):
    row = TABLE[of]

    store = open_on(face, lambda _: row.response(row.statuses[1], f" {KEY}"))
    with raises(row.kind) as caught:
        await store.list_conversations()
    assert "***" in str(caught.error)
    assert KEY not in all_text(caught.error)


OPERATIONS: dict[str, Callable] = {
    "list_conversations": lambda store: store.list_conversations(),
    "get_conversation": lambda store: store.get_conversation("c"),
    "list_messages": lambda store: store.list_messages("c"),
    "update_conversation": lambda store: store.update_conversation("c", title="t"),
    "delete_conversation": lambda store: store.delete_conversation("c"),
    "clear_conversations": lambda store: store.clear_conversations(),
    "delete_message": lambda store: store.delete_message("c", "id.data"),
    "set_feedback": lambda store: store.set_feedback("c", "id.data", None),
    "get_run_details": lambda store: store.get_run_details("c", "id.data"),
    "check": lambda store: store.check(),
}


@for_each("name", OPERATIONS)
@for_each("of", ["bad key", "no authorization", "no permission"])
@both_faces
async def test_every_operation_says_that_the_credential_is_refused(of, name, face):
    row = TABLE[of]

    store = open_on(face, lambda _: row.response(200))
    with raises(AuthError) as caught:
        await OPERATIONS[name](store)
    assert caught.error.operation == name


@for_each("name", OPERATIONS)
@both_faces
async def test_where_every_path_is_absent_the_base_url_is_to_be_checked(name, face):
    store = open_on(face, lambda _: NO_ROUTE)
    with raises(ProtocolError) as caught:
        await OPERATIONS[name](store)
    assert "base URL" in str(caught.error)
    assert caught.error.excerpt.startswith("<!DOCTYPE")


@for_each("name", OPERATIONS)
@both_faces
async def test_an_answer_that_is_not_the_services_is_a_protocol_error(name, face):
    store = open_on(face, lambda _: Response(200, JSON_TYPE, b'{"chats": []}'))
    with raises(ProtocolError) as caught:
        await OPERATIONS[name](store)
    assert "base URL" in str(caught.error)


# As the generations refuse


@for_each("generation", GENERATIONS)
@for_each("header, told", [(None, "403"), (KEY, "403"), ("Bearer fastgpt-other", "514")])
def test_a_key_that_is_missing_or_wrong_is_an_auth_error(generation, header, told):
    service = FastGPTService(generation).as_seen_with(header)
    store = Backend("fastgpt+http://chat.test", service=service, options=dict(OPTIONS)).open()
    for call in OPERATIONS.values():
        with pytest.raises(AuthError, match=told):
            call(store)


@for_each("generation", GENERATIONS)
@for_each(
    "app_id, kind",
    [(FOREIGN_APP, AuthError), ("65f000000000000000000999", NotFoundError), ("x", InvalidError)],
)
def test_a_wrong_app_id_is_named(generation, app_id, kind):
    service = FastGPTService(generation)
    store = convostore_of(service, app_id=app_id)
    with pytest.raises(kind, match="app"):
        store.set_feedback("c", "id.data", None)
    with pytest.raises(kind, match="app"):
        store.get_run_details("c", "id.data")


def convostore_of(service: FastGPTService, **options: object) -> convostore.ConversationStore:
    return Backend(
        "fastgpt+http://chat.test", service=service.handle, options=OPTIONS | options
    ).open()


@for_each("generation", ["4.16"])
def test_feedback_on_what_is_no_answer_is_not_found_where_the_service_tells(generation):
    service = FastGPTService(generation)
    service.insert("c")
    question = service.append("c", "user", "hi")
    with pytest.raises(NotFoundError, match="Chat item not found"):
        convostore_of(service).set_feedback(
            "c",
            f"{question['_id']}.{question['dataId']}",
            convostore.Feedback(rating="good"),
        )


@for_each("generation", GENERATIONS)
def test_the_chat_of_somebody_else_is_refused_and_not_absent(generation):
    service = FastGPTService(generation)
    service.insert("somebody's", owner="somebody")
    with pytest.raises(AuthError, match="504000"):
        convostore_of(service).list_messages("somebody's")


@both_faces
async def test_a_delete_in_an_app_that_does_not_exist_is_not_done(face):
    absent = next(row for row in TABLE.values() if row.code == 502000)
    store = open_on(face, lambda _: absent.response(500))
    for call in (store.delete_conversation("c1"), store.delete_message("c1", "1.d-1")):
        with raises(InvalidError) as caught:
            await call
        assert "app_id" in str(caught.error)
