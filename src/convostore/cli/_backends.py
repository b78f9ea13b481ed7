"""The installed backends: whether each loads, and which operations it offers.

Nothing is printed here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..errors import ConfigError
from .render.text import one_line

if TYPE_CHECKING:
    from ..plugins import Installed


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """An installed scheme, or a kind of models.

    Attributes:
        kind: Whether it is a store, or models that answer for a store.
        scheme: The scheme of a store's DSN, or the name of the kind of models.
        loads: Whether its adapter can be imported.
        problem: Why it does not load.
        offers: The names of the operations that it offers.
    """

    kind: Literal["store", "model"] = "store"
    scheme: str
    distribution: str
    version: str
    loads: bool
    problem: str | None = None
    offers: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The operations that it offers, in words, or why it does not load."""
        if self.kind == "model":
            return self.problem or "generate the replies of another store"
        return self.problem or ", ".join(words_of(self.offers))


def words_of(operations: Iterable[str]) -> list[str]:
    """Return what operations do, in words for people; each once, in the order of the table."""
    from ..adapters import OPERATIONS

    names = set(operations)
    return list(dict.fromkeys(info.words for name, info in OPERATIONS.items() if name in names))


def installed_backends() -> list[Backend]:
    """Load each installed scheme and kind of models, and report whether that worked."""
    from ..plugins import installed, installed_models

    return [*map(_backend, installed()), *map(_model, installed_models())]


def _model(entry: Installed) -> Backend:
    from ..plugins import model_for

    problem = None
    try:
        model_for(entry.scheme)
    except ConfigError as error:
        problem = one_line(str(error))
    return Backend(
        kind="model",
        scheme=entry.scheme,
        distribution=entry.distribution,
        version=entry.version,
        loads=problem is None,
        problem=problem,
    )


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
