"""Registration of the kit's modules with pytest, so that a failed clause shows what it compared.

Modules that import clauses import this one first; nothing else may be here.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    "convostore.testing.clauses.interactions",
    "convostore.testing._assertions",
    "convostore.testing.clauses.failures",
    "convostore.testing.wire_faults._fixture",
    "convostore.testing.clauses.put_fork_age",
    "convostore.testing.clauses.reading",
    "convostore.testing.clauses.replies",
    "convostore.testing.clauses._reply_helpers",
    "convostore.testing.clauses.search",
    "convostore.testing.clauses._search_cases",
    "convostore.testing.wire_faults._cuts",
    "convostore.testing.clauses.streaming",
    "convostore.testing.wire_faults._streams",
    "convostore.testing.clauses.writing",
    "convostore.testing.clauses.validation",
    "convostore.testing.clauses.editing",
    "convostore.testing.clauses.paging_from",
    "convostore.testing.clauses.owners_metadata",
    "convostore.testing.clauses.revisions_times",
    "convostore.testing.clauses.namespaces",
)
