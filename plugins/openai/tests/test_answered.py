"""A store that a model answers: what is asked and stored, once, and found again; both faces."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from tests.support.models import (
    DONE,
    JSON_TYPE,
    KEY,
    STOP,
    Model,
    chunk,
    open_plain,
    parrot,
    refusal,
    says,
    streamed,
    streaming,
    usage,
)
from tests.support.naming import naming

import convostore
from convostore.adapters import Operation
from convostore.config import open_adapter
from convostore.http import Response
from convostore.models import FilePart, Message, ReasoningPart, TextPart, ToolCallPart, Usage
from convostore.testing import FACES
from convostore.testing.clock import AutojumpClock
from convostore_openai import ModelAdapter, open_answered
from convostore_openai.options import ModelOptions

pytestmark = pytest.mark.rim

in_memory = pytest.mark.parametrize("target", ["memory"], indirect=True)
"""For what does not depend on the store."""
NOWHERE = "http://127.0.0.1:1/v1"
STORES = ["memory", "sqlite"]


@pytest.fixture(scope="module")
def served():
    with Model().serving() as model:
        yield model


@pytest.fixture
def model(served):
    served.forget()
    yield served
    assert served.server.errors == []


@pytest.fixture(params=STORES)
def target(request, tmp_path) -> str:
    if request.param == "memory":
        return f"memory://{tmp_path.name}-{id(tmp_path)}"
    return f"sqlite:///{(tmp_path / 'store.db').as_posix()}"


@pytest.fixture(params=FACES)
def talk(request, target, model):
    """Opens a store of one face that the model answers."""
    opened = []

    def talk(url=model.url, **options):
        opened.append(open_plain(request.param, target, url, **options))
        return opened[-1]

    yield talk
    for each in opened:
        each.__exit__(None, None, None)


def asked_of(model: Model, place: int = -1) -> list[tuple[str, object]]:
    return [(row["role"], row["content"]) for row in model.asked[place]["messages"]]


def said(messages: list[Message]) -> list[tuple[str, str]]:
    return [(each.role, each.text) for each in messages]


# What is asked


def test_the_model_is_told_what_was_said_before(talk, model):
    store = talk(system="Be brief.")
    first = store.reply(None, "one")
    store.reply(first.conversation_id, "two")
    assert asked_of(model) == [
        ("system", "Be brief."),
        ("user", "one"),
        ("assistant", "You said: one"),
        ("user", "two"),
    ]


def test_what_a_client_sends_takes_the_place_of_what_is_stored(talk, model):
    store = talk(system="Be brief.")
    first = store.reply(None, "one")
    context = [{"role": "user", "content": [{"type": "text", "text": "zero"}]}]
    store.reply(first.conversation_id, "two", context=context)
    assert asked_of(model)[1:] == [("user", context[0]["content"]), ("user", "two")]
    store.reply(first.conversation_id, "three", context=[])
    assert asked_of(model)[1:] == [("user", "three")]
    assert len(store.messages(first.conversation_id)) == 6


def test_a_context_goes_with_a_conversation_that_a_turn_begins(talk, model):
    store = talk()
    for conversation_id in (None, "chosen"):
        context = [{"role": "user", "content": "zero"}]
        store.reply(conversation_id, "one", context=context)
        assert asked_of(model) == [("user", "zero"), ("user", "one")]


def test_a_long_conversation_is_read_from_its_end_and_no_further(talk, model, target):
    with convostore.open(target) as plain:
        plain.create_conversation(id="long")
        texts = [TextPart(text=str(number)) for number in range(300)]
        plain.append_messages(
            "long", [Message(role="user", parts=(text,)) for text in texts], after=None
        )
    store = talk(history_messages=150)
    store.reply("long", "and now?")
    assert [text for _, text in asked_of(model)] == [*map(str, range(150, 300)), "and now?"]


def test_the_operators_model_goes_before_the_turns(talk, model):
    talk(model="mine").reply(None, "one", model="yours")
    talk(model=None).reply(None, "one", model="yours")
    assert [each["model"] for each in model.asked] == ["mine", "yours"]


def test_without_a_model_nothing_is_stored_and_nothing_asked(talk, model):
    store = talk(model=None)
    with pytest.raises(convostore.InvalidError, match="model"):
        store.reply("c", "one")
    with pytest.raises(convostore.NotFoundError):
        store.messages("c")
    assert model.asked == []


@in_memory
@pytest.mark.parametrize("content", ["", [FilePart(url="file:///etc/passwd")], [FilePart()]])
def test_a_turn_that_says_nothing_is_refused_before_anything_is_stored(talk, model, content):
    store = talk()
    with pytest.raises(convostore.InvalidError, match="must hold a text"):
        store.reply("c", content)
    with pytest.raises(convostore.NotFoundError):
        store.messages("c")
    assert model.asked == []


def test_how_to_answer_is_said_with_the_turn(talk, model):
    store = talk()
    store.reply(None, "one", temperature=0.5, max_tokens=7, top_p=1)
    sent = {name: model.asked[0][name] for name in ("temperature", "max_tokens", "top_p")}
    assert sent == {"temperature": 0.5, "max_tokens": 7, "top_p": 1}


@in_memory
@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -1},
        {"temperature": float("nan")},
        {"top_p": 2},
        {"max_tokens": 0},
        {"model": ""},
        {"context": "x"},
        {"context": ["x"]},
        {"context": [{"content": "x"}]},
        {"context": [{"role": "user", "content": float("nan")}]},
        {"context": [{"role": "user", "content": object()}]},
    ],
)
def test_a_wrong_option_of_a_turn_is_refused_before_anything_is_stored(talk, model, wrong):
    store = talk()
    with pytest.raises(convostore.InvalidError, match=next(iter(wrong))):
        store.reply("c", "one", **wrong)
    with pytest.raises(convostore.NotFoundError):
        store.messages("c")
    assert model.asked == []


def test_the_key_is_sent_and_the_addresss_query_kept(talk, model):
    talk(f"{model.url}?api-version=1", api_key=KEY, headers={"x-title": "tides"}).reply(None, "one")
    assert model.headers[0]["authorization"] == f"Bearer {KEY}"
    assert model.headers[0]["x-title"] == "tides"
    assert model.paths == [("/v1/chat/completions", (("api-version", "1"),))]


def test_pictures_are_shown_to_the_model_and_stored(talk, model):
    store = talk()
    picture = FilePart(url="https://x.test/tide.png", media_type="image/png")
    reply = store.reply(None, [TextPart(text="what is it?"), picture])
    assert model.asked[0]["messages"][0]["content"][1]["image_url"] == {"url": picture.url}
    assert reply.question.parts[1] == picture
    assert store.messages(reply.conversation_id)[0].parts[1] == picture


# What is stored


def test_a_turn_is_two_messages_with_ids_of_the_turn(talk):
    store = talk()
    reply = store.reply("c", "What is\na tide?", turn_id="t1")
    question, answer = store.messages("c")
    assert (answer.id, question.id) == ("t1", "t1-question")
    assert (reply.message.portable(), reply.question.portable()) == (
        answer.portable(),
        question.portable(),
    )
    assert (answer.status, answer.model) == ("complete", "parrot-2")
    assert question.created_at <= answer.created_at
    assert reply.usage == Usage(input_tokens=3, output_tokens=5)


@in_memory
@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("What is\na tide?", "What is"),
        ("\n\n  What   is it? \n", "What is it?"),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 79 + "…"),
        ("  ", None),
    ],
)
def test_a_new_conversation_is_called_by_the_questions_first_line(talk, text, title):
    store = talk()
    reply = store.reply(None, text)
    conversation = store.get_conversation(reply.conversation_id)
    assert conversation.title == title
    assert conversation.created_at is not None


def test_what_the_model_thinks_and_calls_is_stored(talk, model):
    calls = [{"index": 0, "id": "a", "function": {"name": "look", "arguments": "{}"}}]
    model.answers(
        streamed(
            [chunk({"reasoning": "Hm"}), chunk({"tool_calls": calls}), chunk({}, "tool_calls")]
        )
    )
    store = talk()
    events, stream = store.events("stream_reply", None, "one")
    parts = (ReasoningPart(text="Hm"), ToolCallPart(id="a", name="look", arguments="{}"))
    assert stream.reply.message.parts == parts
    assert store.messages(stream.conversation_id)[1].parts == parts
    assert [each.kind for each in events][:3] == [
        "reasoning_delta",
        "tool_call_started",
        "tool_call_arguments_delta",
    ]
    model.answer = parrot
    store.reply(stream.conversation_id, "two")
    assert asked_of(model) == [("user", "one"), ("user", "two")]


def test_an_answer_that_was_cut_short_is_a_reply_that_says_so(talk, model):
    model.answers(streamed([*says("Two tides"), chunk({}, "length"), DONE]))
    store = talk()
    reply = store.reply(None, "one")
    assert (reply.text, reply.message.status) == ("Two tides", "failed")
    found = store.get_reply(reply.conversation_id, reply.turn_id)
    assert found.message.portable() == reply.message.portable()


def test_an_answer_that_comes_whole_is_stored_as_a_streamed_one(talk, model):
    body = {"choices": [{"message": {"role": "assistant", "content": "Two."}}], "id": "1"}
    model.answers(refusal(200, body))
    store = talk()
    events, stream = store.events("stream_reply", None, "one")
    assert [each.kind for each in events] == ["text_delta", "reply_finished"]
    assert said(store.messages(stream.conversation_id)) == [("user", "one"), ("assistant", "Two.")]


def test_a_turns_id_that_is_taken_is_refused_and_nothing_is_asked(talk, model):
    store = talk()
    reply = store.reply("c", "one", turn_id="t1")
    before = store.messages("c")
    for taken in ("t1", "t1-question"):
        with pytest.raises(convostore.ConflictError):
            store.reply("c", "two", turn_id=taken)
    with pytest.raises(convostore.ConflictError):
        store.reply("c", "two", turn_id="t1", context=[])
    assert store.messages("c") == before
    assert len(model.asked) == 1
    assert store.get_reply("c", "t1").text == reply.text


def test_what_others_write_meanwhile_stays_and_the_answer_stands_behind_it(talk, model, target):
    def answer(request):
        with convostore.open(target) as other:
            other.append_messages("c", [Message(id="o", role="other")], after=convostore.ANY)
        return parrot(request)

    model.answer = answer
    store = talk()
    reply = store.reply("c", "one", turn_id="t1")
    assert [each.id for each in store.messages("c")] == ["t1-question", "o", "t1"]
    assert store.get_reply("c", "t1").message.portable() == reply.message.portable()


def test_an_answer_whose_id_was_taken_meanwhile_is_stored_all_the_same(talk, model, target):
    def answer(request):
        with convostore.open(target) as other:
            other.append_messages("c", [Message(id="t1", role="other")], after=convostore.ANY)
        return parrot(request)

    model.answer = answer
    store = talk()
    reply = store.reply("c", "one", turn_id="t1")
    assert reply.text == "You said: one"
    assert said(store.messages("c")) == [("user", "one"), ("other", ""), ("assistant", reply.text)]


def test_turns_at_once_in_one_conversation_are_all_stored(model, target):
    texts = [f"question {number}" for number in range(24)]
    with open_answered(target, model.url, model="parrot") as store:
        store.reply("c", "one")
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda text: store.reply("c", text), texts))
        stored = {each.id: each.text for each in store.messages("c")}
    assert len(stored) == 2 + 2 * len(texts)
    for text, reply in zip(texts, replies, strict=True):
        assert stored[reply.question.id] == text
        assert stored[reply.message.id] == f"You said: {text}"


def test_a_conversation_that_is_deleted_meanwhile_is_not_made_again(talk, model, target):
    def answer(request):
        with convostore.open(target) as other:
            other.delete_conversation("c")
        return parrot(request)

    model.answer = answer
    store = talk()
    with pytest.raises(convostore.NotFoundError) as caught:
        store.reply("c", "one", turn_id="t1")
    assert caught.value.partial.text == "You said: one"
    with pytest.raises(convostore.NotFoundError):
        store.get_conversation("c")


# What goes wrong

REFUSALS = [
    (401, convostore.AuthError, "credential"),
    (403, convostore.AuthError, "credential"),
    (404, convostore.InvalidError, "model"),
    (400, convostore.InvalidError, "400"),
    (409, convostore.InvalidError, "model"),
    (429, convostore.RateLimitError, "429"),
    (500, convostore.UnavailableError, "500"),
    (503, convostore.UnavailableError, "503"),
]


@in_memory
@pytest.mark.parametrize(("status", "kind", "match"), REFUSALS)
def test_a_refusal_is_an_error_that_says_what_the_server_said(talk, model, status, kind, match):
    body = {"error": {"message": f"no, not with {KEY}", "type": "invalid_request_error"}}
    model.answers(refusal(status, body, retry_after="7"))
    store = talk(api_key=KEY)
    with pytest.raises(kind, match=match) as caught:
        store.reply("c", "one", turn_id="t1")
    error = caught.value
    assert type(error) is kind
    assert error.detail == "no, not with ***"
    assert status not in {429, 503} or error.retry_after == 7
    assert KEY not in f"{error} {error!r} {vars(error)}"
    assert (error.partial.conversation_id, error.partial.turn_id) == ("c", "t1")
    assert len(model.asked) == 1
    question, answer = store.messages("c")
    assert (question.text, answer.parts, answer.status) == ("one", (), "failed")
    with pytest.raises(convostore.UnavailableError, match="failed"):
        store.get_reply("c", "t1")


@in_memory
@pytest.mark.parametrize(
    "body", [{"error": "no such"}, {"message": "no such"}, {"detail": "no such"}]
)
def test_what_a_refusal_says_is_read_in_each_spelling(talk, model, body):
    model.answers(refusal(400, body))
    with pytest.raises(convostore.InvalidError, match="no such"):
        talk().reply(None, "one")


@in_memory
@pytest.mark.parametrize("content", [b"", b"no JSON", b"[]", b'{"error": 7}'])
def test_a_refusal_that_says_nothing_is_the_same_error(talk, model, content):
    model.answers(Response(400, JSON_TYPE, content))
    with pytest.raises(convostore.InvalidError) as caught:
        talk().reply(None, "one")
    assert caught.value.detail is None


def test_a_server_that_cannot_count_tokens_says_how_to_ask_it(talk, model):
    model.answers(refusal(400, {"error": {"message": "unknown field stream_options"}}))
    with pytest.raises(convostore.InvalidError, match="usage=False"):
        talk().reply(None, "one")
    model.answer = parrot
    talk(usage=False).reply(None, "one")
    assert "stream_options" not in model.asked[-1]


@in_memory
@pytest.mark.parametrize("status", [200, 404, 502])
def test_a_page_of_another_program_is_no_answer(talk, model, status):
    page = Response(status, {"content-type": "text/html"}, b"<!DOCTYPE html><html></html>")
    model.answers(page)
    with pytest.raises((convostore.ProtocolError, convostore.UnavailableError)) as caught:
        talk().reply(None, "one")
    assert (type(caught.value) is convostore.ProtocolError) == (status != 502)


def test_a_server_out_of_reach_is_unavailable_and_the_question_stays(talk):
    store = talk(NOWHERE)
    with pytest.raises(convostore.UnavailableError) as caught:
        store.reply("c", "one")
    assert caught.value.retryable
    assert [each.status for each in store.messages("c")] == [None, "failed"]


FRAMES = [chunk({"role": "assistant"}), chunk({"reasoning": "Hm"}), *says("Two tides"), STOP, DONE]
AFTER_THE_LAST_WORD = FRAMES.index(STOP) + 1


@pytest.fixture
def hurried_talk(talk):
    """Opens a store for which the time that a model stalls is over at once."""
    with AutojumpClock().installed():
        yield partial(talk, reply_timeout=30)


@in_memory
@pytest.mark.parametrize("then", ["end", "close", "reset", "stall"])
def test_a_stream_that_is_cut_is_an_error_with_what_had_come(then, hurried_talk, model):
    store = hurried_talk()
    for place in range(AFTER_THE_LAST_WORD):
        with naming(f"{place} frames"):
            model.forget()
            model.answers(streaming(FRAMES[:place], then))
            conversation, turn = f"c{place}", f"t{place}"
            with pytest.raises(convostore.UnavailableError) as caught:
                store.reply(conversation, "one", turn_id=turn)
            assert caught.value.retryable
            came = caught.value.partial
            assert "Two tides".startswith(came.text)
            _, answer = store.messages(conversation)
            assert (answer.id, answer.status, answer.parts) == (turn, "failed", came.parts)
            with pytest.raises(convostore.UnavailableError) as later:
                store.get_reply(conversation, turn)
            assert later.value.partial.parts == came.parts
            assert len(model.asked) == 1


@in_memory
@pytest.mark.parametrize("then", ["end", "close", "stall"])
def test_what_breaks_behind_the_last_word_is_no_matter(then, hurried_talk, model):
    store = hurried_talk()
    for place in range(AFTER_THE_LAST_WORD, len(FRAMES) + 1):
        with naming(f"{place} frames"):
            model.answers(streaming(FRAMES[:place], then))
            assert store.reply(f"c{place}", "one").text == "Two tides"
            assert [each.status for each in store.messages(f"c{place}")] == [None, "complete"]


def test_a_model_that_fails_in_the_middle_leaves_what_it_said(talk):
    store = talk()
    with pytest.raises(convostore.UnavailableError, match="the parrot is dead") as caught:
        store.reply("c", "fail", turn_id="t1")
    assert caught.value.partial.text == "You said"
    question, answer = store.messages("c")
    assert (question.text, answer.text, answer.status) == ("fail", "You said", "failed")


def test_the_model_is_not_told_twice_of_a_question_that_failed(talk, model):
    model.answers(refusal(503, {}))
    store = talk()
    with pytest.raises(convostore.UnavailableError):
        store.reply("c", "one")
    model.answer = parrot
    store.reply("c", "one")
    assert asked_of(model) == [("user", "one")]
    assert len(store.messages("c")) == 4


def test_a_stream_that_is_left_hangs_up_and_keeps_what_had_come(talk, model):
    model.answers(streaming([*says("Two tides a day")], "stall"))
    store = talk(reply_timeout=30)
    events, stream = store.events("stream_reply", "c", "one", turn_id="t1", stop_after=2)
    assert len(events) == 2
    _, answer = store.messages("c")
    assert "Two tides a day".startswith(answer.text)
    assert answer.text.startswith(stream.so_far.text)
    assert (answer.id, answer.status) == ("t1", "failed")


def test_a_stream_that_is_left_behind_its_last_word_is_stored_whole(talk, model):
    model.answers(streaming([*says("Two tides"), STOP], "stall"))
    store = talk(reply_timeout=30)
    store.events("stream_reply", "c", "one", turn_id="t1", stop_after=2)
    model.answers(streamed([*says("Two tides"), STOP, usage(1, 2)]))
    store.events("stream_reply", "c", "two", turn_id="t2", stop_after=3)
    answers = [each for each in store.messages("c") if each.role == "assistant"]
    assert [each.id for each in answers] == ["t1", "t2"]
    assert answers[1].text == "Two tides"


def test_a_cancelled_reply_keeps_what_had_come(model, target):
    model.answers(streaming(says("Two tides a day"), "stall"))

    async def cancelling():
        async with aopen(target, model) as store:
            begun = asyncio.Event()

            async def reading():
                async with store.stream_reply("c", "one", turn_id="t1") as stream:
                    async for _ in stream:
                        begun.set()

            task = asyncio.create_task(reading())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return [each async for each in store.messages("c")]

    question, answer = asyncio.run(cancelling())
    assert (question.text, answer.id, answer.status) == ("one", "t1", "failed")
    assert answer.text


def aopen(target, model, **options):
    adapter = ModelAdapter(
        open_adapter(target), ModelOptions(url=model.url, model="parrot", **options)
    )
    return convostore.AsyncConversationStore(adapter, adapter.async_transport())


# Finding again


def test_a_reply_that_is_being_made_is_a_conflict_until_it_is_there(talk, model, target):
    asked, go_on = threading.Event(), threading.Event()

    def answer(request):
        asked.set()
        assert go_on.wait(60)
        return parrot(request)

    model.answer = answer
    store = talk()
    asking = threading.Thread(target=lambda: talk().reply("c", "one", turn_id="t1"))
    asking.start()
    assert asked.wait(60)
    with pytest.raises(convostore.ConflictError, match="still being generated"):
        store.get_reply("c", "t1")
    go_on.set()
    asking.join()
    assert store.get_reply("c", "t1").text == "You said: one"


def test_a_question_that_nobody_answers_any_more_has_failed(talk, target):
    with convostore.open(target) as plain:
        plain.create_conversation(id="c")
        for name, created_at in (("t1", "2020-01-01T00:00:00Z"), ("t2", None)):
            asked = Message(id=f"{name}-question", role="user", created_at=created_at)
            plain.append_messages("c", [asked], after=convostore.ANY)
    store = talk()
    for name in ("t1", "t2"):
        with pytest.raises(convostore.UnavailableError, match="never came") as caught:
            store.get_reply("c", name)
        assert not caught.value.retryable


def test_a_reply_is_found_in_a_long_conversation_and_without_its_question(talk, target):
    store = talk()
    reply = store.reply("c", "one", turn_id="t1")
    with convostore.open(target) as plain:
        more = [Message(role="other") for _ in range(250)]
        plain.append_messages("c", more, after=convostore.ANY)
    found = store.get_reply("c", "t1")
    assert found.message.portable() == reply.message.portable()
    assert found.question.id == "t1-question"
    store.delete_message("c", "t1-question")
    assert store.get_reply("c", "t1").question is None


# The store itself


def test_everything_else_is_the_stores_own(target):
    inner = open_adapter(target)
    adapter = ModelAdapter(inner, ModelOptions(url=NOWHERE))
    assert (adapter.name, adapter.label, adapter.traits) == (inner.name, inner.label, inner.traits)
    assert adapter.offers == inner.offers | {"reply", "stream_reply", "get_reply"}
    assert open_answered(inner, NOWHERE).reply_options == {
        "context",
        "model",
        "temperature",
        "top_p",
        "max_tokens",
    }


def test_cursors_are_those_of_the_store(target, tmp_path):
    with convostore.open(target) as plain:
        for number in range(3):
            plain.create_conversation(id=str(number))
        page = plain.list_conversations(limit=1)
        with open_answered(target, NOWHERE) as store:
            assert store.list_conversations(limit=1) == page
            assert store.list_conversations(limit=9, cursor=page.cursor).items


def test_a_store_that_answers_by_itself_has_none_of_its_own_replies_left():
    echo = open_adapter("echo://")
    adapter = ModelAdapter(echo, ModelOptions(url=NOWHERE))
    assert Operation.ANSWER in echo.offers
    gone = {Operation.ANSWER, Operation.STREAM_ANSWER, Operation.RESUME_REPLY}
    assert adapter.offers == echo.offers - gone


@pytest.mark.parametrize(
    "dsn", ["perplexica+http://localhost:1", "fastgpt+http://localhost:1?api_key=x&app_id=y"]
)
def test_a_store_that_cannot_append_is_refused_when_it_is_opened(dsn):
    with pytest.raises(convostore.ConfigError, match="append_messages"):
        open_answered(dsn, NOWHERE)


@pytest.mark.parametrize(
    "url", ["", "localhost:11434/v1", "ftp://localhost/v1", "http://", "http://me:pw@localhost/v1"]
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(convostore.ConfigError, match="url") as caught:
        open_answered("memory://", url)
    assert "pw" not in str(caught.value)


def test_an_unknown_option_is_refused():
    with pytest.raises(convostore.ConfigError, match="history_messages"):
        open_answered("memory://", NOWHERE, history_message=3)


def test_the_key_shows_nowhere():
    adapter = ModelAdapter(open_adapter("memory://"), ModelOptions(url=NOWHERE, api_key=KEY))
    store = open_answered(open_adapter("memory://"), NOWHERE, api_key=KEY)
    shown = f"{adapter.options!r} {adapter.options} {store!r} {store.label} {adapter.dsn}"
    assert "sesame" not in shown


def test_a_key_in_the_address_shows_nowhere_and_is_sent(talk, model):
    model.answers(refusal(401, {"error": {"message": f"the key {KEY} is none"}}))
    store = talk(f"{model.url}?key={KEY}&version=2")
    with pytest.raises(convostore.AuthError) as caught:
        store.reply("c", "one", turn_id="t1")
    assert model.paths[-1][1] == (("key", KEY), ("version", "2"))
    shown = f"{caught.value!r} {caught.value.detail} {ModelOptions(url=f'{NOWHERE}?key={KEY}')!r}"
    assert "sesame" not in shown


def test_a_closed_store_asks_nothing(model, target):
    store = open_answered(target, model.url, model="parrot")
    store.close()
    store.close()
    with pytest.raises(convostore.InvalidError, match="closed"):
        store.reply(None, "one")
    assert model.asked == []


def test_closing_ends_the_connections_to_the_model(model, target):
    with open_answered(target, model.url, model="parrot") as store:
        model.answers(refusal(429, {}))  # it is read whole, and its connection kept
        with pytest.raises(convostore.RateLimitError):
            store.reply(None, "one")
        assert not model.server.is_left()
    assert model.server.wait_until(model.server.is_left, seconds=60)


def test_turns_go_over_one_connection(talk, model):
    store = talk()
    before = model.server.connections
    for _ in range(3):
        store.reply(None, "one")
    assert model.server.connections == before + 1
