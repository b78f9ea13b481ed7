"""Export and import as functions, sync and async.

The work itself is a flow, of `_export` and `_import`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from ..flow import arun, run
from ..formats._files import PathOrBytes, PathOrText
from ..models import JSON, UNSET, Unset
from ..store import AsyncConversationStore, ConversationStore
from ._calls import SourceCall, TargetCall, async_sender, sender
from ._export import Export, ExportReport, OnBroken
from ._import import Import, ImportedFields, ImportReport
from ._progress import Progress, TransferProgress

__all__ = [
    "ExportReport",
    "ImportReport",
    "TransferProgress",
    "aexport_conversations",
    "aimport_conversations",
    "export_conversations",
    "import_conversations",
]


def export_conversations(
    store: ConversationStore,
    destination: PathOrText,
    *,
    format: str | None = None,
    ids: Iterable[str] | None = None,
    raw: bool = True,
    on_error: OnBroken = "raise",
    progress: Progress | None = None,
) -> ExportReport:
    """Write conversations to a file: ``jsonl`` (lossless), ``markdown``, ``html`` or ``openai``.

    A file appears under its name when it is whole, and replaces one that was there. Only a page of
    messages is held at a time.

    Args:
        store: The store to read.
        destination: A path, or a text stream.
        format: None for the one of the path's suffix: ``.jsonl``, ``.md`` or ``.html``.
        ids: The conversations to export; None for all that `conversations` yields.
        raw: Whether the backends' own objects are written too (JSONL only).
        on_error: ``"skip"`` leaves out what cannot be read, and continues.
        progress: Called after each page of messages.

    Raises:
        InvalidError: The format is unknown, or the file cannot be written.
        ConfigError: The format needs libraries that are not installed.
        StoreError: The store cannot be read; no file is left.

    Example:
        with convostore.open("sqlite:///history.db") as store:
            report = convostore.export_conversations(store, "history.jsonl")
        print(report.conversations, "conversations,", report.messages, "messages")
    """
    send = sender({SourceCall: store})
    return run(Export(store, destination, format, ids, raw, on_error, progress).flow(), send)


async def aexport_conversations(
    store: AsyncConversationStore,
    destination: PathOrText,
    *,
    format: str | None = None,
    ids: Iterable[str] | None = None,
    raw: bool = True,
    on_error: OnBroken = "raise",
    progress: Progress | None = None,
) -> ExportReport:
    """Export as `export_conversations` does; the file is written in threads.

    Args:
        store: The store to read.
        destination: As `export_conversations`.
        format: As `export_conversations`.
        ids: As `export_conversations`.
        raw: As `export_conversations`.
        on_error: As `export_conversations`.
        progress: As `export_conversations`; called in the event loop.

    Raises:
        StoreError: As `export_conversations`.
    """
    send = async_sender({SourceCall: store})
    return await arun(Export(store, destination, format, ids, raw, on_error, progress).flow(), send)


def import_conversations(
    source: PathOrBytes,
    store: ConversationStore,
    *,
    format: str | None = None,
    name: str | None = None,
    owner: str | Unset | None = UNSET,
    metadata: Mapping[str, JSON] = MappingProxyType({}),
    dry_run: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Write the conversations of a file into a store; doing it twice changes nothing.

    It reads this library's JSONL, a ChatGPT export (the zip, its folder, or a `conversations.json`)
    and OpenAI-style messages. A conversation that the store has under the same id is continued if
    it is the beginning of the same one. Otherwise it is left alone and reported as skipped.

    Args:
        source: A path, or a binary stream.
        store: The store to write to; it must offer `create_conversation` and `append_messages`.
        format: ``jsonl``, ``chatgpt`` or ``openai``; None to recognise it from the content.
        name: The store to name in the conversations' `origin`, if the format is not this library's
            own; when None, ``"chatgpt"``, and no origin for OpenAI-style messages.
        owner: The owner of each conversation that is new, or None for none; by default, what the
            file says.
        metadata: Values for each conversation that is new, besides those that the file has.
        dry_run: Write nothing, and report what would be written.
        progress: Called after each write and each conversation.

    Raises:
        InvalidError: The file is broken, or nothing in it can be imported. Everything before the
            place where it is broken has been imported.
        UnsupportedError: The store cannot be written to, or has no owners or metadata.
        ForbiddenError: The store is read-only.
        StoreError: The store is out of reach. Everything written so far stays; importing again
            continues from there.
    """
    send = sender({TargetCall: store})
    given = ImportedFields(owner=owner, metadata=metadata)
    return run(Import(store, source, format, name, given, dry_run, progress).flow(), send)


async def aimport_conversations(
    source: PathOrBytes,
    store: AsyncConversationStore,
    *,
    format: str | None = None,
    name: str | None = None,
    owner: str | Unset | None = UNSET,
    metadata: Mapping[str, JSON] = MappingProxyType({}),
    dry_run: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Import as `import_conversations` does; the file is read in threads.

    Args:
        source: As `import_conversations`.
        store: The store to write to.
        format: As `import_conversations`.
        name: As `import_conversations`.
        owner: As `import_conversations`.
        metadata: As `import_conversations`.
        dry_run: As `import_conversations`.
        progress: As `import_conversations`; called in the event loop.

    Raises:
        StoreError: As `import_conversations`.
    """
    send = async_sender({TargetCall: store})
    given = ImportedFields(owner=owner, metadata=metadata)
    flow = Import(store, source, format, name, given, dry_run, progress).flow()
    return await arun(flow, send)
