"""Turns on both faces: what is sent, what streams, what is stored, and how it is found again."""

import json
from dataclasses import replace

import pytest
from tests.support.cases import for_each

import convostore
from convostore.adapters import ReplyAccumulator
from convostore.config import open_adapter
from convostore.http import Response
from convostore.models import FilePart, ReplyFinished, TextPart
from convostore.testing.clock import AutojumpClock
from convostore.testing.loopback import serve
from convostore_perplexica.schema import chats

from ..support.recordings import exchanges_of
from ..support.service import JSON_TYPE, SHAPES, ChatsService, answer_to
from ..support.streams import RECONNECTS, REFUSED, VERSIONS, WHOLE, recorded, stored
from ..support.turns import ABSENT, OPTIONS, PAGE, Replayed, probed, streaming, talking

pytestmark = pytest.mark.rim

SINGLE = [case for case in WHOLE if not case.endswith(("chat_follow", "chat_long"))]
FOLLOWED = [case for case in WHOLE if case.endswith("chat_follow")]
EXPRESS = ("express-1.9.3", "express-1.10.0-rc3")
BACKEND = "94352f02-538f-4be0-8351-737b22233051"
each_shape = for_each("shape", SHAPES)
each_version = for_each("version", VERSIONS)


def chat_of(version, name):
    (exchange,) = exchanges_of(f"{version}/{name}")
    return exchange


def answered(body):
    return Response(200, JSON_TYPE, json.dumps(body).encode())


def folded(events):
    draft = ReplyAccumulator()
    for event in events:
        draft.add(event)
    return draft


# What is sent, and what comes


@for_each("case", SINGLE)
def test_a_turn_is_sent_as_it_was_recorded_and_its_reply_is_what_was_stored(case, talk):
    service = Replayed(case)
    with talking(talk, service) as store:
        events, stream = store.events("stream_reply", **service.turn)
    assert service.sent == [service.recording.request]
    question, answer = chats.read_messages(stored(case))
    assert stream.reply.message == answer
    assert stream.reply.question == question
    assert stream.reply.conversation_id == service.turn["conversation_id"]
    assert stream.reply.turn_id == service.turn["turn_id"] == question.id
    assert [event for event in events if isinstance(event, ReplyFinished)] == [
        ReplyFinished(reply=stream.reply)
    ]
    assert events[-1].reply == stream.reply
    assert folded(events).parts == answer.parts


@for_each("case", SINGLE)
def test_a_stream_names_its_message_as_it_begins_from_1_12_on(case, talk):
    named = []
    for stop_after in (1, None):
        service = Replayed(case)
        with talking(talk, service) as store:
            _, stream = store.events("stream_reply", **service.turn, stop_after=stop_after)
        named.append(stream.message_id)
    _, answer = chats.read_messages(stored(case))
    assert named == [answer.id if service.version.startswith("next-1.12") else None, answer.id]


@for_each("case", FOLLOWED)
def test_what_was_said_before_is_sent_along(case, talk):
    chat = stored(case)
    rows = chat["messages"]
    asked_at = [
        place for place, row in enumerate(rows) if row.get("query") or row.get("role") == "user"
    ]
    before = answered(chat | {"messages": rows[: asked_at[1]]})
    service = Replayed(case, before=before)
    with talking(talk, service) as store:
        reply = store.reply(**service.turn)
    assert service.sent == [service.recording.request]
    assert reply.message == chats.read_messages(chat)[-1]


@for_each("case", ["next-1.10.2/chat_calc", "next-1.12.1/chat_calc"])
def test_a_reply_that_is_not_streamed_is_the_same(case, talk):
    service = Replayed(case)
    with talking(talk, service) as store:
        reply = store.reply(**service.turn)
    assert reply.text == "2^10 + 5 is 1029."
    assert reply.interaction is None
    assert service.requests.count("POST /api/chat") == 1


