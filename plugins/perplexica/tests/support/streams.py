"""The recorded conversations with `/api/chat` and what belongs to it, as values.

They lie in `streams`, a folder a version: ``chat_*.yaml`` whole, the long ones packed, and
``stream_*.json`` piece by piece as they came. What the service stored afterwards lies in
`cassettes`.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vcr.serialize import deserialize
from vcr.serializers import yamlserializer

from convostore.http import Response

from .recordings import exchanges_of

STREAMS = Path(__file__).parents[1] / "streams"
VERSIONS = ("next-1.10.2", "next-1.11.2", "next-1.12.1")
SHAPES = dict(zip(VERSIONS, ("A2", "B", "C"), strict=True))


@dataclass(frozen=True)
class Recorded:
    """One recorded request with its answer.

    Attributes:
        request: The body that was sent; None for none.
        chunks: The answer's body, in the pieces that it came in.
        ended: How it ended, where that was noted: ``end`` or what went wrong.
    """

    method: str
    path: str
    request: object
    status: int
    media_type: str
    chunks: tuple[bytes, ...]
    ended: str = "end"

    @property
    def content(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def response(self) -> Response:
        return Response(self.status, {"content-type": self.media_type}, self.content)


@cache
def recorded(case: str) -> Recorded:
    """Return a recording by its folder and name."""
    pieces = STREAMS / f"{case}.json"
    if pieces.exists():
        return _piecewise(json.loads(pieces.read_text("utf-8")))
    packed = STREAMS / f"{case}.yaml.gz"
    if packed.exists():
        return _whole(gzip.decompress(packed.read_bytes()).decode())
    return _whole((STREAMS / f"{case}.yaml").read_text("utf-8"))


def _piecewise(row) -> Recorded:
    head = row.get("response") or {"status": 200, "headers": {"content-type": "text/event-stream"}}
    return Recorded(
        method="POST",
        path="/api/chat",
        request=row.get("request"),
        status=head["status"],
        media_type=head["headers"]["content-type"],
        chunks=tuple([text.encode() for _, text in row["chunks"]]),
        ended=row["ended"],
    )


def _whole(text: str) -> Recorded:
    ((request,), (response,)) = deserialize(text, yamlserializer)
    body = request.body
    try:
        sent = json.loads(body) if body else None
    except ValueError:
        sent = None
    media_type = response["headers"].get("content-type", [""])[0]
    return Recorded(
        method=request.method,
        path=request.path,
        request=sent,
        status=response["status"]["code"],
        media_type=media_type,
        chunks=(response["body"]["string"],),
    )


def cases(pattern: str) -> list[str]:
    """Return the recordings whose names fit a pattern, of every version."""
    found = [path.relative_to(STREAMS) for path in STREAMS.glob(f"*/{pattern}")]
    return sorted((item.parent / item.name.partition(".")[0]).as_posix() for item in found)


WHOLE = [case for case in cases("chat_*") if "chat_bad" not in case]
"""Streams that were recorded whole, with what was stored of each."""
PIECEWISE = cases("stream_*")
"""Streams that were recorded piece by piece; some of them broke off."""
REFUSED = cases("chat_bad_*")
RECONNECTS = cases("reconnect_while_*")
ALL = sorted({*WHOLE, *PIECEWISE, *RECONNECTS})

_STORED = {
    "chat_follow": "get_two_turns",
    "chat_file": "get_with_upload",
    "stream_slow_raw_chunks": "get_when_completed",
}


def stored(case: str):
    """Return the conversation as it was stored after a stream; None if not recorded."""
    version, name = case.split("/")
    kept = _STORED.get(name, name.replace("chat_", "get_prog_"))
    try:
        (exchange,) = exchanges_of(f"{version}/{kept}")
    except FileNotFoundError:
        return None
    return exchange.body
