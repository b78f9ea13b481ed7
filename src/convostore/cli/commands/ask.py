"""`ask`: one turn and its answer, for pipes and for people in a hurry."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ...errors import StoreError, UnavailableError
from .._arguments import Place, TurnOptions, command_line, turn_options
from .._output import AsJSON, Form, WithRaw, form, plain_event, plain_reply, write_json
from ..chat.receive import Events, checked, listen, looks_again, may_have_arrived, resumed
from ..errors import ExitCode, print_to_stderr
from ..options import Given, Target, opened
from ..render.text import one_line, printable

if TYPE_CHECKING:
    from ...models import FilePart, InteractionField, InteractionPart, Reply, ReplyEvent, TextPart
    from ...store import ConversationStore

__all__ = ["ask"]

_STREAM: Final = "-"
"""How the standard input is named where a text could be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is sent, or looked for: one of a turn, an answer to a question, and a turn's id."""

    conversation_id: str | None
    content: list[TextPart | FilePart] | None = None
    answer: str | dict[str, Any] | None = None
    resume: str | None = None
    options: dict[str, Any]


def ask(
    target: Target,
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT", help="What is said; - or nothing for what comes through a pipe."
        ),
    ] = None,
    conversation_id: Annotated[
        str | None,
        typer.Option(
            "--conversation", "-c", metavar="ID", help="Whose next turn it is; else a new one's."
        ),
    ] = None,
    files: Annotated[
        list[str] | None,
        typer.Option("--file", metavar="URL", help="A file's address; may be repeated."),
    ] = None,
    answer: Annotated[
        str | None,
        typer.Option(
            metavar="VALUE",
            help="Answers what the flow asked: a choice's value, or a form as a JSON object.",
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="TURN_ID", help="Sends nothing: looks for the answer to a turn of before."
        ),
    ] = None,
    as_json: AsJSON = False,
    as_events: Annotated[
        bool, typer.Option("--events", help="A line of JSON for each event, as it comes.")
    ] = False,
    raw: WithRaw = False,
    turn_given: TurnOptions = None,
    given: Given = None,
) -> None:
    """Says something to a backend, and prints what it answers.

    The text is printed as it comes: rendered on a terminal, as it is in a pipe. Sources, and what
    the flow asks, are told beside it, on stderr.

    Ends with 5 when the answer is a question, which --answer goes on from. Nothing is sent twice:
    after an error that leaves open whether the turn arrived, --resume looks for its answer.
    """
    wanted = form(as_json=as_json, as_lines=as_events, raw=raw, lines="--events")
    asked = _asked(text, conversation_id, files, answer, resume, turn_options(turn_given))
    place = Place(target, given)
    with opened(target, given) as store:
        reply = _listen(store, place, asked, wanted, raw=raw)
    if reply is not None:
        _tell_the_end(reply, place)


def _asked(
    text: str | None,
    conversation_id: str | None,
    files: list[str] | None,
    answer: str | None,
    resume: str | None,
    options: dict[str, Any],
) -> _Asked:
    others = {"--answer": answer, "--resume": resume}
    given = [name for name, value in others.items() if value is not None]
    if not given:
        said = _spoken(_piped() if text is None or text == _STREAM else text, options)
        content: list[TextPart | FilePart] = [said, *_files(files)]
        return _Asked(conversation_id=conversation_id, content=content, options=options)
    if text is not None or files or len(given) > 1 or (resume is not None and options):
        raise typer.BadParameter("says all that is said", param_hint=given[0])
    if conversation_id is None:
        raise typer.BadParameter("goes with --conversation", param_hint=given[0])
    return _Asked(
        conversation_id=conversation_id,
        answer=None if answer is None else _answer(answer),
        resume=resume,
        options=options,
    )


def _spoken(text: str, options: dict[str, Any]) -> TextPart:
    """What is said; nothing at all where options of the turn, such as variables, say it."""
    from ...models import TextPart

    if not text.strip() and not options:
        raise typer.BadParameter("is empty", param_hint="TEXT")
    return TextPart(text=text.strip("\r\n"))


def _piped() -> str:
    if sys.stdin.isatty():
        raise typer.BadParameter("say something, or pipe it in", param_hint="TEXT")
    try:
        text = sys.stdin.read()
        text.encode()
    except UnicodeError:
        raise typer.BadParameter(
            "what comes through the standard input is no text", param_hint="TEXT"
        ) from None
    return text


def _files(urls: list[str] | None) -> Iterator[FilePart]:
    """Files by their addresses, with the name and the type that an address tells."""
    from mimetypes import guess_type
    from urllib.parse import unquote, urlsplit

    from ...models import FilePart

    for url in urls or ():
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise typer.BadParameter(
                "a file is given by its address, http://… or https://…", param_hint="--file"
            )
        name = unquote(parts.path.rpartition("/")[2]) or None
        yield FilePart(name=name, url=url, media_type=guess_type(parts.path)[0])


