"""The native API over loopback: its endpoints, conditional requests, and what it refuses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

import convostore
from convostore.adapters.memory import MemoryAdapter
from convostore.models import Message, TextPart
from convostore.serialization import dump
from convostore_gateway import Limits, Token, create_app

from ..support.gateway import client_of, got, served

pytestmark = pytest.mark.rim

STORE = "echo://native"
_numbers = count()


@pytest.fixture(scope="module")
def api() -> Iterator[httpx.Client]:
    limits = Limits(page=5, id=40, body=100_000)
    with served(STORE, viewer=False, limits=limits) as url, client_of(url) as client:
        yield client


@pytest.fixture
def chat(api: httpx.Client) -> str:
    """The path of a conversation of its own, with three messages."""
    id = f"chat/{next(_numbers)}"
    path = f"/v1/conversations/{quote(id, safe='')}"
    assert api.post("/v1/conversations", json={"id": id, "title": "Chat"}).status_code == 201
    messages = [said(f"m{number}", f"words of {id}") for number in range(3)]
    assert api.post(f"{path}/messages", json={"messages": messages}).status_code == 200
    return path


def said(id: str, text: str, role: str = "user") -> dict[str, Any]:
    return {"id": id, "role": role, "parts": [{"kind": "text", "text": text}]}


def refused(response: httpx.Response, status: int, kind: str) -> str:
    """What an answer tells that is a problem of this kind."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (problem["status"], problem["kind"]) == (status, kind)
    return str(problem["detail"])


