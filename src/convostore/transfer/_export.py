"""Export as a flow: conversations are read page by page and written to a file in some format.

The text of a format is known in `formats` alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Literal, TypeAlias

from ..errors import InvalidError, NotFoundError, StoreError
from ..formats import Writer, format_of, writer
from ..formats._files import FileFailedError, PathOrText, Sink, sink_to
from ..models import Conversation, Message
from ..serialization import has_damaged_id
from ..store._arguments import check_flags, check_ids
from ..store._values import shown
from ._calls import FileCall, SourceCall, Steps, Store
from ._pages import ConversationReader, source_pages
from ._progress import Progress, ProgressCounter
from ._skipped import Skipped, concerns_only_one, skipped

OnBroken: TypeAlias = Literal["raise", "skip"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """The result of an export.

    Attributes:
        skipped: What could not be read; nothing of it is in the file.
        losses: What the format does not hold, such as ``"message.sources"``, to the number of
            messages or conversations that lost it.
    """

    conversations: int
    messages: int
    skipped: tuple[Skipped, ...] = ()
    losses: Mapping[str, int] = field(default_factory=dict)


class Export:
    """One export; `flow` is all of it and returns the report."""

    def __init__(
        self,
        store: Store,
        destination: PathOrText,
        format: str | None,
        ids: Iterable[str] | None,
        raw: bool,
        on_error: OnBroken,
        progress: Progress | None,
    ) -> None:
        if on_error not in {"raise", "skip"}:
            raise InvalidError(f"on_error must be 'raise' or 'skip', got {shown(on_error)}")
        check_flags(raw=raw)
        self._store = store
        self._sink: Sink = sink_to(destination)
        self._writer = _writer(destination, format, raw)
        self._ids = None if ids is None else list(dict.fromkeys(check_ids(ids)))
        self._skips = on_error == "skip"
        self._progress = ProgressCounter(progress)
        self._counts = Counter[str]()
        self._skipped: list[Skipped] = []

    def flow(self) -> Steps[ExportReport]:
        """Export everything; broken off, it leaves no file."""
        sink = self._sink
        try:
            yield FileCall(sink.open)
            if self._ids is None:
                yield from self._write_all()
            else:
                yield from self._write_named(self._ids)
            yield from self._write(self._writer.end)
            yield FileCall(sink.commit)
        finally:
            sink.discard()
        return ExportReport(
            conversations=self._counts["conversations"],
            messages=self._counts["messages"],
            skipped=tuple(self._skipped),
            losses=dict(self._writer.losses),
        )

    def _write(self, make: Callable[[], str]) -> Steps[None]:
        yield FileCall(lambda: self._sink.write(make()))

    def _write_all(self) -> Steps[None]:
        yield from self._write(self._writer.start)
        reader = ConversationReader(self._store, SourceCall, counts=self._progress.is_reported)
        while (page := (yield from reader.next_page())) is not None:
            self._progress.total = reader.total
            for conversation in page:
                yield from self._write_or_skip(conversation.id, conversation)

    def _write_named(self, ids: Sequence[str]) -> Steps[None]:
        self._progress.total = len(ids)
        first: Conversation | None = None
        if len(ids) == 1 and not self._skips:
            first = yield from self._conversation(ids[0])
        yield from self._write(lambda: self._writer.start(first))
        for conversation_id in ids:
            yield from self._write_or_skip(conversation_id, first)

    def _write_or_skip(self, conversation_id: str, known: Conversation | None) -> Steps[None]:
        try:
            if self._skips:
                yield FileCall(self._sink.begin)
            messages = yield from self._write_one(conversation_id, known)
            yield FileCall(self._sink.keep)
        except StoreError as error:
            yield FileCall(self._sink.drop)
            if not self._skips or not self._may_go_on(error):
                raise
            self._skipped.append(skipped(conversation_id, error))
        else:
            if messages is not None:
                self._counts.update(conversations=1, messages=messages)
        self._progress.add(conversations=1)

    def _may_go_on(self, error: StoreError) -> bool:
        return not isinstance(error, FileFailedError) and concerns_only_one(error, self._store)

    def _write_one(self, conversation_id: str, known: Conversation | None) -> Steps[int | None]:
        """Write one conversation and return the number of its messages.

        None is returned for one that was deleted after the list showed it.
        """
        writer = self._writer
        conversation = known or (yield from self._conversation(conversation_id))
        pages = source_pages(self._store, conversation_id)
        try:
            page = yield from pages()
        except NotFoundError:
            if self._ids is not None or has_damaged_id(conversation):
                raise
            return None
        yield from self._write(lambda: writer.conversation(conversation))
        count = 0
        while page is not None:
            yield FileCall(partial(self._write_messages, page))
            count += len(page)
            self._progress.add(messages=len(page))
            page = yield from pages()
        yield from self._write(writer.end_conversation)
        return count

    def _conversation(self, conversation_id: str) -> Steps[Conversation]:
        conversation: Conversation = yield SourceCall(
            lambda store: store.get_conversation(conversation_id)
        )
        return conversation

    def _write_messages(self, page: Sequence[Message]) -> None:
        for message in page:
            self._sink.write(self._writer.message(message))


def _writer(destination: PathOrText, format: str | None, raw: bool) -> Writer:
    if format is None:
        if not isinstance(destination, str | PathLike):
            raise InvalidError("a stream has no file name that shows the format: pass format=")
        format = format_of(Path(destination))
    return writer(format, raw=raw)
