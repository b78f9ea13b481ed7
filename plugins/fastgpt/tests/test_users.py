"""End users behind one key: to a store with `user` only the conversations of this one are there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.cases import for_each

import convostore
from convostore.config import open_adapter
from convostore.errors import ConfigError, NotFoundError, StoreError
from convostore.http import Request, Response
from convostore.store import AsyncConversationStore
from convostore.testing import Backend, StoreFace, both_faces
from convostore.testing.transports import Service

from .api.test_offset_pagination import CONVERSATION_STEPS, Disturbed, OtherHands, paged, schedules
from .support.service import APP, GENERATIONS, JSON_TYPE, KEY, OPTIONS, SHARED, FastGPTService

DSN = "fastgpt+http://chat.test"
ANN = "ann"
OTHERS = ("anna:1", "ann%3A:1", "ANN:1", "an:1", "ann", "with no name", "bob:1")
"""Ids that begin nearly as Ann's do."""


def shared_by_users(generation: str) -> FastGPTService:
    """Return a service on which Ann has two conversations, among others of the same key."""
    service = FastGPTService(generation)
    for chat_id in (*OTHERS, "ann:1", "bob:2", "ann:2"):
        service.insert(chat_id, title=f"title of {chat_id}")
        service.append(chat_id, "user", "hi")
        service.append(chat_id, "assistant", "hello")
    return service


def backend(service: FastGPTService, user: str = ANN, **options: object) -> Backend:
    given = {**OPTIONS, "user": user, **options}
    return Backend(DSN, service=service.handle, options=given)


def open_on(face: StoreFace, service: Service) -> AsyncConversationStore:
    """Open Ann's store on a face."""
    return face.open(DSN, service=service, user=ANN, **OPTIONS)


def opened(service: FastGPTService, user: str = ANN, **options: object):
    return backend(service, user, **options).open()


@for_each("generation", GENERATIONS)
@both_faces
async def test_a_user_reads_and_edits_their_own_conversations(generation, face):
    service = shared_by_users(generation)
    store = open_on(face, service.handle)
    assert [each.id async for each in store.conversations()] == ["ann:2", "ann:1"]
    assert (await store.get_conversation("ann:1")).title == "title of ann:1"
    question, answer = [each async for each in store.messages("ann:1")]
    assert (question.text, answer.text) == ("hi", "hello")
    await store.update_conversation("ann:1", title="renamed", pinned=True)
    listed = (await store.list_conversations()).items[0]
    assert (listed.id, listed.title, listed.pinned) == ("ann:1", "renamed", True)
    await store.set_feedback("ann:1", answer.id, convostore.Feedback(rating="good"))
    rated = (await store.list_messages("ann:1", order="newest_first")).items[0]
    assert rated.feedback == convostore.Feedback(rating="good")
    assert [step.name for step in await store.get_run_details("ann:1", answer.id)] == ["AI chat"]
    assert await store.suggest_questions("ann:1") == ("What of 'hi'?", "What of 'hello'?")
    read = [each async for each in store.transcripts()]
    assert [each.conversation_id for each in read] == ["ann:1", "ann:2"]
    await store.delete_message("ann:1", answer.id)
    assert answer.id not in {each.id async for each in store.messages("ann:1")}
    await store.delete_conversation("ann:2")
    assert [each.id async for each in store.conversations()] == ["ann:1"]
    assert {*OTHERS, "bob:2"} <= set(service.shown())


CALLS = {
    "get_conversation": (),
    "list_messages": (),
    "get_run_details": ("1.1",),
    "suggest_questions": (),
    "update_conversation": (),
    "set_feedback": ("1.1", None),
    "reply": ("hi",),
    "answer": ("yes",),
    "get_reply": ("a-turn",),
}


@for_each("operation", CALLS)
@for_each("other", OTHERS)
@both_faces
async def test_what_is_another_users_is_not_found_and_nothing_is_sent(other, operation, face):
    service = shared_by_users("4.16")
    store = open_on(face, service.handle)
    with pytest.raises(NotFoundError, match="'ann:'") as caught:
        await getattr(store, operation)(other, *CALLS[operation])
    assert other in str(caught.value)
    assert service.exchanges == []


