"""Conversations as plain text: for pipes, and the words that terminals show as well.

Titles, texts and addresses come from strangers: none of their control characters may get through.
Only the standard library and the schema may be imported here, so that the command starts quickly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Final

from .times import when

if TYPE_CHECKING:
    from ...models import (
        Citation,
        Conversation,
        Feedback,
        FilePart,
        InteractionField,
        InteractionPart,
        Message,
        Part,
        Problem,
        Source,
    )
    from ...search import Hit

__all__ = [
    "CONTROL",
    "backend_of",
    "conversation_facts",
    "conversation_line",
    "facts",
    "file_words",
    "hit_line",
    "labels_of",
    "marked_sources",
    "one_line",
    "place",
    "printable",
    "problem_words",
    "relabel",
    "remarks",
    "several",
    "tab_separated",
    "title_of",
    "transcript_text",
    "unmarked_quotes",
    "words",
]

CONTROL: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Characters that command a terminal or reverse its lines, and lone surrogates."""


def printable(text: str) -> str:
    """Replace each `CONTROL` character by ``�``; keep tabs and line ends, CRLF as LF."""
    return CONTROL.sub("�", text.replace("\r\n", "\n"))


def one_line(text: str | None) -> str:
    """Return the text, printable, on one line."""
    return " ".join(printable(text or "").split())


def title_of(title: str | None) -> str:
    """Return a conversation's title for people: on one line, and never empty."""
    return one_line(title) or "Untitled"


def backend_of(label: str) -> str:
    """Return the backend in a store's label, such as ``perplexica``."""
    return label.partition("://")[0].partition("+")[0]


def several(number: int, thing: str) -> str:
    """Return a number with its noun, such as ``2 messages``."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def conversation_line(conversation: Conversation) -> str:
    """Return a conversation as one line: id, time and title, separated by tabs."""
    time = conversation.last_active_at
    return tab_separated(
        conversation.id, time.isoformat() if time else "", conversation.title or ""
    )


def hit_line(hit: Hit) -> str:
    """Return a hit as one line, separated by tabs.

    Ids of conversation and message, time, role, the conversation's title, and the snippet.
    """
    message = hit.message
    time = hit.conversation.last_active_at if message is None else message.created_at
    return tab_separated(
        hit.conversation.id,
        message.id if message else "",
        time.isoformat() if time else "",
        message.role if message else "",
        hit.conversation.title or "",
        hit.snippet.text,
    )


def tab_separated(*cells: str) -> str:
    """Return cells as one line, separated by tabs."""
    return "\t".join(one_line(cell) for cell in cells)


def transcript_text(conversation: Conversation, messages: tuple[Message, ...]) -> str:
    """Return a conversation with its messages as text."""
    lines = [f"# {one_line(conversation.title) or one_line(conversation.id)}", ""]
    head = [
        *conversation_facts(conversation),
        *(f"file: {file_words(file)}" for file in conversation.files),
        *map(problem_words, conversation.problems),
    ]
    lines += [*head, ""] if head else []
    for message in messages:
        lines += _message_lines(message)
    return "\n".join(lines).rstrip()


def conversation_facts(conversation: Conversation) -> Iterator[str]:
    """Yield what the application noted of a conversation: its owner and its metadata."""
    if conversation.owner is not None:
        yield f"owner: {one_line(conversation.owner)}"
    for key, value in conversation.metadata.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield f"{one_line(key)}={one_line(text)}"


def _message_lines(message: Message) -> Iterator[str]:
    labels = labels_of(message)
    yield f"## {', '.join([message.role, *facts(message)])}"
    yield ""
    for part in message.parts:
        label, text = words(part, message, labels)
        yield f"{label}: " + text.replace("\n", "\n  ") if label else text
        yield ""
    endings = [
        *(f"[{labels[source.mark]}] {place(source)}" for source in marked_sources(message)),
        *(f"quoted: {place(source)}" for source in unmarked_quotes(message)),
        *remarks(message),
        *map(problem_words, message.problems),
    ]
    yield from endings
    if endings:
        yield ""


def facts(message: Message) -> Iterator[str]:
    """Yield what is shown beside a message's role: time, status, model, and id."""
    yield when(message.created_at)
    if message.status not in {None, "complete"}:
        yield str(message.status)
    if message.model:
        yield one_line(message.model)
    yield one_line(message.id)


