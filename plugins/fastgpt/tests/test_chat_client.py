"""The documented client: its interface, and its uses on recordings and on the stand-in, both faces.

Everything goes over real connections, as what is promised is what the HTTP client itself gives.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpcore
import httpx
import pytest
from tests.support.cases import for_each
from tests.support.faces import PlainClient, finish

import convostore
from convostore.errors import ConfigError
from convostore.http import Request, Response
from convostore.http._client import install_backend
from convostore.testing.clock import AutojumpClock
from convostore.testing.loopback import LoopbackServer, serve
from convostore.testing.wire_faults.server import Fault, FaultServer
from convostore_fastgpt import AsyncChatClient, ChatClient

from .support.recordings import VERSIONS, Exchange, all_exchanges, exchange_of, exchanges_of, lacks
from .support.service import APP, FOREIGN_APP, GENERATIONS, KEY, FastGPTService

pytestmark = pytest.mark.rim

NEEDED = inspect.Parameter.empty
DOCUMENTED: dict[str, dict[str, Any]] = {
    "create_chat_completion": {
        "messages": NEEDED,
        "stream": False,
        "chatId": None,
        "detail": False,
        "variables": None,
        "responseChatItemId": None,
    },
    "get_chat_histories": {"appId": NEEDED, "offset": 0, "pageSize": 20, "source": "api"},
    "get_chat_init": {"appId": NEEDED, "chatId": NEEDED},
    "get_chat_records": {
        "appId": NEEDED,
        "chatId": NEEDED,
        "offset": 0,
        "pageSize": 10,
        "loadCustomFeedbacks": False,
    },
    "get_record_detail": {"appId": NEEDED, "chatId": NEEDED, "dataId": NEEDED},
    "update_chat_history": {"appId": NEEDED, "chatId": NEEDED, "customTitle": None, "top": None},
    "delete_chat_history": {"appId": NEEDED, "chatId": NEEDED},
    "clear_chat_histories": {"appId": NEEDED},
    "delete_chat_record": {"appId": NEEDED, "chatId": NEEDED, "contentId": NEEDED},
    "send_feedback": {
        "appId": NEEDED,
        "chatId": NEEDED,
        "dataId": NEEDED,
        "userGoodFeedback": None,
        "userBadFeedback": None,
    },
    "get_suggested_questions": {"appId": NEEDED, "chatId": NEEDED, "questionGuide": None},
}
"""The document's methods with their parameters and defaults, in its order."""


