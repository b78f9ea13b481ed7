"""A reply as it arrives, carried to a client; the reply goes on when the client goes away.

How its events are written, an encoder says. No service is known here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from convostore.dialects import ReplyEncoder, StreamedResponse
from convostore.errors import StoreError, UnavailableError
from convostore.store import AsyncConversationStore, AsyncReplyStream

_log = logging.getLogger("convostore.gateway")
_AHEAD: Final = 64
"""How many pieces a reply may be ahead of its client."""
_PING: Final = 10.0
"""Seconds without an event after which the encoder's `idle` is sent."""

_under_way: set[asyncio.Task[None]] = set()


async def stream_response(
    store: AsyncConversationStore, answer: StreamedResponse
) -> StreamingResponse:
    """Begins a reply, and makes the response that carries it.

    Raises:
        StoreError: It was refused; nothing has been answered.
    """
    stream = answer.begin(store)
    await stream.__aenter__()
    return _Carrying(_Carried(stream, answer.encoder), answer)


async def settle(patience: float) -> None:
    """Waits for replies whose clients went away, to be called when a server ends.

    Args:
        patience: Seconds after which what is left is broken off.
    """
    loop = asyncio.get_running_loop()
    if ours := {task for task in tuple(_under_way) if task.get_loop() is loop}:
        _, late = await asyncio.wait(ours, timeout=patience)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


class _Carrying(StreamingResponse):
    """The response; however it ends, the reply is no longer kept waiting for its client."""

    def __init__(self, carried: _Carried, answer: StreamedResponse) -> None:
        super().__init__(carried.pieces(), answer.status, dict(answer.headers))
        self._carried = carried

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._carried.leave()


class _Carried:
    """A reply between its stream and its client."""

    def __init__(self, stream: AsyncReplyStream, encoder: ReplyEncoder) -> None:
        self._stream = stream
        self._encoder = encoder
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(_AHEAD)
        self._is_heard = True
        self._reading = asyncio.create_task(self._read())
        _under_way.add(self._reading)
        self._reading.add_done_callback(_under_way.discard)

    async def pieces(self) -> AsyncIterator[bytes]:
        """What goes to the client; pieces that are there already go together."""
        while True:
            pieces = await self._some()
            if joined := b"".join([piece for piece in pieces if piece]):
                yield joined
            if None in pieces:
                return

    def leave(self) -> None:
        """Nobody listens any more; the reply is read on, so that it is stored."""
        self._is_heard = False
        self._taken()

    async def _some(self) -> list[bytes | None]:
        try:
            async with asyncio.timeout(_PING):
                first = await self._queue.get()
        except TimeoutError:
            return [self._encoder.idle()]
        return [first, *self._taken()]

    def _taken(self) -> list[bytes | None]:
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]

    async def _read(self) -> None:
        try:
            async for event in self._stream:
                await self._say(self._encoder.feed(event))
        except StoreError as error:
            await self._say(self._encoder.failed(error))
        except Exception as error:
            _log.error("a reply broke off: %s", type(error).__name__)
            await self._say(self._encoder.failed(UnavailableError("the reply broke off")))
        except asyncio.CancelledError:  # the server ends, and waits for no client that is slow
            self._taken()
            self._queue.put_nowait(self._encoder.failed(UnavailableError("the server ends")))
            raise
        finally:
            await self._stream.aclose()
            await self._say(None)

    async def _say(self, piece: bytes | None) -> None:
        if self._is_heard and piece != b"":
            await self._queue.put(piece)
