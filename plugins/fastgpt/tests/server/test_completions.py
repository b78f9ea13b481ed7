"""Completions over a store that answers: what is sent to it, and how its replies are given."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest
from tests.support.cases import for_each

from convostore.adapters import AdapterOptions, Turn
from convostore.adapters.echo import EchoAdapter
from convostore.flow import Flow
from convostore.models import (
    Feedback,
    FilePart,
    InteractionField,
    InteractionOption,
    InteractionPart,
    InteractionRequested,
    ReasoningDelta,
    TextDelta,
    TextPart,
)
from convostore_fastgpt.server.parse_turn import parse_answer

from ..support.dialects import APP, V1, V2, Served, refusal, user
from ..support.streams import outcome_of

BOTH = for_each("path", [V1, V2])
FAILED = "The answer could not be made."


class _Taken(AdapterOptions):
    context: tuple[dict[str, Any], ...] | None = None
    model: str | None = None
    temperature: float | None = None
    variables: dict[str, Any] | None = None
    retain_citations: bool | None = None


class Telling(EchoAdapter):
    """An echo that takes options, and keeps what the last turn had."""

    name: ClassVar[str] = "telling"
    ReplyOptions = _Taken
    turns: ClassVar[list[Turn]] = []

    def stream_reply(self, turn: Turn) -> Flow[Any, Any, Any]:
        self.turns[:] = [turn]
        return super().stream_reply(turn)


@pytest.fixture
def served() -> Served:
    return Served("echo")


@pytest.fixture
def telling() -> Served:
    return Served("echo", Telling)


def message_of(completion):
    return completion["choices"][0]["message"]


def streamed(served, text, path=V1, **fields):
    response = served.ask(path, {"messages": [user(text)], "stream": True} | fields)
    assert (response.status, response.media_type) == (200, "text/event-stream")
    return outcome_of([response.content])


def stored(served, chat_id="c"):
    return list(served.store.messages(chat_id))


# Turns


@BOTH
@for_each("detail", [False, True, None])
def test_a_whole_answer_is_an_object_without_an_envelope(path, detail):
    served = Served("echo")
    completion = served.complete("hi", path, chatId="c", detail=detail)
    assert completion["id"] == "c"
    assert completion["choices"] == [
        {
            "message": {"role": "assistant", "content": "You said: hi"},
            "finish_reason": "stop",
            "index": 0,
        }
    ]
    assert completion["usage"] == {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 1}
    assert ("responseData" in completion) is (detail is True)
    assert [item.text for item in stored(served)] == ["hi", "You said: hi"]


@BOTH
@for_each("detail", [False, True])
def test_a_streamed_answer_is_decoded_to_what_is_stored(path, detail):
    served = Served("echo")
    events, error = streamed(served, "think of it", path, chatId="c", detail=detail)
    assert error is None
    thought = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert [part.text for part in stored(served)[1].parts] == [thought, text]
    assert len(events) > 2


@for_each("chat_id", [{}, {"chatId": None}, {"chatId": ""}])
def test_without_a_conversation_one_is_made_and_told(chat_id):
    served = Served("echo")
    made = served.complete("hi", **chat_id)["id"]
    assert [conversation.id for conversation in served.store.conversations()] == [made]


def test_with_a_conversation_only_the_last_message_counts(served):
    said = [{"role": "system", "content": "be kind"}, user("one"), user("two")]
    response = served.ask(V1, {"messages": said, "chatId": "c"})
    assert message_of(json.loads(response.content))["content"] == "You said: two"


def test_messages_before_the_last_one_are_the_context_where_the_store_takes_it(telling):
    said = [{"role": "system", "content": "be kind"}, user("one"), user("two")]
    assert telling.ask(V1, {"messages": said}).status == 200
    (turn,) = Telling.turns
    assert turn.content == (TextPart(text="two"),)
    assert list(turn.options.context) == said[:-1]


def test_messages_that_a_store_would_not_see_are_refused(served):
    response = served.ask(V1, {"messages": [user("one"), user("two")]})
    assert refusal(response)[:2] == (501, 501)
    assert "chatId" in refusal(response)[2]
    assert list(served.store.conversations()) == []


def test_the_clients_id_is_that_of_the_turn(served):
    completion = served.complete("hi", chatId="c", responseChatItemId="turn-1")
    assert completion["id"] == "c"
    assert served.store.get_reply("c", "turn-1").text == "You said: hi"


@for_each("data_id", ["turn-1", "turn-1/answer"])
def test_an_answer_is_found_by_its_own_id_and_by_that_of_its_turn(data_id):
    served = Served("echo")
    served.complete("hi", chatId="c", responseChatItemId="turn-1")
    chat = {"chatId": "c", "dataId": data_id, "userGoodFeedback": "yes"}
    served.data("feedback/updateUserFeedback", chat)
    assert [item.feedback for item in stored(served)] == [None, Feedback(rating="good")]


def test_what_is_the_id_of_no_turn_finds_no_answer(served):
    served.complete("hi", chatId="c", responseChatItemId="turn-1")
    served.complete("fail", chatId="c", responseChatItemId="turn-2")
    for data_id in ("none", "turn-2"):
        body = {"appId": APP, "chatId": "c", "dataId": data_id}
        response = served.ask("/api/core/chat/feedback/updateUserFeedback", body)
        assert refusal(response)[2] == "Chat item not found"


def test_a_turn_that_was_sent_before_is_refused(served):
    served.complete("hi", chatId="c", responseChatItemId="turn-1")
    again = {"messages": [user("hello")], "chatId": "c", "responseChatItemId": "turn-1"}
    response = served.ask(V1, again)
    assert refusal(response) == (500, 500, "Chat dataId already exists: turn-1")
    assert len(stored(served)) == 2


def test_what_the_service_ignores_is_ignored(served):
    ignored = {"model": "gpt-4", "temperature": 0, "variables": {"uid": "u"}, "metadata": {"a": 1}}
    absent = {"stream": None, "detail": None, "customUid": None}
    assert served.complete("hi", chatId="c", **ignored, **absent)["id"] == "c"


def test_options_that_a_store_takes_are_passed_on(telling):
    telling.complete("hi", model="parrot", temperature=0.5, variables={"a": 1}, top_p=1)
    (turn,) = Telling.turns
    assert turn.options == _Taken(
        model="parrot", temperature=0.5, variables={"a": 1}, retain_citations=False
    )


def test_an_option_that_is_empty_is_none(telling):
    telling.complete("hi", model="", temperature=None)
    (turn,) = Telling.turns
    assert turn.options == _Taken(retain_citations=False)


def test_an_option_that_is_none_of_the_stores_kind_is_refused(telling):
    body = {"messages": [user("hi")], "temperature": "warm"}
    assert refusal(telling.ask(V1, body)) == (400, 400, "Data validation error")


def test_texts_and_files_are_parts_of_a_turn(telling):
    telling.complete(
        [
            {"type": "text", "text": "look"},
            {"type": "image_url", "image_url": {"url": "https://files.test/b.png"}},
            {"type": "file_url", "name": "a.pdf", "url": "https://files.test/a.pdf"},
        ]
    )
    (turn,) = Telling.turns
    assert turn.content == (
        TextPart(text="look"),
        FilePart(url="https://files.test/b.png", media_type="image/*"),
        FilePart(name="a.pdf", url="https://files.test/a.pdf"),
    )


@for_each(
    "last",
    [
        "text",
        None,
        {},
        {"role": "assistant", "content": "hi"},
        {"role": "user"},
        {"role": "user", "content": 5},
        {"role": "user", "content": []},
        {"role": "user", "content": ["hi"]},
        {"role": "user", "content": [{"type": "text"}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {}}]},
        {"role": "user", "content": [{"type": "file_url", "url": 5}]},
        {"role": "user", "content": [{"type": "input_audio"}]},
    ],
)
@for_each("stream", [False, True])
def test_a_last_message_that_is_none_of_a_users_is_refused(last, stream):
    served = Served("echo")
    response = served.ask(V1, {"messages": [last], "stream": stream})
    assert refusal(response) == (400, 400, "Data validation error")
    assert json.loads(response.content)["zodError"][0]["path"][:2] == ["messages", 0]


@for_each(
    "wrong",
    [
        {"chatId": 5},
        {"messages": "hi"},
        {"stream": "yes"},
        {"detail": 1},
        {"variables": []},
        {"responseChatItemId": 5},
        {"appId": "xyz"},
    ],
)
def test_fields_of_another_kind_are_refused(wrong):
    served = Served("echo")
    response = served.ask(V1, {"messages": [user("hi")]} | wrong)
    assert refusal(response) == (400, 400, "Data validation error")
    assert json.loads(response.content)["zodError"][0]["path"] == [*wrong]


@for_each("messages", [{}, {"messages": []}, {"messages": None}])
def test_a_turn_without_a_message_is_empty(messages):
    served = Served("echo")
    assert refusal(served.ask(V1, messages)) == (500, 500, "messages is empty")
    response = served.ask(V1, messages | {"stream": True})
    assert response.status == 200
    assert response.content == b'event: error\ndata: {"message":"messages is empty"}\n\n'


def test_what_is_not_to_be_stored_is_refused(served):
    body = {"messages": [user("hi")], "chatId": "NO_RECORD_HISTORIES"}
    assert refusal(served.ask(V1, body))[:2] == (501, 501)
    assert list(served.store.conversations()) == []


# Replies


def test_what_was_thought_stands_beside_the_answer(served):
    message = message_of(served.complete("think of it", detail=True))
    assert message["reasoning_content"] == "What was I told?"
    assert message["content"] == "You said: of it"


def test_a_run_that_failed_is_a_success_that_says_so(served):
    """As the service has it; and so that no client sends the turn once more."""
    completion = served.complete("fail", chatId="c")
    assert completion["error"] == FAILED
    assert message_of(completion)["content"] == "You said: fail"
    assert len(stored(served)) == 2
    (_, row) = served.data("getPaginationRecords", {"chatId": "c"})["list"]
    assert row["errorMsg"] == FAILED


@for_each("detail", [False, True])
def test_a_stream_that_breaks_off_ends_with_an_error(detail):
    served = Served("echo")
    response = served.ask(V1, {"messages": [user("fail")], "stream": True, "detail": detail})
    events, error = outcome_of([response.content])
    assert events
    assert error is not None
    assert b"[DONE]" not in response.content


# Interactions


@BOTH
def test_what_a_flow_asks_is_told_with_details_and_leaves_no_text_without(path):
    served = Served("echo")
    told = message_of(served.complete("choose tea coffee", path, detail=True, chatId="a"))
    (item,) = told["content"]
    assert ("type" in item) == (path == V1)
    options = item["interactive"]["params"]["userSelectOptions"]
    assert [option["value"] for option in options] == ["tea", "coffee"]
    bare = message_of(served.complete("choose tea coffee", path, chatId="b"))
    assert "content" not in bare


def test_what_a_flow_asks_is_an_event_of_its_stream(served):
    events, _ = streamed(served, "choose tea coffee", detail=True)
    assert [type(event) for event in events] == [InteractionRequested]


@for_each("stream", [False, True])
def test_the_next_message_answers_what_a_flow_asks(stream):
    served = Served("echo")
    served.complete("choose tea coffee", chatId="c")
    if stream:
        events, error = streamed(served, "tea", chatId="c")
        assert (error, "".join(event.text for event in events)) == (None, "You said tea.")
    else:
        assert message_of(served.complete("tea", chatId="c"))["content"] == "You said tea."
    question, answer = stored(served)
    asked = answer.parts[0]
    assert (question.text, asked.answered, asked.answer) == ("choose tea coffee", True, "tea")


FILLED = {"name": "Ada", "age": "36"}


@for_each("more", [{}, {"of older clients": "x"}])
def test_a_form_is_filled_in_by_an_object(more):
    served = Served("echo")
    served.complete("fill in name age", chatId="c")
    said = message_of(served.complete(json.dumps(FILLED | more), chatId="c"))["content"]
    assert said == "You said name is Ada, age is 36."


@for_each("text", ["no json", "[]", '{"name": "Ada"}'])
def test_a_form_that_is_not_filled_in_goes_on_waiting(text):
    served = Served("echo")
    served.complete("fill in name age", chatId="c")
    response = served.ask(V1, {"messages": [user(text)], "chatId": "c"})
    assert refusal(response) == (400, 400, "Data validation error")
    (part,) = stored(served)[1].parts
    assert isinstance(part, InteractionPart)
    assert not part.answered


def test_a_choice_that_is_none_is_refused_and_the_question_goes_on_waiting(served):
    served.complete("choose tea coffee", chatId="c")
    response = served.ask(V1, {"messages": [user("milk")], "chatId": "c", "stream": True})
    assert refusal(response) == (400, 400, "Data validation error")
    assert not stored(served)[1].parts[0].answered


def test_what_is_asked_elsewhere_makes_no_answer_of_a_turn(served):
    served.complete("choose tea coffee", chatId="a")
    assert message_of(served.complete("tea", chatId="b"))["content"] == "You said: tea"


def test_a_waiting_question_is_shown_in_the_records(served):
    served.complete("fill in name age", chatId="c")
    (_, row) = served.data("getPaginationRecords", {"chatId": "c", "appId": APP})["list"]
    form = row["value"][0]["interactive"]["params"]["inputForm"]
    assert [(item["key"], item["type"], item["label"]) for item in form] == [
        ("name", "input", "name"),
        ("age", "input", "age"),
    ]


FORM = InteractionPart(
    type="userInput",
    fields=(InteractionField(key="k1", label="Name"), InteractionField(key="k2", label="Age")),
)
QUESTIONS = InteractionPart(
    type="agentAsk",
    fields=(InteractionField(key="0", label="Who?"), InteractionField(key="1", label="Why?")),
)
CHOICE = InteractionPart(type="userSelect", options=(InteractionOption(value="tea"),))


@for_each(
    "asked, said, answer",
    [
        (FORM, '{"k1": "Ada", "k2": 36}', {"k1": "Ada", "k2": 36}),
        (FORM, '{"Name": "Ada", "Age": 36}', {"k1": "Ada", "k2": 36}),
        (FORM, '{"k1": "Ada", "Name": "other", "x": 1}', {"k1": "Ada"}),
        (FORM, "Ada", {}),
        (QUESTIONS, '{"answers": ["me", "so"]}', {"0": "me", "1": "so"}),
        (QUESTIONS, '{"answers": ["me"]}', {"0": "me"}),
        (QUESTIONS, '{"0": "me", "Why?": "so"}', {"0": "me", "1": "so"}),
        (CHOICE, "tea", "tea"),
        (CHOICE, (TextPart(text="tea"), FilePart(url="u")), "tea"),
        (InteractionPart(type="paymentPause"), "go on", "go on"),
    ],
)
def test_an_interaction_is_answered_by_what_is_said(asked, said, answer):
    assert parse_answer(asked, said) == answer
