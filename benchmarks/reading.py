"""(b) Bytes of 20,000 messages with sources to `Message`s, all eager, in each shape of the service.

Beside it: `json.loads` of the same bytes and of the JSON texts within. The garbage collector is on.
"""

from __future__ import annotations

import json
from typing import Any

from harness import alternating, compare, heading, timed, wall
from recordings import SHAPES, encoded, recorded_chat, tiled

from convostore.reading import decode_json
from convostore_perplexica import wire

ROUNDS = 5
MESSAGES = 20_000


def ours(body: bytes) -> Any:
    messages = wire.read_messages(decode_json(body))
    assert len(messages) == MESSAGES
    return messages


def floor(body: bytes) -> Any:
    chat = json.loads(body)
    return chat, [json.loads(row["metadata"]) for row in chat["messages"] if "metadata" in row]


if __name__ == "__main__":
    heading("(b) bytes of 20,000 messages to Message, all eager", beside="json.loads")
    for shape, version in SHAPES.items():
        body = encoded(tiled(recorded_chat(version, "get_prog_kcc"), MESSAGES))
        costs = alternating(
            ROUNDS,
            {
                "ours": lambda body=body: timed(lambda: ours(body)),  # type: ignore[misc]
                "floor": lambda body=body: timed(lambda: floor(body)),  # type: ignore[misc]
            },
        )
        what = f"{shape} ({version}, {len(body) / 2**20:.0f} MiB)"
        compare(what, wall(costs["ours"]), wall(costs["floor"]), "<= 4x, aim 2.5x")
