"""Turns through the store: what is sent, what comes of it, and how a failed run shows."""

import json

import pytest
from tests.support.cases import for_each
from tests.support.faces import PlainStore

from convostore.errors import (
    AuthError,
    ConflictError,
    InvalidError,
    NotFoundError,
    ProtocolError,
    StoreError,
    UnavailableError,
)
from convostore.http import Response
from convostore.models import (
    Feedback,
    FilePart,
    OtherEvent,
    ReasoningPart,
    RunDetailsReported,
    StatusChanged,
    TextPart,
    TitleChanged,
    ToolCallPart,
    ToolResultPart,
    VariablesUpdated,
)
from convostore.testing import FACES
from convostore.testing.samples import dialogue

from ..support.chats import Chat
from ..support.recordings import answer_of, target_of
from ..support.service import (
    APP,
    COMPLETIONS,
    FOREIGN_APP,
    GENERATIONS,
    SHARE,
    SHARED,
    UID,
    FastGPTService,
)
from ..support.streams import completions as recorded_completions
from ..support.streams import folded, rows_of

WAYS = ["reply", "stream_reply"]


@pytest.fixture(params=FACES)
def face(request):
    return request.param


def services():
    return [FastGPTService(generation) for generation in GENERATIONS]


def newest():
    return FastGPTService("4.16")


def made(chat, way, *args, **kwargs):
    """Return the reply to a turn, sent in either way."""
    if way == "reply":
        return chat.reply(*args, **kwargs)
    return chat.read("stream_reply", *args, **kwargs).reply


def last_completion(service):
    """Return the body of the last completion that was asked for, and its path."""
    request = [exchange for exchange, _ in service.exchanges if exchange.path in COMPLETIONS][-1]
    return request.json, request.path


def turns(service):
    return sum(request.path in COMPLETIONS for request, _ in service.exchanges)


# What comes of a turn


@for_each("detail", [True, False])
@for_each("version", ["v1", "v2"])
@for_each("service", services)
def test_what_streams_is_what_is_stored(face, service, version, detail):
    with Chat(face, service.handle) as chat:
        for text in ("hello there", "think twice", "set a variable"):
            read = chat.read("stream_reply", None, text, api_version=version, detail=detail)
            assert folded(read.events).parts == read.reply.message.parts
            assert read.so_far.parts == read.reply.message.parts
            assert chat.messages(read.reply.conversation_id)[-1] == read.reply.message


@for_each("way", WAYS)
@for_each("version", ["v1", "v2"])
@for_each("service", services)
def test_a_tools_call_and_what_was_thought_are_parts(face, service, way, version):
    with Chat(face, service.handle) as chat:
        reply = made(chat, way, None, "look up tide", api_version=version)
        assert reply.message.parts == (
            TextPart(text="Let me see."),
            ToolCallPart(id="call1", name="dictionary", arguments='{"word": "tide"}'),
            ToolResultPart(id="call1", content="tide is a word"),
            TextPart(text="It is a word."),
        )
        thought = made(chat, way, None, "think of it", api_version=version).message.parts
        assert thought == (
            ReasoningPart(text="What was I told? A question."),
            TextPart(text="You said: of it"),
        )


@for_each("way", WAYS)
@for_each("service", services)
def test_a_reply_has_its_question_and_its_ids_are_of_use_at_once(face, service, way):
    with Chat(face, service.handle) as chat:
        first = made(chat, way, None, "one")
        second = made(chat, way, first.conversation_id, "two", turn_id="mine")
        assert second.turn_id == "mine"
        assert second.question.text == "two"
        assert [each.id for each in chat.messages(first.conversation_id)] == [
            each.id for each in (first.question, first.message, second.question, second.message)
        ]
        good = Feedback(rating="good", comment="Great answer!")
        chat.set_feedback(first.conversation_id, second.message.id, good)
        last = chat.messages(first.conversation_id)[-1]
        assert last.feedback == good
        assert chat.get_run_details(first.conversation_id, second.message.id)
        chat.delete_message(first.conversation_id, second.message.id)
        left = [each.id for each in chat.messages(first.conversation_id)]
        assert second.message.id not in left


@for_each("way", WAYS)
@for_each("service", services)
def test_run_details_variables_and_a_new_title_are_told(face, service, way):
    with Chat(face, service.handle) as chat:
        reply = made(chat, way, None, "set sail", variables={"name": "Ada", "n": [1]})
        assert reply.variables == {"name": "Ada", "n": [1]}
        assert [step.type for step in reply.run_details] == ["workflowStart", "chatNode"]
        assert reply.title == ("set sail" if service.generation.shared_data_id else None)
        assert reply.usage is None


