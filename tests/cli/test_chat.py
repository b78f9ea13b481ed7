"""`chat`: what is typed, asked and shown in a conversation at a terminal."""

import io
import signal
from contextlib import contextmanager

import pytest
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.output.vt100 import Vt100_Output
from rich.console import Console

import convostore
from convostore import InteractionField, InteractionOption, InteractionPart, Message, TextPart
from convostore.cli._arguments import Place
from convostore.cli.chat.prompts import Prompt
from convostore.cli.chat.session import ChatSession
from convostore.cli.errors import ExitCode
from convostore.errors import NotFoundError

from ..support.cli import on_a_terminal, on_posix, run
from ..support.tap import END, said

LEAVE, STOP, UP, NEW_LINE, CLEAR = "\x04", "\x03", "\x1b[A", "\x1b\r", "\x15"
READY = "\x1b[?2004h"
"""What a prompt writes once it reads keys."""


@pytest.fixture
def target(name):
    """An echo over the memory that has `tides` and `moon`."""
    return f"echo://{name}"


@contextmanager
def typing(*keys):
    """A keyboard on which these keys have been typed already."""
    with create_pipe_input() as keyboard:
        keyboard.send_text("".join(keys))
        yield {"input": keyboard, "output": DummyOutput()}


def talk(target, *keys, conversation_id=None, shown=None, **options):
    """What a conversation shows in which these keys are typed, and which is then left."""
    shown = shown or io.StringIO()
    console = Console(file=shown, width=80, highlight=False)
    with convostore.open(target) as store, typing(*keys, LEAVE) as keyboard:
        ChatSession(store, Place(target), options, console=console, **keyboard).run(conversation_id)
    return "\n".join(line.rstrip() for line in shown.getvalue().split("\n"))


def texts(target, conversation_id):
    with convostore.open(target) as store:
        return [message.text for message in store.messages(conversation_id)]


def newest(target):
    """The id of the conversation that is neither `tides` nor `moon`."""
    with convostore.open(target) as store:
        (found,) = {conversation.id for conversation in store.conversations()} - {"tides", "moon"}
    return found


def test_what_is_typed_is_said_and_the_answer_shown(target):
    shown = talk(target, "hello\r", "and more\r")
    assert "You said: hello" in shown
    assert texts(target, newest(target)) == [
        "hello",
        "You said: hello",
        "and more",
        "You said: and more",
    ]


def test_leaving_tells_how_to_come_back(target):
    shown = talk(target, "hello\r")
    assert f"To continue: convostore chat {target} {newest(target)}" in shown


def test_leaving_before_anything_was_said_has_nothing_to_tell(target):
    assert "come back" not in talk(target)


@pytest.mark.parametrize("keys", [(STOP,), ("/quit\r",)])
def test_ctrl_c_at_an_empty_line_leaves_and_so_does_quit(target, keys):
    assert "never" not in talk(target, *keys, "never\r")


def test_ctrl_c_drops_a_line_that_was_begun(target):
    talk(target, "drop this", STOP, "hello\r")
    assert texts(target, newest(target))[0] == "hello"


def test_an_empty_line_says_nothing(target):
    talk(target, "\r", "  \r", "hello\r")
    assert len(texts(target, newest(target))) == 2


