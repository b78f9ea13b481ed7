"""A reply as it arrives: what the two faces iterate over.

What happens, a `ReplySession` says; what carries a step of it out is a line or two of each face. No
backend may be known here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from ..adapters import AsyncTransport, Transport
from ..errors import InvalidError
from ..flow import Flow
from ..models import PartialReply, Reply, ReplyEvent
from ._reply_session import EmitEvents, OpenStream, ReadChunk, ReplySession, RunFlow, Step
from ._wrong_face import NOT_ASYNC, NOT_ITERATED, NOT_ITERATED_ASYNC, NOT_SYNC, refuse

# Any, in this module: a backend's own requests, replies and chunks, which nothing here looks at.

_NOTHING: Final[Iterator[ReplyEvent]] = iter(())


class _ReplyStream:
    """The part of a streamed reply that is the same for both classes."""

    def __init__(self, session: ReplySession) -> None:
        self._session = session
        self._steps = session.steps()
        self._events = _NOTHING
        self._step: Step | None = None
        self._state: Literal["new", "open", "closed"] = "new"
        self._is_waiting = False

    def __repr__(self) -> str:
        ids = f"conversation_id={self.conversation_id!r} turn_id={self.turn_id!r}"
        return f"<{type(self).__name__} {ids} {self._state}>"

    @property
    def conversation_id(self) -> str:
        """The conversation's id; a new one has it before anything is sent."""
        return self._session.conversation_id

    @property
    def turn_id(self) -> str | None:
        """The id by which `get_reply` finds the reply; a new turn has it before it is sent."""
        return self._session.turn_id

    @property
    def message_id(self) -> str | None:
        """The id of the answer's message, from the beginning if the backend knows it then.

        Otherwise None at first: some services choose it when the answer is finished.
        """
        return self._session.message_id

    @property
    def so_far(self) -> PartialReply:
        """The part of the reply that has arrived."""
        return self._session.so_far()

    @property
    def reply(self) -> Reply:
        """The finished reply.

        Raises:
            InvalidError: It is not finished: iterate to the end first.
        """
        if self._session.reply is None:
            raise InvalidError("the reply is not finished: iterate over the stream to its end")
        return self._session.reply

    def _begin(self) -> Step:
        """Return the first step.

        Raises:
            InvalidError: It was entered before.
        """
        if self._state != "new":
            raise InvalidError(
                "a reply stream can be used only once: call the store again for another turn"
            )
        self._state = "open"
        return next(self._steps)

    def _arrive(self, step: Step) -> None:
        self._step = step
        if isinstance(step, EmitEvents):
            self._events = step.events

    def _upcoming(self) -> Step | None:
        """Return the step after the event that was handed out last; None at the end.

        Raises:
            InvalidError: The stream was not entered, was closed, or broke off.
        """
        if self._state == "new":
            raise InvalidError(
                "a reply stream must be entered with 'with' or 'async with', which sends the turn"
            )
        step = self._step
        if self._state == "open" and isinstance(step, EmitEvents):
            step = next(self._steps, None)
        if self._state == "closed" and self._session.reply is None:
            raise _closed()
        return None if self._state == "closed" else step

    def _end(self) -> None:
        self._state = "closed"
        self._events = _NOTHING
        with suppress(ValueError):  # another thread is just in it, and will meet what is closed
            self._steps.close()


def _closed() -> InvalidError:
    return InvalidError("the reply stream is closed: so_far holds what arrived before")


