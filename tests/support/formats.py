"""What the tests of the formats share: hostile values, and writing and reading in one call."""

import io
from pathlib import Path

from hypothesis import strategies as st

from convostore.formats import reader, writer
from convostore.models import Conversation, Message, TextPart
from convostore.testing import samples, strategies
from convostore.testing.value_strategies import Values

HERE = Path(__file__).parents[1] / "formats"


def written(name, *conversations, raw=True, only=None):
    """The text of conversations, each given with its messages."""
    made = writer(name, raw=raw)
    pieces = [made.start(only)]
    for conversation, messages in conversations:
        pieces.append(made.conversation(conversation))
        pieces += [made.message(each) for each in messages]
        pieces.append(made.end_conversation())
    return "".join([*pieces, made.end()])


def read(name, data, store=None):
    """The conversations of a file, each with its messages."""
    data = data.encode("utf-8") if isinstance(data, str) else data
    entries = reader(name)(io.BytesIO(data), store)
    return [(entry.conversation, list(entry.messages)) for entry in entries]


def sample(name):
    return (HERE / name).read_bytes()


def said(text, role="assistant", **fields):
    return Message(id="m", role=role, parts=(TextPart(text=text),), **fields)


HOSTILE = st.one_of(
    strategies.texts(),
    st.sampled_from(
        [
            *samples.HOSTILE_TEXTS[:-1],
            *samples.BEYOND_UTF8,
            "# a heading",
            "a\n\n# a heading\n---",
            "- item\n1. item",
            "<img src=x onerror=alert(1)>",
            "</title><script>alert(1)</script>",
            "--><script>alert(1)</script><!--",
            '" onmouseover="alert(1)',
            "javascript:alert(1)",
            "JaVa\tScRiPt:alert(1)",
            "\x01javascript:alert(1)",
            "data:text/html,<script>alert(1)</script>",
            "https://example.org/\" onclick='alert(1)'>",
            "https://example.org/a b\n<c>)](javascript:alert(1))",
            "![x](https://tracker.example/pixel.png)",
            "[x](javascript:alert(1))",
            "[x](https://example.org 'title\"><script>')",
            "![x](data:image/svg+xml,<svg onload=alert(1)>)",
            "<https://example.org><javascript:alert(1)>",
            "```\nnever closed",
            "~~~~\nnever closed\n```",
            "<!-- never closed",
            "<script>never closed",
            "<style>* { display: none }",
            "[1] [^source-1]: https://evil.example\n\n[^source-1]: https://evil.example",
            "|a|b|\n|-|:-:|\n|<b>|[x](vbscript:y)|",
            "`` ` `` ``` `",
            "{{ 7 * 7 }} {% raw %} {# x #}",
        ]
    ),
)
"""Texts that have broken documents, or could."""
_VALUES = Values(texts=HOSTILE, marks=st.sampled_from(["1", "2", "12"]))
SOURCES = _VALUES.sources()
MESSAGES = _VALUES.messages()
CONVERSATIONS = _VALUES.conversations()
EVERYTHING = (
    Conversation(id="c", title="Everything", created_at=samples.START, pinned=True),
    [samples.full_message()],
)
