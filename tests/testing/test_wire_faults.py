"""The kit's faults over sockets: the server does what it says, and each clause can fail."""

import asyncio
import itertools
import json
import logging
import signal
import threading
import urllib.error
import urllib.request
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from convostore.adapters import AsyncIncomingReply, IncomingReply
from convostore.dsn import DSN
from convostore.errors import NotFoundError, ProtocolError, UnavailableError
from convostore.http import AsyncHTTPTransport, HTTPOptions, HTTPTransport, Request, Response
from convostore.models import Page, TextDelta
from convostore.testing import FACES, Backend, FaultContract
from convostore.testing.wire_faults import _contract as fault_contract
from convostore.testing.wire_faults import _cuts as stream_breaking
from convostore.testing.wire_faults import _guards as guards
from convostore.testing.wire_faults.server import (
    DELAYS,
    FAULTS,
    Fault,
    FaultServer,
    RefusingServer,
    Repeat,
    redirect,
    whole_answer,
)

from ..contract.mutants.replying_service import (
    PROMPTS,
    AnsweringAdapter,
    AnsweringDecoder,
    AnsweringService,
)
from ..contract.mutants.sample_service import SampleAdapter, SampleService
from ..support.naming import naming

pytestmark = pytest.mark.rim

NAMED = {fault.name: fault for fault in FAULTS}
PATIENCE = 60


# The server.


def connected(url):
    connection = HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)
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
    server = FaultServer(whole_answer("any", 200, b"{}"))
    with server as url:
        connection = connected(url)
        for _ in range(2):
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"{}"
        connection.close()
    assert (server.connections, server.requests) == (1, 2)


@pytest.mark.parametrize("every", [0, 0.001])
def test_what_is_sent_again_has_no_end(ask, every):
    with FaultServer(Fault("any", b"a", Repeat(b"bc", every))) as url:
        connection = ask(url)
        received = b""
        while len(received) < 100:
            received += connection.recv(1)
    assert received == b"a" + b"bc" * 49 + b"b"


def test_a_server_that_is_left_ends_whatever_it_is_at(ask):
    for fault in DELAYS:
        before = set(threading.enumerate())
        server = FaultServer(fault)
        with naming(fault.name):
            with server as url:
                ask(url)
                assert server.wait_until_faulted(seconds=PATIENCE)
            assert server.errors == []
            assert set(threading.enumerate()) <= before


def test_a_server_notes_that_its_client_has_gone():
    for fault in DELAYS:
        server = FaultServer(fault)
        with naming(fault.name), server as url:
            connection = connected(url)
            connection.request("GET", "/")
            assert server.wait_until_faulted(seconds=PATIENCE)
            assert not server.is_left()
            connection.close()
            assert server.wait_until_left(seconds=PATIENCE)


def test_waiting_for_what_does_not_come_says_so():
    with (server := FaultServer(None)) as url:
        connection = connected(url)
        assert not server.wait_until_faulted(seconds=0.01)
        assert server.wait_until(lambda: server.connections == 1, seconds=PATIENCE)
        assert not server.wait_until_left(seconds=0.01)
        connection.close()


def test_a_fault_strikes_what_it_is_to_strike_and_leaves_the_rest_to_the_service(ask):
    server = FaultServer(
        Fault("any"),
        service=lambda request: Response(200, {}, request.path.encode()),
        applies_to=lambda request: request.method == "DELETE",
    )
    with server as url:
        assert ask(url, "GET", "/a").recv(4096).endswith(b"/a")
        assert read_all(ask(url, "DELETE", "/b")) == b""
    assert [each.path for each in server.received] == ["/a", "/b"]
    assert [each.path for each in server.faulted] == ["/b"]


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
    assert sorted(itertools.chain(*fault_contract.FAULT_ERRORS), key=repr) == sorted(
        FAULTS, key=repr
    )


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


class TellsItsKeyWithinAGroup(SampleAdapter):
    def failure(self, request, response):
        error = super().failure(request, response)
        if error is not None:
            failed = ValueError("no luck")
            failed.add_note(self.options.headers["x-api-key"].get_secret_value())
            error.__cause__ = ExceptionGroup("one failed", [failed])
        return error


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
        (TellsItsKeyWithinAGroup, "status-503"),
        (LogsItsKey, "status-503"),
    ],
)
def test_a_wrong_error_and_a_key_that_shows_are_found(backend, adapter, fault, face, caplog):
    with pytest.raises(AssertionError):
        Contract(adapter).test_a_fault_ends_in_its_error(backend, NAMED[fault], face, caplog)
    caplog.clear()
    Contract().test_a_fault_ends_in_its_error(backend, NAMED[fault], face, caplog)


