"""What each request of `/api/chats` is answered; how rows look is `test_rendering`'s."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from tests.support.cases import for_each

import convostore
from convostore.adapters.memory import MemoryAdapter
from convostore.config import open_adapter
from convostore.dialects import IncomingRequest
from convostore.errors import (
    AuthError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    ProtocolError,
    RateLimitError,
    UnavailableError,
    UnsupportedError,
)
from convostore.models import Conversation, FilePart, Message, Source, TextPart, Transcript
from convostore.parsing import decode_json
from convostore.plugins import dialects
from convostore.store import AsyncConversationStore
from convostore.testing.samples import BEYOND_UTF8, HOSTILE_TEXTS, dialogue, numbered_conversations
from convostore_perplexica.schema.chats import read_messages
from convostore_perplexica.server.dialect import PerplexicaDialect

from ..support.answering import DIALECT, answers, make_request

JSON_TYPE = "application/json; charset=utf-8"
ABSENT = b'{"message":"Chat not found"}'
DELETED = b'{"message":"Chat deleted successfully"}'
FAILED = b'{"message":"An error has occurred."}'

DOCUMENTED = Transcript(
    conversation_id="5a31859e83d0e45b6c5ba063091ff9403ed9eb3b",
    conversation=Conversation(
        id="5a31859e83d0e45b6c5ba063091ff9403ed9eb3b",
        title="when is the first day of Kapiolani cummunity college",
        created_at=datetime(2024, 12, 7, 9, 35, 59, tzinfo=UTC),
    ),
    messages=(
        Message(
            id="5b61edf4bc179e",
            role="user",
            parts=(TextPart(text="when is the first day of Kapiolani cummunity college"),),
            created_at=datetime(2024, 12, 7, 9, 35, 59, 119000, tzinfo=UTC),
        ),
        Message(
            id="32fcbbf251337c",
            role="assistant",
            parts=(TextPart(text="September 2[9]. The first day of instruction[11]."),),
            created_at=datetime(2024, 12, 7, 9, 36, 4, 371000, tzinfo=UTC),
            sources=(
                Source(
                    title="Academic Calendar | Kapi'olani Community College",
                    url="https://www.kapiolani.hawaii.edu/classes/academic-calendar/",
                    content="Last day to register",
                    mark="1",
                ),
            ),
        ),
    ),
)
"""What the public document of the service prints, so far as it prints it."""


def chat(conversation_id, *texts):
    return dialogue(conversation_id, texts or ("q", "a"))


def the_answer(request, *transcripts):
    (answer,) = answers(request, transcripts=transcripts)
    return answer


class Failing(MemoryAdapter):
    """A store in which reading and deleting end in an error."""

    error = UnavailableError("the disk /srv/secret is gone")

    def list_conversations(self, listing):
        raise self.error

    def get_conversation(self, conversation_id):
        raise self.error

    def delete_conversation(self, conversation_id):
        raise self.error


def opened(kind, **fields):
    adapter = type(kind.__name__, (kind,), fields)(*_made())
    return AsyncConversationStore(adapter, adapter.async_transport())


def _made():
    plain = open_adapter("memory://")
    return plain.dsn, plain.options


# Addresses


def test_the_plugin_brings_the_dialect_of_its_scheme():
    found, _ = dialects()
    assert found["perplexica"] is PerplexicaDialect


@for_each("path", ["/api/chats", "/api/chats/", "/api/chats/x", "/api/chats/a/b"])
@for_each("method", ["GET", "DELETE", "POST", "BREW"])
def test_all_below_the_list_is_served(method, path):
    assert DIALECT.serves(make_request(method, path))


@for_each(
    "path", ["/", "/api", "/api/chat", "/api/chatsy", "/api/chats%2Fx", "/v1/api/chats", "/x"]
)
def test_what_stands_beside_the_list_is_not_served(path):
    assert not DIALECT.serves(make_request("GET", path))


# Reading


def test_the_documented_example_is_answered_as_it_was_printed():
    listed, got = answers(
        make_request("GET", "/api/chats"),
        make_request("GET", f"/api/chats/{DOCUMENTED.conversation_id}"),
        transcripts=[DOCUMENTED],
    )
    chat = (
        '{"id":"5a31859e83d0e45b6c5ba063091ff9403ed9eb3b",'
        '"title":"when is the first day of Kapiolani cummunity college",'
        '"createdAt":"Sat Dec 07 2024 09:35:59 GMT+0000 (Coordinated Universal Time)",'
        '"focusMode":"webSearch","files":[]}'
    )
    assert listed.text == '{"chats":[' + chat + "]}"
    assert got.text == (
        '{"chat":' + chat + ',"messages":['
        '{"id":1,"content":"when is the first day of Kapiolani cummunity college",'
        '"chatId":"5a31859e83d0e45b6c5ba063091ff9403ed9eb3b","messageId":"5b61edf4bc179e",'
        '"role":"user","metadata":"{\\"createdAt\\":\\"2024-12-07T09:35:59.119Z\\"}"},'
        '{"id":2,"content":"September 2[9]. The first day of instruction[11].",'
        '"chatId":"5a31859e83d0e45b6c5ba063091ff9403ed9eb3b","messageId":"32fcbbf251337c",'
        '"role":"assistant","metadata":"{\\"createdAt\\":\\"2024-12-07T09:36:04.371Z\\",'
        '\\"sources\\":[{\\"pageContent\\":\\"Last day to register\\",\\"metadata\\":{'
        '\\"title\\":\\"Academic Calendar | Kapi\'olani Community College\\",'
        '\\"url\\":\\"https://www.kapiolani.hawaii.edu/classes/academic-calendar/\\"}}]}"}]}'
    )
    assert listed.status == got.status == 200


def test_an_empty_store_is_an_empty_list():
    answer = the_answer(make_request("GET", "/api/chats"))
    assert (answer.status, answer.content) == (200, b'{"chats":[]}')


def test_a_list_of_several_pages_comes_whole_and_in_the_stores_order():
    target = "memory://chats-of-several-pages"
    store = convostore.aopen(target)
    (answer,) = answers(
        make_request("GET", "/api/chats"),
        transcripts=numbered_conversations(205, messages=1),
        store=store,
    )
    with convostore.open(target) as same:
        expected = [conversation.id for conversation in same.conversations()]
    assert [chat["id"] for chat in answer.json()["chats"]] == expected
    assert len(expected) == 205


def test_a_chat_of_several_pages_comes_whole_and_its_rows_are_numbered():
    texts = [f"text {number}" for number in range(230)]
    rows = the_answer(make_request("GET", "/api/chats/c"), chat("c", *texts)).json()["messages"]
    assert [row["content"] for row in rows] == texts
    assert [row["id"] for row in rows] == list(range(1, 231))
    assert {row["chatId"] for row in rows} == {"c"}


def test_a_chat_of_half_a_megabyte_is_answered_like_a_small_one():
    texts = [f"{number} " + "x" * 5000 for number in range(100)]
    get, head = make_request("GET", "/api/chats/c"), make_request("HEAD", "/api/chats/c")
    got, told = answers(get, head, transcripts=[chat("c", *texts)])
    assert [row["content"] for row in got.json()["messages"]] == texts
    assert len(got.content) > 500_000
    assert (told.headers, told.content) == (got.headers, b"")


def test_a_chat_without_messages_has_an_empty_list():
    empty = Transcript(conversation_id="c", conversation=Conversation(id="c"))
    assert the_answer(make_request("GET", "/api/chats/c"), empty).json()["messages"] == []


@for_each("path", ["/api/chats", "/api/chats/c"])
def test_a_query_makes_no_difference(path):
    queried = IncomingRequest("GET", path, query=(("limit", "1"), ("offset", "5")))
    plain, answer = answers(make_request("GET", path), queried, transcripts=[chat("c"), chat("d")])
    assert plain == answer


@for_each("path", ["/api/chats", "/api/chats/c"])
def test_a_trailing_slash_makes_no_difference(path):
    plain, slashed = answers(
        make_request("GET", path), make_request("GET", f"{path}/"), transcripts=[chat("c")]
    )
    assert plain == slashed
    assert plain.status == 200


@for_each("method", ["GET", "HEAD", "DELETE"])
@for_each("chat_id", ["absent", "C", "%00", "x" * 4000])
def test_an_absent_chat_is_not_found(method, chat_id):
    answer = the_answer(make_request(method, f"/api/chats/{chat_id}"), chat("c"))
    assert (answer.status, answer.headers["content-type"]) == (404, JSON_TYPE)
    assert answer.content == (b"" if method == "HEAD" else ABSENT)


@for_each(
    "chat_id, segment",
    [
        ("id with space", "id%20with%20space"),
        ("a/b", "a%2Fb"),
        ("聊天-1", "%E8%81%8A%E5%A4%A9-1"),
        ("x?y#z", "x%3Fy%23z"),
        ("100%41", "100%2541"),
        ("a+b&c=d", "a%2Bb%26c%3Dd"),
        ("a+b", "a+b"),
        ("..", "%2E%2E"),
    ],
)
def test_an_id_is_decoded_once(chat_id, segment):
    got, deleted, after = answers(
        make_request("GET", f"/api/chats/{segment}"),
        make_request("DELETE", f"/api/chats/{segment}"),
        make_request("GET", "/api/chats"),
        transcripts=[chat(chat_id), chat("another")],
    )
    assert got.json()["chat"]["id"] == chat_id
    assert deleted.content == DELETED
    assert [item["id"] for item in after.json()["chats"]] == ["another"]


def test_head_tells_what_get_would_answer_and_brings_no_body():
    for path in ("/api/chats", "/api/chats/c", "/api/chats/absent", "/api/chats/a/b"):
        got, head = answers(
            make_request("GET", path), make_request("HEAD", path), transcripts=[chat("c")]
        )
        assert (head.status, head.content) == (got.status, b"")
        assert head.headers == got.headers or path == "/api/chats/a/b"  # its page names the method
        assert int(got.headers["content-length"]) == len(got.content)


# Deleting


def test_a_chat_is_deleted_once():
    delete = make_request("DELETE", "/api/chats/c")
    first, got, second = answers(
        delete, make_request("GET", "/api/chats/c"), delete, transcripts=[chat("c")]
    )
    assert (first.status, first.content) == (200, DELETED)
    assert (got.status, got.content) == (404, ABSENT)
    assert (second.status, second.content) == (404, ABSENT)


@for_each("path", ["/api/chats", "/api/chats/", "/api/chats//", "/api/chats///"])
def test_deleting_without_an_id_deletes_nothing(path):
    refused, after = answers(
        make_request("DELETE", path),
        make_request("GET", "/api/chats"),
        transcripts=[chat("c"), chat("d")],
    )
    assert (refused.status, refused.media_type) == (404, "text/html")
    assert len(after.json()["chats"]) == 2


def test_a_chat_that_cannot_be_read_can_be_deleted():
    class Unreadable(MemoryAdapter):
        def get_conversation(self, conversation_id):
            raise ProtocolError("its row is broken")

    got, deleted, after = answers(
        make_request("GET", "/api/chats/c"),
        make_request("DELETE", "/api/chats/c"),
        make_request("GET", "/api/chats"),
        transcripts=[chat("c")],
        store=opened(Unreadable),
    )
    assert (got.status, got.content) == (500, FAILED)
    assert deleted.content == DELETED
    assert after.json() == {"chats": []}


def test_a_store_that_cannot_delete_answers_as_the_releases_that_could_not():
    store = opened(MemoryAdapter)
    store._operations.adapter.offers -= {"delete_conversation"}
    refused, after = answers(
        make_request("DELETE", "/api/chats/c"),
        make_request("GET", "/api/chats"),
        transcripts=[chat("c")],
        store=store,
    )
    assert (refused.status, refused.media_type) == (404, "text/html")
    assert "Cannot DELETE /api/chats/c" in refused.text
    assert len(after.json()["chats"]) == 1


# Addresses and methods that are none


@for_each(
    "method, path, length",
    [
        ("GET", "/api/chats/a/b", None),
        ("POST", "/api/chats", 149),
        ("DELETE", "/api/chats", 151),
        ("PUT", "/api/chats/448c8db8fde4ed15400d4ca0402c88e2c6921242", 189),
        ("PATCH", "/api/chats/448c8db8fde4ed15400d4ca0402c88e2c6921242", 191),
    ],
)
def test_an_unknown_route_is_a_page_as_long_as_the_real_one(method, path, length):
    answer = the_answer(make_request(method, path), chat("c"))
    assert answer.status == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == "default-src 'none'"
    assert f"<pre>Cannot {method} {path}</pre>" in answer.text
    assert length in (None, len(answer.content))


def test_markup_in_an_address_stays_text():
    answer = the_answer(make_request("GET", "/api/chats/a/<script>alert(1)</script>"))
    assert "<script>" not in answer.text
    assert "&lt;script&gt;" in answer.text


@for_each("segment", ["%E0%A4%A", "%FF%FE", "%", "100%", "%zz", "%ED%A0%80", "%2"])
@for_each("method", ["GET", "DELETE", "PUT"])
def test_an_address_that_cannot_be_decoded_is_a_page_without_a_trace(method, segment):
    answer = the_answer(make_request(method, f"/api/chats/{segment}"), chat("c"))
    assert (answer.status, answer.media_type) == (400, "text/html")
    assert "<pre>Bad Request</pre>" in answer.text


@for_each("path", ["/api/chats", "/api/chats/c"])
def test_options_are_told_without_a_body(path):
    answer = the_answer(make_request("OPTIONS", path))
    assert (answer.status, answer.content) == (204, b"")
    assert answer.headers == {"allow": "GET, HEAD, DELETE"}


# Validators: the values are those that the real program sent


@for_each(
    "request_, etag",
    [
        (make_request("GET", "/api/chats/absent"), 'W/"1c-MnWfsNAbGDZBlv4BOHSoGjZbYy4"'),
        (make_request("DELETE", "/api/chats/c"), 'W/"27-R5ELV4ttr5rdQTidtb57iztVjOU"'),
    ],
)
def test_the_etag_is_that_of_the_real_program(request_, etag):
    assert the_answer(request_, chat("c")).headers["etag"] == etag


@for_each("path", ["/api/chats", "/api/chats/c"])
@for_each("method", ["GET", "HEAD"])
@for_each("form", ["{}", "*", '"x", {}', '{},"y"', "strong"])
def test_what_has_not_changed_is_not_sent_again(path, method, form):
    etag = the_answer(make_request("GET", path), chat("c")).headers["etag"]
    named = etag.removeprefix("W/") if form == "strong" else form.format(etag)
    answer = the_answer(make_request(method, path, if_none_match=named), chat("c"))
    assert (answer.status, answer.content) == (304, b"")
    assert answer.headers == {"etag": etag, "cache-control": "private, no-cache"}


def test_what_has_changed_is_sent():
    etag = the_answer(make_request("GET", "/api/chats/c"), chat("c", "q")).headers["etag"]
    answer = the_answer(
        make_request("GET", "/api/chats/c", if_none_match=etag), chat("c", "q", "a")
    )
    assert answer.status == 200
    assert len(answer.json()["messages"]) == 2


@for_each("named", ["", "x", 'W/""'])
def test_another_validator_gets_the_whole_answer(named):
    answer = the_answer(make_request("GET", "/api/chats", if_none_match=named), chat("c"))
    assert answer.status == 200


def test_a_client_may_insist_on_a_new_answer():
    etag = the_answer(make_request("GET", "/api/chats"), chat("c")).headers["etag"]
    request = make_request(
        "GET", "/api/chats", if_none_match=etag, cache_control="max-age=0, no-cache"
    )
    assert the_answer(request, chat("c")).status == 200


def test_an_absent_chat_and_a_deletion_are_never_unchanged():
    absent, deleted = answers(
        make_request("GET", "/api/chats/absent", if_none_match="*"),
        make_request("DELETE", "/api/chats/c", if_none_match="*"),
        transcripts=[chat("c")],
    )
    assert (absent.status, deleted.status) == (404, 200)


# Failures


@for_each(
    "error",
    [
        UnavailableError("the disk /srv/secret is gone"),
        RateLimitError("wait", retry_after=5),
        ProtocolError("nonsense", excerpt="/srv/secret"),
        AuthError("the backend refused its key"),
    ],
)
def test_a_failure_inside_tells_nothing_of_it(error):
    requests = [
        make_request("GET", "/api/chats"),
        make_request("GET", "/api/chats/c"),
        make_request("DELETE", "/api/chats/c"),
    ]
    for answer in answers(*requests, store=opened(Failing, error=error)):
        assert (answer.status, answer.content) == (500, FAILED)
        assert answer.headers["content-type"] == JSON_TYPE
        assert "www-authenticate" not in answer.headers


@for_each(
    "error, status, challenge",
    [
        (AuthError("sesame-4711 is no token"), 401, "Bearer"),
        (ForbiddenError("sesame-4711 may only read"), 403, 'Bearer error="insufficient_scope"'),
        (ForbiddenError("only read", adapter="memory"), 403, 'Bearer error="insufficient_scope"'),
        (InvalidError("the id sesame-4711 is too long"), 400, None),
        (NotFoundError("no namespace sesame-4711"), 404, None),
    ],
)
def test_what_is_refused_before_the_store_is_told_in_the_services_style(error, status, challenge):
    answer = DIALECT.failed(make_request("GET", "/api/chats"), error)
    assert answer.status == status
    assert answer.headers.get("www-authenticate") == challenge
    assert list(answer.json()) == ["message"]
    assert "sesame-4711" not in answer.text


def test_what_is_refused_to_head_has_no_body():
    answer = DIALECT.failed(make_request("HEAD", "/api/chats"), AuthError("no token"))
    assert (answer.status, answer.content) == (401, b"")


def test_what_is_not_offered_is_an_unknown_route():
    answer = DIALECT.failed(make_request("DELETE", "/api/chats/c"), UnsupportedError("no"))
    assert (answer.status, answer.media_type) == (404, "text/html")


@for_each(
    "header, credentials",
    [("Bearer sesame", ("sesame",)), ("bearer  x", ("x",)), ("Basic eA==", ()), ("", ())],
)
def test_the_token_is_what_follows_bearer(header, credentials):
    assert (
        DIALECT.credentials(make_request("GET", "/api/chats", authorization=header)) == credentials
    )


def test_texts_that_break_others_are_valid_json_and_come_back():
    texts = [*HOSTILE_TEXTS, *BEYOND_UTF8, "9" * 5000]
    got = the_answer(
        make_request("GET", "/api/chats/c"), dialogue("c", texts, title="\ud800\u2028\x00")
    )
    body = decode_json(got.content.decode("utf-8", "strict"))
    assert [message.text for message in read_messages(body)] == texts
    assert body["chat"]["title"] == "\ud800\u2028\x00"


@pytest.mark.rim
def test_who_opens_a_store_does_not_load_the_dialect():
    look = "import sys, convostore; convostore.open('perplexica+http://x.test').close(); "
    look += "print([name for name in sys.modules if 'dialect' in name or 'express' in name])"
    looked = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, check=True
    )
    assert looked.stdout.strip() == "[]"


def test_files_of_a_chat_are_listed_with_it():
    given = Conversation(
        id="c", files=(FilePart(name="笔记.txt", url="file_id://0f1e2d3c4b5a69788796a5b4c3d2e1f0"),)
    )
    transcripts = Transcript(conversation_id="c", conversation=given)
    listed, got = answers(
        make_request("GET", "/api/chats"),
        make_request("GET", "/api/chats/c"),
        transcripts=[transcripts],
    )
    files = [{"name": "笔记.txt", "fileId": "0f1e2d3c4b5a69788796a5b4c3d2e1f0"}]
    assert listed.json()["chats"][0]["files"] == got.json()["chat"]["files"] == files
