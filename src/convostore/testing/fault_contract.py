"""FaultContract: what every backend over HTTP must do when a real server fails it on the wire.

Beside a plugin's `StoreContract` it is one more class, with the same fixture:

    class TestMineOnTheWire(FaultContract):
        @pytest.fixture
        def backend(self) -> Backend:
            return Backend("mine+http://mine.test", service=…, seed=…)

The backend's stand-in is put behind a `FaultServer`, and its adapter, with its own transports, is
pointed there. Every fault meets every offered operation on both faces: the error is the right one,
no write is repeated, nothing hangs past its time-out, no connection, task or thread stays behind,
and no secret shows in an error or a log. So it is when an operation is cancelled or interrupted.
"""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import FrameType
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import pytest

from ..adapter import Adapter, Operation
from ..config import adapter_of
from ..errors import ProtocolError, RateLimitError, StoreError, UnavailableError
from ..exchange import Exchange, Request
from ..store import AsyncConversationStore
from .backend import Backend, Face, Kit, drive
from .checks import NotOffered, collected, raises
from .fault_clauses import SECRET, WRITES, Ground, prepared
from .fault_server import (
    BREAKS,
    DELAYS,
    FAULTS,
    LIMITS,
    NO_HTTP,
    NO_JSON,
    REFUSALS,
    Fault,
    FaultServer,
    RefusingServer,
    redirect,
)

Clause: TypeAlias = Callable[[Kit], Coroutine[Any, Any, None]]

ERRORS: Final[Mapping[tuple[Fault, ...], tuple[type[StoreError], bool]]] = {
    BREAKS: (UnavailableError, True),
    DELAYS: (UnavailableError, True),
    NO_HTTP: (UnavailableError, True),
    NO_JSON: (ProtocolError, False),
    REFUSALS: (UnavailableError, True),
    LIMITS: (RateLimitError, True),
}
"""Which error each fault is, and whether the same call may succeed later."""

_NAMED: Final = {fault.name: fault for fault in FAULTS}
_AGAINST_WRITES: Final = tuple(
    _NAMED[name]
    for name in (
        "closed-at-once",
        "reset-at-once",
        "reset-in-the-body",
        "truncated-body",
        "stalled",
        "page-502",
        "status-503-retry-after",
        "status-429-retry-after",
    )
)
_STALL: Final = _NAMED["stalled"]
_BUSY: Final = _NAMED["status-503-retry-after"]
_WITH_A_REST: Final = _NAMED["length-too-small"]
"""httpx takes the rest for the start of the next answer, so that each store meets it only once."""
_FACES: Final[tuple[Face, ...]] = ("sync", "async")
_SHORT: Final = 0.05
"""Seconds of the time-out where it is to be reached; a slow machine only reaches it sooner."""
_LONG: Final = 30.0
_GUARD: Final = 20.0
"""Seconds after which something hangs."""

_each_face = pytest.mark.parametrize("face", _FACES)


def _each(*faults: Fault) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("fault", faults, ids=lambda fault: fault.name)


