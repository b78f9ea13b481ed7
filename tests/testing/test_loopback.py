"""The loopback server of the kit: a real one, quiet, counted, and gone when it is left."""

import json
import socket
import threading
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

import convostore
from convostore.http import HTTPOptions, HTTPTransport, Request, Response
from convostore.testing.loopback import closed_network, replay, serve

pytestmark = pytest.mark.rim

JSON_TYPE = {"content-type": "application/json"}


def echo(request):
    told = [request.method, request.path, request.query, request.json]
    return Response(200, JSON_TYPE, json.dumps(told).encode())


@pytest.fixture
def send():
    """Sends requests to a URL over one transport, which is closed at the end."""
    opened = []

    def sending(url, request, **options):
        if not opened:
            opened.append(HTTPTransport(url, HTTPOptions(**options)))
        return opened[0].send(request)

    yield sending
    for transport in opened:
        transport.close()


def test_a_handler_is_given_the_request_as_it_came(send):
    with serve(echo) as url:
        request = Request("POST", "/a%2Fb", query=(("x", "1"), ("y", "")), json={"a": ["ʻ"]})
        reply = send(url, request)
    assert reply.json() == ["POST", "/a%2Fb", [["x", "1"], ["y", ""]], {"a": ["ʻ"]}]


def test_connections_and_requests_are_counted(send):
    server = serve(echo)
    with server as url:
        for _ in range(3):
            send(url, Request("GET", "/"))
    assert (server.connections, server.requests) == (1, 3)


def test_an_error_of_the_handler_is_a_500_and_is_kept(send):
    server = serve(lambda _: 1 / 0)
    with server as url:
        assert send(url, Request("GET", "/")).status == 500
    assert [type(error) for error in server.errors] == [ZeroDivisionError]


def test_a_body_that_is_no_json_never_reaches_the_handler():
    server = serve(echo)
    with server as url:
        connection = HTTPConnection(urlsplit(url).netloc)
        connection.request("POST", "/", b"{", {"content-type": "application/json"})
        assert connection.getresponse().status == 400
        connection.close()
    assert server.errors == []


def test_a_client_that_goes_away_leaves_no_error_and_no_thread(send):
    before = threading.active_count()
    server = serve(echo, latency=60)
    with server as url, pytest.raises(convostore.UnavailableError):
        send(url, Request("GET", "/"), timeout=0.05)
    assert server.errors == []
    assert threading.active_count() == before


def exchange(method, path, body, status=200):
    return {
        "request": {"method": method, "uri": f"http://recorded.test:3000{path}"},
        "response": {
            "status": {"code": status},
            "headers": {"content-type": ["application/json"]},
            "body": {"string": json.dumps(body)},
        },
    }


def test_recordings_are_replayed_in_their_order_and_the_last_one_stays(send):
    recorded = {"interactions": [exchange("GET", "/a", 1), exchange("GET", "/a", 2)]}
    with serve(replay([recorded])) as url:
        answers = [send(url, Request("GET", "/a")).json() for _ in range(3)]
    assert answers == [1, 2, 2]


def test_a_field_of_the_body_tells_recordings_of_one_path_apart(send):
    recorded = [exchange("POST", "/a", "one"), exchange("POST", "/a", "two")]
    recorded[0]["request"]["body"] = '{"chatId": "1", "offset": 0}'
    recorded[1]["request"]["body"] = '{"chatId": "2", "offset": 0}'
    with serve(replay([{"interactions": recorded}], by_field="chatId")) as url:
        assert send(url, Request("POST", "/a", json={"chatId": "2"})).json() == "two"
        assert send(url, Request("POST", "/a", json={"chatId": "1"})).json() == "one"
        assert send(url, Request("POST", "/a", json={"chatId": "3"})).status == 500


def test_what_was_not_recorded_is_an_error_that_says_so(send):
    server = serve(replay([{"interactions": [exchange("GET", "/a", 1)]}]))
    with server as url:
        assert send(url, Request("DELETE", "/a")).status == 500
    assert [type(error) for error in server.errors] == [LookupError]


def test_a_closed_network_leaves_this_machine_open_but_for_some_ports():
    with serve(echo) as url, closed_network():
        port = urlsplit(url).port
        with socket.socket() as here:
            here.connect(("127.0.0.1", port))
        with socket.socket() as here:
            assert here.connect_ex(("127.0.0.1", port)) == 0
        with closed_network(port), socket.socket() as here:
            with pytest.raises(pytest.fail.Exception, match="network was used"):
                here.connect(("127.0.0.1", port))
            with pytest.raises(pytest.fail.Exception, match="network was used"):
                here.connect_ex(("127.0.0.1", port))


def test_a_closed_network_fails_what_goes_elsewhere_and_is_open_again_after():
    before = (socket.getaddrinfo, socket.socket.connect)
    with closed_network(), socket.socket() as here:
        with pytest.raises(pytest.fail.Exception, match="network was used"):
            here.connect(("192.0.2.1", 80))
        with pytest.raises(pytest.fail.Exception, match="network was used"):
            socket.getaddrinfo("chat.test", 80)
    assert (socket.getaddrinfo, socket.socket.connect) == before
