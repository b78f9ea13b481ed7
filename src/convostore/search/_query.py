"""Search, Term, Hit and Snippet: what a query matches, and how a hit is shown.

All stores find the same hits: an index only proposes candidates, and `Search` decides. No store,
index or database may be known here; splitting texts into words belongs in `_tokenizer`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Final, Literal, TypeAlias

from ..models import UNSET, Conversation, Message, Role, Unset, Value
from ._offsets import FoldedText
from ._tokenizer import alternatives, fold, is_whole, split_scripts, tokenize

Where: TypeAlias = Literal["title", "text", "source"]


class Snippet(Value):
    """An excerpt of a text around the terms of a query.

    Attributes:
        text: The excerpt as one line, with ``…`` where the text continues.
        marks: The start and the end, in `text`, of each occurrence of a term.
    """

    text: str
    marks: tuple[tuple[int, int], ...] = ()


class Hit(Value):
    """A result of a search.

    Attributes:
        message: The message that matches; None if the conversation's title does.
        where: What the snippet is of: the title, the message's text, or the title of a source.
    """

    conversation: Conversation
    message: Message | None = None
    where: Where
    snippet: Snippet


@dataclass(frozen=True)
class Search:
    """A query and its filters.

    Attributes:
        text: The query as the user typed it: words, all of which must occur, and phrases
            ``"in quotes"``.
        conversation_id: Only hits in this conversation.
        role: Only messages with this role.
        since: Only messages created at this time or later. If a message's time is not known, the
            time of storing counts; for a title, the time its conversation was created.
        until: Only messages created before this time.
        owner: Only in conversations of this owner; None for those without one, UNSET for any.
    """

    text: str
    conversation_id: str | None = None
    role: Role | None = None
    since: datetime | None = None
    until: datetime | None = None
    owner: str | Unset | None = field(default=UNSET, repr=False)

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """The terms, all of which must occur; empty if the query has no letters and digits."""
        texts = (
            _normalize_spaces(quoted or _without_sentence_marks(plain))
            for quoted, plain in _TERM.findall(self.text)
        )
        return tuple({text: Term(text) for text in texts if text and split_scripts(text)}.values())

    def covers(self, time: datetime) -> bool:
        """Return whether a time is within `since` and `until`."""
        return (self.since is None or self.since <= time) and (
            self.until is None or time < self.until
        )

    def find(self, text: str) -> bool:
        """Return whether every term occurs in a text."""
        terms = self._terms_within(text)
        return 0 < len(terms) == len(self.terms) == _count(terms, text)

    def title_hit(self, conversation: Conversation) -> Hit | None:
        """Return the hit of a conversation's title, if it matches; `role` and times are ignored."""
        title = conversation.title or ""
        if not self.find(title):
            return None
        return Hit.model_construct(
            conversation=conversation, where="title", snippet=self.snippet(title)
        )

    def message_hit(self, conversation: Conversation, message: Message) -> Hit | None:
        """Return the hit of a message, if it matches; `role` and times are ignored."""
        if not self.find(searchable_text(message)):
            return None
        texts: list[tuple[Where, str]] = [("text", message.text)]
        texts += [("source", source.title) for source in message.sources if source.title]
        if len(texts) > 1:
            texts.sort(key=lambda entry: -_count(self._terms_within(entry[1]), entry[1]))
        where, text = texts[0]
        return Hit.model_construct(
            conversation=conversation, message=message, where=where, snippet=self.snippet(text)
        )

    def _terms_within(self, text: str) -> list[Term]:
        """Return the terms that occur in a text, even in the middle of its words."""
        folded = fold(text)
        return [term for term in self.terms if term.within(folded)]

    def snippet(self, text: str) -> Snippet:
        """Return an excerpt of a text around its first term, with all terms in it marked."""
        spans = _spans(text, self.terms)
        first = spans[0] if spans else (0, 0)
        start = max(0, first[0] - _BEFORE)
        end = min(len(text), max(start + _LENGTH, min(first[1], first[0] + _LENGTH)))
        start = max(0, min(start, end - _LENGTH))
        head, tail = "…" if start else "", "…" if end < len(text) else ""
        excerpt = _BLANK.sub(" ", text[start:end])
        inside = [(first[0], min(first[1], end)), *(span for span in spans if span[1] <= end)]
        return Snippet.model_construct(
            text=head + excerpt + tail, marks=_merge(inside if spans else [], len(head) - start)
        )


@dataclass(frozen=True)
class Term:
    """One word or phrase of a query.

    Attributes:
        text: The term as it was typed, with each run of white space as one space.
        folded: The folded form.
        groups: For each run of one script, the alternative sets of words; see `among`.
    """

    text: str
    folded: str = field(init=False)
    groups: tuple[tuple[frozenset[str], ...], ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "folded", fold(self.text).strip(" "))
        object.__setattr__(self, "groups", tuple(map(alternatives, split_scripts(self.text))))

    def among(self, known: set[str]) -> bool:
        """Return whether a text with these words may contain the term, as an index decides it."""
        return all(any(words <= known for words in group) for group in self.groups)

    def within(self, folded: str) -> bool:
        """Return whether the term occurs in a folded text, with any spaces between its words."""
        if " " in self.folded:
            return self.pattern.search(folded) is not None
        return self.folded in folded

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The pattern of the term in a folded text."""
        return re.compile(" +".join(map(re.escape, _BLANKS.split(self.folded))))


def searchable_text(message: Message) -> str:
    """Return the searchable text of a message: its text and the titles of its sources."""
    titles = [source.title for source in message.sources if source.title]
    return _SEPARATOR.join([message.text, *titles]) if titles else message.text


def _count(terms: Iterable[Term], text: str) -> int:
    """Return the number of terms whose words all occur in a text."""
    known = tokenize(text)
    return sum(term.among(known) for term in terms)


_SEPARATOR: Final = "\n\0\n"
"""The text between a message's text and titles, so that no phrase spans two of them."""
_BLANK: Final = re.compile(r"\s")
_BLANKS: Final = re.compile(" +")
_TERM: Final = re.compile(r'"([^"]*)"?|([^\s"]+)')
_LENGTH: Final = 160
"""Characters of a snippet."""
_BEFORE: Final = 50
"""Characters of a snippet before the first term."""


def _without_sentence_marks(term: str) -> str:
    """Strip the punctuation that ends a sentence, or begins one in Spanish."""
    return term.rstrip(".,;:!?…。，、；：！？").lstrip("¿¡")


def _normalize_spaces(text: str) -> str:
    return " ".join(text.split())


def _spans(text: str, terms: Iterable[Term]) -> list[tuple[int, int]]:
    """Return the start and the end of each occurrence of a term in a text, in order."""
    folded = FoldedText(text)
    marked: set[tuple[int, int]] = set()
    for term in terms:
        spans = list(itertools.islice(folded.find(term.pattern), _MOST_SPANS))
        whole = [span for span in spans if is_whole(text, *span)]
        marked.update((whole or spans)[:_MOST_MARKED])
    return sorted(marked)


def _merge(spans: list[tuple[int, int]], shift: int) -> tuple[tuple[int, int], ...]:
    """Shift spans, and merge those that overlap or touch."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start + shift <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end + shift, merged[-1][1]))
        else:
            merged.append((start + shift, end + shift))
    return tuple(merged)


_MOST_MARKED: Final = 50
"""The maximum number of marked occurrences of one term."""
_MOST_SPANS: Final = 1000
"""The maximum number of occurrences of one term that are examined."""
