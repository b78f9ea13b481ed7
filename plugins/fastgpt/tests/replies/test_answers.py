"""Interactions: what is asked, which answers fit and how they are sent, and what follows."""

import copy
import json

import pytest
from tests.support.cases import for_each

from convostore.errors import ConflictError, InvalidError, NotFoundError, UnavailableError
from convostore.models import (
    InteractionField,
    InteractionOption,
    InteractionPart,
    InteractionRequested,
    TextPart,
)
from convostore.testing import FACES
from convostore_fastgpt.replies.answers import encode_answer
from convostore_fastgpt.schema.interactions import innermost, read_interaction

from ..support.chats import Chat
from ..support.recordings import answer_of
from ..support.service import COMPLETIONS, GENERATIONS, FastGPTService
from ..support.streams import answers_of, folded, rows_of, scenario_of
from ..support.streams import completions as recorded_completions

WAYS = ["answer", "stream_answer"]


@pytest.fixture(params=FACES)
def face(request):
    return request.param


def services():
    return [FastGPTService(generation) for generation in GENERATIONS]


def answered(chat, way, *args, **kwargs):
    if way == "answer":
        return chat.answer(*args, **kwargs)
    return chat.read("stream_answer", *args, **kwargs).reply


def said_last(service):
    """Return the text of the last message that was sent."""
    request = [exchange for exchange, _ in service.exchanges if exchange.path in COMPLETIONS][-1]
    (message,) = request.json["messages"]
    assert message["role"] == "user"
    return message["content"]


def turns(service):
    return sum(request.path in COMPLETIONS for request, _ in service.exchanges)


# Through the store


@for_each("way", WAYS)
@for_each("version", ["v1", "v2"])
@for_each("wrap", ["", "nested "])
@for_each("service", services)
def test_a_choice_is_sent_as_its_value_and_the_flow_goes_on(face, service, way, version, wrap):
    with Chat(face, service.handle) as chat:
        asking = chat.reply(None, f"{wrap}choose tea coffee", api_version=version)
        assert asking.interaction.type == "userSelect"
        assert asking.interaction.prompt == "Which one?"
        assert [option.value for option in asking.interaction.options] == ["tea", "coffee"]
        reply = answered(chat, way, asking.conversation_id, "coffee", api_version=version)
        assert said_last(service) == "coffee"
        assert reply.interaction is None
        assert reply.message.id == asking.message.id
        assert reply.turn_id == asking.turn_id
        chosen = asking.interaction.model_copy(update={"answered": True, "answer": "coffee"})
        assert reply.message.parts == (
            TextPart(text="One question."),
            chosen,
            TextPart(text="You chose coffee."),
        )
        assert reply.question.text == f"{wrap}choose tea coffee"
        assert len(chat.messages(asking.conversation_id)) == 2
        assert chat.get_reply(asking.conversation_id, asking.turn_id).message == reply.message


@for_each("way", WAYS)
@for_each("wrap", ["", "nested "])
@for_each("service", services)
def test_a_form_is_sent_by_key_and_by_label(face, service, way, wrap):
    with Chat(face, service.handle) as chat:
        asking = chat.reply(None, f"{wrap}fill in name age")
        assert [(each.key, each.label) for each in asking.interaction.fields] == [
            ("name", "NAME"),
            ("age", "AGE"),
        ]
        reply = answered(chat, way, asking.conversation_id, {"age": "36", "name": "张三"})
        assert json.loads(said_last(service)) == {
            "name": "张三",
            "age": "36",
            "NAME": "张三",
            "AGE": "36",
        }
        filled = reply.message.parts[1]
        assert filled.answered
        assert {field.key: field.value for field in filled.fields} == {"name": "张三", "age": "36"}
        assert reply.message.parts[2] == TextPart(text="So name is 张三, age is 36.")
        assert reply.message.id == asking.message.id