def remarks(message: Message) -> Iterator[str]:
    """Yield the remarks below a message: the number of sources only read, and the feedback."""
    researched = sum(source.kind == "researched" for source in message.sources)
    if researched:
        yield f"{researched} more read on the way"
    if message.feedback:
        yield _feedback_words(message.feedback)


def _feedback_words(feedback: Feedback) -> str:
    """Return the user's feedback, such as ``feedback: bad (too long)``."""
    comment = one_line(feedback.comment)
    return f"feedback: {feedback.rating}" + (f" ({comment})" if comment else "")


def problem_words(problem: Problem) -> str:
    """Return where something could not be read, and why."""
    return f"could not be read: {one_line(problem.where)} {one_line(problem.what)}"


def marked_sources(message: Message) -> list[Source]:
    """Return the sources that the text can cite."""
    return [source for source in message.sources if source.mark is not None]


def unmarked_quotes(message: Message) -> list[Source]:
    """Return the sources that were quoted but have no mark in the text."""
    return [
        source for source in message.sources if source.mark is None and source.kind != "researched"
    ]


def labels_of(message: Message) -> dict[str | None, str]:
    """Return the number of each source by its mark: the mark itself if it is a number."""
    marks = list(dict.fromkeys(source.mark for source in marked_sources(message)))
    free = (str(number) for number in count(1) if str(number) not in marks)
    return {mark: mark if mark and mark.isdigit() else next(free) for mark in marks}


def words(part: Part, message: Message, labels: dict[str | None, str]) -> tuple[str, str]:
    """Return the label of a part, "" for a text, and its content."""
    match part.kind:
        case "text":
            return "", printable(_numbered(part, message, labels))
        case "reasoning":
            return "reasoning", printable(part.text)
        case "tool_call":
            return "tool call", f"{one_line(part.name)}({printable(part.arguments)})"
        case "tool_result":
            return "tool result", printable(part.content)
        case "file":
            return "file", file_words(part)
        case "interaction":
            return "question", "\n".join(_interaction_lines(part))
        case "other":
            return "other", one_line(part.type) or "something"


def _numbered(part: Part, message: Message, labels: dict[str | None, str]) -> str:
    """Replace marks by those numbers; a mark without a source stays as it is."""
    single = message.model_copy(update={"parts": (part,)})
    return relabel(
        single, lambda citation: labels[citation.mark] if citation.source else citation.mark
    )


def relabel(message: Message, label: Callable[[Citation], str]) -> str:
    """Return a message's text with each mark replaced by a label."""
    text, pieces, done = message.text, [], 0
    for citation in message.citations():
        replacement = label(citation)
        if replacement != citation.mark:
            pieces += [text[done : citation.start], f"[{replacement}]"]
            done = citation.end
    return "".join([*pieces, text[done:]])


def file_words(file: FilePart) -> str:
    """Return a file's name, media type and address, as far as they are known."""
    return one_line("  ".join(filter(None, (file.name, file.media_type, file.url)))) or "unnamed"


def _interaction_lines(part: InteractionPart) -> Iterator[str]:
    yield printable(part.prompt or "") or one_line(part.type)
    for option in part.options:
        chosen = "x" if part.answered and option.value == part.answer else " "
        yield f"[{chosen}] {one_line(option.label or option.value)}"
    for field in part.fields:
        yield _field_line(field)
    if not part.answered:
        yield "(waits for an answer)"
    elif part.answer is not None and part.answer not in {option.value for option in part.options}:
        yield f"answer: {one_line(part.answer)}"


def _field_line(field: InteractionField) -> str:
    value = "" if field.value is None else one_line(str(field.value))
    choices = " | ".join(one_line(option.label or option.value) for option in field.options)
    return f"{one_line(field.label or field.key)}: {value or '-'}" + (
        f"  (of {choices})" if choices else ""
    )


def place(source: Source) -> str:
    """Return a source's title and address, or else the beginning of its content."""
    text = "  ".join(filter(None, (source.title, source.url))) or (source.content or "")[:200]
    return one_line(text) or "(unnamed)"
