"""The SQL statements, each compiled once for its database. Nothing is executed here.

They are written once for both databases with SQLAlchemy. Where the two differ, a method of
`Statements` branches on `Tables.is_sqlite`. Every statement restricts the namespace.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ClauseElement, ColumnElement

from convostore.search import Term

from .queries import Statement
from .rows import PINNED
from .tables import CONVERSATION_COLUMNS, MESSAGE_COLUMNS, Tables, tables_of

_MOST_GROUPS: Final = 32
_MOST_CHOICES: Final = 3
"""Bounds of an index query; `Search` checks the rest of the words on the candidates."""


class Statements:
    """The statements of one database, by what they do."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        c, m = tables.conversations, tables.messages
        self._c, self._m = c, m
        self._own = and_(c.c.namespace == bindparam("namespace"), c.c.id == bindparam("id"))
        self._of = and_(
            m.c.namespace == bindparam("namespace"), m.c.conversation_id == bindparam("id")
        )
        self._conversation = [c.c[name] for name in CONVERSATION_COLUMNS]
        self._message = [m.c[name] for name in MESSAGE_COLUMNS]
        self._compile_conversations()
        self._compile_deletions()
        self._compile_messages()
        self.version = self._read(select(tables.version.c.version))

    def _compile_conversations(self) -> None:
        c = self._c
        self.conversation = self._read(select(*self._conversation).where(self._own))
        self.conversation_count = self._read(
            select(func.count()).select_from(c).where(c.c.namespace == bindparam("namespace"))
        )
        self.locked_conversation = self._locked(select(*self._conversation).where(self._own))
        end = ("pinned", "created_at", "updated_at", "stored_at", "message_count", "next_seq")
        self.locked_end = self._locked(
            select(*[c.c[name] for name in end], self._next_number(), self._last_id()).where(
                self._own
            )
        )
        self.insert_conversation = self._inserts(c)
        self.save_conversation = self._write(update(c).where(self._own).values(_new_values(_SAVED)))
        self.save_title_words = self._save_words()
        self.touch_conversation = self._write(
            update(c).where(self._own).values(_new_values(_TOUCHED))
        )
        self.revise_conversation = self._write(
            update(c).where(self._own).values(_new_values(["revision"]))
        )

    def _compile_deletions(self) -> None:
        c, m = self._c, self._m
        of_namespace = c.c.namespace == bindparam("namespace")
        messages_of_namespace = m.c.namespace == bindparam("namespace")
        self.delete_conversation = self._write(delete(c).where(self._own))
        self.delete_messages = self._write(delete(m).where(self._of, m.c.seq > bindparam("seq")))
        added = m.c.seq.between(bindparam("first_seq"), bindparam("last_seq"))
        self.delete_added = self._write(delete(m).where(self._of, added))
        self.clear_conversations = self._write(delete(c).where(of_namespace))
        # After their conversations: messages of one that is created meanwhile stay.
        self.clear_messages = self._write(
            delete(m).where(
                messages_of_namespace,
                m.c.conversation_id.not_in(select(c.c.id).where(of_namespace)),
            )
        )
        self.delete_listed = self._write(delete(c).where(of_namespace, self._among(c.c.id, "ids")))
        self.delete_listed_messages = self._write(
            delete(m).where(messages_of_namespace, self._among(m.c.conversation_id, "ids"))
        )

    def _compile_messages(self) -> None:
        m, of = self._m, self._of
        message = select(*self._message).where(of)
        its_id = m.c.id == bindparam("message_id")
        orders = {"oldest_first": False, "newest_first": True}
        self.messages = {
            order: self._read(self._messages(newest_first=newest_first))
            for order, newest_first in orders.items()
        }
        self.messages_from = {
            order: self._read(self._messages(newest_first=newest_first, from_start=True))
            for order, newest_first in orders.items()
        }
        self.tip = self._read(select(m.c.seq, m.c.id).where(of).order_by(m.c.seq.desc()).limit(1))
        self.last_message = self._read(message.order_by(m.c.seq.desc()).limit(1))
        self.message = self._read(message.where(its_id))
        self.known_messages = self._read(message.where(self._among(m.c.id, "message_ids")))
        self.message_count = self._read(
            select(func.count()).select_from(m).where(of, m.c.seq <= bindparam("seq"))
        )
        self.tail_count = self._read(
            select(func.count()).select_from(m).where(of, m.c.seq > bindparam("seq"))
        )
        self.insert_messages = self._inserts(m)
        self.save_message = self._write(
            update(m).where(of, its_id).values(body=bindparam("new_body"))
        )
        self.update_message = self._update_message(its_id)
        self.delete_message = self._write(delete(m).where(of, its_id))
        self.fork_messages = self._fork()

    # Differences of the databases

    def words(self, words: Collection[str], mark: str) -> str:
        """Encode words for the index.

        PostgreSQL's array literal is built here, in a tenth of psycopg's time: no word has quotes.
        """
        marked = [mark + word for word in words]
        if self.tables.is_sqlite:
            return " ".join(marked)
        return '{"' + '","'.join(marked) + '"}' if marked else "{}"

    def texts(self, texts: Sequence[str]) -> str | list[str]:
        """Encode several texts as one value."""
        return json.dumps(texts) if self.tables.is_sqlite else list(texts)

    def _among(self, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
        """Return the condition that a column has one of the `texts` of a value."""
        if self.tables.is_sqlite:
            item = func.json_each(bindparam(name)).table_valued("value")
            return column.in_(select(item.c.value))
        return column == func.any(cast(bindparam(name), ARRAY(Text)))

    def _locked(self, query: Select[Any]) -> Statement:
        """Compile a query that locks its rows until the unit ends.

        On SQLite the transaction itself is the lock.
        """
        return self._write(query if self.tables.is_sqlite else query.with_for_update())

    def _next_number(self) -> ColumnElement[Any]:
        """Return the number of the next message on SQLite, by which the index refers to it."""
        if not self.tables.is_sqlite:
            return literal_column("0")
        highest = func.coalesce(func.max(self._m.c.number), literal_column("0"))
        return select(highest + literal_column("1")).scalar_subquery()

    def _last_id(self) -> ColumnElement[Any]:
        """Return the id of the last message, on SQLite.

        On PostgreSQL it would be of before the lock was waited for; there, `tip` reads it after.
        """
        if not self.tables.is_sqlite:
            return null()
        m = self._m
        return select(m.c.id).where(self._of).order_by(m.c.seq.desc()).limit(1).scalar_subquery()

    def _inserts(self, table: Any) -> tuple[Statement, ...]:
        """Compile the statements that insert a row and its words."""
        names = [column.name for column in table.c]
        if table is self._c and self.tables.is_sqlite:
            names.remove("number")
        values: dict[str, Any] = {name: bindparam(_value(table, name)) for name in names}
        statements = [self._write(self._insert(table).values(values))]
        if self.tables.is_sqlite:
            words = self.tables.words[table]
            if table is self._c:
                row = select(table.c.number, bindparam("words", type_=Text)).where(self._own)
                statements.append(self._write(insert(words).from_select(["rowid", "words"], row)))
            else:
                statements.append(
                    self._write(
                        insert(words).values(rowid=bindparam("number"), words=bindparam("words"))
                    )
                )
        return tuple(statements)

    def _insert(self, table: Any) -> Any:
        """Return an insert; that of messages skips those whose ids are stored already."""
        if table is self._c:
            return insert(table)
        dialect = sqlite if self.tables.is_sqlite else postgresql
        key = [table.c.namespace, table.c.conversation_id, table.c.id]
        return dialect.insert(table).on_conflict_do_nothing(index_elements=key)

    def _save_words(self) -> Statement:
        words = self.tables.words[self._c]
        if self.tables.is_sqlite:
            number = select(self._c.c.number).where(self._own).scalar_subquery()
            statement = update(words).where(words.c.rowid == number)
        else:
            statement = update(words).where(self._own)
        return self._write(statement.values(words=bindparam("new_words")))

    def _update_message(self, its_id: ColumnElement[bool]) -> tuple[Statement, ...]:
        """Compile the statements that store a message and its words in the place of another."""
        m = self._m
        words = self.tables.words[m]
        names = [*_UPDATED, *([] if self.tables.is_sqlite else ["words"])]
        statements = [self._write(update(m).where(self._of, its_id).values(_new_values(names)))]
        if self.tables.is_sqlite:
            number = select(m.c.number).where(self._of, its_id).scalar_subquery()
            changed = update(words).where(words.c.rowid == number)
            statements.append(self._write(changed.values(words=bindparam("new_words"))))
        return tuple(statements)

    def _fork(self) -> tuple[Statement, ...]:
        """Compile the statements that copy messages and their words, up to a place."""
        m = self._m
        old = m.alias("old")
        columns = [
            name
            for name in (column.name for column in m.c)
            if name not in {"number", "conversation_id"}
        ]
        messages = select(
            bindparam("new_id", type_=Text), *[old.c[name] for name in columns]
        ).where(
            old.c.namespace == bindparam("namespace"),
            old.c.conversation_id == bindparam("id"),
            old.c.seq <= bindparam("seq"),
        )
        statements = [
            self._write(
                insert(m).from_select(["conversation_id", *columns], messages.order_by(old.c.seq))
            )
        ]
        if self.tables.is_sqlite:
            words = self.tables.words[m]
            fork, old_words = m.alias("fork"), words.alias("old_words")
            copies = (
                select(fork.c.number, old_words.c.words)
                .select_from(fork)
                .join(
                    old,
                    and_(
                        old.c.namespace == fork.c.namespace,
                        old.c.conversation_id == bindparam("id"),
                        old.c.seq == fork.c.seq,
                    ),
                )
                .join(old_words, old_words.c.rowid == old.c.number)
                .where(
                    fork.c.namespace == bindparam("namespace"),
                    fork.c.conversation_id == bindparam("new_id"),
                )
            )
            statements.append(self._write(insert(words).from_select(["rowid", "words"], copies)))
        return tuple(statements)

    def index_query(self, terms: Sequence[Term], mark: str) -> tuple[dict[str, Any], int]:
        """Encode a search's terms as values for `search_titles` and `search_messages`.

        Returns:
            The values, and the number of words that have two alternative tokenizations.
        """
        groups = [group for term in terms for group in term.groups][:_MOST_GROUPS]
        if self.tables.is_sqlite:
            return {"match": " AND ".join(_fts5(group, mark) for group in groups)}, 0
        sure = sorted({mark + word for group in groups if len(group) == 1 for word in group[0]})
        choices = [group for group in groups if len(group) > 1][:_MOST_CHOICES]
        values: dict[str, Any] = {"sure": sure}
        for number, group in enumerate(choices):
            for side, words in zip("ab", group, strict=True):
                values[f"{side}{number}"] = sorted(mark + word for word in words)
        return values, len(choices)

    def _candidates(self, table: Any, choices: int) -> ColumnElement[bool]:
        """Return the condition that the index names a row of a table."""
        words = self.tables.words[table]
        if self.tables.is_sqlite:
            matching = literal_column(words.name).op("MATCH")(bindparam("match"))
            return and_(matching, words.c.rowid == table.c.number)
        conditions = [self._holds(words, "sure")]
        conditions += [
            or_(self._holds(words, f"a{number}"), self._holds(words, f"b{number}"))
            for number in range(choices)
        ]
        return and_(*conditions)

    @staticmethod
    def _holds(words: Any, name: str) -> ColumnElement[bool]:
        holds: ColumnElement[bool] = words.c.words.op("@>")(cast(bindparam(name), ARRAY(Text)))
        return holds

    # Search

    @cache  # noqa: B019  # one entry per combination of restrictions
    def search_titles(self, choices: int, restricted: frozenset[str]) -> Statement:
        """Compile the query for conversations whose titles the index names, the newest first."""
        c = self._c
        made_at = func.coalesce(c.c.created_at, c.c.stored_at)
        restrictions = {
            "id": c.c.id == bindparam("id"),
            "since": made_at >= bindparam("since"),
            "until": made_at < bindparam("until"),
            **self._owned(c),
        }
        place = tuple_(-made_at, c.c.id)
        page = self._page(
            select(*self._conversation, -made_at)
            .where(
                c.c.namespace == bindparam("namespace"),
                self._candidates(c, choices),
                place > tuple_(bindparam("after_time"), bindparam("after_id")),
                *[restrictions[name] for name in sorted(restricted)],
            )
            .order_by((-made_at).asc(), c.c.id)
        )
        return self._read(page)

    @cache  # noqa: B019
    def search_messages(self, choices: int, restricted: frozenset[str]) -> Statement:
        """Compile the query for messages that the index names, with their conversations."""
        c, m = self._c, self._m
        restrictions = {
            "id": m.c.conversation_id == bindparam("id"),
            "role": m.c.role == bindparam("role"),
            "since": m.c.said_at >= bindparam("since"),
            "until": m.c.said_at < bindparam("until"),
            **{name: self._within(owned) for name, owned in self._owned(c).items()},
        }
        order = (-m.c.said_at, m.c.conversation_id, self._newest_place(m))
        last = tuple_(bindparam("after_time"), bindparam("after_id"), bindparam("after_seq"))
        # The places first, so that no more bodies are fetched than rows are returned. Each table
        # has its own condition on the namespace: nothing else makes the planner prune partitions.
        page = self._page(
            select(m.c.conversation_id, m.c.seq, m.c.id, m.c.said_at)
            .where(
                m.c.namespace == bindparam("namespace"),
                self._candidates(m, choices),
                tuple_(*order) > last,
                *[restrictions[name] for name in sorted(restricted)],
            )
            .order_by(*order)
        )
        first = page.subquery("first")
        namespace: Any = bindparam("namespace")
        message, its_message = self._looked_up(
            m,
            m.c.namespace == namespace,
            m.c.conversation_id == first.c.conversation_id,
            m.c.seq == first.c.seq,
            # Either index then finds the row: without statistics PostgreSQL may choose any.
            m.c.id == first.c.id,
        )
        conversation, its_conversation = self._looked_up(
            c, c.c.namespace == namespace, c.c.id == first.c.conversation_id
        )
        return self._read(
            select(
                *[conversation.c[name] for name in CONVERSATION_COLUMNS],
                -first.c.said_at,
                first.c.conversation_id,
                *[message.c[name] for name in MESSAGE_COLUMNS],
            )
            .select_from(first)
            .join(message, its_message)
            # A message whose conversation is not found counts, or the rest would not be asked for.
            .outerjoin(conversation, its_conversation)
            .order_by(-first.c.said_at, first.c.conversation_id, self._newest_place(first))
        )

    def _newest_place(self, messages: Any) -> ColumnElement[Any]:
        """Return what sorts the messages of a conversation, the newest first.

        SQLite takes the negative of a text for 0, as if it were the first message: two messages
        would have one place, and what follows it could not be found.
        """
        newest: ColumnElement[Any] = -messages.c.seq
        if not self.tables.is_sqlite:
            return newest
        is_integer = func.typeof(messages.c.seq) == literal_column("'integer'")
        return case((is_integer, newest), else_=literal_column("''"))

    def _looked_up(
        self, table: Any, *where: ColumnElement[bool]
    ) -> tuple[Any, ColumnElement[bool]]:
        """Return a table that has one row for each row before it, and the condition of the join.

        With LATERAL and LIMIT 1 PostgreSQL looks up each row, and never scans the namespace.
        """
        if self.tables.is_sqlite:
            return table, and_(*where)
        return select(table).where(*where).limit(1).lateral(), true()

    # Lists

    @cache  # noqa: B019  # one entry per combination of restrictions
    def conversations(self, restricted: frozenset[str], *, reverse: bool) -> Statement:
        """Compile the query for a page of conversations that follow a place."""
        place = tuple_(bindparam("rank"), bindparam("after_id"))
        return self._read(self._list(place, restricted, reverse=reverse))

    @cache  # noqa: B019
    def conversations_from(self, restricted: frozenset[str], *, reverse: bool) -> Statement:
        """Compile the query for a page of conversations that begins with one of them, or empty."""
        start = self._c.alias("start")
        page = self._list(tuple_(start.c.rank, start.c.id), restricted, reverse, inclusive=True)
        its_id = and_(
            start.c.namespace == bindparam("namespace"), start.c.id == bindparam("start_id")
        )
        if self.tables.is_sqlite:
            return self._read(page.where(its_id))
        within = page.correlate(start).lateral("page")
        return self._read(select(within).select_from(start).join(within, true()).where(its_id))

    @cache  # noqa: B019
    def locked_ids(self, restricted: frozenset[str]) -> Statement:
        """Compile the query for the ids of conversations, locked until the unit ends."""
        c = self._c
        return self._locked(
            select(c.c.id).where(
                c.c.namespace == bindparam("namespace"), *self._restrictions(restricted)
            )
        )

    def _list(
        self,
        place: ColumnElement[Any],
        restricted: frozenset[str],
        reverse: bool,
        *,
        inclusive: bool = False,
    ) -> Select[Any]:
        c = self._c
        own_place = tuple_(c.c.rank, c.c.id)
        if inclusive:
            beyond = own_place <= place if reverse else own_place >= place
        else:
            beyond = own_place < place if reverse else own_place > place
        rank, identity = (c.c.rank.desc(), c.c.id.desc()) if reverse else (c.c.rank, c.c.id)
        return self._page(
            select(*self._conversation)
            .where(c.c.namespace == bindparam("namespace"), beyond, *self._restrictions(restricted))
            .order_by(rank, identity)
        )

    def _restrictions(self, restricted: frozenset[str]) -> list[ColumnElement[bool]]:
        restrictions = {"older": self._is_old(), **self._owned(self._c)}
        return [restrictions[name] for name in sorted(restricted)]

    @staticmethod
    def _owned(conversations: Any) -> dict[str, ColumnElement[bool]]:
        owner = conversations.c.owner
        return {"owner": owner == bindparam("owner"), "unowned": owner.is_(None)}

    def _within(self, owned: ColumnElement[bool]) -> ColumnElement[bool]:
        """Return the condition that a message's conversation meets another one."""
        c = self._c
        its_conversation = and_(
            c.c.namespace == bindparam("namespace"), c.c.id == self._m.c.conversation_id
        )
        return select(c.c.id).where(its_conversation, owned).exists()

    def _is_old(self) -> ColumnElement[bool]:
        """Return the condition that a conversation was last active before a time, if at any."""
        c = self._c
        return and_(
            or_(
                and_(c.c.rank > bindparam("newest"), c.c.rank > -PINNED // 2),
                and_(c.c.rank > bindparam("newest_pinned"), c.c.rank <= -PINNED // 2),
            ),
            func.coalesce(c.c.updated_at, c.c.created_at).is_not(None),
        )

    def _messages(self, *, newest_first: bool, from_start: bool = False) -> Select[Any]:
        """Build the query for a page of messages with the number of all; one empty row if none.

        SQLite follows the index next to the conversation's row. PostgreSQL would read and sort all
        messages beyond the place; there, a subquery limits the page first.
        """
        c, m = self._c, self._m
        if from_start:
            start = self._place_of_start()
            beyond = m.c.seq <= start if newest_first else m.c.seq >= start
        else:
            beyond = m.c.seq < bindparam("seq") if newest_first else m.c.seq > bindparam("seq")
        columns: list[ColumnElement[Any]] = list(self._message)
        if self.tables.is_sqlite:
            same = (m.c.namespace == c.c.namespace, m.c.conversation_id == c.c.id)
            source = c.outerjoin(m, and_(*same, beyond))
            place: ColumnElement[Any] = m.c.seq
        else:
            page = _ordered(select(*columns).where(self._of, beyond), m.c.seq, newest_first)
            subquery = page.limit(bindparam("limit")).subquery("page")
            source = c.outerjoin(subquery, true())
            columns, place = list(subquery.c), subquery.c.seq
        query = select(c.c.message_count, *columns).select_from(source).where(self._own)
        return self._page(_ordered(query, place, newest_first))

    def _page(self, query: Select[Any]) -> Select[Any]:
        """Limit a query to a page; in SQLite, after rows that have no place to begin after."""
        page = query.limit(bindparam("limit"))
        return page.offset(bindparam("skipped")) if self.tables.is_sqlite else page

    def _place_of_start(self) -> ColumnElement[Any]:
        start = self._m.alias("start")
        return (
            select(start.c.seq)
            .where(
                start.c.namespace == bindparam("namespace"),
                start.c.conversation_id == bindparam("id"),
                start.c.id == bindparam("start_id"),
            )
            .scalar_subquery()
        )

    # Compilation

    def _read(self, statement: ClauseElement) -> Statement:
        return self._compiled(statement, writes=False)

    def _write(self, statement: ClauseElement) -> Statement:
        return self._compiled(statement, writes=True)

    def _compiled(self, statement: ClauseElement, *, writes: bool) -> Statement:
        compiled = statement.compile(dialect=self.tables.dialect)
        keys = tuple(getattr(compiled, "positiontup", None) or ())
        constants = {key: value for key, value in compiled.params.items() if value is not None}
        return Statement(str(compiled), keys, writes, constants)


def _ordered(query: Select[Any], place: ColumnElement[Any], newest_first: bool) -> Select[Any]:
    return query.order_by(place.desc() if newest_first else place)


_SAVED: Final = (
    "title",
    "pinned",
    "created_at",
    "updated_at",
    "rank",
    "body",
    "owner",
    "revision",
)
_TOUCHED: Final = ("updated_at", "rank", "message_count", "next_seq", "revision")
_UPDATED: Final = ("role", "said_at", "body", "stored_at")


def _new_values(names: Iterable[str]) -> dict[str, Any]:
    return {name: bindparam(f"new_{name}") for name in names}


def _value(table: Any, name: str) -> str:
    """Return the name of a column's value; `id` is the conversation's in both tables."""
    if table.name == "convostore_messages":
        return {"id": "message_id", "conversation_id": "id"}.get(name, name)
    return name


def _fts5(group: Sequence[frozenset[str]], mark: str) -> str:
    """Encode one word of a search, with its alternative tokenizations, for FTS5."""
    alternatives = [" AND ".join(f'"{mark}{word}"' for word in sorted(words)) for words in group]
    return f"(({') OR ('.join(alternatives)}))"


@cache
def statements_of(name: str) -> Statements:
    """Return the statements of SQLite or PostgreSQL, compiled at the first call."""
    return Statements(tables_of(name))