@for_each("way", WAYS)
@for_each("service", services)
def test_an_agents_questions_are_answered_in_their_order(face, service, way):
    with Chat(face, service.handle) as chat:
        asking = chat.reply(None, "ask where when")
        assert [each.label for each in asking.interaction.fields] == ["where?", "when?"]
        keys = [each.key for each in asking.interaction.fields]
        reply = answered(chat, way, asking.conversation_id, {keys[1]: "tomorrow", keys[0]: "Paris"})
        assert json.loads(said_last(service)) == {"answers": ["Paris", "tomorrow"]}
        assert [field.value for field in reply.message.parts[1].fields] == ["Paris", "tomorrow"]
        assert reply.message.id == asking.message.id
        assert reply.message.parts[-1] == TextPart(text="I see.")


@for_each("way", WAYS)
@for_each("service", services)
def test_a_pause_for_payment_goes_on_with_any_text_and_leaves_no_trace(face, service, way):
    with Chat(face, service.handle) as chat:
        asking = chat.reply(None, "pay")
        assert asking.interaction.type == "paymentPause"
        assert isinstance(chat.error(way, asking.conversation_id, {"a": 1}), InvalidError)
        reply = answered(chat, way, asking.conversation_id, "paid")
        assert said_last(service) == "paid"
        assert reply.message.id == asking.message.id
        assert [part.kind for part in reply.message.parts] == ["text", "text"]


@for_each("way", WAYS)
@for_each("service", services)
def test_an_agents_query_is_answered_by_a_turn_of_its_own(face, service, way):
    with Chat(face, service.handle) as chat:
        asking = chat.reply(None, "plan supper")
        assert asking.interaction.prompt == "What of supper?"
        if way == "answer":
            reply, turn_id = chat.answer(asking.conversation_id, "fish"), None
        else:
            read = chat.read("stream_answer", asking.conversation_id, "fish")
            reply, turn_id = read.reply, read.so_far.turn_id
        assert reply.message.id != asking.message.id
        assert reply.turn_id not in (None, asking.turn_id)
        assert turn_id in (None, reply.turn_id)
        assert reply.question.text == "fish"
        assert reply.message.text == "You said: fish"
        found = chat.get_reply(asking.conversation_id, reply.turn_id)
        assert found.message == reply.message


@for_each("version", ["v1", "v2"])
@for_each(
    "prompt, answer",
    [("choose a b", "b"), ("fill in a", {"a": "1"}), ("ask a", "1"), ("pay", "now")],
)
@for_each("service", services)
def test_what_the_flow_asks_and_adds_streams_as_it_is_stored(
    face, service, version, prompt, answer
):
    with Chat(face, service.handle) as chat:
        asking = chat.read("stream_reply", None, prompt, api_version=version)
        assert folded(asking.events).parts == asking.reply.message.parts
        (event,) = [item for item in asking.events if isinstance(item, InteractionRequested)]
        assert event.interaction == asking.reply.interaction
        chat_id = asking.reply.conversation_id
        read = chat.read("stream_answer", chat_id, answer, api_version=version)
        added = folded(read.events).parts
        assert added
        assert read.reply.message.parts[-len(added) :] == added
        assert read.so_far.turn_id == asking.reply.turn_id


@for_each("way", WAYS)
@for_each("service", services)
def test_without_details_what_is_asked_is_read_from_the_record(face, service, way):
    with Chat(face, service.handle) as chat:
        asking = chat.reply(None, "choose a b", detail=False)
        assert asking.interaction is not None
        reply = answered(chat, way, asking.conversation_id, "a", detail=False)
        assert reply.message.parts[-1] == TextPart(text="You chose a.")


@for_each("way", WAYS)
def test_the_record_is_waited_for_until_it_shows_the_answer(face, way):
    service = FastGPTService("4.16")
    with Chat(face, service.handle) as chat:
        asking = chat.reply(None, "choose a b")
        service.lag = 3
        reply = answered(chat, way, asking.conversation_id, "b")
        assert reply.message.parts[-1] == TextPart(text="You chose b.")
        assert chat.slept == pytest.approx([0.05, 0.1, 0.2])


