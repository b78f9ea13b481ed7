"""Words: how texts are cut into words and folded, the same way wherever they are kept.

What is done with words, a search or an index, is no business of this module.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from typing import Final


def fold(text: str) -> str:
    """Makes texts equal that differ in case, width, or the accents of European and Semitic scripts.

    White space becomes spaces, so that a phrase is found across the end of a line.
    """
    if text.isascii():
        return text.lower().translate(_SPACES)
    folded = _without_accents(text).casefold()
    return _without_accents(folded).translate(_SPACES)


def tokenize(text: str) -> set[str]:
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
    for run in set(split_scripts(text)):
        if _unspaced(run):
            found.update(run)
            found.update(map("".join, itertools.pairwise(run)))
        else:
            found.add(_folded_word(run))
            found.update(map(_folded_word, _parts(run)))
    return found


def alternatives(run: str) -> tuple[frozenset[str], ...]:
    """Sets of words: a text that holds the run holds all words of one of them."""
    if _unspaced(run):
        pairs = frozenset(map("".join, itertools.pairwise(run)))
        return (pairs or frozenset(run),)
    whole = frozenset([_folded_word(run)])
    parts = frozenset(map(_folded_word, _parts(run)))
    return (whole, parts) if parts and parts != whole else (whole,)


def split_scripts(text: str) -> list[str]:
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


def is_whole(text: str, start: int, end: int) -> bool:
    """Whether a piece of a text begins and ends where words do."""
    return not (_INSIDE.match(text, start) or _INSIDE.match(text, end))


_LONGEST: Final = 64
"""Of a longer word only so many characters are looked up: databases limit an index's entries."""
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


_INSIDE: Final = re.compile(
    rf"(?<=(?![{_NO_SPACES}_])\w)(?=(?![{_NO_SPACES}_])\w)"
    r"(?<![a-z0-9](?=[A-Z]))(?<![A-Z](?=[A-Z][a-z]))"
)
"""A place within a word: between letters or digits, and not between parts of an identifier."""
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
        count = count + 1 if is_mark(char) else 0
        if count <= _MOST_MARKS:
            kept.append(char)
    return "".join(kept)


_JOINS: Final = re.compile("[\u1160-\u11ff\uff9e\uff9f\uffc2-\uffdc]")
"""Letters that join the one before: of Korean syllables; narrow marks of Kana."""


def is_mark(char: str) -> bool:
    if not char or char < "\u0300":
        return False
    return unicodedata.category(char).startswith("M") or _JOINS.match(char) is not None
