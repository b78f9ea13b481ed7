"""The loop of a chat: send what is typed or run it as a command, and show the answers.

How keys are read belongs to `prompts`, how a reply is drawn to `live_view`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, NoReturn

from rich.console import Console
from rich.text import Text

from ...errors import ConflictError, InvalidError, StoreError
from ...models import JSON, Conversation, InteractionPart, Message, Reply, pending_interaction
from ...store import ConversationStore
from .._arguments import Place, command_line
from .._output import waiting
from ..errors import error_message
from ..render.terminal import sources_list, transcript
from ..render.text import labels_of, printable
from .live_view import ReplyView
from .prompts import Prompt, silent_keys
from .receive import Events, can_resume, listen, may_have_arrived, resume

__all__ = ["ChatSession"]

_READ: Final = 50
"""The newest messages that are read: their turns are what the arrow keys bring back."""
_SHOWN: Final = 6
"""The newest messages that are shown."""


class ChatSession:
    """A conversation at a terminal, new or continued."""

    def __init__(
        self,
        store: ConversationStore,
        place: Place,
        options: Mapping[str, Any],
        *,
        console: Console | None = None,
        **prompt: Any,
    ) -> None:
        """Create a session; nothing is read or sent yet.

        Args:
            store: The store that the conversation is in.
            place: The store as it was named, for command lines to suggest.
            options: The backend's options of every turn.
            console: The console to draw on; None for the terminal.
            **prompt: More arguments for `Prompt`.
        """
        self._store = store
        self._place = place
        self._options = options
        self._console = console or Console(highlight=False)
        self._prompt_options = prompt
        self._prompt = self._new_prompt([])
        self._reset()

    def _new_prompt(self, history: list[str]) -> Prompt:
        return Prompt(history, list(self._COMMANDS), self._show, **self._prompt_options)

    def _reset(self) -> None:
        self._conversation_id: str | None = None
        self._turn_id: str | None = None
        self._pending: InteractionPart | None = None
        self._open_question: InteractionPart | None = None
        self._last: Message | None = None
        self._labels: Mapping[str | None, str] = {}

    def run(self, conversation_id: str | None) -> None:
        """Run the conversation until it is left.

        Raises:
            StoreError: The conversation to continue cannot be read.
        """
        self._note(f"{self._store.label}: Ctrl-D ends the chat, /help lists the commands")
        if conversation_id is not None:
            self._reopen(conversation_id)
        try:
            while True:
                self._ask_pending()
                self._handle(self._prompt.turn())
        except (EOFError, KeyboardInterrupt):
            self._show_way_back()

    def _reopen(self, conversation_id: str) -> None:
        with waiting("messages"):
            conversation = self._store.get_conversation(conversation_id)
            page = self._store.list_messages(conversation_id, limit=_READ, order="newest_first")
        messages = page.items[::-1]
        self._show_end(conversation, messages, more=page.cursor is not None)
        self._prompt = self._new_prompt(
            [message.text for message in messages if message.role == "user"]
        )
        self._conversation_id = conversation_id
        if messages:
            self._last = messages[-1]
            self._labels = labels_of(self._last)
            self._pending = pending_interaction(self._last)

    def _show_end(
        self, conversation: Conversation, messages: tuple[Message, ...], *, more: bool
    ) -> None:
        shown = messages[-_SHOWN:]
        self._console.print(transcript(conversation, shown))
        if more or len(messages) > len(shown):
            command = command_line("show", self._place, conversation.id)
            self._note(f"only the last {len(shown)} messages are shown; to see all: {command}")

    def _show_way_back(self) -> None:
        if self._conversation_id is not None:
            command = command_line("chat", self._place, self._conversation_id)
            self._note(f"To continue: {command}")

    def _handle(self, text: str) -> None:
        """Run what was typed as a command, or send it."""
        command = self._COMMANDS.get(text)
        if command is not None:
            self._attempt(lambda: command(self))
        elif text.startswith("/") and len(text.split()) == 1:
            self._note(f"there is no command {printable(text)}: /help lists the commands")
        else:
            self._send(text)

    def _attempt(self, command: Callable[[], None]) -> None:
        """Run a command and show its error, so that the chat continues."""
        try:
            command()
        except KeyboardInterrupt:
            self._note("stopped")
        except StoreError as error:
            self._show_error(error)

    def _send(self, text: str) -> None:
        self._receive(
            lambda: self._store.stream_reply(self._conversation_id, text, **self._options)
        )

    def _ask_pending(self) -> None:
        """Ask for the answer to an open question, again after an answer that is refused."""
        while (question := self._pending) is not None:
            self._pending, self._open_question = None, question
            try:
                answer = self._prompt.answer(question)
            except KeyboardInterrupt:
                self._note("the question stays open: /answer asks it again")
                return
            self._send_answer(question, answer)

    def _send_answer(self, question: InteractionPart, answer: str | Mapping[str, JSON]) -> None:
        error = self._receive(
            lambda: self._store.stream_answer(str(self._conversation_id), answer, **self._options)
        )
        if isinstance(error, InvalidError):
            self._pending = question

    def _receive(self, begin: Callable[[], Events]) -> StoreError | None:
        """Show a reply as it arrives; return the error that ended it.

        A turn that may have been sent is recorded, so that `/resume` can look for its answer.
        """
        events = None
        try:
            events = begin()
            with silent_keys(), ReplyView(self._console) as view:
                reply = listen(events, view.show)
        except KeyboardInterrupt:
            self._record_turn(events)
            self._note(f"stopped; the service continues and stores the answer{self._resume_hint()}")
            return None
        except StoreError as error:
            if may_have_arrived(error):
                self._record_turn(events)
            self._show_error(error)
            return error
        self._record_turn(events)
        if reply is not None:
            self._record_reply(reply, view)
        self._console.print()
        return None

    def _record_turn(self, events: Events | None) -> None:
        self._conversation_id = getattr(events, "conversation_id", self._conversation_id)
        self._turn_id = getattr(events, "turn_id", self._turn_id)

    def _record_reply(self, reply: Reply, view: ReplyView) -> None:
        self._last = reply.message
        self._labels = view.labels_of(reply.message)
        self._pending = reply.interaction
        self._open_question = None
        if reply.message.status == "generating":
            self._note(f"the answer is not finished yet{self._resume_hint()}")

    def _resume_hint(self) -> str:
        return ": /resume shows it" if can_resume(self._store) and self._turn_id else ""

    def _show_error(self, error: StoreError) -> None:
        hint = self._resume_hint() if may_have_arrived(error) else ""
        if isinstance(error, ConflictError) and self._open_question is not None:
            hint = ": /answer asks the question again"
        self._console.print(Text(f"{error_message(error)}{hint}", "red"), soft_wrap=True)

    def _note(self, text: str) -> None:
        self._console.print(Text(printable(text), "dim"), soft_wrap=True)

    def _show(self, line: str) -> None:
        self._console.print(Text(line, "yellow"))

    def _show_help(self) -> None:
        """List the commands."""
        for name, command in self._COMMANDS.items():
            self._note(f"{name:10}{(command.__doc__ or '').rstrip('.')}")
        self._note("Alt-Enter starts a new line; the arrow keys recall earlier messages.")
        self._note("Ctrl-C stops an answer; on an empty line it ends the chat, as Ctrl-D does.")

    def _start_anew(self) -> None:
        """Start a new conversation."""
        self._show_way_back()
        self._reset()

    def _show_sources(self) -> None:
        """Show all sources of the last answer."""
        if self._last is None or not self._last.sources:
            self._note("the last answer has no sources")
            return
        for source in sources_list(self._last, self._labels):
            self._console.print(source)

    def _suggest(self) -> None:
        """Suggest questions to ask next."""
        if self._conversation_id is None:
            self._note("send something first")
            return
        with waiting("suggestions"):
            questions = self._store.suggest_questions(self._conversation_id)
        if not questions:
            self._note("no suggestions")
            return
        index = self._prompt.choice([printable(question) for question in questions])
        if index is not None:
            self._send(questions[index])

    def _resume(self) -> None:
        """Look for the answer to the last turn, which was stopped or lost."""
        conversation_id, turn_id = self._conversation_id, self._turn_id
        if conversation_id is None or turn_id is None:
            self._note("nothing was sent yet")
            return
        self._receive(lambda: resume(self._store, conversation_id, turn_id))

    def _ask_again(self) -> None:
        """Ask the open question again."""
        self._pending = self._open_question
        if self._pending is None:
            self._note("no question is open")

    def _leave(self) -> NoReturn:
        """End the chat."""
        raise EOFError

    _COMMANDS: ClassVar[dict[str, Callable[[ChatSession], None]]] = {
        "/help": _show_help,
        "/new": _start_anew,
        "/sources": _show_sources,
        "/suggest": _suggest,
        "/resume": _resume,
        "/answer": _ask_again,
        "/quit": _leave,
    }