def test_a_time_out_that_is_not_kept_is_found(backend, face, caplog):
    with pytest.raises(AssertionError, match=r"list_conversations waited [23]\d\.\d s, not 1"):
        Contract(IgnoresItsTimeout).test_a_fault_ends_in_its_error(
            backend, NAMED["stalled"], face, caplog
        )


def test_what_hangs_is_found(backend, face, caplog):
    class Hangs(SampleAdapter):
        def list_conversations(self, listing):
            signal.setitimer(signal.ITIMER_REAL, 0.001)  # what it would end after is over
            threading.Event().wait()

    with pytest.raises(AssertionError, match="must end within"):
        Contract(Hangs).test_a_fault_ends_in_its_error(backend, NAMED["page-502"], face, caplog)


def test_a_connection_that_stays_open_is_found(backend, caplog, monkeypatch):
    monkeypatch.setattr(guards, "PATIENCE", 0.05)
    kept = []

    class StaysOpen(HTTPTransport):
        def close(self):
            kept.append(super().close)

    class KeepsItsConnections(SampleAdapter):
        def transport(self):
            return StaysOpen(self.base_url, self.options)

    contract = Contract(KeepsItsConnections)
    try:
        with pytest.raises(AssertionError, match="left open"):
            contract.test_a_fault_ends_in_its_error(backend, NAMED["status-503"], "sync", caplog)
    finally:
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


# What streams. All clauses, first on what is right.


class TestWhatAnswersOnTheWire(FaultContract):
    @pytest.fixture
    def backend(self):
        return answering()

    def adapter_at(self, backend, url, **options):
        return AnsweringAdapter(
            DSN.parse(f"answering+{url}"), HTTPOptions.model_validate(backend.options | options)
        )


def answering():
    service = AnsweringService()
    dsn = DSN.parse("answering+http://answering.test")
    return Backend(
        lambda **options: AnsweringAdapter(dsn, HTTPOptions.model_validate(options)),
        service=service.handle,
        seed=service.seed,
        prompts=PROMPTS,
    )


class AnsweringContract(TestWhatAnswersOnTheWire):
    """The clauses on a spoilt adapter."""

    __test__ = False

    def __init__(self, adapter=AnsweringAdapter):
        self.adapter = adapter

    def adapter_at(self, backend, url, **options):
        return self.adapter(DSN.parse(f"answering+{url}"), HTTPOptions.model_validate(options))


def adapter_with(decoder):
    """An adapter whose streams are read by another decoder."""

    class Mutant(AnsweringAdapter):
        def stream_reply(self, turn):
            stream = yield from super().stream_reply(turn)
            return replace(stream, decoder=decoder())

    return Mutant


class EndsSilently(AnsweringDecoder):
    def close(self):
        try:
            yield from super().close()
        except (UnavailableError, ProtocolError):
            return


class OverlooksGarbage(EndsSilently):
    def _read(self, line):
        try:
            yield from super()._read(line)
        except ProtocolError:
            return


class ChokesOnGarbage(AnsweringDecoder):
    def _read(self, line):
        json.loads(line or b"null")
        yield from super()._read(line)


class SaysWhatWasNeverSaid(AnsweringDecoder):
    def close(self):
        yield TextDelta(text="and so on")
        yield from super().close()


@pytest.mark.parametrize("decoder", [EndsSilently, SaysWhatWasNeverSaid])
def test_a_broken_stream_that_is_taken_for_more_than_it_was_is_found(decoder, face):
    with pytest.raises(AssertionError):
        AnsweringContract(
            adapter_with(decoder)
        ).test_a_stream_that_breaks_off_raises_with_what_had_arrived(answering(), "end", face)


class SendsTwice(AnsweringAdapter):
    def transport(self):
        return _SendsTwice(self.base_url, self.options)

    def async_transport(self):
        return _SendsTwiceAsync(self.base_url, self.options)


class _SendsTwice(HTTPTransport):
    def stream(self, request):
        with super().stream(request):
            return super().stream(request)