class Interrupted(io.StringIO):
    """A screen in whose drawing Ctrl-C comes, at a text."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def write(self, text):
        before, written = self.getvalue(), super().write(text)
        if self.at in text and self.at not in before:
            raise KeyboardInterrupt
        return written


def test_ctrl_c_while_an_answer_is_drawn_stops_it(target):
    keys = "hello\r", "more\r"
    shown = talk(target, *keys, conversation_id="moon", shown=Interrupted("You said: hello"))
    assert "stopped; the service continues" in shown
    assert texts(target, "moon")[-1] == "You said: more"


def test_ctrl_c_at_any_other_time_leaves_and_tells_how_to_come_back(target):
    keys = "/nope\r", "hello\r"
    shown = talk(
        target, *keys, conversation_id="moon", shown=Interrupted("there is no command /nope")
    )
    assert f"convostore chat {target} moon" in shown
    assert texts(target, "moon") == []


def test_a_paste_of_several_lines_is_one_turn(target):
    talk(target, "\x1b[200~one\ntwo\x1b[201~", NEW_LINE, "three\r")
    assert texts(target, newest(target))[0] == "one\ntwo\nthree"


def test_arrow_keys_bring_back_what_was_said_in_the_conversation_before(target):
    talk(target, UP, "\r", conversation_id="tides")
    assert texts(target, "tides")[2] == "When is **high** tide?"


def test_what_was_said_before_commands_no_terminal(target):
    with convostore.open(target) as store:
        said = Message(role="user", parts=(TextPart(text="a\x1b[2Jb"),))
        store.append_messages("moon", [said])
    talk(target, UP, "\r", conversation_id="moon")
    assert texts(target, "moon")[1] == "a�[2Jb"


def test_a_conversation_that_is_there_begins_with_its_last_messages(target):
    with convostore.open(target) as store:
        more = [
            Message(id=f"m{each}", role="user", parts=(TextPart(text=f"number {each}"),))
            for each in range(60)
        ]
        store.append_messages("tides", more)
    shown = talk(target, conversation_id="tides")
    assert "number 59" in shown
    assert "number 54" in shown
    assert "number 53" not in shown
    assert f"convostore show {target} tides" in shown


def test_a_short_conversation_is_shown_whole(target):
    shown = talk(target, conversation_id="tides")
    assert "When is high tide?" in shown
    assert "Tide table" in shown
    assert "convostore show" not in shown


def test_a_conversation_that_is_not_there_is_an_error(target):
    with pytest.raises(NotFoundError):
        talk(target, conversation_id="nothing")


@pytest.mark.parametrize("keys", ["2\r", "blue\r", " blue \r", f"3\r{CLEAR}2\r", f"\r{CLEAR}2\r"])
def test_a_menu_takes_a_number_or_what_the_option_is_called_and_nothing_else(target, keys):
    shown = talk(target, "choose red blue\r", keys, "thanks\r")
    assert "2  blue" in shown
    assert "You said blue." in shown
    assert texts(target, newest(target))[-1] == "You said: thanks"


def test_a_form_is_filled_in_field_by_field(target):
    shown = talk(target, "fill in name age\r", "Ann\r", "\r", "7\r")
    assert "You said name is Ann, age is 7." in shown


def test_what_is_asked_can_be_left_open_and_answered_later(target):
    shown = talk(target, "choose red blue\r", STOP, "/answer\r", "red\r")
    assert "stays open" in shown
    assert "You said red." in shown


def test_the_conversation_can_be_left_at_a_question_and_asks_it_again_on_return(target):
    shown = talk(target, "choose red blue\r")
    conversation_id = newest(target)
    assert f"To continue: convostore chat {target} {conversation_id}" in shown
    assert "You said red." in talk(target, "red\r", conversation_id=conversation_id)


def test_answer_has_nothing_to_ask_where_nothing_waits(target):
    assert "no question is open" in talk(target, "hello\r", "/answer\r")


REFUSING = """
from convostore.adapters.echo import EchoAdapter
from convostore.errors import ConflictError, InvalidError
from convostore.plugins import hookimpl

class Refusing(EchoAdapter):
    name = "refusing"

    def stream_answer(self, answer):
        if answer.answer == "red":
            raise InvalidError("red is out")
        return super().stream_answer(answer)

    def stream_reply(self, turn):
        if turn.content[0].text == "instead":
            raise ConflictError("a question waits")
        return super().stream_reply(turn)

@hookimpl
def convostore_adapters():
    return {"refusing": Refusing}
