"""Conversations as files by the native API: sent while they are read."""

from __future__ import annotations

import asyncio
import email.message
import gc
import io
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import httpx
import pytest

import convostore
from convostore.adapters.memory import MemoryAdapter
from convostore.config import open_adapter
from convostore.errors import UnavailableError
from convostore.formats import reader
from convostore.models import Conversation, Message, Source, TextPart
from convostore_gateway.downloads import disposition, export_all

from .support.gateway import client_of, got, served

STORE = "memory://native-exporting"


@pytest.fixture(scope="module")
def api() -> Iterator[httpx.Client]:
    with convostore.open(STORE) as store:
        for name in ("one", "two", "empty"):
            store.put_conversation(Conversation(id=name, title=f"Chat <{name}>", raw={"a": 1}))
            store.append_messages(name, [] if name == "empty" else list(said(120, name)))
    with served(STORE, viewer=False) as url, client_of(url) as client:
        yield client


def said(number: int, of: str) -> Iterator[Message]:
    for each in range(number):
        yield Message(
            id=f"{each}",
            role="user" if each % 2 == 0 else "assistant",
            parts=(TextPart(text=f"**{of}** {each} \ud800 <script>alert(1)</script> [1]"),),
            sources=(Source(title="a source", url="https://example.org/", mark="1"),),
            raw={"whole": each},
        )


def read(content: bytes) -> dict[str, list[Message]]:
    return {
        entry.conversation_id: list(entry.messages)
        for entry in reader("jsonl")(io.BytesIO(content), None)
    }


@pytest.mark.rim
def test_a_lossless_export_reads_back_as_what_is_stored(api: httpx.Client) -> None:
    exported = read(api.get("/v1/export").content)
    with convostore.open(STORE) as store:
        assert exported == {
            each.id: list(store.messages(each.id)) for each in store.conversations()
        }


@pytest.mark.rim
def test_an_export_is_the_one_that_the_library_writes(api: httpx.Client) -> None:
    for format in ("jsonl", "markdown", "html", "openai"):
        written = io.StringIO()
        with convostore.open(STORE) as store:
            convostore.export_conversations(store, written, format=format)
        answered = api.get("/v1/export", params={"format": format})
        assert answered.content == written.getvalue().encode("utf-8", "replace")


@pytest.mark.rim
def test_one_conversation_is_exported_by_itself(api: httpx.Client) -> None:
    answered = api.get("/v1/conversations/two/export")
    assert list(read(answered.content)) == ["two"]
    assert answered.headers["content-type"] == "application/x-ndjson"


@pytest.mark.rim
def test_raw_is_left_out_where_that_is_asked_for(api: httpx.Client) -> None:
    lines = api.get("/v1/conversations/one/export?raw=false").text.splitlines()
    assert all("raw" not in json.loads(line).get("message", {}) for line in lines)


@pytest.mark.rim
def test_a_page_brings_the_policy_under_which_it_shows(api: httpx.Client) -> None:
    answered = api.get("/v1/conversations/one/export?format=html")
    policy = answered.headers["content-security-policy"]
    assert "script" not in policy
    assert "style-src 'unsafe-inline'" in policy
    assert "<script>" not in answered.text
    assert answered.headers["content-disposition"].startswith("attachment;")


@pytest.mark.rim
def test_what_cannot_be_exported_is_told_before_anything_is_sent(api: httpx.Client) -> None:
    assert api.get("/v1/conversations/none/export").json()["kind"] == "not_found"
    assert "markdown" in api.get("/v1/export?format=pdf").json()["detail"]
    assert api.get("/v1/export?raw=yes").status_code == 400


@pytest.mark.rim
def test_nothing_is_exported_of_an_empty_store() -> None:
    with served("memory://native-exporting-nothing", viewer=False) as url:
        assert read(got(f"{url}/v1/export").content) == {}


@pytest.mark.parametrize(
    ("name", "plain", "full"),
    [
        ("A chat", "A chat.md", "A chat.md"),
        ('quote" and \\ and /', "quote and and.md", "quote and and.md"),
        ("../../etc/passwd", "etc passwd.md", "etc passwd.md"),
        ("Zoë 聊天", "Zoe.md", "Zoë 聊天.md"),
        ("聊天", "conversation.md", "聊天.md"),
        ("a\r\nSet-Cookie: b=c; d", "a Set-Cookie b_c_ d.md", "a Set-Cookie b=c; d.md"),
        ("\x00\u202e\ud800", "conversation.md", "conversation.md"),
        ("", "conversation.md", "conversation.md"),
        ("x" * 300, "x" * 100 + ".md", "x" * 100 + ".md"),
    ],
)
def test_a_file_is_saved_under_a_safe_name(name: str, plain: str, full: str) -> None:
    header = disposition(name, "md")
    assert header.isascii()
    assert header.isprintable()
    assert f'filename="{plain}"' in header
    message = email.message.Message()
    message["content-disposition"] = (
        header.partition(";")[0] + header[header.index("; filename*") :]
    )
    assert message.get_filename() == full