@for_each("operation", ["stream_reply", "stream_answer"])
@both_faces
async def test_nothing_is_streamed_into_another_users_conversation(operation, face):
    service = shared_by_users("4.16")

    stream = getattr(open_on(face, service.handle), operation)("bob:1", "hi")
    with pytest.raises(NotFoundError, match="'ann:'"):
        await stream.__aenter__()
    assert service.exchanges == []


@for_each("named", [{}, {"custom_uid": "ann@example.org"}])
@both_faces
async def test_a_turn_begins_a_conversation_of_the_user_and_names_them(face, named):
    sent = []

    def broken(request: Request) -> Response:
        sent.append(request)
        return Response(500, JSON_TYPE, b'{"code": 500, "message": "out of order", "data": null}')

    with pytest.raises(StoreError, match="out of order") as caught:
        await open_on(face, broken).reply(None, "hi", **named)
    assert caught.value.partial.conversation_id == sent[0].json["chatId"]
    (request,) = sent
    assert request.json["chatId"].startswith("ann:")
    assert request.json["customUid"] == named.get("custom_uid", "ann")


@for_each("generation", GENERATIONS)
def test_deleting_what_is_another_users_deletes_and_sends_nothing(generation):
    service = shared_by_users(generation)
    before = service.shown()
    with opened(service) as store:
        for other in OTHERS:
            store.delete_conversation(other)
            store.delete_message(other, "1.1")
    assert service.exchanges == []
    assert service.shown() == before


@for_each("generation", GENERATIONS)
@for_each("source", ["api", "all"])
def test_clearing_takes_the_users_own_and_no_more(generation, source):
    service = shared_by_users(generation)
    service.insert("ann:elsewhere", source="test")
    with opened(service, source=source) as store:
        assert store.traits.clears == "listed"
        store.clear_conversations()
        assert list(store.conversations()) == []
    left = {chat.chat_id for chat in service.chats.values() if not chat.deleted}
    own = {"ann:elsewhere"} if source == "api" else set()
    assert left == {*OTHERS, "bob:2", *own}


def test_the_total_is_not_told_as_the_service_counts_everybodys():
    with opened(shared_by_users("4.16")) as store:
        page = store.list_conversations()
        assert len(page.items) == 2
        assert page.total is None
        assert store.check().detail == "10 conversations of all users"


@st.composite
def lists_of_several_users(draw: st.DrawFn) -> FastGPTService:
    """Return conversations of three users in any mixture, several of the same millisecond."""
    service = FastGPTService(draw(st.sampled_from(sorted(GENERATIONS))))
    users = draw(st.lists(st.sampled_from(("ann", "anna", "bob")), max_size=60))
    for number, user in enumerate(users):
        service.tick = timedelta(milliseconds=draw(st.sampled_from((0, 0, 1))))
        service.insert(f"{user}:{number}")
    service.wait()
    service.tick = timedelta(milliseconds=draw(st.sampled_from((0, 1))))
    return service


def crowd(users: Sequence[str]) -> FastGPTService:
    service = FastGPTService("4.16")
    for number, user in enumerate(users):
        service.insert(f"{user}:{number}")
    return service


def own(ids: Sequence[str]) -> list[str]:
    return [id_ for id_ in ids if id_.startswith("ann:")]


@given(lists_of_several_users(), st.integers(1, 9))
@example(crowd(["ann", *["bob"] * 350, "ann"]), 1)
@example(crowd(["bob"] * 250), 3)
@example(crowd(["ann"] * 250), 100)
def test_pages_show_each_of_the_users_once_and_in_order_and_none_but_the_last_is_empty(
    service, limit
):
    pages = []
    with opened(service) as store:
        cursor = None
        while True:
            page = store.list_conversations(limit=limit, cursor=cursor)
            pages.append([item.id for item in page.items])
            cursor = page.cursor
            if cursor is None:
                break
    assert [item for page in pages for item in page] == own(service.shown())
    assert all(len(page) <= limit for page in pages)
    assert all(pages[:-1])


