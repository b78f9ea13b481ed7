"""Two lone surrogates that make a pair stay two, wherever JSON stands in between."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given

import convostore
from convostore import Conversation, Message, TextPart
from convostore.serialization import join_surrogates, separate_surrogates, to_exact_json, to_json
from convostore.testing.strategies import json_values, texts

PAIR, ONE = "\ud83d\ude00", "\U0001f600"
FINGERPRINT = "27a1ebd56cac320063c8497d09f96d80948c737643108eb2d4ea912b619680bb"
IDS = (PAIR, ONE, "\ud83d\u200c\ude00", "zz")


def said(text):
    return Message(id="m", role="user", parts=(TextPart(text=text),))


def filled():
    store = convostore.open("memory://")
    for key in IDS:
        store.put_conversation(Conversation(id=key, title=key))
        store.append_messages(key, [said(key)])
    return store


def shown(store, key=lambda conversation: conversation.id):
    return {
        key(conversation): [message.text for message in store.messages(conversation.id)]
        for conversation in store.conversations()
    }


@given(texts(pairs=True) | json_values())
def test_what_is_parted_is_joined_again(data):
    assert repr(join_surrogates(json.loads(to_exact_json(data)))) == repr(data)


@given(texts(pairs=True))
def test_only_a_pair_is_written_otherwise_than_plain_json(text):
    changed = separate_surrogates(text) != text
    assert (to_exact_json(text) != to_json(text)) is changed
    assert join_surrogates(separate_surrogates(text)) == text


def test_pages_of_memory_have_each_conversation():
    with filled() as store:
        seen, cursor = [], None
        while True:
            page = store.list_conversations(limit=1, cursor=cursor)
            seen += [conversation.id for conversation in page.items]
            cursor = page.cursor
            if cursor is None:
                break
        assert sorted(seen) == sorted(IDS)


@pytest.mark.parametrize("target", ["memory://", "sqlite://"])
def test_an_export_and_a_mirror_keep_each_apart(target):
    with filled() as store, convostore.open(target) as copy, convostore.open(target) as mirrored:
        file = io.StringIO()
        convostore.export_conversations(store, file, format="jsonl")
        assert file.getvalue().isascii()
        convostore.import_conversations(io.BytesIO(file.getvalue().encode()), copy)
        assert shown(copy) == shown(store)
        assert convostore.mirror(store, mirrored, name="memory").copied == len(IDS)
        assert shown(mirrored, lambda item: item.origin.conversation_id) == shown(store)


def test_fingerprints_tell_them_apart_and_those_of_other_texts_are_as_ever():
    assert len({said(text).fingerprint() for text in IDS}) == len(IDS)
    assert said(ONE).fingerprint() == FINGERPRINT
