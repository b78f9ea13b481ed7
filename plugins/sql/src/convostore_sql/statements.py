"""The statements, each compiled once for its database; nothing is carried out here.

They are written once for both databases in SQLAlchemy's terms. Where the two differ, a method of
`Statements` says so. Every statement carries the namespace.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal_column,
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
from .tables import CONVERSATION_COLUMNS, Tables, tables_of

_MOST_GROUPS: Final = 32
_MOST_CHOICES: Final = 3
"""How much of a query an index is asked for; the rest is left to the check of what it names."""


class Statements:
    """The statements of one database, by what they do."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        c, m = tables.conversations, tables.messages
        self._c, self._m = c, m
        self._own = and_(c.c.namespace == bindparam("namespace"), c.c.id == bindparam("id"))
        self._of = of = and_(
            m.c.namespace == bindparam("namespace"), m.c.conversation_id == bindparam("id")
        )
        self._conversation = [c.c[name] for name in CONVERSATION_COLUMNS]

        self.conversation = self._read(select(*self._conversation).where(self._own))
        self.conversations = self._read(self._list())
        self.old_conversations = self._read(self._list().where(self._is_old()))
        self.locked_conversation = self._locked(select(*self._conversation).where(self._own))
        self.locked_end = self._locked(
            select(
                c.c.pinned, c.c.updated_at, c.c.message_count, c.c.next_seq, self._next_number()
            ).where(self._own)
        )
        self.insert_conversation = self._inserting(c)
        self.save_conversation = self._compiled(
            update(c).where(self._own).values({name: bindparam(f"new_{name}") for name in _SAVED}),
            writes=True,
        )
        self.save_title_words = self._saving_words()
        self.touch_conversation = self._compiled(
            update(c)
            .where(self._own)
            .values(
                {
                    name: bindparam(f"new_{name}")
                    for name in ("updated_at", "rank", "message_count", "next_seq")
                }
            ),
            writes=True,
        )
        self.delete_conversation = self._compiled(delete(c).where(self._own), writes=True)
        self.delete_messages = self._compiled(
            delete(m).where(of, m.c.seq > bindparam("seq")), writes=True
        )
        self.clear_conversations = self._compiled(
            delete(c).where(c.c.namespace == bindparam("namespace")), writes=True
        )
        # After those of their conversations: what another one writes meanwhile stays.
        self.clear_messages = self._compiled(
            delete(m).where(
                m.c.namespace == bindparam("namespace"),
                m.c.conversation_id.not_in(
                    select(c.c.id).where(c.c.namespace == bindparam("namespace"))
                ),
            ),
            writes=True,
        )
        self.locked_old_ids = self._locked(
            select(c.c.id).where(c.c.namespace == bindparam("namespace"), self._is_old())
        )
        self.delete_listed = self._compiled(
            delete(c).where(c.c.namespace == bindparam("namespace"), self._among(c.c.id, "ids")),
            writes=True,
        )
        self.delete_listed_messages = self._compiled(
            delete(m).where(
                m.c.namespace == bindparam("namespace"),
                self._among(m.c.conversation_id, "ids"),
            ),
            writes=True,
        )

        self.messages = {
            "oldest_first": self._read(self._messages(newest_first=False)),
            "newest_first": self._read(self._messages(newest_first=True)),
        }
        self.tip = self._read(select(m.c.seq, m.c.id).where(of).order_by(m.c.seq.desc()).limit(1))
        self.message = self._read(
            select(m.c.seq, m.c.id, m.c.role, m.c.body).where(of, m.c.id == bindparam("message_id"))
        )
        self.known_messages = self._read(
            select(m.c.seq, m.c.id, m.c.role, m.c.body).where(
                of, self._among(m.c.id, "message_ids")
            )
        )
        self.message_count = self._read(
            select(func.count()).select_from(m).where(of, m.c.seq <= bindparam("seq"))
        )
        self.insert_messages = self._inserting(m)
        self.save_message = self._compiled(
            update(m)
            .where(of, m.c.id == bindparam("message_id"))
            .values(body=bindparam("new_body")),
            writes=True,
        )
        self.delete_message = self._compiled(
            delete(m).where(of, m.c.id == bindparam("message_id")), writes=True
        )
        self.fork_messages = self._forking()
        self.version = self._read(select(tables.version.c.version))

    # What differs

    def words(self, words: Collection[str], mark: str) -> str:
        """Words as the index takes them.

        PostgreSQL's array is written here, in a tenth of psycopg's time: no word holds a quote.
        """
        marked = [mark + word for word in words]
        if self.tables.is_sqlite:
            return " ".join(marked)
        return '{"' + '","'.join(marked) + '"}' if marked else "{}"

    def texts(self, texts: Sequence[str]) -> str | list[str]:
        """Several texts as one value."""
        return json.dumps(texts) if self.tables.is_sqlite else list(texts)

    def _among(self, column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
        """Whether a column holds one of the `texts` that a value names."""
        if self.tables.is_sqlite:
            each = func.json_each(bindparam(name)).table_valued("value")
            return column.in_(select(each.c.value))
        return column == func.any(cast(bindparam(name), ARRAY(Text)))

    def _locked(self, query: Select[Any]) -> Statement:
        """A look at rows that the unit is going to change: others wait until it has ended.

        On SQLite the transaction itself is the lock.
        """
        return self._compiled(
            query if self.tables.is_sqlite else query.with_for_update(), writes=True
        )

    def _next_number(self) -> ColumnElement[Any]:
        """On SQLite, the number that the next message gets, by which its words are found."""
        if not self.tables.is_sqlite:
            return literal_column("0")
        highest = func.coalesce(func.max(self._m.c.number), literal_column("0"))
        return select(highest + literal_column("1")).scalar_subquery()

    def _inserting(self, table: Any) -> tuple[Statement, ...]:
        """Inserts rows with their words."""
        names = [column.name for column in table.c]
        if table is self._c and self.tables.is_sqlite:
            names.remove("number")
        values: dict[str, Any] = {name: bindparam(_value(table, name)) for name in names}
        made = [self._compiled(self._new(table).values(values), writes=True)]
        if self.tables.is_sqlite:
            words = self.tables.words[table]
            if table is self._c:
                found = select(table.c.number, bindparam("words", type_=Text)).where(self._own)
                made.append(
                    self._compiled(
                        insert(words).from_select(["rowid", "words"], found), writes=True
                    )
                )
            else:
                made.append(
                    self._compiled(
                        insert(words).values(rowid=bindparam("number"), words=bindparam("words")),
                        writes=True,
                    )
                )
        return tuple(made)

    def _new(self, table: Any) -> Any:
        """An insert; that of messages leaves out those whose ids are there already."""
        if table is self._c:
            return insert(table)
        dialect = sqlite if self.tables.is_sqlite else postgresql
        taken = [table.c.namespace, table.c.conversation_id, table.c.id]
        return dialect.insert(table).on_conflict_do_nothing(index_elements=taken)

    def _saving_words(self) -> Statement:
        words = self.tables.words[self._c]
        if self.tables.is_sqlite:
            number = select(self._c.c.number).where(self._own).scalar_subquery()
            statement = update(words).where(words.c.rowid == number)
        else:
            statement = update(words).where(self._own)
        return self._compiled(statement.values(words=bindparam("new_words")), writes=True)

    def _forking(self) -> tuple[Statement, ...]:
        """Copies messages with their words, up to a place."""
        m = self._m
        old = m.alias("old")
        copied = [
            name
            for name in (column.name for column in m.c)
            if name not in {"number", "conversation_id"}
        ]
        found = select(bindparam("new_id", type_=Text), *[old.c[name] for name in copied]).where(
            old.c.namespace == bindparam("namespace"),
            old.c.conversation_id == bindparam("id"),
            old.c.seq <= bindparam("seq"),
        )
        made = [
            self._compiled(
                insert(m).from_select(["conversation_id", *copied], found.order_by(old.c.seq)),
                writes=True,
            )
        ]
        if self.tables.is_sqlite:
            words = self.tables.words[m]
            fork, kept = m.alias("fork"), words.alias("kept")
            again = (
                select(fork.c.number, kept.c.words)
                .select_from(fork)
                .join(
                    old,
                    and_(
                        old.c.namespace == fork.c.namespace,
                        old.c.conversation_id == bindparam("id"),
                        old.c.seq == fork.c.seq,
                    ),
                )
                .join(kept, kept.c.rowid == old.c.number)
                .where(
                    fork.c.namespace == bindparam("namespace"),
                    fork.c.conversation_id == bindparam("new_id"),
                )
            )
            made.append(
                self._compiled(insert(words).from_select(["rowid", "words"], again), writes=True)
            )
        return tuple(made)

    def asked(self, terms: Sequence[Term], mark: str) -> tuple[dict[str, Any], int]:
        """What an index is asked for: values of `found_titles` and `found_messages`.

        Returns:
            The values, and how many of the query's words may stand in one of two ways.
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
        """Whether the index names a row of a table."""
        words = self.tables.words[table]
        if self.tables.is_sqlite:
            matching = literal_column(words.name).op("MATCH")(bindparam("match"))
            return and_(matching, words.c.rowid == table.c.number)
        asked = [self._holds(words, "sure")]
        asked += [
            or_(self._holds(words, f"a{number}"), self._holds(words, f"b{number}"))
            for number in range(choices)
        ]
        return and_(*asked)

    @staticmethod
    def _holds(words: Any, name: str) -> ColumnElement[bool]:
        held: ColumnElement[bool] = words.c.words.op("@>")(cast(bindparam(name), ARRAY(Text)))
        return held

    # Searching

    @cache  # noqa: B019  # as many as there are combinations of restrictions, for one store
    def found_titles(self, choices: int, restricted: frozenset[str]) -> Statement:
        """The conversations whose titles the index names, the newest first, from a place on."""
        c = self._c
        made_at = func.coalesce(c.c.created_at, c.c.stored_at)
        restrictions = {
            "id": c.c.id == bindparam("id"),
            "since": made_at >= bindparam("since"),
            "until": made_at < bindparam("until"),
        }
        place = tuple_(-made_at, c.c.id)
        return self._read(
            select(*self._conversation, -made_at)
            .where(
                c.c.namespace == bindparam("namespace"),
                self._candidates(c, choices),
                place > tuple_(bindparam("after_time"), bindparam("after_id")),
                *[restrictions[name] for name in sorted(restricted)],
            )
            .order_by((-made_at).asc(), c.c.id)
            .limit(bindparam("limit"))
        )

    @cache  # noqa: B019
    def found_messages(self, choices: int, restricted: frozenset[str]) -> Statement:
        """The messages that the index names, with their conversations, from a place on."""
        c, m = self._c, self._m
        restrictions = {
            "id": m.c.conversation_id == bindparam("id"),
            "role": m.c.role == bindparam("role"),
            "since": m.c.said_at >= bindparam("since"),
            "until": m.c.said_at < bindparam("until"),
        }
        place = tuple_(-m.c.said_at, m.c.conversation_id, -m.c.seq)
        last = tuple_(bindparam("after_time"), bindparam("after_id"), bindparam("after_seq"))
        # The places first, so that only as many bodies are fetched as are wanted. Each table is
        # told the namespace by itself: partitions are left out for nothing else.
        first = (
            select(m.c.conversation_id, m.c.seq, m.c.id, m.c.said_at)
            .where(
                m.c.namespace == bindparam("namespace"),
                self._candidates(m, choices),
                place > last,
                *[restrictions[name] for name in sorted(restricted)],
            )
            .order_by((-m.c.said_at).asc(), m.c.conversation_id, (-m.c.seq).asc())
            .limit(bindparam("limit"))
            .subquery("first")
        )
        namespace: Any = bindparam("namespace")
        message, its_message = self._looked_up(
            m,
            m.c.namespace == namespace,
            m.c.conversation_id == first.c.conversation_id,
            m.c.seq == first.c.seq,
            # Either index then finds the row: without statistics PostgreSQL takes any.
            m.c.id == first.c.id,
        )
        conversation, its_conversation = self._looked_up(
            c, c.c.namespace == namespace, c.c.id == first.c.conversation_id
        )
        return self._read(
            select(
                *[conversation.c[name] for name in CONVERSATION_COLUMNS],
                -first.c.said_at,
                first.c.seq,
                *[message.c[name] for name in ("id", "role", "body")],
            )
            .select_from(first)
            .join(message, its_message)
            .join(conversation, its_conversation)
            .order_by((-first.c.said_at).asc(), first.c.conversation_id, (-first.c.seq).asc())
        )

    def _looked_up(
        self, table: Any, *where: ColumnElement[bool]
    ) -> tuple[Any, ColumnElement[bool]]:
        """A table of which each row before it meets one, and how they are joined.

        PostgreSQL looks it up then, and cannot take to reading all of a namespace instead.
        """
        if self.tables.is_sqlite:
            return table, and_(*where)
        return select(table).where(*where).limit(1).lateral(), true()

    # Lists

    def _list(self) -> Select[Any]:
        c = self._c
        return (
            select(*self._conversation, c.c.rank)
            .where(
                c.c.namespace == bindparam("namespace"),
                tuple_(c.c.rank, c.c.id) > tuple_(bindparam("rank"), bindparam("after_id")),
            )
            .order_by(c.c.rank, c.c.id)
            .limit(bindparam("limit"))
        )

    def _is_old(self) -> ColumnElement[bool]:
        """Whether a conversation was last active before a time; one without a time was not."""
        c = self._c
        return and_(
            or_(
                and_(c.c.rank > bindparam("newest"), c.c.rank > -PINNED // 2),
                and_(c.c.rank > bindparam("newest_pinned"), c.c.rank <= -PINNED // 2),
            ),
            func.coalesce(c.c.updated_at, c.c.created_at).is_not(None),
        )

    def _messages(self, *, newest_first: bool) -> Select[Any]:
        """A page of messages, beside the number of all; one empty row when there is none.

        SQLite walks the index beside the conversation's row. PostgreSQL would read all that is
        beyond the place and sort it: there, the page is cut by itself first.
        """
        c, m = self._c, self._m
        beyond = m.c.seq < bindparam("seq") if newest_first else m.c.seq > bindparam("seq")
        shown: list[ColumnElement[Any]] = [m.c.seq, m.c.id, m.c.role, m.c.body]
        if self.tables.is_sqlite:
            same = (m.c.namespace == c.c.namespace, m.c.conversation_id == c.c.id)
            joined = c.outerjoin(m, and_(*same, beyond))
            place: ColumnElement[Any] = m.c.seq
        else:
            page = _ordered(select(*shown).where(self._of, beyond), m.c.seq, newest_first)
            cut = page.limit(bindparam("limit")).subquery("page")
            joined = c.outerjoin(cut, true())
            shown, place = list(cut.c), cut.c.seq
        found = select(c.c.message_count, *shown).select_from(joined).where(self._own)
        return _ordered(found, place, newest_first).limit(bindparam("limit"))

    # Compiling

    def _read(self, statement: ClauseElement) -> Statement:
        return self._compiled(statement, writes=False)

    def _compiled(self, statement: ClauseElement, *, writes: bool) -> Statement:
        compiled = statement.compile(dialect=self.tables.dialect)
        keys = tuple(getattr(compiled, "positiontup", None) or ())
        constants = {key: held for key, held in compiled.params.items() if held is not None}
        return Statement(str(compiled), keys, writes, constants)


def _ordered(query: Select[Any], place: ColumnElement[Any], newest_first: bool) -> Select[Any]:
    return query.order_by(place.desc() if newest_first else place)


_SAVED: Final = ("title", "pinned", "created_at", "updated_at", "rank", "body")


def _value(table: Any, name: str) -> str:
    """A column's value by its name; `id` is the conversation's everywhere."""
    if table.name == "convostore_messages":
        return {"id": "message_id", "conversation_id": "id"}.get(name, name)
    return name


def _fts5(group: Sequence[frozenset[str]], mark: str) -> str:
    """One word of a query, in each way in which it may stand, as FTS5 is asked for it."""
    ways = [" AND ".join(f'"{mark}{word}"' for word in sorted(words)) for words in group]
    return f"(({') OR ('.join(ways)}))"


@cache
def statements_of(name: str) -> Statements:
    """The statements of SQLite or PostgreSQL; compiled when they are first wanted."""
    return Statements(tables_of(name))
