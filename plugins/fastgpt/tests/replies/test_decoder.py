"""Streams to events: every recording, at every split of its bytes, and whatever else may come."""

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from tests.support.cases import for_each

from convostore.errors import (
    AuthError,
    ConflictError,
    InvalidError,
    NotFoundError,
    ProtocolError,
    StoreError,
    UnavailableError,
)
from convostore.models import (
    InteractionRequested,
    OtherEvent,
    ReasoningDelta,
    RunDetailsReported,
    RunStep,
    StatusChanged,
    TextDelta,
    TitleChanged,
    ToolCallArgumentsDelta,
    ToolCallStarted,
    ToolResultDelta,
    VariablesUpdated,
)
from convostore_fastgpt.replies.decoder import nest_steps

from ..support.streams import (
    answered,
    comparable,
    decoded,
    folded,
    outcome_of,
    refused,
    scenario_of,
    scenes,
    stored_parts,
    streams,
)

CHUNK = b'{"choices":[{"delta":{"role":"assistant","content":"Hi"},"index":0}]}'
DONE = b"event: answer\ndata: [DONE]\n\n"


def frame(data, name="answer"):
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    return b"event: %s\ndata: %s\n\n" % (name.encode(), text)


def chunk_of(text=None, reasoning=None):
    return {"choices": [{"delta": {"content": text, "reasoning_content": reasoning}}]}


def decode_frames(*frames, ended=True):
    """Return the events of a stream, which may not fail."""
    events, error = outcome_of([*frames, DONE] if ended else frames)
    assert error is None
    return events


def refusal(*frames):
    """Return the error that a stream ends in."""
    _, error = outcome_of(frames)
    assert error is not None
    return error


def compared(outcome):
    """Return an outcome that can be compared with another."""
    events, error = outcome
    return events, error and (type(error), str(error), error.detail, error.retryable)


def at(content, cuts):
    edges = [0, *sorted(cuts), len(content)]
    return [content[start:end] for start, end in pairwise(edges)]


# The recordings


def test_there_are_streams_of_both_versions_ways_and_details():
    kinds = {(item.version, item.path, item.params.get("detail")) for item in answered()}
    paths = ("/api/v1/chat/completions", "/api/v2/chat/completions")
    versions = ("v4.9.14", "v4.16.0")
    assert {(v, p, d) for v in versions for p in paths for d in (True, False)} <= kinds
    assert len(refused()) > 15
    assert {*map(str, answered()), *map(str, refused())} == {*map(str, streams())}


@for_each("exchange", scenes)
def test_what_came_in_pieces_equals_what_the_service_stored(exchange):
    events, _ = decoded(exchange)
    assert tuple(map(comparable, folded(events).parts)) == stored_parts(exchange)


@for_each("exchange", answered)
def test_a_stream_fails_if_its_run_did_and_it_tells_of_it(exchange):
    _, error = decoded(exchange)
    if scenario_of(exchange) != "llm_error" or not exchange.params["detail"]:
        assert error is None
        return
    assert isinstance(error, UnavailableError)
    assert not error.retryable
    assert "stub upstream exploded" in str(error)
    assert error.detail is not None


@for_each("exchange", refused)
def test_a_refusal_that_comes_as_an_event_is_the_error_it_would_be_elsewhere(exchange):
    events, error = decoded(exchange)
    assert events == []
    body = json.loads(exchange.content.partition(b"data: ")[2])
    kinds = {
        403: AuthError,
        514: AuthError,
        502001: AuthError,
        502000: NotFoundError,
        504001: ConflictError,
        "messages is empty": InvalidError,
        "messages is not array": InvalidError,
        "appId is empty": InvalidError,
        "app is empty": NotFoundError,
    }
    expected = kinds.get(body.get("code", body["message"]), StoreError)
    assert isinstance(error, expected)
    assert error.detail == body["message"][:200]
    assert "/chat/completions" in str(error)


@for_each("exchange", streams)
def test_a_stream_reads_the_same_byte_by_byte(exchange):
    bytes_alone = [exchange.content[place : place + 1] for place in range(len(exchange.content))]
    assert compared(decoded(exchange, bytes_alone)) == compared(decoded(exchange))


@for_each("exchange", streams)
def test_a_stream_reads_the_same_frame_by_frame_and_line_by_line(exchange):
    whole = compared(decoded(exchange))
    frames = [piece + b"\n\n" for piece in exchange.content.split(b"\n\n")]
    assert compared(decoded(exchange, frames)) == whole
    assert compared(decoded(exchange, exchange.content.splitlines(keepends=True))) == whole


