"""Markdown: readable, with footnotes that lead somewhere; nothing runs into what follows it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from convostore.formats import writer
from convostore.formats._code_spans import find_code
from convostore.formats.text import safe_link
from convostore.models import (
    Conversation,
    FilePart,
    Message,
    Origin,
    ReasoningPart,
    Source,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from convostore.testing import samples
from convostore.testing.value_strategies import tuples

from ..support.formats import CONVERSATIONS, EVERYTHING, HOSTILE, MESSAGES, SOURCES, said, written

PARSER = MarkdownIt("commonmark").enable("table")
"""As a reader of Markdown that lets HTML through would take the document."""


def headings(text):
    tokens = PARSER.parse(text)
    return [
        (token.tag, tokens[place + 1].content)
        for place, token in enumerate(tokens)
        if token.type == "heading_open" and token.level == 0
    ]


def links(text):
    return [
        child.attrs["href"]
        for token in PARSER.parse(text)
        for child in token.children or ()
        if child.type == "link_open"
    ]


def outside_fences(text):
    """The text without its blocks of code, in which no note is one."""
    lines = text.split("\n")
    for token in PARSER.parse(text):
        if token.type == "fence":
            start, end = token.map
            lines[start:end] = [""] * (end - start)
    return "\n".join(lines)


def note_references(text):
    return re.findall(r"(?<!\\)\[\^(source-\d+)\](?!:)", text)


def note_definitions(text):
    return re.findall(r"^\[\^(source-\d+)\]: ", text, re.MULTILINE)


def test_a_conversation_reads_well():
    tides = Conversation(
        id="c1",
        title="Tides",
        created_at=samples.START,
        origin=Origin(store="perplexica+http://localhost:3000", conversation_id="7"),
    )
    question = said("When is *high* tide?", role="user", created_at=samples.START)
    answer = Message(
        role="assistant",
        model="a-model",
        parts=(
            ReasoningPart(text="They ask\nabout water."),
            ToolCallPart(id="1", name="look", arguments='{"at": "```"}'),
            ToolResultPart(id="1", content="noon"),
            TextPart(text="At noon [1, 2]. `not[1]`"),
        ),
        sources=(
            Source(title="Tide tables", url="https://tides.example/a", mark="1"),
            Source(title="The *moon*", content="pulls\nand pulls", mark="2"),
            Source(url="https://tides.example/b", kind="researched"),
        ),
    )
    assert written("markdown", (tides, [question, answer])) == (
        """\
# Tides

Conversation `c1`, copied from `perplexica+http://localhost:3000`, `7`, \
started 2024-12-07 09:35:59 UTC

## User

*2024-12-07 09:35:59 UTC*

When is *high* tide?

## Assistant

*a-model*

> **Reasoning**
>
> They ask
> about water.

**Tool call** `look` (`1`)

````json
{"at": "```"}
````

**Tool result** (`1`)

```
noon
```

At noon [^source-1][^source-2]. `not[1]`

**Sources**

