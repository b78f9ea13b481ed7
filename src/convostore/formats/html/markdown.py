"""A text's Markdown as HTML that is safe to show, with its citations.

HTML in the text stays text, pictures become links, and of links only those to http, https and
mailto are left. How a citation is shown is the caller's matter; pages are not known here.
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
"""Takes the number of a source to the HTML that stands for a citation of it."""
REL: Final = "noopener noreferrer nofollow"
"""How every link to elsewhere is marked."""
_MARKS: Final = "convostore_marks"
_CITED: Final = "convostore_cited"


def render_text(text: str, spans: Sequence[Span], cited: Cited) -> str:
    """Renders a text; `spans` are its marks that lead to a source.

    Raises:
        ConfigError: The library that it renders with is not installed.
    """
    marks = {text[span.start : span.end]: span.marks for span in spans}
    rendered: str = parser().render(printable(text), {_MARKS: marks, _CITED: cited})
    return rendered


@cache
def parser() -> MarkdownIt:
    """The parser with its rules.

    Raises:
        ConfigError: The library is not installed.
    """
    try:
        from markdown_it import MarkdownIt
    except ImportError as error:
        raise missing() from error
    # People end lines where they want them to end, and chats show them so.
    options = {"html": False, "breaks": True}
    parser = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    parser.validateLink = lambda url: safe_link(url) is not None  # type: ignore[method-assign]
    parser.inline.ruler.before("link", "citation", _cite)
    parser.core.ruler.push("tame", _tame)
    parser.add_render_rule("citation", _render_citation)
    return parser


def missing() -> ConfigError:
    """Tells how to get the libraries that HTML needs."""
    return ConfigError("HTML needs two more libraries: pip install 'convostore[export]'")


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
    _renderer: object,
    tokens: Sequence[Token],
    place: int,
    _options: object,
    env: Mapping[str, Any],  # Any: what the caller of the parser put in
) -> str:
    return "".join(
        f"[{mark.text}]" if mark.note is None else env[_CITED](mark.note)
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
            token.attrs["rel"] = REL
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
        yield Token("link_open", "a", 1, attrs={"href": url, "rel": REL})
        yield text
        yield Token("link_close", "a", -1)