@for_each("way", WAYS)
@for_each("version", ["v1", "v2"])
@for_each("service", services)
def test_a_tools_node_stands_within_the_one_that_called_it(face, service, way, version):
    with Chat(face, service.handle) as chat:
        start, model = made(chat, way, None, "look up tide", api_version=version).run_details
        assert start.steps == ()
        assert [step.name for step in model.steps] == ["dictionary"]


@for_each("service", services)
def test_the_events_of_a_stream_with_details_are_typed(face, service):
    with Chat(face, service.handle) as chat:
        events = chat.read("stream_reply", None, "set sail", variables={"a": 1}).events
        kinds = {type(event) for event in events}
        assert {StatusChanged, VariablesUpdated, RunDetailsReported, OtherEvent} <= kinds
        assert (TitleChanged in kinds) == service.generation.shared_data_id
        (other,) = [event for event in events if isinstance(event, OtherEvent)]
        assert other == OtherEvent(type="workflowDuration", data={"durationSeconds": 0.5})


@for_each("service", services)
def test_without_details_nothing_but_the_answer_is_told(face, service):
    with Chat(face, service.handle) as chat:
        read = chat.read("stream_reply", None, "look up tide", detail=False)
        assert {event.kind for event in read.events} == {"text_delta", "reply_finished"}
        assert read.reply.run_details == ()
        assert [part.kind for part in read.reply.message.parts] == [
            *("text", "tool_call", "tool_result", "text")
        ]


# What is sent


@for_each("way", WAYS)
def test_a_turn_is_sent_with_the_ids_that_were_chosen(face, way):
    service = newest()
    with Chat(face, service.handle) as chat:
        reply = made(chat, way, None, "hi")
        body, path = last_completion(service)
        assert path == "/api/v1/chat/completions"
        assert body == {
            "appId": APP,
            "chatId": reply.conversation_id,
            "responseChatItemId": reply.turn_id,
            "messages": [{"role": "user", "content": "hi"}],
            "stream": way == "stream_reply",
            "detail": True,
            "retainDatasetCite": True,
        }


@for_each("way", WAYS)
def test_what_is_asked_for_with_a_turn_is_sent(face, way):
    service = newest()
    with Chat(face, service.handle) as chat:
        made(
            chat,
            way,
            "c1",
            "hi",
            variables={"name": "Ada"},
            detail=False,
            retain_citations=False,
            custom_uid="u1",
            turn_metadata={"from": "here"},
            api_version="v2",
        )
        body, path = last_completion(service)
        assert path == "/api/v2/chat/completions"
        assert body | {"responseChatItemId": ""} == {
            "appId": APP,
            "chatId": "c1",
            "responseChatItemId": "",
            "messages": [{"role": "user", "content": "hi"}],
            "stream": way == "stream_reply",
            "detail": False,
            "retainDatasetCite": False,
            "variables": {"name": "Ada"},
            "customUid": "u1",
            "metadata": {"from": "here"},
        }


@for_each(
    "file, sent",
    [
        (
            FilePart(url="https://files.example/b", media_type="image/png"),
            {"type": "image_url", "image_url": {"url": "https://files.example/b"}},
        ),
        (
            FilePart(url="https://files.example/b.PNG"),
            {"type": "image_url", "image_url": {"url": "https://files.example/b.PNG"}},
        ),
        (
            FilePart(url="https://files.example/1", name="shot.jpeg"),
            {"type": "image_url", "image_url": {"url": "https://files.example/1"}},
        ),
        (
            FilePart(url="data:image/gif;base64,AA=="),
            {"type": "image_url", "image_url": {"url": "data:image/gif;base64,AA=="}},
        ),
        (
            FilePart(url="https://files.example/a.pdf", name="a report"),
            {"type": "file_url", "name": "a report", "url": "https://files.example/a.pdf"},
        ),
        (
            FilePart(url="https://files.example/a%20b.pdf?sign=1"),
            {
                "type": "file_url",
                "name": "a b.pdf",
                "url": "https://files.example/a%20b.pdf?sign=1",
            },
        ),
        (
            FilePart(url="https://files.example/b.png", media_type="application/pdf"),
            {"type": "file_url", "name": "b.png", "url": "https://files.example/b.png"},
        ),
        (
            FilePart(url="https://files.example/"),
            {"type": "file_url", "name": "file", "url": "https://files.example/"},
        ),
    ],
)
def test_a_file_is_sent_by_its_address_as_what_it_is(file, sent):
    service = newest()
    with Chat("sync", service.handle) as chat:
        reply = chat.reply(None, [TextPart(text="look"), file])
        body, _ = last_completion(service)
        assert body["messages"][0]["content"] == [{"type": "text", "text": "look"}, sent]
        assert reply.question.parts[0] == TextPart(text="look")
        assert reply.question.parts[1].url == file.url