@each_shape
def test_ids_are_chosen_as_the_interface_chooses_them_and_known_beforehand(shape, talk):
    service = ChatsService(shape)
    with talking(talk, service.handle) as store:
        stream = store.store.stream_reply(None, "What is a tide?")
        ids = stream.conversation_id, stream.turn_id
        assert service.received == []
        events, stream = store.events("stream_reply", ids[0], "What is a tide?", turn_id=ids[1])
        reply = store.get_reply(*ids)
    assert [len(each) for each in ids] == [40, 14]
    assert all(set(each) <= set("0123456789abcdef") for each in ids)
    assert (stream.conversation_id, stream.turn_id) == ids
    assert (reply.conversation_id, reply.turn_id) == ids
    assert reply.message == stream.reply.message == events[-1].reply.message
    assert reply.text == answer_to("What is a tide?")[1]


@each_shape
def test_a_turn_id_that_is_there_already_is_refused_before_it_deletes_what_follows(shape, talk):
    service = ChatsService(shape)
    with talking(talk, service.handle) as store:
        first = store.reply(None, "one")
        store.reply(first.conversation_id, "two")
        with pytest.raises(convostore.ConflictError, match="get_reply") as caught:
            store.reply(first.conversation_id, "again", turn_id=first.turn_id)
    assert caught.value.partial.turn_id == first.turn_id
    assert [body["message"]["content"] for body in service.received] == ["one", "two"]


@each_shape
def test_a_turn_id_that_is_an_answers_is_refused(shape, talk):
    service = ChatsService(shape)
    with talking(talk, service.handle) as store:
        first = store.reply(None, "one")
        with pytest.raises(convostore.ConflictError, match="get_reply"):
            store.reply(first.conversation_id, "two", turn_id=first.message.id)
    assert len(service.received) == 1


@each_shape
def test_an_answer_that_is_stored_late_is_waited_for(shape, talk):
    service = ChatsService(shape)
    service.reads_until_stored = 2
    with AutojumpClock().installed() as clock, talking(talk, service.handle) as store:
        assert store.reply(None, "one").text == answer_to("one")[1]
        assert clock.ahead > 0
    assert service.reads_until_stored == 0


def test_the_options_of_a_store_are_those_of_its_turns(talk):
    service = ChatsService("C")
    options = {
        "optimization_mode": "quality",
        "sources": ["academic", "web"],
        "system_instructions": "Be brief.",
        "files": "a, b",
    }
    with talking(talk, service.handle, **options) as store:
        first = store.reply(None, "one")
        store.reply(first.conversation_id, "two", sources=["discussions"], files=[])
    one, two = service.received
    assert one["chatModel"] == {"providerId": "provider", "key": "some/model"}
    assert one["optimizationMode"] == "quality"
    assert one["systemInstructions"] == "Be brief."
    assert one["sources"] == ["academic", "web"]
    assert one["files"] == ["a", "b"]
    assert two["sources"] == ["discussions"]
    assert two["files"] == []


def test_an_address_may_hold_the_options_of_turns():
    query = "chat_model=p/some/model&sources=web,%20academic&files=&optimization_mode=balanced"
    options = open_adapter(f"perplexica+http://search.test?{query}").options
    assert options.chat_model == "p/some/model"
    assert options.sources == ("web", "academic")
    assert options.files == ()
    assert options.optimization_mode == "balanced"
    assert options.embedding_model is None


@for_each("shape, kind", [("A", "focusMode"), ("B", "focusMode"), ("C", "sources")])
def test_a_conversation_goes_on_with_its_own_files_and_its_own_search(shape, kind, talk):
    service = ChatsService(shape)
    with talking(talk, service.handle) as store:
        first = store.reply(None, "one")
        chat = service.chat(first.conversation_id)
        chat["files"] = [{"name": "n", "fileId": "f1"}, "odd", {}]
        chat[kind] = kept = "redditSearch" if shape != "C" else ["academic"]
        attached = [TextPart(text="two"), FilePart(url="file_id://f2"), TextPart(text="three")]
        store.reply(first.conversation_id, attached)
    sent = service.received[1]
    assert sent["files"] == ["f1", "f2"]
    assert sent[kind] == kept
    assert sent["message"]["content"] == "two\nthree"


