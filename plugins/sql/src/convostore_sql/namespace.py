"""The namespace of a SQL adapter: its identity, its key, and the rows that operations begin with.

No operation may be here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from typing import Any

from convostore.adapters import Adapter
from convostore.adapters.write_rules import absent_conversation, absent_message
from convostore.dsn import DSN

from .columns import encode_text
from .queries import Query, Reply, Row, SQLFlow
from .rows import namespace_mark
from .statements import Statements

__all__ = ["NamespaceAdapter"]


class NamespaceAdapter(Adapter[Query, Reply]):
    """The part of an adapter that knows which rows are its own."""

    def __init__(self, dsn: DSN, options: Any) -> None:
        super().__init__(dsn, options)
        self.enter_namespace(options.namespace)

    def enter_namespace(self, name: str) -> None:
        super().enter_namespace(name)
        self._encoded_namespace = encode_text(name)
        self._mark = namespace_mark(name)

    @property
    def label(self) -> str:
        return f"{self._address}{self.namespace_query}"

    @property
    def store_key(self) -> object:
        return self._database_key, self.namespace

    @property
    @abstractmethod
    def _address(self) -> str:
        """The label of the database."""

    @property
    def _database_key(self) -> object:
        """What is equal for two adapters of the same database."""
        return self._address

    @property
    @abstractmethod
    def _sql(self) -> Statements:
        """The statements, compiled when they are first used."""

    def _key(self, conversation_id: str) -> dict[str, str]:
        return {"namespace": self._encoded_namespace, "id": encode_text(conversation_id)}

    def _look(self, conversation_id: str) -> SQLFlow[Row | None]:
        """Return a conversation's row, locked until the unit ends; None if there is none."""
        rows = (yield self._sql.locked_conversation(**self._key(conversation_id))).rows
        return rows[0] if rows else None

    def _locked(self, conversation_id: str) -> SQLFlow[Row]:
        row = yield from self._look(conversation_id)
        if row is None:
            raise absent_conversation(conversation_id)
        return row

    def _message(self, conversation_id: str, message_id: str) -> SQLFlow[Row]:
        """Return a message's place and the columns from which it is made."""
        key = self._key(conversation_id)
        rows = (yield self._sql.message(**key, message_id=encode_text(message_id))).rows
        if not rows:
            raise absent_message(conversation_id, message_id)
        return rows[0]

    def _words(self, words: Collection[str]) -> str:
        return self._sql.words(words, self._mark)
