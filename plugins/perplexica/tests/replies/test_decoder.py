"""Streams of `/api/chat` to events: at every split, against what was stored, and of any bytes."""

import json
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonpatch import apply_patch
from tests.support.cases import for_each

from convostore.adapters import ReplyAccumulator
from convostore.errors import ProtocolError, StoreError, UnavailableError
from convostore.models import (
    OtherEvent,
    OtherPart,
    PartAdded,
    PartsReplaced,
    ReasoningDelta,
    ReasoningPart,
    SourcesFound,
    StatusChanged,
    TextDelta,
    TextPart,
)
from convostore.testing.strategies import corrupted
from convostore_perplexica.replies.decoder import ChatDecoder
from convostore_perplexica.schema import chats
from convostore_perplexica.schema.turn_rows import Blocks

from ..support.service import blocks_of, lines, streamed_blocks, streamed_lines
from ..support.streams import ALL, PIECEWISE, RECONNECTS, WHOLE, recorded, stored

LONG = [case for case in WHOLE if case.endswith("chat_long")]
SHORT = [case for case in ALL if case not in LONG]
END = {"type": "messageEnd"}


@cache
def broken_off():
    return [case for case in PIECEWISE if recorded(case).ended != "end"]


def ended():
    return [case for case in ALL if case not in broken_off()]


@cache
def kept():
    return [case for case in SHORT if case in ended() and stored(case) is not None]


def kept_as_rows():
    """Those of the versions before 1.12, whose streams name the message that is stored."""
    return [case for case in kept() if case not in kept_as_blocks()]


def kept_as_blocks():
    return [case for case in kept() if case.startswith("next-1.12")]


def decoded(chunks):
    """Return the events of a stream, and the error that it ended in or None."""
    decoder, events = ChatDecoder(), []
    try:
        for chunk in chunks:
            events.extend(decoder.feed(chunk))
        events.extend(decoder.close())
    except StoreError as error:
        return events, (type(error), str(error))
    return events, None


def events_of(*rows):
    """Return the events of a stream that ends well, of the rows of its lines."""
    events, error = decoded([lines(*rows, END)])
    assert error is None
    return events


def raised_by(*rows):
    events, error = decoded([lines(*rows)])
    assert error is not None, events
    return error


def folded(events):
    draft = ReplyAccumulator()
    for event in events:
        draft.add(event)
    return draft


def cut(content, places):
    ends = [0, *sorted(places), len(content)]
    return [content[start:end] for start, end in pairwise(ends)]


def answer_of(case):
    """Return the message that was stored of a stream."""
    messages = chats.read_messages(stored(case))
    return [message for message in messages if message.role == "assistant"][-1]


def block(block_id, kind, data):
    return {"type": "block", "block": {"id": block_id, "type": kind, "data": data}}


def patch(block_id, *operations):
    return {"type": "updateBlock", "blockId": block_id, "patch": list(operations)}


def replace(path, value):
    return {"op": "replace", "path": path, "value": value}


def grown(block_id, value):
    return patch(block_id, replace("/data", value))


def test_all_recordings_are_among_the_cases():
    assert len(WHOLE) == 27
    assert len(PIECEWISE) == 18
    assert len(RECONNECTS) == 2
    assert len(broken_off()) == 12
    assert len(kept()) == 27


# Every split


@for_each("case", ALL)
def test_a_stream_is_the_same_in_its_own_pieces_by_lines_and_whole(case):
    recording = recorded(case)
    whole = decoded([recording.content])
    assert decoded(recording.chunks) == whole
    assert decoded(recording.content.splitlines(keepends=True)) == whole


@for_each("case", ALL)
def test_a_stream_is_the_same_one_byte_at_a_time(case):
    content = recorded(case).content
    single = [content[place : place + 1] for place in range(len(content))]
    assert decoded(single) == decoded([content])


@for_each("case", [case for case in ALL if case.endswith(("chat_empty", "_fail"))])
def test_a_stream_is_the_same_in_two_pieces_cut_anywhere(case):
    content = recorded(case).content
    whole = decoded([content])
    for place in range(len(content) + 1):
        assert decoded([content[:place], content[place:]]) == whole


@given(st.data())
def test_a_stream_is_the_same_however_it_is_cut(data):
    content = recorded(data.draw(st.sampled_from(SHORT))).content
    places = data.draw(st.lists(st.integers(0, len(content)), max_size=12))
    assert decoded(cut(content, places)) == decoded([content])


# What was stored


