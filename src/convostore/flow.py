"""Flows: operations that do no I/O themselves, and the drivers that run them, sync and async.

A flow is a generator that yields requests, is sent replies, and returns its result; errors are
thrown into it. It may also yield `Sleep` and `Together`, which the drivers handle themselves. No
adapter, transport or protocol may be imported here.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
)
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

from .errors import StoreError

__all__ = ["Flow", "Sleep", "Together", "arun", "in_order", "poll", "retrying", "run", "together"]

Q = TypeVar("Q")
R = TypeVar("R")
T = TypeVar("T")

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0

Flow: TypeAlias = Generator[Q, R, T]
"""A generator: `Flow[Q, R, T]` yields requests `Q`, is sent replies `R`, and returns a `T`."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """A pause of some seconds, yielded by a flow."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Together(Generic[Q, R, T]):
    """Several flows to run at once, yielded by a flow for their results; see `together`."""

    flows: tuple[Flow[Q, R, T], ...]


def together(flows: Iterable[Flow[Q, R, T]]) -> Flow[Q, R, list[T]]:
    """Combine flows into one, whose result is the list of their results, in their order.

    The async driver runs up to `concurrency` of them at a time, the sync driver one after another.
    The first that fails ends the rest, and its error is raised here. Not for flows over SQL, where
    one connection can do one thing at a time.
    """
    # The drivers send a list for a `Together`; for any other request they send an `R`.
    result = yield cast("Q", Together(tuple(flows)))
    return cast("list[T]", result)


def run(
    flow: Flow[Q, R, T], send: Callable[[Q], R], *, sleep: Callable[[float], None] = time.sleep
) -> T:
    """Run a flow with a blocking `send`, one request after another.

    An exception that is not an `Exception`, such as a KeyboardInterrupt, closes the flow and
    propagates.

    Args:
        flow: The flow.
        send: Sends a request and returns the reply.
        sleep: Replaces `time.sleep`.
    """
    return _Driver(send, sleep).run(flow)


async def arun(
    flow: Flow[Q, R, T],
    send: Callable[[Q], Awaitable[R]],
    *,
    concurrency: int = 1,
    sleep: Callable[[float], Awaitable[None]] | None = None,
) -> T:
    """Run a flow with an async `send`; a cancellation closes the flow.

    Args:
        flow: The flow.
        send: Sends a request and returns the reply.
        concurrency: How many flows of one `together` run at a time.
        sleep: Replaces `asyncio.sleep`.
    """
    return await _AsyncDriver(send, sleep or _asyncio_sleep, concurrency).run(flow)


@dataclass(frozen=True, slots=True)
class _Driver(Generic[Q, R]):
    send: Callable[[Q], R]
    sleep: Callable[[float], None]

    def run(self, flow: Flow[Q, R, T]) -> T:
        resume: Callable[[Any], object] = flow.send
        value: object = None
        try:
            while True:
                request = resume(value)
                try:
                    value, resume = self._answer(request), flow.send
                except Exception as error:
                    value, resume = error, flow.throw
        except StopIteration as stop:
            return cast("T", stop.value)
        finally:
            value = None  # an error kept here would hold this frame, and this frame the error
            flow.close()

    def _answer(self, request: object) -> object:
        if isinstance(request, Sleep):
            self.sleep(request.seconds)
            return None
        if isinstance(request, Together):
            return self._in_turn(request.flows)
        return self.send(cast("Q", request))

    def _in_turn(self, flows: tuple[Flow[Q, R, object], ...]) -> list[object]:
        try:
            return [self.run(flow) for flow in flows]
        finally:
            _close(flows)


@dataclass(frozen=True, slots=True)
class _AsyncDriver(Generic[Q, R]):
    send: Callable[[Q], Awaitable[R]]
    sleep: Callable[[float], Awaitable[None]]
    concurrency: int

    async def run(self, flow: Flow[Q, R, T]) -> T:
        resume: Callable[[Any], object] = flow.send
        value: object = None
        try:
            while True:
                request = resume(value)
                try:
                    value, resume = await self._answer(request), flow.send
                except Exception as error:
                    value, resume = error, flow.throw
        except StopIteration as stop:
            return cast("T", stop.value)
        finally:
            value = None
            flow.close()

    async def _answer(self, request: object) -> object:
        if isinstance(request, Sleep):
            await self.sleep(request.seconds)
            return None
        if isinstance(request, Together):
            return await self._side_by_side(request.flows)
        return await self.send(cast("Q", request))

    async def _side_by_side(self, flows: tuple[Flow[Q, R, object], ...]) -> list[object]:
        import asyncio

        results: list[object] = [None] * len(flows)
        waiting = iter(enumerate(flows))

        async def work() -> None:
            for index, flow in waiting:
                results[index] = await self.run(flow)

        first: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.concurrency, len(flows))):
                    group.create_task(work())
        except BaseExceptionGroup as failures:
            first = failures.exceptions[0]
        finally:
            _close(flows)
        if first is not None:
            raise first
        return results


