"""Interrupts of the sync client: wherever a signal handler raises, later calls work."""

import contextlib
import gc
import sys
import threading
from pathlib import Path

import httpcore
import httpx
import pytest
from httpcore._synchronization import ThreadLock

from convostore import http
from convostore.errors import StoreError
from convostore.http import HTTPOptions, HTTPTransport, Request, Response
from convostore.testing.wire_faults._guards import fail_on_hang
from convostore.testing.wire_faults.server import FaultServer

from ..support.naming import naming

pytestmark = [
    pytest.mark.rim,
    # What an interrupt dropped unclosed is warned of: it is closed then.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

GET = Request("GET", "/")
WHOLE = Response(200, {"content-type": "application/json"}, b'"whole"')
FOLDERS = tuple(str(Path(package.__file__).parent) for package in (http, httpcore, httpx))


class Interrupted(KeyboardInterrupt):
    """What a signal handler raises."""


class Interrupter:
    """Raises where CPython looks for signals: as functions begin, and as those of C return."""

    def __init__(self, moment):
        self.left = moment

    def __call__(self, frame, event, _):
        if event in {"call", "c_return"} and frame.f_code.co_filename.startswith(FOLDERS):
            self.left -= 1
            if not self.left:
                sys.setprofile(None)
                raise Interrupted


def send(transport):
    return transport.send(GET).content


def stream(transport):
    with transport.stream(GET) as reply:
        return b"".join(reply.chunks)


@pytest.fixture
def server():
    with FaultServer(None, service=lambda _: WHOLE) as url:
        yield url


@pytest.mark.slow
@pytest.mark.parametrize("request_by", [send, stream])
@pytest.mark.parametrize("rest", range(7))
def test_an_interrupt_at_any_moment_leaves_a_transport_that_works(server, request_by, rest):
    moment = 1 + rest
    with fail_on_hang():
        while an_interrupt_leaves_a_transport_that_works(server, request_by, moment):
            moment += 7
    assert moment > 50
    gc.collect()  # what an interrupt dropped unclosed is warned of here, not in a later test


def an_interrupt_leaves_a_transport_that_works(url, request_by, moment):
    """Interrupt a request at a moment, and return whether it lasted until then."""
    transport = HTTPTransport(url, HTTPOptions())
    assert request_by(transport) == WHOLE.content  # so that there is a connection to use again
    interrupter = Interrupter(moment)
    with naming("moment", moment):
        sys.setprofile(interrupter)
        try:
            request_by(transport)
        except Interrupted:
            pass
        finally:
            sys.setprofile(None)
        for _ in range(3):
            assert request_by(transport) == WHOLE.content
        transport.close()
    return interrupter.left <= 0


def test_an_interrupt_leaves_the_requests_of_other_threads_alone():
    asked, may_answer, answers = threading.Event(), threading.Event(), []

    def service(request):
        if request.path == "/late":
            asked.set()
            assert may_answer.wait(60)
        return WHOLE

    with FaultServer(None, service=service) as url, fail_on_hang():
        transport = HTTPTransport(url, HTTPOptions())
        late = Request("GET", "/late")
        other = threading.Thread(target=lambda: answers.append(transport.send(late).content))
        other.start()
        assert asked.wait(60)
        with pytest.raises(Interrupted), transport.stream(GET):
            raise Interrupted
        assert transport.send(GET).content == WHOLE.content  # by a new client
        may_answer.set()
        other.join(60)
        assert answers == [WHOLE.content]
        transport.close()
        with pytest.raises(StoreError, match="closed"):
            transport.send(GET)


def test_a_client_that_an_interrupt_passed_through_is_not_used_again(server):
    transport, shared = HTTPTransport(server, HTTPOptions()), []
    other = threading.Thread(target=lambda: shared.append(transport._ensure_client()))
    other.start()
    other.join()
    client = transport._ensure_client()
    with pytest.raises(Interrupted), transport._using_client():
        raise Interrupted
    assert client.is_closed
    assert transport._ensure_client() is not client
    assert not shared[0].is_closed  # that of all other threads, which no handler interrupts
    transport.close()
    assert shared[0].is_closed


def test_an_interrupt_of_who_reads_a_stream_is_noticed_however_it_is_left(monkeypatch):
    def interrupted(self):
        yield b"1"
        raise Interrupted

    monkeypatch.setattr(httpx.Response, "iter_bytes", interrupted)
    events = Response(200, {"content-type": "text/event-stream"}, b"data: 1")
    with FaultServer(None, service=lambda _: events) as url:
        transport = HTTPTransport(url, HTTPOptions())
        client = transport._ensure_client()
        with transport.stream(GET) as reply, contextlib.suppress(Interrupted):
            list(reply.chunks)
        assert client.is_closed
        transport.close()


def test_a_handler_that_closes_the_store_within_a_pool_s_lock_does_not_wait_for_it(server):
    transport = HTTPTransport(server, HTTPOptions())
    with fail_on_hang(), transport._using_client() as client:
        with client._transport._pool._optional_thread_lock:  # where a handler may interrupt it
            transport.close()
        assert not client.is_closed
    assert client.is_closed


def test_the_lock_that_is_replaced_is_the_one_that_httpcore_uses():
    transport = HTTPTransport("http://127.0.0.1:9", HTTPOptions())
    with httpx.Client() as untouched:
        assert isinstance(untouched._transport._pool._optional_thread_lock, ThreadLock)
    pool = transport._ensure_client()._transport._pool
    assert isinstance(pool._optional_thread_lock, type(threading.Lock()))
    transport.close()
