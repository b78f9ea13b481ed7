"""The tokenizer: fold texts and split them into words, in the same way for all stores.

Queries, indexes and stores may not be known here.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from typing import Final


def fold(text: str) -> str:
    """Fold case, width, and the accents of European and Semitic scripts.

    White space becomes spaces, so that a phrase is found across the end of a line.
    """
    if text.isascii():
        return text.lower().translate(_SPACES)
    folded = _without_accents(text).casefold()
    return _without_accents(folded).translate(_SPACES)


def tokenize(text: str) -> set[str]:
    """Return the folded words of a text, as an index stores them.

    An identifier yields its parts as well; a script without spaces between words yields each
    character and each pair of neighbours.
    """
    words: set[str] = set()
    if text.isascii():
        lowered = text.lower()
        words.update([word[:_LONGEST] for word in _ASCII_RUN.findall(lowered)])
        if lowered == text or not _INNER_CAPITAL.search(text):
            return words  # no word is an identifier
    for run in set(split_scripts(text)):
        if _is_unspaced(run):
            words.update(run)
            words.update(map("".join, itertools.pairwise(run)))
        else:
            words.add(_fold_word(run))
            words.update(map(_fold_word, _parts(run)))
    return words


def alternatives(run: str) -> tuple[frozenset[str], ...]:
    """Return sets of words; a text that contains the run has all words of one of them."""
    if _is_unspaced(run):
        pairs = frozenset(map("".join, itertools.pairwise(run)))
        return (pairs or frozenset(run),)
    whole = frozenset([_fold_word(run)])
    parts = frozenset(map(_fold_word, _parts(run)))
    return (whole, parts) if parts and parts != whole else (whole,)


def split_scripts(text: str) -> list[str]:
    """Return the runs of letters and digits of one kind of script, with their case."""
    if text.isascii():
        return _ASCII_RUN.findall(text)
    return _RUN.findall(_without_accents(text))


def _is_unspaced(run: str) -> bool:
    return not run.isascii() and _UNSPACED.match(run) is not None


def _fold_word(word: str) -> str:
    return (word.lower() if word.isascii() else fold(word))[:_LONGEST]


def _parts(run: str) -> list[str]:
    """Return the words of an identifier, or none if it is a single word."""
    if not run.isascii() or run.islower() or run[1:].islower() or run.isupper() or run.isdigit():
        return []
    return _PART.findall(run)


def is_whole(text: str, start: int, end: int) -> bool:
    """Return whether a span of a text begins and ends at the boundaries of words."""
    return not (_INSIDE.match(text, start) or _INSIDE.match(text, end))


_LONGEST: Final = 64
"""Characters of a word in an index; databases limit the size of an index's entries."""
_SPACES: Final = dict.fromkeys(
    map(ord, "\t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\u1680\u2028\u2029"), " "
)
# Scripts without spaces between words: Thai, Lao, Burmese, Khmer; Japanese, Chinese; and Korean,
# whose particles are attached to its words.
_NO_SPACES: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1100-\u11ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3131-\u318e\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_RUN: Final = re.compile(rf"(?:(?![{_NO_SPACES}_])\w)+|(?:(?=\w)[{_NO_SPACES}])+")
_ASCII_RUN: Final = re.compile(r"[A-Za-z0-9]+")
_INNER_CAPITAL: Final = re.compile(r"[A-Za-z0-9][A-Z]")
_UNSPACED: Final = re.compile(f"[{_NO_SPACES}]")
_PART: Final = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z0-9]+|[0-9]+")
# Combining marks of Latin, Greek and Cyrillic; Hebrew and Arabic vowels. Not those of Kana, which
# make another letter.
_ACCENTS: Final = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u065f\u0670]"
)
_APOSTROPHES: Final = dict.fromkeys(map(ord, "\u2018\u2019\u02bb\u02bc\u02bf"), "'")
"""The ʻokina and similar characters, which are typed in many ways."""
_INSIDE: Final = re.compile(
    rf"(?<=(?![{_NO_SPACES}_])\w)(?=(?![{_NO_SPACES}_])\w)"
    r"(?<![a-z0-9](?=[A-Z]))(?<![A-Z](?=[A-Z][a-z]))"
)
"""A position within a word: between letters or digits, not between parts of an identifier."""
_MOST_MARKS: Final = 30
_LONG_RUN: Final = re.compile(rf"[^\w\s]{{{_MOST_MARKS + 1},}}")
# Single letters of Korean, as in laughter; normalization would join them into syllables.
_NO_JAMO: Final = re.compile("[^\u3131-\u318e]+")


def _without_accents(text: str) -> str:
    return _NO_JAMO.sub(_strip_accents, _LONG_RUN.sub(_limit_marks, text))


def _strip_accents(match: re.Match[str]) -> str:
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", match[0]))
    return unicodedata.normalize("NFC", bare).translate(_APOSTROPHES)


def _limit_marks(match: re.Match[str]) -> str:
    """Drop excess marks: normalizing many marks on one letter takes quadratic time."""
    chars: list[str] = []
    count = 0
    for char in match[0]:
        count = count + 1 if is_mark(char) else 0
        if count <= _MOST_MARKS:
            chars.append(char)
    return "".join(chars)


_JOINS: Final = re.compile("[\u1160-\u11ff\uff9e\uff9f\uffc2-\uffdc]")
"""Letters that combine with the one before: of Korean syllables, and narrow marks of Kana."""


def is_mark(char: str) -> bool:
    """Return whether a character combines with the one before."""
    if not char or char < "\u0300":
        return False
    return unicodedata.category(char).startswith("M") or _JOINS.match(char) is not None
