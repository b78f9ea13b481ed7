"""What the viewer's tests share: stores worth looking at, and pages as a browser reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import convostore
from convostore.models import (
    Conversation,
    Feedback,
    FilePart,
    InteractionField,
    InteractionOption,
    InteractionPart,
    Message,
    Origin,
    ReasoningPart,
    Source,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from convostore.testing import samples

NOW = datetime(2026, 3, 20, 14, 5, tzinfo=UTC)
ARCHIVE = "perplexica://search.example"
DESK = "fastgpt://desk.example"

_ANSWER = """\
Kīlauea is the **youngest and most active** of the five volcanoes that make up the island [1]. \
It has been erupting in episodes since December 2024, with lava fountains of up to 300 metres [2].

### What changed this year

| Episode | Began | Fountains | Lasted |
| ------- | ----- | --------: | ------ |
| 41 | 24 January | 230 m | 8 hours |
| 42 | 12 February | 310 m | 10 hours |
| 43 | 9 March | 280 m | 9 hours |

Between episodes the summit inflates again, which tiltmeters record [1, 3]. A rule of thumb for \
the volume of magma that comes back:

```python
def recharge(tilt_microradians: float, days: float) -> float:
    \"\"\"Million cubic metres a day, from the summit's tilt.\"\"\"
    return 0.42 * tilt_microradians / days
```

