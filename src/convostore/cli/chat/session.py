"""The loop of a conversation at a terminal: what is typed is said or done, answers are shown.

How keys are read stands in `prompting`, how a reply is drawn in `replying`.
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
from .receive import Events, listen, looks_again, may_have_arrived, resumed

__all__ = ["Talk"]

_READ: Final = 50
"""How many of the newest messages are read for what was said before."""
_SHOWN: Final = 6


class Talk:
    """A conversation at a terminal, new or gone on with."""

    def __init__(
        self,
        store: ConversationStore,
        place: Place,
        options: Mapping[str, Any],
        *,
        console: Console | None = None,
        **prompt: Any,
    ) -> None:
        """Prepares a conversation; nothing is read or sent yet.

        Args:
            store: Where it is held.
            place: The store as it was named, for what is said about coming back.
            options: The backend's own, of every turn.
            console: Where it is shown; None for the terminal.
            **prompt: More for `Prompt`.
        """
        self._store = store
        self._place = place
        self._options = options
        self._console = console or Console(highlight=False)
        self._prompt_options = prompt
        self._prompt = self._prompt_after([])
        self._begin_anew()

    def _prompt_after(self, said: list[str]) -> Prompt:
        return Prompt(said, list(self._COMMANDS), self._show, **self._prompt_options)

    def _begin_anew(self) -> None:
        self._conversation_id: str | None = None
        self._turn_id: str | None = None
        self._to_ask: InteractionPart | None = None
        self._left_open: InteractionPart | None = None
        self._last: Message | None = None
        self._labels: Mapping[str | None, str] = {}

    def hold(self, conversation_id: str | None) -> None:
        """Talks until it is left.

        Raises:
            StoreError: The conversation to go on with cannot be read.
        """
        self._note(f"{self._store.label}: Ctrl-D leaves, /help tells what else there is")
        if conversation_id is not None:
            self._return_to(conversation_id)
        try:
            while True:
                self._ask_what_is_to_ask()
                self._take(self._prompt.turn())
        except (EOFError, KeyboardInterrupt):
            self._tell_way_back()

    def _return_to(self, conversation_id: str) -> None:
        with waiting("messages"):
            conversation = self._store.get_conversation(conversation_id)
            page = self._store.list_messages(conversation_id, limit=_READ, order="newest_first")
        messages = page.items[::-1]
        self._show_end(conversation, messages, more=page.cursor is not None)
        self._prompt = self._prompt_after([each.text for each in messages if each.role == "user"])
        self._conversation_id = conversation_id
        if messages:
            self._last = messages[-1]
            self._labels = labels_of(self._last)
            self._to_ask = pending_interaction(self._last)

    def _show_end(
        self, conversation: Conversation, messages: tuple[Message, ...], *, more: bool
    ) -> None:
        shown = messages[-_SHOWN:]
        self._console.print(transcript(conversation, shown))
        if more or len(messages) > len(shown):
            everything = command_line("show", self._place, conversation.id)
            self._note(f"these are the last {len(shown)} messages; all of them: {everything}")

    def _tell_way_back(self) -> None:
        if self._conversation_id is not None:
            way = command_line("chat", self._place, self._conversation_id)
            self._note(f"To come back: {way}")

    def _take(self, typed: str) -> None:
        """Does what is typed, or says it."""
        command = self._COMMANDS.get(typed)
        if command is not None:
            self._attempt(lambda: command(self))
        elif typed.startswith("/") and len(typed.split()) == 1:
            self._note(f"there is no {printable(typed)}: /help tells what there is")
        else:
            self._say(typed)

    def _attempt(self, do: Callable[[], None]) -> None:
        """Does what a command means; whatever comes of that, the conversation goes on."""
        try:
            do()
        except KeyboardInterrupt:
            self._note("stopped")
        except StoreError as error:
            self._tell(error)

    def _say(self, text: str) -> None:
        self._hear(lambda: self._store.stream_reply(self._conversation_id, text, **self._options))

    def _ask_what_is_to_ask(self) -> None:
        """Asks for the answer to what the flow waits for, and again when it does not fit."""
        while (asked := self._to_ask) is not None:
            self._to_ask, self._left_open = None, asked
            try:
                answer = self._prompt.answer(asked)
            except KeyboardInterrupt:
                self._note("left open: /answer asks again")
                return
            self._go_on(asked, answer)

    def _go_on(self, asked: InteractionPart, answer: str | Mapping[str, JSON]) -> None:
        failed = self._hear(
            lambda: self._store.stream_answer(str(self._conversation_id), answer, **self._options)
        )
        if isinstance(failed, InvalidError):
            self._to_ask = asked

    def _hear(self, begin: Callable[[], Events]) -> StoreError | None:
        """Shows a reply as it comes; returns the error that ended it.

        What may have been sent is remembered, so that its answer can be looked for.
        """
        events = None
        try:
            events = begin()
            with silent_keys(), ReplyView(self._console) as view:
                reply = listen(events, view.take)
        except KeyboardInterrupt:
            self._remember(events)
            self._note(f"stopped; the service goes on and keeps the answer{self._how_to_look()}")
            return None
        except StoreError as error:
            if may_have_arrived(error):
                self._remember(events)
            self._tell(error)
            return error
        self._remember(events)
        if reply is not None:
            self._keep(reply, view)
        self._console.print()
        return None

    def _remember(self, events: Events | None) -> None:
        self._conversation_id = getattr(events, "conversation_id", self._conversation_id)
        self._turn_id = getattr(events, "turn_id", self._turn_id)

    def _keep(self, reply: Reply, view: ReplyView) -> None:
        self._last = reply.message
        self._labels = view.labels_of(reply.message)
        self._to_ask = reply.interaction
        self._left_open = None
        if reply.message.status == "generating":
            self._note(f"it is still being made{self._how_to_look()}")

    def _how_to_look(self) -> str:
        return ": /resume shows it" if looks_again(self._store) and self._turn_id else ""

    def _tell(self, error: StoreError) -> None:
        hint = self._how_to_look() if may_have_arrived(error) else ""
        if isinstance(error, ConflictError) and self._left_open is not None:
            hint = ": /answer asks it again"
        self._console.print(Text(f"{error_message(error)}{hint}", "red"), soft_wrap=True)

    def _note(self, text: str) -> None:
        self._console.print(Text(printable(text), "dim"), soft_wrap=True)

    def _show(self, line: str) -> None:
        self._console.print(Text(line, "yellow"))

    def _show_help(self) -> None:
        """Tells the commands."""
        for name, command in self._COMMANDS.items():
            self._note(f"{name:10}{(command.__doc__ or '').rstrip('.')}")
        self._note("Alt-Enter begins another line; the arrow keys bring back what was said before.")
        self._note("Ctrl-C stops an answer; at an empty line it leaves, as Ctrl-D does.")

    def _start_anew(self) -> None:
        """Begins another conversation."""
        self._tell_way_back()
        self._begin_anew()

    def _show_sources(self) -> None:
        """Shows all sources of the last answer."""
        if self._last is None or not self._last.sources:
            self._note("the last answer names no sources")
            return
        for each in sources_list(self._last, self._labels):
            self._console.print(each)

    def _suggest(self) -> None:
        """Asks for questions that could come next."""
        if self._conversation_id is None:
            self._note("say something first")
            return
        with waiting("suggestions"):
            questions = self._store.suggest_questions(self._conversation_id)
        if not questions:
            self._note("there are none")
            return
        chosen = self._prompt.choice([printable(each) for each in questions])
        if chosen is not None:
            self._say(questions[chosen])

    def _resume(self) -> None:
        """Looks for the answer to the last turn, which was stopped or lost."""
        conversation_id, turn_id = self._conversation_id, self._turn_id
        if conversation_id is None or turn_id is None:
            self._note("nothing was sent yet")
            return
        self._hear(lambda: resumed(self._store, conversation_id, turn_id))

    def _ask_again(self) -> None:
        """Asks again what was left open."""
        self._to_ask = self._left_open
        if self._to_ask is None:
            self._note("nothing waits for an answer")

    def _leave(self) -> NoReturn:
        """Leaves."""
        raise EOFError

    _COMMANDS: ClassVar[dict[str, Callable[[Talk], None]]] = {
        "/help": _show_help,
        "/new": _start_anew,
        "/sources": _show_sources,
        "/suggest": _suggest,
        "/resume": _resume,
        "/answer": _ask_again,
        "/quit": _leave,
    }
