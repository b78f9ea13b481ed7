"""The dialect without a server: what it answers, request by request, out of a store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import convostore
from convostore.dialects import IncomingRequest, run_dialect
from convostore.errors import StoreError
from convostore.http import Response
from convostore.models import Transcript
from convostore.store import AsyncConversationStore
from convostore_perplexica.server.dialect import PerplexicaDialect

DIALECT = PerplexicaDialect()


def make_request(method: str, path: str, **headers: str) -> IncomingRequest:
    """Return a request; the headers' names are written with ``_`` for ``-``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return IncomingRequest(method, path, headers=named)


def answers(
    *requests: IncomingRequest,
    transcripts: Sequence[Transcript] = (),
    store: AsyncConversationStore | None = None,
) -> list[Response]:
    """Return the answers to requests, from a store that holds the conversations."""

    async def ask() -> list[Response]:
        async with store or convostore.aopen("memory://") as served:
            for row in transcripts:
                await served.put_conversation(row.conversation)
                await served.append_messages(row.conversation_id, row.messages)
            return [await _answer(served, request) for request in requests]

    return asyncio.run(ask())


async def _answer(store: AsyncConversationStore, request: IncomingRequest) -> Response:
    try:
        return await run_dialect(DIALECT, request, store)
    except StoreError as error:
        return DIALECT.failed(request, error)
