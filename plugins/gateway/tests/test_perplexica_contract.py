"""SQLite, served as `/api/chats` and read by the adapter of that service, keeps the contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from tests.support.naming import naming

import convostore
from convostore import ConversationStore
from convostore.adapters import Operation
from convostore.config import open_adapter
from convostore.errors import AuthError, ProtocolError
from convostore.testing import FACES, Backend, Face, StoreContract, list_clauses, run_clause
from convostore.testing.dialects import dialect_service, store_seeder
from convostore.testing.samples import dialogue, numbered_conversations
from convostore.testing.transports import Service
from convostore_gateway import Token
from convostore_perplexica.server.dialect import PerplexicaDialect

from .support.gateway import client_of, got, served

ASKS_A_MODEL = frozenset({Operation.REPLY, Operation.STREAM_REPLY, Operation.SUGGEST_QUESTIONS})
"""What the service does beside keeping chats, and the dialect does not.

The adapter offers it before it knows whom it meets; so it is no part of the circle, and a test of
its own says how it ends.
"""


READER = Token(value=SecretStr("who-may-read-and-no-more"), rights="read")
WRITER = Token(value=SecretStr("who-may-do-everything"))
MODELS = {"chat_model": "provider/model", "embedding_model": "provider/embedding"}
SAMPLES = [*numbered_conversations(1), dialogue("a/b?c", ["q", "a"])]


def keeping(url: str, **options: Any) -> Any:
    """The adapter as far as the dialect goes."""
    adapter = open_adapter(f"perplexica+{url}", **options)
    adapter.offers -= ASKS_A_MODEL
    return adapter


def header_of(token: Token) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.value.get_secret_value()}"}


def opened(url: str, token: Token, **options: Any) -> ConversationStore:
    return convostore.open(f"perplexica+{url}", headers=header_of(token), **options)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('served').as_posix()}/served.db"


@pytest.fixture
def target(kept: str) -> str:
    """What is served, with nothing in it."""
    with convostore.open(kept) as store:
        store.clear_conversations()
    return kept


@pytest.fixture(scope="module")
def service(kept: str) -> Iterator[Service]:
    with dialect_service(PerplexicaDialect(), kept) as service:
        yield service


class TestInProcess(StoreContract):
    @pytest.fixture
    def backend(self, service: Service, target: str) -> Backend:
        return Backend(
            lambda **options: keeping("http://search.test", **options),
            service=service,
            seed=store_seeder(target),
        )


THROUGH_SOCKETS = (
    "test_hostile_texts_come_back_the_same",
    "test_titles_come_back_the_same",
    "test_transcripts_come_in_the_order_of_the_list",
    "test_reading_what_is_absent_raises_not_found",
    "test_a_walk_survives_the_deletion_of_what_it_showed",
    "test_readers_side_by_side_see_the_same",
)
"""The clauses in which the way through a server may make a difference; it is slower than a call."""


@pytest.fixture(scope="module")
def open_url(kept: str) -> Iterator[str]:
    with served(kept, viewer=False) as url:
        yield url


@pytest.fixture(scope="module")
def guarded(kept: str) -> Iterator[str]:
    with served(kept, tokens=(READER, WRITER), viewer=False) as url:
        yield url


@pytest.mark.rim
class TestOverHTTP:
    @pytest.mark.parametrize("face", FACES)
    @pytest.mark.parametrize("clause", THROUGH_SOCKETS)
    def test_what_is_served_keeps_the_contract(
        self, open_url: str, target: str, clause: str, face: Face
    ) -> None:
        backend = Backend(lambda **options: keeping(open_url, **options), seed=store_seeder(target))
        run_clause(list_clauses()[clause], backend, face)

    @pytest.fixture
    def url(self, guarded: str, target: str) -> str:
        """Where a token is needed to see the samples."""
        store_seeder(target)(SAMPLES)
        return guarded

    def test_without_a_token_nothing_is_told(self, url: str) -> None:
        for brought in ({}, {"Authorization": "Bearer of-no-one-that-is-known"}):
            with naming(brought), convostore.open(f"perplexica+{url}", headers=brought) as store:
                answer = got(f"{url}/api/chats", headers=brought)
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == "Bearer"
                assert answer.json() == {"message": "A valid token is needed"}
                with pytest.raises(AuthError):
                    store.list_conversations()

    def test_who_may_read_may_not_delete(self, url: str) -> None:
        with opened(url, READER) as store:
            with pytest.raises(AuthError, match="may not do that"):
                store.delete_conversation("c0000")
            assert len(list(store.messages("c0000"))) == 2

    def test_who_may_write_deletes(self, url: str) -> None:
        with opened(url, WRITER) as store:
            store.delete_conversation("a/b?c")
            assert [each.id for each in store.conversations()] == ["c0000"]

    def test_what_asks_a_model_ends_in_an_error_that_says_so(self, url: str) -> None:
        with opened(url, WRITER, **MODELS) as store:
            for ask in (
                lambda: store.reply("c0000", "and then?"),
                lambda: store.suggest_questions("c0000"),
            ):
                with pytest.raises(ProtocolError, match="404"):
                    ask()
            assert len(list(store.messages("c0000"))) == 2

    def test_an_answer_is_as_express_would_send_it(self, url: str) -> None:
        with client_of(url, headers=header_of(READER)) as client:
            got = client.get("/api/chats/a%2Fb%3Fc")
            head = client.head("/api/chats/a%2Fb%3Fc")
            unchanged = client.get("/api/chats", headers={"If-None-Match": "*"})
            deep = client.get("/api/chats/a/b")
            broken = client.get("/api/chats/%E0%A4%A")
        assert got.json()["chat"]["id"] == "a/b?c"
        for name in ("content-type", "content-length", "etag"):
            assert head.headers[name] == got.headers[name]
        assert (head.status_code, head.content) == (200, b"")
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        assert (deep.status_code, broken.status_code) == (404, 400)
        assert deep.headers["content-type"] == "text/html; charset=utf-8"
