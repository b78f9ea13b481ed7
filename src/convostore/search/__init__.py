"""Search: parse a query, find its terms in a text, and show where they are.

What matches and in which order is the same for all stores; each finds its candidates by itself.
"""

from __future__ import annotations

from ._query import Hit, Search, Snippet, Term, searchable_text
from ._tokenizer import fold, tokenize

__all__ = [
    "Hit",
    "Search",
    "Snippet",
    "Term",
    "fold",
    "searchable_text",
    "tokenize",
]
