"""SQLite, served as `/api/chats` and read by the adapter of that service, keeps the contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

import convostore
from convostore import ConversationStore
from convostore.adapter import Operation
from convostore.config import adapter_of
from convostore.errors import AuthError, ProtocolError
from convostore.testing import Backend, Face, StoreContract, clauses, run_clause
from convostore.testing.contract import FACES
from convostore.testing.dialects import seeding, serving
from convostore.testing.samples import dialogue, several
from convostore_gateway import Token
from convostore_perplexica.dialect import PerplexicaDialect

from .gateway_kit import client_of, got, served

ASKS_A_MODEL = frozenset({Operation.REPLY, Operation.STREAM_REPLY, Operation.SUGGEST_QUESTIONS})
"""What the service does beside keeping chats, and the dialect does not.

The adapter offers it before it knows whom it meets; so it is no part of the circle, and a test of
its own says how it ends.
"""


READER = Token(value=SecretStr("who-may-read-and-no-more"), rights="read")
WRITER = Token(value=SecretStr("who-may-do-everything"))
MODELS = {"chat_model": "provider/model", "embedding_model": "provider/embedding"}
SAMPLES = [*several(1), dialogue("a/b?c", ["q", "a"])]


def keeping(url: str, **options: Any) -> Any:
    """The adapter as far as the dialect goes."""
    adapter = adapter_of(f"perplexica+{url}", **options)
    adapter.offers -= ASKS_A_MODEL
    return adapter


def header_of(token: Token) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.value.get_secret_value()}"}


def opened(url: str, token: Token, **options: Any) -> ConversationStore:
    return convostore.open(f"perplexica+{url}", headers=header_of(token), **options)


@pytest.fixture
def target(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/served.db"


class TestInProcess(StoreContract):
    @pytest.fixture
    def backend(self, target: str) -> Iterator[Backend]:
        with serving(PerplexicaDialect(), target) as service:
            yield Backend(
                lambda **options: keeping("http://search.test", **options),
                service=service,
                seed=seeding(target),
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


@pytest.mark.rim
class TestOverHTTP:
    @pytest.mark.parametrize("face", FACES)
    @pytest.mark.parametrize("clause", THROUGH_SOCKETS)
    def test_what_is_served_keeps_the_contract(self, target: str, clause: str, face: Face) -> None:
        with served(target, viewer=False) as url:
            backend = Backend(lambda **options: keeping(url, **options), seed=seeding(target))
            run_clause(clauses()[clause], backend, face)

    @pytest.fixture
    def url(self, target: str) -> Iterator[str]:
        seeding(target)(SAMPLES)
        with served(target, tokens=(READER, WRITER), viewer=False) as url:
            yield url

    @pytest.mark.parametrize("brought", [{}, {"Authorization": "Bearer of-no-one-that-is-known"}])
    def test_without_a_token_nothing_is_told(self, url: str, brought: dict[str, str]) -> None:
        answer = got(f"{url}/api/chats", headers=brought)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json() == {"message": "A valid token is needed"}
        with (
            convostore.open(f"perplexica+{url}", headers=brought) as store,
            pytest.raises(AuthError),
        ):
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
