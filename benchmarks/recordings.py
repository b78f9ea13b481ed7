"""What the real program answered, and as much more of the same as a benchmark needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from convostore_perplexica import wire

CASSETTES = Path(__file__).parents[1] / "plugins/perplexica/tests/cassettes"
SHAPES = {
    "A1": "express-1.9.3",
    "A2": "express-1.10.0-rc3",
    "B": "next-1.11.2",
    "C": "next-1.12.1",
}


def recorded_chat(version: str, case: str) -> Any:
    """The body of one recorded answer."""
    cassette = yaml.safe_load((CASSETTES / version / f"{case}.yaml").read_text("utf-8"))
    return json.loads(cassette["interactions"][0]["response"]["body"]["string"])


def tiled(chat: Any, messages: int) -> Any:
    """The chat with its rows repeated, under ids of their own, until they make so many messages."""
    each = len(wire.read_messages(chat))
    rows = [
        {**row, "messageId": f"{row['messageId']}{number}"}
        for number in range(messages // each)
        for row in chat["messages"]
    ]
    return {**chat, "messages": rows}


def encoded(body: Any) -> bytes:
    """JSON as the program writes it."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
