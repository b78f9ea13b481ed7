"""Export as a flow: conversations are read page by page, and written as a format puts them.

Steps on the source are the store's, steps on the target the file's. Nothing is carried out here;
what the text looks like stands in `formats`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Literal, TypeAlias

from ..errors import InvalidError, NotFoundError, StoreError
from ..formats import Writer, format_of, writer
from ..formats._files import FileFailedError, PathOrText, Sink, sink_to
from ..models import Conversation, Message
from ..store._arguments import check_ids
from ..store._operations import Operations
from ._progress import Progress, ProgressCounter
from ._skipped import Skipped, concerns_only_one, skipped
from ._steps import Step, Steps, pages_of_store

OnBroken: TypeAlias = Literal["raise", "skip"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What an export wrote.

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
    """One export; `flow` carries it out and returns the report."""

    def __init__(
        self,
        plan: Operations,
        destination: PathOrText,
        format: str | None,
        ids: Iterable[str] | None,
        raw: bool,
        on_error: OnBroken,
        progress: Progress | None,
    ) -> None:
        if on_error not in {"raise", "skip"}:
            raise InvalidError(f"on_error is raise or skip, not {on_error!r}")
        self._operations = plan
        self._sink: Sink = sink_to(destination)
        self._writer = _writer(destination, format, raw)
        self._ids = None if ids is None else list(dict.fromkeys(check_ids(ids)))
        self._skips = on_error == "skip"
        self._progress = ProgressCounter(progress)
        self._counts = Counter[str]()
        self._skipped: list[Skipped] = []

    def flow(self) -> Steps[ExportReport]:
        """The whole of it; broken off, it leaves no file."""
        sink = self._sink
        try:
            yield Step("target", sink.open)
            if self._ids is None:
                yield from self._write(self._writer.start)
                yield from self._all()
            else:
                yield from self._named(self._ids)
            yield from self._write(self._writer.end)
            yield Step("target", sink.commit)
        finally:
            sink.discard()
        return ExportReport(
            conversations=self._counts["conversations"],
            messages=self._counts["messages"],
            skipped=tuple(self._skipped),
            losses=dict(self._writer.losses),
        )

    def _write(self, make: Callable[[], str]) -> Steps[None]:
        yield Step("target", lambda: self._sink.write(make()))

    def _all(self) -> Steps[None]:
        walk = self._operations.walk_conversations()
        while walk.listing is not None:
            page = yield Step("source", self._operations.list_conversations(walk.listing))
            self._progress.total = page.total
            for conversation in walk.accept(page):
                yield from self._guarded(conversation.id, conversation)

    def _named(self, ids: Sequence[str]) -> Steps[None]:
        self._progress.total = len(ids)
        first: Conversation | None = None
        if len(ids) == 1 and not self._skips:
            first = yield Step("source", self._operations.get_conversation(ids[0]))
        yield from self._write(lambda: self._writer.start(first))
        for conversation_id in ids:
            yield from self._guarded(conversation_id, first)

    def _guarded(self, conversation_id: str, known: Conversation | None) -> Steps[None]:
        """Writes one conversation, or what its failing asks for."""
        try:
            if self._skips:
                yield Step("target", self._sink.begin)
            messages = yield from self._one(conversation_id, known)
            yield Step("target", self._sink.keep)
        except StoreError as error:
            yield Step("target", self._sink.drop)
            if not self._skips or not self._may_go_on(error):
                raise
            self._skipped.append(skipped(conversation_id, error))
        else:
            if messages is not None:
                self._counts.update(conversations=1, messages=messages)
        self._progress.add(conversations=1)

    def _may_go_on(self, error: StoreError) -> bool:
        return not isinstance(error, FileFailedError) and concerns_only_one(error, self._operations)

    def _one(self, conversation_id: str, known: Conversation | None) -> Steps[int | None]:
        """Writes one conversation; None where it was deleted after the list showed it."""
        writer, sink = self._writer, self._sink
        conversation = known
        if conversation is None:
            conversation = yield Step("source", self._operations.get_conversation(conversation_id))
        pages = pages_of_store(self._operations, conversation_id)
        try:
            page = yield from pages()
        except NotFoundError:
            if self._ids is not None:
                raise
            return None
        yield from self._write(lambda: writer.conversation(conversation))
        count = 0
        while page is not None:
            yield Step("target", _writing(page, writer, sink))
            count += len(page)
            self._progress.add(messages=len(page))
            page = yield from pages()
        yield from self._write(writer.end_conversation)
        return count


def _writer(destination: PathOrText, format: str | None, raw: bool) -> Writer:
    if format is None:
        if not isinstance(destination, str | PathLike):
            raise InvalidError("a stream tells no format: pass format=")
        format = format_of(Path(destination))
    return writer(format, raw=raw)


def _writing(page: Sequence[Message], writer: Writer, sink: Sink) -> Callable[[], None]:
    def write() -> None:
        for message in page:
            sink.write(writer.message(message))

    return write
