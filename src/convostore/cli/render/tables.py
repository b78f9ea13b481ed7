"""Tables of profiles and of installed backends, for a terminal.

Those of conversations are in `terminal`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from .text import one_line

if TYPE_CHECKING:
    from .._backends import Backend

__all__ = ["backends_table", "profiles_table"]


def profiles_table(rows: Iterable[tuple[bool, str, str, str]]) -> RenderableType:
    """Return a table of profiles: whether each is the default, its name, DSN and options."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("Name", no_wrap=True)
    for head in ("DSN", "Options"):
        table.add_column(head, overflow="fold")
    for is_default, *cells in rows:
        name, dsn, options = map(one_line, cells)
        table.add_row(Text(name + (" (default)" if is_default else "")), Text(dsn), Text(options))
    return table


def backends_table(rows: Iterable[tuple[str, Backend]]) -> RenderableType:
    """Return a table of installed backends, each with a mark for whether it loads."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("")
    for head in ("Scheme", "Distribution", "Version"):
        table.add_column(head, overflow="fold")
    table.add_column("Offers", ratio=1)
    for mark, backend in rows:
        facts = (backend.scheme, backend.distribution, backend.version)
        table.add_row(
            Text(mark, "green" if backend.loads else "red"),
            *[Text(one_line(fact)) for fact in facts],
            Text(backend.summary, "dim" if backend.loads else "red"),
        )
    return table
