"""The probes: alive, ready, and no more than that."""

import pytest

from convostore.adapters.memory import MemoryAdapter
from convostore.dsn import DSN
from convostore.errors import UnavailableError
from convostore.store import AsyncConversationStore
from convostore_gateway import create_app, running

from .support.gateway import client_of

pytestmark = pytest.mark.rim


@pytest.mark.parametrize(
    "failure", [UnavailableError("me:s3cret@db is out of reach"), RuntimeError("s3cret")]
)
def test_a_store_that_fails_is_not_ready_alive_all_the_same_and_asked_once_a_second(failure):
    asked = []

    class Failing(MemoryAdapter):
        def check(self):
            asked.append(self)
            raise failure

    adapter = Failing(DSN.parse("memory://"), MemoryAdapter.Options())
    store = AsyncConversationStore(adapter, adapter.async_transport())
    gateway = running(create_app(store, open_access=True), stores=[store])
    with gateway as url, client_of(url) as client:
        answers = [client.get("/readyz") for _ in range(20)]
        assert {each.status_code for each in answers} == {503}
        assert all("s3cret" not in each.text for each in answers)
        assert answers[0].headers["retry-after"] == "5"
        assert client.get("/healthz").json() == {"status": "ok"}
    assert len(asked) < 20
