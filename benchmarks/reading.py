"""(b) Bytes of 20,000 messages with sources to `Message`s, all eager, in each shape there is.

Beside it: `json.loads` of the same bytes and of the JSON texts within. The garbage collector is on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from harness import alternating, compare, heading, timed, wall
from recordings import GENERATIONS, SHAPES, encoded, recorded_chat, recorded_records, tiled

import convostore_fastgpt.schema.records
import convostore_perplexica.schema.chats
from convostore.parsing import decode_json

ROUNDS = 5
MESSAGES = 20_000


def perplexica(body: bytes) -> Any:
    return convostore_perplexica.schema.chats.read_messages(decode_json(body))


def perplexica_floor(body: bytes) -> Any:
    chat = json.loads(body)
    return chat, [json.loads(row["metadata"]) for row in chat["messages"] if "metadata" in row]


def fastgpt(body: bytes) -> Any:
    rows, _ = convostore_fastgpt.schema.records.list_of(decode_json(body)["data"])
    return convostore_fastgpt.schema.records.read_messages(
        rows, first=0, following=None, ended=True
    )


def measure(
    what: str, body: bytes, ours: Callable[[bytes], Any], floor: Callable[[bytes], Any]
) -> None:
    assert len(ours(body)) == MESSAGES
    costs = alternating(
        ROUNDS,
        {"ours": lambda: timed(lambda: ours(body)), "floor": lambda: timed(lambda: floor(body))},
    )
    what = f"{what}, {len(body) / 2**20:.0f} MiB"
    compare(what, wall(costs["ours"]), wall(costs["floor"]), "<= 4x, aim 2.5x")


if __name__ == "__main__":
    heading("(b) bytes of 20,000 messages to Message, all eager", beside="json.loads")
    for shape, version in SHAPES.items():
        chat = encoded(tiled(recorded_chat(version, "get_prog_kcc"), MESSAGES))
        measure(f"Perplexica {shape} ({version})", chat, perplexica, perplexica_floor)
    for version in GENERATIONS:
        for which, rows in {"a question and its answer": 2, "values of every kind": 8}.items():
            records = encoded(recorded_records(version, rows, MESSAGES))
            measure(f"FastGPT {version}, {which}", records, fastgpt, json.loads)
