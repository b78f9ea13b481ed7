"""Share links in both spellings, found out by the answers; and what a store must be opened with."""

from __future__ import annotations

import json

import pytest
from tests.support.cases import for_each

import convostore
from convostore.config import open_adapter
from convostore.errors import AuthError, ConfigError
from convostore.http import Request, Response
from convostore.testing import Backend, both_faces

from .support.service import APP, GENERATIONS, KEY, OPTIONS, SHARE, SHARED, UID, FastGPTService

DSN = "fastgpt+http://chat.test"
LINK = {"shareId": SHARE, "outLinkUid": UID}
NESTED = [name for name, generation in GENERATIONS.items() if generation.nested_share]
FLAT = [name for name in GENERATIONS if name not in NESTED]


def shared(generation: str) -> FastGPTService:
    """Return a service on which a share link's visitor has two conversations."""
    service = FastGPTService(generation)
    service.insert("api", title="by key")
    service.insert("other", source="share", owner="share:somebody")
    for chat_id in ("s1", "s2"):
        service.insert(chat_id, title=f"title of {chat_id}", source="share", owner=f"share:{UID}")
        service.append(chat_id, "user", "hi")
        service.append(chat_id, "assistant", "hello")
    return service


def backend(service: FastGPTService, **options: object) -> Backend:
    return Backend(DSN, service=service.keyless, options=SHARED | {"app_id": APP} | options)


def answered(service: FastGPTService) -> list[tuple[Request, Response]]:
    return [exchange for exchange in service.exchanges if exchange[1].status == 200]


@for_each("generation", GENERATIONS)
@both_faces
async def test_a_share_link_reads_and_edits_what_its_visitor_has(generation, face):
    service = shared(generation)
    store = face.open(DSN, service=service.keyless, app_id=APP, **SHARED)
    assert [each.id async for each in store.conversations()] == ["s2", "s1"]
    assert (await store.get_conversation("s1")).title == "title of s1"
    question, answer = [each async for each in store.messages("s1")]
    assert (question.text, answer.text) == ("hi", "hello")
    await store.update_conversation("s1", title="renamed", pinned=True)
    listed = (await store.list_conversations()).items[0]
    assert (listed.id, listed.title, listed.pinned) == ("s1", "renamed", True)
    await store.set_feedback("s1", answer.id, convostore.Feedback(rating="good"))
    rated = (await store.list_messages("s1", order="newest_first")).items[0]
    assert rated.feedback == convostore.Feedback(rating="good")
    assert [step.name for step in await store.get_run_details("s1", answer.id)] == ["AI chat"]
    await store.delete_message("s1", answer.id)
    assert answer.id not in {each.id async for each in store.messages("s1")}
    await store.delete_conversation("s2")
    assert [each.id async for each in store.conversations()] == ["s1"]


@for_each("generation", GENERATIONS)
def test_clearing_a_share_link_takes_its_visitors_and_no_more(generation):
    service = shared(generation)
    store = backend(service).open()
    assert store.traits.clears == "listed"
    store.clear_conversations()
    left = {chat.chat_id for chat in service.chats.values() if not chat.deleted}
    assert left == {"api", "other"}


@for_each("generation", GENERATIONS)
def test_the_spelling_that_answered_is_remembered(generation):
    service = shared(generation)
    store = backend(service).open()
    list(store.conversations())
    first = len(service.exchanges)
    list(store.conversations())
    store.get_conversation("s1")
    store.set_feedback("s1", "id.unknown", None) if generation in FLAT else None
    later = service.exchanges[first:]
    assert later
    refused = [request.path for request, response in later if response.status not in (200, 404)]
    assert refused == []


@for_each("generation", NESTED)
def test_the_newer_spelling_stands_alone_and_is_text_within_a_query(generation):
    service = shared(generation)
    store = backend(service).open()
    (*_, answer) = store.messages("s1")
    store.get_run_details("s1", answer.id)
    store.delete_message("s1", answer.id)
    store.delete_conversation("s1")
    for request, _ in answered(service):
        for sent in (request.json, dict(request.query)):
            if sent:
                link = sent["outLinkAuthData"]
                assert (json.loads(link) if isinstance(link, str) else link) == LINK
                assert not sent.keys() & {"appId", "shareId", "outLinkUid"}


@for_each("generation", FLAT)
def test_the_older_spelling_names_the_app_as_well(generation):
    service = shared(generation)
    store = backend(service).open()
    (*_, answer) = store.messages("s1")
    store.delete_conversation("s1")
    with_things = [
        request.json or dict(request.query)
        for request, response in answered(service)
        if response.status == 200
    ]
    assert {"appId": APP, **LINK}.items() <= with_things[-1].items()
    assert answer.text == "hello"


@for_each("generation", NESTED)
def test_the_newer_spelling_needs_no_app_id(generation):
    service = shared(generation)
    store = backend(service, app_id=None).open()
    assert [conversation.id for conversation in store.conversations()] == ["s2", "s1"]
    assert [message.text for message in store.messages("s1")] == ["hi", "hello"]


@for_each("generation", FLAT)
def test_an_older_server_without_an_app_id_is_never_taken_for_an_empty_one(generation):
    store = backend(shared(generation), app_id=None).open()
    for call in (store.list_conversations, lambda: store.list_messages("s1"), store.check):
        with pytest.raises(ConfigError, match="app_id"):
            call()


@for_each("generation", GENERATIONS)
def test_a_share_link_that_is_not_valid_is_an_auth_error_that_names_it(generation):
    store = backend(shared(generation), share_id="nope").open()
    for call in (store.list_conversations, store.check, lambda: store.list_messages("s1")):
        with pytest.raises(AuthError, match="share"):
            call()


