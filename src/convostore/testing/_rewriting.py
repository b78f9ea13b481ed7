"""What a failed clause compared is shown: pytest is told of the kit's modules before their import.

Whoever brings clauses imports this first; nothing else lives here.
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
)
