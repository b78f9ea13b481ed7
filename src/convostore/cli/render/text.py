"""Conversations as plain text: what goes into pipes, and the words that terminals show as well.

Titles, texts and addresses come from strangers: no control character of theirs may get through.
Only the standard library and the schema are needed here, so that the command starts quickly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Final

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
    "conversation_line",
    "facts",
    "file_words",
    "hit_line",
    "labels_of",
    "marked",
    "one_line",
    "place",
    "printable",
    "problem_words",
    "relabelled",
    "remarks",
    "several",
    "tabbed",
    "transcript_text",
    "unmarked_quotes",
    "when",
    "words",
]

CONTROL: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""What could command a terminal, turn its lines about, or be no character at all."""


def printable(text: str) -> str:
    """Returns the text with what could command a terminal replaced by ``�``; lines stay lines."""
    return CONTROL.sub("�", text.replace("\r\n", "\n"))


def one_line(text: str | None) -> str:
    """The text, printable, on one line."""
    return " ".join(printable(text or "").split())


def when(time: datetime | None) -> str:
    """A time as people here read it."""
    return f"{time.astimezone():%Y-%m-%d %H:%M}" if time else "-"


def backend_of(label: str) -> str:
    """The backend in a store's label, such as ``perplexica``."""
    return label.partition("://")[0].partition("+")[0]


def several(number: int, thing: str) -> str:
    """A number of things, in words."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def conversation_line(conversation: Conversation) -> str:
    """A conversation as one line of a pipe: id, time and title, with tabs between."""
    time = conversation.last_active_at
    return tabbed(conversation.id, time.isoformat() if time else "", conversation.title or "")


def hit_line(hit: Hit) -> str:
    """A hit as one line of a pipe, with tabs between.

    Ids of conversation and message, time, role, the conversation's title, and what was found.
    """
    message = hit.message
    time = hit.conversation.last_active_at if message is None else message.created_at
    return tabbed(
        hit.conversation.id,
        message.id if message else "",
        time.isoformat() if time else "",
        message.role if message else "",
        hit.conversation.title or "",
        hit.snippet.text,
    )


def tabbed(*cells: str) -> str:
    """One line of a pipe, with tabs between the cells."""
    return "\t".join(one_line(cell) for cell in cells)


def transcript_text(conversation: Conversation, messages: tuple[Message, ...]) -> str:
    """A conversation with its messages."""
    lines = [f"# {one_line(conversation.title) or one_line(conversation.id)}", ""]
    lines += [f"file: {file_words(file)}" for file in conversation.files]
    lines += [problem_words(problem) for problem in conversation.problems]
    for message in messages:
        lines += _message_lines(message)
    return "\n".join(lines).rstrip()


def _message_lines(message: Message) -> Iterator[str]:
    labels = labels_of(message)
    yield f"## {', '.join([message.role, *facts(message)])}"
    yield ""
    for part in message.parts:
        label, text = words(part, message, labels)
        yield f"{label}: " + text.replace("\n", "\n  ") if label else text
        yield ""
    endings = [
        *(f"[{labels[source.mark]}] {place(source)}" for source in marked(message)),
        *(f"quoted: {place(source)}" for source in unmarked_quotes(message)),
        *remarks(message),
        *map(problem_words, message.problems),
    ]
    yield from endings
    if endings:
        yield ""


def facts(message: Message) -> Iterator[str]:
    """What stands beside a message's role: when, how it went, the model, and the id."""
    yield when(message.created_at)
    if message.status not in {None, "complete"}:
        yield str(message.status)
    if message.model:
        yield one_line(message.model)
    yield one_line(message.id)


def remarks(message: Message) -> Iterator[str]:
    """What is said below a message: what was read on the way, and feedback."""
    researched = sum(source.kind == "researched" for source in message.sources)
    if researched:
        yield f"{researched} more read on the way"
    if message.feedback:
        yield _feedback_words(message.feedback)


def _feedback_words(feedback: Feedback) -> str:
    """What the user thought, such as ``feedback: bad (too long)``."""
    comment = one_line(feedback.comment)
    return f"feedback: {feedback.rating}" + (f" ({comment})" if comment else "")


def problem_words(problem: Problem) -> str:
    """What could not be read."""
    return f"could not be read: {one_line(problem.where)} {one_line(problem.what)}"


def marked(message: Message) -> list[Source]:
    """The sources that the text may cite."""
    return [source for source in message.sources if source.mark is not None]


def unmarked_quotes(message: Message) -> list[Source]:
    """The sources that were quoted, but that nothing in a text can stand for."""
    return [
        source for source in message.sources if source.mark is None and source.kind != "researched"
    ]


def labels_of(message: Message) -> dict[str | None, str]:
    """The number of each source by its mark: the mark itself where that is a number."""
    marks = list(dict.fromkeys(source.mark for source in marked(message)))
    free = (str(number) for number in count(1) if str(number) not in marks)
    return {mark: mark if mark and mark.isdigit() else next(free) for mark in marks}


def words(part: Part, message: Message, labels: dict[str | None, str]) -> tuple[str, str]:
    """What a part is, "" for a text, and what it says."""
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
    """A text whose marks are those numbers; a mark without its source stays as it is."""
    alone = message.model_copy(update={"parts": (part,)})
    return relabelled(alone, lambda each: labels[each.mark] if each.source else each.mark)


def relabelled(message: Message, label: Callable[[Citation], str]) -> str:
    """A message's text in which each mark stands as the label that is given to it."""
    text, pieces, done = message.text, [], 0
    for citation in message.citations():
        shown = label(citation)
        if shown != citation.mark:
            pieces += [text[done : citation.start], f"[{shown}]"]
            done = citation.end
    return "".join([*pieces, text[done:]])


def file_words(file: FilePart) -> str:
    """A file's name, kind and address, as far as they are known."""
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
    elif part.answer is not None and part.answer not in {each.value for each in part.options}:
        yield f"answer: {one_line(part.answer)}"


def _field_line(field: InteractionField) -> str:
    value = "" if field.value is None else one_line(str(field.value))
    choices = " | ".join(one_line(option.label or option.value) for option in field.options)
    return f"{one_line(field.label or field.key)}: {value or '-'}" + (
        f"  (of {choices})" if choices else ""
    )


def place(source: Source) -> str:
    """A source's title and address, or the beginning of what it says."""
    named = "  ".join(filter(None, (source.title, source.url))) or (source.content or "")[:200]
    return one_line(named) or "(unnamed)"
