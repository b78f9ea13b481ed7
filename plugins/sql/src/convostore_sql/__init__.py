"""Plugin for `sqlite://` and `postgresql://`: its hook, and nothing else.

``sqlite:///file.db`` and ``sqlite://`` need nothing else, ``postgresql://…`` needs the extra
``convostore-sql[postgresql]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, cast

from convostore.plugins import hookimpl

if TYPE_CHECKING:
    from convostore.adapters import Adapter


class _LazyAdapters(Mapping[str, "type[Adapter]"]):
    """Adapters by scheme; a driver is imported only when its scheme is looked up."""

    def __init__(self, **homes: str) -> None:
        self._homes = homes

    def __getitem__(self, scheme: str) -> type[Adapter]:
        module, name = self._homes[scheme].split(":")
        adapter = getattr(import_module(f".{module}", __name__), name)
        return cast("type[Adapter]", adapter)

    def __iter__(self) -> Iterator[str]:
        return iter(self._homes)

    def __len__(self) -> int:
        return len(self._homes)


@hookimpl
def convostore_adapters() -> Mapping[str, type[Adapter]]:
    return _LazyAdapters(sqlite="sqlite:SQLiteAdapter", postgresql="postgresql:PostgreSQLAdapter")
