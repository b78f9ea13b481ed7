"""`mirror`: all of a store copied into another, and kept in step with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from .._arguments import Destination, DestinationOptions, Place, Source
from .._confirm import Yes, agree, first_losses, of_deleting, prepare
from .._output import AsJSON, form, gathered
from .._progress import Bar, Progress, progress_bar
from ..errors import ExitCode
from ..options import Given, aopened, opened
from ..render.reports import write_report

if TYPE_CHECKING:
    from ...models import Conversation
    from ...store import ConversationStore
    from ...transfer import MirrorProgress, MirrorReport

__all__ = ["Wishes", "carry_out", "mirror"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How a mirror goes about it; see `convostore.mirror`."""

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
            help="What the copies know SRC by; without it, its address. Copies of another name "
            "are other copies.",
        ),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Look at every message, whatever the times say.")
    ] = False,
    new_only: Annotated[
        bool, typer.Option("--new-only", help="Leave what was copied whole before as it is.")
    ] = False,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete the copies of what SRC no longer has.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; tell what would be written.")
    ] = False,
    yes: Yes = False,
    as_json: AsJSON = False,
    given: Given = None,
    given_to_destination: DestinationOptions = None,
) -> None:
    """Copies all of a store into another one.

    Copies that were made before are brought up to date, and only what changed is written. It may
    be broken off at any point, and goes on when it is run again. With --delete you are shown what
    would go, and asked.

    Ends with 1 when a conversation had to be skipped.
    """
    if full and new_only:
        raise typer.BadParameter("choose one of the two", param_hint="--full / --new-only")
    wanted = form(as_json=as_json)
    ends = Place(source, given), Place(destination, given_to_destination)
    if delete and not dry_run and not yes:
        _agree_to_deletions(*ends, name)
    wishes = Wishes(name=name, full=full, new_only=new_only, delete=delete, dry_run=dry_run)
    report = carry_out(*ends, wishes)
    write_report(report, wanted, dry_run=dry_run)
    if report.skipped:
        raise typer.Exit(ExitCode.FAILED)


def carry_out(source: Place, destination: Place, wishes: Wishes) -> MirrorReport:
    """Mirrors, and tells meanwhile how far it has come; if it breaks off, how far that was."""
    import asyncio

    with progress_bar("mirroring", then="run it again to go on from there") as bar:
        return asyncio.run(_mirror(source, destination, wishes, bar))


async def _mirror(source: Place, destination: Place, wishes: Wishes, bar: Bar) -> MirrorReport:
    from ...transfer import amirror

    def tell(progress: MirrorProgress) -> None:
        bar.tell(
            Progress(conversations=progress.done, messages=progress.messages, total=progress.total)
        )

    async with (
        aopened(source.target, source.options) as here,
        aopened(destination.target, destination.options) as there,
    ):
        return await amirror(here, there, progress=tell, **asdict(wishes))


def _agree_to_deletions(source: Place, destination: Place, name: str | None) -> None:
    """Shows which copies would go, and asks; returns only when they may."""
    with (
        opened(source.target, source.options) as here,
        opened(destination.target, destination.options) as there,
    ):
        prepare(there, "delete_conversation", yes=False)
        going = _abandoned(here, there, name or here.label)
        agree(
            f"{len(going):,} of the copies in {there.label}, and from the others the messages "
            f"that {here.label} no longer has",
            list(first_losses(there, going)),
            of_deleting(there),
            yes=False,
        )


def _abandoned(
    source: ConversationStore, target: ConversationStore, name: str
) -> list[Conversation]:
    """The copies of what the source no longer lists."""
    from ...models import Origin
    from ...transfer._mirror import copy_id, refuse_to_delete_all

    def id_of_copy(conversation: Conversation) -> str:
        return copy_id(Origin(store=name, conversation_id=conversation.id))

    listed = set(gathered(map(id_of_copy, source.conversations()), "conversations"))

    def is_abandoned(copy: Conversation) -> bool:
        origin = copy.origin
        if origin is None or origin.store != name:
            return False
        return copy.id == copy_id(origin) and copy.id not in listed

    abandoned = list(filter(is_abandoned, target.conversations()))
    if not listed:
        refuse_to_delete_all(name, len(abandoned))
    return abandoned
