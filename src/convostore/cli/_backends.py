"""The installed backends as the command shows them: whether each loads, and what it offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..errors import ConfigError
from .render.text import one_line

if TYPE_CHECKING:
    from ..plugins import Installed

_IN_WORDS: Final = {
    "create_conversation": "create",
    "append_messages": "append",
    "replace_messages": "replace",
    "update_conversation": "rename and pin",
    "put_conversation": "keep whole copies",
    "fork_conversation": "fork",
    "delete_conversation": "delete",
    "delete_conversations": "delete by age",
    "clear_conversations": "clear",
    "delete_message": "delete messages",
    "set_feedback": "feedback",
    "search": "search",
    "get_run_details": "run details",
    "suggest_questions": "suggestions",
}
"""The operations that not every backend has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """An installed scheme, and whether it loads."""

    scheme: str
    distribution: str
    version: str
    loads: bool
    problem: str | None = None
    offers: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """What it offers in people's words, or why it does not load."""
        words = ["read", *(word for name, word in _IN_WORDS.items() if name in self.offers)]
        return self.problem or ", ".join(words)


def installed_backends() -> list[Backend]:
    """Loads each scheme that is installed, to see whether it does."""
    from ..plugins import installed

    return [_backend(each) for each in installed()]


def _backend(found: Installed) -> Backend:
    from ..adapters import Operation
    from ..plugins import adapter_for

    problem, offers = None, frozenset[Operation]()
    try:
        offers = adapter_for(found.scheme).offers
    except ConfigError as error:
        problem = one_line(str(error))
    return Backend(
        scheme=found.scheme,
        distribution=found.distribution,
        version=found.version,
        loads=problem is None,
        problem=problem,
        offers=tuple(each.value for each in Operation if each in offers),
    )
