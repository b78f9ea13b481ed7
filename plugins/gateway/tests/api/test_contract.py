"""What a gateway serves natively, read by the adapter of `gateway+http://`, keeps the contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar

import pytest
from plugins.sql.tests.support import servers
from tests.contract.mutants.registry import ECHO_PROMPTS

import convostore
from convostore.config import open_adapter
from convostore.flow import run
from convostore.http import HTTPOptions, HTTPTransport
from convostore.testing import Backend, StoreContract, Waiver, never

from ..support.asgi import ADDRESS, Gateway, informed, serving
from ..support.gateway import served

_NO_SURROGATES = never("no address carries a lone surrogate, and ids and queries stand in one")
_WAIVERS: Mapping[str, Waiver] = {
    "test_ids_beyond_utf8_survive": _NO_SURROGATES,
    "test_what_has_an_id_beyond_utf8_is_written_to": _NO_SURROGATES,
    "test_no_query_is_wrong": _NO_SURROGATES,
    "test_texts_beyond_utf8_are_found": _NO_SURROGATES,
    "test_a_fork_has_the_messages_up_to_the_one_that_is_named": never(
        "a fork's origin is the store behind, which does not know its gateway's address"
    ),
}
"""Of whatever stands behind; what they leave open is tested in `test_adapter_served`."""


class TestMemory(StoreContract):
    """The memory that answers, in this process: with the clauses of replies and of faults."""

    waivers: ClassVar = {
        **_WAIVERS,
        "test_what_the_service_calls_absent_is_not_found": never(
            "a 404 that is no problem of the API is another program's: the base URL is wrong"
        ),
    }

    @pytest.fixture
    def backend(self) -> Iterator[Backend]:
        with serving("echo://") as service:
            yield Backend(partial(informed, service), service=service, prompts=ECHO_PROMPTS)


@pytest.fixture(scope="module")
def bobs(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What bob has, in the file that alice's store lies in too."""
    return f"sqlite:///{tmp_path_factory.mktemp('served').as_posix()}/served.db?namespace=bob"


@pytest.fixture(scope="module")
def url(bobs: str) -> Iterator[str]:
    """One server of alice's store for all clauses, which is emptied before each."""
    with served(bobs.replace("bob", "alice")) as url:
        yield url


@pytest.mark.rim
class TestSQLiteOverASocket(StoreContract):
    """A namespace of a file, by uvicorn and httpx; a real server has no faults to choose from."""

    waivers: ClassVar = _WAIVERS

    @pytest.fixture
    def backend(self, url: str, bobs: str) -> Iterator[Backend]:
        transport = HTTPTransport(url, HTTPOptions())
        target = f"gateway+{url}"
        with convostore.open(target, transport=transport) as store:
            store.clear_conversations()
            yield Backend(partial(informed, transport.send, target), unlisted=in_namespace(bobs))


@pytest.fixture(scope="module")
def postgresql(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[str]:
    """What bob has in a database of the run's PostgreSQL."""
    folder = servers.folder_of_run(request.config, tmp_path_factory)
    with servers.shared_or_skipped(folder) as server, server.database() as name:
        yield server.dsn(name, namespace="bob")


@pytest.fixture(scope="module")
def postgresql_service(postgresql: str) -> Iterator[Gateway]:
    with serving(postgresql.replace("bob", "alice")) as service:
        yield service


@pytest.mark.rim
class TestPostgreSQL(StoreContract):
    """A namespace of a server, in this process; the client's other face is tested above."""

    waivers: ClassVar = TestMemory.waivers

    @pytest.fixture
    def backend(
        self, request: pytest.FixtureRequest, postgresql_service: Gateway, postgresql: str
    ) -> Backend:
        if request.node.callspec.params["face"] != "sync":
            pytest.skip("one face is enough")
        run(open_adapter(ADDRESS).clear_conversations(), postgresql_service)
        return Backend(
            partial(informed, postgresql_service),
            service=postgresql_service,
            unlisted=in_namespace(postgresql),
        )


def in_namespace(target: str) -> Callable[[], Callable[[], int]]:
    """Puts conversations of another one into the same tables, and counts them."""

    def put() -> Callable[[], int]:
        with convostore.open(target) as store:
            for number in range(3):
                store.create_conversation(id=f"c{number:04}", title="another's")

        def count() -> int:
            with convostore.open(target) as store:
                return len(list(store.conversations()))

        return count

    return put
