"""What people type into a terminal conversation: turns, and the answers to menus and forms.

Only here is the keyboard read. What was typed is kept in memory and nowhere else.
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

_SIGN: Final = "› "
_YES: Final = {"y": True, "yes": True, "true": True, "n": False, "no": False, "false": False}


class _Readable(Validator):
    """Lets through what can be read; what it is read as is the reader's matter."""

    def __init__(self, read: Callable[[str], object]) -> None:
        self._read = read

    def validate(self, document: Document) -> None:
        try:
            self._read(document.text)
        except ValueError as error:
            raise ValidationError(len(document.text), str(error)) from None


class Prompt:
    """The line at which people type; Alt-Enter, or a paste, makes it several."""

    def __init__(
        self,
        said: Iterable[str],
        commands: Sequence[str],
        show: Callable[[str], None],
        *,
        input: Input | None = None,
        output: Output | None = None,
    ) -> None:
        """Makes a prompt.

        Args:
            said: What was said before, the oldest first; the arrow keys find it.
            commands: What is completed where a line begins with it.
            show: Shows a line above the prompt, as it stands.
            input: Where keys come from; None for the terminal.
            output: Where the prompt is drawn; None for the terminal.
        """
        self._show = show
        self._streams: Any = {"input": input, "output": output}
        self._session: PromptSession[str] = PromptSession(
            history=InMemoryHistory([printable(each) for each in said]),
            completer=WordCompleter(list(commands), sentence=True),
            complete_while_typing=False,
            key_bindings=_several_lines(),
            prompt_continuation="  ",
            **self._streams,
        )

    def turn(self) -> str:
        """Waits for what is said next; what was begun when Ctrl-C came is dropped.

        Raises:
            EOFError: The conversation is left: Ctrl-D, or Ctrl-C at an empty line.
        """
        while True:
            try:
                text = self._session.prompt(_SIGN).strip()
            except KeyboardInterrupt:
                if not self._session.default_buffer.text:
                    raise EOFError from None
                continue
            if text:
                return text

    def choice(self, of: Sequence[str]) -> int | None:
        """Waits for the number of one of some lines; None for an empty answer."""
        self._show_numbered(of)
        typed = self._line(lambda text: _number(text, len(of)) if text else None)
        return _number(typed, len(of)) - 1 if typed else None

    def answer(self, asked: InteractionPart) -> str | Mapping[str, JSON]:
        """Waits for the answer to what a flow asked: of a menu, a form, or in a line.

        Raises:
            KeyboardInterrupt: It is left open.
            EOFError: The conversation is left.
        """
        self._show(printable(asked.prompt or "") or one_line(asked.type))
        if asked.options:
            self._show_numbered(map(_shown, asked.options))
            typed = self._line(lambda text: _chosen(text, asked.options))
            return _chosen(typed, asked.options)
        if not asked.fields:
            return self._line(str)
        filled = ((field.key, self._field(field)) for field in asked.fields)
        return {key: value for key, value in filled if value is not None}

    def _field(self, field: InteractionField) -> JSON:
        """A field's value; None for one that is left out."""
        reader = _reader(field)

        def read(text: str) -> JSON:
            if text.strip():
                return reader(text)
            if field.required:
                raise ValueError("this is needed")
            return None if field.value is None else ""

        if field.options:
            self._show(one_line(field.label or field.key))
            self._show_numbered(map(_shown, field.options))
        sign = "" if field.options else one_line(field.label or field.key)
        before = "" if field.value is None else str(field.value)
        return read(self._line(read, sign=sign, before=before, hidden=_is_secret(field)))

    def _show_numbered(self, lines: Iterable[str]) -> None:
        for number, line in enumerate(lines, 1):
            self._show(f"  {number}  {line}")

    def _line(
        self,
        read: Callable[[str], object],
        *,
        sign: str = "",
        before: str = "",
        hidden: bool = False,
    ) -> str:
        """Waits for a line that can be read."""
        session: PromptSession[str] = PromptSession(
            key_bindings=_several_lines(), prompt_continuation="  ", **self._streams
        )
        return session.prompt(
            f"{sign}{_SIGN}",
            default=printable(before),
            is_password=hidden,
            validator=_Readable(read),
            validate_while_typing=False,
        )


@contextmanager
def silent_keys() -> Iterator[None]:
    """Keeps what is typed meanwhile off the screen, which is being drawn on; it is read later."""
    try:
        import termios
    except ImportError:  # Windows shows nothing unasked
        yield
        return
    if not sys.stdin.isatty():
        yield
        return
    keys = sys.stdin.fileno()
    before = termios.tcgetattr(keys)
    silent = [*before]
    silent[3] &= ~(termios.ECHO | termios.ICANON)  # by lines, Ctrl-D would be lost
    termios.tcsetattr(keys, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(keys, termios.TCSADRAIN, before)


def _several_lines() -> KeyBindings:
    """Alt-Enter begins another line."""
    keys = KeyBindings()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys


def _shown(option: InteractionOption) -> str:
    return one_line(option.label or option.value)


def _number(text: str, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text.strip()) or not 1 <= int(text) <= most:
        raise ValueError(f"choose a number from 1 to {most}")
    return int(text)


def _chosen(text: str, options: Sequence[InteractionOption]) -> str:
    """The value of the option that is chosen by its number, or by what it is called."""
    typed = text.strip()
    for option in options:
        if typed and typed in {option.value, option.label, _shown(option)}:
            return option.value
    return options[_number(typed, len(options)) - 1].value


def _several_chosen(text: str, options: Sequence[InteractionOption]) -> JSON:
    return [_chosen(each, options) for each in text.split(",")]


def _reader(field: InteractionField) -> Callable[[str], JSON]:
    """How what is typed becomes a field's value, by what the field's type sounds like."""
    kind = (field.type or "").lower()
    if field.options:
        read = _several_chosen if "multi" in kind else _chosen
        return lambda text: read(text, field.options)
    if "number" in kind:
        return _as_number
    if "switch" in kind or "bool" in kind:
        return _as_yes_or_no
    return str


def _as_number(text: str) -> JSON:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise ValueError("this is no number") from None


def _as_yes_or_no(text: str) -> JSON:
    try:
        return _YES[text.strip().lower()]
    except KeyError:
        raise ValueError("say yes or no") from None


def _is_secret(field: InteractionField) -> bool:
    return "password" in (field.type or "").lower()
