"""Turns and answers of both faces: checked before anything leaves, with ids chosen beforehand."""

import pytest

from convostore import (
    DSN,
    ConflictError,
    FilePart,
    InvalidError,
    Message,
    NotFoundError,
    ReasoningPart,
    TextPart,
    UnavailableError,
    UnsupportedError,
)
from convostore.adapters import AdapterOptions
from convostore.adapters.echo import EchoAdapter
from convostore.adapters.memory import MemoryAdapter
from convostore.models import Reply
from convostore.testing import FACES, StoreFace

from ..support.streams import WHOLE, Scripted, Service, heard

SECRET = "sk-0123456789"


@pytest.fixture(params=FACES)
def face(request):
    with StoreFace(request.param) as face:
        yield face


class Choosy(Scripted):
    """Takes a model's name and a temperature with a turn; keeps the turns and answers it gets."""

    class ReplyOptions(AdapterOptions):
        model: str = "small"
        temperature: float = 0.5

    def __init__(self, service):
        super().__init__(service)
        self.turns, self.answers = [], []

    def stream_reply(self, turn):
        self.turns.append(turn)
        return (yield from super().stream_reply(turn))

    def stream_answer(self, answer):
        self.answers.append(answer)
        yield "begin"
        return Reply(
            conversation_id=answer.conversation_id,
            turn_id="t",
            message=Message(role="assistant", parts=()),
        )

    def get_reply(self, conversation_id, turn_id):
        yield "get"

    def resume_reply(self, conversation_id, turn_id):
        raise NotFoundError(f"{conversation_id}, {turn_id}")
        yield


class Native(Choosy):
    """Answers whole, without a stream."""

    def reply(self, turn):
        self.turns.append(turn)
        yield "whole"
        message = Message(role="assistant", parts=turn.content)
        return Reply(conversation_id=turn.conversation_id, turn_id=turn.turn_id, message=message)

    def answer(self, answer):
        self.answers.append(answer)
        yield "whole"
        message = Message(role="assistant", parts=())
        return Reply(conversation_id=answer.conversation_id, turn_id="t", message=message)


@pytest.fixture
def service():
    return Service(*WHOLE)


@pytest.fixture
def adapter(service):
    return Choosy(service)


def echo():
    return EchoAdapter(DSN.parse("echo://"), EchoAdapter.Options())


# What is sent.


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("hi", (TextPart(text="hi"),)),
        ("", (TextPart(text=""),)),
        ([TextPart(text="look")], (TextPart(text="look"),)),
        (
            (TextPart(text="look"), FilePart(url="https://h/a.png")),
            (TextPart(text="look"), FilePart(url="https://h/a.png")),
        ),
    ],
)
def test_a_turn_is_a_text_or_texts_and_files(face, adapter, content, parts):
    face.run(face.open(adapter).reply("c", content))
    (turn,) = adapter.turns
    assert (turn.conversation_id, turn.content) == ("c", parts)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "content must be"),
        ([], "content must be"),
        (b"hi", "content must be"),
        (7, "content must be"),
        (TextPart(text="hi"), r"pass \[part\]"),
        (FilePart(name="a"), r"pass \[part\]"),
        (["hi"], "got str"),
        ([TextPart(text="hi"), ReasoningPart(text="Hm.")], "got ReasoningPart"),
        ((each for each in [TextPart(text="hi")]), "content must be"),
    ],
)
def test_another_content_is_refused_before_anything_is_sent(
    face, adapter, service, content, complaint
):
    store = face.open(adapter)
    with pytest.raises(InvalidError, match=complaint) as caught:
        face.run(store.reply("c", content))
    assert (caught.value.adapter, caught.value.operation) == ("scripted", "reply")
    with pytest.raises(InvalidError, match=complaint) as caught:
        store.stream_reply("c", content)
    assert (caught.value.adapter, caught.value.operation) == ("scripted", "stream_reply")
    assert caught.value.partial is None
    assert service.asked == []


def test_the_ids_are_chosen_where_none_are_given(face, adapter):
    store = face.open(adapter)
    streams = [store.stream_reply(None, "hi") for _ in range(2)]
    for stream in streams:
        face.run(heard(stream))
    assert [(turn.conversation_id, turn.turn_id) for turn in adapter.turns] == [
        (each.conversation_id, each.turn_id) for each in streams
    ]
    assert len({each.conversation_id for each in streams}) == 2
    assert len({each.turn_id for each in streams}) == 2


def test_the_ids_that_are_given_are_sent(face, adapter):
    reply = face.run(face.open(adapter).reply("mine", "hi", turn_id="this"))
    assert (reply.conversation_id, reply.turn_id) == ("mine", "this")
    (turn,) = adapter.turns
    assert (turn.conversation_id, turn.turn_id) == ("mine", "this")