"""


def test_an_answer_that_is_refused_is_asked_for_again(name, site):
    site.install("convostore-refusing", {"refusing": REFUSING})
    shown = talk(f"refusing://{name}", "choose red blue\r", "red\r", "blue\r")
    assert "red is out" in shown
    assert "You said blue." in shown


def test_a_turn_that_is_refused_as_a_question_waits_leads_to_the_question(name, site):
    site.install("convostore-refusing", {"refusing": REFUSING})
    shown = talk(
        f"refusing://{name}", "choose red blue\r", STOP, "instead\r", "/answer\r", "blue\r"
    )
    assert "a question waits: /answer asks the question again" in shown
    assert "You said blue." in shown


def test_help_tells_every_command(target):
    shown = talk(target, "/help\r")
    for command in ("/help", "/new", "/sources", "/suggest", "/resume", "/answer", "/quit"):
        assert f"\n{command} " in shown


def test_a_command_that_there_is_not_is_not_said(target):
    assert "there is no command /sorces" in talk(target, "/sorces\r", conversation_id="moon")
    assert texts(target, "moon") == []


def test_a_text_may_begin_with_a_slash(target):
    talk(target, "/etc/hosts is what?\r", conversation_id="moon")
    assert texts(target, "moon")[0] == "/etc/hosts is what?"


def test_new_begins_another_conversation_and_tells_how_to_come_back_to_the_old(target):
    shown = talk(target, "/new\r", "hello\r", conversation_id="moon")
    assert f"convostore chat {target} moon" in shown
    assert texts(target, "moon") == []
    assert texts(target, newest(target))[0] == "hello"


def test_sources_of_the_last_answer_are_shown_with_those_that_were_only_read(target):
    shown = talk(target, "/sources\r", conversation_id="tides").rpartition("more read")[2]
    assert "[1] Tide table" in shown
    assert "[-] Moon" in shown
    assert "has no sources" in talk(target, "hello\r", "/sources\r")


def test_a_question_that_is_suggested_is_said_by_its_number(target):
    talk(target, "hello\r", "/suggest\r", "1\r", conversation_id="moon")
    assert texts(target, "moon")[2] == "Why hello?"


@pytest.mark.parametrize("keys", ["\r", STOP])
def test_no_suggestion_need_be_taken(target, keys):
    talk(target, "hello\r", "/suggest\r", keys, conversation_id="moon")
    assert len(texts(target, "moon")) == 2


@pytest.mark.parametrize("command", ["/suggest\r", "/resume\r"])
def test_a_command_that_comes_too_early_says_so(target, command):
    shown = talk(target, command, "hello\r")
    assert "first" in shown or "nothing was sent" in shown
    assert "You said: hello" in shown


@pytest.mark.rim
def test_what_the_backend_cannot_do_is_told_and_the_conversation_goes_on(tap):
    service, dsn = tap
    service.pieces = [*said("well"), END]
    shown = talk(dsn, "hello\r", "/suggest\r", "again\r")
    assert "tap does not offer suggest_questions" in shown
    assert service.asked == ["hello", "again"]


@pytest.mark.rim
def test_a_reply_that_breaks_off_stays_and_its_rest_is_looked_for(tap):
    service, dsn = tap
    service.pieces = said("High tide ", "is at")
    service.stored = {"parts": [{"kind": "text", "text": "High tide is at six."}]}
    shown = talk(dsn, "When?\r", "/resume\r")
    came, _, rest = shown.partition("/resume shows it")
    assert "High tide is at\n" in came
    assert "High tide is at six." in rest
    assert service.asked == ["When?"]


def test_after_a_reply_that_failed_the_conversation_goes_on(target):
    shown = talk(target, "fail\r", "hello\r", conversation_id="moon")
    assert "broke off" in shown
    assert texts(target, "moon")[-1] == "You said: hello"


@pytest.mark.rim
def test_an_answer_that_is_still_being_made_says_how_to_look_again(tap):
    service, dsn = tap
    service.pieces = said("High")
    service.stored = {"parts": [{"kind": "text", "text": "High"}], "status": "generating"}
    assert "not finished yet: /resume shows it" in talk(dsn, "When?\r", "/resume\r")


def test_chat_without_a_terminal_leads_to_ask(target):
    result = run("chat", target, input="hello\n")
    assert result.exit_code == ExitCode.USAGE
    assert "'convostore ask'" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.rim
@on_posix
def test_options_that_are_wrong_are_told_before_anything_is_typed():
    session = on_a_terminal("chat", "echo://seeded", "-t", "depth=1")
    assert session.status == ExitCode.USAGE
    assert "there is no option 'depth'" in session.shown
    assert READY not in session.shown


@pytest.mark.rim
@on_posix
def test_a_conversation_on_a_terminal():
    answers = [
        (READY, "think some **bold** words\r"),
        ("\x1b[1mbold\x1b[0m", ""),
        (READY, "choose red blue\r"),
        ("2  blue", ""),
        (READY, "2\r"),
        ("You said blue.", ""),
        (READY, UP),
        ("choose red blue", STOP),
        (READY, LEAVE),
        ("convostore chat echo://seeded tides", ""),
    ]
    session = on_a_terminal("chat", "echo://seeded", "tides", answers=answers)
    assert session.status == 0
    assert "\x1b[2;3mWhat was I told?" in session.shown
    assert "Traceback" not in session.shown


@pytest.mark.rim
@on_posix
def test_ctrl_d_typed_while_an_answer_is_drawn_leaves_behind_it(tap, site, monkeypatch):
    service, dsn = tap
    monkeypatch.setenv("PYTHONPATH", str(site.folder))
    service.pieces, service.stays = said("High tide "), True
    answers = [
        (READY, "When?\r"),
        ("High tide", LEAVE),
        ("answering", signal.SIGINT),
        (f"To continue: convostore chat {dsn}", ""),
    ]
    assert on_a_terminal("chat", dsn, answers=answers, width=200).status == 0


@pytest.mark.rim
@on_posix
def test_ctrl_c_stops_an_answer_and_keeps_the_conversation(tap, site, monkeypatch):
    service, dsn = tap
    monkeypatch.setenv("PYTHONPATH", str(site.folder))
    service.pieces, service.stays = said("High tide "), True
    service.stored = {"parts": [{"kind": "text", "text": "High tide is at six."}]}
    answers = [
        (READY, "When?\r"),
        ("High tide", "typed early"),
        ("answering", signal.SIGINT),
        ("stopped; the service continues and stores the answer: /resume shows it", ""),
        (READY, f"{CLEAR}/resume\r"),
        ("High tide is at six.", ""),
        (READY, LEAVE),
        (f"To continue: convostore chat {dsn}", ""),
    ]
    session = on_a_terminal("chat", dsn, answers=answers, width=200)
    assert session.status == 0
    assert "Traceback" not in session.shown
    assert "typed early" not in session.shown.partition("stopped; ")[0]
    assert service.asked == ["When?"]


def answered(asked, *keys, shown=None):
    """What a prompt makes of the keys that are typed at what is asked."""
    lines = [] if shown is None else shown
    with typing(*keys) as keyboard:
        return Prompt([], [], lines.append, **keyboard).answer(asked)


def form(*fields):
    return InteractionPart(type="userInput", prompt="Fill in", fields=fields)


OPTIONS = (InteractionOption(value="r", label="Red"), InteractionOption(value="b", label="Blue"))


@pytest.mark.parametrize(
    ("field", "keys", "value"),
    [
        ({"type": "numberInput"}, "12\r", 12),
        ({"type": "numberInput"}, f"many\r{CLEAR}1.5\r", 1.5),
        ({"type": "numberInput", "value": 3}, "\r", 3),
        ({"type": "switch"}, f"perhaps\r{CLEAR}yes\r", True),
        ({"type": "switch"}, "n\r", False),
        ({"type": "select", "options": OPTIONS}, "2\r", "b"),
        ({"type": "select", "options": OPTIONS, "required": True}, "\rBlue\r", "b"),
        ({"type": "multipleSelect", "options": OPTIONS}, "2, Red\r", ["b", "r"]),
        ({"type": "textarea"}, f"one{NEW_LINE}two\r", "one\ntwo"),
        ({"type": "input", "value": "before"}, "\r", "before"),
        ({"type": "input", "value": "before"}, f"{CLEAR}\r", ""),
        ({"required": True}, "\r \r7\r", " 7"),
    ],
)
def test_a_field_is_read_as_its_type_says(field, keys, value):
    assert answered(form(InteractionField(key="k", **field)), keys) == {"k": value}


def test_a_field_that_is_not_needed_may_be_left_out():
    fields = InteractionField(key="a"), InteractionField(key="b", required=True)
    assert answered(form(*fields), "\r", "x\r") == {"b": "x"}


def test_an_option_is_shown_by_its_label_and_answered_by_its_value():
    shown = []
    asked = InteractionPart(type="userSelect", options=OPTIONS)
    assert answered(asked, "Blue\r", shown=shown) == "b"
    assert shown == ["userSelect", "  1  Red", "  2  Blue"]


def test_what_has_neither_options_nor_fields_is_answered_in_a_line():
    assert answered(InteractionPart(type="ask", prompt="Why?"), "because\r") == "because"


def test_what_is_asked_commands_no_terminal():
    shown = []
    evil = "\x1b[2J\u202e"
    option = InteractionOption(value="x", label=evil)
    field = InteractionField(key="k", label=evil, options=(option,))
    answered(InteractionPart(type="f", prompt=evil, fields=(field,)), "1\r", shown=shown)
    assert shown
    assert not any("\x1b" in line or "\u202e" in line for line in shown)


def test_a_secret_field_is_not_shown_while_it_is_typed():
    drawn = io.StringIO()
    screen = Vt100_Output(drawn, lambda: Size(rows=24, columns=80), enable_cpr=False)
    with typing("opensesame\r") as keyboard:
        prompt = Prompt([], [], lambda _: None, **{**keyboard, "output": screen})
        field = InteractionField(key="k", label="Word", type="password")
        assert prompt.answer(form(field)) == {"k": "opensesame"}
    assert "Word" in drawn.getvalue()
    assert "opensesame" not in drawn.getvalue()


def test_nothing_that_is_typed_is_kept_on_disk(target, tmp_path, monkeypatch):
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    before = sorted(tmp_path.rglob("*"))
    talk(target, "a secret\r")
    assert sorted(tmp_path.rglob("*")) == before