class GoingBy:
    """A network backend that waits by a clock, and says what it misses as httpx wants it."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def connect_tcp(self, *args: Any, **options: Any) -> Any:
        stream = self._backend.connect_tcp(*args, **options)
        read = stream.read

        def read_in_time(max_bytes: int, timeout: float | None = None) -> bytes:
            try:
                return read(max_bytes, timeout)
            except TimeoutError as error:
                raise httpcore.ReadTimeout from error

        stream.read = read_in_time
        return stream


class Client(PlainClient):
    """The documented client."""

    def __init__(self, face: str, url: str, key: str = KEY, **options: Any) -> None:
        kind = {"sync": ChatClient, "async": AsyncChatClient}[face]
        super().__init__(face, kind(api_key=key, base_url=url, **options))

    def go_by(self, kept: AutojumpClock) -> None:
        """Makes the client wait by a clock, as stores do by themselves."""
        ways = {"sync": lambda inner: GoingBy(kept.backend(inner)), "async": kept.async_backend}
        install_backend(self.client._http._client, ways[self.face.name])

    def lines(self, response: httpx.Response) -> list[str]:
        if self.face.name == "async":
            return self.face.run(response.aiter_lines())
        return list(response.iter_lines())

    def close(self, response: httpx.Response) -> None:
        finish(self.face, response.aclose() if self.face.name == "async" else response.close())


@pytest.fixture
def client(face):
    """Make a client of one face: each test that takes it runs on both."""
    return partial(Client, face)


def answering(service: FastGPTService) -> LoopbackServer:
    """Return the stand-in on a server, which looks at the key that is sent."""
    return serve(
        lambda request: service.as_seen_with(dict(request.headers).get("authorization"))(request)
    )


def with_a_chat(generation: str) -> FastGPTService:
    """Return the stand-in with one conversation of two records."""
    service = FastGPTService(generation)
    service.insert("c1", title="a title")
    service.append("c1", "user", "hi")
    service.append("c1", "assistant", "hello")
    return service


def data_of(response: httpx.Response) -> Any:
    assert response.status_code == 200
    return response.json()["data"]


def test_names_parameters_and_defaults_are_the_documents():
    for kind in (ChatClient, AsyncChatClient):
        methods = inspect.getmembers(kind, inspect.isfunction)
        public = {name for name, _ in methods if not name.startswith("_")}
        assert public - {"close", "aclose"} == set(DOCUMENTED)
        for name, parameters in DOCUMENTED.items():
            signature = inspect.signature(getattr(kind, name))
            found = {
                parameter.name: parameter.default for parameter in signature.parameters.values()
            }
            assert list(found.items()) == [("self", NEEDED), *parameters.items()], name
            kinds = {parameter.kind for parameter in signature.parameters.values()}
            assert kinds == {inspect.Parameter.POSITIONAL_OR_KEYWORD}
            assert inspect.getdoc(getattr(kind, name))


# On recordings: what is sent was sent to a real server, and what that answered is given back.


def recorded(version: str, request: Request) -> list[Exchange]:
    """Return the exchanges of a version in which this was asked, wherever the parameters stood.

    Of an update the method does not count: 4.9.14 was asked by another one, and looks at none.
    """
    asked = dict(request.query) | (request.json if isinstance(request.json, dict) else {})
    methods = {request.method} | ({"PUT"} if request.path.endswith("updateHistory") else set())
    return [
        exchange
        for exchange in all_exchanges()
        if (exchange.version, exchange.path, exchange.params) == (version, request.path, asked)
        and exchange.method in methods
    ]


@contextmanager
def recordings(version: str) -> Iterator[str]:
    """Yield a server that answers as one of a version did, and only what that was asked."""

    def answer(request: Request) -> Response:
        if lacks(version, request.path):
            return exchange_of(f"{version}/unknown_route#1").response
        found = recorded(version, request)
        assert found, f"{request} was not recorded"
        return next((item for item in found if item.status == 200), found[0]).response

    server = serve(answer)
    with server as url:
        yield url
    assert server.errors == []


def completion(case: str, **more: object) -> tuple[str, dict[str, Any]]:
    fields = {
        "messages": [{"role": "user", "content": "hello"}],
        "chatId": case,
        "variables": {"uid": "u-1", "name": "张三"},
        "responseChatItemId": f"resp-{case}-1",
    }
    return "create_chat_completion", fields | more


SEED = {"appId": APP, "chatId": "seed-1"}
GUIDE = {
    "open": True,
    "model": "stub-llm",
    "customPrompt": "You are a question maker; output an array",
}
ON_RECORDINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "v1_completions_stream-false_detail-false": completion(
        "v1_completions_stream-false_detail-false"
    ),
    "v1_completions_stream-false_detail-true": completion(
        "v1_completions_stream-false_detail-true", detail=True
    ),
    "history_getHistories": ("get_chat_histories", {"appId": APP}),
    "chat_init": ("get_chat_init", SEED),
    "record_getPaginationRecords": (
        "get_chat_records",
        SEED | {"pageSize": 20, "loadCustomFeedbacks": True},
    ),
    "record_getResData": ("get_record_detail", SEED | {"dataId": "d-2"}),
    "history_updateHistory": ("update_chat_history", SEED | {"customTitle": "自定义标题"}),
    "history_updateHistory#pin": ("update_chat_history", SEED | {"top": True}),
    "history_delete": ("delete_chat_history", {"appId": APP, "chatId": "nope"}),
    "history_delete#clear": ("clear_chat_histories", {"appId": APP}),
    "record_delete": ("delete_chat_record", SEED | {"contentId": "nope"}),
    "feedback_updateUserFeedback": (
        "send_feedback",
        SEED | {"dataId": "d-6", "userGoodFeedback": "Great answer!"},
    ),
    "feedback_updateUserFeedback#none": ("send_feedback", SEED | {"dataId": "d-6"}),
    "createQuestionGuide_v2": ("get_suggested_questions", SEED),
    "createQuestionGuide_v2#guide": ("get_suggested_questions", SEED | {"questionGuide": GUIDE}),
}
"""By case, what is called."""


def test_every_documented_method_is_called_on_recordings():
    assert {method for method, _ in ON_RECORDINGS.values()} == set(DOCUMENTED)


@for_each("case", ON_RECORDINGS)
@for_each("version", VERSIONS)
def test_a_call_gives_what_a_real_server_answered_to_it(version, case, client):
    method, arguments = ON_RECORDINGS[case]
    with recordings(version) as url, client(url) as chat:
        response = getattr(chat, method)(**arguments)
    assert isinstance(response, httpx.Response)
    assert response.status_code == 200
    kin = exchanges_of(f"{version}/{case.partition('#')[0]}")
    assert response.content in {item.content for item in kin}


@for_each("case", ["history_getHistories", "record_getPaginationRecords"])
@for_each("version", VERSIONS)
def test_arguments_may_be_given_by_place(version, case, client):
    method, arguments = ON_RECORDINGS[case]
    known = DOCUMENTED[method] | arguments
    with recordings(version) as url, client(url) as chat:
        by_place = getattr(chat, method)(*known.values())
        assert by_place.content == getattr(chat, method)(**arguments).content


@for_each("detail", [False, True])
@for_each("version", VERSIONS)
def test_a_stream_is_left_to_be_read_and_closed(version, detail, client):
    case = f"v1_completions_stream-true_detail-{str(detail).lower()}"
    method, arguments = completion(case, stream=True, detail=detail)
    with recordings(version) as url, client(url) as chat:
        response = getattr(chat, method)(**arguments)
        assert response.status_code == 200
        assert not response.is_stream_consumed
        assert not response.is_closed
        lines = chat.lines(response)
        chat.close(response)
        assert response.is_closed
    assert lines == exchange_of(f"{version}/{case}#0").content.decode().splitlines()
    assert "data: [DONE]" in lines


@for_each("version", VERSIONS)
def test_a_stream_that_is_closed_before_its_end_leaves_the_client_usable(version, client):
    case = "v1_completions_stream-true_detail-false"
    method, arguments = completion(case, stream=True)
    with recordings(version) as url, client(url) as chat:
        chat.close(getattr(chat, method)(**arguments))
        assert chat.get_chat_histories(APP).status_code == 200


# The uses that the document shows.


def saying(content: str, asked: list[Request]) -> LoopbackServer:
    """Return a server whose app says the same to everything, in a recorded answer's shape."""
    exchange = exchange_of("v4.16.0/v1_completions_stream-false_detail-false#0")
    recorded_answer = json.loads(exchange.content)
    recorded_answer["choices"][0]["message"]["content"] = content

    def answer(request: Request) -> Response:
        asked.append(request)
        headers = {"content-type": "application/json"}
        return Response(200, headers, json.dumps(recorded_answer).encode())

    return serve(answer)


