"""Recorded completions, read and written again by the dialect, compared frame by frame.

What the store would give is what the recording was read to. `DIFFERENCES` is all that may differ.
"""

from __future__ import annotations

import json

from tests.support.cases import for_each

from convostore.models import Message, Reply, ReplyFinished
from convostore_fastgpt.schema.records import read_run_steps
from convostore_fastgpt.server.completion_body import completion_row
from convostore_fastgpt.server.encoder import CompletionEncoder

from ..support.streams import (
    answered,
    answers_of,
    comparable,
    completions,
    decoded,
    folded,
    scenario_of,
)
from .test_recordings import NEW, OLD, Difference, differing, is_allowed

DIFFERENCES = [
    Difference("interactive.entryNodeIds", "how a flow goes on is its own"),
    Difference("interactive.memoryEdges", "how a flow goes on is its own"),
    Difference("interactive.nodeOutputs", "how a flow goes on is its own"),
    Difference("interactive.interactiveId", "how a flow goes on is its own", (NEW,)),
    Difference("interactive.nodeResponseId", "how a flow goes on is its own", (NEW,)),
    Difference("interactive.skipNodeQueue", "how a flow goes on is its own", (NEW,)),
    Difference("interactive.usageId", "how a flow goes on is its own", (NEW,)),
    Difference("tool.functionName", "a tool has one name, that is shown"),
    Difference("tool.toolAvatar", "the schema keeps no pictures of tools"),
    Difference("tool.response", "an empty one before there is any", (OLD,)),
    Difference("responseValueId", "before 4.14 another id, or none", (OLD,)),
    Difference("choices[].message.content", "empty where a flow asks; here absent", (OLD,)),
    Difference("choices[].message.content[].type", "items of v2 had one", (OLD,)),
    Difference(
        "choices[].message.content[].interactive.*", "how a flow goes on is its own", (OLD,)
    ),
]


def frames(content: bytes) -> list[tuple[str, object]]:
    """Return names and data; ``fastAnswer`` is an answer, and the end mark is the last."""
    found = []
    for frame in filter(None, map(str.strip, content.decode().split("\n\n"))):
        name, _, data = frame.rpartition("\n")
        name = name.removeprefix("event: ").replace("fastAnswer", "answer")
        data = data.removeprefix("data: ")
        found.append((name, data if data == "[DONE]" else json.loads(data)))
    return sorted(found, key=lambda each: each[1] == "[DONE]")  # which stood before the nodes


def others(version, places):
    known = [difference.place for difference in DIFFERENCES if version in difference.versions]
    return {place for place in places if not is_allowed(place, known)}


def written_again(exchange) -> bytes:
    events, _ = decoded(exchange)
    encoder = CompletionEncoder(
        detail=b"event: answer" in exchange.content, version=exchange.path.split("/")[2]
    )
    message = Message(role="assistant", parts=folded(events).parts)
    finished = ReplyFinished(reply=Reply(conversation_id="c", turn_id="t", message=message))
    return b"".join([encoder.feed(item) for item in [*events, finished]])


def streamed():
    return [item for item in answered() if decoded(item)[1] is None]


@for_each("exchange", streamed)
def test_a_recorded_stream_is_written_as_it_was(exchange):
    recorded = [frame for frame in frames(exchange.content) if not _is_a_heartbeat(frame)]
    ours = frames(written_again(exchange))
    assert [name for name, _ in ours] == [name for name, _ in recorded]
    places = [
        place
        for (_, one), (_, other) in zip(recorded, ours, strict=True)
        for place in differing(one, other)
    ]
    assert not others(exchange.version, places)


def _is_a_heartbeat(frame) -> bool:
    """Return whether an event is empty: nothing is parsed from it, and so nothing encoded."""
    name, data = frame
    if name not in ("", "answer") or not isinstance(data, dict):
        return False
    return data["choices"][0]["delta"].get("content") == ""


def stored(exchange) -> tuple[Message, bool] | None:
    """Return what was stored of a whole answer, and whether it goes on with a question."""
    scene, chat_id = scenario_of(exchange), exchange.params.get("chatId")
    found = answers_of(exchange.version, chat_id) if chat_id else []
    if scene is None or not found:
        return None
    turn = [completion for completion in completions() if completion.case == exchange.case].index(
        exchange
    )
    if scene not in ("select", "form"):
        return found[turn], False
    asked = found[0]
    if turn:
        return asked, True
    waiting = tuple(comparable(part) for part in asked.parts[:1])
    return asked.model_copy(update={"parts": waiting}), False


def whole():
    """Those whose run did not fail: that is an error, and no reply."""
    return [
        completion
        for completion in completions()
        if not completion.params.get("stream")
        and completion.status == 200
        and stored(completion) is not None
        and not completion.body.get("error")
    ]


@for_each("exchange", whole)
def test_a_recorded_answer_is_written_as_it_was(exchange):
    body = exchange.body
    message, answering = stored(exchange)
    reply = Reply(
        conversation_id=exchange.params["chatId"],
        turn_id="t",
        message=message,
        title=body.get("title"),
        variables=body.get("newVariables"),
        run_details=read_run_steps(body.get("responseData", [])),
    )
    row = completion_row(
        reply,
        detail=exchange.params.get("detail") is True,
        version=exchange.path.split("/")[2],
        answering=answering,
    )
    assert not others(exchange.version, differing(body, row))


def test_there_are_recordings_of_both_versions():
    for some, least in ((streamed(), 50), (whole(), 30)):
        assert {item.version for item in some} == {OLD, NEW}
        assert len(some) > least
