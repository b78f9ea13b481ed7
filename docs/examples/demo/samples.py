"""What the demo's two services hold: what real programs once answered, read through our adapters.

The recordings are those of the plugins' tests. A server on this machine replays them, the adapter
reads it, and what it makes of them goes into a store, which a gateway then serves.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

import convostore
from convostore.testing.loopback import replay, serve

PLUGINS = Path(__file__).parents[3] / "plugins"
APP_ID = "65f000000000000000000010"
KEY = "fastgpt-not-a-real-key"


@dataclass(frozen=True)
class Service:
    """A program whose API a gateway is to speak.

    Attributes:
        scheme: Of the adapter that reads it.
        recordings: The folder of a version, and the cases that are replayed.
        shown: The id of the conversation that is shown whole.
        told_apart_by: The field of requests' bodies that does, where one path serves all.
        options: What its adapter is opened with.
    """

    name: str
    scheme: str
    recordings: tuple[str, Iterable[str]]
    shown: str
    told_apart_by: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)


SERVICES = (
    Service(
        "Perplexica 1.12",
        "perplexica",
        ("next-1.12.1", ("list_made_by_program", "get_*")),
        shown="3aa665c3abc235375f68f76415a1196a39776db1",
    ),
    Service(
        "FastGPT 4.16",
        "fastgpt",
        (
            "v4.16.0",
            (
                "history_getHistories",
                "history_status_and_read",
                "record_getPaginationRecords",
                "*_cite",
                "completions_while*",
            ),
        ),
        shown="seed-1",
        told_apart_by="chatId",
        options={"app_id": APP_ID, "api_key": KEY},
    ),
)


def fill(target: str, service: Service) -> int:
    """Puts what a service answered into a store; returns how many conversations."""
    version, cases = service.recordings
    folder = PLUGINS / service.scheme / "tests/cassettes" / version
    text = io.StringIO()
    with (
        serve(replay(recorded(folder, cases), by_field=service.told_apart_by)) as url,
        convostore.open(f"{service.scheme}+{url}", **service.options) as source,
    ):
        # Of some conversations only the list was recorded.
        convostore.export_conversations(source, text, format="jsonl", on_error="skip")
    with convostore.open(target) as store:
        read = io.BytesIO(text.getvalue().encode())
        return convostore.import_conversations(read, store).imported


def recorded(folder: Path, cases: Iterable[str]) -> Iterable[Any]:
    """What the real program answered to those who read: its list, and its conversations.

    Of what was asked twice only the first answer: the histories then stand still.
    """
    first: dict[tuple[str, str, object], Any] = {}
    for case in cases:
        for file in sorted(folder.glob(f"{case}.yaml")):
            cassette = yaml.load(file.read_text("utf-8"), Loader=yaml.CSafeLoader)
            for exchange in cassette["interactions"]:
                asked = exchange["request"]
                body = json.loads(asked["body"]) if asked.get("body") else {}
                key = (asked["method"], asked["uri"].partition("?")[0], body.get("chatId"))
                first.setdefault(key, exchange)
    yield {"interactions": list(first.values())}