def ids(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [each["id"] for each in response.json()["items"]]


def test_it_tells_what_is_served(api: httpx.Client) -> None:
    told = api.get("/v1").json()
    assert told["label"] == STORE
    assert told["max_page"] == 5
    assert {"list_conversations", "stream_reply"} <= set(told["offers"])
    assert "get_run_details" not in told["offers"]
    assert told["traits"]["order"] == "pinned_then_active"


def test_the_folders_of_a_file_are_not_told(tmp_path: Any) -> None:
    with served(f"sqlite:///{tmp_path / 'archive.db'}", viewer=False) as url:
        assert got(f"{url}/v1").json()["label"] == "sqlite:///archive.db"


def test_the_store_is_asked_whether_it_answers(api: httpx.Client) -> None:
    assert api.get("/v1/check").status_code == 200


def test_an_id_may_hold_a_slash(api: httpx.Client, chat: str) -> None:
    assert "%2F" in chat
    assert api.get(chat).json()["title"] == "Chat"
    assert ids(api.get(f"{chat}/messages")) == ["m0", "m1", "m2"]


@pytest.mark.parametrize(
    "id", ["{conversation_id}", "%", "a b", "ü", "..", "\ud800", "?#", "a\x00b", "%2F"]
)
def test_any_id_is_one_segment_of_a_path(api: httpx.Client, id: str) -> None:
    created = api.post(
        "/v1/conversations",
        content=convostore.serialization.to_json({"id": id}),
        headers={"content-type": "application/json"},
    )
    assert created.status_code == 201
    path = f"/v1/conversations/{quote(id, safe='', errors='surrogatepass').replace('.', '%2E')}"
    assert api.get(path).json()["id"] == id
    assert api.delete(path).status_code == 204
    refused(api.get(path), 404, "not_found")


def test_messages_come_page_by_page_from_either_end(api: httpx.Client, chat: str) -> None:
    first = api.get(f"{chat}/messages", params={"limit": 2, "order": "newest_first"})
    assert ids(first) == ["m2", "m1"]
    assert first.json()["total"] == 3
    more = {"limit": 2, "order": "newest_first", "cursor": first.json()["cursor"]}
    second = api.get(f"{chat}/messages", params=more)
    assert ids(second) == ["m0"]
    assert "cursor" not in second.json()


def test_a_cursor_of_another_list_is_refused(api: httpx.Client, chat: str) -> None:
    cursor = api.get(f"{chat}/messages", params={"limit": 2}).json()["cursor"]
    told = refused(api.get("/v1/conversations", params={"cursor": cursor}), 400, "invalid")
    assert "cursor" in told


def test_who_asks_for_more_than_a_page_gets_a_page(api: httpx.Client, chat: str) -> None:
    more = [said(f"x{number}", "more") for number in range(6)]
    api.post(f"{chat}/messages", json={"messages": more})
    for limit in ("500", "9" * 5000, None):
        response = api.get(f"{chat}/messages", params={"limit": limit} if limit else {})
        assert len(ids(response)) == 5


def test_old_conversations_are_listed_and_deleted(api: httpx.Client, chat: str) -> None:
    old = {"id": "old", "created_at": "2001-01-01T00:00:00Z", "updated_at": "2001-01-01T00:00:00Z"}
    assert api.put("/v1/conversations/old", json=old).status_code == 204
    before = {"older_than": "2002-01-01T00:00:00Z"}
    assert ids(api.get("/v1/conversations", params=before)) == ["old"]
    assert api.delete("/v1/conversations", params=before).json() == {"deleted": 1}
    assert api.get(chat).status_code == 200


def test_a_conversation_is_put_renamed_and_pinned(api: httpx.Client, chat: str) -> None:
    assert api.patch(chat, json={"pinned": True}).status_code == 204
    assert api.get(chat).json()["title"] == "Chat"
    assert api.patch(chat, json={"title": None}).status_code == 204
    now = api.get(chat).json()
    assert "title" not in now
    assert now["pinned"] is True
    put = {**now, "title": "Put", "raw": {"a": [None]}}
    assert api.put(chat, json=put).status_code == 204
    kept = put.keys() - {"revision"}
    assert {name: api.get(chat).json()[name] for name in kept} == {name: put[name] for name in kept}


def test_a_conversation_is_put_where_its_id_says(api: httpx.Client, chat: str) -> None:
    told = refused(api.put(chat, json={"id": "another"}), 400, "invalid")
    assert "id" in told


def test_a_message_is_edited_where_its_id_says(api: httpx.Client, chat: str) -> None:
    edit = {"message": said("m1", "edited")}
    assert "id" in refused(api.put(f"{chat}/messages/m0", json=edit), 400, "invalid")
    assert api.put(f"{chat}/messages/m1", json=edit).status_code == 200
    assert api.get(f"{chat}/messages/m1").json()["parts"] == edit["message"]["parts"]


def test_conversations_are_an_owners_or_nobodys_but_not_both(api: httpx.Client, chat: str) -> None:
    assert api.patch(chat, json={"owner": "ann"}).status_code == 204
    id = api.get(chat).json()["id"]

    def found(**owner: str) -> int:
        query = {"q": "words", "conversation_id": id, **owner}
        return len(api.get("/v1/search", params=query).json()["items"])

    assert (found(owner="ann"), found(owner="ben"), found(without_owner="true")) == (3, 0, 0)
    assert ids(api.get("/v1/conversations", params={"owner": "ann"})) == [id]
    both = {"owner": "ann", "without_owner": "true"}
    assert "owner" in refused(api.delete("/v1/conversations", params=both), 400, "invalid")
    assert api.delete("/v1/conversations", params={"owner": "ann"}).json() == {"deleted": 1}


def test_a_fork_is_a_conversation_of_its_own(api: httpx.Client, chat: str) -> None:
    fork = api.post(f"{chat}/fork", json={"message_id": "m1", "title": None})
    assert fork.status_code == 201
    assert "title" not in fork.json()
    assert ids(api.get(f"/v1/conversations/{fork.json()['id']}/messages")) == ["m0", "m1"]
    assert api.post(f"{chat}/fork", json={"message_id": "m1"}).json()["title"] == "Chat"


def test_messages_are_appended_behind_the_one_that_is_named(api: httpx.Client, chat: str) -> None:
    one = {"messages": [said("n", "new")]}
    refused(api.post(f"{chat}/messages", json={**one, "after": None}), 409, "conflict")
    refused(api.post(f"{chat}/messages", json={**one, "after": "m1"}), 409, "conflict")
    assert ids(api.post(f"{chat}/messages", json={**one, "after": "m2"})) == ["n"]
    assert ids(api.post(f"{chat}/messages", json=one)) == ["n"]
    assert len(ids(api.get(f"{chat}/messages"))) == 4


def test_messages_are_replaced_behind_the_one_that_is_named(api: httpx.Client, chat: str) -> None:
    body = {"messages": [said("n", "new")], "after": "m0"}
    assert ids(api.put(f"{chat}/messages", json=body)) == ["n"]
    assert ids(api.get(f"{chat}/messages")) == ["m0", "n"]
    assert api.put(f"{chat}/messages", json={**body, "after": None}).status_code == 200
    assert ids(api.get(f"{chat}/messages")) == ["n"]


def test_a_message_is_rated_and_deleted(api: httpx.Client, chat: str) -> None:
    answer = {"messages": [said("a", "an answer", "assistant")]}
    api.post(f"{chat}/messages", json=answer)
    rated = {"rating": "bad", "comment": "no"}
    assert api.put(f"{chat}/messages/a/feedback", json=rated).status_code == 204
    assert api.get(f"{chat}/messages").json()["items"][-1]["feedback"] == rated
    unrated = api.put(
        f"{chat}/messages/a/feedback",
        content="null",
        headers={"content-type": "application/json"},
    )
    assert unrated.status_code == 204
    assert "feedback" not in api.get(f"{chat}/messages").json()["items"][-1]
    assert api.delete(f"{chat}/messages/a").json() == {"deleted": True}
    assert api.delete(f"{chat}/messages/a").json() == {"deleted": False}
    assert ids(api.get(f"{chat}/messages")) == ["m0", "m1", "m2"]


def test_what_was_said_is_found(api: httpx.Client, chat: str) -> None:
    id = api.get(chat).json()["id"]
    query = {"q": "words", "conversation_id": id, "role": "user", "limit": 2}
    found = api.get("/v1/search", params=query).json()
    assert [hit["message"]["id"] for hit in found["items"]] == ["m2", "m1"]
    assert found["items"][0]["snippet"]["marks"] == [[0, 5]]
    rest = api.get("/v1/search", params={**query, "cursor": found["cursor"]}).json()
    assert [hit["message"]["id"] for hit in rest["items"]] == ["m0"]


def test_questions_are_suggested(api: httpx.Client, chat: str) -> None:
    assert all(
        isinstance(each, str) for each in api.get(f"{chat}/suggested-questions").json()["items"]
    )


def test_clearing_takes_every_conversation() -> None:
    with served("memory://cleared", viewer=False) as url, client_of(url) as api:
        api.post("/v1/conversations", json={"id": "a"})
        assert api.post("/v1/clear").status_code == 204
        assert ids(api.get("/v1/conversations")) == []


@pytest.mark.parametrize("below", ["/v1/conversations", "{chat}", "{chat}/messages"])
def test_what_is_known_is_not_sent_again(api: httpx.Client, chat: str, below: str) -> None:
    path = below.format(chat=chat)
    answer = api.get(path)
    tag = answer.headers["etag"]
    assert tag.startswith('"')
    assert answer.headers["vary"].lower() == "authorization"
    assert "private" in answer.headers["cache-control"]
    for told in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = api.get(path, headers={"if-none-match": told})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    for told in ('"other"', '"*"', f'"x{tag[1:]}', tag.strip('"'), ""):
        assert api.get(path, headers={"if-none-match": told}).status_code == 200
    api.patch(chat, json={"title": "Renamed"})
    api.post(f"{chat}/messages", json={"messages": [said("later", "x")]})
    changed = api.get(path, headers={"if-none-match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_head_is_answered_as_get_without_a_body(api: httpx.Client, chat: str) -> None:
    got, head = api.get(chat), api.head(chat)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]
    assert head.headers["etag"] == got.headers["etag"]
    assert api.head("/v1/conversations/none").status_code == 404


def test_the_templates_own_text_is_an_id_as_any(api: httpx.Client) -> None:
    path = b"/v1/conversations/{conversation_id}"
    url = api.base_url.copy_with(raw_path=path)
    assert "'{conversation_id}'" in refused(api.get(url), 404, "not_found")


def test_what_is_not_there_is_told_by_its_id(api: httpx.Client) -> None:
    assert "'none'" in refused(api.get("/v1/conversations/none"), 404, "not_found")
    refused(api.get("/v1/conversations/none/messages"), 404, "not_found")
    assert api.delete("/v1/conversations/none").status_code == 204


@pytest.mark.parametrize(
    "path", ["/v1/", "/v1/nothing", "/v1/conversations/a/b", "/v1/conversations/a/messages/b/c"]
)
def test_an_unknown_path_is_refused(api: httpx.Client, path: str) -> None:
    assert "openapi.json" in refused(api.get(path), 404, "invalid")


def test_an_unknown_method_is_refused_with_those_that_there_are(api: httpx.Client) -> None:
    response = api.put("/v1/conversations")
    refused(response, 405, "invalid")
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD", "POST", "DELETE"}
    refused(api.post("/v1/openapi.json"), 405, "invalid")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("limt=5", "did you mean 'limit'?"),
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=five", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit"),
        ("older_than=2026-01-01", "older_than"),
        ("older_than=0", "older_than"),
        ("cursor=%FF", "UTF-8"),
        ("cursor=nonsense", "cursor"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(api: httpx.Client, query: str, told: str) -> None:
    assert told in refused(api.get(f"/v1/conversations?{query}"), 400, "invalid")


def test_a_parameter_that_is_needed_is_asked_for(api: httpx.Client) -> None:
    assert "older_than" in refused(api.delete("/v1/conversations"), 400, "invalid")
    assert "'q'" in refused(api.get("/v1/search"), 400, "invalid")


def test_a_wrong_word_is_answered_with_the_right_ones(api: httpx.Client, chat: str) -> None:
    told = refused(api.get(f"{chat}/messages?order=backwards"), 400, "invalid")
    assert "newest_first" in told


def test_a_wrong_body_is_refused_by_the_name_of_its_field(api: httpx.Client) -> None:
    told = refused(api.post("/v1/conversations", json={"titel": "x"}), 400, "invalid")
    assert "'titel'" in told
    assert "'title'" in told
    assert "body" in refused(api.post("/v1/conversations"), 400, "invalid")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("{}/messages", {"after": "", "messages": []}),
        ("{}/messages", {"messages": [{"id": "", "role": "user", "parts": []}]}),
        ("/v1/conversations", {"id": ""}),
    ],
)
def test_an_empty_id_in_a_body_is_refused(
    api: httpx.Client, chat: str, path: str, body: dict[str, Any]
) -> None:
    before = ids(api.get(f"{chat}/messages"))
    refused(api.post(path.format(chat), json=body), 400, "invalid")
    assert ids(api.get(f"{chat}/messages")) == before