@pytest.mark.parametrize("no_id", ["", 7, b"c"])
def test_what_is_no_id_is_refused_before_anything_is_sent(face, adapter, service, no_id):
    store = face.open(adapter)
    calls = [
        lambda: store.stream_reply(no_id, "hi"),
        lambda: store.stream_reply("c", "hi", turn_id=no_id),
        lambda: store.stream_answer(no_id, "a"),
        lambda: store.resume_reply(no_id, "t"),
        lambda: store.resume_reply("c", no_id),
        lambda: face.run(store.get_reply(no_id, "t")),
        lambda: face.run(store.get_reply("c", no_id)),
    ]
    for call in calls:
        with pytest.raises(InvalidError, match="an id must be") as caught:
            call()
        assert caught.value.adapter == "scripted"
    assert service.asked == []


def test_the_options_of_a_turn_are_the_adapters(face, adapter):
    store = face.open(adapter)
    face.run(store.reply("c", "hi", model="large"))
    face.run(store.answer("c", "a", temperature=1))
    (turn,), (answer,) = adapter.turns, adapter.answers
    assert (turn.options.model, turn.options.temperature) == ("large", 0.5)
    assert (answer.options.model, answer.options.temperature) == ("small", 1.0)


def test_a_wrong_option_is_refused_by_name_and_without_its_value(face, adapter, service):
    store = face.open(adapter)
    with pytest.raises(InvalidError, match=r"no option 'modle': did you mean 'model'\?"):
        store.stream_reply("c", "hi", modle="large")
    with pytest.raises(InvalidError, match="the option 'temperature' must be a number") as caught:
        store.stream_answer("c", "a", temperature=SECRET)
    assert SECRET not in str(caught.value)
    assert caught.value.operation == "stream_answer"
    assert service.asked == []


def test_an_adapter_without_options_takes_none(face):
    with pytest.raises(InvalidError, match="no option 'model': there are none"):
        face.open(echo()).stream_reply("c", "hi", model="large")


@pytest.mark.parametrize("answer", ["a", {"name": "Ann", "age": 7}, {}])
def test_an_interaction_is_answered_by_a_value_or_by_fields(face, adapter, answer):
    face.run(face.open(adapter).answer("c", answer))
    assert adapter.answers[0].answer == answer


@pytest.mark.parametrize("answer", [None, 7, ["a"], {1: "a"}, b"a"])
def test_another_answer_is_refused_before_anything_is_sent(face, adapter, service, answer):
    with pytest.raises(InvalidError, match="answer must be the value of an option") as caught:
        face.open(adapter).stream_answer("c", answer)
    assert caught.value.operation == "stream_answer"
    assert service.asked == []


def test_what_the_caller_changes_later_is_not_sent(face, adapter):
    store = face.open(adapter)
    content, filled = [TextPart(text="hi")], {"name": "Ann"}
    turn, answer = store.stream_reply("c", content), store.stream_answer("c", filled)
    content.clear()
    filled.clear()
    face.run(heard(turn))
    face.run(heard(answer))
    assert adapter.turns[0].content == (TextPart(text="hi"),)
    assert adapter.answers[0].answer == {"name": "Ann"}


# Which operation of the adapter's carries it out.


def test_a_whole_reply_is_streamed_where_the_adapter_only_streams(face, adapter, service):
    reply = face.run(face.open(adapter).reply("c", "hi"))
    assert reply.text == "one two three "
    assert service.asked == ["begin", "open", "finish"]


def test_a_whole_reply_is_not_streamed_where_the_adapter_has_its_own(face, service):
    adapter = Native(service)
    store = face.open(adapter)
    assert face.run(store.reply("c", "hi", turn_id="t")).text == "hi"
    face.run(store.answer("c", "a"))
    assert service.asked == ["whole", "whole"]
    face.run(heard(store.stream_reply("c", "hi")))
    face.run(heard(store.stream_answer("c", "a")))
    assert service.asked == ["whole", "whole", "begin", "open", "finish", "begin"]


def test_what_the_adapter_does_not_offer_is_refused_before_anything_is_sent(face):
    store = face.open(MemoryAdapter(DSN.parse("memory://"), MemoryAdapter.Options()))
    calls = {
        "stream_reply": lambda: store.stream_reply("c", "hi"),
        "reply": lambda: face.run(store.reply("c", "hi")),
        "stream_answer": lambda: store.stream_answer("c", "a"),
        "answer": lambda: face.run(store.answer("c", "a")),
        "resume_reply": lambda: store.resume_reply("c", "t"),
        "get_reply": lambda: face.run(store.get_reply("c", "t")),
    }
    for operation, call in calls.items():
        assert not store.offers(operation)
        with pytest.raises(UnsupportedError, match=f"memory does not offer {operation}") as caught:
            call()
        assert caught.value.operation == operation


