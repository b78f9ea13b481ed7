"""Searching: what a query matches, and the snippets of hits.

Every store finds the same: an index only names candidates, `Search` decides. No store, index or
database may be known here, and how texts are cut into words stands in `tokenize`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Final, Literal, TypeAlias

from ..models import Conversation, Message, Role, Value
from ._offsets import FoldedText
from ._tokenizer import alternatives, fold, is_whole, split_scripts, tokenize

Where: TypeAlias = Literal["title", "text", "source"]


class Snippet(Value):
    """The piece of a text around what was found.

    Attributes:
        text: One line; ``…`` stands where the text goes on.
        marks: Where in `text` the words of the query stand: start and end, in characters.
    """

    text: str
    marks: tuple[tuple[int, int], ...] = ()


class Hit(Value):
    """What a search found.

    Attributes:
        message: None where the conversation's title was found.
        where: In what it was found: the title, the message's text, or the title of a source.
    """

    conversation: Conversation
    message: Message | None = None
    where: Where
    snippet: Snippet


@dataclass(frozen=True)
class Search:
    """A query, and what restricts it.

    Attributes:
        text: What the user typed: words, all of which must be there; ``"in quotes"`` a phrase.
        since: A hit was said at this time or later. Where that is not known, the time of storing
            counts; of a title, the time at which its conversation was made.
        until: A hit was said before this time.
    """

    text: str
    conversation_id: str | None = None
    role: Role | None = None
    since: datetime | None = None
    until: datetime | None = None

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """What must be there; none when there is nothing that could be looked for."""
        found = (
            _words_only(quoted or _without_sentence_marks(plain))
            for quoted, plain in _TERM.findall(self.text)
        )
        return tuple({text: Term(text) for text in found if text and split_scripts(text)}.values())

    def covers(self, time: datetime) -> bool:
        """Whether a time lies within what is looked through."""
        return (self.since is None or self.since <= time) and (
            self.until is None or time < self.until
        )

    def find(self, text: str) -> bool:
        """Whether every term is in the text."""
        near = self._near(text)
        return 0 < len(near) == len(self.terms) == _count(near, text)

    def title_hit(self, conversation: Conversation) -> Hit | None:
        """The hit of a conversation's title, if it is one; `role` and times are not looked at."""
        title = conversation.title or ""
        if not self.find(title):
            return None
        return Hit.model_construct(
            conversation=conversation, where="title", snippet=self.snippet(title)
        )

    def message_hit(self, conversation: Conversation, message: Message) -> Hit | None:
        """The hit of a message, if it is one; `role` and times are not looked at."""
        if not self.find(searchable_text(message)):
            return None
        places: list[tuple[Where, str]] = [("text", message.text)]
        places += [("source", source.title) for source in message.sources if source.title]
        if len(places) > 1:
            places.sort(key=lambda place: -_count(self._near(place[1]), place[1]))
        where, text = places[0]
        return Hit.model_construct(
            conversation=conversation, message=message, where=where, snippet=self.snippet(text)
        )

    def _near(self, text: str) -> list[Term]:
        """The terms that a text holds, be it within its words."""
        folded = fold(text)
        return [term for term in self.terms if term.within(folded)]

    def snippet(self, text: str) -> Snippet:
        """The piece of a text around the first term in it, all terms within it marked."""
        places = _places(text, self.terms)
        first = places[0] if places else (0, 0)
        start = max(0, first[0] - _BEFORE)
        end = min(len(text), max(start + _LENGTH, min(first[1], first[0] + _LENGTH)))
        start = max(0, min(start, end - _LENGTH))
        head, tail = "…" if start else "", "…" if end < len(text) else ""
        shown = _BLANK.sub(" ", text[start:end])
        within = [(first[0], min(first[1], end)), *(place for place in places if place[1] <= end)]
        return Snippet.model_construct(
            text=head + shown + tail, marks=_joined(within if places else [], len(head) - start)
        )


@dataclass(frozen=True)
class Term:
    """One thing to look for.

    Attributes:
        text: As it was typed, runs of white space made one.
    """

    text: str
    folded: str = field(init=False)
    groups: tuple[tuple[frozenset[str], ...], ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "folded", fold(self.text).strip(" "))
        object.__setattr__(self, "groups", tuple(map(alternatives, split_scripts(self.text))))

    def among(self, known: set[str]) -> bool:
        """Whether a text with these words may hold the term: an index asks the same."""
        return all(any(tokenize <= known for tokenize in group) for group in self.groups)

    def within(self, folded: str) -> bool:
        """Whether the term stands in a folded text; between its words may be any white space."""
        if " " in self.folded:
            return self.pattern.search(folded) is not None
        return self.folded in folded

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Finds the term in a folded text."""
        return re.compile(" +".join(map(re.escape, _BLANKS.split(self.folded))))


def searchable_text(message: Message) -> str:
    """What of a message is searched: its text, and the titles of its sources."""
    titles = [source.title for source in message.sources if source.title]
    return _APART.join([message.text, *titles]) if titles else message.text


def _count(terms: Iterable[Term], text: str) -> int:
    """How many of these terms have their words in a text."""
    known = tokenize(text)
    return sum(term.among(known) for term in terms)


_APART: Final = "\n\0\n"
"""Between a message's text and titles: no phrase goes from one over to another."""
_BLANK: Final = re.compile(r"\s")
_BLANKS: Final = re.compile(" +")
_TERM: Final = re.compile(r'"([^"]*)"?|([^\s"]+)')
_LENGTH: Final = 160
_BEFORE: Final = 50


def _without_sentence_marks(term: str) -> str:
    """What is looked for of a word that ends a sentence, or begins one in Spanish."""
    return term.rstrip(".,;:!?…。，、；：！？").lstrip("¿¡")


def _words_only(text: str) -> str:
    return " ".join(text.split())


def _places(text: str, terms: Iterable[Term]) -> list[tuple[int, int]]:
    """Where terms stand in a text, in its own characters, in order."""
    folded = FoldedText(text)
    found: set[tuple[int, int]] = set()
    for term in terms:
        places = list(itertools.islice(folded.find(term.pattern), _MOST_LOOKED_AT))
        whole = [place for place in places if is_whole(text, *place)]
        found.update((whole or places)[:_MOST_PLACES])
    return sorted(found)


def _joined(places: list[tuple[int, int]], shift: int) -> tuple[tuple[int, int], ...]:
    """The places moved; those that overlap or touch become one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(places):
        if joined and start + shift <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end + shift, joined[-1][1]))
        else:
            joined.append((start + shift, end + shift))
    return tuple(joined)


_MOST_PLACES: Final = 50
"""Of one term, as many are shown at the most."""
_MOST_LOOKED_AT: Final = 1000
