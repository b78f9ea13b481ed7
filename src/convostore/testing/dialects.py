"""A dialect as a service in the same process: a store answers the requests of an adapter.

The contract kit takes it as the stand-in of the service, `Backend(service=…)`. Tokens and HTTP are
the gateway's, and not here.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from ..config import aopen, open
from ..dialects import Dialect, IncomingRequest, StreamedResponse, run_dialect
from ..errors import StoreError
from ..http import Request, Response
from ..models import Transcript
from ..serialization import to_json
from ..store import AsyncConversationStore

__all__ = ["dialect_service", "incoming_request", "store_seeder"]

T = TypeVar("T")


@contextmanager
def dialect_service(
    dialect: Dialect,
    target: str,
    *,
    wrap: Callable[[AsyncConversationStore], AsyncConversationStore] = lambda store: store,
    **options: Any,  # as `open` takes them
) -> Iterator[Callable[[Request], Response]]:
    """Yield a function that answers requests in a dialect; threads may share it.

    Args:
        dialect: The dialect.
        target: The DSN of the served store; it is opened here, and closed at the end.
        wrap: Returns the store to serve instead of the opened one, such as a read-only one.
        options: The options of the store.
    """
    with _loop_in_thread() as run:
        store = aopen(target, **options)
        served = wrap(store)
        try:
            yield lambda request: run(_answer(dialect, served, incoming_request(request)))
        finally:
            run(store.aclose())


def store_seeder(target: str) -> Callable[[Sequence[Transcript]], None]:
    """Return a `Backend.seed` that creates the conversations in another store."""

    def seed(samples: Sequence[Transcript]) -> None:
        with open(target) as store:
            for sample in samples:
                assert sample.conversation is not None
                store.create_conversation(
                    id=sample.conversation_id,
                    title=sample.conversation.title,
                    created_at=sample.conversation.created_at,
                )
                store.append_messages(sample.conversation_id, sample.messages)

    return seed


def incoming_request(request: Request) -> IncomingRequest:
    """Convert an adapter's request to what a server receives."""
    content = b"" if request.json is None else to_json(request.json).encode("ascii")
    of_content = {"content-type": "application/json"} if content else {}
    return IncomingRequest(
        method=request.method,
        path=request.path,
        query=request.query,
        headers=of_content | {name.lower(): value for name, value in request.headers},
        content=content,
    )


async def _answer(
    dialect: Dialect, store: AsyncConversationStore, request: IncomingRequest
) -> Response:
    """Return a dialect's response; a stream is read to its end."""
    if not dialect.serves(request):
        return Response(404, {"content-type": "text/plain; charset=utf-8"}, b"Not Found")
    try:
        answer = await run_dialect(dialect, request, store)
        return await _read_whole(answer, store) if isinstance(answer, StreamedResponse) else answer
    except StoreError as error:
        return dialect.failed(request, error)


async def _read_whole(answer: StreamedResponse, store: AsyncConversationStore) -> Response:
    """Return a streamed response as a whole; an error on entering it is the caller's."""
    content = b""
    async with answer.begin(store) as stream:
        try:
            async for event in stream:
                content += answer.encoder.feed(event)
        except StoreError as error:
            content += answer.encoder.failed(error)
    return Response(answer.status, answer.headers, content)


@contextmanager
def _loop_in_thread() -> Iterator[Callable[[Coroutine[Any, Any, T]], T]]:
    """Yield a function that runs a coroutine in an event loop of another thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="served store")
    thread.start()
    try:
        yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
