"""The kit's faults over sockets: the server does what it says, and each clause can fail."""

import asyncio
import itertools
import logging
import threading
import urllib.error
import urllib.request
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from convostore.dsn import DSN
from convostore.errors import ProtocolError, UnavailableError
from convostore.exchange import Request, Response
from convostore.http import AsyncHTTPTransport, HTTPOptions, HTTPTransport
from convostore.models import Page
from convostore.testing import Backend, FaultContract, fault_contract
from convostore.testing.fault_server import (
    DELAYS,
    FAULTS,
    Again,
    Fault,
    FaultServer,
    RefusingServer,
    answered,
    redirect,
)
from convostore.testing.sample_service import SampleAdapter, SampleService

NAMED = {fault.name: fault for fault in FAULTS}
FACES = ["sync", "async"]


# The server.


def connected(url):
    connection = HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.connect()
    return connection


@pytest.fixture
def ask():
    """Sends a request as plainly as can be, and gives the socket."""
    opened = []

    def asking(url, method="GET", path="/"):
        opened.append(connected(url))
        opened[-1].request(method, path)
        return opened[-1].sock

    yield asking
    for connection in opened:
        connection.close()


def read_all(connection):
    return b"".join(iter(lambda: connection.recv(4096), b""))


def test_what_a_fault_sends_is_sent_byte_for_byte_before_it_closes(ask):
    with FaultServer(Fault("any", b"\x00\xff no HTTP")) as url:
        assert read_all(ask(url)) == b"\x00\xff no HTTP"


def test_a_reset_is_one(ask):
    with FaultServer(Fault("any", then="reset")) as url, pytest.raises(ConnectionResetError):
        ask(url).recv(1)


def test_a_connection_that_is_kept_takes_the_next_request(ask):
    server = FaultServer(answered("any", 200, b"{}"))
    with server as url:
        connection = connected(url)
        for _ in range(2):
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"{}"
        connection.close()
    assert (server.connections, server.requests) == (1, 2)


@pytest.mark.parametrize("every", [0, 0.001])
def test_what_is_sent_again_has_no_end(ask, every):
    with FaultServer(Fault("any", b"a", Again(b"bc", every))) as url:
        connection = ask(url)
        received = b""
        while len(received) < 100:
            received += connection.recv(1)
    assert received == b"a" + b"bc" * 49 + b"b"


@pytest.mark.parametrize("fault", DELAYS, ids=lambda fault: fault.name)
def test_a_server_that_is_left_ends_whatever_it_is_at(ask, fault):
    before = set(threading.enumerate())
    server = FaultServer(fault)
    with server as url:
        ask(url)
        assert server.wait_until_struck()
    assert server.errors == []
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("fault", DELAYS, ids=lambda fault: fault.name)
def test_a_server_notes_that_its_client_has_gone(fault):
    server = FaultServer(fault)
    with server as url:
        connection = connected(url)
        connection.request("GET", "/")
        assert server.wait_until_struck()
        assert not server.is_left()
        connection.close()
        assert server.wait_until_left()


def test_waiting_for_what_does_not_come_says_so():
    with (server := FaultServer(None)) as url:
        connection = connected(url)
        assert not server.wait_until_struck(seconds=0.01)
        assert server.wait_until(lambda: server.connections == 1, seconds=10)
        assert not server.wait_until_left(seconds=0.01)
        connection.close()


def test_a_fault_strikes_what_it_is_to_strike_and_leaves_the_rest_to_the_service(ask):
    server = FaultServer(
        Fault("any"),
        service=lambda request: Response(200, {}, request.path.encode()),
        strikes=lambda request: request.method == "DELETE",
    )
    with server as url:
        assert ask(url, "GET", "/a").recv(4096).endswith(b"/a")
        assert read_all(ask(url, "DELETE", "/b")) == b""
    assert [each.path for each in server.received] == ["/a", "/b"]
    assert [each.path for each in server.struck] == ["/b"]


def test_a_server_can_be_mended_and_broken_while_it_runs(ask):
    with (server := FaultServer(Fault("any"))) as url:
        assert read_all(ask(url)) == b""
        server.fault = None
        assert ask(url).recv(4096).startswith(b"HTTP/1.1 404")
        server.fault = Fault("any")
        assert read_all(ask(url)) == b""


def test_a_refusing_server_refuses():
    with RefusingServer() as url, pytest.raises(ConnectionRefusedError):
        connected(url)


def test_a_redirect_names_where_it_leads():
    with FaultServer(redirect(308, "http://127.0.0.1:9/there")) as url:
        connection = connected(url)
        connection.request("GET", "/")
        response = connection.getresponse()
        assert (response.status, response.headers["location"]) == (308, "http://127.0.0.1:9/there")
        connection.close()


def test_the_faults_have_names_of_their_own_and_each_has_an_error():
    assert len(NAMED) == len(FAULTS)
    assert sorted(itertools.chain(*fault_contract.ERRORS), key=repr) == sorted(FAULTS, key=repr)