@given(st.data())
def test_a_stream_reads_the_same_wherever_it_is_split(data):
    exchange = data.draw(st.sampled_from(streams()))
    content = exchange.content
    cuts = data.draw(st.lists(st.integers(0, len(content)), max_size=12))
    assert compared(decoded(exchange, at(content, cuts))) == compared(decoded(exchange))


@for_each("exchange", streams)
def test_a_stream_reads_the_same_whatever_its_lines_end_with(exchange):
    whole = compared(decoded(exchange))
    for end in (b"\r\n", b"\r"):
        content = exchange.content.replace(b"\n", end)
        assert compared(decoded(exchange, [content])) == whole
        assert compared(decoded(exchange, at(content, range(0, len(content), 7)))) == whole


@for_each("exchange", answered)
def test_a_stream_that_ends_before_its_end_mark_says_so_and_keeps_what_came(exchange):
    events, error = decoded(exchange)
    end = exchange.content.index(b"data: [DONE]")
    for cut in range(0, end, 11):
        some, broken = decoded(exchange, [exchange.content[:cut]])
        assert some == events[: len(some)]
        assert isinstance(broken, UnavailableError)
        assert "end mark" in str(broken) or str(broken) == str(error)


@for_each("exchange", answered)
def test_nothing_is_missing_of_an_answer_whose_stream_ends_at_its_end_mark(exchange):
    end = exchange.content.index(b"[DONE]") + len(b"[DONE]")
    for rest in range(0, len(exchange.content) - end, 13):
        some, _ = decoded(exchange, [exchange.content[: end + rest]])
        whole, _ = decoded(exchange)
        assert folded(some).parts == folded(whole).parts


def test_run_details_are_told_before_the_end_mark_and_behind_it():
    tails = {
        scene.content.index(b"event: flowResponses") < scene.content.index(b"[DONE]"): scene
        for scene in scenes()
        if b"event: flowResponses" in scene.content and scenario_of(scene) == "tool"
    }
    assert set(tails) == {True, False}
    for exchange in tails.values():
        events, _ = decoded(exchange)
        details = folded(events).run_details
        assert [step.type for step in details] == ["workflowStart", "tools"]
        assert [step.type for step in details[1].steps] == ["httpRequest468"]


@for_each("version", ["v4.9.14", "v4.16.0"])
def test_nodes_told_one_by_one_are_nested_as_those_told_at_once(version):
    def details(way):
        case = f"{version}/{way}_stream-true_detail-true_tool"
        (exchange,) = [scene for scene in scenes() if scene.case == case]
        return folded(decoded(exchange)[0]).run_details

    def shape(steps):
        return [(step.type, shape(step.steps)) for step in steps]

    assert shape(nest_steps(details("v2_completions"))) == shape(details("v1_completions"))


# Event by event


def test_a_delta_may_hold_reasoning_and_text_and_reasoning_comes_first():
    assert decode_frames(frame(chunk_of("b", "a"))) == [
        ReasoningDelta(text="a"),
        TextDelta(text="b"),
    ]


def test_heartbeats_and_the_stop_chunk_are_no_events():
    assert decode_frames(frame(chunk_of("")), frame(chunk_of(None)), frame(chunk_of("", ""))) == []


def test_answers_without_a_name_and_fast_answers_are_text():
    assert decode_frames(b"data: " + CHUNK + b"\n\n", frame(CHUNK, "fastAnswer")) == [
        TextDelta(text="Hi"),
        TextDelta(text="Hi"),
    ]


def test_a_running_node_is_a_status():
    node = {"status": "running", "name": "AI chat"}
    assert decode_frames(frame(node, "flowNodeStatus")) == [
        StatusChanged(name="AI chat", status="running")
    ]


def test_a_title_and_variables_are_told():
    assert decode_frames(
        frame({"title": "T"}, "chatTitle"), frame({"a": [1]}, "updateVariables")
    ) == [
        TitleChanged(title="T"),
        VariablesUpdated(variables={"a": [1]}),
    ]


