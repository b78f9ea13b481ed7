"""What models' servers answer, in all their spellings: the events, and when it is an error."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.models import DONE, STOP, chunk, event, says, usage

from convostore.adapters import ReplyAccumulator
from convostore.errors import ProtocolError, RateLimitError, UnavailableError
from convostore.models import OtherEvent, ReasoningPart, TextPart, ToolCallPart, Usage
from convostore.testing.strategies import json_values
from convostore_openai.decoder import ChatCompletionDecoder


def read(*chunks: bytes):
    """The events of an answer's pieces, the draft that they make, and who read them."""
    decoder, draft, events = ChatCompletionDecoder("asked"), ReplyAccumulator(), []
    try:
        for each in [*[decoder.feed(piece) for piece in chunks], decoder.close()]:
            for told in each:
                draft.add(told)
                events.append(told)
    finally:
        assert decoder.accumulator.parts == draft.parts
    return events, draft, decoder


def parts_of(*chunks: bytes) -> tuple:
    return read(*chunks)[1].parts


def whole(message: object, finish_reason: str | None = "stop", **rest: object) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return json.dumps({"id": "1", "choices": [choice], "model": "parrot-2"} | rest).encode()


STREAM = b"".join(
    [
        b": welcome\n\n",
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "Hm 🤔"}),
        *says("Two tides a day 潮."),
        STOP,
        usage(3, 5),
        DONE,
    ]
)


def test_a_stream_says_what_the_model_thinks_and_says_and_what_it_cost():
    events, draft, decoder = read(STREAM)
    assert draft.parts == (ReasoningPart(text="Hm 🤔"), TextPart(text="Two tides a day 潮."))
    assert draft.usage == Usage(input_tokens=3, output_tokens=5)
    assert not [each for each in events if isinstance(each, OtherEvent)]
    message = decoder.answer("t")
    assert (message.id, message.status, message.model) == ("t", "complete", "parrot-2")
    assert message.parts == draft.parts
    assert message.raw == {
        "id": "chatcmpl-1",
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 3, "completion_tokens": 5},
    }


@given(st.lists(st.integers(0, len(STREAM)), max_size=12), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_it_does_not_matter_how_a_stream_is_cut(cuts, newline):
    content = STREAM.replace(b"\n", newline)
    places = [0, *sorted(min(each, len(content)) for each in cuts), len(content)]
    pieces = [content[at:to] for at, to in pairwise(places)]
    assert parts_of(*pieces) == parts_of(STREAM)


def test_a_stream_byte_by_byte_is_the_same():
    assert parts_of(*[bytes([each]) for each in STREAM]) == parts_of(STREAM)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_has_two_spellings(name):
    assert parts_of(chunk({name: "Hm"}), STOP) == (ReasoningPart(text="Hm"),)


def test_content_may_be_a_list_of_pieces():
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}
    content = [thinking, {"type": "text", "text": "Two."}]
    assert parts_of(chunk({"content": content}), STOP) == (
        ReasoningPart(text="Hm"),
        TextPart(text="Two."),
    )


def test_a_piece_that_has_no_word_is_an_event_of_its_own():
    events, draft, _ = read(chunk({"content": [{"type": "odd", "x": 1}]}), STOP)
    assert [each.data for each in events if isinstance(each, OtherEvent)] == [
        {"type": "odd", "x": 1}
    ]
    assert draft.parts == ()


def test_a_refusal_is_what_the_model_says():
    assert parts_of(chunk({"content": None, "refusal": "No."}), STOP) == (TextPart(text="No."),)


def call(index: int | None, call_id: str | None, name: str | None, arguments: object) -> dict:
    function = {"name": name, "arguments": arguments}
    found = {"index": index, "id": call_id, "type": "function", "function": function}
    return {name: value for name, value in found.items() if value is not None}


def test_calls_of_tools_arrive_in_pieces_by_their_places():
    parts = parts_of(
        chunk({"tool_calls": [call(0, "call_a", "look", "")]}),
        chunk({"tool_calls": [call(0, None, None, '{"at":')]}),
        chunk({"tool_calls": [call(1, "call_b", "ask", "{}")]}),
        chunk({"tool_calls": [call(0, None, None, " 1}")]}),
        chunk({}, "tool_calls"),
    )
    assert parts == (
        ToolCallPart(id="call_a", name="look", arguments='{"at": 1}'),
        ToolCallPart(id="call_b", name="ask", arguments="{}"),
    )


def test_whole_calls_without_places_stay_apart():
    both = [call(None, "a", "look", {"at": 1}), call(None, "b", "ask", "{}")]
    expected = (
        ToolCallPart(id="a", name="look", arguments='{"at":1}'),
        ToolCallPart(id="b", name="ask", arguments="{}"),
    )
    assert parts_of(chunk({"tool_calls": both}), STOP) == expected
    one_by_one = [chunk({"tool_calls": [each]}) for each in both]
    assert parts_of(*one_by_one, STOP) == expected


def test_a_call_without_an_id_gets_one():
    (part,) = parts_of(chunk({"tool_calls": [call(0, None, "look", "{}")]}), STOP)
    assert part.id
    assert part.name == "look"


@pytest.mark.parametrize("shape", [None, 7, "x", [], {"function": 3}])
def test_a_call_of_another_shape_stays_whole(shape):
    events, draft, _ = read(chunk({"tool_calls": [shape]}), STOP)
    assert [each.data for each in events if isinstance(each, OtherEvent)] == [shape]
    assert draft.parts == ()


