"""The model's server as an adapter that stores nothing, and transports that join it to a store.

These carry the flows of a store, and the one request of a turn to the model. `requests` decides
what a request holds.
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
from convostore.http import (
    AsyncHTTPTransport,
    HTTPAdapter,
    HTTPTransport,
    Request,
    Response,
    status_error,
)
from convostore.models import JSON, Listing, Message
from convostore.parsing import decode_json

from .decoder import ChatCompletionDecoder, error_in, error_text
from .options import ModelOptions

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

_log: Final = logging.getLogger("convostore.openai")


class ModelService(HTTPAdapter):
    """A server with OpenAI's chat completions; it has no conversations."""

    name: ClassVar[str] = "upstream"
    Options = ModelOptions

    def __init__(self, options: ModelOptions) -> None:
        super().__init__(DSN.parse(f"upstream+{options.url}"), options)

    def transport(self) -> HTTPTransport:
        return HTTPTransport(self.base_url, self.options, self.authorization())

    def async_transport(self) -> AsyncHTTPTransport:
        return AsyncHTTPTransport(self.base_url, self.options, self.authorization())

    def authorization(self) -> str | None:
        key = self.options.api_key
        return f"Bearer {key.get_secret_value()}" if key else super().authorization()

    def completion(self, body: dict[str, JSON]) -> Request:
        """Build the request of one turn."""
        return Request(
            "POST",
            "/chat/completions",
            query=self.dsn.options,
            json=body,
            headers=(("accept", "text/event-stream, application/json"),),
            patient=True,
        )

    def failure(self, request: Request, response: Response) -> StoreError | None:
        """Return the error by the status; a 404 or 409 is an `InvalidError` of the options.

        No conversation is missing then, and nobody else was first.
        """
        detail = _detail(response)
        error = status_error(request, response, detail)
        if isinstance(error, NotFoundError | ConflictError):
            return InvalidError(f"{error}; check the model's name and URL", detail=detail)
        if isinstance(error, InvalidError) and "stream_options" in (detail or ""):
            return InvalidError(f"{error}; open the store with usage=False", detail=detail)
        return error

    def list_conversations(self, listing: Listing) -> NoReturn:  # noqa: ARG002
        raise self.unsupported(Operation.LIST_CONVERSATIONS)

    def get_conversation(self, conversation_id: str) -> NoReturn:  # noqa: ARG002
        raise self.unsupported(Operation.GET_CONVERSATION)

    def list_messages(self, conversation_id: str, listing: Listing) -> NoReturn:  # noqa: ARG002
        raise self.unsupported(Operation.LIST_MESSAGES)


def _detail(response: Response) -> str | None:
    """Return the text of a refusal; None for a success, or where it cannot be read."""
    if response.status < 300 or response.media_type == "text/html":
        return None
    try:
        body = decode_json(response.content)
    except ProtocolError:
        return None
    return error_text(error_in(body)) or error_text(body)


@dataclass(frozen=True, slots=True)
class Question:
    """One turn as the joined transports carry it.

    Attributes:
        request: The request to the model; sent once.
        store_answer: Makes the flow that stores what arrived of the answer.
        stored: Called with the message that this flow stored.
    """

    request: Request
    decoder: ChatCompletionDecoder = field(repr=False)
    store_answer: Callable[[], Flow[Any, Any, Message]] = field(repr=False)
    stored: Callable[[Message], None] = field(repr=False)


class AnsweredTransport(Transport):
    """A store's transport that streams from a model; what arrived is stored when a stream ends."""

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
                # Not closed here: another thread may be waiting for its next piece.
                yield IncomingReply(
                    incoming.reply, _until_finished(incoming.chunks, request.decoder)
                )
        finally:
            self._store_answer(request)

    def _store_answer(self, question: Question) -> None:
        try:
            question.stored(self._store.run(question.store_answer))
        except StoreError as error:
            _log_unstored(error)

    def close(self) -> None:
        try:
            self._model.close()
        finally:
            self._store.close()


class AsyncAnsweredTransport(AsyncTransport):
    """The async counterpart of `AnsweredTransport`."""

    def __init__(self, store: AsyncTransport, model: AsyncTransport[Request, Response]) -> None:
        self.concurrency = store.concurrency
        self._store = store
        self._model = model
        self._storing: set[asyncio.Task[None]] = set()

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
            await self._store_shielded(request)

    async def _store_shielded(self, question: Question) -> None:
        """Store what arrived, however often the caller is cancelled meanwhile."""
        import asyncio

        task = asyncio.create_task(self._store_answer(question))
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)
        await asyncio.shield(task)

    async def _store_answer(self, question: Question) -> None:
        try:
            question.stored(await self._store.run(question.store_answer))
        except StoreError as error:
            _log_unstored(error)

    async def aclose(self) -> None:
        async with AsyncExitStack() as last:
            last.push_async_callback(self._store.aclose)
            last.push_async_callback(self._settle)
            await self._model.aclose()

    async def _settle(self) -> None:
        import asyncio

        if self._storing:
            await asyncio.wait(self._storing)


def _log_unstored(error: StoreError) -> None:
    # Of a reply that was left or cut off this is the only trace; `finish` stores a whole one again.
    _log.warning("an answer could not be stored: %s", type(error).__name__)


def _until_finished(
    chunks: Iterator[bytes], decoder: ChatCompletionDecoder
) -> Generator[bytes, None, None]:
    """Yield the chunks to the last, so that the connection can be used again.

    An error after the model has finished is ignored.
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
    """Return the transport of the sync class."""
    return AnsweredTransport(store.transport(), model.transport())


def ajoined(store: Adapter, model: ModelService) -> AsyncTransport:
    """Return the transport of the async class."""
    return AsyncAnsweredTransport(store.async_transport(), model.async_transport())
