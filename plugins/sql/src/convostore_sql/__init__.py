"""convostore in a database of one's own; what is public is found through its schemes.

``sqlite:///file.db`` and ``sqlite://`` need nothing else, ``postgresql://…`` the extra
``convostore-sql[postgresql]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from convostore.plugins import hookimpl

if TYPE_CHECKING:
    from convostore.adapter import Adapter


@hookimpl
def convostore_adapters() -> dict[str, type[Adapter[Any, Any]]]:
    from .postgresql import PostgreSQLAdapter
    from .sqlite import SQLiteAdapter

    return {"sqlite": SQLiteAdapter, "postgresql": PostgreSQLAdapter}