class ReplyStream(_ReplyStream):
    """A reply as it arrives: use it in a ``with``, which sends the turn, and iterate over it.

    Leaving early closes the connection. It does not stop the service, which finishes the answer and
    stores it: `get_reply` finds it later. One thread at a time may read it; any may close it.

    Example:
        with store.stream_reply(None, "How far is the moon?") as stream:
            for event in stream:
                if event.kind == "text_delta":
                    print(event.text, end="")
        print(stream.reply.conversation_id)
    """

    def __init__(
        self,
        session: ReplySession,
        transport: Transport,
        run: Callable[[Callable[[], Flow[Any, Any, Any]]], Any],
    ) -> None:
        super().__init__(session)
        self._transport = transport
        self._run = run
        self._connection = ExitStack()
        self._chunks: Iterator[Any] = iter(())

    def __enter__(self) -> Self:
        """Send the turn.

        Raises:
            StoreError: It was refused, or the service is out of reach.
        """
        step = self._begin()
        try:
            while not isinstance(step, ReadChunk | EmitEvents):
                step = self._after(step)
        except BaseException:
            self.close()
            raise
        self._arrive(step)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    if not TYPE_CHECKING:
        __aiter__ = refuse(NOT_ITERATED_ASYNC)
        __aenter__ = __aexit__ = refuse(NOT_ASYNC)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ReplyEvent:
        """Return the next event, when it has come.

        Raises:
            StoreError: The reply broke off; `partial` is what had arrived.
        """
        if self._is_waiting:
            raise InvalidError(
                "another thread is reading this reply stream: close the stream to stop it"
            )
        try:
            while (event := next(self._events, None)) is None:
                self._advance()
        except BaseException:
            if self._state != "new":
                self.close()
            raise
        return event

    def _advance(self) -> None:
        """Carry steps out until there are events to hand out.

        Raises:
            StopIteration: There are no more.
        """
        step = self._upcoming()
        while step is not None and not isinstance(step, EmitEvents):
            step = self._after(step)
        if step is None:
            raise StopIteration
        self._arrive(step)

    def _after(self, step: Step) -> Step:
        self._is_waiting = True
        try:
            sent = self._carry_out(step)
        except Exception as error:
            self._connection.__exit__(type(error), error, error.__traceback__)
            if self._state == "closed":
                raise _closed() from None
            return self._steps.throw(error)
        finally:
            self._is_waiting = False
        if self._state == "closed":
            raise _closed()
        return self._steps.send(sent)

    def _carry_out(self, step: Step) -> object:
        match step:
            case ReadChunk():
                return next(self._chunks, None)
            case OpenStream():
                incoming = self._connection.enter_context(self._transport.stream(step.request))
                self._chunks = incoming.chunks
                return incoming.reply
            case RunFlow():
                self._connection.close()
                return self._run(step.make)
        return None

    def close(self) -> None:
        """Close the connection; the service continues. A second call does nothing."""
        self._end()
        self._connection.close()


class AsyncReplyStream(_ReplyStream):
    """The async counterpart of `ReplyStream`; a cancellation closes it.

    Example:
        async with store.stream_reply(None, "How far is the moon?") as stream:
            async for event in stream:
                if event.kind == "text_delta":
                    print(event.text, end="")
    """

    def __init__(
        self,
        session: ReplySession,
        transport: AsyncTransport,
        run: Callable[[Callable[[], Flow[Any, Any, Any]]], Awaitable[Any]],
    ) -> None:
        super().__init__(session)
        self._transport = transport
        self._run = run
        self._connection = AsyncExitStack()
        self._chunks: AsyncIterator[Any] | None = None

    async def __aenter__(self) -> Self:
        """Send the turn.

        Raises:
            StoreError: It was refused, or the service is out of reach.
        """
        step = self._begin()
        try:
            while not isinstance(step, ReadChunk | EmitEvents):
                step = await self._after(step)
        except BaseException:
            await self.aclose()
            raise
        self._arrive(step)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    if not TYPE_CHECKING:
        __iter__ = refuse(NOT_ITERATED)
        __enter__ = __exit__ = refuse(NOT_SYNC)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ReplyEvent:
        """Return the next event, when it has come.

        Raises:
            StoreError: The reply broke off; `partial` is what had arrived.
        """
        if self._is_waiting:
            raise _taken_by_another()
        try:
            while (event := next(self._events, None)) is None:
                await self._advance()
        except BaseException:
            if self._state != "new":
                await self.aclose()
            raise
        return event

    async def _advance(self) -> None:
        """Carry steps out until there are events to hand out.

        Raises:
            StopAsyncIteration: There are no more.
        """
        step = self._upcoming()
        while step is not None and not isinstance(step, EmitEvents):
            step = await self._after(step)
        if step is None:
            raise StopAsyncIteration
        self._arrive(step)

    async def _after(self, step: Step) -> Step:
        self._is_waiting = True
        try:
            sent = await self._carry_out(step)
        except Exception as error:
            await self._connection.__aexit__(type(error), error, error.__traceback__)
            return self._steps.throw(error)
        finally:
            self._is_waiting = False
        return self._steps.send(sent)

    async def _carry_out(self, step: Step) -> object:
        match step:
            case ReadChunk():
                return await anext(self._chunks, None) if self._chunks else None
            case OpenStream():
                incoming = await self._connection.enter_async_context(
                    self._transport.stream(step.request)
                )
                self._chunks = incoming.chunks
                return incoming.reply
            case RunFlow():
                await self._connection.aclose()
                return await self._run(step.make)
        return None

    async def aclose(self) -> None:
        """Close the connection; the service continues. A second call does nothing.

        Raises:
            InvalidError: Another task waits for an event: cancel that task, which closes the
                stream.
        """
        if self._is_waiting:
            raise _taken_by_another()
        self._end()
        await self._connection.aclose()


def _taken_by_another() -> InvalidError:
    return InvalidError(
        "another task is reading this reply stream: cancel that task, which closes the stream"
    )