def test_a_body_of_another_media_type_is_refused(api: httpx.Client) -> None:
    form = api.post("/v1/conversations", data={"title": "x"})
    assert "application/json" in refused(form, 415, "invalid")


def test_a_body_out_of_bounds_is_refused(api: httpx.Client) -> None:
    refused(api.post("/v1/conversations", json={"title": "x" * 100_000}), 413, "invalid")


@pytest.mark.parametrize("place", ["path", "body", "message", "query"])
def test_an_id_out_of_bounds_is_refused(api: httpx.Client, chat: str, place: str) -> None:
    long = "x" * 41
    response = {
        "path": lambda: api.get(f"/v1/conversations/{long}"),
        "body": lambda: api.post("/v1/conversations", json={"id": long}),
        "message": lambda: api.post(f"{chat}/messages", json={"messages": [said(long, "x")]}),
        "query": lambda: api.get(f"/v1/search?q=x&conversation_id={long}"),
    }[place]()
    assert "40" in refused(response, 400, "invalid")


@pytest.mark.parametrize("id", ["%FF", "%80a", "%ED%A0"])
def test_an_id_that_is_no_text_is_refused(api: httpx.Client, id: str) -> None:
    refused(api.get(f"/v1/conversations/{id}"), 400, "invalid")


def test_what_the_store_does_not_offer_is_told(api: httpx.Client, chat: str) -> None:
    response = api.get(f"{chat}/messages/m0/run-details")
    refused(response, 501, "unsupported")
    assert response.json()["operation"] == "get_run_details"