def test_a_tools_call_arguments_and_result_are_joined_by_its_id():
    def tool(**more):
        return {"tool": {"id": "t1", "toolName": "", "toolAvatar": "", "params": "", **more}}

    events = decode_frames(
        frame(tool(toolName="weather", functionName="http"), "toolCall"),
        frame(tool(params='{"city":'), "toolParams"),
        frame(tool(params='"Paris"}'), "toolParams"),
        frame(tool(response="21"), "toolResponse"),
    )
    assert events == [
        ToolCallStarted(id="t1", name="weather"),
        ToolCallArgumentsDelta(id="t1", arguments='{"city":'),
        ToolCallArgumentsDelta(id="t1", arguments='"Paris"}'),
        ToolResultDelta(id="t1", content="21"),
    ]


def test_a_tools_call_may_come_whole():
    tool = {"id": "t1", "toolName": "", "functionName": "f", "params": "{}", "response": "r"}
    assert decode_frames(frame({"tool": tool}, "toolCall")) == [
        ToolCallStarted(id="t1", name="f"),
        ToolCallArgumentsDelta(id="t1", arguments="{}"),
        ToolResultDelta(id="t1", content="r"),
    ]


def test_an_interaction_is_found_within_those_that_wrap_it():
    asked = {"type": "userSelect", "params": {"userSelectOptions": [{"value": "a", "key": "k"}]}}
    for kind in ("childrenInteractive", "toolChildrenInteractive", "loopInteractive"):
        asked = {"type": kind, "params": {"childrenResponse": asked}}
        (event,) = decode_frames(frame({"interactive": asked}, "interactive"))
        assert isinstance(event, InteractionRequested)
        assert event.interaction.type == "userSelect"
        assert [option.value for option in event.interaction.options] == ["a"]


def test_run_details_come_as_a_list_or_as_an_object_by_number():
    rows = [{"id": str(number), "moduleName": f"n{number}"} for number in range(12)]
    as_object = {str(number): row for number, row in enumerate(rows)}
    (listed,), (numbered,) = (
        decode_frames(frame(rows, "flowResponses")),
        decode_frames(frame(as_object, "flowResponses")),
    )
    assert listed == numbered
    assert isinstance(listed, RunDetailsReported)
    assert [step.name for step in listed.steps] == [f"n{number}" for number in range(12)]


@for_each(
    "name",
    [
        "workflowDuration",
        "plan",
        "planStatus",
        "stepTitle",
        "skillCall",
        "sandboxStatus",
        "collectionForm",
        "topAgentConfig",
        "what comes next",
    ],
)
def test_what_the_schema_has_no_word_for_is_kept_whole(name):
    data = {"durationSeconds": 0.5, "deep": [{"x": None}]}
    assert decode_frames(frame(data, name)) == [OtherEvent(type=name, data=data)]


@for_each(
    "name, data",
    [
        ("answer", {"choices": []}),
        ("answer", {"choices": [{}]}),
        ("answer", {"choices": [{"delta": []}]}),
        ("answer", {"choices": [{"delta": {"content": 1}}]}),
        ("answer", {"choices": [{"delta": {"content": "x", "reasoning_content": {}}}]}),
        ("answer", "text"),
        ("answer", None),
        ("flowNodeStatus", {"status": "running"}),
        ("flowNodeStatus", []),
        ("chatTitle", {"title": ""}),
        ("updateVariables", [1]),
        ("interactive", {"interactive": {"params": {}}}),
        ("interactive", {"interactive": None}),
        ("interactive", 7),
        ("toolCall", {"tool": {"toolName": "no id"}}),
        ("toolParams", {}),
        ("toolResponse", [1]),
        ("flowResponses", {"a": 1}),
        ("flowResponses", "none"),
        ("flowNodeResponse", []),
    ],
)
def test_an_event_of_another_shape_is_kept_whole(name, data):
    assert decode_frames(frame(data, name)) == [OtherEvent(type=name, data=data)]


def test_the_last_node_that_stands_in_no_other_tells_whether_the_run_failed():
    inner = {"id": "b", "parentId": "a", "moduleName": "tool", "error": "timed out"}
    outer = {"id": "a", "moduleName": "agent"}
    decode_frames(frame(inner, "flowNodeResponse"), frame(outer, "flowNodeResponse"))
    decode_frames(frame(outer, "flowNodeResponse"), frame(inner, "flowNodeResponse"))
    decode_frames(frame([outer | {"error": "first try"}, outer], "flowResponses"))
    error = refusal(
        frame(outer | {"errorText": "boom"}, "flowNodeResponse"), frame(inner, "x"), DONE
    )
    assert error.detail == "boom"


