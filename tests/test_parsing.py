"""Tolerant reading: JSON within bounds, and points in time."""

import json
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from convostore import ProtocolError
from convostore.parsing import MAX_NESTING, decode_json, non_empty_text, read_time

ANY_TEXT = st.text(st.characters(exclude_categories=()))
NUMBERS = (
    st.integers().map(str)
    | st.floats().map(lambda number: json.dumps(number))
    | st.sampled_from(["-0", "-0.0", "1E400", "1e-400", "-1e400", "0.1e+2", "9" * 4300, "7" * 40])
    | st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
)


def _object_text(pairs):
    return "{" + ",".join(f"{name}: {value}" for name, value in pairs) + "}"


STRINGS = st.builds(json.dumps, ANY_TEXT, ensure_ascii=st.booleans())
DOCUMENTS = st.recursive(
    st.sampled_from(["null", "true", "false", "NaN", "Infinity", "-Infinity"]) | NUMBERS | STRINGS,
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: "[" + " ,".join(items) + "]")
        | st.lists(st.tuples(STRINGS | st.just('"same"'), inner), max_size=4).map(_object_text)
    ),
    max_leaves=12,
)


def _written(value):
    """A text that tells 1 from 1.0 and True, and -0.0 from 0.0, as == does not."""
    return json.dumps(value, sort_keys=True)


def _agrees_with_the_standard_library(data):
    try:
        expected = json.loads(data)
    except (ValueError, RecursionError):
        with pytest.raises(ProtocolError):
            decode_json(data)
    else:
        assert _written(decode_json(data)) == _written(expected)


@given(DOCUMENTS)
@example('{"a": 1, "a": {"b": 2}, "a": 3}')
@example('"\\ud800 \\udc00\\ud800 \\ud83d\\ude00"')
@example("9" * 4301)
@example("-" + "9" * 5000)
@example("[1." + "9" * 5000 + "]")
@example("[1e" + "9" * 5000 + "]")
@example('["\\u0000\\u2028", "\u2028"]')
def test_json_is_read_as_the_standard_library_reads_it(text):
    _agrees_with_the_standard_library(text)


@given(DOCUMENTS, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_json_as_bytes_is_read_as_the_standard_library_reads_it(text, encoding):
    _agrees_with_the_standard_library(text.encode(encoding, "surrogatepass"))


@given(st.binary() | st.text(alphabet='[]{}",:0123456789.eE+-truefalsn \\u\ud800\x00').map(str))
@example(b"")
@example("")
@example("\ud800")
@example(b"\xff\xfe")
@example(b'"\xed\xa0\x80"')
@example("\ufeff1")
@example("[" * 100_000)
@example('{"a":' * 100_000)
@example("[1] 2")
@example("01")
def test_whatever_is_sent_is_a_value_or_a_protocol_error(data):
    _agrees_with_the_standard_library(data)


@given(DOCUMENTS, st.data())
def test_truncated_json_is_a_value_or_a_protocol_error(text, data):
    _agrees_with_the_standard_library(text[: data.draw(st.integers(0, len(text)))])


def _nested(depth, innermost):
    return "[" * depth + innermost + "]" * depth, '{"a":' * depth + innermost + "}" * depth


def _is_readable(text):
    try:
        decode_json(text)
    except ProtocolError:
        return False
    return True


@pytest.mark.parametrize("innermost", ["1", '"x"', '"\\ud800"'])
@pytest.mark.parametrize("depth", [1, MAX_NESTING - 1, MAX_NESTING])
def test_nesting_up_to_the_bound_is_read(depth, innermost):
    assert [_is_readable(text) for text in _nested(depth, innermost)] == [True, True]


@pytest.mark.parametrize("innermost", ["1", '"x"', '"\\ud800"', "[]", "{}"])
@pytest.mark.parametrize("depth", [MAX_NESTING + 1, MAX_NESTING + 2, 5_000, 100_000])
def test_nesting_beyond_the_bound_is_refused(depth, innermost):
    assert [_is_readable(text) for text in _nested(depth, innermost)] == [False, False]


@pytest.mark.parametrize("innermost", ["1", "[]", "{}", '[{"a": []}, 1]'])
@pytest.mark.parametrize("depth", range(MAX_NESTING - 3, MAX_NESTING + 3))
def test_the_bound_on_nesting_does_not_depend_on_a_lone_surrogate_elsewhere(depth, innermost):
    for text in _nested(depth, innermost):
        assert _is_readable(f'["plain", {text}]') == _is_readable(f'["\\ud800", {text}]')


def test_the_error_names_what_was_read_and_shows_nothing_of_it():
    with pytest.raises(ProtocolError, match="the field 'metadata' is not JSON") as caught:
        decode_json('{"key": "s3cret', "the field 'metadata'")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "data", ["[" + "é" * 300, ("[" + "é" * 300).encode(), b"[" + b"\xff" * 300]
)
def test_the_errors_excerpt_is_the_beginning_of_the_text(data):
    with pytest.raises(ProtocolError) as caught:
        decode_json(data)
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    assert caught.value.excerpt == text[:200]


