"""The tables, defined once for both databases. No statement but their DDL here.

Every key begins with the namespace, so that rows can be partitioned or distributed by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"

OWNED: Final = "convostore_conversations_owned"
"""The index of conversations by owner."""

CONVERSATION_COLUMNS: Final = (
    "id",
    "title",
    "pinned",
    "created_at",
    "updated_at",
    "stored_at",
    "body",
    "owner",
    "revision",
    "message_count",
    "next_seq",
    "rank",
)
"""The columns from which a conversation is made, in this order."""

MESSAGE_COLUMNS: Final = ("seq", "id", "role", "body", "stored_at", "said_at")
"""The columns from which a message is made, in this order."""


@dataclass(frozen=True)
class Tables:
    """The tables of one database.

    Attributes:
        dialect: SQLAlchemy's dialect.
        version: Version of the schema, in one row.
        conversations: Conversations. The list is sorted by `rank`: pinned first, then the latest
            activity. `next_seq` is the place of the next message, `message_count` the number of
            messages. `body` is JSON of what has no column. `revision` is null in a row of version 1
            until something is written to it.
        messages: Messages. `seq` is the place in the conversation; searches are sorted by
            `said_at`. `body` is JSON of what has no column. `stored_at` is null in rows of version
            1.
        words: By table, the table with the words of its rows: on SQLite an FTS5 table that refers
            to the rows by `number`, on PostgreSQL the table itself.
    """

    dialect: Dialect
    version: Table
    conversations: Table
    messages: Table
    words: dict[Table, Table]

    @property
    def is_sqlite(self) -> bool:
        return self.dialect.name == SQLITE

    @property
    def lowest(self) -> float:
        """A value before all that a column of numbers holds."""
        return -inf if self.is_sqlite else -(2**63)

    @property
    def highest(self) -> bytes | int:
        """A value after all that a column of numbers holds; in SQLite it may hold anything."""
        return _BEYOND if self.is_sqlite else 2**63 - 1

    def ddl(self) -> list[str]:
        """Return the statements that create all tables in an empty database."""
        statements: list[str] = []
        for table in (self.version, self.conversations, self.messages):
            statements.append(str(CreateTable(table).compile(dialect=self.dialect)).strip())
            statements += [
                str(CreateIndex(index).compile(dialect=self.dialect))
                for index in sorted(table.indexes, key=lambda index: str(index.name))
            ]
        if self.is_sqlite:
            for table, words in self.words.items():
                statements += [
                    _FTS5.format(words=words.name),
                    _TRIGGER.format(words=words.name, of=table),
                ]
        return statements

    def add_column(self, table: str, column: str) -> str:
        """Return the statement that adds a column to the conversations or the messages."""
        target: Table = getattr(self, table)
        definition = CreateColumn(target.c[column]).compile(dialect=self.dialect)
        return f"ALTER TABLE {target.name} ADD COLUMN {definition}"

    def create_owned(self, *, concurrently: bool = False) -> str:
        """Return the statement that creates the index of conversations by owner.

        Args:
            concurrently: Whether others may write meanwhile, on PostgreSQL; it must then not run in
                a transaction.
        """
        (index,) = [index for index in self.conversations.indexes if index.name == OWNED]
        sql = str(CreateIndex(index, if_not_exists=True).compile(dialect=self.dialect))
        return sql.replace("INDEX", "INDEX CONCURRENTLY", 1) if concurrently else sql


_BEYOND: Final = 64 * b"\xff"
"""SQLite sorts numbers before texts, and texts before bytes."""

# Words consist of letters, digits and a namespace's mark; the tokenizer only splits at spaces.
_FTS5: Final = (
    "CREATE VIRTUAL TABLE {words} USING fts5(words, detail=none, columnsize=0, "
    "tokenize=\"ascii tokenchars '_'\")"
)
_TRIGGER: Final = (
    "CREATE TRIGGER {words}_deleted AFTER DELETE ON {of} BEGIN "
    "DELETE FROM {words} WHERE rowid = old.number; END"
)


def tables_of(name: str) -> Tables:
    """Return the tables of SQLite or PostgreSQL."""
    dialect: Dialect
    if name == SQLITE:
        dialect = sqlite.dialect(paramstyle="qmark")
    else:
        dialect = postgresql.dialect(paramstyle="format")  # type: ignore[no-untyped-call]
    metadata = MetaData()
    is_sqlite = name == SQLITE
    key = Text() if is_sqlite else Text(collation="C")  # both then sort by code points
    version = Table("convostore_schema", metadata, Column("version", Integer, nullable=False))
    conversations = Table(
        "convostore_conversations",
        metadata,
        *_number(is_sqlite),
        Column("namespace", key, nullable=False),
        Column("id", key, nullable=False),
        Column("title", Text),
        Column("pinned", Boolean(create_constraint=False), nullable=False),
        Column("created_at", BigInteger),
        Column("updated_at", BigInteger),
        Column("stored_at", BigInteger, nullable=False),
        Column("rank", BigInteger, nullable=False),
        Column("message_count", BigInteger, nullable=False),
        Column("next_seq", BigInteger, nullable=False),
        *_words(is_sqlite),
        Column("body", Text),
        Column("owner", key),
        Column("revision", Text),
        _key(is_sqlite, "namespace", "id"),
    )
    Index(
        "convostore_conversations_listed",
        conversations.c.namespace,
        conversations.c.rank,
        conversations.c.id,
    )
    owned = conversations.c.owner.is_not(None)
    Index(
        OWNED,
        conversations.c.namespace,
        conversations.c.owner,
        conversations.c.rank,
        conversations.c.id,
        sqlite_where=owned,
        postgresql_where=owned,
    )
    messages = Table(
        "convostore_messages",
        metadata,
        *_number(is_sqlite),
        Column("namespace", key, nullable=False),
        Column("conversation_id", key, nullable=False),
        Column("seq", BigInteger, nullable=False),
        Column("id", key, nullable=False),
        Column("role", Text, nullable=False),
        Column("said_at", BigInteger, nullable=False),
        *_words(is_sqlite),
        Column("body", Text, nullable=False),
        Column("stored_at", BigInteger),
        _key(is_sqlite, "namespace", "conversation_id", "seq"),
        UniqueConstraint("namespace", "conversation_id", "id"),
    )
    if is_sqlite:
        words = {
            conversations: _fts5(metadata, "convostore_title_words"),
            messages: _fts5(metadata, "convostore_message_words"),
        }
    else:
        words = {conversations: conversations, messages: messages}
        for table in words:
            Index(f"{table.name}_words", table.c.words, postgresql_using="gin")
    return Tables(dialect, version, conversations, messages, words)


def _number(is_sqlite: bool) -> list[Column[Any]]:
    return [Column("number", Integer, primary_key=True)] if is_sqlite else []


def _words(is_sqlite: bool) -> list[Column[Any]]:
    return [] if is_sqlite else [Column("words", ARRAY(Text), nullable=False)]


def _key(is_sqlite: bool, *columns: str) -> Any:
    return UniqueConstraint(*columns) if is_sqlite else PrimaryKeyConstraint(*columns)


def _fts5(metadata: MetaData, name: str) -> Table:
    return Table(name, metadata, Column("rowid", Integer), Column("words", Text))
