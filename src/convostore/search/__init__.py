"""Search: queries, the texts that they match, and snippets that mark the matches.

The same texts match in all stores. How a store finds candidates belongs in its adapter.
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
