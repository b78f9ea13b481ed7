"""Import as a flow: conversations of a file are written into a store, and counted there.

How one conversation is written is known in `_upsert`, what a file holds in `formats`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..errors import InvalidError, ProtocolError, StoreError
from ..formats import Entry
from ..formats._files import PathOrBytes, entries_of
from ..models import Message, Page
from ._arguments import check_flags
from ._calls import FileCall, Steps, Store, TargetCall
from ._pages import file_pages, target_pages
from ._progress import Progress, ProgressCounter
from ._skipped import Skipped, concerns_only_one, skipped
from ._target import UpsertPolicy
from ._upsert import require_writable, upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """The result of an import or, in a dry run, what it would have been.

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
    """One import; `flow` is all of it and returns the report."""

    def __init__(
        self,
        store: Store,
        source: PathOrBytes,
        format: str | None,
        name: str | None,
        dry_run: bool,
        progress: Progress | None,
    ) -> None:
        check_flags(dry_run=dry_run)
        require_writable(store)
        self._store = store
        self._entries = entries_of(source, format, name)
        # One attempt: a file cannot be read anew from the middle.
        self._policy = UpsertPolicy(full=True, rewrite=False, dry_run=dry_run, attempts=1)
        self._progress = ProgressCounter(progress)
        self._counts = Counter[str]()
        self._losses = Counter[str]()
        self._skipped: list[Skipped] = []

    def flow(self) -> Steps[ImportReport]:
        """Import everything; broken off and begun anew, it goes on."""
        try:
            while (entry := (yield from self._next())) is not None:
                yield from self._import_or_skip(entry)
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
            entry: Entry | None = yield FileCall(lambda: next(self._entries, None))
        except InvalidError as error:
            raise self._broken(error) from error
        return entry

    def _broken(self, error: StoreError) -> InvalidError:
        done = self._counts.total()
        before = f" (conversations imported before that: {done})" if done else ""
        return InvalidError(f"{error}{before}")

    def _import_or_skip(self, entry: Entry) -> Steps[None]:
        if entry.conversation is None or entry.error is not None:
            self._skip(entry, entry.error or ProtocolError("there is no conversation"))
            return
        messages = _Counted(entry.messages)
        wanted = entry.conversation
        try:
            result = yield from upsert(
                self._store,
                wanted,
                lambda: file_pages(messages),
                self._policy,
                report=self._count_messages,
            )
            if not self._policy.dry_run:
                yield from self._verify(wanted.id, messages.count)
        except StoreError as error:
            if messages.failure is not None:
                raise self._broken(messages.failure) from error
            if not concerns_only_one(error, self._store):
                raise
            self._skip(entry, error)
        else:
            self._counts[result.outcome] += 1
            self._losses.update(result.losses)
            self._progress.add(conversations=1)

    def _count_messages(self, messages: int) -> None:
        self._progress.add(messages=messages)

    def _verify(self, conversation_id: str, count: int) -> Steps[None]:
        """Check that the store holds all messages.

        Raises:
            ProtocolError: It holds fewer than were read.
        """
        page: Page[Message] = yield TargetCall(
            lambda store: store.list_messages(conversation_id, limit=1)
        )
        held = page.total
        if held is None:
            held = 0
            pages = target_pages(self._store, conversation_id)
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
        failure: The error that reading them ended in; the file's, not this conversation's.
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
