"""What the tests of the formats share: hostile values, and writing and reading in one call."""

import io
from pathlib import Path

from hypothesis import strategies as st

from convostore.formats import reader, writer
from convostore.models import (
    Conversation,
    Feedback,
    FilePart,
    InteractionField,
    InteractionOption,
    InteractionPart,
    Message,
    Origin,
    OtherPart,
    Problem,
    ReasoningPart,
    Source,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from convostore.testing import samples, strategies

HERE = Path(__file__).parent


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
MAYBE = st.none() | HOSTILE
TIMES = st.none() | st.datetimes(timezones=st.timezones()).map(
    lambda time: time.astimezone(samples.START.tzinfo)
)


@st.composite
def parts(draw):
    text = HOSTILE
    fields = st.builds(
        InteractionField,
        key=text,
        label=MAYBE,
        type=MAYBE,
        value=strategies.json_values(),
        options=st.just((InteractionOption(value="v"),)),
    )
    return draw(
        st.one_of(
            st.builds(TextPart, text=text),
            st.builds(ReasoningPart, text=text),
            st.builds(ToolCallPart, id=MAYBE, name=text, arguments=text),
            st.builds(ToolResultPart, id=MAYBE, content=text),
            st.builds(FilePart, name=MAYBE, url=MAYBE, media_type=MAYBE),
            st.builds(
                InteractionPart,
                type=text,
                prompt=MAYBE,
                options=st.lists(
                    st.builds(InteractionOption, value=text, label=MAYBE), max_size=2
                ).map(tuple),
                fields=st.lists(fields, max_size=2).map(tuple),
                answered=st.booleans(),
                answer=MAYBE,
            ),
            st.builds(OtherPart, type=MAYBE, data=strategies.json_values()),
        )
    )


def tuples(of, most=2):
    return st.lists(of, max_size=most).map(tuple)


PROBLEMS = tuples(st.builds(Problem, where=HOSTILE, what=HOSTILE))
SOURCES = st.builds(
    Source,
    title=MAYBE,
    url=MAYBE,
    content=MAYBE,
    score=st.none() | st.floats(allow_nan=False),
    kind=st.sampled_from(["cited", "researched", "quote"]),
    mark=st.none() | st.sampled_from(["1", "2", "12"]),
    raw=strategies.json_values(),
)
MESSAGES = st.builds(
    Message,
    id=HOSTILE.filter(bool),
    role=st.sampled_from(["system", "user", "assistant", "tool", "other"]),
    parts=tuples(parts(), 4),
    created_at=TIMES,
    sources=tuples(SOURCES, 3),
    feedback=st.none()
    | st.builds(Feedback, rating=st.sampled_from(["good", "bad"]), comment=MAYBE),
    status=st.sampled_from([None, "complete", "generating", "failed", "unanswered"]),
    model=MAYBE,
    parent_id=MAYBE,
    problems=PROBLEMS,
    raw=strategies.json_values(),
)
CONVERSATIONS = st.builds(
    Conversation,
    id=HOSTILE.filter(bool),
    title=MAYBE,
    created_at=TIMES,
    updated_at=TIMES,
    pinned=st.booleans(),
    origin=st.none() | st.builds(Origin, store=HOSTILE, conversation_id=HOSTILE),
    files=tuples(st.builds(FilePart, name=MAYBE, url=MAYBE, media_type=MAYBE)),
    problems=PROBLEMS,
    raw=strategies.json_values(),
)
EVERYTHING = (
    Conversation(id="c", title="Everything", created_at=samples.START, pinned=True),
    [samples.everything()],
)
