"""A reply as it arrives: one flow of steps for both faces, and what the faces iterate over.

The flow decides everything: it opens the stream once and never again, decodes, puts together, and
finishes; an error that ends it takes along what had arrived. What carries a step out is a line or
two of each face. No backend may be known here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from .adapter import Adapter, AsyncTransport, Operation, Transport
from .drafts import Draft
from .errors import InvalidError, StoreError
from .events import ReplyEvent, ReplyFinished
from .flow import Flow
from .replies import PartialReply, Reply
from .turns import Stream

# Any, in this module: a backend's own requests, replies and chunks, which nothing here looks at.


@dataclass(frozen=True, slots=True)
class Open:
    """A step: sends the request whose reply comes piece by piece; is sent what came first."""

    request: Any


class Read:
    """A step: is sent the stream's next piece, or None at its end."""


@dataclass(frozen=True, slots=True)
class Emit:
    """A step: hands an event to the caller."""

    event: ReplyEvent


@dataclass(frozen=True, slots=True)
class Carry:
    """A step: carries a flow of the adapter's out; is sent its result."""

    make: Callable[[], Flow[Any, Any, Any]]


Step: TypeAlias = Open | Read | Emit | Carry
Steps: TypeAlias = Generator[Step, Any, None]

_READ: Final = Read()


class Course:
    """One reply under way: its ids, what has arrived of it, and the flow of its steps."""

    def __init__(
        self,
        adapter: Adapter[Any, Any],
        operation: Operation,
        begin: Callable[[], Flow[Any, Any, Stream[Any, Any] | Reply]],
        *,
        conversation_id: str,
        turn_id: str | None,
    ) -> None:
        self.conversation_id = conversation_id
        self.turn_id = turn_id
        self.draft = Draft()
        self.reply: Reply | None = None
        self._adapter = adapter
        self._operation = operation
        self._begin = begin

    def so_far(self) -> PartialReply:
        return PartialReply(
            conversation_id=self.conversation_id,
            turn_id=self.turn_id,
            parts=self.draft.parts,
            sources=self.draft.sources,
        )

    def steps(self) -> Steps:
        """The reply, step by step.

        An event reaches the caller before the step after it is taken: the stream is read no faster
        than it is used.
        """
        try:
            begun: Stream[Any, Any] | Reply = yield Carry(self._begin)
            if isinstance(begun, Reply):
                self.reply = begun
            else:
                self.reply = yield from self._streamed(begun)
        except StoreError as error:
            self._adapter.redact(error)
            error.adapter = error.adapter or self._adapter.name
            error.operation = error.operation or self._operation.value
            error.partial = self.so_far()
            raise
        yield Emit(ReplyFinished(reply=self.reply))

    def _streamed(self, stream: Stream[Any, Any]) -> Generator[Step, Any, Reply]:
        self.turn_id = stream.turn_id or self.turn_id
        yield from self._read(stream)
        reply: Reply = yield Carry(lambda: self._adapter.surround(stream.finish(self.draft)))
        return reply

    def _read(self, stream: Stream[Any, Any]) -> Steps:
        head = yield Open(stream.request)
        refusal = self._adapter.failure(stream.request, head)
        if refusal is not None:
            raise refusal
        while (chunk := (yield _READ)) is not None:
            for event in stream.decoder.feed(chunk):
                self.draft.add(event)
                yield Emit(event)
        for event in stream.decoder.close():
            self.draft.add(event)
            yield Emit(event)


class _ReplyStream:
    """What both faces of a streamed reply tell."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self._steps = course.steps()
        self._step: Step | None = None
        self._begun = False

    @property
    def conversation_id(self) -> str:
        """The conversation's id; of a new one, known before anything is sent."""
        return self._course.conversation_id

    @property
    def turn_id(self) -> str | None:
        """What `get_reply` finds the reply by; of a new turn, known before anything is sent."""
        return self._course.turn_id

    @property
    def so_far(self) -> PartialReply:
        """What has arrived so far."""
        return self._course.so_far()

    @property
    def reply(self) -> Reply:
        """The finished reply.

        Raises:
            InvalidError: It is not finished: iterate to the end first.
        """
        if self._course.reply is None:
            raise InvalidError("the reply is not finished: iterate over the stream to its end")
        return self._course.reply

    def _begin(self) -> Step:
        """The first step.

        Raises:
            InvalidError: It was begun before.
        """
        if self._begun:
            raise InvalidError("a reply stream is used once: to send a turn again is another turn")
        self._begun = True
        return next(self._steps)

    def _upcoming(self) -> Step | None:
        """The step to carry out next, behind the event that was handed out last; None at the end.

        Raises:
            InvalidError: The stream was not begun, was closed, or broke off.
        """
        step = self._step
        if step is None and self._course.reply is None:
            raise InvalidError("a reply stream is read within its with-block, and to its end once")
        return next(self._steps, None) if isinstance(step, Emit) else step

    def _ended(self) -> None:
        self._step = None
        self._steps.close()


