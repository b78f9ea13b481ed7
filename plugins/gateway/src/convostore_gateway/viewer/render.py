"""Templates, and messages rendered for them.

`convostore.formats.html.markdown` converts a text to HTML, which an allow-list then sanitizes once
more, so that either may fail. No store is known here, and nothing is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from html import escape
from importlib.resources import files
from itertools import accumulate
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import nh3
from jinja2 import Environment, FunctionLoader

from convostore.formats.citations import Citing, Span
from convostore.formats.html.markdown import REL, render_text
from convostore.formats.html.parts import bodies, document_environment
from convostore.formats.text import ROLES, one_line, printable, safe_link
from convostore.models import JSON, Message, Part, ReasoningPart, Source, TextPart
from convostore.search import Snippet

from ..stores import public_name
from .urls import key_of

if TYPE_CHECKING:
    from markupsafe import Markup

_LONGEST_MARKDOWN: Final = 100_000
"""Characters above which a text is shown unrendered: its Markdown could keep the server busy."""
_LONGEST_PAGE: Final = 1_000_000
"""Characters of one page's texts above which further texts are shown unrendered, as above."""
_LONGEST_PASSAGE: Final = 2_000
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_EXPORTS: Final = (
    ("html", "HTML page"),
    ("markdown", "Markdown"),
    ("jsonl", "JSON Lines (lossless)"),
    ("openai", "OpenAI messages"),
)
_TAGS: Final = {
    *("p", "br", "hr", "strong", "em", "s", "a", "code", "pre", "blockquote", "ol", "ul", "li"),
    *("h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td", "sup", "button"),
}
_ATTRIBUTES: Final = {
    "a": {"href", "title"},
    "ol": {"start"},
    "code": {"class"},
    "button": {"class", "type", "popovertarget"},
}
_VALUES: Final = {
    ("code", "class"): re.compile(r"language-[\w+#.-]{1,40}"),
    ("button", "class"): re.compile("cite"),
    ("button", "type"): re.compile("button"),
    ("button", "popovertarget"): re.compile(r"s-[0-9a-f]{16}-\d{1,6}"),
    ("ol", "start"): re.compile(r"\d{1,9}"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A source as it is shown alone.

    Attributes:
        id: The id of the element that a citation opens.
        number: The number of its citations; None for a source that is not cited.
        link: The address if it may be followed, else None.
        host: The host of the link.
    """

    id: str
    number: int | None
    title: str
    link: str | None
    host: str
    passage: str
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedMessage:
    """A message as the templates take it."""

    message: Message
    key: str
    role: str
    parts: Sequence[tuple[Part, Markup | None]]
    cards: Sequence[Card]


@cache
def environment() -> Environment:
    """Return the environment of the viewer's templates."""
    env = document_environment(FunctionLoader(_source), new_tab=True)
    env.trim_blocks = env.lstrip_blocks = True
    env.globals |= {"key_of": key_of, "exports": _EXPORTS}
    env.filters |= {
        "json": _readable_json,
        "one_line": one_line,
        "store_name": store_name,
        "day": _day,
        "minute": _minute,
        "marked": _split_marks,
        "seconds": _seconds,
    }
    return env


def _source(name: str) -> str:
    """Return a template's text alone, so that an error in it shows no path."""
    return (files(__package__) / "templates" / name).read_text("utf-8")


def render(template: str, **values: object) -> str:
    """Render a template as text that can be encoded."""
    return printable(environment().get_template(template).render(**values))


def render_messages(messages: Sequence[Message]) -> list[RenderedMessage]:
    """Render messages; slow, so call it in a thread."""
    sizes = accumulate([_length(message) for message in messages])
    return [
        _render_message(message, _LONGEST_MARKDOWN if size <= _LONGEST_PAGE else 0)
        for message, size in zip(messages, sizes, strict=True)
    ]


def sanitize(html: str) -> str:
    """Return the HTML of a text without everything that is not on the allow-list."""
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes={"http", "https", "mailto"},
        link_rel=REL,
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )


def store_name(label: str) -> str:
    """Return a store's name for pages."""
    return one_line(public_name(label))


def _length(message: Message) -> int:
    """Return the number of characters of a message's texts that are rendered as Markdown."""
    texts = [part.text for part in message.parts if isinstance(part, TextPart | ReasoningPart)]
    return sum([len(text) for text in texts if len(text) <= _LONGEST_MARKDOWN])


def _render_message(message: Message, longest: int) -> RenderedMessage:
    """Render a message; a text of more than `longest` characters is shown unrendered."""
    citing = Citing(message, 1)
    key = key_of(message.id)
    return RenderedMessage(
        message=message,
        key=key,
        role=ROLES[message.role],
        parts=list(bodies(message, citing, partial(_body, key, longest))),
        cards=list(_cards(key, citing)),
    )


def _body(key: str, longest: int, text: str, spans: Sequence[Span]) -> str:
    if len(text) > longest:
        return f"<pre>{escape(printable(text))}</pre>"
    return sanitize(render_text(text, spans, partial(_citation, key)))


def _citation(key: str, note: int) -> str:
    target = f's-{key}-{note}" class="cite'
    return f'<sup><button type="button" popovertarget="{target}">{note}</button></sup>'


def _attribute(tag: str, name: str, value: str) -> str | None:
    allowed = _VALUES.get((tag, name))
    return value if allowed is None or allowed.fullmatch(value) else None


def _cards(key: str, citing: Citing) -> Iterator[Card]:
    yield from (_card(f"s-{key}-{number}", number, source) for number, source in citing.noted)
    for index, source in enumerate(citing.rest, 1):
        yield _card(f"r-{key}-{index}", None, source)


def _card(id: str, number: int | None, source: Source) -> Card:
    link = safe_link(source.url)
    passage = printable(source.content or "").strip()
    if len(passage) > _LONGEST_PASSAGE:
        passage = f"{passage[:_LONGEST_PASSAGE].rstrip()}…"
    host = (urlsplit(link).hostname or "") if link else ""
    title = one_line(source.title or "") or host or one_line(source.url or "") or "Source"
    return Card(
        id=id, number=number, title=title, link=link, host=host, passage=passage, source=source
    )


def _split_marks(snippet: Snippet) -> Iterator[tuple[str, bool]]:
    """Yield the pieces of a snippet, each with whether it is a match."""
    end = 0
    for start, stop in snippet.marks:
        yield snippet.text[end:start], False
        yield snippet.text[start:stop], True
        end = stop
    yield snippet.text[end:], False


def _readable_json(value: JSON) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, indent=2, default=str)
    except (ValueError, RecursionError):
        return "(cannot be shown)"


def _day(time: datetime) -> str:
    return f"{time.day} {_MONTHS[time.month - 1]} {time.year}"


def _minute(time: datetime) -> str:
    return f"{_day(time)}, {time:%H:%M} UTC"


def _seconds(value: float) -> str:
    try:
        return f"{value:.2f} s" if value < 10 else f"{value:,.0f} s"
    except (OverflowError, ValueError):  # a service may send a number of any size
        return ""
