"""What a gateway serves natively, read by the adapter of `gateway+http://`, keeps the contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

import convostore
from convostore.http import HTTPOptions, HTTPTransport
from convostore.testing import Backend, StoreContract, Waiver, never, notyet
from convostore.testing.sabotage import ECHO_PROMPTS

from .asgi_kit import ADDRESS, informed, serving
from .gateway_kit import served

WAIVERS: Mapping[str, Waiver] = {
    "test_what_the_service_calls_absent_is_not_found": never(
        "a 404 that is no problem of the API is another program's: the base URL is wrong"
    ),
}


class TestMemory(StoreContract):
    """All clauses but those of replies, which this store has none of."""

    waivers: ClassVar = WAIVERS

    @pytest.fixture
    def backend(self) -> Iterator[Backend]:
        with serving("memory://") as service:
            yield Backend(partial(informed, service), service=service)


class TestEcho(StoreContract):
    """All clauses, and with them those of replies."""

    waivers: ClassVar = WAIVERS

    @pytest.fixture
    def backend(self) -> Iterator[Backend]:
        with serving("echo://") as service:
            yield Backend(partial(informed, service), service=service, prompts=ECHO_PROMPTS)


class TestEchoOverASocket(StoreContract):
    """The same by uvicorn and httpx; faults are none of a real server's."""

    @pytest.fixture(scope="class")
    def url(self) -> Iterator[str]:
        with served("echo://") as url:
            yield url

    @pytest.fixture
    def backend(self, url: str) -> Iterator[Backend]:
        target = f"gateway+{url}"
        with convostore.open(target) as store:
            store.clear_conversations()
            transport = HTTPTransport(url, HTTPOptions())
            yield Backend(partial(informed, transport.send, target), prompts=ECHO_PROMPTS)
            transport.close()


class TestSQLiteNamespace(StoreContract):
    """A store with others beside it in the same file."""

    waivers: ClassVar = WAIVERS

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[Backend]:
        file = f"sqlite:///{tmp_path.as_posix()}/served.db"
        with serving(f"{file}?namespace=alice") as service:
            yield Backend(
                partial(informed, service),
                service=service,
                beside=in_bobs_namespace(f"{file}?namespace=bob"),
            )


def in_bobs_namespace(target: str) -> Callable[[], Callable[[], int]]:
    """Puts what bob has into the same tables, and counts it."""

    def put() -> Callable[[], int]:
        with convostore.open(target) as store:
            for number in range(3):
                store.create_conversation(id=f"c{number:04}", title="bob's")

        def count() -> int:
            with convostore.open(target) as store:
                return len(list(store.conversations()))

        return count

    return put