- [https://tides.example/b](<https://tides.example/b>)

[^source-1]: [Tide tables](<https://tides.example/a>)

[^source-2]: The \\*moon\\*: pulls and pulls

"""
    )


def test_every_kind_of_part_is_shown():
    text = written("markdown", EVERYTHING)
    for shown in (
        "text [^source-1]",
        "> because",
        "**Tool call** `look` (`call-1`)",
        "seen",
        "[ʻ 笔记.txt](<https://example.org/f?sign=1>) (text/plain)",
        "**Asked** which?",
        "- [x] A",
        "- [ ] b",
        "- K `[1,null]`",
        '**Other** `widget`\n\n```json\n{"nested":[1,2.5,null,{"deep":"er"}]}',
        "rated bad: not helpful",
        "> Unreadable: metadata is not JSON",
        "pinned",
    ):
        assert shown in text


@given(
    CONVERSATIONS,
    st.lists(
        MESSAGES.map(
            lambda message: message.model_copy(
                update={
                    "parts": tuple(
                        part
                        for part in message.parts
                        if not isinstance(part, TextPart | ReasoningPart)
                    )
                }
            )
        ),
        max_size=2,
    ),
)
def test_titles_names_and_addresses_stay_what_they_are(conversation, messages):
    text = written("markdown", (conversation, messages))
    assert [tag for tag, _ in headings(text)] == ["h1"] + ["h2"] * len(messages)
    assert all(re.match(r"(https?|mailto):", link, re.IGNORECASE) for link in links(text))
    assert "html_block" not in {token.type for token in PARSER.parse(text)}
    inline = [child.type for token in PARSER.parse(text) for child in token.children or ()]
    assert "html_inline" not in inline
    assert "image" not in inline
    text.encode("utf-8")


@given(HOSTILE)
def test_no_text_runs_on_into_what_follows_it(text):
    following = Message(id="2", role="user", parts=(TextPart(text="the next"),))
    for part in (TextPart(text=text), ReasoningPart(text=text), ToolResultPart(content=text)):
        first = Message(id="1", role="assistant", parts=(part,))
        found = headings(written("markdown", (Conversation(id="c"), [first, following])))
        assert found[0] == ("h1", "Untitled")
        assert found[-1] == ("h2", "User")


@pytest.mark.parametrize(
    "text",
    [
        "```py\nprint(1)",
        "~~~~\n~~~\n",
        "```\n```js",
        "a\n<!-- b",
        "<script>",
        "<pre>\n\n",
        "<?php",
        "<![CDATA[ x",
        "<!DOCTYPE",
        "<!-- a --> b\n<!-- c",
        "```\r\nwindows\r\n",
        "- item\n  ```\n  open",
        "1. ```bash\n   open",
        "   ```\nopen",
        "- item\n  ```\n  open\n\nbehind it\n\n```\nopen",
        "> ```\n> open",
    ],
)
def test_a_text_that_is_left_open_is_closed(text):
    following = Message(id="2", role="user", parts=(TextPart(text="the next"),))
    made = written("markdown", (Conversation(id="c"), [said(text), following]))
    assert headings(made)[-1] == ("h2", "User")


@pytest.mark.parametrize(
    "text",
    [
        "plain *Markdown* with a [link](https://example.org) and <b>HTML</b>",
        "# a heading of its own\n\n| a | b |\n|---|---|\n| 1 | 2 |",
        "```html\n<!-- in code\n```\n\nand `<script>`",
        "<!-- closed -->\n\n<details>\n\nx\n\n</details>",
        "``` inline ``` and ~~~ no fence",
        "    indented [1]",
        "1. ```bash\n   install\n   ```\n2. Done.",
        "- item\n  ```\n  ended by what follows\n\nbehind it",
        "- - ```\n    nested\n    ```",
    ],
)
def test_other_texts_are_written_as_they_are(text):
    assert f"\n\n{text}\n\n" in written("markdown", (Conversation(id="c"), [said(text)]))


@given(tuples(MESSAGES, 3))
def test_each_footnote_is_defined_once_and_each_reference_leads_to_one(messages):
    text = outside_fences(written("markdown", (Conversation(id="c"), messages)))
    definitions = note_definitions(text)
    assert len(definitions) == len(set(definitions))
    assert set(note_references(text)) <= set(definitions)


def test_labels_are_unique_over_all_conversations():
    cited = said("[1]", sources=(Source(title="T", mark="1"),))
    text = written(
        "markdown", (Conversation(id="a"), [cited, cited]), (Conversation(id="b"), [cited])
    )
    assert note_definitions(text) == ["source-1", "source-2", "source-3"]
    assert note_references(text) == ["source-1", "source-2", "source-3"]


def test_a_text_cannot_define_a_footnote_of_ours():
    text = "[1]\n\n[^source-1]: https://evil.example"
    made = written(
        "markdown", (Conversation(id="c"), [said(text, sources=(Source(title="T", mark="1"),))])
    )
    assert note_definitions(made) == ["source-1"]
    assert "\n\\[^source-1]: https://evil.example" in made


@given(st.lists(HOSTILE, max_size=3), tuples(SOURCES, 3))
def test_marks_in_code_are_no_citations(texts, sources):
    text = "```\nx[1]\n```\n\n`y[2]` and ``z[12] ` ``"
    made = written("markdown", (Conversation(id="c"), [said(text, sources=sources)]))
    assert f"\n\n{text}\n\n" in made


def test_a_number_that_leads_nowhere_stays_beside_one_that_does():
    made = written(
        "markdown", (Conversation(id="c"), [said("x [1, 9].", sources=(Source(mark="1"),))])
    )
    assert "x [^source-1]\\[9\\]." in made


def test_texts_of_several_parts_keep_their_own_marks():
    message = Message(
        role="assistant",
        parts=(
            TextPart(text="a [1]"),
            ReasoningPart(text="hm"),
            TextPart(text="b [2] ["),
            TextPart(text="1]"),
        ),
        sources=(Source(title="one", mark="1"), Source(title="two", mark="2")),
    )
    made = written("markdown", (Conversation(id="c"), [message]))
    assert "a [^source-1]\n" in made
    assert "b [^source-2] [\n" in made


def test_what_utf8_cannot_hold_is_replaced():
    made = written(
        "markdown", (Conversation(id="\ud800", title="\x00"), [said("a\ud800\x00\x1b[31m")])
    )
    assert "a\ufffd\ufffd\ufffd[31m" in made
    made.encode("utf-8")


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://example.org/a?b=c&d#e", "https://example.org/a?b=c&d#e"),
        ("HTTP://example.org", "HTTP://example.org"),
        ("mailto:a@example.org", "mailto:a@example.org"),
        ("https://example.org/夏 威", "https://example.org/夏%20威"),
        (" https://example.org/<>\"'`\\{}|^\n", "https://example.org/%3C%3E%22'%60%5C%7B%7D%7C%5E"),
        ("https://example.org/\ud800", "https://example.org/%3F"),
        ("javascript:alert(1)", None),
        ("java\nscript:alert(1)", None),
        ("\x01javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("vbscript:x", None),
        ("file:///etc/passwd", None),
        ("//example.org", None),
        ("/relative", None),
        ("https:", None),
        ("https://[", None),
        ("", None),
        (None, None),
    ],
)
def test_only_links_that_may_be_followed_are_links(url, link):
    assert safe_link(url) == link
    made = written("markdown", (Conversation(id="c", files=(FilePart(name="f", url=url),)), []))
    assert (f"[f](<{link}>)" in made) is (link is not None)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a `b` c", ["`b`"]),
        ("a ``b ` c`` d", ["``b ` c``"]),
        ("a ` b", []),
        ("a ` b\n\nc ` d", []),
        ("```\nx\n```\ny", ["```\nx\n```"]),
        ("~~~ py\nx ` y\n~~~", ["~~~ py\nx ` y\n~~~"]),
        ("```a```", ["```a```"]),
        ("````\n```\n````\n`x`", ["````\n```\n````", "`x`"]),
        ("`x`\n```\nopen", ["`x`", "```\nopen"]),
        ("1. ```\n   a\n   ```\nb", ["1. ```\n   a\n   ```"]),
        ("- a\n\n  1. b\n     ```\n     c\n     ```", ["     ```\n     c\n     ```"]),
        ("- ```\n  a\nb", ["- ```\n  a\n"]),
        ("-\t```\n\ta\n\t```\nb", ["-\t```\n\ta\n\t```"]),
        ("    ```\nb", []),
    ],
)
def test_code_is_found_where_it_is(text, code):
    assert [text[start:end] for start, end in find_code(text).regions] == code


def test_messages_are_written_as_they_come():
    made = writer("markdown")
    pieces = (made.message(said(str(number))) for number in range(10**9))
    assert made.conversation(Conversation(id="c", title="T")).startswith("# T\n")
    assert "\n0\n" in next(pieces)
    assert "\n1\n" in next(pieces)