@for_each("way", WAYS)
def test_an_answer_that_the_record_never_shows_is_an_error(face, way):
    service = FastGPTService("4.16")
    with Chat(face, service.handle, timeout=5.0) as chat:
        asking = chat.reply(None, "choose a b")
        before = json.dumps(service.chats[asking.conversation_id].records)

        def forgetful(request):
            response = service.handle(request)
            service.chats[asking.conversation_id].records = json.loads(before)
            return response

    with Chat(face, forgetful, timeout=5.0) as chat:
        error = chat.error(way, asking.conversation_id, "b")
        assert isinstance(error, UnavailableError)
        assert "get_reply" in str(error)
        assert error.partial.conversation_id == asking.conversation_id


@for_each("way", WAYS)
def test_the_variables_and_the_user_go_with_an_answer(face, way):
    service = FastGPTService("4.16")
    with Chat(face, service.handle) as chat:
        asking = chat.reply(None, "choose a b")
        answered(chat, way, asking.conversation_id, "b", variables={"v": 1}, custom_uid="u1")
        request = [exchange for exchange, _ in service.exchanges if exchange.path in COMPLETIONS][
            -1
        ]
        assert request.json["variables"] == {"v": 1}
        assert request.json["customUid"] == "u1"
        assert request.json["chatId"] == asking.conversation_id


def test_an_answer_is_waited_for_until_the_question_shows_it(face):
    service = FastGPTService("4.16")
    with Chat(face, service.handle) as chat:
        asking = chat.reply(None, "choose a b")
    before = copy.deepcopy(service.chats[asking.conversation_id].records)
    unchanged = iter([True, True, True])

    def late(request):
        response = service.handle(request)
        if request.path.endswith("getPaginationRecords") and next(unchanged, False):
            return answer_of({"list": before, "total": len(before)})
        return response

    with Chat(face, late) as chat:
        reply = chat.answer(asking.conversation_id, "b")
        assert reply.message.parts[-1] == TextPart(text="You chose b.")
        assert len(chat.slept) == 2


@for_each("way", ["reply", "stream_reply"])
@for_each("prompt, text", [("choose a b", "b"), ("fill in a", '{"a": "1"}')])
@for_each("service", services)
def test_a_turn_that_the_service_would_take_for_an_answer_is_refused(
    face, service, way, prompt, text
):
    with Chat(face, service.handle) as chat:
        asking = chat.reply(None, prompt)
        completions = [each for each, _ in service.exchanges if each.path in COMPLETIONS]
        error = chat.error(way, asking.conversation_id, text)
        assert isinstance(error, ConflictError)
        assert "use answer or stream_answer" in str(error)
        assert completions == [each for each, _ in service.exchanges if each.path in COMPLETIONS]
        assert chat.get_reply(asking.conversation_id, asking.turn_id).interaction


@for_each("service", services)
def test_a_turn_that_begins_a_conversation_is_sent_at_once(face, service):
    with Chat(face, service.handle) as chat:
        chat.reply(None, "hello")
        assert service.exchanges[0][0].path in COMPLETIONS


@for_each("way", ["answer", "stream_answer"])
@for_each("service", services)
def test_an_answer_whose_connection_is_lost_can_be_looked_for(face, service, way):
    with Chat(face, service.handle) as chat:
        asking = chat.reply(None, "choose a b")

    def losing(request):
        response = service.handle(request)
        if request.path in COMPLETIONS:
            raise UnavailableError("lost")
        return response

    with Chat(face, losing) as chat:
        error = chat.error(way, asking.conversation_id, "b")
    assert (error.partial.conversation_id, error.partial.turn_id) == (
        asking.conversation_id,
        asking.turn_id,
    )
    with Chat(face, service.handle) as chat:
        found = chat.get_reply(asking.conversation_id, asking.turn_id)
    assert found.message.parts[-1] == TextPart(text="You chose b.")


# What is refused before it is sent