async def _asyncio_sleep(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(seconds)


def _close(flows: Iterable[Flow[Any, Any, Any]]) -> None:
    for flow in flows:
        flow.close()


async def in_order(
    jobs: AsyncGenerator[Callable[[], Coroutine[Any, Any, T]]], *, ahead: int
) -> AsyncGenerator[T]:
    """Yield the results of jobs in the order of the jobs, with up to `ahead` of them running.

    The error of a job is raised in its turn, and so is an error of the jobs' iterator. Leaving
    early cancels the running jobs and waits until they have ended.
    """
    import asyncio

    running: deque[asyncio.Task[T]] = deque()
    failure: Exception | None = None
    try:
        while True:
            try:
                job = await anext(jobs)
            except StopAsyncIteration:
                break
            except Exception as error:
                failure = error
                break
            running.append(asyncio.create_task(job()))
            if len(running) >= ahead:
                yield await running.popleft()
        while running:
            yield await running.popleft()
        if failure is not None:
            raise failure
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await jobs.aclose()


def poll(look: Callable[[bool], Flow[Q, R, T | None]], *, patience: float) -> Flow[Q, R, T | None]:
    """Repeat a look-up, with growing pauses, until it returns something or time is up.

    Args:
        look: Makes the flow of one look-up, which returns None while there is nothing. Its argument
            is whether this is the last one.
        patience: The seconds between the first look-up and the last.
    """
    pause, waited = _FIRST_PAUSE, 0.0
    while True:
        is_last = waited >= patience
        result = yield from look(is_last)
        if result is not None or is_last:
            return result
        yield cast("Q", Sleep(pause))  # the drivers handle it themselves
        waited += pause
        pause = min(2 * pause, _LONGEST_PAUSE)


def retrying(
    flow: Flow[Q, R, T],
    *,
    retries: int,
    failure: Callable[[Q, R], StoreError | None],
    repeatable: Callable[[Q], bool],
    delay: Callable[[int, StoreError], float | None],
) -> Flow[Q, R, T]:
    """Wrap a flow so that a failed request is retried, or its error thrown into the flow.

    It uses no clock, and so can be tested without one: waiting is a yielded `Sleep`.

    Args:
        flow: The flow to wrap; the flows of its `together` are wrapped as well.
        retries: The maximum number of retries of one request.
        failure: Returns the error that a reply reports, or None.
        repeatable: Returns whether repeating a request is harmless.
        delay: Returns the seconds to wait, for the number of attempts so far and the error; None if
            waiting is not worth it.
    """
    return _Retrying(retries, failure, repeatable, delay).wrap(flow)


@dataclass(frozen=True, slots=True)
class _Retrying(Generic[Q, R]):
    retries: int
    failure: Callable[[Q, R], StoreError | None]
    repeatable: Callable[[Q], bool]
    delay: Callable[[int, StoreError], float | None]

    def wrap(self, flow: Flow[Q, R, T]) -> Flow[Q, R, T]:
        resume: Callable[[Any], Any] = flow.send
        value: object = None
        try:
            while True:
                request = resume(value)
                try:
                    value = yield from self._answer(request)
                except Exception as error:
                    value = error
                resume = flow.throw if isinstance(value, Exception) else flow.send
        except StopIteration as stop:
            return cast("T", stop.value)
        finally:
            value = None
            flow.close()

    def _answer(self, request: Any) -> Flow[Any, Any, object]:
        if isinstance(request, Together):
            return (yield Together(tuple(map(self.wrap, request.flows))))
        if isinstance(request, Sleep):
            return (yield request)
        return (yield from self._persist(request))

    def _persist(self, request: Q) -> Flow[Any, R, R | StoreError]:
        attempts = 0
        while True:
            outcome = yield from self._attempt(request)
            attempts += 1
            if not isinstance(outcome, StoreError) or not outcome.retryable:
                return outcome
            if attempts > self.retries or not self.repeatable(request):
                return outcome
            seconds = self.delay(attempts, outcome)
            if seconds is None:
                return outcome
            yield Sleep(seconds)

    def _attempt(self, request: Q) -> Flow[Q, R, R | StoreError]:
        try:
            reply = yield request
        except StoreError as error:
            return error
        return self.failure(request, reply) or reply
