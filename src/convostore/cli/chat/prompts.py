"""Keyboard input of a chat: turns, and answers to menus and forms.

Only here is the keyboard read. Typed text may be kept in memory and nowhere else.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import Output
from prompt_toolkit.validation import ValidationError, Validator

from ...models import JSON, InteractionField, InteractionOption, InteractionPart
from ..render.text import one_line, printable

__all__ = ["Prompt", "silent_keys"]

_PROMPT: Final = "› "
_YES: Final = {"y": True, "yes": True, "true": True, "n": False, "no": False, "false": False}


class _ParserValidator(Validator):
    """A validator that accepts what a parser accepts."""

    def __init__(self, parse: Callable[[str], object]) -> None:
        self._parse = parse

    def validate(self, document: Document) -> None:
        try:
            self._parse(document.text)
        except ValueError as error:
            raise ValidationError(len(document.text), str(error)) from None


class Prompt:
    """The input line; Alt-Enter or a paste makes it several lines."""

    def __init__(
        self,
        history: Iterable[str],
        commands: Sequence[str],
        show: Callable[[str], None],
        *,
        input: Input | None = None,
        output: Output | None = None,
    ) -> None:
        """Create a prompt.

        Args:
            history: Former turns, the oldest first, for the arrow keys.
            commands: Completions for the beginning of a line.
            show: Prints a line above the prompt, without markup.
            input: The source of keys; None for the terminal.
            output: The target of the drawing; None for the terminal.
        """
        self._show = show
        self._streams: Any = {"input": input, "output": output}
        self._session: PromptSession[str] = PromptSession(
            history=InMemoryHistory([printable(turn) for turn in history]),
            completer=WordCompleter(list(commands), sentence=True),
            complete_while_typing=False,
            key_bindings=_newline_keys(),
            prompt_continuation="  ",
            **self._streams,
        )

    def turn(self) -> str:
        """Wait for the next turn; Ctrl-C drops what was typed.

        Raises:
            EOFError: Ctrl-D, or Ctrl-C at an empty line, left the conversation.
        """
        while True:
            try:
                text = self._session.prompt(_PROMPT).strip()
            except KeyboardInterrupt:
                if not self._session.default_buffer.text:
                    raise EOFError from None
                continue
            if text:
                return text

    def choice(self, lines: Sequence[str]) -> int | None:
        """Wait for the number of a line and return its index; None for an empty answer."""
        self._show_numbered(lines)
        text = self._line(lambda text: _parse_number(text, len(lines)) if text else None)
        return _parse_number(text, len(lines)) - 1 if text else None

    def answer(self, question: InteractionPart) -> str | Mapping[str, JSON]:
        """Wait for the answer to a question of a flow: a menu, a form, or a line.

        Raises:
            KeyboardInterrupt: Ctrl-C left the question open.
            EOFError: Ctrl-D left the conversation.
        """
        self._show(printable(question.prompt or "") or one_line(question.type))
        if question.options:
            self._show_numbered(map(_option_text, question.options))
            text = self._line(lambda text: _choose(text, question.options))
            return _choose(text, question.options)
        if not question.fields:
            return self._line(str)
        values = ((field.key, self._field(field)) for field in question.fields)
        return {key: value for key, value in values if value is not None}

    def _field(self, field: InteractionField) -> JSON:
        """Wait for a field's value and return it; None for a field that is left out."""
        parser = _parser(field)

        def parse(text: str) -> JSON:
            if text.strip():
                return parser(text)
            if field.required:
                raise ValueError("a value is required")
            return None if field.value is None else ""

        if field.options:
            self._show(one_line(field.label or field.key))
            self._show_numbered(map(_option_text, field.options))
        label = "" if field.options else one_line(field.label or field.key)
        default = "" if field.value is None else str(field.value)
        text = self._line(parse, label=label, default=default, hidden=_is_secret(field))
        return parse(text)

    def _show_numbered(self, lines: Iterable[str]) -> None:
        for number, line in enumerate(lines, 1):
            self._show(f"  {number}  {line}")

    def _line(
        self,
        parse: Callable[[str], object],
        *,
        label: str = "",
        default: str = "",
        hidden: bool = False,
    ) -> str:
        """Wait for a line that `parse` accepts."""
        session: PromptSession[str] = PromptSession(
            key_bindings=_newline_keys(), prompt_continuation="  ", **self._streams
        )
        return session.prompt(
            f"{label}{_PROMPT}",
            default=printable(default),
            is_password=hidden,
            validator=_ParserValidator(parse),
            validate_while_typing=False,
        )


@contextmanager
def silent_keys() -> Iterator[None]:
    """Keep keys off the screen while something is drawn on it; they are read later."""
    try:
        import termios
    except ImportError:  # Windows echoes no keys by itself
        yield
        return
    if not sys.stdin.isatty():
        yield
        return
    stdin = sys.stdin.fileno()
    original = termios.tcgetattr(stdin)
    silent = [*original]
    silent[3] &= ~(termios.ECHO | termios.ICANON)  # in canonical mode Ctrl-D would be lost
    termios.tcsetattr(stdin, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(stdin, termios.TCSADRAIN, original)


def _newline_keys() -> KeyBindings:
    """Return key bindings with Alt-Enter for a new line."""
    keys = KeyBindings()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys


def _option_text(option: InteractionOption) -> str:
    return one_line(option.label or option.value)


def _parse_number(text: str, largest: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text.strip()) or not 1 <= int(text) <= largest:
        raise ValueError(f"choose a number from 1 to {largest}")
    return int(text)


def _choose(text: str, options: Sequence[InteractionOption]) -> str:
    """Return the value of an option by its number, its value, or its label."""
    name = text.strip()
    for option in options:
        if name and name in {option.value, option.label, _option_text(option)}:
            return option.value
    return options[_parse_number(name, len(options)) - 1].value


def _choose_several(text: str, options: Sequence[InteractionOption]) -> JSON:
    return [_choose(name, options) for name in text.split(",")]


def _parser(field: InteractionField) -> Callable[[str], JSON]:
    """Return the parser for a field, by words in the name of its type."""
    kind = (field.type or "").lower()
    if field.options:
        choose = _choose_several if "multi" in kind else _choose
        return lambda text: choose(text, field.options)
    if "number" in kind:
        return _parse_any_number
    if "switch" in kind or "bool" in kind:
        return _parse_boolean
    return str


def _parse_any_number(text: str) -> JSON:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise ValueError("enter a number") from None


def _parse_boolean(text: str) -> JSON:
    try:
        return _YES[text.strip().lower()]
    except KeyError:
        raise ValueError("enter yes or no") from None


def _is_secret(field: InteractionField) -> bool:
    return "password" in (field.type or "").lower()
