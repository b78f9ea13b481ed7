"""Sample conversations that the kit fills a backend with: ordinary ones, and hostile texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from ..models import (
    Conversation,
    Feedback,
    FilePart,
    InteractionField,
    InteractionOption,
    InteractionPart,
    Message,
    OtherPart,
    Problem,
    ReasoningPart,
    Role,
    Source,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Transcript,
)

__all__ = [
    "BEYOND_UTF8",
    "HOSTILE_TEXTS",
    "START",
    "dialogue",
    "full_message",
    "numbered_conversations",
    "text_message",
]

START: Final = datetime(2024, 12, 7, 9, 35, 59, tzinfo=UTC)
"""The time of the first sample message; others are later by their number of seconds."""

HOSTILE_TEXTS: Final = (
    "",
    " ",
    "plain",
    "two\nlines",
    "carriage\rreturn and \r\n both",
    "tab\tand \x0b\x0c control \x1b[31m characters \x7f",
    "line \u2028 and paragraph \u2029 separators",
    "Kapiʻolani · 夏威夷大学 · שלום · Ā̄ · e\u0301",
    "\U0001f3c4\U0001f3fd\u200d\u2640\ufe0f \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\u202eright to left\u202c",
    "'; DROP TABLE messages; --",
    "<script>alert(1)</script> & &amp; \" ' `",
    "{{template}} ${shell} %s %d {0} \\u0041 \\",
    '{"json": ["in", "text"]}',
    "null",
    "[1] [2][3] [1,2] [x](javascript:alert(1))",
    "a" * 20_000,
)
"""Texts that come back unchanged from any backend."""

BEYOND_UTF8: Final = ("NUL \x00 inside", "a lone surrogate \ud800 inside")
"""Texts with a NUL or a lone surrogate: a writable store must keep them."""


def text_message(text: str, role: Role, number: int) -> Message:
    """Return a message of one text, with an id and a time by its number."""
    return Message(
        id=f"m{number:05}",
        role=role,
        parts=(TextPart(text=text),),
        created_at=START + timedelta(seconds=number),
    )


def dialogue(conversation_id: str, texts: Iterable[str], title: str = "a title") -> Transcript:
    """Return a conversation in which the texts are questions and answers in turn."""
    roles: tuple[Role, Role] = ("user", "assistant")
    return Transcript(
        conversation_id=conversation_id,
        conversation=Conversation(id=conversation_id, title=title, created_at=START),
        messages=tuple(
            text_message(text, roles[number % 2], number) for number, text in enumerate(texts)
        ),
    )


def numbered_conversations(count: int, messages: int = 2) -> Sequence[Transcript]:
    """Return conversations with ids and texts by their numbers."""
    return [
        dialogue(f"c{number:04}", [f"text {number}.{place}" for place in range(messages)])
        for number in range(count)
    ]


def full_message() -> Message:
    """Return a message that uses every field and every kind of part."""
    return Message(
        id="everything",
        role="assistant",
        parts=(
            TextPart(text="text [1]"),
            ReasoningPart(text="because"),
            ToolCallPart(id="call-1", name="look", arguments='{"at": "it"}'),
            ToolResultPart(id="call-1", content="seen"),
            FilePart(
                name="ʻ 笔记.txt", url="https://example.org/f?sign=1", media_type="text/plain"
            ),
            InteractionPart(
                type="userSelect",
                prompt="which?",
                options=(InteractionOption(value="a", label="A"), InteractionOption(value="b")),
                fields=(InteractionField(key="k", label="K", required=True, value=[1, None]),),
                answered=True,
                answer="a",
            ),
            OtherPart(type="widget", data={"nested": [1, 2.5, None, {"deep": "er"}]}),
        ),
        created_at=START,
        stored_at=START + timedelta(seconds=1),
        sources=(
            Source(title="T", url="https://example.org", content="c", score=0.5, mark="1", raw={}),
            Source(url="https://example.org/2", kind="researched"),
            Source(title="quote", content="q", kind="quote", mark="0123456789abcdef01234567"),
        ),
        feedback=Feedback(rating="bad", comment="not helpful"),
        status="complete",
        model="a-model",
        parent_id="its question",
        problems=(Problem(where="metadata", what="is not JSON"),),
        raw={"as": ["it", "came", {"x": None}]},
    )