def _answer(value: str) -> str | dict[str, Any]:
    """A form is written as an object; all else is the value of a choice."""
    try:
        read = json.loads(value)
    except ValueError:
        return value
    return read if isinstance(read, dict) else value


def _listen(
    store: ConversationStore, place: Place, asked: _Asked, wanted: Form, *, raw: bool
) -> Reply | None:
    events = checked(lambda: _events(store, asked))
    with _not_lost(store, place, asked, events), _writing(wanted, raw=raw) as take:
        return listen(events, take)


def _events(store: ConversationStore, asked: _Asked) -> Events:
    if asked.resume is not None:
        return resumed(store, str(asked.conversation_id), asked.resume)
    if asked.answer is not None:
        return store.stream_answer(str(asked.conversation_id), asked.answer, **asked.options)
    return store.stream_reply(asked.conversation_id, asked.content or (), **asked.options)


@contextmanager
def _writing(wanted: Form, *, raw: bool) -> Iterator[Callable[[ReplyEvent], None]]:
    """What takes the events, in the form that is asked for."""
    if wanted is Form.JSON_LINES:
        yield lambda event: write_json(plain_event(event, raw=raw))
    elif wanted is Form.JSON:
        yield lambda event: _write_whole(event, raw=raw)
    elif wanted is Form.TERMINAL:
        from rich.console import Console

        from ..chat.live_view import ReplyView

        with ReplyView(Console()) as view:
            yield view.take
    else:
        from ..chat.plain_view import PipedReply

        with PipedReply() as piped:
            yield piped.take


def _write_whole(event: ReplyEvent, *, raw: bool) -> None:
    if event.kind == "reply_finished":
        write_json(plain_reply(event.reply, raw=raw), indent=2)


@contextmanager
def _not_lost(
    store: ConversationStore, place: Place, asked: _Asked, events: Events
) -> Iterator[None]:
    """When it breaks off: how the answer is found, which the service goes on with."""
    try:
        yield
    except BrokenPipeError:
        raise  # whoever read it had enough
    except (KeyboardInterrupt, OSError, StoreError) as error:
        if not isinstance(error, StoreError) or may_have_arrived(error):
            conversation_id = getattr(events, "conversation_id", asked.conversation_id)
            turn_id = getattr(events, "turn_id", asked.resume)
            if isinstance(error, UnavailableError) and not error.retryable:
                stored = command_line("show", place, str(conversation_id))
                print_to_stderr(f"the answer failed. To see what is stored of it: {stored}")
            else:
                told = _to_look(store, place, str(conversation_id), turn_id)
                print_to_stderr(f"{_what_goes_on(error)}. To look for the answer: {told}")
        raise


def _what_goes_on(error: BaseException) -> str:
    if isinstance(error, StoreError):
        return "broken off; if the turn arrived, the service goes on by itself"
    return "stopped; the service goes on by itself"


def _to_look(
    store: ConversationStore, place: Place, conversation_id: str, turn_id: str | None
) -> str:
    if turn_id is None or not looks_again(store):
        return command_line("show", place, conversation_id)
    options = [f"--conversation={conversation_id}", f"--resume={turn_id}"]
    return command_line("ask", place, options=options)


def _tell_the_end(reply: Reply, place: Place) -> None:
    """Says what there is to do next, and ends with the status that says so too."""
    go_on = [f"--conversation={reply.conversation_id}"]
    if reply.interaction is not None:
        for line in _question(reply.interaction):
            print_to_stderr(line)
        print_to_stderr(f"To answer: {command_line('ask', place, options=[*go_on, '--answer=…'])}")
        raise typer.Exit(ExitCode.ASKED)
    if reply.message.status in {"failed", "generating"}:
        print_to_stderr(f"the answer is not whole: its status is {reply.message.status}")
        raise typer.Exit(ExitCode.FAILED)
    if sys.stderr.isatty():
        print_to_stderr(f"To go on: {command_line('ask', place, '…', options=go_on)}")


def _question(asked: InteractionPart) -> Iterator[str]:
    """What is asked, with what an answer to it is made of."""
    yield printable(asked.prompt or "") or one_line(asked.type)
    for option in asked.options:
        yield f"  {_named(option.value, option.label)}"
    for field in asked.fields:
        yield f"  {_named(field.key, field.label)}: {', '.join(_facts(field))}"


def _named(value: str, label: str | None) -> str:
    return one_line(value) + (f"  ({one_line(label)})" if label and label != value else "")


def _facts(field: InteractionField) -> Iterator[str]:
    yield one_line(field.type) or "a text"
    yield "needed" if field.required else "not needed"
    if field.options:
        yield f"one of {' | '.join(one_line(each.value) for each in field.options)}"