@for_each("way", WAYS)
def test_a_file_without_an_address_is_refused_before_anything_is_sent(face, way):
    service = newest()
    with Chat(face, service.handle) as chat:
        error = chat.error(way, None, [FilePart(name="a.pdf")])
        assert isinstance(error, InvalidError)
        assert "url" in str(error)
        assert not service.exchanges


@for_each("way", WAYS)
@for_each("service", services)
def test_a_plugin_app_is_sent_its_variables_alone(face, service, way):
    with Chat(face, service.handle) as chat:
        reply = made(chat, way, None, "", variables={"query": "hello"})
        body, _ = last_completion(service)
        assert "messages" not in body
        assert body["variables"] == {"query": "hello"}
        assert reply.message.text


@for_each("way", WAYS)
def test_nothing_is_sent_to_where_nothing_is_stored(face, way):
    service = newest()
    with Chat(face, service.handle) as chat:
        error = chat.error(way, "NO_RECORD_HISTORIES", "hi")
        assert isinstance(error, InvalidError)
        assert isinstance(chat.error("answer", "NO_RECORD_HISTORIES", "hi"), InvalidError)
        assert not service.exchanges


@for_each("generation", GENERATIONS)
@for_each("way", WAYS)
def test_a_visitor_of_a_share_link_is_answered_in_each_generations_spelling(face, generation, way):
    service = FastGPTService(generation)
    nested = service.generation.nested_share
    app = {} if nested else {"app_id": APP}
    options = {"app_id": None, "api_key": None, **SHARED, **app}
    with Chat(face, service.keyless, **options) as chat:
        reply = made(chat, way, None, "hi")
        body, _ = last_completion(service)
        link = {"shareId": SHARE, "outLinkUid": UID}
        assert body.items() >= ({"outLinkAuthData": link} if nested else link).items()
        assert reply.message.text == "You said: hi"
        assert chat.get_reply(reply.conversation_id, reply.turn_id).message == reply.message


# What is refused, and fails


@for_each("way", WAYS)
@for_each("version", ["v1", "v2"])
@for_each("detail", [True, False])
@for_each("service", services)
def test_a_failed_model_is_an_error_however_it_shows(face, service, way, version, detail):
    with Chat(face, service.handle) as chat:
        error = chat.error(way, None, "fail now", api_version=version, detail=detail)
        assert isinstance(error, UnavailableError)
        assert not error.retryable
        assert "stub upstream exploded" in str(error)
        assert error.detail == "500 stub upstream exploded"
        assert error.partial.turn_id
        later = chat.error("get_reply", error.partial.conversation_id, error.partial.turn_id)
        assert isinstance(later, UnavailableError)
        assert "stub upstream exploded" in str(later)
        assert turns(service) == 1


@for_each("way", WAYS)
def test_what_a_record_tells_of_its_failure_is_told(face, way):
    service = newest()
    for told, words in [
        ({"errorMsg": "no quota"}, "no quota"),
        ({"errorMsg": {"message": "deep"}}, "deep"),
        ({"errorText": "plain"}, "plain"),
        ({"errorText": {"moduleName": "x"}}, "gives no reason"),
    ]:

        def telling(request, told=told):
            response = service.handle(request)
            if not request.path.endswith("getPaginationRecords"):
                return response
            body = json.loads(response.content)
            body["data"]["list"][-1] |= told
            return Response(200, response.headers, json.dumps(body).encode())

        with Chat(face, telling) as chat:
            error = chat.error(way, None, "hello", detail=False)
            assert isinstance(error, UnavailableError)
            assert words in str(error)


