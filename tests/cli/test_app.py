"""`ls` and `show`: which conversations, in which form, for people and for programs."""

import contextlib
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import convostore
from convostore import Conversation, Message, OtherPart, Source, TextPart
from convostore.cli import _output as output
from convostore.cli._filters import Selection, parse_since, parse_until
from convostore.cli.errors import ExitCode
from convostore.testing.strategies import json_values, texts

from ..support.cli import child, run, seeded


@pytest.fixture
def target():
    """A memory store of this test's own, with the conversations `tides` and `moon`."""
    return f"memory://{seeded()}"


def ids(result):
    assert result.exit_code == 0, result.stderr
    return [line.split("\t")[0] for line in result.stdout.splitlines()]


def test_ls_in_a_pipe_is_a_line_a_conversation_with_tabs_between(target):
    conversation_id, time, title = run("ls", target).stdout.splitlines()[1].split("\t")
    assert (conversation_id, title) == ("tides", "When is high tide?")
    assert time.endswith("+00:00")


def test_ls_shows_no_more_than_its_limit(target):
    assert ids(run("ls", target, "--limit", "1")) == ["moon"]


def test_ls_in_a_pipe_without_a_limit_shows_all(target):
    with convostore.open(target) as store:
        for number in range(120):
            store.create_conversation(id=f"{number:03}")
    assert len(ids(run("ls", target))) == 122


@pytest.mark.parametrize("text", ["HIGH TIDE", "high", "tide?"])
def test_a_title_is_looked_for_whatever_its_capitals(target, text):
    with convostore.open(target) as store:
        store.update_conversation("tides", title="When is High Tide?")
    assert ids(run("ls", target, "--title", text)) == ["tides"]


def test_only_pinned_ones_are_listed_when_asked_for(target):
    assert ids(run("ls", target, "--pinned")) == ["moon"]


def test_what_was_active_since_an_age_is_listed(target):
    assert ids(run("ls", target, "--since", "1h")) == ["moon", "tides"]
    assert ids(run("ls", target, "--until", "1h")) == []


def test_a_filter_comes_before_the_limit(target):
    assert ids(run("ls", target, "--limit", "1", "--title", "tide")) == ["tides"]


def active(time, **more):
    return Conversation(id="c", updated_at=time, **more)


def test_a_date_means_its_whole_day_here():
    selection = Selection(since=parse_since("2026-01-31"), before=parse_until("2026-01-31"))
    midnight = datetime(2026, 1, 31).astimezone()
    assert selection.matches(active(midnight))
    assert selection.matches(active(datetime(2026, 1, 31, 23, 59, 59).astimezone()))
    assert not selection.matches(active(midnight - timedelta(seconds=1)))
    assert not selection.matches(active(datetime(2026, 2, 1).astimezone()))


def test_a_time_is_meant_to_the_second():
    selection = Selection(since=parse_since("2026-01-31T12:00:00+02:00"))
    assert selection.matches(active(datetime(2026, 1, 31, 10, 0, 0, tzinfo=UTC)))
    assert not selection.matches(active(datetime(2026, 1, 31, 9, 59, 59, tzinfo=UTC)))


def test_what_has_no_time_is_outside_of_every_span():
    assert Selection().matches(active(None))
    assert not Selection(since=parse_since("1970-01-02")).matches(active(None))
    assert not Selection(before=parse_until("2100-01-01")).matches(active(None))


@pytest.mark.parametrize(
    "when", ["yesterday", "", "7", "7y", "2026-13-01", "99999999999d", "0001-01-01T00:00+14:00"]
)
@pytest.mark.parametrize("option", ["--since", "--until"])
def test_what_is_no_time_is_refused_with_the_forms_that_are(target, option, when):
    result = run("ls", target, option, when)
    assert result.exit_code == ExitCode.USAGE
    assert option in result.stderr
    assert "7d" in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_last_day_of_all_is_refused_where_its_end_cannot_be_told(target):
    assert run("ls", target, "--until", "9999-12-31").exit_code == ExitCode.USAGE


def test_json_is_one_document_of_our_schema(target):
    moon, tides = json.loads(run("ls", target, "--json").stdout)
    assert moon["pinned"] is True
    assert "raw" not in moon
    assert Conversation(**tides).title == "When is\nhigh tide?"


def test_json_of_nothing_is_an_empty_list(target):
    assert json.loads(run("ls", target, "--json", "--title", "nothing").stdout) == []


def test_json_lines_are_a_line_a_conversation(target):
    lines = run("ls", target, "--jsonl").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["moon", "tides"]


def test_raw_is_there_when_asked_for(target):
    shown = json.loads(run("show", target, "tides", "--json", "--raw").stdout)
    assert "raw" in shown["conversation"]
    assert "raw" in shown["messages"][1]["sources"][0]


@pytest.mark.parametrize("options", [("--json", "--jsonl"), ("--raw",)])
def test_forms_that_exclude_each_other_are_refused(target, options):
    for command in (["ls", target], ["show", target, "tides"]):
        result = run(*command, *options)
        assert result.exit_code == ExitCode.USAGE
        assert not result.stdout


def test_show_in_a_pipe_is_plain_text_with_numbered_sources(target):
    result = run("show", target, "tides")
    assert result.exit_code == 0
    assert "At *six*[1], they say[7]." in result.stdout
    assert "[1] Tide table https://example.org/tides" in result.stdout
    assert "\x1b" not in result.stdout


