"""Markdown to safe HTML, with citations.

HTML in the text is escaped, images become links, and only links to http, https and mailto are kept.
How a citation looks is decided by the caller; pages are not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ...errors import ConfigError
from ..citations import Mark, Span
from ..text import printable, safe_link

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

__all__ = ["REL", "Cited", "render_text"]

Cited: TypeAlias = Callable[[int], str]
"""A function that returns the HTML of a citation of a source, by the source's number."""
REL: Final = "noopener noreferrer nofollow"
"""The `rel` attribute of every link to elsewhere."""
_MARKS: Final = "convostore_marks"
_CITED: Final = "convostore_cited"


def render_text(text: str, spans: Sequence[Span], cited: Cited) -> str:
    """Render a text as HTML.

    Args:
        text: Markdown.
        spans: The marks in it that cite a source.
        cited: Returns the HTML of a citation.

    Raises:
        ConfigError: markdown-it-py is not installed.
    """
    marks = {text[span.start : span.end]: span.marks for span in spans}
    rendered: str = parser().render(printable(text), {_MARKS: marks, _CITED: cited})
    return rendered


@cache
def parser() -> MarkdownIt:
    """Return the parser with its rules.

    Raises:
        ConfigError: markdown-it-py is not installed.
    """
    try:
        from markdown_it import MarkdownIt
    except ImportError as error:
        raise missing() from error
    # Line ends are kept, as chats show them.
    options = {"html": False, "breaks": True}
    parser = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    parser.validateLink = lambda url: safe_link(url) is not None  # type: ignore[method-assign]
    parser.inline.ruler.before("link", "citation", _cite)
    parser.core.ruler.push("safe", _make_safe)
    parser.add_render_rule("citation", _render_citation)
    return parser


def missing() -> ConfigError:
    """Return the error of a library that HTML needs and that is not installed."""
    return ConfigError('HTML needs two more libraries: pip install "convostore[export]"')


def _cite(state: StateInline, silent: bool) -> bool:
    """Parse a mark that cites a source; a rule of markdown-it.

    Marks in the text of a link are left alone: that is scanned with `silent`.
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
    _renderer: object,
    tokens: Sequence[Token],
    place: int,
    _options: object,
    env: Mapping[str, Any],  # Any: markdown-it's own type
) -> str:
    return "".join(
        f"[{mark.text}]" if mark.note is None else env[_CITED](mark.note)
        for mark in tokens[place].meta["marks"]
    )


def _make_safe(state: StateCore) -> None:
    """Convert images to links, set `rel` of links, and lower headings below those of the page."""
    state.tokens += _unused_definitions(state)
    for token in state.tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
        token.attrs.pop("style", None)
        if token.children:
            token.children = list(_safe_links(token.children))


def _unused_definitions(state: StateCore) -> Iterator[Token]:
    """Yield paragraphs of link definitions that the text does not use: Markdown drops them."""
    from markdown_it.token import Token

    children = [child for token in state.tokens for child in token.children or ()]
    used = {child.attrs.get("href", child.attrs.get("src")) for child in children}
    defined = list(state.env.get("references", {}).items())
    defined += [(link["label"], link) for link in state.env.get("duplicate_refs", ())]
    for label, link in defined:
        if link["href"] not in used:
            title = f" {link['title']}" if link["title"] else ""
            line = [
                Token("text", "", 0, content=f"[{label}]: "),
                Token("link_open", "a", 1, attrs={"href": link["href"]}),
                Token("text", "", 0, content=link["href"]),
                Token("link_close", "a", -1),
                Token("text", "", 0, content=title),
            ]
            yield Token("paragraph_open", "p", 1)
            yield Token("inline", "", 0, children=line)
            yield Token("paragraph_close", "p", -1)


def _safe_links(tokens: Sequence[Token]) -> Iterator[Token]:
    """Yield the tokens without unsafe and nested links, whose texts stay."""
    is_kept: list[bool] = []
    for token in tokens:
        if token.type == "link_open":
            is_safe = safe_link(str(token.attrs["href"])) is not None
            is_kept.append(is_safe and not any(is_kept))
            token.attrs["rel"] = REL
        if token.type == "image":
            yield from _image_link(token, in_link=any(is_kept))
        elif token.type not in {"link_open", "link_close"} or is_kept[-1]:
            yield token
        if token.type == "link_close":
            is_kept.pop()


def _image_link(image: Token, *, in_link: bool) -> Iterator[Token]:
    from markdown_it.token import Token

    text = Token("text", "", 0, content=image.content or "picture")
    url = str(image.attrs.get("src", ""))
    if in_link or safe_link(url) is None:
        yield text
    else:
        yield Token("link_open", "a", 1, attrs={"href": url, "rel": REL})
        yield text
        yield Token("link_close", "a", -1)
