"""Progress of an export or an import: the counts, and when they are reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ._arguments import check_progress


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferProgress:
    """The progress of an export or an import.

    Attributes:
        conversations: Conversations that are done, the skipped ones included.
        messages: Messages that are done.
        total: How many conversations there are, where that is known.
    """

    conversations: int
    messages: int
    total: int | None = None


Progress: TypeAlias = Callable[[TransferProgress], None]


class ProgressCounter:
    """The counts of a transfer, reported as they grow; see `TransferProgress`."""

    def __init__(self, report: Progress | None) -> None:
        check_progress(report)
        self._report = report
        self.conversations = 0
        self.messages = 0
        self.total: int | None = None

    @property
    def is_reported(self) -> bool:
        """Whether there is a callback."""
        return self._report is not None

    def add(self, *, conversations: int = 0, messages: int = 0) -> None:
        """Count what is done, and report it."""
        self.conversations += conversations
        self.messages += messages
        if self._report is not None:
            self._report(
                TransferProgress(
                    conversations=self.conversations, messages=self.messages, total=self.total
                )
            )