def test_answers_tell_the_browser_to_keep_them_in_their_place(api: httpx.Client) -> None:
    headers = api.get("/v1/conversations").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "private, no-cache"
    assert api.get("/v1").headers["cache-control"] == "private, no-store"


READER, WRITER = "a-token-that-reads", "a-token-that-writes"
TOKENS = (
    Token(value=SecretStr(READER), name="reader", rights="read"),
    Token(value=SecretStr(WRITER), name="writer", namespace="other"),
)


@pytest.fixture(scope="module")
def guarded() -> Iterator[httpx.Client]:
    targets = {"": "memory://guarded", "other": "memory://guarded-other"}
    with (
        served(targets, tokens=TOKENS, viewer=False) as url,
        client_of(url) as client,
    ):
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("not-the-right-token"),
        {"authorization": "Bearer"},
        {"authorization": f"Basic {READER}"},
    ],
)
def test_without_a_token_nothing_is_told(guarded: httpx.Client, headers: dict[str, str]) -> None:
    response = guarded.get("/v1/conversations", headers=headers)
    refused(response, 401, "auth")
    assert response.headers["www-authenticate"] == "Bearer"


def test_a_reader_may_not_write(guarded: httpx.Client) -> None:
    told = guarded.get("/v1", headers=bearer(READER)).json()
    assert "create_conversation" not in told["offers"]
    assert guarded.get("/v1/conversations", headers=bearer(READER)).status_code == 200
    refused(guarded.post("/v1/conversations", headers=bearer(READER), json={}), 403, "forbidden")
    refused(guarded.post("/v1/clear", headers=bearer(READER)), 403, "forbidden")