@given(lists_of_several_users(), schedules(*CONVERSATION_STEPS), st.integers(1, 7))
@example(crowd(["ann", "bob"] * 120), [[("delete", 0), ("delete", 1)], [("touch", 200)]], 7)
def test_what_stood_still_is_neither_lost_nor_repeated_while_others_write(service, schedule, limit):
    before = own(service.shown())
    hands = OtherHands(service)
    disturbed = Disturbed(service, schedule, hands.act)
    with Backend(DSN, service=disturbed.handle, options={**OPTIONS, "user": ANN}).open() as store:
        seen = [
            item.id
            for item in paged(lambda cursor: store.list_conversations(limit=limit, cursor=cursor))
        ]
    still = [item for item in before if item not in hands.deleted | hands.moved]
    assert [item for item in seen if item in still] == still
    assert own(seen) == seen


def test_few_among_many_are_looked_for_in_large_pages():
    service = crowd(["ann", *["bob"] * 390, "ann"])
    with opened(service) as store:
        found = paged(lambda cursor: store.list_conversations(limit=1, cursor=cursor))
        assert [item.id for item in found] == ["ann:391", "ann:0"]
    sizes = [request.json["pageSize"] for request, _ in service.exchanges]
    assert len(sizes) <= 6
    assert min(sizes) >= 100


NAMES = ["ann", "Ann Lee", "a:b", "a/b?c#d", "100%", "%3A", "李雷", "o'hara@example.org", "🙂" * 10]


@for_each("name", NAMES)
def test_the_ids_a_store_chooses_are_its_users_and_no_other_ones(name):
    users = {item: open_adapter(DSN, **OPTIONS, user=item) for item in NAMES}
    chosen = {users[name].new_conversation_id() for _ in range(50)}
    assert len(chosen) == 50
    service = FastGPTService("4.16")
    for chat_id in chosen:
        service.insert(chat_id)
    for item in NAMES:
        with opened(service, item) as store:
            found = {conversation.id for conversation in store.conversations()}
        assert found == (chosen if item == name else set())


@for_each("name", NAMES)
def test_an_id_is_plain_ascii_of_the_users_name_and_24_characters(name):
    chosen = open_adapter(DSN, **OPTIONS, user=name).new_conversation_id()
    owner, _, own_part = chosen.partition(":")
    assert re.fullmatch(r"[A-Za-z0-9%._~-]+", owner)
    assert re.fullmatch(r"[0-9a-f]{24}", own_part)
    assert len(chosen) <= 250


def test_without_a_user_ids_bear_no_name():
    assert ":" not in open_adapter(DSN, **OPTIONS).new_conversation_id()


def test_two_users_of_an_app_are_two_stores():
    labels = {
        open_adapter(DSN, **OPTIONS, **named).label
        for named in ({}, {"user": "ann"}, {"user": "bob"}, {"user": "a&app_id=b"})
    }
    assert len(labels) == 4
    assert f"{DSN}?app_id={APP}&user=ann" in labels
    assert KEY not in "".join(labels)


def test_a_user_may_stand_in_the_dsn_in_the_environment_and_in_a_profile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    assert open_adapter(f"{DSN}?user=a%20b", **OPTIONS).options.user == "a b"
    file = tmp_path / "config.toml"
    file.write_text(f'[profiles.anns]\ndsn = "{DSN}?app_id={APP}"\nuser = "ann"\n')
    monkeypatch.setenv("CONVOSTORE_CONFIG", str(file))
    assert open_adapter("anns", api_key=KEY).options.user == "ann"
    monkeypatch.setenv("CONVOSTORE_FASTGPT_USER", "bob")
    assert open_adapter(DSN, **OPTIONS).options.user == "bob"


@for_each("name", ["", "a" * 221, "李" * 25, "\ud800"])
def test_a_name_that_fits_into_no_id_is_refused(name):
    with pytest.raises(ConfigError, match="'user'"):
        open_adapter(DSN, **OPTIONS, user=name)


def test_a_share_links_visitor_is_not_named_twice():
    with pytest.raises(ConfigError, match="outlink_uid"):
        open_adapter(DSN, **SHARED, user="ann")