@for_each("way", WAYS)
@for_each(
    "prompt, misfit, told",
    [
        ("choose tea coffee", "water", ["'water'", "'tea'", "'coffee'"]),
        ("choose tea coffee", "option1", ["'tea'"]),
        ("choose tea coffee", {"tea": True}, ["'tea'", "'coffee'"]),
        ("fill in name age", "Ada", ["'name'", "'age'"]),
        ("fill in name age", {"name": "Ada"}, ["'age'", "empty"]),
        ("fill in name age", {"name": "Ada", "age": ""}, ["'age'"]),
        ("fill in name age", {"name": "Ada", "age": "1", "sex": "f"}, ["'sex'", "'name'"]),
        ("fill in name age", {"name": "Ada", "age": 36}, ["'age'", "string", "int"]),
        ("ask where when", "Paris", ["'0'", "'1'"]),
        ("ask where when", {"0": "Paris"}, ["'1'"]),
    ],
)
@for_each("service", services)
def test_an_answer_that_does_not_fit_is_refused_before_it_is_sent(
    face, service, way, prompt, misfit, told
):
    with Chat(face, service.handle) as chat:
        asking = chat.reply(None, prompt)
        before = chat.messages(asking.conversation_id)
        error = chat.error(way, asking.conversation_id, misfit)
        assert isinstance(error, InvalidError)
        for words in told:
            assert words in str(error)
        assert error.operation == way
        assert turns(service) == 1
        assert chat.messages(asking.conversation_id) == before


@for_each("way", WAYS)
@for_each("service", services)
def test_an_answer_that_nothing_waits_for_is_a_conflict(face, service, way):
    with Chat(face, service.handle) as chat:
        reply = chat.reply(None, "hello")
        assert isinstance(chat.error(way, reply.conversation_id, "a"), ConflictError)
        asking = chat.reply(None, "choose a b")
        chat.answer(asking.conversation_id, "a")
        assert isinstance(chat.error(way, asking.conversation_id, "a"), ConflictError)
        service.append(reply.conversation_id, "user", "a question without an answer")
        assert isinstance(chat.error(way, reply.conversation_id, "a"), ConflictError)
        assert turns(service) == 3
        assert isinstance(chat.error(way, "no such chat", "a"), NotFoundError)
        assert turns(service) == 3


# Which answers fit


def form(kind, *, required=False, options=(), more=()):
    field = InteractionField(
        key="k",
        label="L",
        type=kind,
        required=required,
        options=tuple([InteractionOption(value=option) for option in options]),
    )
    return InteractionPart(type="userInput", fields=(field, *more))


def sent(part, answer, params=None):
    text = encode_answer(part, {"type": part.type, "params": params or {}}, answer)
    return json.loads(text)


@for_each(
    "part, values",
    [
        (form("input"), ["", "a", None]),
        (form("textarea"), ["a\nb"]),
        (form("password"), ["secret"]),
        (form("numberInput"), [0, 1.5, -3, None, ""]),
        (form("switch"), [True, False]),
        (form("select", options="ab"), ["a", ""]),
        (form("multipleSelect", options="abc"), [[], ["a"], ["c", "a"]]),
        (form("fileSelect"), [["https://files.example/a"], "x", {"url": "x"}]),
        (form("timePointSelect"), ["2026-11-21T20:00:00Z", 5]),
        (form(None), [1, "x", [True], {"deep": None}]),
        (form("what comes next"), [1, "x"]),
    ],
)
def test_a_field_takes_what_its_type_says_and_an_unknown_one_anything(part, values):
    for value in values:
        assert sent(part, {"k": value}) == {"k": value, "L": value}


@for_each(
    "part, values",
    [
        (form("input"), [1, True, ["a"], {}]),
        (form("numberInput"), ["1", True, [1]]),
        (form("switch"), ["true", 1]),
        (form("select", options="ab"), ["c", ["a"], 1]),
        (form("multipleSelect", options="ab"), ["a", ["c"], ["a", 1], {"a": True}]),
        (form("input", required=True), ["", None]),
        (form("multipleSelect", required=True, options="ab"), [[]]),
    ],
)
def test_what_a_field_does_not_take_is_refused_by_its_name(part, values):
    for value in values:
        with pytest.raises(InvalidError, match="'k'"):
            sent(part, {"k": value})


