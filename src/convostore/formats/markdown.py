"""Markdown: citations are footnotes, tool calls are code blocks.

Texts are written unchanged, except that an open fence or open HTML is closed, so that it does not
swallow what follows. Titles, names and addresses are escaped. Nothing is parsed here but code and
HTML blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from .. import serialization
from ..models import (
    Conversation,
    FilePart,
    InteractionPart,
    Message,
    OtherPart,
    Part,
    Problem,
    ReasoningPart,
    Source,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from ._base import Writer
from ._code_spans import Code, find_code
from .citations import Citing, Span
from .text import ROLES, one_line, printable, safe_link, shortened, time_text

__all__ = ["MarkdownWriter"]

_LABEL: Final = "source-"
_SPECIAL: Final = re.compile(r"[\\`*_\[\]<>~^&|$#]|^[-+=:]")
_NUMBERED: Final = re.compile(r"^(\d+)(?=[.)])")
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_OPEN_HTML: Final = re.compile(
    r"^(?P<indent>[ ]{0,3})<"
    r"(?=(?P<opening>!--|!\[CDATA\[|\?|![a-z]|(?:script|pre|style|textarea)(?=[\s>]|$)))",
    re.MULTILINE | re.IGNORECASE,
)
_CLOSING_OF: Final = {"!--": "-->", "![cdata[": "]]>", "?": "?>"}
_CLOSINGS: Final = (
    *_CLOSING_OF.values(),
    ">",
    "</script>",
    "</pre>",
    "</style>",
    "</textarea>",
)


class MarkdownWriter(Writer):
    """A writer of conversations one below the other, without `raw`."""

    def __init__(self, *, raw: bool = True) -> None:
        super().__init__(raw=raw)
        self._notes = 0

    def conversation(self, conversation: Conversation) -> str:
        head = [f"# {_escape(conversation.title or 'Untitled')}"]
        head.append(_about(conversation))
        head += [_file(file) for file in conversation.files]
        head += _problems(conversation.problems)
        return "".join(f"{block}\n\n" for block in head)

    def message(self, message: Message) -> str:
        citing = Citing(message, self._notes + 1)
        self._notes += len(citing.noted)
        blocks = [f"## {ROLES[message.role]}"]
        if about := _about_message(message):
            blocks.append(about)
        blocks += _parts(message, citing)
        if citing.rest:
            blocks.append(
                "**Sources**\n\n" + "\n".join(f"- {_source(source)}" for source in citing.rest)
            )
        blocks += _problems(message.problems)
        blocks += [f"[^{_LABEL}{number}]: {_source(source)}" for number, source in citing.noted]
        return "".join(f"{block}\n\n" for block in blocks)

    def end_conversation(self) -> str:
        return ""


def _escape(text: str) -> str:
    """Return the text on one line, with each character that Markdown could interpret escaped."""
    return _NUMBERED.sub(r"\1\\", _SPECIAL.sub(r"\\\g<0>", one_line(text)))


def _about(conversation: Conversation) -> str:
    facts = [_code(conversation.id)]
    if conversation.origin is not None:
        origin = conversation.origin
        facts.append(f"copied from {_code(origin.store)}, {_code(origin.conversation_id)}")
    if conversation.created_at is not None:
        facts.append(f"started {time_text(conversation.created_at)}")
    if conversation.updated_at is not None:
        facts.append(f"last changed {time_text(conversation.updated_at)}")
    if conversation.pinned:
        facts.append("pinned")
    return f"Conversation {', '.join(facts)}"


def _about_message(message: Message) -> str:
    facts = []
    if message.created_at is not None:
        facts.append(time_text(message.created_at))
    if message.model:
        facts.append(_escape(message.model))
    if message.status not in {None, "complete"}:
        facts.append(str(message.status))
    if message.feedback is not None:
        comment = f": {_escape(message.feedback.comment)}" if message.feedback.comment else ""
        facts.append(f"rated {message.feedback.rating}{comment}")
    return f"*{' · '.join(facts)}*" if facts else ""


def _problems(problems: Sequence[Problem]) -> list[str]:
    return [
        f"> Unreadable: {_escape(problem.where)} {_escape(problem.what)}" for problem in problems
    ]


def _parts(message: Message, citing: Citing) -> Iterator[str]:
    spans = citing.texts(message)
    for part in message.parts:
        if isinstance(part, TextPart):
            yield _text(part.text, next(spans))
        else:
            yield _part(part)


def _part(part: Part) -> str:
    match part:
        case ReasoningPart():
            return _quote(f"**Reasoning**\n\n{_text(part.text, [])}")
        case ToolCallPart():
            heading = f"**Tool call** {_code(part.name)}{_id_text(part.id)}"
            language = "json" if part.arguments.startswith(("{", "[")) else ""
            return f"{heading}\n\n{_fence(part.arguments, language)}"
        case ToolResultPart():
            return f"**Tool result**{_id_text(part.id)}\n\n{_fence(part.content)}"
        case FilePart():
            return _file(part)
        case InteractionPart():
            return _interaction(part)
        case OtherPart():
            kind = f" {_code(part.type)}" if part.type else ""
            return f"**Other**{kind}\n\n{_fence(serialization.to_json(part.data), 'json')}"
        case TextPart():
            return _text(part.text, [])


def _id_text(part_id: str | None) -> str:
    return f" ({_code(part_id)})" if part_id else ""


def _quote(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in _LINE_END.split(text))


def _text(text: str, spans: Sequence[Span]) -> str:
    """Return the text with its marks as footnotes, and with what it leaves open closed."""
    code = find_code(text)
    pieces, last = [], 0
    for span in spans:
        if not code.holds(span.start, span.end):
            pieces += [_escape_own_labels(text[last : span.start]), _references(span)]
            last = span.end
    pieces.append(_escape_own_labels(text[last:]))
    markdown = printable("".join(pieces))
    return _close(markdown, find_code(markdown))


def _references(span: Span) -> str:
    return "".join(
        f"\\[{mark.text}\\]" if mark.note is None else f"[^{_LABEL}{mark.note}]"
        for mark in span.marks
    )


def _escape_own_labels(text: str) -> str:
    """Escape footnotes of the text that have the form of ours."""
    return text.replace(f"[^{_LABEL}", f"\\[^{_LABEL}")


def _close(text: str, code: Code) -> str:
    """Close a fence, and escape HTML, that the text leaves open."""
    if "<" in text:
        lowered = text.lower()
        last = {closing: lowered.rfind(closing) for closing in _CLOSINGS}
        text = _OPEN_HTML.sub(lambda match: _close_html(match, last, code), text)
    return f"{text}\n{code.open_fence}" if code.open_fence else text


def _close_html(match: re.Match[str], last: dict[str, int], code: Code) -> str:
    opening = match["opening"].lower()
    closing = _CLOSING_OF.get(opening, f"</{opening}>" if opening.isalpha() else ">")
    is_open = last[closing] < match.end() and not code.holds(match.start(), match.end())
    return f"{match['indent']}\\<" if is_open else match[0]


def _fence(content: str, language: str = "") -> str:
    """Return a code block whose fence is longer than any in the content."""
    longest = max((len(run) for run in re.findall("`+", content)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{printable(content)}\n{fence}"


def _code(text: str) -> str:
    """Return the text as a code span."""
    line = one_line(text) or "(empty)"
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    ticks = "`" * (longest + 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{space}{line}{space}{ticks}"


def _file(part: FilePart) -> str:
    media_type = f" ({_escape(part.media_type)})" if part.media_type else ""
    return f"**File** {_link(part.name, part.url)}{media_type}"


def _link(name: str | None, url: str | None) -> str:
    link = safe_link(url)
    if link is None:
        address = f" {_code(url)}" if url else ""
        return f"{_escape(name or '')}{address}".strip() or "(unnamed)"
    return f"[{_escape(name or link)}](<{link}>)"


def _source(source: Source) -> str:
    passage = f": {_escape(shortened(source.content))}" if source.content else ""
    return f"{_link(source.title, source.url)}{passage}"


def _interaction(part: InteractionPart) -> str:
    lines = [f"**Asked** {_escape(part.prompt or part.type)}", ""]
    for option in part.options:
        check = "x" if part.answered and option.value == part.answer else " "
        lines.append(f"- [{check}] {_escape(option.label or option.value)}")
    for field in part.fields:
        value = "" if field.value is None else f" {_code(serialization.to_json(field.value))}"
        lines.append(f"- {_escape(field.label or field.key)}{value}")
    if part.answered and part.answer and not part.options:
        lines.append(f"- {_escape(part.answer)}")
    if not part.answered:
        lines += ["", "*not answered*"]
    return "\n".join(lines)
