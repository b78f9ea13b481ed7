"""The server that a model is asked at: an adapter that answers and keeps nothing.

And what joins it to a store: transports that carry flows to the store, and the one request of a
turn to the model.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, TypeVar

from convostore.adapters import (
    Adapter,
    AsyncIncomingReply,
    AsyncTransport,
    IncomingReply,
    Operation,
    Transport,
)
from convostore.dsn import DSN
from convostore.errors import ConflictError, InvalidError, NotFoundError, ProtocolError, StoreError
from convostore.flow import Flow
from convostore.http import HTTPAdapter, Request, Response, status_error
from convostore.models import JSON, Listing, Message
from convostore.parsing import decode_json

from .decoder import ChatCompletionDecoder, error_in, told
from .options import ModelOptions

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

_log: Final = logging.getLogger("convostore.gateway")


class ModelService(HTTPAdapter):
    """A server that speaks OpenAI's chat completions; it has no conversations."""

    name: ClassVar[str] = "upstream"
    Options = ModelOptions

    def __init__(self, options: ModelOptions) -> None:
        super().__init__(DSN.parse(f"upstream+{options.url}"), options)

    def authorization(self) -> str | None:
        key = self.options.api_key
        return f"Bearer {key.get_secret_value()}" if key else super().authorization()

    def completion(self, body: dict[str, JSON]) -> Request:
        """The request of one turn."""
        return Request(
            "POST",
            "/chat/completions",
            query=self.dsn.options,
            json=body,
            headers=(("accept", "text/event-stream, application/json"),),
            patient=True,
        )

    def failure(self, request: Request, response: Response) -> StoreError | None:
        """By the status; what the server does not know is the operator's business, or the turn's.

        No conversation is missing then, and nobody was first.
        """
        detail = _detail(response)
        error = status_error(request, response, detail)
        if isinstance(error, NotFoundError | ConflictError):
            return InvalidError(f"{error}; check the model's name and its address", detail=detail)
        if isinstance(error, InvalidError) and "stream_options" in (detail or ""):
            return InvalidError(f"{error}; open it with usage=False", detail=detail)
        return error

    def list_conversations(self, listing: Listing) -> NoReturn:  # noqa: ARG002
        raise self.unsupported(Operation.LIST_CONVERSATIONS)

    def get_conversation(self, conversation_id: str) -> NoReturn:  # noqa: ARG002
        raise self.unsupported(Operation.GET_CONVERSATION)

    def list_messages(self, conversation_id: str, listing: Listing) -> NoReturn:  # noqa: ARG002
        raise self.unsupported(Operation.LIST_MESSAGES)


def _detail(response: Response) -> str | None:
    """What a refusal says; None of an answer that is none, or says nothing that can be read."""
    if response.status < 300 or response.media_type == "text/html":
        return None
    try:
        body = decode_json(response.content)
    except ProtocolError:
        return None
    return told(error_in(body)) or told(body)


@dataclass(frozen=True, slots=True)
class Question:
    """One turn as the joined transports carry it.

    Attributes:
        request: What the model is asked; once.
        keep: Makes the flow that stores what came of the answer.
        kept: Is told what that stored.
    """

    request: Request
    decoder: ChatCompletionDecoder = field(repr=False)
    keep: Callable[[], Flow[Any, Any, Message]] = field(repr=False)
    kept: Callable[[Message], None] = field(repr=False)


class AnsweredTransport(Transport):
    """A store's transport, which streams from a model; what came is stored when a stream ends."""

    def __init__(self, store: Transport, model: Transport[Request, Response]) -> None:
        self._store = store
        self._model = model

    def send(self, request: Any) -> Any:
        return self._store.send(request)

    def run(self, make: Callable[[], Flow[Any, Any, T]]) -> T:
        return self._store.run(make)

    @contextmanager
    def stream(self, request: Question) -> Iterator[IncomingReply]:
        try:
            with self._model.stream(request.request) as incoming:
                # Not closed here: another thread may just wait for its next piece.
                yield IncomingReply(
                    incoming.reply, _up_to_its_end(incoming.chunks, request.decoder)
                )
        finally:
            self._keep(request)

    def _keep(self, question: Question) -> None:
        try:
            question.kept(self._store.run(question.keep))
        except StoreError as error:
            _say_it_is_not_stored(error)

    def close(self) -> None:
        try:
            self._model.close()
        finally:
            self._store.close()


class AsyncAnsweredTransport(AsyncTransport):
    """The same for the async face."""

    def __init__(self, store: AsyncTransport, model: AsyncTransport[Request, Response]) -> None:
        self.concurrency = store.concurrency
        self._store = store
        self._model = model
        self._keeping: set[asyncio.Task[None]] = set()

    async def send(self, request: Any) -> Any:
        return await self._store.send(request)

    async def run(self, make: Callable[[], Flow[Any, Any, T]]) -> T:
        return await self._store.run(make)

    @asynccontextmanager
    async def stream(self, request: Question) -> AsyncIterator[AsyncIncomingReply]:
        try:
            async with (
                self._model.stream(request.request) as incoming,
                aclosing(_aup_to_its_end(incoming.chunks, request.decoder)) as chunks,
            ):
                yield AsyncIncomingReply(incoming.reply, chunks)
        finally:
            await self._keep_on(request)

    async def _keep_on(self, question: Question) -> None:
        """Stores what came, however often the caller is cancelled meanwhile."""
        import asyncio

        task = asyncio.create_task(self._keep(question))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)
        await asyncio.shield(task)

    async def _keep(self, question: Question) -> None:
        try:
            question.kept(await self._store.run(question.keep))
        except StoreError as error:
            _say_it_is_not_stored(error)

    async def aclose(self) -> None:
        async with AsyncExitStack() as last:
            last.push_async_callback(self._store.aclose)
            last.push_async_callback(self._settle)
            await self._model.aclose()

    async def _settle(self) -> None:
        import asyncio

        if self._keeping:
            await asyncio.wait(self._keeping)


def _say_it_is_not_stored(error: StoreError) -> None:
    """Of a reply that was left or broke off it shows here only; a whole one tries again."""
    _log.warning("what came of an answer is not stored: %s", type(error).__name__)


def _up_to_its_end(
    chunks: Iterator[bytes], decoder: ChatCompletionDecoder
) -> Generator[bytes, None, None]:
    """The pieces to the last, so that the connection can be used again.

    What breaks behind the model's last word is no matter.
    """
    try:
        yield from chunks
    except StoreError:
        if decoder.finish_reason is None:
            raise


async def _aup_to_its_end(
    chunks: AsyncIterator[bytes], decoder: ChatCompletionDecoder
) -> AsyncGenerator[bytes]:
    try:
        async for chunk in chunks:
            yield chunk
    except StoreError:
        if decoder.finish_reason is None:
            raise


def joined(store: Adapter, model: ModelService) -> Transport:
    """Makes the transport of the sync face."""
    return AnsweredTransport(store.transport(), model.transport())


def ajoined(store: Adapter, model: ModelService) -> AsyncTransport:
    """Makes the transport of the async face."""
    return AsyncAnsweredTransport(store.async_transport(), model.async_transport())
