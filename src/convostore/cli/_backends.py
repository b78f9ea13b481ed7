"""The installed backends: whether each loads, and which operations it offers.

Nothing is printed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .render.text import one_line

if TYPE_CHECKING:
    from ..plugins import Installed


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """An installed scheme.

    Attributes:
        loads: Whether its adapter can be imported.
        problem: Why it does not load.
        offers: The names of the operations that it offers.
    """

    scheme: str
    distribution: str
    version: str
    loads: bool
    problem: str | None = None
    offers: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The operations that it offers, in words, or why it does not load."""
        from ..adapters import OPERATIONS

        words = [info.words for name, info in OPERATIONS.items() if name in self.offers]
        return self.problem or ", ".join(dict.fromkeys(words))


def installed_backends() -> list[Backend]:
    """Load each installed scheme and report whether that worked."""
    from ..plugins import installed

    return [_backend(entry) for entry in installed()]


def _backend(entry: Installed) -> Backend:
    from ..adapters import Operation
    from ..plugins import adapter_for

    problem, offers = None, frozenset[Operation]()
    try:
        offers = adapter_for(entry.scheme).offers
    except ConfigError as error:
        problem = one_line(str(error))
    return Backend(
        scheme=entry.scheme,
        distribution=entry.distribution,
        version=entry.version,
        loads=problem is None,
        problem=problem,
        offers=tuple(operation.value for operation in Operation if operation in offers),
    )