def test_a_program_completes_a_dialogue_and_prints_the_answer(client, capsys):
    dialogue = [
        {"role": "user", "content": "Which planet is the largest?"},
        {"role": "assistant", "content": "Jupiter."},
        {"role": "user", "content": "And the smallest?"},
    ]
    asked: list[Request] = []
    with saying("Mercury.", asked) as url, client(url) as chat:
        response = chat.create_chat_completion(messages=dialogue, stream=False)
        response.raise_for_status()
        result = response.json()
        print(result["choices"][0]["message"]["content"])
    assert capsys.readouterr().out == "Mercury.\n"
    (request,) = asked
    assert (request.method, request.path) == ("POST", "/api/v1/chat/completions")
    assert request.json == {"messages": dialogue, "stream": False, "detail": False}
    assert dict(request.headers)["authorization"] == f"Bearer {KEY}"


@for_each("version", VERSIONS)
def test_a_program_lists_histories_and_prints_titles_and_ids(version, client, capsys):
    with recordings(version) as url, client(url) as chat:
        response = chat.get_chat_histories(appId=APP, offset=0, pageSize=20, source="api")
        data = response.json()
        for item in data["data"]["list"]:
            print(item["title"], item["chatId"])
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "title 3 seed-3"
    assert len(printed) == len(exchange_of(f"{version}/history_getHistories#0").rows)


