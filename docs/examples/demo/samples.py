"""The two services of the demo: what real programs once answered, served in their APIs.

The recordings are those of the plugins' tests. Replayed once, they are read by the adapter and kept
in a store, which a gateway then serves.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr
from server import gateway

import convostore
from convostore.testing.loopback import replay, serve
from convostore_gateway import Token

PLUGINS = Path(__file__).parents[3] / "plugins"
KEY = "fastgpt-not-a-real-key"


@dataclass(frozen=True)
class Service:
    """A program of which there are recordings.

    Attributes:
        name: The program and its version.
        scheme: The scheme of the adapter that reads it.
        recordings: The folder of a version, and the cases that are replayed.
        access: The arguments of `create_app` for whom to admit.
        by_field: The field of request bodies that distinguishes them, where one path serves all.
        options: The options of the adapter.
    """

    name: str
    scheme: str
    recordings: tuple[str, Iterable[str]]
    access: Mapping[str, Any] = field(hash=False)
    by_field: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)


SERVICES = (
    Service(
        "Perplexica 1.12",
        "perplexica",
        ("next-1.12.1", ("list_made_by_program", "get_*")),
        access={"open_access": True},
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
        access={"tokens": [Token(value=SecretStr(KEY), name="demo")]},
        by_field="chatId",
        options={"app_id": "65f000000000000000000010", "api_key": KEY},
    ),
)


def services(running: ExitStack) -> dict[Service, str]:
    """Serve each service until the stack is closed; return the DSNs."""
    dsns = {}
    for service in SERVICES:
        target = f"memory://{service.scheme}"
        fill(target, service)
        url = running.enter_context(gateway(target, **service.access))
        dsns[service] = f"{service.scheme}+{url}"
    return dsns


def fill(target: str, service: Service) -> None:
    """Store what a service answered."""
    version, cases = service.recordings
    folder = PLUGINS / service.scheme / "tests/cassettes" / version
    text = io.StringIO()
    with (
        serve(replay(recorded(folder, cases), by_field=service.by_field)) as url,
        convostore.open(f"{service.scheme}+{url}", **service.options) as source,
    ):
        # Of some conversations only the list was recorded.
        convostore.export_conversations(source, text, format="jsonl", on_error="skip")
    with convostore.open(target) as store:
        convostore.import_conversations(io.BytesIO(text.getvalue().encode()), store)


def recorded(folder: Path, cases: Iterable[str]) -> Iterable[Any]:
    """Return what the real program answered to readers: its list, and its conversations.

    Of what was asked twice only the first answer counts, so that the histories do not change.
    """
    first: dict[tuple[str, str, object], Any] = {}
    for case in cases:
        for file in sorted(folder.glob(f"{case}.yaml")):
            cassette = yaml.load(file.read_text("utf-8"), Loader=yaml.CSafeLoader)
            for exchange in cassette["interactions"]:
                request = exchange["request"]
                body = json.loads(request["body"]) if request.get("body") else {}
                key = (request["method"], request["uri"].partition("?")[0], body.get("chatId"))
                first.setdefault(key, exchange)
    yield {"interactions": list(first.values())}