def test_a_node_that_failed_in_a_run_that_went_on_is_no_failure(face):
    service = newest()

    def telling(request):
        response = service.handle(request)
        if request.path.endswith("getPaginationRecords"):
            body = json.loads(response.content)
            body["data"]["list"][-1]["errorText"] = {"moduleName": "tool", "errorText": "timed out"}
            return Response(200, response.headers, json.dumps(body).encode())
        return response

    with Chat(face, telling) as chat:
        assert chat.read("stream_reply", None, "hello").reply.text == "You said: hello"
        assert isinstance(chat.error("stream_reply", None, "hello", detail=False), StoreError)


@for_each("way", WAYS)
def test_a_chat_in_which_an_answer_is_made_is_a_conflict(face, way):
    for generation in ("4.14.11", "4.16"):
        service = FastGPTService(generation)
        service.insert("busy", generating=True)
        with Chat(face, service.handle, retries=3) as chat:
            error = chat.error(way, "busy", "hi")
            assert isinstance(error, ConflictError)
            assert error.retryable
            assert turns(service) == 1


@for_each("way", WAYS)
@for_each(
    "options, kind",
    [
        ({"api_key": "fastgpt-wrong"}, AuthError),
        ({"app_id": FOREIGN_APP}, AuthError),
        ({"app_id": "65f000000000000000000999"}, NotFoundError),
        ({"app_id": "no id"}, InvalidError),
    ],
)
@for_each("service", services)
def test_a_refusal_is_the_same_error_streamed_or_whole(face, service, way, options, kind):
    key = f"Bearer {options.get('api_key', 'fastgpt-key4711')}"
    with Chat(face, service.as_seen_with(key), **options) as chat:
        error = chat.error(way, None, "hi")
        assert isinstance(error, kind)
        assert error.operation == way
        assert error.partial.parts == ()


@for_each("way", WAYS)
def test_a_turn_that_arrived_before_is_a_conflict_where_the_service_tells(face, way):
    service = newest()
    with Chat(face, service.handle) as chat:
        reply = made(chat, way, None, "hi")
        error = chat.error(way, reply.conversation_id, "hi", turn_id=reply.turn_id)
        assert isinstance(error, ConflictError)
        assert "get_reply" in str(error)
        assert len(chat.messages(reply.conversation_id)) == 2


def test_a_server_without_v2_says_so(face):
    service = newest()

    def older(request):
        if "/v2/" in request.path:
            return Response(404, {"content-type": "text/html"}, b"<html>404</html>")
        return service.handle(request)

    with Chat(face, older) as chat:
        for way in WAYS:
            error = chat.error(way, None, "hi", api_version="v2")
            assert isinstance(error, ProtocolError)
            assert "/api/v2/chat/completions" in str(error)


@for_each("body", [b"[]", b"{}", b"no json", b'"text"', b'{"choices":'])
def test_a_whole_answer_that_is_no_completion_is_a_protocol_error(face, body):
    answer = Response(200, {"content-type": "application/json"}, body)
    with Chat(face, lambda _: answer) as chat:
        assert isinstance(chat.error("reply", None, "hi"), ProtocolError)


# Waiting for the record


@for_each("way", WAYS)
@for_each("service", services)
def test_a_record_that_is_late_is_waited_for(face, service, way):
    service.lag = 5
    with Chat(face, service.handle) as chat:
        reply = made(chat, way, None, "hi")
        assert reply.message.text == "You said: hi"
        assert chat.slept == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8])
        assert turns(service) == 1


@for_each("way", WAYS)
@for_each("service", services)
def test_a_record_that_never_comes_is_waited_for_no_longer_than_a_request(face, service, way):
    service.lag = 10**6
    with Chat(face, service.handle, timeout=7.0) as chat:
        error = chat.error(way, None, "hi")
        assert isinstance(error, UnavailableError)
        assert "get_reply" in str(error)
        assert 7 <= sum(chat.slept) <= 9
        assert turns(service) == 1
        if way == "stream_reply":
            assert error.partial.text == "You said: hi"


@for_each("way", WAYS)
def test_a_conversation_that_is_stored_last_is_waited_for(face, way):
    """Before 4.15 it is not in the list before its first answer is stored."""
    service = FastGPTService("4.9")
    unseen = iter([True] * 5)

    def storing_last(request):
        response = service.handle(request)
        lists = request.path.endswith(("getPaginationRecords", "getHistories"))
        if lists and response.status == 200 and next(unseen, False):
            return answer_of({"list": [], "total": 0})
        return response

    with Chat(face, storing_last) as chat:
        assert made(chat, way, None, "hi").message.text == "You said: hi"
        assert chat.slept
        assert turns(service) == 1