class Failing(MemoryAdapter):
    """Breaks off behind a thousand messages, and has lost one of the conversations."""

    traits = replace(MemoryAdapter.traits, max_page=100)
    pages = 0

    def list_messages(self, conversation_id: str, listing: Any) -> Any:
        self.pages += conversation_id == "broken"
        if self.pages > 10:
            raise UnavailableError("the disk is gone")
        if conversation_id == "gone":
            raise convostore.NotFoundError("it was deleted meanwhile")
        return super().list_messages(conversation_id, listing)


def failing() -> convostore.AsyncConversationStore:
    from convostore.adapters import AdapterOptions
    from convostore.dsn import DSN

    adapter = Failing(DSN.parse("memory://native-exporting-failing"), AdapterOptions())
    return convostore.AsyncConversationStore(adapter, adapter.async_transport())


def seed_failing(*names: str) -> None:
    with convostore.open("memory://native-exporting-failing") as store:
        store.clear_conversations()
        for name in names:
            store.create_conversation(id=name)
            store.append_messages(name, list(said(1500, name)))


@pytest.mark.rim
def test_an_export_that_breaks_off_is_seen_to_be_cut_off() -> None:
    seed_failing("broken")
    with served(failing, viewer=False) as url, pytest.raises(httpx.RemoteProtocolError):
        got(f"{url}/v1/export")


@pytest.mark.rim
def test_what_is_deleted_during_an_export_is_left_out() -> None:
    seed_failing("gone", "there")
    with served(failing, viewer=False) as url:
        assert list(read(got(f"{url}/v1/export").content)) == ["there"]


class Vanishing(MemoryAdapter):
    """A store whose conversation `gone` is deleted once the first page of it was read."""

    def list_messages(self, conversation_id: str, listing: Any) -> Any:
        if conversation_id == "gone" and listing.cursor is not None:
            raise convostore.NotFoundError("it was deleted meanwhile")
        return super().list_messages(conversation_id, listing)


def vanishing() -> convostore.AsyncConversationStore:
    known = open_adapter("memory://native-exporting-failing")
    adapter = Vanishing(known.dsn, known.options)
    return convostore.AsyncConversationStore(adapter, adapter.async_transport())


@pytest.mark.rim
@pytest.mark.parametrize("format", ["jsonl", "openai"])
def test_what_is_deleted_while_it_is_exported_leaves_the_others_readable(format: str) -> None:
    seed_failing("there", "gone", "there too")
    with served(vanishing, viewer=False) as url:
        exported = got(f"{url}/v1/export?format={format}").content
    read = [list(each.messages) for each in reader(format)(io.BytesIO(exported), None)]
    assert len(read) == 3
    assert [len(each) for each in read].count(1500) == 2


async def _endless() -> AsyncIterator[Conversation]:
    number = 0
    while True:
        yield Conversation(id=f"c{number}")
        number += 1


class Endless(convostore.AsyncConversationStore):
    """Has conversations without end, and counts the messages that are held."""

    def conversations(self, **_: Any) -> AsyncIterator[Conversation]:
        return _endless()

    async def messages(self, conversation_id: str, **_: Any) -> AsyncIterator[Message]:
        for each in range(200):
            yield Message(id=f"{each}", role="user", parts=(TextPart(text="x" * 1000),))


def test_an_export_holds_no_more_than_some_messages() -> None:
    async def most_held() -> int:
        adapter = MemoryAdapter(failing()._operations.adapter.dsn, None)
        answer = await export_all(
            Endless(adapter, adapter.async_transport()), format="jsonl", raw=True
        )
        pieces: Any = answer.body_iterator
        most = 0
        async with aclosing(pieces):
            for number in range(30):
                assert len(await anext(pieces)) < 200_000
                if number % 10:
                    continue
                most = max(most, sum(isinstance(each, Message) for each in gc.get_objects()))
        return most

    before = sum(isinstance(each, Message) for each in gc.get_objects())
    assert asyncio.run(most_held()) - before < 300
