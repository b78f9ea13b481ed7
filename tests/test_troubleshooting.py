"""The page on troubleshooting: each message that it shows is one that users see."""

import asyncio
import datetime as dt
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import convostore
from convostore import Message
from convostore.cli import NEEDS
from convostore.cli._plugins import missing_plugin
from convostore.http import Response
from convostore.plugins import _unknown
from convostore.testing.loopback import serve

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "how-to" / "troubleshooting.md"
SHOWN = re.findall(r"^```text\n(.*)\n```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
SERVICE = "http://localhost:3000"


def said(call: Callable[[], object]) -> str:
    with pytest.raises((convostore.StoreError, TypeError)) as caught:
        call()
    return str(caught.value)


def listed(target: str, **options: object) -> str:
    with convostore.open(target, **options) as store:
        return said(store.list_conversations)


def messages_of_addresses() -> Iterator[str]:
    yield said(lambda: convostore.open("chats.db"))
    yield said(lambda: convostore.open("sqlite://chats.db"))
    yield said(lambda: convostore.open("sqlite:///x.db", timout=1))
    key = "fastgpt+http://localhost:3001?app_id=65f000000000000000000010"
    yield said(lambda: convostore.open(key))
    yield str(_unknown("sqlite"))
    yield NEEDS.format("typer")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("convostore.plugins.installed", lambda: ())
        yield str(missing_plugin("serve"))


def messages_of_services() -> Iterator[str]:
    page = Response(200, {"content-type": "text/html"}, b"<h1>Sign in</h1>")
    refusal = Response(401, {"content-type": "application/json"}, b"{}")
    with serve(lambda request: refusal if "/v1/" in request.path else page) as url:
        host = url.removeprefix("http://")
        yield listed(f"perplexica://{host}").replace(url, SERVICE).replace(host, SERVICE[7:])
        yield listed(f"perplexica+http://{host}")
        yield listed(f"gateway+http://{host}", token="a-token-of-no-use")
    yield listed(f"perplexica+http://{host}", retries=0).replace(url, SERVICE)


def messages_of_files() -> Iterator[str]:
    yield listed("sqlite:///typo.db", create=False)
    Path("text.db").write_text("not a database" * 100, encoding="utf-8")
    yield listed("sqlite:///text.db")
    with sqlite3.connect("other.db") as other:
        other.execute("CREATE TABLE notes (text)")
    other.close()
    yield listed("sqlite:///other.db", create=False)
    yield listed("sqlite:///no/such/folder/x.db")
    with convostore.open("sqlite:///lock.db", timeout=0.01) as store:
        store.create_conversation(id="c")
        yield said(lambda: store.reply("c", "hi"))
        with sqlite3.connect("lock.db", isolation_level=None) as writer:
            writer.execute("BEGIN IMMEDIATE")
            yield said(lambda: store.create_conversation(id="d"))
            writer.execute("UPDATE convostore_schema SET version = 3")
            writer.execute("COMMIT")
        writer.close()
        yield listed("sqlite:///lock.db")
        Path("lock.db").rename("moved.db")
        yield said(store.list_conversations)


def messages_of_python() -> Iterator[str]:
    store = convostore.open("memory://")
    yield said(lambda: asyncio.run(entered(store)))
    yield said(lambda: convostore.aopen("memory://").__enter__())
    another = convostore.aopen("memory://")
    asyncio.run(another.create_conversation())
    yield said(lambda: asyncio.run(another.create_conversation()))
    yield said(lambda: store.create_conversation(created_at=dt.datetime(2024, 1, 1)))  # noqa: DTZ001
    store.create_conversation(id="c")
    store.append_messages("c", [Message.user("hi", id="m2")])
    yield said(lambda: store.append_messages("c", [Message.user("ho")], after="m1"))
    store.close()
    yield said(store.list_conversations)


async def entered(store: object) -> None:
    async with store:
        pass


def pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("…"))))


@pytest.mark.rim
def test_each_message_that_is_shown_is_real(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONVOSTORE_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.delenv("CONVOSTORE_FASTGPT_API_KEY", raising=False)
    real = [
        *messages_of_addresses(),
        *messages_of_services(),
        *messages_of_files(),
        *messages_of_python(),
    ]
    code = source()
    assert [
        text
        for text in SHOWN
        if not any(pattern(text).fullmatch(message) for message in real)
        and not all(piece in code for piece in text.split("…"))
    ] == []
    shown = [pattern(text) for text in SHOWN]
    assert [message for message in real if not any(map(match(message), shown))] == []


def match(message: str) -> Callable[[re.Pattern[str]], re.Match[str] | None]:
    return lambda text: text.fullmatch(message)


def source() -> str:
    """The code, with literals that are broken into lines in one piece."""
    files = [*ROOT.glob("src/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")]
    code = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return re.sub(r"\"\n\s+f?\"", "", code)
