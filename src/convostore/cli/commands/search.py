"""The command `search`: in the store itself, or in a local archive of it.

The stores decide what matches.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ...errors import ConfigError
from .._archive import archive_file, archive_target
from .._arguments import Place
from .._completion import complete_conversation
from .._confirm import ask_yes_no, can_ask, print_wrapped
from .._filters import (
    MessagesSince,
    MessagesUntil,
    Owner,
    WithoutOwner,
    parse_owner,
    parse_since,
    parse_until,
)
from .._lookup import find_id
from .._output import (
    AsJSON,
    AsLines,
    Form,
    WithRaw,
    choose_form,
    collect,
    display_paged,
    plain,
    write,
    write_json,
)
from ..errors import ExitCode, print_to_stderr
from ..options import Given, Target, opened
from ..render.reports import skipped_lines
from ..render.text import backend_of, hit_line
from .mirror import MirrorOptions, run_mirror

if TYPE_CHECKING:
    from ...models import Role, Unset
    from ...search import Hit
    from ...store import ConversationStore

__all__ = ["search"]

_LIMIT: Final = 20
_LARGEST_PAGE: Final = 100


class _Role(Enum):
    """The roles of messages."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Query:
    """The arguments of a search; see `ConversationStore.search`."""

    text: str
    conversation_id: str | None
    role: Role | None
    since: datetime | None
    until: datetime | None
    owner: str | Unset | None


