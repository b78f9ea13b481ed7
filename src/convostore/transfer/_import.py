"""Import as a flow: conversations of a file are written into a store, and counted there.

How one conversation is written is known in `_upsert`, what a file holds in `formats`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..adapters.write_rules import changed_fields
from ..errors import InvalidError, ProtocolError, StoreError, UnsupportedError
from ..formats import Entry
from ..formats._files import PathOrBytes, entries_of
from ..models import JSON, UNSET, Conversation, ConversationChange, Message, Page, Unset
from ..store._arguments import check_flags, check_new_metadata, check_owner
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedFields:
    """The importer's values for every new conversation; see `import_conversations`."""

    owner: str | Unset | None = UNSET
    metadata: Mapping[str, JSON] = field(default_factory=dict)

    def check(self, store: Store) -> None:
        """Check the fields, before anything is read.

        Raises:
            InvalidError: One is wrong.
            UnsupportedError: The store does not have it.
        """
        if self.owner is not UNSET:
            check_owner(self.owner)
        check_new_metadata(self.metadata)
        given = {"owner": self.owner not in {UNSET, None}, "metadata": bool(self.metadata)}
        for name, is_given in given.items():
            if is_given and name not in store.traits.changes:
                raise UnsupportedError(
                    f"{store.label} cannot set a conversation's {name}: import without it",
                    argument=name,
                )

    def added_to(self, conversation: Conversation) -> Conversation:
        """Return a conversation with the fields.

        Raises:
            InvalidError: There is too much metadata.
        """
        if self.owner is not UNSET:
            conversation = conversation.trusted_copy(owner=self.owner)
        change = ConversationChange(metadata=self.metadata)
        return conversation.trusted_copy(**changed_fields(conversation, change))


class Import:
    """One import; `flow` is all of it and returns the report."""

    def __init__(
        self,
        store: Store,
        source: PathOrBytes,
        format: str | None,
        name: str | None,
        given: ImportedFields,
        dry_run: bool,
        progress: Progress | None,
    ) -> None:
        check_flags(dry_run=dry_run)
        require_writable(store)
        given.check(store)
        self._store = store
        self._given = given
        self._entries = entries_of(source, format, name)
        # One attempt: a file cannot be read anew from the middle.
        self._policy = UpsertPolicy(
            full=True, rewrite=False, dry_run=dry_run, attempts=1, followed=frozenset()
        )
        self._progress = ProgressCounter(progress)
        self._counts = Counter[str]()
        self._losses = Counter[str]()
        self._skipped: list[Skipped] = []

    def flow(self) -> Steps[ImportReport]:
        """Import everything; if it is interrupted and started again, it continues."""
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
            self._skip(entry, entry.error or ProtocolError("it holds no conversation"))
            return
        messages = _Counted(entry.messages)
        try:
            wanted = self._given.added_to(entry.conversation)
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
                f"the file holds {count} messages of conversation {conversation_id!r}, but the "
                f"store has only {held} of them: do several have the same id?"
            )

    def _skip(self, entry: Entry, error: StoreError) -> None:
        self._skipped.append(skipped(entry.conversation_id, error))
        self._progress.add(conversations=1)

    def _refuse_nothing(self) -> None:
        if self._counts.total():
            return
        if self._skipped:
            raise InvalidError(
                f"nothing was imported: all conversations ({len(self._skipped)}) were skipped, "
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