@for_each("case", kept)
def test_the_fold_equals_the_stored_message(case):
    events, error = decoded([recorded(case).content])
    assert error is None
    draft, answer = folded(events), answer_of(case)
    assert draft.parts == answer.parts
    assert sorted(draft.sources, key=place_of) == sorted(answer.sources, key=place_of)


def place_of(source):
    """Return the cited sources by their marks, the others by their titles, in any order."""
    return source.kind, int(source.mark or 0), source.title or "", source.url or ""


@for_each("case", LONG)
def test_the_fold_of_a_long_stream_has_the_ends_of_the_stored_message(case):
    events, error = decoded([recorded(case).content])
    assert error is None
    (text,) = folded(events).parts
    kept = answer_of(case).text  # its recording was trimmed in the middle
    assert len(text.text) == 196_890
    assert text.text.startswith(kept[:1_200])
    assert text.text.endswith(kept[-1_200:])


@for_each("case", kept_as_rows)
def test_the_stream_names_the_stored_message(case):
    decoder = ChatDecoder()
    list(decoder.feed(recorded(case).content))
    assert decoder.answer_id == answer_of(case).id


@for_each("case", ended)
def test_nothing_is_told_twice(case):
    events, _ = decoded([recorded(case).content])
    draft = folded(events)
    assert not [event for event in events if isinstance(event, PartsReplaced)]
    told = "".join([event.text for event in events if isinstance(event, TextDelta)])
    assert told == "".join([part.text for part in draft.parts if isinstance(part, TextPart)])
    found = [
        source for event in events if isinstance(event, SourcesFound) for source in event.sources
    ]
    assert tuple(found) == draft.sources


@for_each("case", broken_off)
def test_a_stream_without_its_end_is_unavailable_and_says_so(case):
    _, error = decoded([recorded(case).content])
    kind, told = error
    assert kind is UnavailableError
    assert "broke off" in told
    assert "get_reply" in told


def test_what_came_before_the_break_is_told():
    events, _ = decoded(recorded("next-1.12.1/stream_failmid").chunks)
    assert folded(events).parts == (TextPart(text="This answer stops ha"),)


@for_each("case", RECONNECTS)
def test_a_reconnected_stream_begins_with_all_there_was_and_repeats_none_of_it(case):
    events, error = decoded(recorded(case).chunks)
    assert error is None
    deltas = [event.text for event in events if isinstance(event, TextDelta)]
    assert deltas[0].endswith("the tide comes ")
    assert "".join(deltas).endswith("in[1] and slowly it goes out again, twice a day, every day.")
    assert len(deltas) == 4
    assert len(folded(events).sources) == 2


@for_each("case", kept_as_blocks)
def test_a_reconnect_tells_the_same_however_far_the_blocks_have_come(case):
    rows = [json.loads(line) for line in recorded(case).content.splitlines()]
    straight = folded(decoded([lines(*rows)])[0])
    for come in range(len(rows) + 1):
        present = blocks_after(rows[:come])
        again = [
            row | {"block": present.get(row["block"]["id"], row["block"])}
            if row["type"] == "block"
            else row
            for row in rows
        ]
        events, error = decoded([lines(*again)])
        assert error is None
        assert folded(events).parts == straight.parts
        assert sorted(folded(events).sources, key=place_of) == sorted(
            straight.sources, key=place_of
        )
        assert not [event for event in events if isinstance(event, PartsReplaced)]


def blocks_after(rows):
    """Return the blocks as some lines leave them, by their ids."""
    blocks = {row["block"]["id"]: row["block"] for row in rows if row["type"] == "block"}
    for row in rows:
        if row["type"] == "updateBlock":
            blocks[row["blockId"]] = apply_patch(blocks[row["blockId"]], row["patch"])
    return blocks


def test_the_search_is_told_as_it_goes_on():
    events, _ = decoded(recorded("next-1.12.1/chat_zh").chunks)
    assert events[:3] == [
        StatusChanged(name="research", status="running"),
        ReasoningDelta(text="Looking into: 什么是量子纠缠？请用中文解释"),
        events[2],
    ]
    assert events[2].part.type == "searching"
    assert StatusChanged(name="research", status="complete") in events


# Lines


@for_each("ending", [b"", b"\n", b"\r\n"])
def test_an_error_line_is_a_failure_that_repeating_does_not_help(ending):
    content = lines(*streamed_lines("a question", "a")[:2])
    content += json.dumps({"type": "error", "data": "the model is gone"}).encode() + ending
    for place in range(len(content)):
        decoder, events = ChatDecoder(), []
        with pytest.raises(UnavailableError, match="the model is gone") as caught:  # noqa: PT012
            for chunk in (content[:place], content[place:]):
                events += decoder.feed(chunk)
            events += decoder.close()
        assert not caught.value.retryable
        assert caught.value.detail == "the model is gone"
        assert [event.kind for event in events] == ["sources_found", "text_delta"]