@for_each("generation", GENERATIONS)
def test_a_program_likes_and_dislikes_an_answer(generation, client):
    service = with_a_chat(generation)
    record = service.chats["c1"].records[1]
    named = {"appId": APP, "chatId": "c1", "dataId": record["dataId"]}
    with answering(service) as url, client(url) as chat:
        assert chat.send_feedback(**named, userGoodFeedback="Great answer!").is_success
        assert record["userGoodFeedback"] == "Great answer!"
        assert chat.send_feedback(**named, userBadFeedback="Not helpful").is_success
        assert "userGoodFeedback" not in record
        assert record["userBadFeedback"] == "Not helpful"
        assert chat.send_feedback(**named).is_success
        assert not record.keys() & {"userGoodFeedback", "userBadFeedback"}


# Generations, found out by the answers.


@for_each("generation", GENERATIONS)
def test_a_conversation_is_read_changed_and_deleted_in_every_generation(generation, client):
    service = with_a_chat(generation)
    named = {"appId": APP, "chatId": "c1"}
    with answering(service) as url, client(url) as chat:
        chat.update_chat_history(**named, customTitle="by hand", top=True)
        (row,) = data_of(chat.get_chat_histories(APP))["list"]
        assert (row["chatId"], row["customTitle"], row["top"]) == ("c1", "by hand", True)
        assert data_of(chat.get_chat_init(**named))["title"] == "by hand"
        records = data_of(chat.get_chat_records(**named))["list"]
        assert [each["obj"] for each in records] == ["Human", "AI"]
        answer = records[1]["dataId"]
        (node,) = data_of(chat.get_record_detail(**named, dataId=answer))
        assert node["moduleName"] == "AI chat"
        asked = data_of(chat.get_suggested_questions(**named))
        assert asked == ["What of 'hi'?", "What of 'hello'?"]
        assert data_of(chat.delete_chat_record(**named, contentId=answer)) is None
        left = data_of(chat.get_chat_records(**named))["list"]
        assert answer not in {each["dataId"] for each in left}
        assert data_of(chat.delete_chat_history(**named)) is None
        assert data_of(chat.get_chat_histories(APP))["total"] == 0
        service.insert("c2")
        assert data_of(chat.clear_chat_histories(APP)) is None
        assert service.shown() == []


def test_an_older_server_is_asked_for_the_later_path_once(client):
    service = with_a_chat("4.9")
    with answering(service) as url, client(url) as chat:
        for _ in range(2):
            assert chat.get_chat_histories(APP).status_code == 200
        assert chat.get_chat_records(APP, "c1").status_code == 200
    asked = [request.path.removeprefix("/api/core/chat/") for request, _ in service.exchanges]
    assert asked == ["history/getHistories", "getHistories", "getHistories", "getPaginationRecords"]


def test_where_no_path_is_there_the_page_that_says_so_is_given(client):
    page = exchange_of("v4.9.14/unknown_route#1")
    server = serve(lambda _: page.response)
    with server as url, client(url) as chat:
        for method, stream in (("get_chat_histories", {}), ("get_chat_init", {"chatId": "c1"})):
            response = getattr(chat, method)(APP, **stream)
            assert response.status_code == 404
            assert response.content == page.content
        streamed = chat.create_chat_completion([], stream=True)
        assert streamed.status_code == 404
        chat.close(streamed)


def test_what_was_absent_is_looked_for_again(client):
    service = with_a_chat("4.16")
    away = [True, True]

    def answer(request: Request) -> Response:
        page = exchange_of("v4.9.14/unknown_route#1").response
        return page if away and away.pop() else service.handle(request)

    with serve(answer) as url, client(url) as chat:
        assert chat.get_chat_histories(APP).status_code == 404
        assert chat.get_chat_histories(APP).status_code == 200


# Nothing is read into an answer.


def test_a_value_that_the_service_refuses_is_its_answer_and_no_exception(client):
    service = with_a_chat("4.16")
    with answering(service) as url, client(url) as chat:
        unknown = chat.get_chat_histories(APP, source="nowhere")
        assert (unknown.status_code, unknown.json()["code"]) == (400, 400)
        without = chat.get_chat_histories(APP, pageSize=0)
        assert (without.status_code, without.json()["code"]) == (500, 507004)
        foreign = chat.delete_chat_history(FOREIGN_APP, "c1")
        assert foreign.json()["statusText"] == "unAuthApp"