@for_each("generation", GENERATIONS)
def test_another_visitors_conversation_is_refused(generation):
    store = backend(shared(generation)).open()
    with pytest.raises(AuthError):
        store.list_messages("other")
    with pytest.raises(convostore.NotFoundError):
        store.get_conversation("other")


@for_each("generation", GENERATIONS)
def test_no_part_of_a_share_link_shows_in_an_error(generation):
    store = backend(shared(generation), share_id="secret-link", outlink_uid="secret-uid").open()
    with pytest.raises(AuthError) as caught:
        store.list_conversations()
    shown = f"{caught.value} {vars(caught.value)} {store!r}"
    assert "secret-link" not in shown
    assert "secret-uid" not in shown


# What a store is opened with


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in ("APP_ID", "API_KEY", "SOURCE", "SHARE_ID", "OUTLINK_UID"):
        monkeypatch.delenv(f"CONVOSTORE_FASTGPT_{name}", raising=False)


def refused(dsn: str = DSN, **options: object) -> str:
    with pytest.raises(ConfigError) as caught:
        convostore.open(dsn, **options)
    return str(caught.value)


def without(*names: str, **more: object) -> dict[str, object]:
    return {name: option for name, option in OPTIONS.items() if name not in names} | more


@for_each("empty", [{}, {"app_id": ""}, {"app_id": None}])
def test_without_an_app_id_nothing_is_opened(empty):
    told = refused(**without("app_id", **empty))
    assert "app_id" in told
    assert "CONVOSTORE_FASTGPT_APP_ID" in told


@for_each("empty", [{}, {"api_key": ""}, {"api_key": None}])
def test_without_a_key_nothing_is_opened(empty):
    told = refused(**without("api_key", **empty))
    assert "api_key" in told
    assert "CONVOSTORE_FASTGPT_API_KEY" in told


def test_the_async_face_refuses_the_same():
    with pytest.raises(ConfigError, match="app_id"):
        convostore.aopen(DSN, api_key=KEY)


@for_each(
    "half",
    [{"share_id": SHARE, "app_id": APP}, {"outlink_uid": UID}, {"share_id": SHARE, **OPTIONS}],
)
def test_half_a_share_link_is_none(half):
    told = refused(**half)
    assert "share_id" in told
    assert "outlink_uid" in told


def test_a_share_link_needs_neither_key_nor_app():
    convostore.open(DSN, **SHARED).close()


@for_each("source", ["", "API", "Api", "nowhere", 1, None])
def test_a_source_that_the_service_does_not_know_is_refused(source):
    assert "'source'" in refused(**OPTIONS, source=source)


@for_each(
    "key", ["fastgpt-secret 4711", "fastgpt-secret\n4711", "fastgpt-秘密4711", " fastgpt-4711"]
)
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(key):
    told = refused(**without("api_key"), api_key=key)
    assert "api_key" in told
    assert "4711" not in told


def test_what_is_misspelt_is_named_with_the_nearest_option():
    assert "api_key" in refused(**without("api_key"), apikey="fastgpt-secret4711")


def test_the_environment_gives_key_and_app(monkeypatch):
    monkeypatch.setenv("CONVOSTORE_FASTGPT_APP_ID", APP)
    monkeypatch.setenv("CONVOSTORE_FASTGPT_API_KEY", KEY)
    service = FastGPTService("4.16")
    service.insert("c")
    with Backend(DSN, service=service.handle).open() as store:
        assert store.get_conversation("c").id == "c"
    assert service.exchanges[0][0].json["appId"] == APP


def test_the_key_is_sent_as_a_bearers():
    adapter = Backend(DSN, options=dict(OPTIONS)).adapter()
    assert adapter.authorization() == f"Bearer {KEY}"
    service = FastGPTService("4.16")
    seen = service.as_seen_with(adapter.authorization())
    assert Backend(DSN, service=seen, options=dict(OPTIONS)).open().check().generation


def test_a_share_link_sends_no_key():
    assert Backend(DSN, options=dict(SHARED)).adapter().authorization() is None


@for_each("prefix", ["", "/", "/api", "/api/", "/api/v1", "/api/v1/"])
def test_a_base_url_may_end_in_what_other_clients_need(prefix):
    adapter = Backend(f"{DSN}{prefix}", options=dict(OPTIONS)).adapter()
    assert adapter.base_url == "http://chat.test"


def test_a_prefix_of_the_servers_own_is_kept():
    adapter = Backend(f"{DSN}/chat/api/v1", options=dict(OPTIONS)).adapter()
    assert adapter.base_url == "http://chat.test/chat"


def test_no_secret_shows_in_what_a_store_calls_itself():
    secrets = {"api_key": "fastgpt-secret1", "share_id": "secret2", "outlink_uid": "secret3"}
    query = "&".join(f"{name}={value}" for name, value in secrets.items())
    with convostore.open(f"{DSN}?app_id={APP}&{query}") as store:
        shown = f"{store!r} {store.label} {store.traits}"
    assert APP in store.label
    assert not [secret for secret in secrets.values() if secret in shown]


def test_a_key_from_the_environment_does_not_go_along_with_a_share_link(monkeypatch):
    monkeypatch.setenv("CONVOSTORE_FASTGPT_API_KEY", KEY)
    adapter = open_adapter(DSN, **SHARED)
    assert adapter.authorization() is None
    assert KEY in set(adapter.secrets())
