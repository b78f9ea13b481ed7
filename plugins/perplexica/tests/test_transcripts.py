"""Exports of whole recorded servers: one chat that cannot be read must not cost the others."""

from __future__ import annotations

import pytest
from tests.support.cases import for_each

import convostore

from .support.oracle import expect_messages
from .support.recordings import CASES, exchanges_of, playing

pytestmark = pytest.mark.usefixtures("closed_network")

VERSIONS = ("express-1.9.3", "express-1.10.0-rc3", "next-1.10.2", "next-1.11.2", "next-1.12.1")
CORRUPT = "a1a668eda7ef6e8035481345b6b0fc8dfe913f48"
KCC = "448c8db8fde4ed15400d4ca0402c88e2c6921242"
UNICODE = "e715961c284ea5da17e063c432202ae6e5c2c155"
MISSING = "ffffffffffffffffffffffffffffffffffffffff"


def recorded_chats(folder):
    """Which case reads a chat, and what the service answers there, by the chat's id."""
    return {
        exchange.conversation_id: (case, exchange)
        for case in CASES
        if case.startswith(f"{folder}/get_")
        for exchange in exchanges_of(case)
        if exchange.is_made_by_the_adapter and exchange.conversation_id
    }


@for_each("folder", VERSIONS)
def test_a_chat_answering_500_does_not_end_an_export_of_several(folder, recorded_store):
    names = ("get_prog_kcc", "get_corrupt", "get_404", "get_unicode")
    cases = [f"{folder}/{name}" for name in names]
    ids = [KCC, CORRUPT, MISSING, UNICODE]
    with playing(*cases), recorded_store() as store:
        before, corrupt, missing, after = store.transcripts(ids, on_error="yield")
    assert [before.conversation_id, corrupt.conversation_id, missing.conversation_id] == ids[:3]
    assert isinstance(corrupt.error, convostore.UnavailableError)
    assert (corrupt.conversation, corrupt.messages) == (None, ())
    assert isinstance(missing.error, convostore.NotFoundError)
    assert (before.error, after.error) == (None, None)
    assert before.messages[1].text.startswith("The first day of Kapiʻolani Community College")
    assert after.messages[0].text.startswith("Kapiʻolani · 夏威夷大学")


@for_each("folder", VERSIONS)
def test_all_chats_of_a_server_are_exported_in_the_order_asked_for(folder, recorded_store):
    chats = recorded_chats(folder)
    ids = [each for each in listed_ids(folder) if each in chats]
    with playing(*cases_of(ids, chats)), recorded_store() as store:
        transcripts = store.transcripts(ids, on_error="yield")
    assert_exported(transcripts, ids, chats)


@for_each("folder", VERSIONS[:2])
def test_a_whole_server_is_exported_in_the_lists_order(folder, recorded_store):
    chats = recorded_chats(folder)
    ids = listed_ids(folder)
    with playing(f"{folder}/list_mixed", *cases_of(ids, chats)), recorded_store() as store:
        transcripts = store.transcripts(on_error="yield")
    assert_exported(transcripts, ids, chats)
    assert all(
        transcript.conversation.id == transcript.conversation_id for transcript in transcripts
    )


def listed_ids(folder):
    (listing,) = exchanges_of(f"{folder}/list_mixed")
    return [chat["id"] for chat in listing.body["chats"]]


def cases_of(ids, chats):
    return sorted({chats[id_][0] for id_ in ids})


def assert_exported(transcripts, ids, chats):
    assert len(ids) >= 35
    assert [item.conversation_id for item in transcripts] == ids
    assert [item.conversation_id for item in transcripts if item.error] == [CORRUPT]
    for transcript in transcripts:
        if transcript.error is None:
            _, exchange = chats[transcript.conversation_id]
            expected = expect_messages(exchange.body)
            assert [message.id for message in transcript.messages] == [item.id for item in expected]


def test_a_chat_answering_500_ends_an_export_that_is_to_raise(recorded_store):
    with (
        playing("next-1.12.1/get_corrupt"),
        recorded_store() as store,
        pytest.raises(convostore.UnavailableError, match="An error has occurred"),
    ):
        store.transcripts([CORRUPT])


def test_a_list_that_cannot_be_read_is_raised_in_any_case(recorded_store):
    with (
        playing("next-1.12.1/list_corrupt"),
        recorded_store() as store,
        pytest.raises(convostore.UnavailableError, match="An error has occurred"),
    ):
        store.transcripts(on_error="yield")
