"""convostore in a database of one's own; what is public is found through its schemes.

``sqlite:///file.db`` and ``sqlite://`` need nothing else, ``postgresql://…`` the extra
``convostore-sql[postgresql]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, cast

from convostore.plugins import hookimpl

if TYPE_CHECKING:
    from convostore.adapters import Adapter


class _OnUse(Mapping[str, "type[Adapter]"]):
    """The adapters by scheme; a driver is imported when its own scheme is asked for."""

    def __init__(self, **homes: str) -> None:
        self._homes = homes

    def __getitem__(self, scheme: str) -> type[Adapter]:
        module, name = self._homes[scheme].split(":")
        found = getattr(import_module(f".{module}", __name__), name)
        return cast("type[Adapter]", found)

    def __iter__(self) -> Iterator[str]:
        return iter(self._homes)

    def __len__(self) -> int:
        return len(self._homes)


@hookimpl
def convostore_adapters() -> Mapping[str, type[Adapter]]:
    return _OnUse(sqlite="sqlite:SQLiteAdapter", postgresql="postgresql:PostgreSQLAdapter")