def test_a_field_that_need_not_be_filled_in_may_be_left_out_and_false_is_filled_in():
    assert sent(form("input"), {}) == {}
    assert sent(form("switch", required=True), {"k": False}) == {"k": False, "L": False}
    assert sent(form("numberInput", required=True), {"k": 0}) == {"k": 0, "L": 0}


def test_a_label_never_takes_the_place_of_another_fields_key():
    other = InteractionField(key="L", label="k", type="input")
    part = form("input", more=(other,))
    assert sent(part, {"k": "1", "L": "2"}) == {"k": "1", "L": "2"}


@for_each("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_what_json_cannot_hold_is_refused(value):
    with pytest.raises(InvalidError, match="only strings, numbers"):
        sent(form(None), {"k": value})


def test_long_lists_of_options_are_told_in_part():
    part = InteractionPart(
        type="userSelect",
        options=tuple([InteractionOption(value=f"option {number}") for number in range(500)]),
    )
    with pytest.raises(InvalidError, match="and 480 more") as caught:
        encode_answer(part, {}, "x")
    assert len(str(caught.value)) < 1000


def test_one_question_of_an_agent_takes_a_text():
    part = InteractionPart(type="agentAsk", fields=(InteractionField(key="0", required=True),))
    assert sent(part, "Paris", {"questions": [{}]}) == {"answers": ["Paris"]}
    assert sent(part, {"0": "Paris"}, {"questions": [{}]}) == {"answers": ["Paris"]}


def test_a_type_that_is_unknown_here_takes_a_text_as_it_is():
    part = InteractionPart(type="what comes next")
    assert encode_answer(part, {}, "as it is") == "as it is"
    with pytest.raises(InvalidError, match="what comes next"):
        encode_answer(part, {}, {"a": 1})


@for_each(
    "kind",
    ["childrenInteractive", "toolChildrenInteractive", "loopInteractive", "loopRunInteractive"],
)
def test_an_interaction_is_the_innermost_of_those_that_wrap_it(kind):
    inner = {"type": "userSelect", "params": {"userSelectOptions": [{"value": "a"}]}}
    wrapped = {"type": kind, "params": {"childrenResponse": {"type": kind, "params": {}}}}
    wrapped["params"]["childrenResponse"]["params"]["childrenResponse"] = inner
    assert innermost(wrapped) is inner
    assert read_interaction(wrapped) == read_interaction(inner)


# The recordings


def answers():
    found = [
        completion
        for completion in recorded_completions()
        if scenario_of(completion) in ("select", "form")
        and completion.json["messages"][0]["content"] != "start"
    ]
    assert len(found) == 32
    return found


@for_each("exchange", answers)
def test_a_recorded_interaction_is_answered_as_it_was_and_read_as_it_was_stored(face, exchange):
    chat_id = exchange.params["chatId"]
    content = exchange.json["messages"][0]["content"]
    answer = json.loads(content) if scenario_of(exchange) == "form" else content
    after = rows_of(exchange.version, chat_id)
    asked = []

    def service(request):
        if request.path in COMPLETIONS:
            asked.append(request)
            return exchange.response
        rows = after if asked else as_it_waited(after)
        return answer_of({"list": rows, "total": len(rows)})

    with Chat(face, service) as chat:
        reply = answered(
            chat, "stream_answer" if exchange.json["stream"] else "answer", chat_id, answer
        )
    assert reply.message == answers_of(exchange.version, chat_id)[-1]
    ((message,),) = [item.json["messages"] for item in asked]
    assert message["content"] == content or json.loads(message["content"]) == answer


def as_it_waited(rows):
    """Return records of a conversation as they were before its interaction was answered."""
    before = copy.deepcopy(rows)
    del before[-1]["value"][1:]
    params = before[-1]["value"][0]["interactive"]["params"]
    for name in ("userSelectedVal", "submitted"):
        params.pop(name, None)
    for field in params.get("inputForm", ()):
        field["value"] = ""
    return before
