"""The chats in the pictures of the viewer: a few days of somebody who builds a web app."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from convostore import (
    Conversation,
    Feedback,
    Message,
    Origin,
    ReasoningPart,
    Source,
    TextPart,
)

SEARCH = "perplexica://search.example"
DESK = "fastgpt://desk.example"
NOW = datetime(2026, 11, 27, 15, 24, tzinfo=UTC)
SHOWN = "keyset"
"""The id of the conversation that the pictures show."""

ANSWER = """\
Use **keyset pagination**. `OFFSET` reads and throws away every row before the page [1], so page \
500 costs hundreds of times as much as page 1. A keyset page starts where the last one ended:

```sql
SELECT id, title, updated_at FROM conversations
WHERE owner = $1 AND (updated_at, id) < ($2, $3)
ORDER BY updated_at DESC, id DESC
LIMIT 50;
```

With an index on `(owner, updated_at, id)` every page takes the same time [2]. With two million \
rows that is:

| page | `OFFSET` | keyset |
| ---: | -------: | -----: |
| 1 | 0.4 ms | 0.4 ms |
| 100 | 31 ms | 0.4 ms |
| 500 | 152 ms | 0.5 ms |

Two things to watch:

- Keep `id` in the key. Times are not unique, and a tie would drop rows.
- There is no "page 7 of 20". If people need it, show a *Load more* button instead.
"""

SOURCES = (
    Source(
        title="Paging through results",
        url="https://indexes.example.org/paging",
        content="The database has to fetch all rows from the beginning, and discards them until "
        "it reaches the requested page.",
        mark="1",
    ),
    Source(
        title="Multicolumn indexes",
        url="https://postgres.example.org/multicolumn",
        content="An index on several columns is most efficient when there are constraints on the "
        "leading columns.",
        mark="2",
    ),
)

OTHERS = (
    # Title, origin, hours ago, pinned.
    ("Release checklist for 2.4", DESK, 52, True),
    ("Why does Safari drop the SSE connection?", SEARCH, 3, False),
    ("Draft: apology for Tuesday's outage", DESK, 7, False),
    ("Translate the onboarding mail into Japanese", DESK, 22, False),
    ("Two days in Kyōto in the rain", SEARCH, 27, False),
    ("Compare passkeys and magic links", SEARCH, 30, False),
    ("Name ideas for the mobile app", DESK, 49, False),
    ("Regex for ISO 8601 dates", SEARCH, 55, False),
    ("Summarise the user interviews", DESK, 74, False),
    ("How long do oat pancakes keep?", SEARCH, 80, False),
    ("Test plan for the import wizard", DESK, 98, False),
    ("Is HTTP/3 worth it behind nginx?", SEARCH, 103, False),
)


def chats() -> Iterator[tuple[Conversation, tuple[Message, ...]]]:
    """Return what the pictures show, each conversation with its messages."""
    yield shown()
    for number, (title, origin, hours, pinned) in enumerate(OTHERS):
        yield other(f"chat-{number}", title, origin, NOW - timedelta(hours=hours), pinned=pinned)
    for week in range(40):  # earlier ones, for the chart
        for number in range(2 + week * 7 % 5 + week * 3 % 4):
            origin = (SEARCH, DESK, SEARCH)[(week + number) % 3]
            time = NOW - timedelta(days=7 * week + 5, hours=5 * number)
            yield other(f"chat-{week}-{number}", f"Weekly notes {40 - week}", origin, time)


def shown() -> tuple[Conversation, tuple[Message, ...]]:
    asked = NOW - timedelta(minutes=3)
    conversation = Conversation(
        id=SHOWN,
        title="Which index for a page of chats?",
        created_at=asked,
        updated_at=NOW,
        pinned=True,
        origin=Origin(store=SEARCH, conversation_id=SHOWN),
    )
    answer = Message(
        id="answer",
        role="assistant",
        parts=(
            ReasoningPart(text="They list chats by last change. Look for measured numbers."),
            TextPart(text=ANSWER),
        ),
        created_at=asked + timedelta(seconds=9),
        sources=SOURCES,
        model="gpt-oss-120b",
        status="complete",
        feedback=Feedback(rating="good", comment="The table settled it."),
    )
    return conversation, (
        question("Our list of chats gets slow after a few hundred pages. Which index?", asked),
        answer,
        question("And if the list is sorted by title?", NOW),
    )


def other(
    id: str, title: str, origin: str, time: datetime, *, pinned: bool = False
) -> tuple[Conversation, tuple[Message, ...]]:
    return Conversation(
        id=id,
        title=title,
        created_at=time,
        updated_at=time,
        pinned=pinned,
        origin=Origin(store=origin, conversation_id=id),
    ), (question(title, time),)


def question(text: str, time: datetime) -> Message:
    return Message(role="user", parts=(TextPart(text=text),), created_at=time)