def search(
    target: Target,
    query: Annotated[
        list[str],
        typer.Argument(
            metavar="QUERY", help="Words that must all occur; '\"in quotes\"' is a phrase."
        ),
    ],
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Show at most N hits.")] = _LIMIT,
    role: Annotated[
        _Role | None, typer.Option(help="Only messages of this role; titles are not searched.")
    ] = None,
    conversation_id: Annotated[
        str | None,
        typer.Option(
            "--in",
            metavar="ID",
            autocompletion=complete_conversation,
            help="Only in this conversation; - is the last active one.",
        ),
    ] = None,
    since: MessagesSince = None,
    until: MessagesUntil = None,
    owner: Owner = None,
    without_owner: WithoutOwner = False,
    mirror: Annotated[
        bool,
        typer.Option(
            "--mirror", help="Copy the store into a local archive and search the archive."
        ),
    ] = False,
    archive: Annotated[
        str | None,
        typer.Option(
            metavar="DSN",
            help="The archive to use with --mirror; by default each store has its own file.",
        ),
    ] = None,
    as_json: AsJSON = False,
    as_lines: AsLines = False,
    raw: WithRaw = False,
    given: Given = None,
) -> None:
    """Search titles, messages, and the titles of their sources.

    Hits in titles come first, then hits in messages, each with the newest first. In a pipe it is
    one line per hit: conversation, message, time, role, title and snippet, separated by tabs.

    If the backend cannot search, use --mirror; at a terminal you are asked. Exits with 1 if a
    conversation could not be copied into the archive.
    """
    if archive is not None and not mirror:
        raise typer.BadParameter("requires --mirror", param_hint="--archive")
    form = choose_form(as_json=as_json, as_lines=as_lines, raw=raw)
    terms = _Query(
        text=" ".join(query),
        conversation_id=conversation_id,
        role=None if role is None else role.value,
        since=parse_since(since),
        until=parse_until(until),
        owner=parse_owner(owner, without=without_owner),
    )
    with _open_scope(Place(target, given), terms, archive, mirror=mirror) as scope:
        hits = scope.hits(size=min(limit + 1, _LARGEST_PAGE))
        _show(hits, limit, form, raw=raw)
    if scope.incomplete:
        raise typer.Exit(ExitCode.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scope:
    """A store to search: the one that was named, or an archive with copies of it.

    Attributes:
        query: The query, with the whole id of the conversation if it names one.
        copies_of: The name of the original store in its copies; None for the store itself.
        incomplete: Whether some conversations could not be copied.
    """

    store: ConversationStore
    query: _Query
    copies_of: str | None = None
    incomplete: bool = False

    def hits(self, *, size: int) -> Iterator[Hit]:
        """Yield the hits, with their ids in the store that was named."""
        local = replace(self.query, conversation_id=self._local_id(self.query.conversation_id))
        for hit in _hits(self.store, local, size):
            if self.copies_of is None:
                yield hit
            elif (origin := hit.conversation.origin) and origin.store == self.copies_of:
                original = hit.conversation.model_copy(update={"id": origin.conversation_id})
                yield hit.model_copy(update={"conversation": original})

    def _local_id(self, conversation_id: str | None) -> str | None:
        if conversation_id is None or self.copies_of is None:
            return conversation_id
        from ...models import Origin
        from ...transfer import copy_id

        return copy_id(Origin(store=self.copies_of, conversation_id=conversation_id))


@contextmanager
def _open_scope(
    place: Place, query: _Query, archive: str | None, *, mirror: bool
) -> Iterator[_Scope]:
    with opened(place.target, place.options) as store:
        if query.conversation_id is not None:
            query = replace(query, conversation_id=find_id(store, query.conversation_id))
        if not mirror and (store.offers("search") or not _wants_archive(store)):
            yield _Scope(store=store, query=query)
            return
        label = store.label
    archive_dsn = archive if archive is not None else archive_target(label)
    report = run_mirror(place, Place(archive_dsn), MirrorOptions())
    for line in skipped_lines(report.skipped):
        print_to_stderr(line)
    with opened(archive_dsn, None, create=True) as copies:  # of an empty store there is no file
        yield _Scope(store=copies, query=query, copies_of=label, incomplete=bool(report.skipped))


def _wants_archive(store: ConversationStore) -> bool:
    """Ask whether to copy a store that cannot search.

    Raises:
        ConfigError: There is no terminal to ask at.
        typer.Exit: The answer was no.
    """
    cannot = f"{backend_of(store.label)} does not offer search"
    if not can_ask():
        raise ConfigError(
            f"{cannot}: --mirror copies it into a local archive and searches the archive"
        )
    print_wrapped(f"{cannot}. It can be copied into a local archive, which is searched instead:")
    print_to_stderr(f"  {archive_file(store.label)}")
    if not ask_yes_no("Copy it?"):
        print_to_stderr("nothing was copied")
        raise typer.Exit(ExitCode.FAILED)
    return True


def _hits(store: ConversationStore, query: _Query, size: int) -> Iterator[Hit]:
    """Yield all hits, from pages of a size."""
    cursor: str | None = None
    while True:
        page = store.search(
            query.text,
            limit=size,
            cursor=cursor,
            conversation_id=query.conversation_id,
            role=query.role,
            since=query.since,
            until=query.until,
            owner=query.owner,
        )
        yield from page.items
        if (cursor := page.cursor) is None:
            return


def _show(hits: Iterator[Hit], limit: int, form: Form, *, raw: bool) -> None:
    shown = islice(hits, limit)
    if form is Form.JSON:
        write_json([_document(hit, raw=raw) for hit in collect(shown, "hits")], indent=2)
    elif form is Form.TERMINAL:
        _show_on_terminal(collect(shown, "hits"))
    else:
        for hit in shown:
            if form is Form.JSON_LINES:
                write_json(_document(hit, raw=raw))
            else:
                write(hit_line(hit))
    if next(hits, None) is not None:
        print_to_stderr("there are more hits: --limit N shows more")


def _show_on_terminal(hits: list[Hit]) -> None:
    if not hits:
        print_to_stderr("no hits")
        return
    from ..render.terminal import hits_list

    display_paged([hits_list(hits)])


def _document(hit: Hit, *, raw: bool) -> dict[str, Any]:
    return {
        "conversation": plain(hit.conversation, raw=raw),
        "message": None if hit.message is None else plain(hit.message, raw=raw),
        "where": hit.where,
        "snippet": hit.snippet.model_dump(),
    }