def test_show_names_the_ids_that_other_commands_take(target):
    shown = run("show", target, "tides").stdout
    assert "## user, -, question" in shown
    assert "## assistant, -, answer" in shown


@pytest.mark.parametrize("form", [(), ("--json",), ("--jsonl",)])
def test_the_last_messages_are_shown_in_their_order(target, form):
    with convostore.open(target) as store:
        text = (TextPart(text="Thanks!"),)
        store.append_messages("tides", [Message(id="third", role="user", parts=text)])
    shown = run("show", target, "tides", "--last", "2", *form).stdout
    assert shown.index("six") < shown.index("Thanks!")
    assert '"question"' not in shown
    assert ", question" not in shown


def test_show_as_json_is_the_conversation_and_its_messages(target):
    shown = json.loads(run("show", target, "tides", "--json").stdout)
    assert Conversation(**shown["conversation"]).id == "tides"
    assert [Message(**message).id for message in shown["messages"]] == ["question", "answer"]


def test_show_as_json_lines_is_a_line_a_message(target):
    lines = run("show", target, "tides", "--jsonl").stdout.splitlines()
    assert [Message(**json.loads(line)).id for line in lines] == ["question", "answer"]


@pytest.mark.parametrize("form", [(), ("--json",), ("--jsonl",), ("--last", "1")])
def test_what_is_absent_is_one_line_and_a_status_of_its_own(target, form):
    result = run("show", target, "nothing", *form)
    assert result.exit_code == ExitCode.NOT_FOUND
    assert result.stderr.count("\n") == 1
    assert "nothing" in result.stderr
    assert not result.stdout


BREAKING_OFF = """
from convostore.errors import UnavailableError
from convostore.adapters.memory import MemoryAdapter
from convostore.plugins import hookimpl

class BreakingOff(MemoryAdapter):
    name = "breaking-off"

    def list_conversations(self, listing):
        if listing.cursor:
            raise UnavailableError("gone for lunch")
        return super().list_conversations(listing)

@hookimpl
def convostore_adapters():
    return {"breaking-off": BreakingOff}
"""


@pytest.fixture
def breaking_off(site):
    """A backend that fails behind its first page, over a memory of three pages."""
    site.install("convostore-breaking-off", {"breaking-off": BREAKING_OFF})
    name = seeded()
    with convostore.open(f"memory://{name}") as store:
        for _ in range(300):
            store.create_conversation()
    return f"breaking-off://{name}"


@pytest.mark.parametrize("form", [(), ("--jsonl",)])
def test_lines_are_written_before_the_rest_is_read(breaking_off, form):
    result = run("ls", breaking_off, *form)
    assert result.exit_code == ExitCode.FAILED
    assert "gone for lunch" in result.stderr
    assert 1 < len(result.stdout.splitlines()) < 302


def test_a_json_document_is_whole_or_not_there(breaking_off):
    result = run("ls", breaking_off, "--json")
    assert result.exit_code == ExitCode.FAILED
    assert not result.stdout


def test_what_is_not_wanted_is_not_read(breaking_off):
    assert run("ls", breaking_off, "--limit", "2").exit_code == 0


def written_json(value):
    with io.TextIOWrapper(io.BytesIO(), encoding="utf-8") as file:
        with contextlib.redirect_stdout(file):
            output.write_json(value)
        file.seek(0)
        return file.read().removesuffix("\n")


@given(text=texts())
def test_json_gives_every_text_back_and_commands_no_terminal(text):
    line = written_json([text])
    assert json.loads(line) == [text]
    assert not output.CONTROL.search(line)
    assert "\n" not in line


@given(raw=json_values(), score=st.floats())
def test_whatever_a_service_sent_can_be_written_as_json(raw, score):
    source = Source(title="t", score=score, raw=raw)
    parts = (OtherPart(data=raw),)
    message = Message(role="user", parts=parts, sources=(source,), raw=raw)

    def refuse(word):
        raise AssertionError(word)

    for with_raw in (True, False):
        line = written_json(output.plain(message, raw=with_raw))
        assert json.loads(line, parse_constant=refuse)["role"] == "user"


@pytest.mark.rim
def test_a_pipe_whose_encoding_is_poor_still_gets_every_title():
    environment = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    lines = child("ls", "memory://seeded", env=environment)
    assert lines.returncode == 0, lines.stderr
    assert b"When is high tide? ??" in lines.stdout
    document = child("ls", "memory://seeded", "--json", env=environment)
    assert json.loads(document.stdout)[1]["title"] == "When is high tide? 潮汐"


def test_ls_filters_by_owner_and_begins_where_it_is_told(target):
    with convostore.open(target) as store:
        store.update_conversation("tides", owner="ann")
    everything = ids(run("ls", target))
    assert ids(run("ls", target, "--owner", "ann")) == ["tides"]
    assert "tides" not in ids(run("ls", target, "--without-owner"))
    assert ids(run("ls", target, "--reverse")) == everything[::-1]
    assert ids(run("ls", target, "--start", everything[1])) == everything[1:]
    assert run("ls", target, "--start", "nothing").exit_code == ExitCode.NOT_FOUND
    assert run("ls", target, "--owner", "a", "--without-owner").exit_code == ExitCode.USAGE


def test_show_begins_with_the_message_that_is_named(target):
    shown = run("show", target, "tides", "--start", "answer", "--jsonl").stdout.splitlines()
    assert [json.loads(line)["id"] for line in shown] == ["answer"]
    assert run("show", target, "tides", "--start", "a", "--last", "1").exit_code == ExitCode.USAGE