@for_each("odd", [None, "", "text", 5, {}, [], [5, None], [{"fileId": ""}]])
@each_shape
def test_what_a_chat_keeps_and_cannot_be_read_is_left_out(shape, odd, talk):
    service = ChatsService(shape)
    with talking(talk, service.handle) as store:
        first = store.reply(None, "one")
        kind = "sources" if shape == "C" else "focusMode"
        service.chat(first.conversation_id).update({"files": odd, kind: [odd]})
        store.reply(first.conversation_id, "two")
    one, two = service.received
    assert two["files"] == []
    assert two[kind] == one[kind] or two[kind] == [odd]


@for_each(
    "content, options, told",
    [
        ("q", {"chat_model": None}, "chat_model='provider/name'"),
        ("q", {"embedding_model": None}, "embedding_model='provider/name'"),
        ([FilePart(url="file_id://f")], {}, "must have a text"),
        ("", {}, "must have a text"),
        ([TextPart(text="q"), FilePart(name="tides.txt")], {}, "tides.txt"),
        ([TextPart(text="q"), FilePart(url="file_id://")], {}, "its id"),
    ],
)
def test_what_no_version_takes_is_refused_before_anything_is_asked(content, options, told, talk):
    asked = []
    with (
        talking(talk, asked.append, **options) as store,
        pytest.raises(convostore.InvalidError, match=told),
    ):
        store.reply(None, content)
    assert asked == []


@for_each("options", [{"chat_model": "model"}, {"chat_model": "/"}, {"optimization_mode": "warp"}])
def test_an_option_that_is_wrong_is_named(options, talk):
    with talking(talk, lambda _: ABSENT) as store:
        with pytest.raises(convostore.InvalidError, match=next(iter(options))):
            store.reply(None, "q", **options)
        with pytest.raises(convostore.ConfigError, match=next(iter(options))):
            talk("http://127.0.0.1:9", **options)


@for_each(
    "shape, option",
    [("A", {"sources": ["web"]}), ("B", {"sources": ["web"]}), ("C", {"focus_mode": "webSearch"})],
)
def test_an_option_of_other_versions_is_refused(shape, option, talk):
    service = ChatsService(shape)
    with (
        talking(talk, service.handle) as store,
        pytest.raises(convostore.InvalidError, match=next(iter(option))),
    ):
        store.reply(None, "q", **option)
    assert service.received == []


# Which version it is


@each_version
def test_which_version_it_is_is_asked_once(version, talk):
    service = Replayed(f"{version}/chat_calc")
    with talking(talk, service) as store:
        store.reply(**service.turn)
        asked = len(service.requests)
        service.sent.clear()
        store.reply(**service.turn)
    assert len(service.requests) - asked == 3
    probes = [request for request in service.requests if "/api/chat" not in request]
    assert [probe.rpartition("/")[0] for probe in probes][:1] == ["POST /api/reconnect"]
    assert len(probes) == {"next-1.10.2": 3, "next-1.11.2": 2, "next-1.12.1": 1}[version]
    assert not [request for request in service.requests if "config" in request]


def test_a_conversation_of_1_12_tells_its_version():
    asked = []
    case = "next-1.12.1/chat_follow"
    chat = stored(case)
    service = Replayed(case, before=answered(chat | {"messages": chat["messages"][:1]}))

    def handler(request):
        asked.append(request.path)
        return service(request)

    with serve(handler) as url, convostore.open(f"perplexica+{url}", **OPTIONS) as store:
        store.reply(**service.turn)
    assert not [path for path in asked if not path.startswith("/api/chat")]


def test_a_server_that_is_upgraded_meanwhile_is_noticed_by_what_it_keeps(talk):
    old, new = ChatsService("A"), ChatsService("C")
    service = old
    with talking(talk, lambda request: service.handle(request)) as store:
        store.reply(None, "one")
        service = new
        with talking(talk, new.handle) as other:
            begun = other.reply(None, "one")
        store.reply(begun.conversation_id, "two")
    assert [*new.received[1]["chatModel"]] == ["providerId", "key"]