def test_an_error_line_without_a_reason_says_so():
    assert raised_by({"type": "error"}) == (
        UnavailableError,
        "the service could not answer: it gives no reason",
    )


@for_each(
    "row",
    [
        {"type": "news", "data": [1]},
        {"data": "no type"},
        {"type": 5},
        {"type": ["block"]},
        {"type": "message", "data": None},
        {"type": "message"},
        {"type": "sources", "data": 5},
        {"type": "sources", "data": "no list"},
    ],
)
def test_what_has_no_word_is_given_whole(row):
    kind = row.get("type") if isinstance(row.get("type"), str) else None
    assert events_of(row) == [OtherEvent(type=kind, data=row)]


@for_each("line", [b"{", b"\xff\xfe", b"5", b'"text"', b"[]", b"null", b"data: {}"])
def test_a_line_that_is_no_object_is_a_protocol_error_with_an_excerpt(line):
    decoder = ChatDecoder()
    with pytest.raises(ProtocolError, match="a line of the stream") as caught:
        list(decoder.feed(line + b"\n"))
    assert caught.value.excerpt == line.decode("utf-8", "replace")


def test_empty_lines_are_nothing():
    content = lines(*streamed_lines("a question", "a"))
    assert decoded([b"\n \n" + content.replace(b"\n", b"\n\n")]) == decoded([content])


def test_sources_without_their_list_are_none():
    assert events_of({"type": "sources", "messageId": "a"}) == [PartAdded(part=TextPart(text=""))]


def test_a_source_that_is_none_keeps_its_place_among_the_others():
    found = [{"metadata": {"title": "one"}}, 5, {"metadata": {"title": 7}}]
    sources = folded(events_of({"type": "sources", "data": found})).sources
    assert [(source.mark, source.title) for source in sources] == [
        ("1", "one"),
        ("2", None),
        ("3", None),
    ]


@for_each("order", [(0, 1), (1, 0), (0, 1, 0)])
def test_sources_may_come_before_the_text_or_behind_it(order):
    rows = ({"type": "sources", "data": []}, {"type": "message", "data": "One."})
    parts = folded(events_of(*[rows[place] for place in order])).parts
    assert parts == (TextPart(text="One."),)


def test_an_empty_answer_is_an_empty_text_where_no_sources_come_either():
    assert events_of({"type": "message", "data": ""}) == [PartAdded(part=TextPart(text=""))]


def test_marks_go_on_counting_over_several_lists_of_sources():
    found = {"type": "sources", "data": [{"metadata": {"title": "T"}}]}
    assert [source.mark for source in folded(events_of(found, found)).sources] == ["1", "2"]


def test_a_character_cut_in_two_is_put_together_again():
    halves = [{"type": "message", "data": item} for item in ("a \ud83c", "\udf0a b")]
    content = b"".join([json.dumps(row).encode() + b"\n" for row in [*halves, END]])
    events, error = decoded([content])
    assert error is None
    assert folded(events).parts == (TextPart(text="a \U0001f30a b"),)


# Blocks


def test_half_a_character_at_the_end_of_an_update_waits_for_its_other_half():
    rows = [block("t", "text", ""), grown("t", "a \ud83c"), grown("t", "a \U0001f30a"), END]
    events, _ = decoded([b"".join([json.dumps(row).encode() + b"\n" for row in rows])])
    assert [event.text for event in events] == ["a ", "\U0001f30a"]


def test_half_a_character_that_stays_is_told_at_the_end():
    rows = [block("t", "text", ""), grown("t", "a \ud83c"), END]
    events, _ = decoded([b"".join([json.dumps(row).encode() + b"\n" for row in rows])])
    assert folded(events).parts == (TextPart(text="a \ud83c"),)


def test_a_text_that_is_taken_back_replaces_the_parts():
    events = events_of(
        block("w", "widget", {"widgetType": "weather"}),
        block("t", "text", "It rains"),
        grown("t", "It snows"),
        grown("t", "It snows."),
    )
    widget = OtherPart(type="widget", data={"widgetType": "weather"})
    assert events == [
        PartAdded(part=widget),
        TextDelta(text="It rains"),
        PartsReplaced(parts=(widget, TextPart(text="It snows"))),
        TextDelta(text="."),
    ]