def test_a_reason_to_finish_holds_whatever_comes_behind_it():
    _, _, decoder = read(*says("Two"), chunk({}, "length"), chunk({"content": ""}), DONE)
    assert decoder.finish_reason == "length"
    assert decoder.answer("t").status == "failed"


@pytest.mark.parametrize("wrong", [True, -1, 1.5, "3", None, [3], 1e999])
def test_a_cost_that_is_no_number_of_tokens_is_not_known(wrong):
    _, draft, _ = read(usage(wrong, 5), DONE)
    assert draft.usage == Usage(output_tokens=5)


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_an_answer_that_was_cut_short_is_marked(reason):
    *_, decoder = read(*says("Two"), chunk({}, reason), DONE)
    message = decoder.answer("t")
    assert (message.text, message.status) == ("Two", "failed")
    assert message.raw["finish_reason"] == reason


@pytest.mark.parametrize("end", [STOP, DONE, DONE.strip(), STOP.strip()])
def test_a_reason_to_finish_or_an_end_mark_is_an_end(end):
    assert parts_of(*says("Two"), end) == (TextPart(text="Two"),)


@pytest.mark.parametrize("end", [b"", b"data: {", usage(1, 1), b"\n\n", b": bye\n\n"])
def test_a_stream_with_neither_broke_off(end):
    with pytest.raises(UnavailableError, match="cut off") as caught:
        read(*says("Two"), end)
    assert caught.value.retryable


def test_no_answer_at_all_broke_off():
    with pytest.raises(UnavailableError, match="cut off"):
        read()
    with pytest.raises(UnavailableError, match="cut off"):
        read(b" \n", b"\n")


def test_an_answer_may_come_whole_though_a_stream_was_asked_for():
    calls = [{"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}]
    message = {"role": "assistant", "content": "Two.", "reasoning": "Hm", "tool_calls": calls}
    body = whole(message, usage={"prompt_tokens": 1, "completion_tokens": 2})
    for pieces in ([body], [b"\xef\xbb\xbf \n", body[:9], body[9:]]):
        _, draft, decoder = read(*pieces)
        assert draft.parts == (
            ReasoningPart(text="Hm"),
            TextPart(text="Two."),
            ToolCallPart(id="a", name="look", arguments="{}"),
        )
        assert draft.usage == Usage(input_tokens=1, output_tokens=2)
        assert decoder.answer("t").status == "complete"


def test_a_whole_answer_needs_no_reason_to_finish():
    assert parts_of(whole({"content": "Two."}, None)) == (TextPart(text="Two."),)


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b'{"choices": []}', b'{"half', b"<!DOCTYPE html><html></html>"]
)
def test_what_is_no_completion_is_a_protocol_error(body):
    with pytest.raises(ProtocolError):
        read(body)


def test_a_frame_that_is_no_json_is_a_protocol_error_with_its_beginning():
    with pytest.raises(ProtocolError) as caught:
        read(*says("Two"), b"data: \xff\xfe{oops\n\n", STOP)
    assert "oops" in caught.value.excerpt


ERRORS = [
    event({"error": {"message": "out of memory", "type": "server_error"}}),
    event({"error": "out of memory"}),
    event({"object": "error", "message": "out of memory", "code": 500}),
    b'event: error\ndata: {"error": {"message": "out of memory"}}\n\n',
    b'event: error\ndata: {"message": "out of memory"}\n\n',
    b"event: error\ndata: out of memory\n\n",
    event({"choices": [{"delta": {}, "finish_reason": "error"}], "error": {"message": "out of"}}),
]


@pytest.mark.parametrize("frame", ERRORS)
def test_an_error_in_the_stream_is_the_models_failure(frame):
    with pytest.raises(UnavailableError, match="the model failed: out of") as caught:
        read(*says("Two"), frame, DONE)
    assert caught.value.detail.startswith("out of")
    assert not caught.value.retryable


@pytest.mark.parametrize(
    "kind",
    [
        {"code": 429},
        {"code": "429"},
        {"status": 429},
        {"type": "rate_limit_error"},
        {"type": "tokens", "code": "rate_limit_exceeded"},
    ],
)
def test_a_limit_in_the_stream_is_a_limit(kind):
    with pytest.raises(RateLimitError, match="slow"):
        read(event({"error": {"message": "slow"} | kind}))


def test_an_error_that_comes_whole_is_the_models_failure():
    with pytest.raises(UnavailableError, match="the model failed: no"):
        read(b'{"error": {"message": "no"}}')


def test_what_a_server_sends_beside_the_answer_is_kept_as_it_is():
    filters = {"object": "", "choices": [], "prompt_filter_results": [1]}
    events, draft, _ = read(event(filters), *says("Two"), STOP)
    assert [each.data for each in events if isinstance(each, OtherEvent)] == [filters]
    assert draft.parts == (TextPart(text="Two"),)


@given(json_values())
def test_a_chunk_may_hold_anything(value):
    frames = [
        event({"choices": value}),
        event({"choices": [value]}),
        chunk(value),
        chunk({"content": value, "reasoning": value}),
        chunk({"tool_calls": value}),
        chunk({"tool_calls": [{"id": value, "index": value, "function": value}]}),
        event({"usage": value, "model": value, "id": value}),
        event([value]),
    ]
    for frame in frames:
        *_, decoder = read(frame, *says("Two"), STOP)
        assert decoder.answer("t").text.endswith("Two")