def test_a_key_that_is_not_accepted_is_an_answer_and_no_exception(client):
    with answering(with_a_chat("4.9")) as url, client(url, "fastgpt-another") as chat:
        response = chat.get_chat_histories(APP)
        assert (response.status_code, response.json()["code"]) == (500, 514)


def test_a_broken_server_is_asked_once_and_its_answer_given(client):
    server = serve(lambda _: Response(503, {"retry-after": "0"}, b"busy"))
    with server as url, client(url) as chat:
        response = chat.get_chat_histories(APP)
        assert (response.status_code, response.text) == (503, "busy")
    assert server.requests == 1


def test_a_redirect_is_given_and_not_followed(client):
    server = serve(lambda _: Response(302, {"location": "http://elsewhere.test/"}, b""))
    with server as url, client(url) as chat:
        assert chat.get_chat_init(APP, "c1").status_code == 302
    assert server.requests == 1


def test_without_a_connection_the_http_clients_own_error_is_raised(client):
    with serve(lambda _: Response(200)) as url:
        pass
    with client(url) as chat, pytest.raises(httpx.ConnectError):
        chat.get_chat_histories(APP)


STALLED = Fault("stalled", then="stall")


@for_each(
    "options, method, arguments",
    [
        ({"timeout": 5.0}, "get_chat_histories", (APP,)),
        ({"reply_timeout": 5.0}, "create_chat_completion", ([],)),
        ({"reply_timeout": 5.0}, "get_suggested_questions", (APP, "c1")),
    ],
)
def test_a_model_has_a_time_out_of_its_own(options, method, arguments, client):
    with (
        AutojumpClock().installed() as kept,
        FaultServer(STALLED) as url,
        client(url, **options) as chat,
    ):
        chat.go_by(kept)
        with pytest.raises(httpx.ReadTimeout):
            getattr(chat, method)(*arguments)
        assert 0 < kept.ahead <= 5.0


# What is sent.


def sent_by(use, service: FastGPTService) -> dict[str, Any]:
    """Return the last request that a use makes."""
    with answering(service) as url:
        use(url)
    request = service.exchanges[-1][0]
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "json": request.json,
    }


AS_THE_STORE = {
    "list_conversations": ("get_chat_histories", {"limit": 20}, {}),
    "list_messages": (
        "get_chat_records",
        {"limit": 10, "order": "newest_first"},
        {"loadCustomFeedbacks": True},
    ),
    "get_run_details": ("get_record_detail", {"message_id": "1.d2"}, {"dataId": "d2"}),
    "update_conversation": (
        "update_chat_history",
        {"title": "by hand", "pinned": False},
        {"customTitle": "by hand", "top": False},
    ),
    "delete_conversation": ("delete_chat_history", {}, {}),
    "clear_conversations": ("clear_chat_histories", {}, {}),
    "delete_message": ("delete_chat_record", {"message_id": "1.d2"}, {"contentId": "d2"}),
    "set_feedback": (
        "send_feedback",
        {
            "message_id": "1.d00000000000000000000002",
            "feedback": convostore.Feedback(rating="bad", comment="no"),
        },
        {"dataId": "d00000000000000000000002", "userBadFeedback": "no"},
    ),
    "suggest_questions": ("get_suggested_questions", {}, {}),
}
"""By operation of a store, the method, and the arguments of both beside the conversation."""


@for_each("operation", AS_THE_STORE)
@for_each("generation", GENERATIONS)
def test_a_call_sends_what_the_store_sends(generation, operation, client):
    method, asked_of_store, asked_of_client = AS_THE_STORE[operation]
    of_app = operation in {"list_conversations", "clear_conversations"}

    def by_store(url: str) -> None:
        target = url.replace("http:", "fastgpt+http:")
        with convostore.open(target, app_id=APP, api_key=KEY, verify=False) as store:
            getattr(store, operation)(*([] if of_app else ["c1"]), **asked_of_store)

    def by_client(url: str) -> None:
        with client(url, verify=False) as chat:
            getattr(chat, method)(APP, *([] if of_app else ["c1"]), **asked_of_client)

    assert sent_by(by_client, with_a_chat(generation)) == sent_by(by_store, with_a_chat(generation))


