"""Search: parse a query, find its terms in a text, and show where they are.

What matches and in which order is the same for all stores; each finds its candidates by itself.
"""

from __future__ import annotations

from ._query import Hit, Search, Snippet, Term, searched
from ._tokenizer import fold, words

__all__ = [
    "Hit",
    "Search",
    "Snippet",
    "Term",
    "fold",
    "searched",
    "words",
]