class ReplyStream(_ReplyStream):
    """A reply as it arrives: use it in a ``with``, which sends the turn, and iterate over it.

    Leaving early closes the connection. It does not stop the service, which finishes the answer and
    stores it: `get_reply` finds it later.
    """

    def __init__(
        self,
        course: Course,
        transport: Transport[Any, Any],
        run: Callable[[Callable[[], Flow[Any, Any, Any]]], Any],
    ) -> None:
        super().__init__(course)
        self._transport = transport
        self._run = run
        self._connection = ExitStack()
        self._chunks: Iterator[Any] = iter(())

    def __enter__(self) -> Self:
        """Sends the turn.

        Raises:
            StoreError: It was refused, or the service is out of reach.
        """
        step = self._begin()
        try:
            while not isinstance(step, Read | Emit):
                step = self._after(step)
        except BaseException:
            self.close()
            raise
        self._step = step
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ReplyEvent:
        """Waits for the next event.

        Raises:
            StoreError: The reply broke off; `partial` is what had arrived.
        """
        try:
            step = self._upcoming()
            while step is not None and not isinstance(step, Emit):
                step = self._after(step)
        except BaseException:
            self.close()
            raise
        if step is None:
            self.close()
            raise StopIteration
        self._step = step
        return step.event

    def _after(self, step: Step) -> Step:
        try:
            sent = self._carry_out(step)
        except Exception as error:
            return self._steps.throw(error)
        return self._steps.send(sent)

    def _carry_out(self, step: Step) -> object:
        match step:
            case Read():
                return next(self._chunks, None)
            case Open():
                incoming = self._connection.enter_context(self._transport.stream(step.request))
                self._chunks = incoming.chunks
                return incoming.reply
            case Carry():
                self._connection.close()
                return self._run(step.make)
        return None

    def close(self) -> None:
        """Closes the connection; the service goes on. Calling it twice is fine."""
        self._ended()
        self._connection.close()


class AsyncReplyStream(_ReplyStream):
    """As `ReplyStream`, with ``async with`` and ``async for``; a cancellation closes it."""

    def __init__(
        self,
        course: Course,
        transport: AsyncTransport[Any, Any],
        run: Callable[[Callable[[], Flow[Any, Any, Any]]], Awaitable[Any]],
    ) -> None:
        super().__init__(course)
        self._transport = transport
        self._run = run
        self._connection = AsyncExitStack()
        self._chunks: AsyncIterator[Any] | None = None

    async def __aenter__(self) -> Self:
        """Sends the turn.

        Raises:
            StoreError: It was refused, or the service is out of reach.
        """
        step = self._begin()
        try:
            while not isinstance(step, Read | Emit):
                step = await self._after(step)
        except BaseException:
            await self.aclose()
            raise
        self._step = step
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ReplyEvent:
        """Waits for the next event.

        Raises:
            StoreError: The reply broke off; `partial` is what had arrived.
        """
        try:
            step = self._upcoming()
            while step is not None and not isinstance(step, Emit):
                step = await self._after(step)
        except BaseException:
            await self.aclose()
            raise
        if step is None:
            await self.aclose()
            raise StopAsyncIteration
        self._step = step
        return step.event

    async def _after(self, step: Step) -> Step:
        try:
            sent = await self._carry_out(step)
        except Exception as error:
            return self._steps.throw(error)
        return self._steps.send(sent)

    async def _carry_out(self, step: Step) -> object:
        match step:
            case Read():
                return await anext(self._chunks, None) if self._chunks else None
            case Open():
                incoming = await self._connection.enter_async_context(
                    self._transport.stream(step.request)
                )
                self._chunks = incoming.chunks
                return incoming.reply
            case Carry():
                await self._connection.aclose()
                return await self._run(step.make)
        return None

    async def aclose(self) -> None:
        """Closes the connection; the service goes on. Calling it twice is fine."""
        self._ended()
        await self._connection.aclose()