# The clauses. What is right passes all of them in the plugins' own tests.


class Contract(FaultContract):
    """The clauses on an adapter of the sample service."""

    def __init__(self, adapter=SampleAdapter):
        self.adapter = adapter

    def adapter_at(self, backend, url, **options):
        return self.adapter(DSN.parse(f"sample+{url}"), HTTPOptions.model_validate(options))


@pytest.fixture
def backend():
    service = SampleService()
    dsn = DSN.parse("sample+http://sample.test")
    return Backend(
        lambda **options: SampleAdapter(dsn, HTTPOptions.model_validate(options)),
        service=service.handle,
        seed=service.seed,
    )


@pytest.fixture(params=FACES)
def face(request):
    return request.param


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(fault_contract, "_GUARD", 0.5)


class SwallowsNonsense(SampleAdapter):
    def list_conversations(self, listing):
        try:
            return (yield from super().list_conversations(listing))
        except ProtocolError:
            return Page(items=())


class SwallowsTrouble(SampleAdapter):
    def list_conversations(self, listing):
        try:
            return (yield from super().list_conversations(listing))
        except UnavailableError:
            return Page(items=())


class ForgetsToRetry(SampleAdapter):
    def failure(self, request, response):
        error = super().failure(request, response)
        if error is not None:
            error.retryable = False
        return error


class TellsItsKey(SampleAdapter):
    def failure(self, request, response):
        error = super().failure(request, response)
        return error and UnavailableError(f"no luck with {self._key()}")

    def secrets(self):
        return iter(())

    def _key(self):
        return self.options.headers["x-api-key"].get_secret_value()


class LogsItsKey(SampleAdapter):
    def failure(self, request, response):
        key = self.options.headers["x-api-key"].get_secret_value()
        logging.getLogger("sample").debug("using %s", key)
        return super().failure(request, response)


class IgnoresItsTimeout(SampleAdapter):
    def __init__(self, dsn, options):
        super().__init__(dsn, options.model_copy(update={"timeout": 30.0}))


@pytest.mark.parametrize(
    ("adapter", "fault"),
    [
        (SwallowsNonsense, "page-200"),
        (SwallowsTrouble, "reset-at-once"),
        (ForgetsToRetry, "status-503"),
        (TellsItsKey, "status-503"),
        (LogsItsKey, "status-503"),
    ],
)
def test_a_wrong_error_and_a_key_that_shows_are_found(backend, adapter, fault, face, caplog):
    with pytest.raises(AssertionError):
        Contract(adapter).test_a_fault_ends_in_its_error(backend, NAMED[fault], face, caplog)
    caplog.clear()
    Contract().test_a_fault_ends_in_its_error(backend, NAMED[fault], face, caplog)


@pytest.mark.usefixtures("hurried")
def test_what_hangs_is_found(backend, face, caplog):
    with pytest.raises(AssertionError, match="did not end"):
        Contract(IgnoresItsTimeout).test_a_fault_ends_in_its_error(
            backend, NAMED["stalled"], face, caplog
        )


@pytest.mark.usefixtures("hurried")
def test_a_connection_that_stays_open_is_found(backend, caplog):
    kept = []

    class StaysOpen(HTTPTransport):
        def close(self):
            kept.append(super().close)

    class KeepsItsConnections(SampleAdapter):
        def transport(self):
            return StaysOpen(self.base_url, self.options)

    contract = Contract(KeepsItsConnections)
    with pytest.raises(AssertionError, match="connection stays open"):
        contract.test_a_fault_ends_in_its_error(backend, NAMED["status-503"], "sync", caplog)
    for close in kept:
        close()


def test_a_thread_that_stays_is_found(backend, face, caplog):
    over = threading.Event()

    class StartsAThread(SampleAdapter):
        def failure(self, request, response):
            threading.Thread(target=over.wait).start()
            return super().failure(request, response)

    try:
        with pytest.raises(AssertionError, match="thread is left"):
            Contract(StartsAThread).test_a_fault_ends_in_its_error(
                backend, NAMED["status-503"], face, caplog
            )
    finally:
        over.set()


def test_a_task_that_stays_is_found(backend, caplog):
    class StartsATask(SampleAdapter):
        def failure(self, request, response):
            self.task = asyncio.get_running_loop().create_task(asyncio.Event().wait())
            return super().failure(request, response)

    with pytest.raises(AssertionError, match="task is left"):
        Contract(StartsATask).test_a_fault_ends_in_its_error(
            backend, NAMED["status-503"], "async", caplog
        )


def test_a_swallowed_refusal_of_a_connection_is_found(backend, face):
    with pytest.raises(AssertionError):
        Contract(SwallowsTrouble).test_a_refused_connection_is_unavailable(backend, face)
    Contract().test_a_refused_connection_is_unavailable(backend, face)