def test_an_adapter_that_streams_offers_whole_replies(face):
    store = face.open(echo())
    for operation in ("reply", "stream_reply", "answer", "stream_answer", "get_reply"):
        assert store.offers(operation)

    class Whole(MemoryAdapter):
        def reply(self, turn):
            yield

    assert "reply" in Whole.offers
    assert "stream_reply" not in Whole.offers


def test_an_instance_may_offer_less(face, adapter, service):
    adapter.offers -= {"stream_reply"}
    with pytest.raises(UnsupportedError):
        face.open(adapter).stream_reply("c", "hi")
    assert service.asked == []


def test_an_error_names_the_operation_that_was_called(face, adapter):
    store = face.open(adapter)
    with pytest.raises(NotFoundError) as caught:
        face.run(heard(store.resume_reply("c", "t")))
    assert caught.value.operation == "resume_reply"
    assert (caught.value.partial.conversation_id, caught.value.partial.turn_id) == ("c", "t")


# A whole conversation, with the adapter that answers.


@pytest.mark.parametrize("text", ["choose", "choose ", "fill in", "fill in "])
def test_an_echo_asks_nothing_that_could_not_be_answered(face, text):
    reply = face.run(face.open(echo()).reply(None, text))
    assert reply.interaction is None
    assert reply.text == f"You said: {text}"


def test_a_turn_begins_a_conversation_and_the_next_goes_on_in_it(face):
    async def main():
        store = face.open(echo())
        first = await store.reply(None, "hello")
        assert first.text == "You said: hello"
        assert first.question.text == "hello"
        second = await store.reply(first.conversation_id, "again")
        messages = [each async for each in store.messages(first.conversation_id)]
        assert [each.id for each in messages] == [
            first.question.id,
            first.message.id,
            second.question.id,
            second.message.id,
        ]
        assert await store.get_reply(first.conversation_id, first.turn_id) == first

    face.run(main())


def test_an_interaction_is_asked_answered_and_over(face):
    async def main():
        store = face.open(echo())
        asked = await store.reply(None, "choose tea coffee")
        assert [each.value for each in asked.interaction.options] == ["tea", "coffee"]
        with pytest.raises(InvalidError, match="one of the options"):
            await store.answer(asked.conversation_id, "milk")
        async with store.stream_answer(asked.conversation_id, "tea") as stream:
            said = [event.text async for event in stream if event.kind == "text_delta"]
        assert "".join(said) == "You said tea."
        assert stream.reply.interaction is None
        assert stream.reply.message.id == asked.message.id
        assert stream.reply.message.parts[0].answer == "tea"
        with pytest.raises(ConflictError, match="no question is open"):
            await store.answer(asked.conversation_id, "coffee")
        with pytest.raises(NotFoundError):
            await store.answer("elsewhere", "tea")

    face.run(main())


def test_a_form_is_filled_in_by_key(face):
    async def main():
        store = face.open(echo())
        asked = await store.reply("c", "fill in name age")
        assert [each.key for each in asked.interaction.fields] == ["name", "age"]
        with pytest.raises(InvalidError, match=r"fields of the form \(age, name\), got name"):
            await store.answer("c", {"name": "Ann"})
        done = await store.answer("c", {"name": "Ann", "age": 7})
        assert done.text == "You said name is Ann, age is 7."

    face.run(main())


def test_a_turn_is_looked_for_by_the_ids_of_the_error_that_ended_its_reply(face):
    async def main():
        store = face.open(echo())
        with pytest.raises(UnavailableError, match="broke off") as caught:
            await heard(store.stream_reply("c", "fail"))
        partial = caught.value.partial
        with pytest.raises(UnavailableError, match="failed"):
            await store.get_reply(partial.conversation_id, partial.turn_id)
        with pytest.raises(NotFoundError, match="no turn 'never'"):
            await store.get_reply("c", "never")

    face.run(main())


def test_the_reply_of_a_stream_that_was_left_is_there_to_be_read(face):
    async def main():
        store = face.open(echo())
        async with store.stream_reply(None, "hello there") as stream:
            await anext(stream)
        reply = await store.get_reply(stream.conversation_id, stream.turn_id)
        assert reply.text == "You said: hello there"
        async with store.resume_reply(stream.conversation_id, stream.turn_id) as again:
            assert [event.kind async for event in again][-1] == "reply_finished"
        assert again.reply == reply

    face.run(main())
