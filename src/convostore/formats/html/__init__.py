"""HTML: one self-contained page for reading and printing, safe for untrusted texts.

Texts are rendered from Markdown with HTML switched off; only links to http, https and mailto are
kept, images become links, and the page's content security policy forbids whatever could be loaded
or run.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

from ...models import Conversation, Message
from .._base import Writer
from ..citations import Citing, Span
from ..text import ROLES, one_line, printable
from ._templates import STYLE, TEMPLATES
from .markdown import missing, parser, render_text
from .parts import bodies, document_environment, safe

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["HTMLWriter"]

_POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-"
    + b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'"
)


class HTMLWriter(Writer):
    """A writer of one page, without `raw`.

    Raises:
        ConfigError: The libraries that it needs are not installed.
    """

    def __init__(self, *, raw: bool = True) -> None:
        super().__init__(raw=raw)
        self._environment = _environment()
        parser()  # so that a missing library is reported at once
        self._notes = 0
        self._contents: list[tuple[int, str]] = []
        self._number = 0

    def start(self, only: Conversation | None = None) -> str:
        title = "Conversations" if only is None else _title(only)
        return self._render("start", title=title, policy=_POLICY, style=safe(STYLE))

    def conversation(self, conversation: Conversation) -> str:
        self._number += 1
        self._contents.append((self._number, _title(conversation)))
        return self._render("conversation", conversation=conversation, number=self._number)

    def message(self, message: Message) -> str:
        citing = Citing(message, self._notes + 1)
        self._notes += len(citing.noted)
        return self._render(
            "message",
            message=message,
            role=ROLES[message.role],
            parts=list(bodies(message, citing, _text)),
            noted=citing.noted,
            rest=citing.rest,
        )

    def end_conversation(self) -> str:
        return "</section>\n"

    def end(self) -> str:
        return self._render("end", contents=self._contents)

    def _render(self, template: str, **values: object) -> str:
        return printable(self._environment.get_template(template).render(**values))


def _title(conversation: Conversation) -> str:
    return one_line(conversation.title or "") or "Untitled"


def _text(text: str, spans: Sequence[Span]) -> str:
    return render_text(text, spans, _footnote)


def _footnote(note: int) -> str:
    return f'<sup><a href="#s{note}">[{note}]</a></sup>'


@cache
def _environment() -> Environment:
    try:
        from jinja2 import DictLoader
    except ImportError as error:
        raise missing() from error
    return document_environment(DictLoader(TEMPLATES))