class _SendsTwiceAsync(AsyncHTTPTransport):
    @asynccontextmanager
    async def stream(self, request):
        async with super().stream(request):
            pass
        async with super().stream(request) as incoming:
            yield incoming


def test_a_turn_that_is_sent_twice_is_found(face):
    with pytest.raises(AssertionError, match="sent twice"):
        AnsweringContract(SendsTwice).test_a_stream_that_breaks_off_raises_with_what_had_arrived(
            answering(), "end", face
        )


def test_garbage_that_nobody_notices_is_found(face):
    with pytest.raises(AssertionError, match="lost without a word"):
        AnsweringContract(
            adapter_with(OverlooksGarbage)
        ).test_a_garbled_stream_is_an_error_or_the_stored_reply(answering(), face)


def test_garbage_that_ends_in_an_error_of_python_is_found(face):
    with pytest.raises(ValueError, match=r"decode|Expecting"):
        AnsweringContract(
            adapter_with(ChokesOnGarbage)
        ).test_a_garbled_stream_is_an_error_or_the_stored_reply(answering(), face)


class Impatient(FaultServer):
    """A server that waits for nothing once its fault has struck."""

    def wait_until(self, condition, *, seconds):
        return super().wait_until(condition, seconds=0.05 if self.faulted else seconds)


class KeepsConnections(AnsweringAdapter):
    """Lets go of a stream's connection with the store only."""

    def transport(self):
        return _Keeps(self.base_url, self.options)

    def async_transport(self):
        return _KeepsAsync(self.base_url, self.options)


class _Keeps(HTTPTransport):
    @contextmanager
    def stream(self, request):
        self.kept = super().stream(request)
        yield self.kept.__enter__()


class _KeepsAsync(AsyncHTTPTransport):
    @asynccontextmanager
    async def stream(self, request):
        self.kept = super().stream(request)
        yield await self.kept.__aenter__()


def test_a_stream_that_keeps_its_connection_when_it_is_left_is_found(face, monkeypatch):
    monkeypatch.setattr(fault_contract, "FaultServer", Impatient)
    with pytest.raises(AssertionError, match="left open"):
        AnsweringContract(KeepsConnections).test_a_stream_that_is_left_has_no_connection(
            answering(), face
        )


class TakesNoForTheEnd(AnsweringAdapter):
    """Makes an error of what ends its stream from outside, and does not let go of it."""

    def transport(self):
        return _TakesForTheEnd(self.base_url, self.options)

    def async_transport(self):
        return _TakesForTheEndAsync(self.base_url, self.options)


class _TakesForTheEnd(_Keeps):
    @contextmanager
    def stream(self, request):
        with super().stream(request) as incoming:
            yield IncomingReply(incoming.reply, self._translated(incoming.chunks))

    def _translated(self, chunks):
        try:
            yield from chunks
        except KeyboardInterrupt:
            raise UnavailableError("interrupted") from None


class _TakesForTheEndAsync(_KeepsAsync):
    @asynccontextmanager
    async def stream(self, request):
        async with super().stream(request) as incoming:
            yield AsyncIncomingReply(incoming.reply, self._translated(incoming.chunks))

    async def _translated(self, chunks):
        try:
            async for chunk in chunks:
                yield chunk
        except asyncio.CancelledError:
            raise UnavailableError("cancelled") from None


def test_a_stream_that_takes_a_cancellation_for_an_error_is_found():
    with pytest.raises(UnavailableError, match="cancelled"):
        AnsweringContract(TakesNoForTheEnd).test_a_cancelled_stream_leaves_a_store_that_works(
            answering()
        )


def test_a_stream_that_takes_an_interrupt_for_an_error_is_found(monkeypatch):
    monkeypatch.setattr(fault_contract, "FaultServer", Impatient)
    # Where Ctrl-C does not meet the stream itself, its connection stays open.
    with pytest.raises((UnavailableError, AssertionError), match=r"interrupted|left open"):
        AnsweringContract(TakesNoForTheEnd).test_an_interrupted_stream_leaves_a_store_that_works(
            answering(), "sync"
        )


def test_streams_that_mix_are_found(face):
    turns = []

    class AnswersAsToTheFirst(AnsweringAdapter):
        def stream_reply(self, turn):
            turns.append(turn)
            stream = yield from super().stream_reply(turn)
            first = turns[0]
            return replace(
                stream,
                finish=lambda draft: self._stored(first.conversation_id, first.turn_id, draft),
            )

    with pytest.raises((AssertionError, NotFoundError)):  # the first may not have arrived yet
        AnsweringContract(AnswersAsToTheFirst).test_streams_side_by_side_do_not_mix(
            answering(), face
        )


