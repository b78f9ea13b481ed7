"""A reply that is drawn while it grows: each line once, nothing cut, no command of strangers."""

import io
import itertools
import re

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from convostore import (
    FilePart,
    InteractionOption,
    InteractionPart,
    Message,
    Source,
    TextPart,
    ToolCallPart,
)
from convostore.cli.chat._incremental import Cleaner, GrowingText, settled_lines
from convostore.cli.chat._markdown import end_of_markdown, settled_markdown
from convostore.cli.chat.live_view import ReplyView
from convostore.cli.render.terminal import block
from convostore.cli.render.text import CONTROL, printable
from convostore.models import (
    InteractionRequested,
    OtherEvent,
    PartAdded,
    PartsReplaced,
    ReasoningDelta,
    Reply,
    ReplyFinished,
    SourcesFound,
    StatusChanged,
    TextDelta,
    ToolCallArgumentsDelta,
    ToolCallStarted,
    ToolResultDelta,
)
from convostore.testing.strategies import texts

HEIGHT, WIDTH = 12, 60
LONG = "\n\n".join(
    [
        "# Tides",
        *(f"Paragraph {number} tells of the sea, and goes on for a while." for number in range(9)),
        "\n".join(f"- item {number}\n  - below {number}" for number in range(20)),
        "```python\n" + "\n".join(f"line_{number} = {number}" for number in range(40)) + "\n```",
        "| place | time |\n|---|---|\n"
        + "\n".join(f"| p{number} | t{number} |" for number in range(30)),
        "1. first\n\n2. second\n\n   more of it\n\n3. third",
        "> quoted\n> twice\n\nSetext\n======\n\n***\n\nThe end.",
    ]
)
"""An answer of every kind of block, some of them higher than the screen."""


class Terminal:
    """A small terminal that a view draws on."""

    def __init__(self):
        self.file = io.StringIO()
        self.console = Console(
            file=self.file,
            force_terminal=True,
            width=WIDTH,
            height=HEIGHT,
            color_system="standard",
            legacy_windows=False,
            _environ={"TERM": "xterm"},
        )

    def lines(self):
        """All lines that scrolled away and that are on the screen, without those that are empty."""
        screen = pyte.HistoryScreen(WIDTH, HEIGHT, history=10_000, ratio=1)
        screen.set_mode(pyte.modes.LNM)
        pyte.Stream(screen).feed(self.file.getvalue())
        rows = [*screen.history.top, *(screen.buffer[row] for row in range(HEIGHT))]
        found = ["".join(row[column].data for column in range(WIDTH)).rstrip() for row in rows]
        return [line for line in found if line]


def drawn(*events, refreshed=True):
    """What a terminal shows when these events have come, with the screen drawn anew at each."""
    terminal = Terminal()
    with ReplyView(terminal.console) as view:
        for event in events:
            view.show(event)
            if refreshed:
                view._live.refresh()
    return terminal


def deltas(text, size=7, kind=TextDelta):
    return [kind(text=text[at : at + size]) for at in range(0, len(text), size)]


def finished(message, **more):
    return ReplyFinished(reply=Reply(conversation_id="c", turn_id="t", message=message, **more))


def at_once(text):
    """The lines of a text that is printed when it is whole."""
    file = io.StringIO()
    Console(file=file, width=WIDTH).print(block("", text))
    return [line.rstrip() for line in file.getvalue().split("\n") if line.strip()]


@pytest.mark.slow
@pytest.mark.parametrize("size", [17, 50, 1_000, len(LONG)])
def test_a_long_answer_is_there_line_by_line_once_as_if_it_had_come_whole(size):
    assert drawn(*deltas(LONG, size)).lines() == at_once(LONG)