def test_an_error_ends_the_stream_where_it_stands_and_keeps_what_came_before():
    envelope = {"code": 504001, "statusText": "chatIsGenerating", "message": "busy", "data": None}
    events, error = outcome_of([frame(CHUNK) + frame(envelope, "error") + frame(CHUNK)])
    assert events == [TextDelta(text="Hi")]
    assert isinstance(error, ConflictError)


@for_each(
    "data",
    [b"plain words", b'"words"', b"[1]", b"null", b"{}", b'{"message":{}}', b'{"code":200}', b"1"],
)
def test_an_error_of_another_shape_is_one_all_the_same(data):
    error = refusal(frame(data, "error"), DONE)
    assert isinstance(error, UnavailableError)
    assert not error.retryable


def test_words_of_an_error_that_are_no_json_are_shown():
    assert "plain words" in str(refusal(frame(b"plain words", "error")))


# Hostile streams


@for_each(
    "data",
    [
        b"{not json",
        b'{"n":%s}' % (b"9" * 5_000),
        b"[" * 100_000,
        b"[" * 300 + b"]" * 300,
        b"\xff\xfe",
        b'{"choices":[{"delta":{"content":"cut',
    ],
)
@for_each("name", ["answer", "interactive", "unheard of"])
def test_what_is_no_json_within_bounds_is_an_error_with_an_excerpt(name, data):
    error = refusal(frame(data, name), DONE)
    assert isinstance(error, ProtocolError)
    assert error.excerpt
    assert len(error.excerpt) <= 200


def test_half_a_character_is_kept():
    (event,) = decode_frames(frame(b'{"choices":[{"delta":{"content":"\\ud83d"}}]}'))
    assert event == TextDelta(text="\ud83d")


def test_an_interaction_may_be_nested_to_the_bound():
    asked = b'{"params":{"childrenResponse":' * 90 + b"{}" + b"}}" * 90
    assert isinstance(
        decode_frames(frame(b'{"interactive":%s}' % asked, "interactive"))[0], OtherEvent
    )


def pieces():
    return [piece + b"\n\n" for stream in streams() for piece in stream.content.split(b"\n\n")]


_KEYS = [
    *("choices", "delta", "content", "reasoning_content", "tool", "id", "params", "parentId"),
    *("interactive", "type", "message", "userSelectOptions", "inputForm", "list", "questions"),
    *("childrenResponse", "error", "errorText", "code", "statusText", "name", "status", "title"),
]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*_KEYS, "0"]), inner, max_size=4)
    ),
    max_leaves=12,
)
_NAMES = st.sampled_from(
    [
        *("answer", "fastAnswer", "error", "flowNodeStatus", "chatTitle", "updateVariables"),
        *("interactive", "toolCall", "toolParams", "toolResponse", "flowResponses"),
        *("flowNodeResponse", "plan"),
    ]
)


@given(st.lists(st.builds(frame, _JSON, _NAMES), max_size=6))
def test_any_json_in_any_event_is_read_or_refused(frames):
    events, _ = outcome_of([*frames, DONE])
    draft = folded(events)
    assert isinstance(draft.parts, tuple)
    nest_steps(draft.run_details)


_ANY_PIECES = st.deferred(lambda: st.sampled_from(pieces())) | st.binary(max_size=40)


@given(st.lists(_ANY_PIECES, max_size=8), st.data())
def test_garbled_streams_end_in_nothing_but_our_errors(pieces, data):
    content = bytearray(b"".join(pieces))
    for _ in range(data.draw(st.integers(0, 4)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    events, _ = outcome_of([bytes(content)])
    folded(events)


# Nesting


def step(own, parent=None):
    return RunStep(id=own, name=own, raw={"parentId": parent})


def tree(steps):
    return {step.id: tree(step.steps) for step in steps}


def test_nodes_are_put_into_those_they_belong_to_whichever_came_first():
    steps = [step("c", "b"), step("b", "a"), step("a"), step("d", "a"), step("e", "elsewhere")]
    assert tree(nest_steps(steps)) == {"a": {"b": {"c": {}}, "d": {}}, "e": {}}


def test_nodes_that_hold_themselves_are_left_side_by_side():
    assert tree(nest_steps([step("a", "a"), step("b")])) == {"a": {}, "b": {}}
    assert tree(nest_steps([step("a", "b"), step("b", "a"), step("c")])) == {
        "a": {},
        "b": {},
        "c": {},
    }


def test_a_chain_of_nodes_may_be_longer_than_pythons_stack():
    steps = [step(str(number), str(number + 1)) for number in range(20_000)]
    (outermost,) = nest_steps(steps)
    assert outermost.id == "19999"
