"""Cases of the clauses of search: texts, hostile queries, and expected matches."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import Any, Final, TypeAlias

from ...adapters import Operation
from ...models import Conversation, Message, TextPart, Transcript
from ...search import Hit
from ...store import AsyncConversationStore
from .._assertions import PageReader, collect, open_filled, require
from .._backend import Kit
from ..samples import BEYOND_UTF8, HOSTILE_TEXTS, START, dialogue

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

Matches: TypeAlias = list[tuple[str, str]]
"""Where each hit was found, and in which: a conversation's id, or a message's text."""

SECOND: Final = timedelta(seconds=1)
LONG_WORD: Final = "".join(sha256(bytes([number])).hexdigest() for number in range(80))
HOSTILE_QUERIES: Final = (
    *HOSTILE_TEXTS,
    *BEYOND_UTF8,
    '"',
    '""',
    '"plain',
    'plain"',
    '"two lines" "',
    "*",
    "plain*",
    "AND OR NOT",
    "plain AND tab",
    "NEAR(plain tab, 5)",
    "title:plain",
    "words : plain",
    "-plain",
    "^plain",
    "+plain",
    "(plain",
    "{plain}",
    "plain)",
    "plain;",
    "%",
    "_",
    "p%n",
    "pl_in",
    "\\",
    "\\plain",
    "'",
    "''plain''",
    "plain --",
    "plain & tab | !x <-> y:*",
    "\x00",
    "\x00plain\x00",
    "\udfff",
    "plain\ud800",
    "\u200bplain",
    "\u0301",
    "plain " * 2_000,
    "a " * 5_000,
    " ".join(map(str, range(2_000))),
    "x" * 10_000,
    LONG_WORD,
    "夏" * 3_000,
)

TEXTS_BY_NAME: Final = {
    "quick": "The quick brown fox\n   jumps over it.",
    "slow": "A slow fox, quickly drawn; brown bread.",
    "accents": "Crème brûlée in the Straße of ΑΘΉΝΑ, ёлка, İstanbul",
    "wide": "Ｆｕｌｌ ｗｉｄｔｈ ４２",
    "chinese": "夏威夷大学在檀香山。",
    "japanese": "東京都でラーメンを食べました。",
    "korean": "한국어를 공부합니다 ㅋㅋㅋㅠㅠ",
    "thai": "ฉันรักภาษาไทย",
    "mixed": "用Python写的HTTPServer类",
    "code": "def getUserName(max_page_size, http2Client): return XMLParser.parse_all()",
    "signs": "in C++ and C# at 50% of $3.14, see foo.bar/baz-qux@example.org",
}
"""The texts of a conversation's messages, by name."""


async def open_searchable(kit: Kit, *samples: Transcript) -> AsyncConversationStore:
    """Open a store that can search and holds the samples."""
    require(kit.open(), Operation.SEARCH)
    return await open_filled(kit, samples)


async def assert_finds(kit: Kit, queries: dict[str, list[str]]) -> None:
    """Check that each query finds these of the texts, and no others."""
    store = await open_searchable(kit, dialogue("c", TEXTS_BY_NAME.values()))
    names = {text: name for name, text in TEXTS_BY_NAME.items()}
    found = {
        query: sorted(names[text] for _, text in await search_matches(store, query))
        for query in queries
    }
    assert found == {query: sorted(due) for query, due in queries.items()}


async def open_with_many_hits(kit: Kit) -> AsyncConversationStore:
    """Open a store of three conversations whose hits are not in the order of their creation."""
    return await open_searchable(kit, *_many_samples())


def _many_samples() -> list[Transcript]:
    samples = []
    for number, day in enumerate((2, 3, 1)):
        time = START + timedelta(days=day)
        messages = tuple(
            Message(
                id=f"{number}.{place}",
                role="user",
                parts=(TextPart(text=f"same {day}.{place}" if place % 2 else "other"),),
                created_at=time + place * SECOND,
            )
            for place in range(7)
        )
        conversation = Conversation(id=f"c{number}", title=f"same {number}", created_at=time)
        samples.append(
            Transcript(
                conversation_id=conversation.id, conversation=conversation, messages=messages
            )
        )
    return samples


def expected_of_many_hits() -> Matches:
    """Return the matches of the word that all of them hold, in order."""
    titles = [("title", conversation_id) for conversation_id in ("c1", "c0", "c2")]
    return titles + [("text", f"same {day}.{number}") for day in (3, 2, 1) for number in (5, 3, 1)]


async def single_hit(store: AsyncConversationStore, query: str) -> Hit:
    """Return the only hit of a query."""
    items = (await store.search(query)).items
    assert len(items) == 1
    return items[0]


def match_of(hit: Hit) -> tuple[str, str]:
    """Return where a hit was found, and in which conversation or text."""
    return hit.where, hit.message.text if hit.message else hit.conversation.id


async def search_matches(store: AsyncConversationStore, query: str, **within: Any) -> Matches:
    """Return the matches of a query, in order."""
    page = await store.search(query, limit=100, **within)
    return [match_of(hit) for hit in page.items]


async def read_matches(store: AsyncConversationStore, word: str) -> Matches:
    """Return the matches of a word, by reading everything."""
    matches: Matches = []
    for transcript in await collect(store.transcripts()):
        assert transcript.conversation is not None
        if word in (transcript.conversation.title or ""):
            matches.append(("title", transcript.conversation_id))
        matches += [
            ("text", message.text) for message in transcript.messages if word in message.text
        ]
    return matches


def hit_pages(
    store: AsyncConversationStore, query: str, *, limit: int, cursor: str | None = None
) -> PageReader[Hit]:
    """Return a reader of pages of hits, beginning after a cursor."""
    return lambda at: store.search(query, limit=limit, cursor=at or cursor)