def test_a_text_that_ends_shorter_than_it_was_is_told_at_the_end():
    events = events_of(block("t", "text", "One. Two."), grown("t", "One."))
    assert events == [TextDelta(text="One. Two."), PartsReplaced(parts=(TextPart(text="One."),))]


def test_two_texts_are_two_parts_while_both_grow():
    events = events_of(
        block("a", "text", "one"),
        block("b", "text", "two"),
        grown("b", "two, three"),
        grown("a", "one!"),
        grown("b", "two, three, four"),
    )
    assert folded(events).parts == (TextPart(text="one!"), TextPart(text="two, three, four"))


def test_thoughts_grow_and_stay_apart():
    def step(text):
        return {"id": text[0], "type": "reasoning", "reasoning": text}

    events = events_of(
        block("r", "research", {"subSteps": []}),
        patch("r", replace("/data/subSteps", [step("a tide")])),
        patch("r", replace("/data/subSteps", [step("a tide is")])),
        patch("r", replace("/data/subSteps", [step("a tide is"), step("b")])),
        patch("r", replace("/data/subSteps", [step("a tide is"), step("b moon")])),
    )
    assert events[1:3] == [ReasoningDelta(text="a tide"), ReasoningDelta(text=" is")]
    assert folded(events).parts == (ReasoningPart(text="a tide is"), ReasoningPart(text="b moon"))


def test_a_block_that_comes_again_is_the_same_block():
    events = events_of(block("t", "text", "One."), block("t", "text", "One. Two."))
    assert events == [TextDelta(text="One."), TextDelta(text=" Two.")]


def test_an_empty_answer_is_an_empty_text():
    assert events_of(block("t", "text", ""), grown("t", "")) == [PartAdded(part=TextPart(text=""))]


def test_blocks_without_an_id_or_that_are_none_are_kept():
    rows = [{"type": "block", "block": item} for item in ({"type": "news", "data": 1}, 5, None)]
    assert folded(events_of(*rows)).parts == (
        OtherPart(type="news", data=1),
        OtherPart(data=5),
        OtherPart(data=None),
    )


def test_the_same_sources_are_told_once_and_others_when_they_come():
    one, two = ({"content": item, "metadata": {"title": item}} for item in ("one", "two"))
    events = events_of(
        block("s", "source", [one]), grown("s", [one]), grown("s", [one, two]), grown("s", [one])
    )
    assert [source.title for source in folded(events).sources] == ["one", "two"]
    assert [source.mark for source in folded(events).sources] == ["1", "2"]


def test_sources_that_come_between_others_are_told_and_no_other_is_told_again():
    def step(*titles):
        reading = [{"content": title, "metadata": {"title": title}} for title in titles]
        return {"type": "search_results", "reading": reading}

    events = events_of(
        block("r", "research", {"subSteps": []}),
        patch("r", replace("/data/subSteps", [step("one", "two"), step("four")])),
        patch("r", replace("/data/subSteps", [step("one", "two", "three"), step("four", "one")])),
    )
    titles = [source.title for source in folded(events).sources]
    assert titles == ["one", "two", "four", "three", "one"]


def test_the_marks_of_a_second_list_of_sources_go_on_counting():
    source = {"content": "c", "metadata": {"title": "T"}}
    events = events_of(block("s", "source", [source]), block("t", "source", [source]))
    assert [item.mark for item in folded(events).sources] == ["1", "2"]


def test_a_deep_patch_changes_no_event_that_was_told_before():
    told = {"widgetType": "stock", "params": {"price": [1]}}
    events = events_of(
        block("w", "widget", told),
        patch("w", {"op": "add", "path": "/data/params/price/-", "value": 2}),
        patch("w", {"op": "move", "from": "/data/params", "path": "/data/moved"}),
        patch("w", {"op": "remove", "path": "/data/moved/price/0"}),
        patch("w", {"op": "test", "path": "/data/widgetType", "value": "stock"}),
    )
    data = [
        (event.part if isinstance(event, PartAdded) else event.parts[0]).data for event in events
    ]
    assert data == [
        told,
        {"widgetType": "stock", "params": {"price": [1, 2]}},
        {"widgetType": "stock", "moved": {"price": [1, 2]}},
        {"widgetType": "stock", "moved": {"price": [2]}},
    ]


def test_an_operation_may_build_on_the_one_before_it():
    changes = [replace("/data", {"a": {}}), {"op": "add", "path": "/data/a/b", "value": 1}]
    events = events_of(block("w", "widget", {}), patch("w", *changes))
    assert folded(events).parts == (OtherPart(type="widget", data={"a": {"b": 1}}),)