- The hazard is mostly **gas and tephra** downwind.
- No lava has left the caldera's floor.
"""

_TITLES = (
    "Tide tables for Hilo Bay",
    "Which sourdough hydration for rye?",
    "Compare SQLite and PostgreSQL full-text search",
    "Mooring lines for a seven-metre boat",
    "A weekend in Lisbon with two children",
    "Why do cats knead?",
    "Refactor the import script",
    "Summary of the quarterly report",
    "How do heat pumps work below −15 °C?",
    "Names for a small bakery",
    "Explain Raft to a ten-year-old",
    "What is a good first telescope?",
)


def telling() -> tuple[Conversation, tuple[Message, ...]]:
    """A conversation that has something of everything."""
    conversation = Conversation(
        id="k/1",
        title="Is Kīlauea erupting at the moment?",
        created_at=NOW - timedelta(minutes=12),
        updated_at=NOW,
        pinned=True,
        origin=Origin(store=ARCHIVE, conversation_id="k"),
    )
    sources = (
        Source(
            title="Kīlauea: volcano updates",
            url="https://volcano.example/kilauea/updates",
            content="Episode 43 of the ongoing eruption ended on March 9 after nine hours of "
            "continuous fountaining from the north vent.",
            score=0.92,
            mark="1",
        ),
        Source(
            title="Lava fountains, explained",
            url="https://geology.example/fountains",
            content="Fountains form when gas-rich magma rises quickly through a narrow conduit.",
            mark="2",
        ),
        Source(title="Tilt and recharge", url="https://journal.example/tilt", mark="3"),
        Source(title="Visiting the park", url="https://park.example/", kind="researched"),
    )
    messages = (
        _message("q1", "user", TextPart(text="Is Kīlauea erupting at the moment? What changed?")),
        Message(
            id="a1",
            role="assistant",
            parts=(
                ReasoningPart(text="The user wants the *current* state; look there first."),
                ToolCallPart(id="t1", name="web_search", arguments='{"query": "Kilauea status"}'),
                ToolResultPart(id="t1", content="4 results from volcano.example, geology.example"),
                TextPart(text=_ANSWER),
            ),
            created_at=NOW - timedelta(minutes=11),
            sources=sources,
            model="sonar-large",
            status="complete",
            feedback=Feedback(rating="good", comment="the table helps"),
        ),
        _message(
            "q2",
            "user",
            TextPart(text="Plan a visit for me."),
            FilePart(
                name="itinerary.pdf",
                url="https://files.example/itinerary.pdf",
                media_type="application/pdf",
            ),
        ),
        _message(
            "a2",
            "assistant",
            InteractionPart(
                type="userSelect",
                prompt="Which side of the caldera?",
                options=(
                    InteractionOption(value="n", label="The north rim"),
                    InteractionOption(value="s", label="The south rim"),
                ),
                fields=(InteractionField(key="day", label="Day", value="Saturday"),),
                answered=True,
                answer="n",
            ),
        ),
        _message("q3", "user", TextPart(text="And in the rain?")).model_copy(
            update={"status": "unanswered"}
        ),
    )
    return conversation, messages


def ordinary(count: int) -> Iterable[Conversation]:
    """So many conversations of two backends, the fewer the longer ago; their ids go by age."""
    hours = sorted(_hours(number) for number in range(count))
    for number in range(count):
        title = _TITLES[number % len(_TITLES)]
        active = NOW - timedelta(hours=hours[number])
        yield Conversation(
            id=f"c{number:05}",
            title=title if number < len(_TITLES) else f"{title} ({number})",
            created_at=active - timedelta(hours=1),
            updated_at=active,
            pinned=number == 3,
            origin=Origin(store=(ARCHIVE, DESK)[number % 3 == 1], conversation_id=str(number)),
        )


def _hours(number: int) -> int:
    return 1 + 2 * number + min(number, 300) ** 2 // 40 + 170 * (number * number % 5)


def put(target: str, several: Iterable[tuple[Conversation, Iterable[Message]]]) -> None:
    """Stores conversations exactly as they are."""
    with convostore.open(target) as store:
        for conversation, messages in several:
            store.put_conversation(conversation)
            if messages := list(messages):
                store.append_messages(conversation.id, messages)
                store.put_conversation(conversation)  # its times, which appending moved


def long(id: str, count: int) -> tuple[Conversation, list[Message]]:
    """A conversation of so many messages."""
    messages = [
        Message(
            id=f"m{number:05}",
            role="assistant" if number % 2 else "user",
            parts=(TextPart(text=f"Number {number}, with *some* `code`:\n\n- one\n- two"),),
            created_at=NOW + timedelta(seconds=number),
        )
        for number in range(count)
    ]
    return Conversation(id=id, title="A long one", created_at=NOW, updated_at=NOW), messages


def _message(id: str, role: str, *parts, status: str | None = None) -> Message:
    time = NOW - timedelta(minutes=5)
    return Message(id=id, role=role, parts=parts, created_at=time, status=status)


HOSTILE = (
    *samples.HOSTILE_TEXTS[:-1],
    *samples.BEYOND_UTF8,
    "<script>window.ran = 1</script>",
    "</title><script>window.ran = 1</script>",
    "<img src=x onerror=window.ran=1>",
    "<svg onload=window.ran=1><style>*{display:none}</style>",
    '" autofocus onfocus="window.ran=1',
    "' onmouseover='window.ran=1",
    "--><script>window.ran = 1</script><!-- never closed",
    "javascript:window.ran=1",
    "JaVa\tScRiPt:window.ran=1",
    "\x01javascript:window.ran=1",
    "data:text/html,<script>window.ran=1</script>",
    "vbscript:x",
    "//evil.example/x",
    "https://evil.example/\" onclick='window.ran=1'>",
    "https://evil.example/a b\n<c>)](javascript:window.ran=1)",
    "![x](https://evil.example/pixel.png)",
    "![x](data:image/svg+xml,<svg onload=window.ran=1>)",
    "[x](javascript:window.ran=1)",
    "[x](//evil.example)",
    "[x](/viewer/logout)",
    "[x](https://evil.example 'title\"><script>window.ran=1</script>')",
    "<https://evil.example><javascript:window.ran=1>",
    "<iframe src=https://evil.example></iframe><object data=x><embed src=x><base href=//x>",
    "<form action=https://evil.example><button formaction=javascript:window.ran=1>",
    "<a hx-get=/viewer/logout hx-trigger=load>x</a><div hx-on:load=window.ran=1 data-hx-get=/x>",
    '```html" onload=window.ran=1\n<script>window.ran=1</script>\nnever closed',
    "[1]\n\n[1]: javascript:window.ran=1\n[2]: https://evil.example/x.js",
    "|a|b|\n|-|:-:|\n|<script>window.ran=1</script>|[x](vbscript:y)|",
    "{{ 7 * 7 }}{% raw %}{# x #}",
    "</div></article></main></body></html><script>window.ran=1</script>",
    "&lt;script&gt;window.ran=1&lt;/script&gt;&#x3C;img onerror=window.ran=1&#x3E;",
    "[" * 50 + "![" * 50 + "*" * 50 + "`" * 49,
    "..",
    ".",
    "~",
    "a/b?c#d%2F",
)
"""Texts that have broken pages, or could."""

VOID = frozenset({"meta", "link", "br", "hr", "input", "path", "rect", "circle"})
LOADING = frozenset({"src", "srcset", "poster", "data", "background", "ping", "formaction"})
LOADED_BY = frozenset(
    {
        "iframe",
        "object",
        "embed",
        "img",
        "video",
        "audio",
        "base",
        "style",
        "frame",
        "applet",
        "template",
    }
)


class Page(HTMLParser):
    """What a browser would find: elements with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.shown: list[str] = []
        self.wrong: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag == "a" and "a" in self.open:
            self.wrong.append("a link within a link")
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> where {self.open} is open")

    def handle_data(self, data):
        self.shown.append(data)

    def handle_comment(self, data):
        self.wrong.append(f"a comment: {data}")

    @property
    def text(self) -> str:
        return "".join(self.shown)

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        """The attributes of the elements of a tag that have these values."""
        named = {name.rstrip("_").replace("_", "-"): value for name, value in wanted.items()}
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and named.items() <= attributes.items()
        ]

    def assert_safe(self) -> None:
        """Nothing runs, nothing is loaded from elsewhere, and links lead where links may."""
        assert self.wrong == []
        assert self.open == []
        for tag, attributes in self.elements:
            assert tag not in LOADED_BY, tag
            assert not [name for name in attributes if name.startswith("on") or name == "style"]
            if tag == "script":
                assert attributes["src"].startswith("/viewer/static/")
            else:
                assert not LOADING & attributes.keys()
            for name in ("href", "action", "hx-get", "hx-post", "hx-delete"):
                assert _is_allowed(attributes.get(name, "#")), attributes[name]
            if attributes.get("href", "").partition(":")[0].lower() in {"http", "https", "mailto"}:
                assert attributes["rel"] == "noopener noreferrer nofollow"
                assert attributes["target"] == "_blank"
        ids = [attributes["id"] for _, attributes in self.elements if "id" in attributes]
        assert len(ids) == len(set(ids))


def _is_allowed(link: str) -> bool:
    return bool(re.match(r"(#|/viewer(/|$)|https?://|mailto:)", link, re.IGNORECASE))