def test_a_redirect_that_is_followed_is_found(backend):
    class Follows(SampleAdapter):
        def transport(self):
            return _Follows(self.base_url, self.options)

    class _Follows(HTTPTransport):
        def send(self, request):
            url = f"{self._base_url}{request.path}"
            asked = urllib.request.Request(url, method=request.method)
            try:
                with urllib.request.urlopen(asked) as reply:
                    return Response(reply.status, {}, reply.read())
            except urllib.error.HTTPError as error:
                with error:
                    raise ProtocolError("not followed") from None

    with pytest.raises(AssertionError):
        Contract(Follows).test_a_redirect_leads_nothing_to_another_host(backend, 302, "sync")
    Contract().test_a_redirect_leads_nothing_to_another_host(backend, 302, "sync")


class RepeatsDeletes(SampleAdapter):
    def delete_conversation(self, conversation_id):
        yield Request("DELETE", f"/chats/{conversation_id}", idempotent=True)


@pytest.mark.parametrize("fault", ["status-503-retry-after", "stalled"])
def test_a_write_that_is_repeated_is_found(backend, fault, face):
    with pytest.raises(AssertionError, match="was repeated"):
        Contract(RepeatsDeletes).test_no_write_is_repeated(backend, NAMED[fault], face)
    Contract().test_no_write_is_repeated(backend, NAMED[fault], face)


class TriesOnItsOwn(SampleAdapter):
    def get_conversation(self, conversation_id):
        try:
            return (yield from super().get_conversation(conversation_id))
        except UnavailableError:
            return (yield from super().get_conversation(conversation_id))


class NeverTriesAgain(SampleAdapter):
    def __init__(self, dsn, options):
        super().__init__(dsn, options.model_copy(update={"retries": 0}))


def test_a_read_that_is_repeated_too_often_or_never_is_found(backend, face):
    with pytest.raises(AssertionError, match="6 times"):
        Contract(TriesOnItsOwn).test_a_read_is_repeated_as_often_as_is_permitted(backend, face)
    with pytest.raises(AssertionError):
        Contract(NeverTriesAgain).test_a_read_is_repeated_as_often_as_is_permitted(backend, face)
    Contract().test_a_read_is_repeated_as_often_as_is_permitted(backend, face)


def test_a_read_that_gives_up_at_once_is_found(backend, face):
    with pytest.raises(UnavailableError):
        Contract(NeverTriesAgain).test_a_read_gets_over_one_broken_connection(backend, face)
    Contract().test_a_read_gets_over_one_broken_connection(backend, face)


class EndsWithItsRequest(SampleAdapter):
    """Closes its client when a request is broken off."""

    def transport(self):
        return _Ends(self.base_url, self.options)

    def async_transport(self):
        return _EndsAsync(self.base_url, self.options)


class _Ends(HTTPTransport):
    def send(self, request):
        try:
            return super().send(request)
        except KeyboardInterrupt:
            self.close()
            raise


class _EndsAsync(AsyncHTTPTransport):
    async def send(self, request):
        try:
            return await super().send(request)
        except BaseException:
            await self.aclose()
            raise


class TakesNoForAnAnswer(SampleAdapter):
    """Makes an error of what ends it from outside."""

    def transport(self):
        return _Takes(self.base_url, self.options)

    def async_transport(self):
        return _TakesAsync(self.base_url, self.options)


class _Takes(HTTPTransport):
    def send(self, request):
        try:
            return super().send(request)
        except KeyboardInterrupt:
            raise UnavailableError("interrupted", retryable=False) from None


class _TakesAsync(AsyncHTTPTransport):
    async def send(self, request):
        try:
            return await super().send(request)
        except asyncio.CancelledError:
            raise UnavailableError("cancelled", retryable=False) from None


@pytest.mark.parametrize("adapter", [EndsWithItsRequest, TakesNoForAnAnswer])
def test_a_store_that_is_spoilt_by_a_cancellation_is_found(backend, adapter):
    with pytest.raises(Exception, match=r"closed|cancelled"):
        Contract(adapter).test_a_cancelled_operation_leaves_a_store_that_works(backend)
    Contract().test_a_cancelled_operation_leaves_a_store_that_works(backend)


@pytest.mark.parametrize("adapter", [EndsWithItsRequest, TakesNoForAnAnswer])
def test_a_store_that_is_spoilt_by_an_interrupt_is_found(backend, adapter):
    with pytest.raises(Exception, match=r"closed|interrupted"):
        Contract(adapter).test_an_interrupted_operation_leaves_a_store_that_works(backend, "sync")


def test_an_interrupt_of_what_is_right_passes(backend, face):
    Contract().test_an_interrupted_operation_leaves_a_store_that_works(backend, face)


def test_a_backend_without_a_dsn_is_asked_for_a_way_to_point_it_elsewhere(backend):
    with pytest.raises(NotImplementedError, match="adapter_at"):
        FaultContract().adapter_at(backend, "http://127.0.0.1:9")


def test_without_a_stand_in_there_is_nothing_to_fail(face):
    with pytest.raises(pytest.skip.Exception):
        Contract().test_a_refused_connection_is_unavailable(Backend("memory://none"), face)