SEVENTH = datetime(2024, 12, 7, 9, 35, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2024-12-07T09:35:59Z",
        "2024-12-07T09:35:59.000Z",
        "2024-12-07T11:35:59+02:00",
        "2024-12-06T23:35:59-10:00",
        "2024-12-07 09:35:59",
        "2024-12-07T09:35:59",
        "Sat Dec 07 2024 09:35:59 GMT+0000 (Coordinated Universal Time)",
        "Sat Dec 07 2024 09:35:59 GMT+0000 (GMT+00:00)",
        "Sat Dec 07 2024 17:35:59 GMT+0800 (中国标准时间)",
        "Sat Dec 07 2024 10:35:59 GMT+0100 (Mitteleuropäische Normalzeit)",
        "Fri Dec 06 2024 23:35:59 GMT-1000 (Hawaii-Aleutian Standard Time)",
        "Sat Dec 07 2024 15:20:59 GMT+0545",
        "1733564159000",
        1733564159000,
        1733564159000.0,
    ],
)
def test_every_known_spelling_of_a_time_is_read(written):
    assert read_time(written) == SEVENTH


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="this system has no way to change the zone")
def test_a_time_without_a_zone_is_utc_and_not_the_zone_of_this_machine(monkeypatch):
    try:
        monkeypatch.setenv("TZ", "XXX-8")
        time.tzset()
        assert read_time("2024-12-07 09:35:59") == SEVENTH
    finally:
        monkeypatch.undo()
        time.tzset()


def test_milliseconds_are_kept():
    expected = SEVENTH + timedelta(milliseconds=119)
    assert read_time("2024-12-07T09:35:59.119Z") == expected
    assert read_time(1733564159119) == read_time("1733564159119") == expected


@pytest.mark.parametrize(
    "written",
    [
        None,
        True,
        False,
        "",
        " ",
        "Invalid Date",
        "yesterday",
        "2024-13-07T09:35:59Z",
        "Sat Foo 07 2024 09:35:59 GMT+0000 (Coordinated Universal Time)",
        "Sat Dec 37 2024 09:35:59 GMT+0000",
        1733564159,
        "1733564159",
        12,
        float("nan"),
        float("inf"),
        10**400,
        "9" * 5_000,
        "١٧٣٣٥٦٤١٥٩٠٠٠",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2024-12-07T09:35:59\ud800",
        [1733564159000],
        {"$date": "2024-12-07T09:35:59Z"},
    ],
)
def test_what_is_no_time_is_none_and_no_guess(written):
    assert read_time(written) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)
ALMOST_TIMES = (
    st.from_regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?")
    | st.from_regex(r"... ... .. .... ..:..:.. GMT[+-]?.{0,6}")
    | st.from_regex(r"[0-9٠-٩]{1,20}")
    | ANY_TEXT.map(lambda text: f"2024-{text}")
)


@given(JSON | ALMOST_TIMES | st.binary() | st.datetimes() | st.decimals() | st.dates())
def test_whatever_stands_for_a_time_is_aware_utc_or_none(value):
    read = read_time(value)
    assert read is None or read.tzinfo is UTC


OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(
    st.datetimes(
        datetime(1000, 1, 3),  # noqa: DTZ001  # the strategy adds the zone
        datetime(9999, 12, 29),  # noqa: DTZ001
        timezones=OFFSETS,
    ),
    ANY_TEXT,
)
def test_a_javascript_date_of_any_zone_and_language_is_read(moment, zone):
    moment = moment.replace(microsecond=0)
    days, months = "Mon Tue Wed Thu Fri Sat Sun", "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
    day, month = days.split()[moment.weekday()], months.split()[moment.month - 1]
    clock = f"{moment.hour:02}:{moment.minute:02}:{moment.second:02}"
    text = f"{day} {month} {moment.day:02} {moment.year:04} {clock} GMT{moment:%z} ({zone})"
    assert read_time(text) == moment


@given(st.datetimes(timezones=OFFSETS))
def test_an_iso_time_of_any_zone_is_read_exactly(moment):
    read = read_time(moment.isoformat())
    try:
        expected = moment.astimezone(UTC)
    except OverflowError:  # before year 1 or after year 9999 in UTC
        expected = None
    assert read == expected


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"name": "a"}, "a"),
        ({"name": ""}, None),
        ({"name": None}, None),
        ({"name": 1}, None),
        ({}, None),
        (None, None),
        (["name"], None),
    ],
)
def test_a_filled_field_is_a_text_that_is_not_empty(row, text):
    assert non_empty_text(row, "name") == text
