"""Searching: what a query matches, the words an index is fed with, and the snippets of hits.

A text is cut into words the same way wherever it is kept, so that every store finds the same; an
index only names candidates, `Search` decides. No store, index or database may be known here.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
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
        folded = fold(text)
        if not self.terms or not all(term.folded in folded for term in self.terms):
            return False
        known = words(text)
        return all(term.among(known) for term in self.terms)

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
        where, text = max(places, key=lambda place: self._count(place[1]))
        return Hit.model_construct(
            conversation=conversation, message=message, where=where, snippet=self.snippet(text)
        )

    def _count(self, text: str) -> int:
        folded = fold(text)
        return sum(term.folded in folded for term in self.terms)

    def snippet(self, text: str) -> Snippet:
        """The piece of a text around the first term in it, all terms within it marked."""
        found = next(_places(text, self.terms), (0, 0))
        start = max(0, found[0] - _BEFORE)
        end = min(len(text), max(start + _LENGTH, found[1]))
        start = max(0, min(start, end - _LENGTH))
        piece = "".join(" " if char.isspace() else char for char in text[start:end])
        head = "…" if start else ""
        marks = tuple(
            (first + len(head), last + len(head)) for first, last in _places(piece, self.terms)
        )
        tail = "…" if end < len(text) else ""
        return Snippet.model_construct(text=head + piece + tail, marks=_joined(marks))


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
        object.__setattr__(self, "folded", fold(self.text))
        object.__setattr__(self, "groups", tuple(map(_alternatives, _runs(self.text))))

    def among(self, known: set[str]) -> bool:
        """Whether a text with these words may hold the term: an index asks the same."""
        return all(any(words <= known for words in group) for group in self.groups)


def searched(message: Message) -> str:
    """What of a message is searched: its text, and the titles of its sources."""
    titles = [source.title for source in message.sources if source.title]
    return "\n".join([message.text, *titles]) if titles else message.text


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


_TERM: Final = re.compile(r'"([^"]*)"?|([^\s"]+)')
_LONGEST: Final = 64
"""Of a longer word only so many characters are looked up: databases limit an index's entries."""
_LENGTH: Final = 160
_BEFORE: Final = 50
_SPACES: Final = dict.fromkeys(map(ord, "\t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\u2028\u2029"), " ")
# Scripts without spaces between words: Thai, Lao, Burmese, Khmer; Japanese, Chinese; Korean, whose
# particles stand at the end of its words.
_NO_SPACES: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1100-\u11ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
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


def _without_accents(text: str) -> str:
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFC", bare)


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


def _places(text: str, terms: Iterable[Term]) -> Iterator[tuple[int, int]]:
    """Where terms stand in a text, in its own characters, in order."""
    folding = _Folding(text)
    found = {place for term in terms for place in folding.places(term.folded)}
    yield from sorted(found)


def _joined(marks: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Marks that overlap or touch become one."""
    joined: list[tuple[int, int]] = []
    for start, end in marks:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


_MOST_PLACES: Final = 50
"""Of one term, as many are looked up at the most: a snippet shows few."""
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

    def places(self, term: str) -> Iterator[tuple[int, int]]:
        at = -1
        for _ in range(_MOST_PLACES):
            if (at := self._folded.find(term, at + 1)) < 0:
                return
            start, end = self._original(at), self._original(at + len(term) - 1)
            yield start, _cluster_end(self._text, end)

    def _original(self, place: int) -> int:
        """The character of the text whose folding stands at a place of the folded text."""
        if self._same:
            return place
        from bisect import bisect_right

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
    """The end of a character with the marks on it."""
    at += 1
    while at < len(text) and _is_mark(text[at]):
        at += 1
    return at


def _is_mark(char: str) -> bool:
    return bool(char) and not char.isascii() and unicodedata.combining(char) != 0