def test_a_token_reaches_its_own_namespace(guarded: httpx.Client) -> None:
    guarded.post("/v1/conversations", headers=bearer(WRITER), json={"id": "of-other"})
    assert ids(guarded.get("/v1/conversations", headers=bearer(WRITER))) == ["of-other"]
    assert ids(guarded.get("/v1/conversations", headers=bearer(READER))) == []


class Failing(MemoryAdapter):
    """Fails as no adapter should, with what is nobody's business in its words."""

    def list_conversations(self, listing: Any) -> Any:
        raise RuntimeError("secret at /home/secret/file.db")

    def get_conversation(self, conversation_id: str) -> Any:
        raise convostore.UnavailableError(
            "postgresql://u:secret@host is not there", retry_after=2.5, detail="/srv/secret/x"
        )

    def check(self) -> Any:
        raise convostore.AuthError("the key secret is refused")


def failing() -> convostore.AsyncConversationStore:
    from convostore.adapters import AdapterOptions
    from convostore.dsn import DSN

    adapter = Failing(DSN.parse("memory://failing"), AdapterOptions())
    return convostore.AsyncConversationStore(adapter, adapter.async_transport())


def test_a_failure_tells_nothing_of_what_is_inside(caplog: pytest.LogCaptureFixture) -> None:
    with served(failing, viewer=False) as url, client_of(url) as api:
        answers = [api.get("/v1/conversations"), api.get("/v1/conversations/x")]
        answers.append(api.get("/v1/check"))
    refused(answers[0], 500, "failed")
    refused(answers[1], 503, "unavailable")
    assert answers[1].headers["retry-after"] == "3"
    refused(answers[2], 502, "auth")
    assert "www-authenticate" not in answers[2].headers
    assert "secret" not in "".join(each.text for each in answers) + caplog.text
    assert "RuntimeError" in caplog.text


def test_what_was_stored_is_what_is_answered(tmp_path: Any) -> None:
    target = f"sqlite:///{tmp_path / 'store.db'}"
    message = Message(role="user", parts=(TextPart(text="lone \ud800"),), raw={"a": "\ud800"})
    with convostore.open(target) as store:
        store.create_conversation(id="x")
        store.append_messages("x", [message])
    with served(target, viewer=False) as url:
        (answered,) = got(f"{url}/v1/conversations/x/messages").json()["items"]
    assert {name: answered[name] for name in dump(message)} == dump(message)


def test_large_messages_are_taken_and_answered() -> None:
    messages = [said(f"m{number}", "\u00e9 " * 100_000) for number in range(3)]
    with served("memory://native-large", viewer=False) as url, client_of(url) as api:
        api.post("/v1/conversations", json={"id": "x"})
        appended = api.post("/v1/conversations/x/messages", json={"messages": messages})
        listed = api.get("/v1/conversations/x/messages?limit=2")
    assert [each["parts"] for each in appended.json()["items"]] == [m["parts"] for m in messages]
    assert listed.json()["items"] == appended.json()["items"][:2]
    assert listed.json()["total"] == 3


def test_a_body_that_does_not_arrive_is_given_up() -> None:
    async def answered() -> Any:
        store = convostore.aopen("memory://native-slow")
        gateway = create_app(store, open_access=True, viewer=False, limits=Limits(arrival=0.01))
        path = "/v1/conversations"
        scope = {
            "type": "http", "method": "POST", "path": path, "raw_path": path.encode(),
            "query_string": b"", "headers": [(b"content-type", b"application/json")],
        }  # fmt: skip
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        await gateway(scope, asyncio.Event().wait, send)
        return sent[0]["status"], json.loads(sent[1]["body"])["kind"]

    assert asyncio.run(answered()) == (408, "invalid")


def test_it_may_be_mounted_in_another_application() -> None:
    gateway = create_app(
        convostore.aopen("memory://native-mounted"), open_access=True, viewer=False
    )
    with TestClient(Starlette(routes=[Mount("/gateway", gateway)])) as client:
        path = "/gateway/v1/conversations"
        assert client.post(path, json={"id": "a/b"}).status_code == 201
        assert client.get(f"{path}/a%2Fb").json()["id"] == "a/b"
        document = client.get("/gateway/v1/openapi.json").json()
        assert document["servers"] == [{"url": "/gateway"}]
