"""The gateway behind nginx, as the guide puts it there."""

import json
import ssl
import sys

import httpx
import pytest

import convostore
from convostore import TextDelta

from ..support import nginx
from ..support.bad_clients import until
from ..support.nginx import CERTIFICATE
from ..support.processes import Waiting, served

pytestmark = [
    pytest.mark.rim,
    pytest.mark.skipif(sys.platform != "linux", reason="the guide is for Linux"),
]

TOKEN = "a-token-for-nginx-0123456789"


@pytest.fixture(scope="module")
def model():
    with Waiting().running() as waiting:
        yield waiting


@pytest.fixture(scope="module")
def gateway(model):
    options = ["--behind-proxy", "127.0.0.1", "--public-host", "localhost"]
    upstream = ["--upstream", model.url, "--upstream-model", "m"]
    with served(
        "memory://behind-nginx", *options, *upstream, CONVOSTORE_GATEWAY_TOKENS=TOKEN
    ) as process:
        yield process


@pytest.fixture(scope="module")
def proxy(gateway, tmp_path_factory):
    with nginx.before(gateway.url, tmp_path_factory.mktemp("nginx")) as addresses:
        yield addresses


@pytest.fixture
def store(proxy):
    address = proxy.secure.replace("https", "gateway+https", 1)
    with convostore.open(address, token=TOKEN, verify=str(CERTIFICATE)) as opened:
        yield opened


def browser(**options):
    """A client with an address that is not nginx's."""
    trusted = ssl.create_default_context(cafile=str(CERTIFICATE))
    transport = httpx.HTTPTransport(verify=trusted, local_address="127.0.0.2")
    return httpx.Client(transport=transport, **options)


def test_a_streamed_answer_arrives_as_it_is_made(store, model):
    with store.stream_reply("tides", "When is high tide?") as stream:
        first = next(event for event in stream if isinstance(event, TextDelta))
        assert first.text == "At "  # and the model goes on only now
        model.end()
        assert [event.text for event in stream if isinstance(event, TextDelta)] == ["six."]


def test_an_id_with_a_slash_arrives_as_it_is(store):
    store.create_conversation(id="a/b %2F//c", title="odd")
    assert store.get_conversation("a/b %2F//c").title == "odd"


def test_the_log_has_the_address_of_the_client(proxy, gateway):
    with browser() as client:
        answer = client.get(f"{proxy.secure}/v1", headers={"x-forwarded-for": "1.2.3.4"})
    assert answer.status_code == 401
    until(
        lambda: any('"/v1", "status": 401' in line for line in gateway.lines), "no line in the log"
    )
    (line,) = [json.loads(line) for line in gateway.lines if '"/v1", "status": 401' in line]
    assert line["client"] == "127.0.0.2"


def test_a_person_signs_in_to_the_viewer(proxy):
    with browser(base_url=proxy.secure, headers={"origin": proxy.secure}) as client:
        assert client.get("/viewer/").status_code == 401
        assert client.post("/viewer/login", data={"token": TOKEN}).status_code == 303
        assert client.get("/viewer/").status_code == 200
        assert [cookie.secure for cookie in client.cookies.jar] == [True]


def test_plain_http_is_sent_to_https_and_probes_stay_inside(proxy):
    with browser() as client:
        moved = client.get(f"{proxy.plain}/v1?x=1")
        assert moved.status_code == 301
        assert moved.headers["location"] == "https://localhost/v1?x=1"
        assert client.get(f"{proxy.secure}/readyz").status_code == 404
        assert client.get(f"{proxy.secure}/healthz").status_code == 404
