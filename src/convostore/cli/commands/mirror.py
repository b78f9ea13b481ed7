"""The command `mirror`: copy all of a store into another, and update the copies.

`convostore.transfer` does the copying.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from .._arguments import Destination, DestinationOptions, Place, Source
from .._confirm import Yes, confirm, delete_warnings, first_losses, prepare
from .._output import AsJSON, choose_form, collect
from .._progress import Bar, Progress, progress_bar
from ..errors import ExitCode, print_to_stderr
from ..options import Given, aopened, opened
from ..render.reports import write_report

if TYPE_CHECKING:
    from ...models import Conversation
    from ...store import ConversationStore
    from ...transfer import MirrorProgress, MirrorReport

__all__ = ["MirrorOptions", "mirror", "run_mirror"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorOptions:
    """The options of a mirror; see `convostore.mirror`."""

    name: str | None = None
    full: bool = False
    new_only: bool = False
    delete: bool = False
    dry_run: bool = False


def mirror(
    source: Source,
    destination: Destination,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The name of SRC in its copies; by default its address. Under another name, new "
            "copies are made.",
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="Compare every message, even where times say that nothing changed."
        ),
    ] = False,
    new_only: Annotated[
        bool, typer.Option("--new-only", help="Copy only new conversations; do not update copies.")
    ] = False,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete copies of what SRC no longer has.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; report what would be written.")
    ] = False,
    yes: Yes = False,
    as_json: AsJSON = False,
    given: Given = None,
    given_to_destination: DestinationOptions = None,
) -> None:
    """Copy a store into another one, again and again.

    A later run writes only what changed. You can interrupt it at any time, and run it again to
    continue. With --delete you are shown what would be deleted, and asked.

    Exits with 1 if a conversation had to be skipped.
    """
    if full and new_only:
        raise typer.BadParameter("cannot be combined: choose one", param_hint="--full / --new-only")
    form = choose_form(as_json=as_json)
    ends = Place(source, given), Place(destination, given_to_destination)
    if delete and not dry_run and not yes:
        _confirm_deletions(*ends, name)
    options = MirrorOptions(name=name, full=full, new_only=new_only, delete=delete, dry_run=dry_run)
    report = run_mirror(*ends, options)
    write_report(report, form, dry_run=dry_run)
    if report.skipped:
        raise typer.Exit(ExitCode.FAILED)


def run_mirror(source: Place, destination: Place, options: MirrorOptions) -> MirrorReport:
    """Mirror a store and show the progress; report how far an interrupted run came."""
    import asyncio

    with progress_bar("mirroring", advice="run it again to continue from there") as bar:
        report, label = asyncio.run(_mirror(source, destination, options, bar))
    if not (report.copied or report.updated or report.unchanged or report.skipped):
        print_to_stderr(f"nothing was copied: {label} lists no conversations")
    return report


async def _mirror(
    source: Place, destination: Place, options: MirrorOptions, bar: Bar
) -> tuple[MirrorReport, str]:
    from ...transfer import amirror

    def report(progress: MirrorProgress) -> None:
        bar.update(
            Progress(conversations=progress.done, messages=progress.messages, total=progress.total)
        )

    async with (
        aopened(source.target, source.options) as source_store,
        aopened(destination.target, destination.options, create=True) as target_store,
    ):
        done = await amirror(source_store, target_store, progress=report, **asdict(options))
        return done, source_store.label


def _confirm_deletions(source: Place, destination: Place, name: str | None) -> None:
    """Show which copies would be deleted, and ask; return only if they may be."""
    with (
        opened(source.target, source.options) as source_store,
        opened(destination.target, destination.options, create=True) as target_store,
    ):
        prepare(target_store, "delete_conversation", yes=False)
        copies = _abandoned(source_store, target_store, name or source_store.label)
        confirm(
            f"{len(copies):,} of the copies in {target_store.label}, and in the other copies the "
            f"messages that {source_store.label} no longer has",
            list(first_losses(target_store, copies)),
            delete_warnings(target_store),
            yes=False,
        )


def _abandoned(
    source: ConversationStore, target: ConversationStore, name: str
) -> list[Conversation]:
    """Return the copies of conversations that the source no longer lists."""
    from ...models import Origin
    from ...transfer import copy_id, refuse_to_delete_all

    def id_of_copy(conversation: Conversation) -> str:
        return copy_id(Origin(store=name, conversation_id=conversation.id))

    listed = set(collect(map(id_of_copy, source.conversations()), "conversations"))

    def is_abandoned(copy: Conversation) -> bool:
        origin = copy.origin
        if origin is None or origin.store != name:
            return False
        return copy.id == copy_id(origin) and copy.id not in listed

    abandoned = list(filter(is_abandoned, target.conversations()))
    if not listed:
        refuse_to_delete_all(name, len(abandoned))
    return abandoned
