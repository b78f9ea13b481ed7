"""What a terminal and a pipe show of a conversation: every part, and nothing that could harm."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from rich.console import Console

from convostore import (
    Conversation,
    Feedback,
    FilePart,
    InteractionField,
    InteractionOption,
    InteractionPart,
    Message,
    OtherPart,
    Problem,
    ReasoningPart,
    Source,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from convostore.cli.render import columns, terminal, text, times
from convostore.search import Hit, Snippet

from ..support.cli import answer, question

HEX = "0123456789abcdef01234567"
OTHER_HEX = "fedcba987654321001234567"


def shown(renderable, width=80):
    console = Console(width=width, force_terminal=True, color_system="truecolor", record=True)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def plainly(renderable, width=80):
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def both(message, conversation=None):
    """What a terminal shows, without its colours, and what goes into a pipe."""
    conversation = conversation or Conversation(id="c", title="t")
    yield plainly(terminal.transcript(conversation, [message]))
    yield text.transcript_text(conversation, (message,))


def said(*parts, **more):
    return Message(id="m", role="assistant", parts=parts, **more)


@pytest.mark.parametrize("render", [plainly, None])
def test_the_owner_and_the_metadata_are_shown(render):
    metadata = {"project": "sea\x1b[2J", "stars": {"of": [5]}}
    conversation = Conversation(id="c", owner="ann", metadata=metadata)
    drawn = render(terminal.transcript(conversation, [])) if render else None
    drawn = drawn or text.transcript_text(conversation, ())
    assert [line.strip() for line in drawn.splitlines()[-3:]] == [
        "owner: ann",
        "project=sea�[2J",
        'stars={"of": [5]}',
    ]


def test_a_terminal_shows_markdown_links_and_what_was_researched():
    drawn = shown(terminal.transcript(Conversation(id="c", title="t"), [question(), answer()]))
    assert "https://example.org/tides" in drawn
    assert "\x1b]8;" in drawn
    assert "**high**" not in drawn
    assert "[7]" in drawn
    assert "1 more read on the way" in drawn


def test_reasoning_is_dimmed_on_a_terminal():
    drawn = shown(terminal.transcript(Conversation(id="c"), [said(ReasoningPart(text="hm"))]))
    assert "\x1b[2;3mhm" in drawn


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (TextPart(text="Yes."), ["Yes."]),
        (ReasoningPart(text="hm"), ["hm"]),
        (ToolCallPart(name="search", arguments='{"q": 1}'), ["tool call", 'search({"q": 1})']),
        (ToolResultPart(content="found"), ["tool result", "found"]),
        (FilePart(name="a.png", url="https://x/a"), ["file", "a.png", "https://x/a"]),
        (FilePart(), ["unnamed"]),
        (OtherPart(type="widget"), ["widget"]),
        (OtherPart(), ["something"]),
    ],
)
def test_every_kind_of_part_leaves_a_trace(part, words):
    for output in both(said(part)):
        for word in words:
            assert word in output


def options(*values):
    return tuple(InteractionOption(value=value) for value in values)


def test_a_choice_shows_what_was_chosen():
    part = InteractionPart(
        type="userSelect", prompt="Which?", options=options("a", "b"), answered=True, answer="b"
    )
    for output in both(said(part)):
        assert "Which?" in output
        assert "[ ] a" in output
        assert "[x] b" in output
        assert "waits" not in output


def test_a_question_that_waits_says_so():
    for output in both(said(InteractionPart(type="userSelect", options=options("a")))):
        assert "userSelect" in output
        assert "waits for an answer" in output


def test_an_answer_that_is_none_of_the_options_is_shown():
    part = InteractionPart(type="ask", options=options("a"), answered=True, answer="neither")
    for output in both(said(part)):
        assert "neither" in output


def test_a_form_shows_its_fields_and_what_was_filled_in():
    fields = (
        InteractionField(key="n", label="Number", value=7),
        InteractionField(key="day", options=options("Mon", "Tue")),
    )
    part = InteractionPart(type="userInput", fields=fields, answered=True)
    for output in both(said(part)):
        assert "Number: 7" in output
        assert "day: -" in output
        assert "Mon | Tue" in output


def test_feedback_status_model_and_problems_are_told():
    message = said(
        status="failed",
        model="some-model",
        feedback=Feedback(rating="bad", comment="too\nlong"),
        problems=(Problem(where="metadata", what="is not JSON"),),
    )
    for output in both(message):
        assert "failed" in output
        assert "some-model" in output
        assert "feedback: bad (too long)" in output
        assert "could not be read: metadata is not JSON" in output


def test_what_is_said_of_a_conversation_ends_before_its_first_message():
    conversation = Conversation(id="c", title="Tides", owner="ann")
    shown = text.transcript_text(conversation, (question(),))
    assert shown.startswith("# Tides\n\nowner: ann\n\n## user")


def test_files_and_problems_of_the_conversation_are_told():
    conversation = Conversation(
        id="c", files=(FilePart(name="a.pdf"),), problems=(Problem(where="files", what="is odd"),)
    )
    for output in both(said(), conversation):
        assert "a.pdf" in output
        assert "files is odd" in output


def test_marks_that_are_no_numbers_are_numbered():
    sources = (
        Source(title="One", mark=HEX, kind="quote"),
        Source(title="Two", mark=OTHER_HEX, kind="quote"),
    )
    message = said(TextPart(text=f"So[{OTHER_HEX}](CITE) it is[{HEX}](CITE)."), sources=sources)
    for output in both(message):
        assert "So[2] it is[1]." in output
        assert "[1] One" in output
        assert "[2] Two" in output
        assert HEX not in output


def test_a_mark_without_its_source_stays_readable():
    for output in both(said(TextPart(text=f"So[{HEX}](CITE)."))):
        assert HEX in output


def test_a_number_is_not_given_twice():
    sources = (Source(title="One", mark=HEX), Source(title="Two", mark="1"))
    message = said(TextPart(text=f"a[1] b[{HEX}](CITE)"), sources=sources)
    for output in both(message):
        assert "a[1] b[2]" in output
        assert "[2] One" in output
        assert "[1] Two" in output


def test_a_quote_without_a_mark_is_listed_all_the_same():
    for output in both(said(sources=(Source(content="Neap tide", kind="quote"),))):
        assert "Neap tide" in output


def test_a_long_answer_of_a_tool_is_cut_on_a_terminal_only():
    part = ToolResultPart(content="\n".join(f"line {number}" for number in range(100)))
    drawn, pipe = both(said(part))
    assert "line 99" not in drawn
    assert "88 more lines" in drawn
    assert "line 99" in pipe


def test_a_table_names_the_store_of_each_row():
    rows = [("one", Conversation(id="1", title="a")), ("two", Conversation(id="2", pinned=True))]
    table = shown(terminal.conversations_table(rows))
    assert "one" in table
    assert "two" in table
    assert "📌" in table


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_table_of_wide_characters_keeps_to_the_width(width):
    rows = [("s", Conversation(id="x" * 30, title="今天的潮汐时间表" * 9))] * 2
    table = plainly(terminal.conversations_table(rows, with_store=False), width)
    assert max(map(terminal.cell_len, table.splitlines())) <= width
    assert "今天" in table
    assert "…" in table


@pytest.mark.parametrize(
    "hostile",
    ["\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "a\rb", "\u202egnp.exe", "\u200f", "[bold]x[/bold]"],
)
def test_nothing_hostile_reaches_the_terminal(hostile):
    conversation = Conversation(
        id=hostile,
        title=hostile,
        files=(FilePart(name=hostile),),
        problems=(Problem(where=hostile, what=hostile),),
    )
    parts = (
        TextPart(text=hostile),
        ReasoningPart(text=hostile),
        ToolCallPart(name=hostile, arguments=hostile),
        ToolResultPart(content=hostile),
        FilePart(name=hostile, url=hostile, media_type=hostile),
        InteractionPart(
            type=hostile,
            prompt=hostile,
            options=(InteractionOption(value=hostile, label=hostile),),
            fields=(InteractionField(key=hostile, value=hostile, options=options(hostile)),),
            answered=True,
            answer="x" + hostile,
        ),
        OtherPart(type=hostile),
    )
    message = Message(
        id=hostile,
        role="user",
        parts=parts,
        model=hostile,
        sources=(
            Source(title=hostile, url=f"https://x/{hostile}", content=hostile, mark="1"),
            Source(content=hostile),
        ),
        feedback=Feedback(rating="bad", comment=hostile),
        problems=(Problem(where=hostile, what=hostile),),
    )
    for output in (
        shown(terminal.transcript(conversation, [message])),
        shown(terminal.conversations_table([(hostile, conversation)])),
        text.transcript_text(conversation, (message,)),
        text.conversation_line(conversation),
    ):
        if "bold" in hostile:
            assert hostile in output
        else:
            assert hostile not in output


@pytest.mark.parametrize("url", ["javascript:alert(1)", "File", "file_id://0f", ""])
def test_only_web_addresses_become_links(url):
    message = answer().model_copy(update={"sources": (Source(title="t", url=url, mark="1"),)})
    assert "\x1b]8;" not in shown(terminal.transcript(Conversation(id="c"), [message]))


def test_a_link_in_a_text_shows_where_it_leads():
    message = said(TextPart(text="[your bank](https://elsewhere.example)"))
    drawn = shown(terminal.transcript(Conversation(id="c"), [message]))
    assert "https://elsewhere.example" in drawn
    assert "\x1b]8;" not in drawn


LINES = "first line\nsecond line\n\nafter a gap"


def test_a_users_line_breaks_are_kept_on_a_terminal():
    asked = Message(id="m", role="user", parts=(TextPart(text=LINES),))
    drawn = plainly(terminal.transcript(Conversation(id="c"), [asked]))
    assert [line.strip() for line in drawn.splitlines()[-4:]] == LINES.split("\n")


def test_an_answers_lines_are_filled_as_markdown_says():
    drawn = plainly(terminal.transcript(Conversation(id="c"), [said(TextPart(text=LINES))]))
    assert "first line second line" in drawn


def test_a_conversation_without_a_title_is_untitled_for_people_only():
    nameless = Conversation(id="c", title=" \n")
    assert "Untitled" in plainly(terminal.conversations_table([("s", nameless)]))
    assert "Untitled" in plainly(terminal.transcript(nameless, []))
    assert text.conversation_line(nameless) == "c\t\t"


@pytest.fixture
def zone(monkeypatch):
    def set_zone(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone cannot be changed on Windows")
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("UTC", "2026-01-31 12:00 UTC"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-01-31 13:00 CET"),
        ("<+0530>-5:30", "2026-01-31 17:30 +0530"),
        ("XYZ-99", "2026-01-31 12:00 UTC"),  # a mistyped zone, more than a day away
    ],
)
def test_a_time_is_shown_with_its_zone(zone, name, shown):
    zone(name)
    assert times.when(datetime(2026, 1, 31, 12, tzinfo=UTC)) == shown


def test_a_zone_with_a_long_name_is_shown_as_its_offset(monkeypatch):
    berlin = timezone(timedelta(hours=1), "W. Europe Standard Time")
    monkeypatch.setattr(times, "_here", lambda time: time.astimezone(berlin))
    assert times.when(datetime(2026, 1, 31, 12, tzinfo=UTC)) == "2026-01-31 13:00 UTC+0100"


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone cannot be changed on Windows")
def test_the_head_of_a_list_names_the_zones_of_its_times(zone):
    zone("CET-1CEST,M3.5.0,M10.5.0/3")
    winter = Conversation(id="w", updated_at=datetime(2026, 1, 1, tzinfo=UTC))
    summer = Conversation(id="s", updated_at=datetime(2026, 7, 1, tzinfo=UTC))
    table = terminal.conversations_table([("", winter), ("", summer)], with_store=False)
    assert "Last active CEST/CET " in plainly(table)
    assert "Last active CET " in plainly(
        terminal.conversations_table([("", winter)], with_store=False)
    )


@pytest.mark.parametrize(
    ("title", "width", "shown"),
    [
        ("high tide", 9, "high tide"),
        ("high tide", 8, "high ti…"),
        ("潮汐表", 6, "潮汐表"),
        ("潮汐表", 5, "潮汐…"),
        ("潮汐表", 4, "潮…"),
        ("e\u0301tude", 5, "e\u0301tude"),
        ("a\nb", 3, "a b"),
        ("", 3, ""),
    ],
)
def test_a_title_is_cut_by_the_columns_that_it_takes(title, width, shown):
    assert columns.cut(title, width) == shown


def test_words_are_not_broken_between_lines():
    long = "sqlite:////home/ann/a-long-folder/history.db"
    assert list(columns.wrapped(f"1 conversation of {long} is lost", 20)) == [
        "1 conversation of",
        long,
        "is lost",
    ]


def test_a_hits_title_leaves_room_for_its_id():
    conversation = Conversation(id="tides", title="High tide and low tide " * 10)
    hit = Hit(
        conversation=conversation, message=question(), where="text", snippet=Snippet(text="x")
    )
    heading, *_ = plainly(terminal.hits_list([hit]), width=60).splitlines()
    assert heading.endswith("…  -  tides")
    assert len(heading) <= 60