def test_no_more_is_drawn_anew_than_the_screen_is_high():
    shown = drawn(*deltas(LONG, 50)).file.getvalue()
    ups = [len(each) // len("\x1b[1A\x1b[2K") for each in _runs(shown)]
    assert ups
    assert max(ups) < HEIGHT


def _runs(shown):
    """What erases what was drawn: lines up, one after the other."""
    return re.findall(r"(?:\x1b\[1A\x1b\[2K)+", shown)


def test_what_has_settled_scrolls_away_while_the_rest_is_still_to_come():
    terminal = Terminal()
    with ReplyView(terminal.console) as view:
        view._live.refresh()
        assert "waiting" in terminal.lines()[-1]
        view.show(TextDelta(text="One.\n\nTwo.\n\n"))
        view.show(TextDelta(text="Thr"))
        view._live.refresh()
        *above, tail, status = terminal.lines()
    assert (above[0], tail) == ("  One.", "  Thr")
    assert "answering" in status


@pytest.mark.parametrize("between", ["\n- ", " or a longer "])
def test_of_a_block_that_is_higher_than_the_screen_the_end_is_drawn(between):
    terminal = Terminal()
    with ReplyView(terminal.console) as view:
        view.show(TextDelta(text=between.join(f"item {number}" for number in range(80))))
        view._live.refresh()
        *above, last, _ = terminal.lines()
        assert last.endswith("79")
        assert len(above) < HEIGHT


def test_what_is_at_work_is_told_below_and_gone_at_the_end():
    terminal = Terminal()
    with ReplyView(terminal.console) as view:
        view.show(StatusChanged(name="search [bold]\x1b[2J", status="running"))
        view._live.refresh()
        assert any("search [bold]�[2J" in line for line in terminal.lines())
        view.show(StatusChanged(name="write", status="waits"))
        view.show(TextDelta(text="Done."))
        view._live.refresh()
        assert any("write: waits" in line for line in terminal.lines())
    assert terminal.lines() == ["  Done."]


def test_the_number_of_sources_that_were_found_is_told_while_the_answer_is_made():
    terminal = Terminal()
    with ReplyView(terminal.console) as view:
        view.show(SourcesFound(sources=(Source(title="a"), Source(title="b"))))
        view._live.refresh()
        assert "found 2 sources" in terminal.lines()[-1]


def test_what_the_model_thinks_is_dimmed_and_stands_apart_from_what_it_says():
    terminal = drawn(*deltas("one\ntwo\nthree", 3, ReasoningDelta), *deltas("Said."))
    assert terminal.lines() == ["  one", "  two", "  three", "  Said."]
    assert "\x1b[2;3mthree\x1b[0m" in terminal.file.getvalue()


def test_tool_calls_are_told_with_what_they_answered():
    terminal = drawn(
        ToolCallStarted(id="1", name="look"),
        ToolCallStarted(id="2", name="hear"),
        ToolCallArgumentsDelta(id="1", arguments='{"at":'),
        ToolCallArgumentsDelta(id="1", arguments='"sea"}'),
        ToolResultDelta(id="1", content="blue"),
        *deltas("The sea is blue."),
    )
    assert terminal.lines() == [
        '  tool call: look({"at":"sea"})',
        "  tool result: blue",
        "  tool call: hear()",
        "  The sea is blue.",
    ]


def test_pieces_that_come_whole_stand_where_they_came():
    file = PartAdded(part=FilePart(name="a.png", url="https://example.org/a.png"))
    shown = drawn(*deltas("Look:"), file, *deltas("Nice.")).lines()
    assert shown == ["  Look:", "  file: a.png https://example.org/a.png", "  Nice."]


def test_what_is_taken_back_stays_and_is_said_to_be():
    parts = (TextPart(text="Right."), ToolCallPart(id="1", name="look"))
    shown = drawn(*deltas("Wrong.\n\nAnd more"), PartsReplaced(parts=parts)).lines()
    assert shown[:2] == ["  Wrong.", "  And more"]
    assert "withdrawn" in shown[2]
    assert shown[3:] == ["  Right.", "  tool call: look()"]


def test_the_beginning_of_an_answer_that_breaks_off_stays():
    with pytest.raises(KeyboardInterrupt):
        _broken_off(terminal := Terminal())
    assert terminal.lines() == ["  High tide", "  is at"]


def _broken_off(terminal):
    with ReplyView(terminal.console) as view:
        view.show(TextDelta(text="High tide\n\nis at"))
        raise KeyboardInterrupt


MARKS = [f"{each:024x}" for each in (0xA, 0xB)]


@pytest.mark.parametrize("size", [1, 9, 200])
def test_sources_stand_below_with_the_numbers_that_the_text_has(size):
    text = f"At six[{MARKS[1]}](CITE).\n\nOr not[{MARKS[0]}](QUOTE)."
    sources = (
        Source(title="Moon", mark=MARKS[0]),
        Source(title="Tides", url="https://example.org/tides", mark=MARKS[1]),
        Source(title="Read", kind="researched"),
    )
    message = Message(role="assistant", parts=(TextPart(text=text),), sources=sources)
    assert drawn(*deltas(text, size), finished(message)).lines() == [
        "  At six[1].",
        "  Or not[2].",
        "    [2] Moon",
        "    [1] Tides  https://example.org/tides",
        "    1 more read on the way",
    ]


def test_an_answer_of_which_only_the_end_comes_is_shown_whole_but_for_what_is_asked():
    asked = InteractionPart(type="s", prompt="Which?", options=(InteractionOption(value="a"),))
    message = Message(role="assistant", parts=(TextPart(text="Well."), asked))
    assert drawn(finished(message)).lines() == ["  Well."]


def test_what_is_asked_is_left_to_those_who_ask():
    asked = InteractionPart(type="s", prompt="Which?")
    message = Message(role="assistant", parts=(asked,))
    shown = drawn(InteractionRequested(interaction=asked), finished(message))
    assert shown.lines() == []


def test_an_answer_that_is_not_whole_is_marked():
    message = Message(role="assistant", parts=(TextPart(text="Hig"),), status="generating")
    assert drawn(*deltas("Hig"), finished(message)).lines() == ["  Hig", "    (generating)"]


def test_what_nobody_knows_is_not_drawn():
    assert drawn(OtherEvent(type="x", data={"a": 1})).lines() == []


def test_nothing_in_an_answer_commands_the_terminal():
    evil = "\x1b]8;;https://example.org\x07 [bold]x[/bold] \x1b[2J \u202e\r\n"
    text = drawn(*deltas(evil, 1), *deltas(evil, 1, ReasoningDelta)).file.getvalue()
    assert "\x1b]8" not in text
    assert "\x1b[2J" not in text
    assert "\u202e" not in text
    assert "[bold]x[/bold]" in text


def cut(text, places):
    """The text in pieces that are cut at these places."""
    bounds = [0, *sorted({min(place, len(text)) for place in places}), len(text)]
    return [text[start:stop] for start, stop in itertools.pairwise(bounds)]


CUTS = st.lists(st.integers(0, 80), max_size=8)


@given(text=texts() | st.text("a\r\n\x1b"), places=CUTS)
def test_pieces_are_printable_as_the_whole_is(text, places):
    cleaner = Cleaner()
    shown = "".join([cleaner.feed(piece) for piece in cut(text, places)]) + cleaner.flush()
    assert shown == printable(text)
    assert not CONTROL.search(shown)


@given(text=texts() | st.text("a #-`|\n"), places=CUTS)
def test_what_is_given_away_bit_by_bit_is_the_whole(text, places):
    for settled in (settled_markdown, settled_lines):
        growing = GrowingText(settled, period=0)
        given = []
        for piece in cut(text, places):
            growing.add(piece)
            given.append(growing.take_settled())
        assert "".join(given) + growing.tail == "".join([*given, growing.take_all()])
        assert "".join(given) == printable(text)[: len("".join(given))]


def test_what_has_settled_of_markdown_is_whole_blocks():
    settled = {settled_markdown(LONG[:end]) for end in range(0, len(LONG), 5)}
    assert len(settled) > 15
    for end in settled:
        assert at_once(LONG[:end]) + at_once(LONG[end:]) == at_once(LONG)


def test_an_item_that_may_be_one_of_the_list_above_settles_nothing():
    assert settled_markdown("1. one\n\n2") == 0
    assert settled_markdown("1. one\n\n2. two\n\nthen\n") == len("1. one\n\n2. two\n\n")


def test_settled_text_is_looked_for_now_and_then_and_less_often_when_it_takes_long():
    now = [0.0]

    def settled(text):
        now[0] += 1.0
        return len(text)

    growing = GrowingText(settled, period=0.1, clock=lambda: now[0])
    growing.add("a")
    assert growing.take_settled() == "a"
    growing.add("b")
    now[0] += 9.9
    assert growing.take_settled() == ""
    now[0] += 0.2
    assert growing.take_settled() == "b"


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("a\nb\nc\nd", "c\nd"),
        ("```py\na\nb\nc", "```py\nb\nc"),
        ("| a |\n|---|\n| b |\n| c |\n| d |", "| a |\n|---|\n| c |\n| d |"),
        ("```\na\nb", "```\na\nb"),
        ("", ""),
        ("a", "a"),
    ],
)
def test_the_end_of_a_block_still_reads_as_that_block(text, end):
    assert end_of_markdown(text, 2) == end
