"""The contract kit on the adapter, over the dialect: what is served is what is read."""

import secrets
from collections.abc import Iterator

import pytest
from convostore_notes.dialect import NotesDialect

from convostore.testing import Backend, StoreContract
from convostore.testing.dialects import dialect_service, store_seeder


class TestNotesServed(StoreContract):
    @pytest.fixture
    def backend(self) -> Iterator[Backend]:
        store = f"memory://{secrets.token_hex(8)}"
        with dialect_service(NotesDialect(), store) as service:
            yield Backend(
                "notes+http://notes.test",
                service=service,
                seed=store_seeder(store),
                options={"api_key": "not a real one"},
            )
