"""What the real programs answered, and as much more of the same as a benchmark needs."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from convostore_perplexica.schema import chats

PLUGINS = Path(__file__).parents[1] / "plugins"
SHAPES = {
    "A1": "express-1.9.3",
    "A2": "express-1.10.0-rc3",
    "B": "next-1.11.2",
    "C": "next-1.12.1",
}
GENERATIONS = ("v4.9.14", "v4.16.0")


def recorded_chat(version: str, case: str) -> Any:
    """The body of one recorded answer of Perplexica."""
    return _recorded("perplexica", version, case)


def recorded_records(version: str, first: int, messages: int) -> Any:
    """A page of FastGPT's records: the first recorded ones repeated, under ids of their own."""
    body = _recorded("fastgpt", version, "record_getPaginationRecords")
    rows = body["data"]["list"][:first]
    body["data"]["list"] = [
        {**rows[number % len(rows)], "_id": f"{number:024x}"} for number in range(messages)
    ]
    return body


def recorded_histories(conversations: int) -> list[Any]:
    """Items of FastGPT's list: a recorded one repeated, under ids and times of its own."""
    item = _recorded("fastgpt", "v4.16.0", "history_getHistories")["data"]["list"][1]
    newest = datetime.fromisoformat(item["updateTime"])
    return [
        {**item, "chatId": f"{number:024x}", "updateTime": _js(newest - timedelta(minutes=number))}
        for number in range(conversations)
    ]


def _js(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _recorded(plugin: str, version: str, case: str) -> Any:
    return json.loads(recorded_text(plugin, version, case))


def recorded_text(plugin: str, version: str, case: str) -> str:
    """The body that the first request of a case was answered with."""
    text: str = _response(plugin, version, case)["body"]["string"]
    return text


def recorded_headers(plugin: str, version: str, case: str) -> dict[str, str]:
    """The headers that the first request of a case was answered with."""
    headers = _response(plugin, version, case)["headers"]
    return {name: ", ".join(values) for name, values in headers.items()}


def _response(plugin: str, version: str, case: str) -> Any:
    file = PLUGINS / plugin / "tests/cassettes" / version / f"{case}.yaml"
    return yaml.safe_load(file.read_text("utf-8"))["interactions"][0]["response"]


def tiled(chat: Any, messages: int) -> Any:
    """The chat with its rows repeated, under ids of their own, until they make so many messages."""
    each = len(chats.read_messages(chat))
    rows = [
        {**row, "messageId": f"{row['messageId']}{number}"}
        for number in range(messages // each)
        for row in chat["messages"]
    ]
    return {**chat, "messages": rows}


def encoded(body: Any) -> bytes:
    """JSON as the program writes it."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