@for_each("version", EXPRESS)
def test_a_version_that_answers_over_a_websocket_only_says_so(version, talk):
    def handler(request):
        return ABSENT if request.path.startswith("/api/chats/") else probed(version, request)

    with talking(talk, handler) as store:
        assert store.offers("stream_reply")
        with pytest.raises(convostore.UnsupportedError, match=r"WebSocket.*1\.10\.0"):
            store.reply(None, "q")
        assert not store.offers("stream_reply")
        assert not store.offers("reply")
        assert store.offers("suggest_questions")


@for_each("status", [401, 500, 503])
def test_what_keeps_from_asking_the_version_is_told(status, talk):
    def handler(request):
        return ABSENT if request.path.startswith("/api/chats/") else Response(status)

    with talking(talk, handler) as store, pytest.raises(convostore.StoreError) as caught:
        store.reply(None, "q")
    assert str(status) in str(caught.value)


# Refusals


@for_each("case", REFUSED)
def test_a_refused_turn_says_what_the_service_said(case, talk):
    recording = recorded(case)
    service = Replayed(f"{case.partition('/')[0]}/chat_calc", stream=recording.response)
    with talking(talk, service) as store, pytest.raises(convostore.StoreError) as caught:
        store.reply(**service.turn)
    error = caught.value
    assert error.detail.startswith(json.loads(recording.content)["message"])
    assert not error.retryable
    assert (error.adapter, error.operation) == ("perplexica", "reply")
    assert error.partial.turn_id == service.turn["turn_id"]
    assert len(service.sent) == 1
    if recording.status == 400:
        assert type(error) is convostore.InvalidError
    else:
        assert type(error) is convostore.UnavailableError
        assert "chat_model" in str(error)


@for_each("version", VERSIONS[1:])
def test_a_refused_field_is_named(version, talk):
    response = recorded(f"{version}/chat_bad_mode").response
    service = Replayed(f"{version}/chat_calc", stream=response)
    with (
        talking(talk, service) as store,
        pytest.raises(convostore.InvalidError, match="optimizationMode: Optimization mode must be"),
    ):
        store.reply(**service.turn)


@for_each(
    "answer",
    [
        PAGE,
        replace(PAGE, status=200),
        Response(200, JSON_TYPE, b'{"message": "hello"}'),
        Response(200, JSON_TYPE, b""),
        Response(200, JSON_TYPE, b"{"),
        Response(400, {"content-type": "text/html"}, b"<html>"),
        Response(400, JSON_TYPE, b'{"message": "no", "error": {"path": 1}}'),
        Response(400, JSON_TYPE, b'{"message": "no", "error": [5, {"path": 1}, {}]}'),
        Response(400, JSON_TYPE, b"[]"),
        Response(404, JSON_TYPE, b'{"message": "no"}'),
        Response(405),
        Response(500, {"content-type": "text/plain"}, b"Internal Server Error"),
    ],
)
def test_no_stream_in_the_place_of_a_stream_is_a_store_error(answer, talk):
    service = Replayed("next-1.12.1/chat_calc", stream=answer)
    with talking(talk, service) as store, pytest.raises(convostore.StoreError) as caught:
        store.reply(**service.turn)
    assert caught.value.partial.parts == ()
    if answer.status in {200, 404}:
        assert type(caught.value) is convostore.ProtocolError
        assert "base URL" in str(caught.value)


def test_a_reply_that_is_never_stored_says_so(talk):
    service = Replayed("next-1.12.1/chat_calc", after=answered({"chat": {}, "messages": []}))
    with AutojumpClock().installed() as clock, talking(talk, service, timeout=30.0) as store:
        began = clock.monotonic()
        message = "came whole, but it is not stored"
        with pytest.raises(convostore.UnavailableError, match=message) as got:
            store.reply(**service.turn)
        assert clock.monotonic() - began >= 30.0
    assert clock.ahead < 60.0
    assert got.value.partial.text == "2^10 + 5 is 1029."
    assert service.requests.count("POST /api/chat") == 1