def test_what_is_none_is_not_sent(client):
    asked: list[Request] = []
    with saying("hi", asked) as url, client(url) as chat:
        for method, arguments in ON_RECORDINGS.values():
            unset = {name: None for name, value in DOCUMENTED[method].items() if value is None}
            getattr(chat, method)(**(unset | arguments))
            getattr(chat, method)(**arguments)
    assert len(asked) == 2 * len(ON_RECORDINGS)
    for given, left_out in zip(asked[::2], asked[1::2], strict=True):
        assert (given.json, given.query) == (left_out.json, left_out.query)
        assert None not in (given.json or {}).values()


@for_each("suffix", ["", "/", "/api", "/api/", "/api/v1", "/api/v1/"])
def test_the_address_may_end_where_other_clients_want_it_to(suffix, client):
    service = with_a_chat("4.16")
    with answering(service) as url, client(url + suffix) as chat:
        assert chat.get_chat_histories(APP).status_code == 200


def test_a_prefix_of_the_address_is_kept(client):
    asked: list[Request] = []
    with saying("hi", asked) as url, client(f"{url}/behind/a/proxy/api") as chat:
        chat.create_chat_completion([])
    assert asked[0].path == "/behind/a/proxy/api/v1/chat/completions"


def test_headers_of_ones_own_are_sent(client):
    asked: list[Request] = []
    with saying("hi", asked) as url, client(url, headers={"X-Gateway": "let-me-in"}) as chat:
        chat.create_chat_completion([])
    assert dict(asked[0].headers)["x-gateway"] == "let-me-in"


# Opening and closing.


@for_each("kind", [ChatClient, AsyncChatClient])
@for_each(
    "address",
    [
        None,
        "",
        "chat.example.org",
        "ftp://chat.test",
        "http://",
        "http://u:p@chat.test",
        "http://[x",
    ],
)
def test_what_is_no_address_is_refused_at_once(address, kind):
    with pytest.raises(ConfigError, match="base_url"):
        kind(KEY, address)


@for_each("kind", [ChatClient, AsyncChatClient])
@for_each(
    "options",
    [{"timeout": 0}, {"timeuot": 3}, {"app_id": APP}]
    + [{name: 1} for name in ("retries", "concurrency", "max_body", "trace")],
)
def test_an_option_that_is_none_is_refused_by_its_name(options, kind):
    (name,) = options
    with pytest.raises(ConfigError, match=f"'{name}'"):
        kind(KEY, "http://chat.test", **options)


@for_each("kind", [ChatClient, AsyncChatClient])
@for_each("key", ["", "a key-4711", "clé-4711", "key-4711\n"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(key, kind):
    with pytest.raises(ConfigError, match="'api_key'") as caught:
        kind(key, "http://chat.test")
    assert "4711" not in f"{caught.value!s}{caught.value!r}{caught.value.__cause__!r}"


def test_no_text_about_a_client_shows_its_key(client):
    with client("http://chat.test/api/v1", "fastgpt-key4711") as chat:
        shown = f"{chat.client!r} {chat.client!s} {vars(chat.client)!r}"
    assert "key4711" not in shown
    assert "http://chat.test>" in repr(chat.client)


def test_a_block_closes_the_connections_of_its_client():
    server = answering(with_a_chat("4.16"))
    with server as url:
        with ChatClient(KEY, url) as chat:
            assert chat.get_chat_histories(APP).status_code == 200
            assert not server.is_left()
        assert server.wait_until(server.is_left, seconds=10)
        chat.close()
        with pytest.raises(RuntimeError, match="closed"):
            chat.get_chat_histories(APP)


def test_an_async_block_closes_the_connections_of_its_client():
    server = answering(with_a_chat("4.16"))

    async def program(url: str) -> None:
        async with AsyncChatClient(KEY, url) as chat:
            several = await asyncio.gather(*[chat.get_chat_init(APP, "c1") for _ in range(3)])
            assert [item.status_code for item in several] == [200, 200, 200]
        await chat.aclose()

    with server as url:
        asyncio.run(program(url))
        assert server.wait_until(server.is_left, seconds=10)