@for_each(
    "change",
    [
        None,
        5,
        "text",
        {"op": "replace"},
        [5],
        ["op"],
        [{}],
        [{"op": "replace", "path": "/data"}],
        [{"op": "replace", "value": 1}],
        [{"op": "replace", "path": 5, "value": 1}],
        [{"op": "replace", "path": "data", "value": 1}],
        [{"op": "replace", "path": "/absent/data", "value": 1}],
        [{"op": "remove", "path": "/absent"}],
        [{"op": "test", "path": "/data", "value": "else"}],
        [{"op": "move", "path": "/data"}],
        [{"op": "grow", "path": "/data", "value": 1}],
        [{"op": ["replace"], "path": "/data", "value": 1}],
        [{"op": "copy", "from": "/data", "path": "/more"}],
        [{"op": "add", "path": "/a" * 200, "value": 1}],
    ],
)
def test_a_patch_that_cannot_be_applied_is_a_protocol_error(change):
    row = {"type": "updateBlock", "blockId": "t", "patch": change}
    kind, told = raised_by(block("t", "text", "One."), row)
    assert kind is ProtocolError
    assert "patch" in told


def test_patches_cannot_nest_a_block_without_end():
    rows = [
        patch("w", {"op": "add", "path": "/data" + "/a" * depth, "value": {}})
        for depth in range(1, 3_000)
    ]
    kind, told = raised_by(block("w", "widget", {}), *rows)
    assert kind is ProtocolError
    assert "patch" in told


@for_each("block_id", ["absent", None, 5, []])
def test_a_change_of_a_block_that_never_came_is_a_protocol_error(block_id):
    kind, told = raised_by(block("t", "text", "One."), grown(block_id, "Two."))
    assert kind is ProtocolError
    assert "never sent" in told


def test_the_deltas_of_a_large_answer_are_together_as_long_as_it_is():
    piece, count = "0123456789" * 100, 200
    rows = [grown("t", piece * number) for number in range(1, count + 1)]
    events = events_of(block("t", "text", ""), *rows)
    assert [len(event.text) for event in events] == [len(piece)] * count


TEXTS = st.text(alphabet="ab \U0001f30a", max_size=6)
STEPS = st.one_of(
    st.builds(lambda text: {"type": "reasoning", "reasoning": text}, TEXTS),
    st.builds(lambda text: {"type": "searching", "searching": [text]}, TEXTS),
    st.just({"type": "search_results", "reading": [{"content": "c", "metadata": {}}]}),
)
DATA = {
    "text": TEXTS,
    "research": st.builds(lambda steps: {"subSteps": steps}, st.lists(STEPS, max_size=4)),
    "widget": st.builds(lambda text: {"widgetType": text}, TEXTS),
}
KINDS = dict(enumerate(["research", "text", "text", "widget", "research"]))
CHANGES = st.sampled_from(sorted(KINDS)).flatmap(
    lambda number: st.tuples(st.just(number), DATA[KINDS[number]])
)


@given(st.lists(CHANGES, max_size=12))
def test_whatever_becomes_of_the_blocks_the_fold_is_what_is_read_of_them(changes):
    blocks, rows = {}, []
    for number, data in changes:
        known = number in blocks
        blocks[number] = {"id": str(number), "type": KINDS[number], "data": data}
        rows.append(
            grown(str(number), data) if known else {"type": "block", "block": blocks[number]}
        )
    expected = Blocks()
    expected.read_all(list(blocks.values()))
    assert folded(events_of(*rows)).parts == tuple(expected.parts)


STREAM = [*streamed_lines("think", "a")[:-1], *streamed_blocks("think")]


@given(corrupted(STREAM, places=3))
def test_any_json_at_any_place_of_a_stream_gives_events_or_a_store_error(rows):
    content = (
        b"".join([json.dumps(row).encode() + b"\n" for row in rows])
        if isinstance(rows, list)
        else json.dumps(rows).encode()
    )
    events, _ = decoded([content])
    for event in events:
        repr(event)
    folded(events)


@given(st.binary(max_size=80), st.integers(0, 40))
def test_any_bytes_within_a_stream_give_events_or_a_store_error(garbage, place):
    rows = lines(*STREAM).splitlines(keepends=True)
    rows.insert(min(place, len(rows)), garbage)
    events, _ = decoded(rows)
    folded(events)


def test_the_stand_in_streams_what_it_stores():
    expected = Blocks()
    expected.read_all(blocks_of("think"))
    events, error = decoded([lines(*streamed_blocks("think"))])
    assert error is None
    assert folded(events).parts == tuple(expected.parts)
