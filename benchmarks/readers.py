"""Reading one streamed answer: with the library, and as an application does without it.

Each reader calls back for each event that came, with whether it is a piece of the answer's text,
and returns how many such pieces there were. Each answer is the first of a new conversation.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import httpx
from httpx_sse import aconnect_sse, connect_sse

import convostore
from convostore.models import TextDelta

Arrived: TypeAlias = Callable[[bool], object]

APP = "65f000000000000000000010"
KEY = "key"
MODELS = {"chat_model": "p/fake-chat", "embedding_model": "p/fake-embedding"}
HEADERS = {"authorization": f"Bearer {KEY}"}


def unnoticed(_: bool) -> None:
    """Takes no notice of what comes."""


class Reader(Protocol):
    def read(self, arrived: Arrived = unnoticed) -> int: ...
    def close(self) -> None: ...


class AsyncReader(Protocol):
    async def read(self, arrived: Arrived = unnoticed) -> int: ...
    async def aclose(self) -> None: ...


def opened(service: str, url: str) -> dict[str, Any]:
    """What a store is opened with."""
    own = {"app_id": APP, "api_key": KEY} if service == "fastgpt" else MODELS
    return {"target": f"{service.partition(' ')[0]}+{url}", **own}


class Ours(Reader):
    def __init__(self, service: str, url: str) -> None:
        self.store = convostore.open(**opened(service, url))

    def read(self, arrived: Arrived = unnoticed) -> int:
        count = 0
        with self.store.stream_reply(None, "hello") as stream:
            for event in stream:
                is_text = type(event) is TextDelta
                arrived(is_text)
                count += is_text
        return count

    def close(self) -> None:
        self.store.close()


class AsyncOurs(AsyncReader):
    def __init__(self, service: str, url: str) -> None:
        self.store = convostore.aopen(**opened(service, url))

    async def read(self, arrived: Arrived = unnoticed) -> int:
        count = 0
        async with self.store.stream_reply(None, "hello") as stream:
            async for event in stream:
                is_text = type(event) is TextDelta
                arrived(is_text)
                count += is_text
        return count

    async def aclose(self) -> None:
        await self.store.aclose()


def asked(service: str) -> dict[str, Any]:
    """The same request as the store's, as the arguments of httpx."""
    if service == "fastgpt":
        body: dict[str, Any] = {
            "appId": APP,
            "chatId": "5f1d0c1b2a3948576a5b4c3d",
            "messages": [{"role": "user", "content": "hello"}],
            "stream": True,
            "detail": True,
            "responseChatItemId": "9e8d7c6b5a49382716051423",
            "retainDatasetCite": True,
        }
        return {"method": "POST", "url": "/api/v1/chat/completions", "json": body}
    body = {
        "message": {"messageId": "e1ee5dff20bda3", "chatId": "e1ee5dff", "content": "hello"},
        "optimizationMode": "speed",
        "history": [],
        "files": [],
        "systemInstructions": "",
        "chatModel": {"providerId": "p", "key": "fake-chat"},
        "embeddingModel": {"providerId": "p", "key": "fake-embedding"},
        "sources": ["web"],
    }
    return {"method": "POST", "url": "/api/chat", "json": body}


class PlainEvents(Reader):
    """httpx-sse, and `json.loads` of what each event says."""

    def __init__(self, service: str, url: str) -> None:
        self.asked = asked(service)
        self.client = httpx.Client(base_url=url, headers=HEADERS)

    def read(self, arrived: Arrived = unnoticed) -> int:
        count = 0
        with connect_sse(self.client, **self.asked) as source:
            for event in source.iter_sse():
                is_text = says(event.event, event.data)
                arrived(is_text)
                count += is_text
        return count

    def close(self) -> None:
        self.client.close()


class AsyncPlainEvents(AsyncReader):
    def __init__(self, service: str, url: str) -> None:
        self.asked = asked(service)
        # Limits by themselves are none, where the client's own are 100 connections.
        self.client = httpx.AsyncClient(base_url=url, headers=HEADERS, limits=httpx.Limits())

    async def read(self, arrived: Arrived = unnoticed) -> int:
        count = 0
        async with aconnect_sse(self.client, **self.asked) as source:
            async for event in source.aiter_sse():
                is_text = says(event.event, event.data)
                arrived(is_text)
                count += is_text
        return count

    async def aclose(self) -> None:
        await self.client.aclose()


def says(name: str, data: str) -> bool:
    """Decodes an event; whether it brings a piece of text."""
    if data == "[DONE]":
        return False
    body = json.loads(data)
    return name == "answer" and bool(body["choices"][0]["delta"].get("content"))


class PlainLines(Reader):
    """The lines of httpx, and `json.loads` of each."""

    def __init__(self, service: str, url: str) -> None:
        self.asked = asked(service)
        self.client = httpx.Client(base_url=url)

    def read(self, arrived: Arrived = unnoticed) -> int:
        count = 0
        with self.client.stream(**self.asked) as reply:
            for line in reply.iter_lines():
                is_text = brings(line)
                arrived(is_text)
                count += is_text
        return count

    def close(self) -> None:
        self.client.close()


class AsyncPlainLines(AsyncReader):
    def __init__(self, service: str, url: str) -> None:
        self.asked = asked(service)
        self.client = httpx.AsyncClient(base_url=url)

    async def read(self, arrived: Arrived = unnoticed) -> int:
        count = 0
        async with self.client.stream(**self.asked) as reply:
            async for line in reply.aiter_lines():
                is_text = brings(line)
                arrived(is_text)
                count += is_text
        return count

    async def aclose(self) -> None:
        await self.client.aclose()


def brings(line: str | bytes) -> bool:
    """Decodes a line of Perplexica; whether it brings a piece of text."""
    row = json.loads(line)
    if row["type"] == "message":
        return bool(row["data"])
    return bool(row["type"] == "updateBlock" and row["patch"][0]["path"] == "/data")


def plain(service: str, url: str) -> Reader:
    return PlainEvents(service, url) if service == "fastgpt" else PlainLines(service, url)


def async_plain(service: str, url: str) -> AsyncReader:
    return AsyncPlainEvents(service, url) if service == "fastgpt" else AsyncPlainLines(service, url)