class FaultContract:
    """Subclass it as ``Test…`` and give it a `backend` fixture; see the module."""

    @pytest.fixture
    def backend(self) -> Backend:
        """As for a `StoreContract`, with the stand-in of a service; a subclass must give one."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture named backend")

    def adapter_at(self, backend: Backend, url: str, **options: object) -> Adapter[Any, Any]:
        """Makes the backend's adapter on another address.

        Override it where the backend's target is no DSN, or its path or user matters.
        """
        if not isinstance(backend.target, str):
            raise NotImplementedError(f"{type(self).__name__} needs a method adapter_at")
        target = urlsplit(backend.target)
        query = f"?{target.query}" if target.query else ""
        scheme = target.scheme.partition("+")[0]
        return adapter_of(f"{scheme}+{url}{query}", **backend.options, **options)

    @_each_face
    @_each(*FAULTS)
    def test_a_fault_ends_in_its_error(
        self, backend: Backend, fault: Fault, face: Face, caplog: pytest.LogCaptureFixture
    ) -> None:
        ground = _prepared(backend)
        ((error, retryable),) = [told for faults, told in ERRORS.items() if fault in faults]
        server = FaultServer(fault, service=backend.service)
        timeout = _SHORT if fault in DELAYS else _LONG

        async def clause(kit: Kit) -> None:
            store = kit.open(timeout=timeout, retries=0)
            for operation in ground.operations:
                with raises(error) as caught:
                    await ground.call(store, operation)
                if fault is _WITH_A_REST:
                    store = kit.open(timeout=timeout, retries=0)
                assert caught.error.operation == operation
                assert caught.error.retryable is retryable, operation
                _assert_no_secret_shows(kit, caught.error)
            server.fault = None
            await _assert_it_is_well(store, patient=fault in DELAYS)

        with caplog.at_level("DEBUG"), _served(server) as url:
            self._carry_out(clause, backend, url, face)
        _assert_no_secret_in(caplog.text, self.adapter_at(backend, url))

    @_each_face
    def test_a_refused_connection_is_unavailable(self, backend: Backend, face: Face) -> None:
        ground = _prepared(backend)

        async def clause(kit: Kit) -> None:
            store = kit.open(timeout=_LONG, retries=0)
            for operation in ground.operations:
                with raises(UnavailableError) as caught:
                    await ground.call(store, operation)
                assert caught.error.retryable, operation
                _assert_no_secret_shows(kit, caught.error)

        with RefusingServer() as url:
            self._carry_out(clause, backend, url, face)

    @_each_face
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_leads_nothing_to_another_host(
        self, backend: Backend, status: int, face: Face
    ) -> None:
        ground = _prepared(backend)
        elsewhere = FaultServer(None, service=backend.service)
        server = FaultServer(None, service=backend.service)

        async def clause(kit: Kit) -> None:
            store = kit.open(timeout=_LONG, retries=2)
            for operation in ground.operations:
                with raises(ProtocolError) as caught:
                    await ground.call(store, operation)
                _assert_no_secret_shows(kit, caught.error)

        with elsewhere as other, _served(server) as url:
            server.fault = redirect(status, f"{other}/elsewhere")
            self._carry_out(clause, backend, url, face)
        assert server.struck, "nothing was redirected"
        assert elsewhere.connections == 0, "another host was connected to"

    @_each_face
    @_each(*_AGAINST_WRITES)
    def test_no_write_is_repeated(self, backend: Backend, fault: Fault, face: Face) -> None:
        ground = _prepared(backend)
        timeout = 5 * _SHORT if fault in DELAYS else _LONG
        for operation in filter(WRITES.__contains__, ground.operations):
            server = FaultServer(fault, service=backend.service, strikes=ground.changes)
            clause = partial(_fails, ground, operation, timeout=timeout, retries=2)
            with _served(server) as url:
                self._carry_out(clause, backend, url, face)
            sent = Counter(map(_identity, server.struck))
            assert sent, f"{operation} sent nothing that changes something"
            assert max(sent.values()) == 1, f"{operation} was repeated: {sent}"

    @_each_face
    def test_a_read_is_repeated_as_often_as_is_permitted(
        self, backend: Backend, face: Face
    ) -> None:
        ground = _prepared(backend)
        for operation in ground.operations:
            server = FaultServer(_BUSY, service=backend.service)
            clause = partial(_fails, ground, operation, timeout=_LONG, retries=2)
            with _served(server) as url:
                self._carry_out(clause, backend, url, face)
            for request, times in Counter(map(_identity, server.struck)).items():
                assert times <= 3, f"{operation} sent {request} {times} times"
            if operation is Operation.LIST_CONVERSATIONS:
                assert len(server.struck) == 3

    @_each_face
    def test_a_read_gets_over_one_broken_connection(self, backend: Backend, face: Face) -> None:
        _prepared(backend)
        for fault in (_NAMED["reset-at-once"], _NAMED["truncated-body"]):
            first = iter([True])
            strikes = partial(_next_of, first)
            server = FaultServer(fault, service=backend.service, strikes=strikes)

            async def clause(kit: Kit) -> None:
                await _assert_it_is_well(kit.open(timeout=_LONG, retries=1))

            with _served(server) as url:
                self._carry_out(clause, backend, url, face)
            assert len(server.struck) == 1

    def test_a_cancelled_operation_leaves_a_store_that_works(self, backend: Backend) -> None:
        ground = _prepared(backend)
        for stall in _stalls(ground, backend):
            with _served(stall.server) as url:
                self._carry_out(partial(_is_cancelled, ground, stall), backend, url, "async")

    @_each_face
    def test_an_interrupted_operation_leaves_a_store_that_works(
        self, backend: Backend, face: Face
    ) -> None:
        if not hasattr(signal, "pthread_kill"):
            pytest.skip("a thread cannot be interrupted here")
        ground = _prepared(backend)
        for stall in _stalls(ground, backend):
            clause = partial(_is_interrupted, ground, stall)
            with _served(stall.server) as url:
                if face == "sync":
                    self._carry_out(clause, backend, url, face)
                else:
                    with _interrupted(stall.server), pytest.raises(KeyboardInterrupt):
                        self._carry_out(clause, backend, url, face)
                    stall.assert_flows_were_closed()

    def _carry_out(self, clause: Clause, backend: Backend, url: str, face: Face) -> None:
        """Carries a clause out on the adapter at a URL; no task may be left."""
        pointed = Backend(
            partial(self.adapter_at, backend, url), options={"headers": {"x-api-key": SECRET}}
        )

        async def whole() -> None:
            kit = Kit(pointed, face)
            try:
                await clause(kit)
            finally:
                await kit.close()
            if face == "async":
                assert asyncio.all_tasks() == {asyncio.current_task()}, "a task is left"

        with guarded():
            if face == "async":
                asyncio.run(whole())
            else:
                drive(whole())


def _prepared(backend: Backend) -> Ground:
    kit = Kit(backend, "sync")
    try:
        return drive(prepared(kit))
    except NotOffered as reason:
        pytest.skip(str(reason))
    finally:
        drive(kit.close())


@dataclass(frozen=True)
class _Stall:
    """An operation in whose middle the server stalls; `told` is what its trace was told."""

    operation: Operation
    server: FaultServer
    told: list[Exchange] = field(default_factory=list)

    def open(self, kit: Kit) -> AsyncConversationStore:
        return kit.open(timeout=_LONG, retries=2, trace=self.told.append)

    def assert_flows_were_closed(self) -> None:
        """A flow tells of its exchange as it ends, however that is."""
        assert len(self.told) >= len(self.server.received)
        assert any(exchange.status is None for exchange in self.told)


def _stalls(ground: Ground, backend: Backend) -> Iterator[_Stall]:
    """At each operation's first request, and at a writing one's first write."""
    for operation in ground.operations:
        yield _Stall(operation, FaultServer(_STALL, service=backend.service))
        if operation in WRITES:
            server = FaultServer(_STALL, service=backend.service, strikes=ground.changes)
            yield _Stall(operation, server)


async def _is_cancelled(ground: Ground, stall: _Stall, kit: Kit) -> None:
    store = stall.open(kit)
    task = asyncio.create_task(_called(ground, store, stall.operation))
    await asyncio.to_thread(stall.server.wait_until_struck)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _assert_it_goes_on(ground, stall, store)


async def _is_interrupted(ground: Ground, stall: _Stall, kit: Kit) -> None:
    store = stall.open(kit)
    if kit.face == "async":  # the loop cancels what it runs, and ends
        await ground.call(store, stall.operation)
    with _interrupted(stall.server), pytest.raises(KeyboardInterrupt):
        await ground.call(store, stall.operation)
    await _assert_it_goes_on(ground, stall, store)


async def _assert_it_goes_on(ground: Ground, stall: _Stall, store: AsyncConversationStore) -> None:
    stall.assert_flows_were_closed()
    stall.server.strikes = ground.changes  # a write that was still on its way stays undone
    await _assert_it_is_well(store)


def _next_of(answers: Iterator[bool], _: Request) -> bool:
    return next(answers, False)


def _identity(request: Request) -> str:
    """What makes two requests the same one, sent again."""
    return json.dumps([request.method, request.path, request.query, request.json], sort_keys=True)


async def _called(ground: Ground, store: AsyncConversationStore, operation: Operation) -> None:
    await ground.call(store, operation)


async def _fails(ground: Ground, operation: Operation, kit: Kit, **options: Any) -> None:
    store = kit.open(**options)
    with raises(UnavailableError, RateLimitError) as caught:
        await ground.call(store, operation)
    _assert_no_secret_shows(kit, caught.error)


async def _assert_it_is_well(store: AsyncConversationStore, *, patient: bool = False) -> None:
    """Reads the list; patiently where a short time-out may be reached by mere load."""
    for attempts_left in range(50 if patient else 0, -1, -1):
        try:
            listed = await collected(store.conversations())
        except UnavailableError:
            if not attempts_left:
                raise
        else:
            assert len(listed) == 2
            return


def _assert_no_secret_shows(kit: Kit, error: StoreError) -> None:
    text = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    _assert_no_secret_in(text, kit.backend.adapter())


def _assert_no_secret_in(text: str, adapter: Adapter[Any, Any]) -> None:
    secrets = [SECRET, *getattr(adapter, "secrets", tuple)()]
    assert not [secret for secret in secrets if secret in text], "a secret shows"


@contextmanager
def _served(server: FaultServer) -> Iterator[str]:
    """Runs the server; in the end no connection to it may be open, and no thread be left."""
    before = set(threading.enumerate())
    with server as url:
        yield url
        assert server.wait_until_left(seconds=_GUARD), "a connection stays open"
    assert server.errors == []
    assert set(threading.enumerate()) <= before, "a thread is left"


@contextmanager
def _interrupted(server: FaultServer) -> Iterator[None]:
    """Does to this thread what Ctrl-C does, once the server stalls."""
    here = threading.get_ident()
    over = threading.Event()

    def interrupt() -> None:
        if not server.wait_until_struck():
            return  # nothing waits for the signal, which would end the tests
        signal.pthread_kill(here, signal.SIGINT)
        # Python does not see a signal that comes just before it waits: another one wakes it.
        while not over.wait(0.05):
            signal.pthread_kill(here, signal.SIGUSR1)

    handlers = {
        signal.SIGUSR1: lambda _number, _frame: None,
        signal.SIGINT: signal.default_int_handler,  # what a shell starts in the background has none
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def guarded() -> Iterator[None]:
    """Fails what hangs, where the system has an alarm clock."""
    if not hasattr(signal, "setitimer") or threading.current_thread() != threading.main_thread():
        yield
        return

    def fail(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"it did not end within {_GUARD:g} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.setitimer(signal.ITIMER_REAL, _GUARD)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
