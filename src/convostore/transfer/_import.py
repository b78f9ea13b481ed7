"""Import as a flow: conversations of a file are written into a store, and counted there.

Steps on the source are the file's, steps on the target the store's. Nothing is carried out here;
how one conversation is written stands in `keeping`, what a file holds in `formats`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..errors import InvalidError, ProtocolError, StoreError
from ..formats import Entry
from ..formats._files import PathOrBytes, entries_of
from ..models import Listing, Message
from ..store._operations import Operations
from ._progress import Progress, ProgressCounter
from ._skipped import Skipped, concerns_only_one, skipped
from ._steps import Step, Steps, pages_of, pages_of_store
from ._target import UpsertPolicy
from ._upsert import require, upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did or, in a dry run, would have done.

    Attributes:
        imported: Conversations that were not there before.
        continued: Conversations of which the store held only the beginning.
        unchanged: Conversations that the store held already.
        messages: Messages written.
        skipped: Conversations that cannot be read, or whose id another one has.
        losses: Fields that the store cannot hold, to the number of values that were lost.
    """

    imported: int = 0
    continued: int = 0
    unchanged: int = 0
    messages: int = 0
    skipped: tuple[Skipped, ...] = ()
    losses: Mapping[str, int] = field(default_factory=dict)


class Import:
    """One import; `flow` carries it out and returns the report."""

    def __init__(
        self,
        plan: Operations,
        source: PathOrBytes,
        format: str | None,
        name: str | None,
        dry_run: bool,
        progress: Progress | None,
    ) -> None:
        require(plan)
        self._operations = plan
        self._entries = entries_of(source, format, name)
        # One attempt: a file cannot be read anew from the middle.
        self._policy = UpsertPolicy(full=True, rewrite=False, dry_run=dry_run, attempts=1)
        self._progress = ProgressCounter(progress)
        self._counts = Counter[str]()
        self._losses = Counter[str]()
        self._skipped: list[Skipped] = []

    def flow(self) -> Steps[ImportReport]:
        """The whole of it; broken off and begun anew, it goes on."""
        try:
            while (entry := (yield from self._next())) is not None:
                yield from self._take(entry)
        finally:
            self._entries.close()
        self._refuse_nothing()
        return ImportReport(
            imported=self._counts["copied"],
            continued=self._counts["updated"],
            unchanged=self._counts["unchanged"],
            messages=self._progress.messages,
            skipped=tuple(self._skipped),
            losses=dict(self._losses),
        )

    def _next(self) -> Steps[Entry | None]:
        try:
            entry: Entry | None = yield Step("source", lambda: next(self._entries, None))
        except InvalidError as error:
            raise self._broken(error) from error
        return entry

    def _broken(self, error: StoreError) -> InvalidError:
        done = self._counts.total()
        before = f" (conversations imported before that: {done})" if done else ""
        return InvalidError(f"{error}{before}")

    def _take(self, entry: Entry) -> Steps[None]:
        if entry.conversation is None or entry.error is not None:
            self._skip(entry, entry.error or ProtocolError("there is no conversation"))
            return
        messages = _Counted(entry.messages)
        wanted = entry.conversation
        try:
            kept = yield from upsert(
                self._operations,
                wanted,
                lambda: pages_of(messages),
                self._policy,
                written=self._count_messages,
            )
            if not self._policy.dry_run:
                yield from self._verify(wanted.id, messages.count)
        except StoreError as error:
            if messages.failure is not None:
                raise self._broken(messages.failure) from error
            if not concerns_only_one(error, self._operations):
                raise
            self._skip(entry, error)
        else:
            self._counts[kept.outcome] += 1
            self._losses.update(kept.losses)
            self._progress.add(conversations=1)

    def _count_messages(self, messages: int) -> None:
        self._progress.add(messages=messages)

    def _verify(self, conversation_id: str, count: int) -> Steps[None]:
        """Asks the store how many messages it holds.

        Raises:
            ProtocolError: Fewer than were read.
        """
        page = yield Step(
            "target", self._operations.list_messages(conversation_id, Listing(limit=1))
        )
        held = page.total
        if held is None:
            held = 0
            pages = pages_of_store(self._operations, conversation_id, where="target")
            while (messages := (yield from pages())) is not None:
                held += len(messages)
        if held < count:
            raise ProtocolError(
                f"the file holds {count} messages of conversation {conversation_id!r}, the store "
                f"only {held} of them: do several have one id?"
            )

    def _skip(self, entry: Entry, error: StoreError) -> None:
        self._skipped.append(skipped(entry.conversation_id, error))
        self._progress.add(conversations=1)

    def _refuse_nothing(self) -> None:
        if self._counts.total():
            return
        if self._skipped:
            raise InvalidError(
                f"nothing was imported: each of {len(self._skipped)} conversations was skipped, "
                f"the first because {self._skipped[0].error}"
            )
        raise InvalidError("nothing was imported: the file holds no conversation")


class _Counted(Iterator[Message]):
    """Messages of a file, counted as they are read.

    Attributes:
        failure: What reading them ended in; it is the file's, not this conversation's.
    """

    def __init__(self, messages: Iterator[Message]) -> None:
        self._messages = messages
        self.count = 0
        self.failure: StoreError | None = None

    def __next__(self) -> Message:
        try:
            message = next(self._messages)
        except StoreError as error:
            self.failure = error
            raise
        self.count += 1
        return message
