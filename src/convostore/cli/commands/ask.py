"""The command `ask`: one turn and its answer.

How a reply is shown belongs to `convostore.cli.chat`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import StoreError, UnavailableError
from .._arguments import Place, TurnOptions, command_line, text_and_stdin, turn_options
from .._completion import complete_conversation
from .._lookup import LAST, find_id
from .._output import AsJSON, Form, WithRaw, choose_form, plain_event, plain_reply, write_json
from ..chat.receive import Events, can_resume, listen, may_have_arrived, prepare, resume
from ..errors import ExitCode, print_to_stderr
from ..options import Given, Target, opened
from ..render.text import one_line, printable

if TYPE_CHECKING:
    from ...models import FilePart, InteractionField, InteractionPart, Reply, ReplyEvent, TextPart
    from ...store import ConversationStore

__all__ = ["ask"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """One of: a turn to send, an answer to send, and a turn whose reply is looked for."""

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
            metavar="TEXT",
            help="The message. Piped input is added below it; without TEXT, the piped input is the "
            "message.",
        ),
    ] = None,
    conversation_id: Annotated[
        str | None,
        typer.Option(
            "--conversation",
            "-c",
            metavar="ID",
            autocompletion=complete_conversation,
            help="Continue this conversation; - is the last active one. By default a new one is "
            "started.",
        ),
    ] = None,
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--file", metavar="URL", help="The address of a file to send. May be repeated."
        ),
    ] = None,
    answer: Annotated[
        str | None,
        typer.Option(
            metavar="VALUE",
            help="Answer a question of the flow: a choice's value, or a form as a JSON object.",
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="TURN_ID", help="Send nothing, but look for the answer to an earlier turn."
        ),
    ] = None,
    as_json: AsJSON = False,
    as_events: Annotated[
        bool, typer.Option("--events", help="Print a line of JSON for each event as it arrives.")
    ] = False,
    raw: WithRaw = False,
    turn_given: TurnOptions = None,
    given: Given = None,
) -> None:
    """Send a message and print the answer.

    The text is printed as it arrives: rendered on a terminal, unchanged in a pipe. Sources, and
    questions of the flow, are printed on stderr.

    Exits with 5 if the answer is a question; reply to it with --answer. Nothing is sent twice: if
    an error leaves open whether the message arrived, --resume looks for its answer.
    """
    form = choose_form(as_json=as_json, as_lines=as_events, raw=raw, lines="--events")
    request = _parse_request(text, conversation_id, files, answer, resume, turn_options(turn_given))
    place = Place(target, given)
    with opened(target, given) as store:
        if request.conversation_id == LAST:
            request = replace(request, conversation_id=find_id(store, LAST))
        reply = _listen(store, place, request, form, raw=raw)
    if reply is not None:
        _report_end(reply, place)


def _parse_request(
    text: str | None,
    conversation_id: str | None,
    files: list[str] | None,
    answer: str | None,
    resume: str | None,
    options: dict[str, Any],
) -> _Request:
    others = {"--answer": answer, "--resume": resume}
    names = [name for name, value in others.items() if value is not None]
    if not names:
        part = _text_part(text_and_stdin(text), options)
        content: list[TextPart | FilePart] = [part, *_file_parts(files)]
        return _Request(conversation_id=conversation_id, content=content, options=options)
    conflicts = {
        "TEXT": text is not None,
        "--file": bool(files),
        "--resume": len(names) > 1,
        "--turn-option": resume is not None and bool(options),
    }
    for conflict in filter(conflicts.get, conflicts):
        raise typer.BadParameter(f"cannot be combined with {conflict}", param_hint=names[0])
    if conversation_id is None:
        raise typer.BadParameter("requires --conversation", param_hint=names[0])
    return _Request(
        conversation_id=conversation_id,
        answer=None if answer is None else _parse_answer(answer),
        resume=resume,
        options=options,
    )


def _text_part(text: str, options: dict[str, Any]) -> TextPart:
    """Return the text to send; it may be empty if options of the turn are given."""
    from ...models import TextPart

    if not text.strip() and not options:
        raise typer.BadParameter("must not be empty", param_hint="TEXT")
    return TextPart(text=text.strip("\r\n"))


def _file_parts(urls: list[str] | None) -> Iterator[FilePart]:
    """Yield files by their addresses, with the name and the media type that each suggests."""
    from mimetypes import guess_type
    from urllib.parse import unquote, urlsplit

    from ...models import FilePart

    for url in urls or ():
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise typer.BadParameter(
                "must be an address, http://… or https://…", param_hint="--file"
            )
        name = unquote(parts.path.rpartition("/")[2]) or None
        yield FilePart(name=name, url=url, media_type=guess_type(parts.path)[0])


def _parse_answer(value: str) -> str | dict[str, Any]:
    """Parse an answer: a JSON object is a form, anything else the value of a choice."""
    try:
        answer = json.loads(value)
    except ValueError:
        return value
    return answer if isinstance(answer, dict) else value


def _listen(
    store: ConversationStore, place: Place, request: _Request, form: Form, *, raw: bool
) -> Reply | None:
    events = prepare(lambda: _events(store, request))
    with _advice_when_lost(store, place, request, events), _view(form, raw=raw) as show:
        return listen(events, show)


def _events(store: ConversationStore, request: _Request) -> Events:
    if request.resume is not None:
        return resume(store, str(request.conversation_id), request.resume)
    if request.answer is not None:
        return store.stream_answer(str(request.conversation_id), request.answer, **request.options)
    return store.stream_reply(request.conversation_id, request.content or (), **request.options)


@contextmanager
def _view(form: Form, *, raw: bool) -> Iterator[Callable[[ReplyEvent], None]]:
    """Yield a function that shows an event in a form."""
    if form is Form.JSON_LINES:
        yield lambda event: write_json(plain_event(event, raw=raw))
    elif form is Form.JSON:
        yield lambda event: _write_whole(event, raw=raw)
    elif form is Form.TERMINAL:
        from rich.console import Console

        from ..chat.live_view import ReplyView

        with ReplyView(Console()) as view:
            yield view.show
    else:
        from ..chat.plain_view import PipedReply

        with PipedReply() as printer:
            yield printer.show


def _write_whole(event: ReplyEvent, *, raw: bool) -> None:
    if event.kind == "reply_finished":
        write_json(plain_reply(event.reply, raw=raw), indent=2)


@contextmanager
def _advice_when_lost(
    store: ConversationStore, place: Place, request: _Request, events: Events
) -> Iterator[None]:
    """Print, when the reply is interrupted, how to find the rest of it."""
    try:
        yield
    except BrokenPipeError:
        raise  # the reader closed the pipe
    except (KeyboardInterrupt, OSError, StoreError) as error:
        if not isinstance(error, StoreError) or may_have_arrived(error):
            conversation_id = getattr(events, "conversation_id", request.conversation_id)
            turn_id = getattr(events, "turn_id", request.resume)
            if isinstance(error, UnavailableError) and not error.retryable:
                command = command_line("show", place, str(conversation_id))
                print_to_stderr(f"the answer failed. To see what is stored of it: {command}")
            else:
                command = _resume_command(store, place, str(conversation_id), turn_id)
                print_to_stderr(f"{_interruption(error)}. To look for the answer: {command}")
        raise


def _interruption(error: BaseException) -> str:
    if isinstance(error, StoreError):
        return "interrupted; if the turn arrived, the service continues by itself"
    return "stopped; the service continues by itself"


def _resume_command(
    store: ConversationStore, place: Place, conversation_id: str, turn_id: str | None
) -> str:
    if turn_id is None or not can_resume(store):
        return command_line("show", place, conversation_id)
    options = [f"--conversation={conversation_id}", f"--resume={turn_id}"]
    return command_line("ask", place, options=options)


def _report_end(reply: Reply, place: Place) -> None:
    """Print what to do next.

    Raises:
        typer.Exit: The answer is a question, or is not complete.
    """
    options = [f"--conversation={reply.conversation_id}"]
    if reply.interaction is not None:
        for line in _question_lines(reply.interaction):
            print_to_stderr(line)
        print_to_stderr(
            f"To answer: {command_line('ask', place, options=[*options, '--answer=…'])}"
        )
        raise typer.Exit(ExitCode.ASKED)
    if reply.message.status in {"failed", "generating"}:
        print_to_stderr(f"the answer is not complete: its status is {reply.message.status}")
        raise typer.Exit(ExitCode.FAILED)
    if sys.stderr.isatty():
        print_to_stderr(f"To continue: {command_line('ask', place, '…', options=options)}")


def _question_lines(question: InteractionPart) -> Iterator[str]:
    """Yield a question, and what an answer to it is made of."""
    yield printable(question.prompt or "") or one_line(question.type)
    for option in question.options:
        yield f"  {_name_and_label(option.value, option.label)}"
    for field in question.fields:
        yield f"  {_name_and_label(field.key, field.label)}: {', '.join(_field_facts(field))}"


def _name_and_label(value: str, label: str | None) -> str:
    return one_line(value) + (f"  ({one_line(label)})" if label and label != value else "")


def _field_facts(field: InteractionField) -> Iterator[str]:
    yield one_line(field.type) or "text"
    yield "required" if field.required else "optional"
    if field.options:
        yield f"one of {' | '.join(one_line(option.value) for option in field.options)}"