# Finding replies again


@for_each("case", SINGLE)
def test_a_reply_is_found_by_its_turn_and_by_its_answer(case, talk):
    question, answer = chats.read_messages(stored(case))
    with talking(talk, lambda _: answered(stored(case))) as store:
        by_turn = store.get_reply("c", question.id)
        by_answer = store.get_reply("c", answer.id)
    assert by_turn.message == by_answer.message == answer
    assert by_turn.question == by_answer.question == question


@each_version
def test_the_turns_of_a_conversation_are_told_apart(version, talk):
    messages = chats.read_messages(chat_of(version, "get_two_turns").body)
    with talking(talk, lambda _: answered(chat_of(version, "get_two_turns").body)) as store:
        for question, answer in ((0, 1), (2, 3)):
            reply = store.get_reply("c", messages[question].id)
            assert reply.message == messages[answer]


@each_version
def test_the_answer_of_the_next_turn_is_none_of_an_unanswered_one(version, talk):
    unanswered = chat_of(version, "get_after_fail").body
    body = chat_of(version, "get_prog_kcc").body
    rows = unanswered["messages"] + body["messages"]
    with (
        talking(talk, lambda _: answered(body | {"messages": rows})) as store,
        pytest.raises(convostore.ConflictError),
    ):
        store.get_reply("c", rows[0]["messageId"])


@for_each("version", VERSIONS[:2])
def test_an_answer_whose_question_was_not_stored_is_found_by_the_stream(version, talk):
    # Up to 1.11 a question whose id is taken, in whatever chat, is not stored; its answer is.
    case = f"{version}/chat_kcc"
    body = stored(case)
    rows = [row for row in body["messages"] if row["role"] != "user"]
    service = Replayed(case, after=answered(body | {"messages": rows}))
    with talking(talk, service) as store:
        reply = store.reply(**service.turn)
    assert reply.question is None
    assert reply.message == chats.read_messages(body | {"messages": rows})[-1]


@each_version
def test_a_turn_that_did_not_arrive_is_not_found(version, talk):
    body = chat_of(version, "get_two_turns").body
    for handler in (lambda _: ABSENT, lambda _: answered(body)):
        with talking(talk, handler) as store, pytest.raises(convostore.NotFoundError) as caught:
            store.get_reply("c", "absent")
        assert "'absent'" in str(caught.value)


UNANSWERED = [
    (version, name)
    for version in VERSIONS
    for name in ("get_after_fail", "get_while_answering")
    if version == "next-1.12.1" or name == "get_after_fail"
]


@for_each("version, name", UNANSWERED)
def test_a_turn_without_an_answer_is_a_conflict_that_may_last_for_ever(version, name, talk):
    body = chat_of(version, name).body
    turn_id = body["messages"][0]["messageId"]
    with (
        talking(talk, lambda _: answered(body)) as store,
        pytest.raises(convostore.ConflictError, match=r"ask again later.*never be one") as caught,
    ):
        store.get_reply("c", turn_id)
    assert caught.value.retryable


@for_each("status", ["completed", "error"])
def test_a_turn_that_ended_without_an_answer_is_unavailable(status, talk):
    body = chat_of("next-1.12.1", "get_while_answering").body
    rows = [row | {"status": status} for row in body["messages"]]
    with (
        talking(talk, lambda _: answered(body | {"messages": rows})) as store,
        pytest.raises(convostore.UnavailableError, match="ended without an answer") as caught,
    ):
        store.get_reply("c", rows[0]["messageId"])
    assert not caught.value.retryable


def test_a_failed_answer_is_unavailable(talk):
    body = chat_of("next-1.12.1", "get_prog_calc").body
    rows = [row | {"status": "error"} for row in body["messages"]]
    with (
        talking(talk, lambda _: answered(body | {"messages": rows})) as store,
        pytest.raises(convostore.UnavailableError, match="failed") as caught,
    ):
        store.get_reply("c", rows[0]["messageId"])
    assert not caught.value.retryable


