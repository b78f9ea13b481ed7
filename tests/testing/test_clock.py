"""The clock that jumps: time-outs are reached at once, by nothing but silence, and all else by
real time."""

import asyncio
import threading
import time

import pytest

from convostore.errors import UnavailableError
from convostore.http import AsyncHTTPTransport, HTTPOptions, HTTPTransport, Request, Response
from convostore.http import _deadlines as deadlines
from convostore.testing.clock import AutojumpClock, current
from convostore.testing.wire_faults.server import FAULTS, Fault, FaultServer

pytestmark = pytest.mark.rim

HOUR = 3600.0
NAMED = {fault.name: fault for fault in FAULTS}
WHOLE = Response(200, {"content-type": "application/json"}, b'"whole"')


class Sync:
    def __init__(self, clock):
        self.clock = clock

    def run(self, url, ask, **options):
        with self.clock.installed():
            transport = HTTPTransport(url, HTTPOptions(timeout=HOUR, **options))
            try:
                return ask(transport.send)
            finally:
                transport.close()


class Async(Sync):
    def run(self, url, ask, **options):
        async def carry_out():
            transport = AsyncHTTPTransport(url, HTTPOptions(timeout=HOUR, **options))
            try:
                return await asyncio.to_thread(ask, waiting(transport, asyncio.get_running_loop()))
            finally:
                await transport.aclose()

        with self.clock.installed(), asyncio.Runner(loop_factory=self.clock.new_event_loop) as loop:
            return loop.run(carry_out())


def waiting(transport, loop):
    """Sends in the loop, from another thread: both faces are then asked in the same way."""
    return lambda request: asyncio.run_coroutine_threadsafe(transport.send(request), loop).result()


@pytest.fixture
def clock():
    return AutojumpClock()


@pytest.fixture(params=[Sync, Async])
def face(request, clock):
    return request.param(clock)


def given_up(send):
    with pytest.raises(UnavailableError) as caught:
        send(Request("GET", "/"))
    return str(caught.value)


@pytest.mark.parametrize("name", ["stalled", "stalled-in-the-head", "stalled-in-the-body"])
def test_the_time_out_of_a_server_that_stalls_comes_at_once(face, clock, name):
    with FaultServer(NAMED[name]) as url:
        assert "no complete response within 3600 s" in face.run(url, given_up)
    assert clock.ahead == pytest.approx(HOUR, rel=0.1)


@pytest.mark.parametrize("name", ["slow-head", "slow-body", "slow-chunks", "endless-body"])
def test_the_time_out_of_a_server_that_drips_comes_while_it_does(clock, name):
    with FaultServer(NAMED[name]) as url, clock.installed():
        began = clock.monotonic()
        transport = HTTPTransport(url, HTTPOptions(timeout=2.0))
        given_up(transport.send)
        transport.close()
    assert clock.monotonic() - began >= 2.0
    assert clock.ahead > 0  # the rest of the two seconds was real time


def test_an_answer_that_is_late_is_waited_for(face, clock):
    """Time jumps over nothing else than a server's silence."""
    asked, may_answer = threading.Event(), threading.Event()

    def service(_):
        asked.set()
        assert may_answer.wait(60)
        return WHOLE

    def ask(send):
        threading.Thread(target=lambda: (asked.wait(60), may_answer.set())).start()
        return send(Request("GET", "/")).json()

    with FaultServer(None, service=service) as url:
        assert face.run(url, ask) == "whole"
    assert clock.ahead == 0


def test_what_came_before_the_silence_is_read(face):
    """The whole answer is there, and then its connection stalls."""
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n" + b'"whole"'
    with FaultServer(Fault("late", whole, "stall")) as url:
        for _ in range(20):
            assert face.run(url, lambda send: send(Request("GET", "/")).json()) == "whole"


def test_a_connection_that_stalls_does_not_hurry_the_next_one(face, clock):
    server = FaultServer(NAMED["stalled"], service=lambda _: WHOLE)

    def ask(send):
        given_up(send)
        server.fault = None
        return [send(Request("GET", "/")).json() for _ in range(20)]

    with server as url:
        assert face.run(url, ask) == ["whole"] * 20
    assert clock.ahead <= HOUR


def test_only_what_is_waited_for_in_vain_makes_time_jump(clock):
    """One thread's connection stalls; another's answer comes late, and in time."""
    answered = threading.Event()

    def service(_):
        assert answered.wait(60)
        return WHOLE

    server = FaultServer(
        NAMED["stalled"], service=service, applies_to=lambda request: request.path == "/stalls"
    )
    with server as url, clock.installed():
        transport = HTTPTransport(url, HTTPOptions(timeout=HOUR))
        got = []
        thread = threading.Thread(
            target=lambda: got.append(transport.send(Request("GET", "/late")).json())
        )
        thread.start()
        assert server.wait_until(lambda: len(server.received) == 1, seconds=60)
        stalling = HTTPTransport(url, HTTPOptions(timeout=10.0))
        with pytest.raises(UnavailableError):
            stalling.send(Request("GET", "/stalls"))
        answered.set()
        thread.join(60)
        transport.close()
        stalling.close()
    assert got == ["whole"]


def test_pauses_pass_at_once(clock):
    with clock.installed():
        deadlines.clock().sleep(HOUR)
        with asyncio.Runner(loop_factory=clock.new_event_loop) as loop:
            loop.run(deadlines.clock().async_sleep(HOUR))
    assert clock.ahead == 2 * HOUR


def test_a_store_that_is_closed_while_it_waits_ends_its_waiting(clock):
    server = FaultServer(None, service=lambda _: WHOLE)
    holding = threading.Event()
    server.applies_to = lambda _: holding.wait(60) and False
    errors = []
    with server as url, clock.installed():
        transport = HTTPTransport(url, HTTPOptions(timeout=HOUR))

        def ask():
            try:
                transport.send(Request("GET", "/"))
            except UnavailableError as error:
                errors.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        assert server.wait_until(lambda: server.requests == 1, seconds=60)
        transport.close()
        thread.join(60)
        assert not thread.is_alive()
        holding.set()
    assert len(errors) == 1
    assert clock.ahead == 0


def test_the_clock_is_kept_within_its_block_and_no_longer(clock):
    before = deadlines.clock()
    with clock.installed():
        assert (deadlines.clock(), current()) == (clock, clock)
        clock.advance(HOUR)
        earliest = time.monotonic() + HOUR
        assert earliest <= deadlines.clock().monotonic() <= time.monotonic() + HOUR
    assert (deadlines.clock(), current()) == (before, None)
