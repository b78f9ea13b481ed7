"""What a failed clause compared is shown: pytest is told of the kit's modules before their import.

Whoever brings clauses imports this first; nothing else lives here.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    "convostore.testing.answer_clauses",
    "convostore.testing.checks",
    "convostore.testing.fault_clauses",
    "convostore.testing.ground",
    "convostore.testing.keep_clauses",
    "convostore.testing.read_clauses",
    "convostore.testing.reply_clauses",
    "convostore.testing.replying",
    "convostore.testing.search_clauses",
    "convostore.testing.searches",
    "convostore.testing.stream_breaking",
    "convostore.testing.stream_clauses",
    "convostore.testing.stream_faults",
    "convostore.testing.write_clauses",
)
