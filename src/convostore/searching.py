"""Searching: what a query matches, the words an index is fed with, and the snippets of hits.

A text is cut into words the same way wherever it is kept, so that every store finds the same; an
index only names candidates, `Search` decides. No store, index or database may be known here.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Final, Literal, TypeAlias

from .models import Conversation, Message, Role
from .values import Value

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
        found = (_words_only(quoted or plain) for quoted, plain in _TERM.findall(self.text))
        return tuple({text: Term(text) for text in found if text and _runs(text)}.values())

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
        if not self.find(searched(message)):
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
        shown = "".join(" " if char.isspace() else char for char in text[start:end])
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
        object.__setattr__(self, "groups", tuple(map(_alternatives, _runs(self.text))))

    def among(self, known: set[str]) -> bool:
        """Whether a text with these words may hold the term: an index asks the same."""
        return all(any(words <= known for words in group) for group in self.groups)

    def within(self, folded: str) -> bool:
        """Whether the term stands in a folded text; between its words may be any white space."""
        if " " in self.folded:
            return self.pattern.search(folded) is not None
        return self.folded in folded

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Finds the term in a folded text."""
        return re.compile(" +".join(map(re.escape, _BLANKS.split(self.folded))))


def searched(message: Message) -> str:
    """What of a message is searched: its text, and the titles of its sources."""
    titles = [source.title for source in message.sources if source.title]
    return _APART.join([message.text, *titles]) if titles else message.text


def fold(text: str) -> str:
    """Makes texts equal that differ in case, width, or the accents of European and Semitic scripts.

    White space becomes spaces, so that a phrase is found across the end of a line.
    """
    if text.isascii():
        return text.lower().translate(_SPACES)
    folded = _without_accents(text).casefold()
    return _without_accents(folded).translate(_SPACES)


def words(text: str) -> set[str]:
    """The words of a text, folded: what an index holds.

    An identifier gives its parts as well; a script that puts no spaces between its words gives each
    character and each pair.
    """
    found: set[str] = set()
    if text.isascii():
        lowered = text.lower()
        found.update([word[:_LONGEST] for word in _ASCII_RUN.findall(lowered)])
        if lowered == text:
            return found
    for run in set(_runs(text)):
        if _unspaced(run):
            found.update(run)
            found.update(map("".join, itertools.pairwise(run)))
        else:
            found.add(_folded_word(run))
            found.update(map(_folded_word, _parts(run)))
    return found


def _alternatives(run: str) -> tuple[frozenset[str], ...]:
    """Sets of words: a text that holds the run holds all words of one of them."""
    if _unspaced(run):
        pairs = frozenset(map("".join, itertools.pairwise(run)))
        return (pairs or frozenset(run),)
    whole = frozenset([_folded_word(run)])
    parts = frozenset(map(_folded_word, _parts(run)))
    return (whole, parts) if parts and parts != whole else (whole,)


def _count(terms: Iterable[Term], text: str) -> int:
    """How many of these terms have their words in a text."""
    known = words(text)
    return sum(term.among(known) for term in terms)


_APART: Final = "\n\0\n"
"""Between a message's text and titles: no phrase goes from one over to another."""
_BLANKS: Final = re.compile(" +")
_TERM: Final = re.compile(r'"([^"]*)"?|([^\s"]+)')
_LONGEST: Final = 64
"""Of a longer word only so many characters are looked up: databases limit an index's entries."""
_LENGTH: Final = 160
_BEFORE: Final = 50
_SPACES: Final = dict.fromkeys(
    map(ord, "\t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\u1680\u2028\u2029"), " "
)
# Scripts without spaces between words: Thai, Lao, Burmese, Khmer; Japanese, Chinese; Korean, whose
# particles stand at the end of its words.
_NO_SPACES: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1100-\u11ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3131-\u318e\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_RUN: Final = re.compile(rf"(?:(?![{_NO_SPACES}_])\w)+|(?:(?=\w)[{_NO_SPACES}])+")
_ASCII_RUN: Final = re.compile(r"[A-Za-z0-9]+")
_UNSPACED: Final = re.compile(f"[{_NO_SPACES}]")
_PART: Final = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z0-9]+|[0-9]+")
# Combining marks of Latin, Greek and Cyrillic; Hebrew and Arabic vowels. Not those of Kana, which
# make another letter.
_ACCENTS: Final = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u065f\u0670]"
)
_APOSTROPHES: Final = dict.fromkeys(map(ord, "\u2018\u2019\u02bb\u02bc\u02bf"), "'")
"""The ʻokina and its kin, which are typed in many ways."""