def test_without_a_stream_there_is_nothing_to_break(backend, face):
    with pytest.raises(pytest.skip.Exception):
        Contract().test_a_stream_that_is_left_has_no_connection(backend, face)


# How a stream is broken.

EVENTS = b'event: say\ndata: {"a": 1}\n\ndata: [DONE]\n\ndata: {"b": 2}'


@pytest.mark.parametrize(
    ("content", "pieces"),
    [
        (EVENTS, [b'event: say\ndata: {"a": 1}\n\n', b"data: [DONE]\n\n", b'data: {"b": 2}']),
        (b"one\ntwo\n", [b"one\n", b"two\n"]),
        (b"data: 1\r\n\r\ndata: 2\r\n\r\n", [b"data: 1\r\n\r\n", b"data: 2\r\n\r\n"]),
        (b"no end", [b"no end"]),
        (b"", []),
    ],
)
def test_a_stream_is_broken_at_its_events_or_at_its_lines(content, pieces):
    assert stream_breaking.split_pieces(content) == pieces


def test_the_places_of_a_stream_are_before_within_and_behind_its_pieces():
    cuts = [
        stream_breaking.split_at(each, b"abcd\nef\n")
        for each in stream_breaking.cut_points(b"a\nb\n")
    ]
    assert cuts == [
        (b"", b"abcd\nef\n"),
        (b"ab", b"cd\nef\n"),
        (b"abcd\n", b"ef\n"),
        (b"abcd\ne", b"f\n"),
        (b"abcd\nef\n", b""),
    ]


@pytest.fixture
def lines():
    return Response(200, {"content-type": "text/plain", "content-length": "8"}, b"abcd\nef\n")


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("breaking", "sent", "then"),
    [
        ("end", HEAD + b"5\r\nabcd\n\r\n1\r\ne\r\n0\r\n\r\n", "keep"),
        ("close", HEAD + b"5\r\nabcd\n\r\n1\r\ne\r\n", "close"),
        ("reset", HEAD + b"5\r\nabcd\n\r\n1\r\ne\r\n", "reset"),
        ("stall", HEAD + b"5\r\nabcd\n\r\n1\r\ne\r\n", "stall"),
    ],
)
def test_a_stream_breaks_off_where_and_how_it_is_to(lines, breaking, sent, then):
    place = stream_breaking.CutPoint(1, in_the_middle=True)
    fault = stream_breaking.cut_response(lines, place, breaking)
    assert (fault.sent, fault.then) == (sent, then)


@pytest.mark.parametrize(
    ("place", "body"),
    [
        (stream_breaking.CutPoint(0), b'\xff\x00{"garbage": [\nabcd\nef\n'),
        (stream_breaking.CutPoint(0, in_the_middle=True), b'ab\xff\x00{"garbage": [\nef\n'),
        (stream_breaking.CutPoint(2), b'abcd\nef\n\xff\x00{"garbage": [\n'),
    ],
)
def test_garbage_takes_the_place_of_a_piece_and_the_rest_follows(lines, place, body):
    fault = stream_breaking.garbled_response(lines, place)
    with FaultServer(fault) as url:
        connection = connected(url)
        connection.request("GET", "/")
        assert connection.getresponse().read() == body
        connection.close()


def test_a_fault_may_be_made_of_the_services_own_answer(ask):
    server = FaultServer(
        lambda response: Fault("any", b"not " + response.content),
        service=lambda request: Response(200, {}, request.path.encode()),
    )
    with server as url:
        assert read_all(ask(url, "GET", "/there")) == b"not /there"
        assert server.wait_until(lambda: server.ended == 1, seconds=PATIENCE)
    assert [each.path for each in server.faulted] == ["/there"]


def test_a_fault_that_stalls_is_over_when_its_client_has_gone():
    with (server := FaultServer(Fault("any", then="stall"))) as url:
        connection = connected(url)
        connection.request("GET", "/")
        assert server.wait_until_faulted(seconds=PATIENCE)
        assert server.ended == 0
        connection.close()
        assert server.wait_until(lambda: server.ended == 1, seconds=PATIENCE)