def test_an_answer_of_nothing_but_a_widget_is_an_answer(talk):
    body = chat_of("next-1.12.1", "get_prog_calc").body
    (row,) = body["messages"]
    rows = [row | {"responseBlocks": row["responseBlocks"][:1]}]
    with talking(talk, lambda _: answered(body | {"messages": rows})) as store:
        reply = store.get_reply("c", row["messageId"])
    assert [part.type for part in reply.message.parts] == ["widget"]


# Going on with a reply


class Answering:
    """A server of 1.12 that is answering, and has answered when its stream was read."""

    def __init__(self, resumed):
        self.body = chat_of("next-1.12.1", "get_while_answering").body
        self.later = chat_of("next-1.12.1", "get_when_completed").body
        self.turn_id = self.body["messages"][0]["messageId"]
        self.requests = []
        self._resumed = resumed

    def __call__(self, request):
        self.requests.append(f"{request.method} {request.path}")
        if request.path.startswith("/api/reconnect/"):
            return self._resumed
        return answered(self.later if len(self.requests) > 1 else self.body)


@for_each("case", RECONNECTS)
def test_an_answer_under_way_is_gone_on_with_from_its_beginning(case, talk):
    service = Answering(streaming(recorded(case).chunks))
    with talking(talk, service) as store:
        events, stream = store.events("resume_reply", "c", service.turn_id)
    assert stream.message_id == stream.reply.message.id
    assert service.requests == [
        "GET /api/chats/c",
        f"POST /api/reconnect/{BACKEND}",
        "GET /api/chats/c",
    ]
    assert stream.reply.message == chats.read_messages(service.later)[1]
    assert folded(events).parts[-1] == stream.reply.message.parts[-1]


@each_version
def test_of_an_answer_that_is_stored_only_the_end_comes(version, talk):
    body = chat_of(version, "get_prog_kcc").body
    turn_id = body["messages"][0]["messageId"]
    with talking(talk, lambda _: answered(body)) as store:
        events, stream = store.events("resume_reply", "c", turn_id)
    assert events == [ReplyFinished(reply=stream.reply)]
    assert stream.reply.message == chats.read_messages(body)[1]


@for_each(
    "case, told",
    [("reconnect_unknown", "no longer being generated"), ("reconnect_finished", "get_reply")],
)
def test_a_session_that_is_gone_says_what_to_do(case, told, talk):
    service = Answering(recorded(f"next-1.12.1/{case}").response)
    with (
        talking(talk, service) as store,
        pytest.raises(convostore.UnavailableError, match=told) as caught,
    ):
        store.events("resume_reply", "c", service.turn_id)
    assert not caught.value.retryable
    assert caught.value.partial.turn_id == service.turn_id


@for_each("version", VERSIONS[:2])
def test_versions_that_cannot_go_on_say_so(version, talk):
    body = chat_of(version, "get_after_fail").body
    with (
        talking(talk, lambda _: answered(body)) as store,
        pytest.raises(convostore.UnsupportedError, match="get_reply") as caught,
    ):
        store.events("resume_reply", "c", body["messages"][0]["messageId"])
    assert caught.value.argument == "turn_id"  # another turn's answer can be resumed


def test_of_a_turn_that_did_not_arrive_there_is_nothing_to_go_on_with(talk):
    with talking(talk, lambda _: ABSENT) as store, pytest.raises(convostore.NotFoundError):
        store.events("resume_reply", "c", "absent")


# Leaving


@each_shape
def test_a_stream_that_is_left_is_finished_by_the_service_and_found_later(shape, talk):
    service = ChatsService(shape)
    with talking(talk, service.handle) as store:
        events, stream = store.events("stream_reply", None, "a question", stop_after=2)
        assert len(events) == 2
        assert stream.so_far.parts == folded(events).parts
        reply = store.get_reply(stream.conversation_id, stream.turn_id)
    assert reply.text == answer_to("a question")[1]
    assert len(service.received) == 1
