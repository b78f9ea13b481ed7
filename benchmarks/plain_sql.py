"""What a program without the library would do: the same rows in the same tables, by drivers alone.

The same statements in the same transactions, bodies by `json.dumps` and `json.loads`. The words for
the search are the library's where a row does not bring its own: there is no plain way to them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple

import psycopg
from chats import Said

from convostore.search import tokenize
from convostore_sql.statements import statements_of
from convostore_sql.tables import POSTGRESQL, SQLITE

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Cut(NamedTuple):
    """A message with its words cut before."""

    said: Said
    words: list[str]


def cut(chat: Iterable[Said]) -> list[Cut]:
    return [Cut(each, list(tokenize(each.text))) for each in chat]


def _number(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def _body(said: Said) -> str:
    parts = [{"kind": "text", "text": said.text}]
    body = {"parts": parts, "created_at": said.created_at.isoformat()}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _with_words(chat: Sequence[Said | Cut]) -> list[tuple[Said, Iterable[str]]]:
    return [
        (row.said, row.words) if isinstance(row, Cut) else (row, tokenize(row.text)) for row in chat
    ]


class PlainSQLite:
    """sqlite3: WAL, NORMAL, prepared statements kept."""

    def __init__(self, file: Path, *, new: bool = True) -> None:
        self.connection = sqlite3.connect(file, isolation_level=None, cached_statements=256)
        self.connection.execute("PRAGMA journal_mode = WAL").fetchone()
        self.connection.execute("PRAGMA synchronous = NORMAL")
        for statement in statements_of(SQLITE).tables.ddl() if new else ():
            self.connection.execute(statement)

    def close(self) -> None:
        self.connection.close()

    def create(self, titles: Mapping[str, str]) -> None:
        """Makes conversations of these titles, by their ids."""
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        for identity, title in titles.items():
            now = _number(datetime.now(UTC))
            number = execute(
                "INSERT INTO convostore_conversations (namespace, id, title, pinned, updated_at, "
                "stored_at, rank, message_count, next_seq, revision) "
                "VALUES ('', ?, ?, 0, ?, ?, ?, 0, 0, ?)",
                (identity, title, now, now, -now, token_hex(8)),
            ).lastrowid
            execute(
                "INSERT INTO convostore_title_words (rowid, words) VALUES (?, ?)",
                (number, " ".join(tokenize(title))),
            )
        execute("COMMIT")

    def append(self, identity: str, chat: Sequence[Said | Cut]) -> None:
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        ((seq, number),) = execute(
            "SELECT next_seq, (SELECT coalesce(max(number), 0) + 1 FROM convostore_messages) "
            "FROM convostore_conversations WHERE namespace = '' AND id = ?",
            (identity,),
        ).fetchall()
        rows = _with_words(chat)
        now = _number(datetime.now(UTC))
        self.connection.executemany(
            "INSERT INTO convostore_messages (number, namespace, conversation_id, seq, id, role, "
            "said_at, body, stored_at) VALUES (?, '', ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    number + place,
                    identity,
                    seq + place,
                    said.id,
                    said.role,
                    _number(said.created_at),
                    _body(said),
                    now,
                )
                for place, (said, _) in enumerate(rows)
            ],
        )
        self.connection.executemany(
            "INSERT INTO convostore_message_words (rowid, words) VALUES (?, ?)",
            [(number + place, " ".join(found)) for place, (_, found) in enumerate(rows)],
        )
        execute(
            "UPDATE convostore_conversations SET updated_at = ?, rank = ?, revision = ?, "
            "message_count = message_count + ?, next_seq = ? WHERE namespace = '' AND id = ?",
            (now, -now, token_hex(8), len(rows), seq + len(rows), identity),
        )
        execute("COMMIT")

    def load(self, identity: str) -> list[tuple[Any, ...]]:
        rows = self.connection.execute(
            "SELECT seq, id, role, body FROM convostore_messages "
            "WHERE namespace = '' AND conversation_id = ? ORDER BY seq",
            (identity,),
        )
        return [(*row, json.loads(row[3])) for row in rows]

    def last(self, identity: str, limit: int) -> list[tuple[Any, ...]]:
        rows = self.connection.execute(
            "SELECT seq, id, role, body FROM convostore_messages "
            "WHERE namespace = '' AND conversation_id = ? ORDER BY seq DESC LIMIT ?",
            (identity, limit),
        )
        return [(*row, json.loads(row[3])) for row in rows]

    def first(self, limit: int) -> list[tuple[Any, ...]]:
        return self.connection.execute(
            "SELECT id, title, pinned, created_at, updated_at, body FROM convostore_conversations "
            "WHERE namespace = '' ORDER BY rank, id LIMIT ?",
            (limit,),
        ).fetchall()

    def search(self, word: str, limit: int) -> list[tuple[Any, ...]]:
        """Titles first, then messages; each with its conversation."""
        titles = self.connection.execute(
            "SELECT c.id, c.title, c.updated_at FROM convostore_title_words w "
            "JOIN convostore_conversations c ON c.number = w.rowid "
            "WHERE convostore_title_words MATCH ? AND c.namespace = '' "
            "ORDER BY coalesce(c.created_at, c.stored_at) DESC LIMIT ?",
            (word, limit),
        ).fetchall()
        rows = self.connection.execute(
            "SELECT c.id, c.title, c.updated_at, m.id, m.role, m.body FROM (SELECT m.number "
            "FROM convostore_message_words w JOIN convostore_messages m ON m.number = w.rowid "
            "WHERE convostore_message_words MATCH ? AND m.namespace = '' "
            "ORDER BY m.said_at DESC, m.conversation_id, m.seq DESC LIMIT ?) first "
            "JOIN convostore_messages m ON m.number = first.number "
            "JOIN convostore_conversations c ON c.namespace = '' AND c.id = m.conversation_id",
            (word, limit - len(titles)),
        )
        return [*titles, *[(*row, json.loads(row[5])) for row in rows]]


class PlainPostgreSQL:
    """psycopg: one connection, statements prepared on the server as it does by itself."""

    def __init__(self, address: str, *, new: bool = True) -> None:
        self.connection = psycopg.connect(address, autocommit=True)
        for statement in statements_of(POSTGRESQL).tables.ddl() if new else ():
            self.connection.execute(statement.encode())

    def close(self) -> None:
        self.connection.close()

    def create(self, titles: Mapping[str, str]) -> None:
        """Makes conversations of these titles, by their ids."""
        rows = []
        for identity, title in titles.items():
            now = _number(datetime.now(UTC))
            rows.append((identity, title, now, now, -now, list(tokenize(title)), token_hex(8)))
        with self.connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO convostore_conversations (namespace, id, title, pinned, updated_at, "
                "stored_at, rank, message_count, next_seq, words, revision) "
                "VALUES ('', %s, %s, false, %s, %s, %s, 0, 0, %s, %s)",
                rows,
            )

    def append(self, identity: str, chat: Sequence[Said | Cut]) -> None:
        execute = self.connection.execute
        execute("BEGIN")
        ((seq,),) = execute(
            "SELECT next_seq FROM convostore_conversations WHERE namespace = '' AND id = %s "
            "FOR UPDATE",
            (identity,),
        ).fetchall()
        rows = _with_words(chat)
        now = _number(datetime.now(UTC))
        values = [
            (
                identity,
                seq + place,
                said.id,
                said.role,
                _number(said.created_at),
                list(found),
                _body(said),
                now,
            )
            for place, (said, found) in enumerate(rows)
        ]
        insert = (
            "INSERT INTO convostore_messages (namespace, conversation_id, seq, id, role, said_at, "
            "words, body, stored_at) VALUES ('', %s, %s, %s, %s, %s, %s, %s, %s)"
        )
        if len(values) == 1:  # half the time of executemany
            execute(insert, values[0])
        else:
            with self.connection.cursor() as cursor:
                cursor.executemany(insert, values)
        execute(
            "UPDATE convostore_conversations SET updated_at = %s, rank = %s, revision = %s, "
            "message_count = message_count + %s, next_seq = %s WHERE namespace = '' AND id = %s",
            (now, -now, token_hex(8), len(rows), seq + len(rows), identity),
        )
        execute("COMMIT")

    def load(self, identity: str) -> list[tuple[Any, ...]]:
        rows = self.connection.execute(
            "SELECT seq, id, role, body FROM convostore_messages "
            "WHERE namespace = '' AND conversation_id = %s ORDER BY seq",
            (identity,),
        )
        return [(*row, json.loads(row[3])) for row in rows]

    def last(self, identity: str, limit: int) -> list[tuple[Any, ...]]:
        rows = self.connection.execute(
            "SELECT seq, id, role, body FROM convostore_messages "
            "WHERE namespace = '' AND conversation_id = %s ORDER BY seq DESC LIMIT %s",
            (identity, limit),
        )
        return [(*row, json.loads(row[3])) for row in rows]

    def first(self, limit: int) -> list[tuple[Any, ...]]:
        return self.connection.execute(
            "SELECT id, title, pinned, created_at, updated_at, body FROM convostore_conversations "
            "WHERE namespace = '' ORDER BY rank, id LIMIT %s",
            (limit,),
        ).fetchall()

    def search(self, word: str, limit: int) -> list[tuple[Any, ...]]:
        """Titles first, then messages; each with its conversation."""
        titles = self.connection.execute(
            "SELECT id, title, updated_at FROM convostore_conversations "
            "WHERE namespace = '' AND words @> %s::text[] "
            "ORDER BY coalesce(created_at, stored_at) DESC LIMIT %s",
            ([word], limit),
        ).fetchall()
        rows = self.connection.execute(
            "SELECT c.id, c.title, c.updated_at, m.id, m.role, m.body FROM (SELECT "
            "conversation_id, seq FROM convostore_messages WHERE namespace = '' "
            "AND words @> %s::text[] ORDER BY said_at DESC, conversation_id, seq DESC LIMIT %s"
            ") first JOIN convostore_messages m ON m.namespace = '' "
            "AND m.conversation_id = first.conversation_id AND m.seq = first.seq "
            "JOIN convostore_conversations c ON c.namespace = '' AND c.id = m.conversation_id",
            ([word], limit - len(titles)),
        )
        return [*titles, *[(*row, json.loads(row[5])) for row in rows]]