_MOST_MARKS: Final = 30
_LONG_RUN: Final = re.compile(rf"[^\w\s]{{{_MOST_MARKS + 1},}}")
# Letters of Korean that stand alone, as in laughter; normalized, they would join to syllables.
_NO_JAMO: Final = re.compile("[^\u3131-\u318e]+")


def _without_accents(text: str) -> str:
    return _NO_JAMO.sub(_bare, _LONG_RUN.sub(_bounded, text))


def _bare(found: re.Match[str]) -> str:
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", found[0]))
    return unicodedata.normalize("NFC", bare).translate(_APOSTROPHES)


def _bounded(found: re.Match[str]) -> str:
    """Leaves out marks beyond any sense: to normalize many on one letter takes their square."""
    kept: list[str] = []
    count = 0
    for char in found[0]:
        count = count + 1 if _is_mark(char) else 0
        if count <= _MOST_MARKS:
            kept.append(char)
    return "".join(kept)


def _words_only(text: str) -> str:
    return " ".join(text.split())


def _runs(text: str) -> list[str]:
    """The runs of letters and digits of one kind of script, in their own case."""
    if text.isascii():
        return _ASCII_RUN.findall(text)
    return _RUN.findall(_without_accents(text))


def _unspaced(run: str) -> bool:
    return not run.isascii() and _UNSPACED.match(run) is not None


def _folded_word(word: str) -> str:
    return (word.lower() if word.isascii() else fold(word))[:_LONGEST]


def _parts(run: str) -> list[str]:
    """The words that an identifier is made of; none where it is one word."""
    if not run.isascii() or run.islower() or run[1:].islower() or run.isupper() or run.isdigit():
        return []
    return _PART.findall(run)


def _places(text: str, terms: Iterable[Term]) -> list[tuple[int, int]]:
    """Where terms stand in a text, in its own characters, in order."""
    folding = _Folding(text)
    found: set[tuple[int, int]] = set()
    for term in terms:
        places = list(itertools.islice(folding.places(term.pattern), _MOST_LOOKED_AT))
        whole = [place for place in places if _is_whole(text, *place)]
        found.update((whole or places)[:_MOST_PLACES])
    return sorted(found)


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether a piece of a text begins and ends where words do."""
    return not (_INSIDE.match(text, start) or _INSIDE.match(text, end))


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
_INSIDE: Final = re.compile(
    rf"(?<=(?![{_NO_SPACES}_])\w)(?=(?![{_NO_SPACES}_])\w)"
    r"(?<![a-z0-9](?=[A-Z]))(?<![A-Z](?=[A-Z][a-z]))"
)
"""A place within a word: between letters or digits, and not between parts of an identifier."""
_BLOCK: Final = 2048


class _Folding:
    """A text with its folded form, and the way back from a place in that to one in the text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._same = text.isascii()
        self._starts = [0]
        self._blocks: list[tuple[int, str]] = []
        if self._same:
            self._folded = fold(text)
            return
        for start, end in _blocks(text):
            folded = fold(text[start:end])
            self._blocks.append((start, folded))
            self._starts.append(self._starts[-1] + len(folded))
        self._folded = "".join(folded for _, folded in self._blocks)

    def places(self, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
        found = pattern.search(self._folded)
        while found is not None:
            start, end = self._original(found.start()), self._original(found.end() - 1)
            yield start, _cluster_end(self._text, end)
            found = pattern.search(self._folded, found.start() + 1)

    def _original(self, place: int) -> int:
        """The character of the text whose folding stands at a place of the folded text."""
        if self._same:
            return place
        number = bisect_right(self._starts, place) - 1
        start, folded = self._blocks[number]
        rest = place - self._starts[number]
        end = start + _BLOCK * 2
        if fold(self._text[start : start + rest]) == folded[:rest] and not _is_mark(
            self._text[start + rest : start + rest + 1]
        ):
            return start + rest
        length = 0
        at = start
        while at < min(end, len(self._text)):
            after = _cluster_end(self._text, at)
            length += len(fold(self._text[at:after]))
            if length > rest:
                return at
            at = after
        return at


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        end = min(start + _BLOCK, len(text))
        end = _cluster_end(text, end - 1) if end > start else end
        yield start, end
        start = end


def _cluster_end(text: str, at: int) -> int:
    """The end of a character with the marks on it, or of a syllable."""
    at += 1
    while at < len(text) and _is_mark(text[at]):
        at += 1
    return at


_JOINS: Final = re.compile("[\u1160-\u11ff\uff9e\uff9f\uffc2-\uffdc]")
"""Letters that join the one before: of Korean syllables; narrow marks of Kana."""


def _is_mark(char: str) -> bool:
    if not char or char < "\u0300":
        return False
    return unicodedata.category(char).startswith("M") or _JOINS.match(char) is not None
