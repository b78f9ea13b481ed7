"""Frames of a stream: the same whatever the pieces, in whichever line ends, and bounded."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from convostore import ProtocolError
from convostore.http import EventStream, Lines, ServerSentEvent

STREAM = (
    b"\xef\xbb\xbfevent: answer\r\ndata: {\r\ndata:\r\ndata:  1}\r\n\r\n"
    b": a comment\rid: 7\rretry: 10\rdata\r\r"
    b"event: left out\n\n"
    b"data: \xe4\xbd\xa0\xe5\xa5\xbd\nunknown: field\ndatum: no\n\n\n"
    b"event: fin\ndata:a: b\ndata:c"
)
EVENTS = [
    ServerSentEvent("answer", b"{\n\n 1}"),
    ServerSentEvent("", b""),
    ServerSentEvent("", "你好".encode()),
    ServerSentEvent("fin", b"a: b\nc"),
]


def pieces_of(stream, cuts):
    places = [0, *sorted(cuts), len(stream)]
    return [stream[start:end] for start, end in pairwise(places)]


def events_of(pieces, **options):
    stream = EventStream(**options)
    return [event for piece in pieces for event in stream.feed(piece)] + list(stream.close())


def lines_of(pieces, **options):
    lines = Lines(**options)
    return [line for piece in pieces for line in lines.feed(piece)] + [lines.close()]


cuts = st.lists(st.integers(0, len(STREAM)), max_size=20)
stream_bytes = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"data: ", b"event:", b":", b"a", b" ", b"\xff"])
).map(b"".join)


def test_an_event_stream_is_read_as_the_standard_has_it():
    assert events_of([STREAM]) == EVENTS


def test_an_event_stream_is_the_same_cut_anywhere_in_two():
    for place in range(len(STREAM) + 1):
        assert events_of(pieces_of(STREAM, [place])) == EVENTS


def test_an_event_stream_is_the_same_byte_by_byte():
    assert events_of([bytes([byte]) for byte in STREAM]) == EVENTS


@given(cuts)
def test_an_event_stream_is_the_same_in_any_pieces(cuts):
    assert events_of(pieces_of(STREAM, cuts)) == EVENTS


@given(stream_bytes, st.data())
def test_any_bytes_are_the_same_events_in_any_pieces(stream, data):
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    assert events_of(pieces_of(stream, places)) == events_of([stream])


@given(stream_bytes, st.data())
@example(b"\r\n", None)
def test_lines_end_where_pythons_do_in_any_pieces(stream, data):
    whole = stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=8)) if data else [1]
    assert lines_of(pieces_of(stream, places)) == whole


def test_an_event_comes_with_the_piece_that_ends_it():
    stream = EventStream()
    assert list(stream.feed(b"data: 1\n")) == []
    assert list(stream.feed(b"\n")) == [ServerSentEvent("", b"1")]
    assert list(stream.feed(b"data: 2\r\n\r")) == [ServerSentEvent("", b"2")]
    assert list(stream.feed(b"\ndata: 3\n\ndata: 4\n\n")) == [
        ServerSentEvent("", b"3"),
        ServerSentEvent("", b"4"),
    ]


def test_a_lone_carriage_return_at_a_pieces_end_ends_the_line_at_once():
    lines = Lines()
    assert lines.feed(b"a\r") == [b"a"]
    assert lines.feed(b"b\r") == [b"b"]
    assert lines.feed(b"\r") == [b""]
    assert lines.feed(b"") == []
    assert lines.feed(b"\n") == []
    assert lines.feed(b"\n") == [b""]


def test_the_name_of_an_event_without_data_is_not_the_next_ones():
    assert events_of([b"event: a\n\ndata: 1\n\n"]) == [ServerSentEvent("", b"1")]


def test_the_last_name_of_an_event_counts():
    assert events_of([b"event: a\nevent: b\ndata: 1\nevent\n\n"]) == [ServerSentEvent("", b"1")]


def test_one_space_behind_the_colon_is_left_out():
    assert events_of([b"event:  a\ndata:  1\n\n"]) == [ServerSentEvent(" a", b" 1")]


def test_a_name_that_is_no_utf8_is_replaced():
    assert events_of([b"event: \xff\ndata: 1\n\n"]) == [ServerSentEvent("\ufffd", b"1")]


def test_a_byte_order_mark_counts_only_in_front():
    marked = b"\xef\xbb\xbfdata: 1\n\n\xef\xbb\xbfdata: 2\n\n"
    assert events_of([marked]) == [ServerSentEvent("", b"1")]


@pytest.mark.parametrize("stream", [b"", b"\n", b"\r\n\r\n", b": comment\n\n", b"event: a"])
def test_a_stream_without_data_has_no_events(stream):
    assert events_of([stream]) == []


def test_a_line_may_be_as_long_as_the_bound_and_no_longer():
    assert lines_of([b"12345678", b"\n87654321\n"], largest=8) == [b"12345678", b"87654321", b""]
    for stream in (b"123456789", b"\n123456789", b"123456789\n", b"1\n123456789\n1"):
        for place in range(len(stream) + 1):
            with pytest.raises(ProtocolError, match="a line of the stream is longer than 8 bytes"):
                lines_of(pieces_of(stream, [place]), largest=8)


def test_an_event_may_be_as_large_as_the_bound_and_no_larger():
    assert (
        events_of([b"data:123\ndata:4567\n\n" * 3], largest=12)
        == [ServerSentEvent("", b"123\n4567")] * 3
    )
    with pytest.raises(ProtocolError, match="an event of the stream is larger than 12 bytes"):
        events_of([b"data:123456\ndata:123456\n\n"], largest=12)


def test_empty_data_lines_count_as_well():
    with pytest.raises(ProtocolError, match="an event of the stream is larger than 12 bytes"):
        events_of([b"data\n"] * 14, largest=12)


def test_a_large_frame_costs_as_much_in_tiny_pieces_as_it_has_bytes():
    lines = Lines()
    for _ in range(2**20):
        assert lines.feed(b"ab") == []
    assert lines.feed(b"\n") == [b"ab" * 2**20]
