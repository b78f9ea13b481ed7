"""What a program without the library would serve: the same statements, by Starlette and sqlite3.

`bare_server.py FILE` prints its URL and serves until its input closes. Each request is carried out
and written as JSON in a thread, readers side by side and writers one after the other. It answers
the paths of the gateway's native API with the same JSON, and looks at no token.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import sqlite3
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from time import time_ns
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from convostore.search import tokenize
from convostore_sql.queries import Query
from convostore_sql.statements import statements_of
from convostore_sql.tables import SQLITE

READERS = 4
"""As many as the store has."""
_FIRST = (-(2**63) + 1, "")
_STATEMENTS = statements_of(SQLITE)


class Database:
    """A file, with a connection for each thread."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._local = threading.local()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = sqlite3.connect(
                self._file, isolation_level=None, cached_statements=256
            )
            connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _rows(self, query: Query) -> list[Any]:
        return self._connection().execute(query.sql, query.values).fetchall()

    def conversations(self, limit: int) -> bytes:
        rank, after = _FIRST
        statement = _STATEMENTS.conversations(frozenset(), reverse=False)
        rows = self._rows(statement(namespace="", rank=rank, after_id=after, limit=limit + 1))
        page = rows[:limit]
        answer: dict[str, Any] = {"items": [_conversation(row) for row in page]}
        if len(rows) > limit:
            answer["cursor"] = json.dumps([page[-1][-1], page[-1][0]])
        return _json(answer)

    def messages(self, identity: str, limit: int) -> bytes:
        statement = _STATEMENTS.messages["oldest_first"]
        rows = self._rows(statement(namespace="", id=identity, seq=-1, limit=limit + 1))
        if not rows:
            raise HTTPException(404)
        page = [row for row in rows[:limit] if row[1] is not None]
        answer: dict[str, Any] = {"items": [_message(row) for row in page], "total": rows[0][0]}
        if len(rows) > limit:
            answer["cursor"] = json.dumps([page[-1][1]])
        return _json(answer)

    def append(self, identity: str, content: bytes) -> bytes:
        messages = json.loads(content)["messages"]
        key = {"namespace": "", "id": identity}
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            self._append(key, messages)
        return _json({"items": messages})

    def _append(self, key: dict[str, Any], messages: list[Any]) -> None:
        rows = self._rows(_STATEMENTS.locked_end(**key))
        if not rows:
            raise HTTPException(404)
        ((_, _, updated_at, _, count, seq, number, _),) = rows
        now = max(time_ns() // 1000, updated_at + 1)
        values = [
            key | {"seq": seq + place, "number": number + place, "stored_at": now} | _row(message)
            for place, message in enumerate(messages)
        ]
        for statement in _STATEMENTS.insert_messages:
            for each in values:
                self._rows(statement(**{name: each[name] for name in statement.keys}))
        added = len(messages)
        touched = _STATEMENTS.touch_conversation(
            **key,
            new_updated_at=now,
            new_rank=-now,
            new_message_count=count + added,
            new_next_seq=seq + added,
            new_revision=secrets.token_hex(8),
        )
        self._rows(touched)


def _conversation(row: Any) -> dict[str, Any]:
    identity, title, pinned, created_at, updated_at, _, body, owner, revision, _ = row
    answer = {"id": identity}
    if title is not None:
        answer["title"] = title
    if pinned:
        answer["pinned"] = True
    if created_at is not None:
        answer["created_at"] = _time(created_at)
    answer["updated_at"] = _time(updated_at)
    if owner is not None:
        answer["owner"] = owner
    if revision is not None:
        answer["revision"] = revision
    if body is not None:
        answer |= json.loads(body)
    return answer


def _time(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat()


def _message(row: Any) -> dict[str, Any]:
    _, _, identity, role, body, stored_at, _ = row
    return {"id": identity, "role": role, "stored_at": _time(stored_at), **json.loads(body)}


def _row(message: Any) -> dict[str, Any]:
    """A message's columns; of what is missing or of another type, an error."""
    text = " ".join(part["text"] for part in message["parts"] if part["kind"] == "text")
    said_at = datetime.fromisoformat(message["created_at"])
    rest = {name: value for name, value in message.items() if name not in {"id", "role"}}
    return {
        "message_id": message["id"],
        "role": message["role"],
        "said_at": int(said_at.timestamp() * 1e6),
        "body": json.dumps(rest, ensure_ascii=False, separators=(",", ":")),
        "words": " ".join(tokenize(text)),
    }


def _json(data: Any) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode()


def application(file: str) -> Starlette:
    database = Database(file)
    readers, writer = ThreadPoolExecutor(READERS), ThreadPoolExecutor(1)

    async def answered(
        pool: ThreadPoolExecutor, job: Callable[..., bytes], *asked: Any
    ) -> Response:
        body = await asyncio.get_running_loop().run_in_executor(pool, job, *asked)
        return Response(body, media_type="application/json")

    async def conversations(request: Request) -> Response:
        limit = int(request.query_params.get("limit", "50"))
        return await answered(readers, database.conversations, limit)

    async def messages(request: Request) -> Response:
        limit = int(request.query_params.get("limit", "50"))
        return await answered(readers, database.messages, request.path_params["id"], limit)

    async def append(request: Request) -> Response:
        content = await request.body()
        return await answered(writer, database.append, request.path_params["id"], content)

    return Starlette(
        routes=[
            Route("/v1/conversations", conversations),
            Route("/v1/conversations/{id}/messages", messages, methods=["GET"]),
            Route("/v1/conversations/{id}/messages", append, methods=["POST"]),
        ]
    )


async def main(application: Starlette) -> None:
    # asyncio sends small pieces at once only where it is told that a socket is TCP's.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(512)
    config = uvicorn.Config(application, http="httptools", lifespan="off", log_config=None)
    config.access_log = False
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    asyncio.run(main(application(sys.argv[1])))
