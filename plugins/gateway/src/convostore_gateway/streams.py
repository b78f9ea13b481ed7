"""Streamed replies relayed to a client; a reply continues when the client disconnects.

How events are encoded belongs in the encoder. No service is known here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from convostore.dialects import ReplyEncoder, StreamedResponse
from convostore.errors import StoreError, UnavailableError
from convostore.store import AsyncConversationStore, AsyncReplyStream

from .schema import message_header

_log = logging.getLogger("convostore.gateway")
_AHEAD: Final = 64
"""Chunks that a reply may be ahead of its client."""
_PING: Final = 10.0
"""Seconds without an event before the encoder's `idle` is sent."""

_running: set[asyncio.Task[None]] = set()


async def stream_response(
    store: AsyncConversationStore, answer: StreamedResponse
) -> StreamingResponse:
    """Start a reply and return the response that streams it.

    Raises:
        StoreError: The reply was refused; nothing has been sent.
    """
    stream = answer.begin(store)
    await stream.__aenter__()
    return _ReplyResponse(_Relay(stream, answer.encoder), answer, message_header(stream.message_id))


async def settle(patience: float) -> None:
    """Wait for the replies whose clients disconnected; call it when a server ends.

    Args:
        patience: Seconds after which the remaining replies are cancelled.
    """
    loop = asyncio.get_running_loop()
    if replies := {task for task in tuple(_running) if task.get_loop() is loop}:
        _, late = await asyncio.wait(replies, timeout=patience)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


class _ReplyResponse(StreamingResponse):
    """The response; however it ends, the reply no longer waits for the client."""

    def __init__(self, relay: _Relay, answer: StreamedResponse, headers: Mapping[str, str]) -> None:
        super().__init__(relay.chunks(), answer.status, {**answer.headers, **headers})
        self._relay = relay

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._relay.detach()


class _Relay:
    """A bounded queue between a reply's stream and its client."""

    def __init__(self, stream: AsyncReplyStream, encoder: ReplyEncoder) -> None:
        self._stream = stream
        self._encoder = encoder
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(_AHEAD)
        self._is_attached = True
        self._reader = asyncio.create_task(self._read())
        _running.add(self._reader)
        self._reader.add_done_callback(_running.discard)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield what the client is sent; chunks that wait are joined."""
        while True:
            batch = await self._next_batch()
            if content := b"".join([chunk for chunk in batch if chunk]):
                yield content
            if None in batch:
                return

    def detach(self) -> None:
        """Stop sending to the client; the reply is read to its end, so that it is stored."""
        self._is_attached = False
        self._drain()

    async def _next_batch(self) -> list[bytes | None]:
        try:
            async with asyncio.timeout(_PING):
                first = await self._queue.get()
        except TimeoutError:
            return [self._encoder.idle()]
        return [first, *self._drain()]

    def _drain(self) -> list[bytes | None]:
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]

    async def _read(self) -> None:
        try:
            async for event in self._stream:
                await self._put(self._encoder.feed(event))
        except StoreError as error:
            await self._put(self._encoder.failed(error))
        except Exception as error:
            _log.error("a reply failed: %s", type(error).__name__)
            await self._put(self._encoder.failed(UnavailableError("the reply broke off")))
        except asyncio.CancelledError:  # the server ends, and must not wait for a slow client
            self._drain()
            self._queue.put_nowait(
                self._encoder.failed(UnavailableError("the server is shutting down"))
            )
            raise
        finally:
            await self._stream.aclose()
            await self._put(None)

    async def _put(self, chunk: bytes | None) -> None:
        if self._is_attached and chunk != b"":
            await self._queue.put(chunk)