@for_each("behind", [8, 9, 10])
def test_a_question_is_found_on_the_page_behind_its_answers(face, behind):
    service = newest()

    def crowded(request):
        response = service.handle(request)
        if request.path in COMPLETIONS:
            for number in range(behind):
                service.append(request.json["chatId"], "user", f"beside {number}")
        return response

    with Chat(face, crowded) as chat:
        reply = chat.reply(None, "hi")
        assert reply.question.text == "hi"
        assert reply.message.text == "You said: hi"


def test_a_record_behind_which_others_wrote_much_is_found(face):
    service = newest()

    def crowded(request):
        response = service.handle(request)
        if request.path in COMPLETIONS:
            for number in range(30):
                service.append(request.json["chatId"], "user", f"beside {number}")
        return response

    with Chat(face, crowded) as chat:
        assert chat.reply(None, "hi").message.text == "You said: hi"


# Finding a reply again


@for_each("service", services)
def test_a_reply_is_found_wherever_it_stands(face, service):
    service.seed([dialogue("c", [f"m{number}" for number in range(150)], "long")])
    with Chat(face, service.handle) as chat:
        first = chat.reply("c", "here")
        for number in range(150):
            service.append("c", "assistant" if number % 2 else "user", f"after {number}")
        service.exchanges.clear()
        found = chat.get_reply("c", first.turn_id)
        assert len(service.exchanges) <= 5
        assert found.message == first.message
        assert found.question.text == "here"
        assert found.variables is None
        error = chat.error("get_reply", "c", "never sent")
        assert isinstance(error, NotFoundError)
        assert "never sent" in str(error)
        assert isinstance(chat.error("get_reply", "no such chat", "x"), NotFoundError)


def test_a_reply_that_is_being_made_is_a_conflict_and_nothing_waits(face):
    service = newest()
    with Chat(face, service.handle) as chat:
        reply = chat.reply(None, "hi")
        service.chats[reply.conversation_id].lag = 1
        error = chat.error("get_reply", reply.conversation_id, reply.turn_id)
        assert isinstance(error, ConflictError)
        assert error.retryable
        assert chat.slept == []
        assert chat.get_reply(reply.conversation_id, reply.turn_id).message == reply.message


@for_each("before", [[], ["assistant"]])
def test_an_answer_whose_question_is_gone_has_none(face, before):
    service = newest()
    with Chat(face, service.handle) as chat:
        reply = chat.reply(None, "hi")
        records = service.chats[reply.conversation_id].records
        for role in before:
            records.insert(0, service.append(reply.conversation_id, role, "another answer"))
            records.pop()
        del records[len(before)]
        found = chat.get_reply(reply.conversation_id, reply.turn_id)
        assert found.question is None
        assert found.message == reply.message


# The recordings


def whole():
    found = [
        completion
        for completion in recorded_completions()
        if isinstance(completion.json, dict)
        and not completion.json.get("stream")
        and completion.status == 200
    ]
    assert len(found) > 80
    return found


@for_each("exchange", whole)
def test_a_recorded_answer_that_came_whole_is_read_with_its_record(exchange):
    shown = json.loads(exchange.content)
    rows = rows_of(exchange.version, exchange.json.get("chatId")) or UNREAD

    def service(request):
        if request.path.endswith("/chat/completions"):
            return exchange.response
        return answer_of({"list": rows, "total": len(rows)})

    *_, question, answer = rows
    with PlainStore(
        "sync", target_of(exchange.version), service=service, app_id=APP, api_key="k"
    ) as face:
        if "error" in shown:
            with pytest.raises(UnavailableError, match="stub upstream exploded"):
                face.reply("c", "hi", turn_id=answer["dataId"])
            return
        reply = face.reply("c", "hi", turn_id=answer["dataId"])
    assert reply.message.raw == answer
    assert reply.question.raw == question
    assert reply.title == shown.get("title")
    assert reply.variables == shown.get("newVariables")
    details = shown.get("responseData", [])
    assert [step.id for step in reply.run_details] == [detail["id"] for detail in details]


UNREAD = [
    {"_id": "1", "dataId": "q", "obj": "Human", "value": [{"text": {"content": "hi"}}]},
    {"_id": "2", "dataId": "a", "obj": "AI", "value": [{"text": {"content": "stored"}}]},
]
"""The records of a conversation that was not read when it was recorded."""
