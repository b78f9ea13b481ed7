"""HTML: one file that needs nothing else, for reading and printing, safe whatever it holds.

A text is rendered from its Markdown with HTML switched off; only links to http, https and mailto
are left, pictures become links, and the page's own policy forbids all that could be loaded or run.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

from .. import codec
from ..errors import ConfigError
from ..models import Conversation, Message, Part, ReasoningPart, TextPart
from .base import Writer
from .citing import Citing, Mark, Span
from .html_page import STYLE, TEMPLATES
from .plain import ROLES, one_line, printable, safe_link, shortened, time_text

if TYPE_CHECKING:
    from jinja2 import Environment
    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

_POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-"
    + b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'"
)
_REL: Final = "noopener noreferrer nofollow"
_MARKS: Final = "convostore_marks"


class HTMLWriter(Writer):
    """Writes one page; `raw` is nowhere.

    Raises:
        ConfigError: The libraries that it renders with are not installed.
    """

    def __init__(self, *, raw: bool = True) -> None:
        super().__init__(raw=raw)
        self._environment = _environment()
        self._markdown = _markdown()
        self._notes = 0
        self._contents: list[tuple[int, str]] = []
        self._number = 0

    def start(self, only: Conversation | None = None) -> str:
        title = "Conversations" if only is None else _title(only)
        return self._render("start", title=title, policy=_POLICY, style=_safe(STYLE))

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
            parts=list(self._parts(message, citing)),
            noted=citing.noted,
            rest=citing.rest,
        )

    def end_conversation(self) -> str:
        return "</section>\n"

    def end(self) -> str:
        return self._render("end", contents=self._contents)

    def _parts(self, message: Message, citing: Citing) -> Iterator[tuple[Part, object]]:
        spans = citing.texts(message)
        for part in message.parts:
            if isinstance(part, TextPart):
                yield part, self._body(part.text, next(spans))
            elif isinstance(part, ReasoningPart):
                yield part, self._body(part.text, ())
            else:
                yield part, None

    def _body(self, text: str, spans: Sequence[Span]) -> object:
        marks = {text[span.start : span.end]: span.marks for span in spans}
        return _safe(self._markdown.render(printable(text), {_MARKS: marks}))

    def _render(self, template: str, **values: object) -> str:
        return printable(self._environment.get_template(template).render(**values))


def _title(conversation: Conversation) -> str:
    return one_line(conversation.title or "") or "Untitled"


@cache
def _environment() -> Environment:
    try:
        from jinja2 import DictLoader, Environment, StrictUndefined
    except ImportError as error:
        raise _missing() from error
    environment = Environment(
        loader=DictLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    environment.filters |= {
        "safe_link": safe_link,
        "shortened": shortened,
        "time_text": time_text,
        "printable": printable,
        "json": codec.to_json,
    }
    return environment


@cache
def _markdown() -> MarkdownIt:
    try:
        from markdown_it import MarkdownIt
    except ImportError as error:
        raise _missing() from error
    # People end lines where they want them to end, and chats show them so.
    options = {"html": False, "breaks": True}
    markdown = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    markdown.validateLink = lambda url: safe_link(url) is not None  # type: ignore[method-assign]
    markdown.inline.ruler.before("link", "citation", _cite)
    markdown.core.ruler.push("tame", _tame)
    markdown.add_render_rule("citation", _render_citation)
    return markdown


def _missing() -> ConfigError:
    return ConfigError("HTML needs two more libraries: pip install 'convostore[export]'")


def _safe(html: str) -> object:
    from markupsafe import Markup

    return Markup(html)  # noqa: S704  # made by markdown-it without HTML, or our own style sheet


def _cite(state: StateInline, silent: bool) -> bool:
    """Takes a mark of the text, where one stands that leads to a source, for a citation.

    Not within a link's text, which is what is looked through in silence.
    """
    if silent or state.linkLevel or state.src[state.pos] != "[":
        return False
    marks: dict[str, tuple[Mark, ...]] = state.env.get(_MARKS, {})
    end = state.src.find("]", state.pos) + 1
    for stop in (end, state.src.find(")", end) + 1):
        literal = state.src[state.pos : stop]
        if literal in marks and state.src[stop : stop + 1] != "(":
            state.push("citation", "", 0).meta = {"marks": marks[literal]}
            state.pos = stop
            return True
    return False


def _render_citation(
    self: object,  # noqa: ARG001  # what markdown-it calls it with
    tokens: Sequence[Token],
    place: int,
    options: object,  # noqa: ARG001
    env: object,  # noqa: ARG001
) -> str:
    return "".join(
        f"[{mark.text}]"
        if mark.note is None
        else f'<sup><a href="#s{mark.note}">[{mark.note}]</a></sup>'
        for mark in tokens[place].meta["marks"]
    )


def _tame(state: StateCore) -> None:
    """Makes pictures links, marks links as strangers' and puts headings below the page's own."""
    state.tokens += _unused_definitions(state)
    for token in state.tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
        token.attrs.pop("style", None)
        if token.children:
            token.children = list(_tamed(token.children))


def _unused_definitions(state: StateCore) -> Iterator[Token]:
    """Paragraphs of the links that the text defines and never uses, which Markdown leaves out."""
    from markdown_it.token import Token

    children = [child for token in state.tokens for child in token.children or ()]
    used = {child.attrs.get("href", child.attrs.get("src")) for child in children}
    defined = [(label, each) for label, each in state.env.get("references", {}).items()]
    defined += [(each["label"], each) for each in state.env.get("duplicate_refs", ())]
    for label, each in defined:
        if each["href"] not in used:
            title = f" {each['title']}" if each["title"] else ""
            line = [
                Token("text", "", 0, content=f"[{label}]: "),
                Token("link_open", "a", 1, attrs={"href": each["href"]}),
                Token("text", "", 0, content=each["href"]),
                Token("link_close", "a", -1),
                Token("text", "", 0, content=title),
            ]
            yield Token("paragraph_open", "p", 1)
            yield Token("inline", "", 0, children=line)
            yield Token("paragraph_close", "p", -1)


def _tamed(tokens: Sequence[Token]) -> Iterator[Token]:
    """The tokens with every link safe and none within another; of one left out the text stays."""
    followed: list[bool] = []
    for token in tokens:
        if token.type == "link_open":
            leads = safe_link(str(token.attrs["href"])) is not None
            followed.append(leads and not any(followed))
            token.attrs["rel"] = _REL
        if token.type == "image":
            yield from _linked(token, within=any(followed))
        elif token.type not in {"link_open", "link_close"} or followed[-1]:
            yield token
        if token.type == "link_close":
            followed.pop()


def _linked(picture: Token, *, within: bool) -> Iterator[Token]:
    from markdown_it.token import Token

    text = Token("text", "", 0, content=picture.content or "picture")
    url = str(picture.attrs.get("src", ""))
    if within or safe_link(url) is None:
        yield text
    else:
        yield Token("link_open", "a", 1, attrs={"href": url, "rel": _REL})
        yield text
        yield Token("link_close", "a", -1)
