"""FaultContract: what every backend over HTTP must do when a real server fails it on the wire.

It is one more class beside a plugin's `StoreContract`, with the same fixture:

    class TestMineOnTheWire(FaultContract):
        @pytest.fixture
        def backend(self) -> Backend:
            return Backend("mine+http://mine.test", service=…, seed=…)

The backend's stand-in runs behind a `FaultServer`, to which its adapter is pointed, with its own
transports. Every fault meets every offered operation on both faces: the error is the right one, no
write is repeated, nothing hangs past its time-out, no connection, task or thread is left, and no
secret shows in an error or a log. The same holds when an operation is cancelled or interrupted.

A streamed reply, if the backend has `Prompts` for it, is broken at each of its pieces:
the error has what had arrived, the turn was sent once, and what is stored is found.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import pytest

from ...adapters import Adapter, Operation
from ...config import open_adapter
from ...errors import ProtocolError, RateLimitError, StoreError, UnavailableError
from ...http import Exchange, Request
from ...store import AsyncConversationStore
from .. import _rewriting as rewriting  # noqa: F401  # before the modules that it names
from .._assertions import NotOffered, collect, raises, rules_in_errors
from .._backend import Backend, Kit
from .._faces import FACES, Face, StoreFace, drive
from ..clock import AutojumpClock
from ._cuts import CUT_KINDS, CutKind
from ._fixture import SECRET, STREAMED, WRITES, FaultFixture, prepare
from ._guards import (
    LONG,
    SHORT,
    assert_no_secret_in,
    assert_no_secret_shows,
    fail_on_hang,
    interrupt_when,
    run_server,
    short_timeout_store,
)
from ._streams import (
    StreamCheck,
    StreamedReply,
    check_cancelled,
    check_cut,
    check_garbled,
    check_interrupted,
    check_left,
    check_no_mixing,
    record_streamed_reply,
)
from .server import (
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

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

Clause: TypeAlias = Callable[[Kit], Coroutine[Any, Any, None]]

FAULT_ERRORS: Final[Mapping[tuple[Fault, ...], tuple[type[StoreError], bool]]] = {
    BREAKS: (UnavailableError, True),
    DELAYS: (UnavailableError, True),
    NO_HTTP: (UnavailableError, True),
    NO_JSON: (ProtocolError, False),
    REFUSALS: (UnavailableError, True),
    LIMITS: (RateLimitError, True),
}
"""The error that each group of faults must end in, and whether it is retryable."""

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
_MAY_SEEM_CUT: Final = tuple(fault for fault in NO_JSON if not fault.name.startswith("page-"))
"""Faults that a stream may take for a cut."""
_STALL: Final = _NAMED["stalled"]
_BUSY: Final = _NAMED["status-503-retry-after"]
_WITH_A_REST: Final = _NAMED["length-too-small"]
"""httpx takes the rest for the start of the next answer, so that each store meets it only once."""

_each_face = pytest.mark.parametrize("face", FACES)


def _each(*faults: Fault) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("fault", faults, ids=lambda fault: fault.name)


@rules_in_errors
class FaultContract:
    """The contract on the wire: subclass it as ``Test…`` with a `backend` fixture."""

    @pytest.fixture
    def backend(self) -> Backend:
        """Return a backend with the stand-in of a service; every subclass must override it."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture named backend")

    def adapter_at(self, backend: Backend, url: str, **options: object) -> Adapter:
        """Return the backend's adapter for another address.

        Override it where the backend's target is not a DSN, or its path or user matters.
        """
        if not isinstance(backend.target, str):
            raise NotImplementedError(f"{type(self).__name__} needs a method adapter_at")
        target = urlsplit(backend.target)
        query = f"?{target.query}" if target.query else ""
        scheme = target.scheme.partition("+")[0]
        return open_adapter(f"{scheme}+{url}{query}", **backend.options, **options)

    @_each_face
    @_each(*FAULTS)
    def test_a_fault_ends_in_its_error(
        self, backend: Backend, fault: Fault, face: Face, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Every fault of a connection ends in its error, within the time-out, without a secret.

        Afterwards the store works again, and nothing is left open.
        """
        fixture = _prepare(backend)
        ((error, retryable),) = [
            expected for faults, expected in FAULT_ERRORS.items() if fault in faults
        ]
        server = FaultServer(fault, service=backend.service)
        clock = AutojumpClock() if fault in DELAYS else None
        timeout = SHORT if clock else LONG

        async def clause(kit: Kit) -> None:
            store = short_timeout_store(kit, timeout)
            for operation in fixture.operations:
                ahead = clock.ahead if clock else 0.0
                may_seem_cut = operation in STREAMED and fault in _MAY_SEEM_CUT
                with raises(error, *((UnavailableError,) if may_seem_cut else ())) as caught:
                    await fixture.call(store, operation)
                if fault is _WITH_A_REST:
                    store = short_timeout_store(kit, timeout)
                assert caught.error.operation == operation
                assert caught.error.retryable is retryable or may_seem_cut, operation
                waited = clock.ahead - ahead if clock and fault.then == "stall" else 0.0
                assert waited < 2 * timeout, f"{operation} waited {waited:.1f} s, not {timeout:g}"
                assert_no_secret_shows(kit, caught.error)
            server.fault = None
            await _assert_lists_conversations(store, fixture)

        with caplog.at_level("DEBUG"), run_server(server) as url:
            self._carry_out(clause, backend, url, face, clock)
        assert_no_secret_in(caplog.text, self.adapter_at(backend, url))

    @_each_face
    def test_a_refused_connection_is_unavailable(self, backend: Backend, face: Face) -> None:
        """A refused connection is a retryable `UnavailableError`.

        The service is down for a while, and no request has arrived.
        """
        fixture = _prepare(backend)

        async def clause(kit: Kit) -> None:
            store = kit.open(timeout=LONG, retries=0)
            for operation in fixture.operations:
                with raises(UnavailableError) as caught:
                    await fixture.call(store, operation)
                assert caught.error.retryable, operation
                assert_no_secret_shows(kit, caught.error)

        with RefusingServer() as url:
            self._carry_out(clause, backend, url, face)

    @_each_face
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_leads_nothing_to_another_host(
        self, backend: Backend, status: int, face: Face
    ) -> None:
        """A redirect to another host is a `ProtocolError`, and that host is not asked.

        Following it would send the key to strangers.
        """
        fixture = _prepare(backend)
        elsewhere = FaultServer(None, service=backend.service)
        server = FaultServer(None, service=backend.service)

        async def clause(kit: Kit) -> None:
            store = kit.open(timeout=LONG, retries=2)
            for operation in fixture.operations:
                with raises(ProtocolError) as caught:
                    await fixture.call(store, operation)
                assert_no_secret_shows(kit, caught.error)

        with elsewhere as other, run_server(server) as url:
            server.fault = redirect(status, f"{other}/elsewhere")
            self._carry_out(clause, backend, url, face)
        assert server.faulted, "nothing was redirected"
        assert elsewhere.connections == 0, "another host was connected to"

    @_each_face
    @_each(*_AGAINST_WRITES)
    def test_no_write_is_repeated(self, backend: Backend, fault: Fault, face: Face) -> None:
        """A request that changes something leaves once, whatever breaks.

        The first may have arrived: a question asked twice costs money and shows twice.
        """
        fixture = _prepare(backend)
        clock = AutojumpClock() if fault in DELAYS else None
        for operation in filter(WRITES.__contains__, fixture.operations):
            server = FaultServer(fault, service=backend.service, applies_to=fixture.changes)
            clause = partial(_assert_fails, fixture, operation, seconds=SHORT if clock else LONG)
            with run_server(server) as url:
                self._carry_out(clause, backend, url, face, clock)
            sent = Counter(map(_request_key, server.faulted))
            assert sent, f"{operation} sent nothing that changes something"
            assert max(sent.values()) == 1, f"{operation} was repeated: {sent}"

    @_each_face
    def test_a_read_is_repeated_as_often_as_is_permitted(
        self, backend: Backend, face: Face
    ) -> None:
        """A read is sent again as often as `retries` permits, and not more often.

        Too few tries show every hiccup; too many keep a service down.
        """
        fixture = _prepare(backend)
        for operation in fixture.operations:
            server = FaultServer(_BUSY, service=backend.service)
            clause = partial(_assert_fails, fixture, operation, seconds=LONG)
            with run_server(server) as url:
                self._carry_out(clause, backend, url, face, AutojumpClock())
            for request, times in Counter(map(_request_key, server.faulted)).items():
                assert times <= 3, f"{operation} sent {request} {times} times"
            if operation is Operation.LIST_CONVERSATIONS:
                assert len(server.faulted) == 3

    @_each_face
    def test_a_read_gets_over_one_broken_connection(self, backend: Backend, face: Face) -> None:
        """A read succeeds although one connection broke.

        Servers close idle connections just as they are used again.
        """
        fixture = _prepare(backend)
        for fault in (_NAMED["reset-at-once"], _NAMED["truncated-body"]):
            first = iter([True])
            applies_to = partial(_next_answer, first)
            server = FaultServer(fault, service=backend.service, applies_to=applies_to)

            async def clause(kit: Kit) -> None:
                await _assert_lists_conversations(kit.open(timeout=LONG, retries=1), fixture)

            with run_server(server) as url:
                self._carry_out(clause, backend, url, face, AutojumpClock())
            assert len(server.faulted) == 1

    def test_a_cancelled_operation_leaves_a_store_that_works(self, backend: Backend) -> None:
        """A cancelled operation closes its flow, and the store works on.

        Web frameworks cancel the request of every client that leaves.
        """
        fixture = _prepare(backend)
        for stall in _stalls(fixture, backend):
            with run_server(stall.server) as url:
                self._carry_out(partial(_cancel, fixture, stall), backend, url, "async")

    @_each_face
    def test_an_interrupted_operation_leaves_a_store_that_works(
        self, backend: Backend, face: Face
    ) -> None:
        """Ctrl-C during an operation closes its flow, and the store works on.

        A terminal program continues after its user interrupted one request.
        """
        if not hasattr(signal, "pthread_kill"):
            pytest.skip("a thread cannot be interrupted here")
        fixture = _prepare(backend)
        for stall in _stalls(fixture, backend):
            clause = partial(_interrupt, fixture, stall)
            with run_server(stall.server) as url:
                if face == "sync":
                    self._carry_out(clause, backend, url, face)
                else:
                    with (
                        interrupt_when(stall.server.wait_until_faulted),
                        pytest.raises(KeyboardInterrupt),
                    ):
                        self._carry_out(clause, backend, url, face)
                    stall.assert_flows_were_closed()

    @_each_face
    @pytest.mark.parametrize("breaking", CUT_KINDS)
    def test_a_stream_that_breaks_off_raises_with_what_had_arrived(
        self, backend: Backend, breaking: CutKind, face: Face
    ) -> None:
        """A stream cut at any place is an error with what had arrived, unless nothing is missing.

        Half an answer must not be taken for a whole one, and the turn is sent once.
        """
        clock = AutojumpClock() if breaking == "stall" else None
        self._check_stream(partial(check_cut, breaking=breaking), backend, face, clock)

    @_each_face
    def test_a_garbled_stream_is_an_error_or_the_stored_reply(
        self, backend: Backend, face: Face
    ) -> None:
        """Garbage in a stream is an error with what had arrived, or the whole stored reply.

        Words must not be lost without a sign.
        """
        self._check_stream(check_garbled, backend, face)

    @_each_face
    def test_a_stream_that_is_left_has_no_connection(self, backend: Backend, face: Face) -> None:
        """A stream that is left closes its connection.

        The service notices that nobody listens, and pools do not run dry.
        """
        self._check_stream(check_left, backend, face)

    def test_a_cancelled_stream_leaves_a_store_that_works(self, backend: Backend) -> None:
        """A cancelled stream closes its connection, and the store works on.

        Web frameworks cancel the request of every client that leaves.
        """
        self._check_stream(check_cancelled, backend, "async")

    @_each_face
    def test_an_interrupted_stream_leaves_a_store_that_works(
        self, backend: Backend, face: Face
    ) -> None:
        """Ctrl-C during a stream closes its connection, and the store works on.

        It is how users stop a long answer at a terminal.
        """
        if not hasattr(signal, "pthread_kill"):
            pytest.skip("a thread cannot be interrupted here")
        self._check_stream(check_interrupted, backend, face)

    @_each_face
    def test_streams_side_by_side_do_not_mix(self, backend: Backend, face: Face) -> None:
        """Streams over several connections each get their own answer.

        A mix-up shows one user's answer to another.
        """
        self._check_stream(check_no_mixing, backend, face)

    def _check_stream(
        self,
        check: StreamCheck,
        backend: Backend,
        face: Face,
        clock: AutojumpClock | None = None,
    ) -> None:
        """Run a check of streams on a server that has no fault yet."""
        streamed = _record_stream(backend)
        server = FaultServer(None, service=backend.service)
        with run_server(server) as url:
            carry_out = partial(self._carry_out, partial(check, streamed, server), backend, url)
            if check is check_interrupted and face == "async":
                with interrupt_when(streamed.has_begun), pytest.raises(KeyboardInterrupt):
                    carry_out(face)
            else:
                carry_out(face, clock)

    def _carry_out(
        self,
        clause: Clause,
        backend: Backend,
        url: str,
        face: Face,
        clock: AutojumpClock | None = None,
    ) -> None:
        """Run a clause on the adapter at a URL, and check that no task is left.

        A clock, if given, jumps to the time-outs and over pauses.
        """
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

        with (
            fail_on_hang(),
            clock.installed() if clock else nullcontext(),
            StoreFace(face) as opened,
        ):
            opened.run(whole())


def _prepare(backend: Backend) -> FaultFixture:
    kit = Kit(backend, "sync")
    try:
        return drive(prepare(kit))
    except NotOffered as reason:
        pytest.skip(str(reason))
    finally:
        drive(kit.close())


def _record_stream(backend: Backend) -> StreamedReply:
    fixture = _prepare(backend)
    try:
        return drive(record_streamed_reply(backend, fixture))
    except NotOffered as reason:
        pytest.skip(str(reason))


@dataclass(frozen=True)
class _Stall:
    """An operation during which the server stalls, and what its trace has reported."""

    operation: Operation
    server: FaultServer
    exchanges: list[Exchange] = field(default_factory=list)

    def open(self, kit: Kit) -> AsyncConversationStore:
        return kit.open(timeout=LONG, retries=2, trace=self.exchanges.append)

    def assert_flows_were_closed(self) -> None:
        """Check that every flow has ended: as it ends it reports its exchange."""
        assert len(self.exchanges) >= len(self.server.received)
        assert any(exchange.status is None for exchange in self.exchanges)


def _stalls(fixture: FaultFixture, backend: Backend) -> Iterator[_Stall]:
    """Yield a stall at each operation's first request, and at each first write."""
    for operation in fixture.operations:
        yield _Stall(operation, FaultServer(_STALL, service=backend.service))
        if operation in WRITES:
            server = FaultServer(_STALL, service=backend.service, applies_to=fixture.changes)
            yield _Stall(operation, server)


async def _cancel(fixture: FaultFixture, stall: _Stall, kit: Kit) -> None:
    store = stall.open(kit)
    task = asyncio.create_task(_call(fixture, store, stall.operation))
    await asyncio.to_thread(stall.server.wait_until_faulted)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _assert_store_works_on(fixture, stall, store)


async def _interrupt(fixture: FaultFixture, stall: _Stall, kit: Kit) -> None:
    store = stall.open(kit)
    if kit.face == "async":  # the loop cancels what it runs, and ends
        await fixture.call(store, stall.operation)
    with interrupt_when(stall.server.wait_until_faulted), pytest.raises(KeyboardInterrupt):
        await fixture.call(store, stall.operation)
    await _assert_store_works_on(fixture, stall, store)


async def _assert_store_works_on(
    fixture: FaultFixture, stall: _Stall, store: AsyncConversationStore
) -> None:
    stall.assert_flows_were_closed()
    stall.server.applies_to = fixture.changes  # a write that was still on its way stays undone
    await _assert_lists_conversations(store, fixture)


def _next_answer(answers: Iterator[bool], _: Request) -> bool:
    return next(answers, False)


def _request_key(request: Request) -> str:
    """Return what two requests share if one repeats the other."""
    return json.dumps([request.method, request.path, request.query, request.json], sort_keys=True)


async def _call(fixture: FaultFixture, store: AsyncConversationStore, operation: Operation) -> None:
    await fixture.call(store, operation)


async def _assert_fails(
    fixture: FaultFixture, operation: Operation, kit: Kit, *, seconds: float
) -> None:
    store = short_timeout_store(kit, seconds, retries=2)
    with raises(UnavailableError, RateLimitError) as caught:
        await fixture.call(store, operation)
    assert_no_secret_shows(kit, caught.error)


async def _assert_lists_conversations(store: AsyncConversationStore, fixture: FaultFixture) -> None:
    listed = await collect(store.conversations())
    assert {conversation.id for conversation in listed} == fixture.conversations
