"""A reply as the native API streams it, read back: events, its end, and what breaks it off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convostore.errors import NotFoundError, ProtocolError, UnavailableError
from convostore.models import (
    Message,
    OtherEvent,
    ReasoningDelta,
    Reply,
    ReplyFinished,
    TextDelta,
    TextPart,
    TitleChanged,
    ToolCallStarted,
    Usage,
    UsageReported,
)
from convostore.serialization import dump, to_json
from convostore_gateway import problems
from convostore_gateway.client.decoder import EventDecoder

SAID = Message(id="a", role="assistant", parts=(TextPart(text="Water \ud83c"),))
REPLY = Reply(conversation_id="c", turn_id="t", message=SAID, usage=Usage(input_tokens=3))
EVENTS = [
    ReasoningDelta(text="Hm"),
    ToolCallStarted(id="1", name="look"),
    TextDelta(text="Wa\n\nter \ud83c"),
    TitleChanged(title="Tides: data\r\n"),
    UsageReported(usage=Usage(output_tokens=4)),
    OtherEvent(type="noise", data={"kind": "text_delta"}),
]


def sent(kind, row):
    return f"event: {kind}\ndata: {to_json(row)}\n\n".encode()


def stream(*events):
    return b"".join([sent(each.kind, dump(each)) for each in events])


WHOLE = b": beat\n\n" + stream(*EVENTS[:3]) + b": beat\n\n" + stream(*EVENTS[3:])
FINISHED = stream(ReplyFinished(reply=REPLY))


def read(*chunks):
    decoder = EventDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    events += decoder.close()
    return events, decoder.reply


@given(st.lists(st.integers(0, len(WHOLE + FINISHED)), max_size=9).map(sorted))
def test_a_stream_is_the_same_however_it_is_cut(places):
    content = WHOLE + FINISHED
    ends = [*places, len(content)]
    chunks = [content[a:b] for a, b in zip([0, *places], ends, strict=True)]
    assert read(*chunks) == (EVENTS, REPLY)


def test_the_kind_of_an_event_stands_in_its_data_too():
    unnamed = b"\n".join([line for line in WHOLE.split(b"\n") if not line.startswith(b"event")])
    assert read(unnamed, FINISHED) == (EVENTS, REPLY)


def test_a_last_event_without_its_empty_line_counts():
    assert read(WHOLE, FINISHED.rstrip(b"\n")) == (EVENTS, REPLY)


@pytest.mark.parametrize("content", [b"", b": beat\n\n", WHOLE])
def test_a_stream_without_the_finished_reply_is_an_error_once_all_of_it_is_read(content):
    decoder = EventDecoder()
    seen = list(decoder.feed(content))
    with pytest.raises(UnavailableError, match="broke off"):
        list(decoder.close())
    with pytest.raises(UnavailableError, match="broke off"):
        _ = decoder.reply
    assert seen == (EVENTS if content == WHOLE else [])


def test_an_error_that_is_told_in_the_stream_is_raised_behind_what_came_before():
    row = problems.problem_of(NotFoundError("there is no such thing"))
    decoder = EventDecoder()
    events = decoder.feed(stream(EVENTS[0]) + sent("error", row) + stream(EVENTS[2]))
    assert next(iter(events)) == EVENTS[0]
    with pytest.raises(NotFoundError, match="no such thing") as caught:
        next(iter(events))
    assert caught.value.detail == "there is no such thing"


@pytest.mark.parametrize(
    "content",
    [
        b"data: {half\n\n",
        b"data: 7\n\n",
        b'data: {"kind": "text_delta"}\n\n',
        b'data: {"kind": "no such kind"}\n\n',
        b'event: error\ndata: {"kind": "no such kind"}\n\n',
        b"event: error\ndata: []\n\n",
        b'data: {"kind": "reply_finished", "reply": {}}\n\n',
    ],
)
def test_an_event_that_cannot_be_read_is_a_protocol_error(content):
    decoder = EventDecoder()
    with pytest.raises(ProtocolError):
        list(decoder.feed(content))
