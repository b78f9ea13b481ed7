"""The recorded completions, and what their service stored of them.

A recording whose conversation was not read afterwards is held against the one of the same version
that differs from it in nothing but how it was asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from convostore.adapters import ReplyAccumulator
from convostore.errors import StoreError
from convostore.models import InteractionPart, Message, Part, ReplyEvent, TextPart
from convostore_fastgpt.replies.decoder import CompletionDecoder
from convostore_fastgpt.schema.records import read_messages

from .recordings import Exchange, all_exchanges, exchange_of

_CASE = re.compile(r"(v\d)_completions_stream-(true|false)_detail-(true|false)(?:_(\w+))?")
_MARK = re.compile(r"\[[0-9a-f]{24}\]\(CITE\)")
_ANY = "v4.16.0/v1_completions_stream-true_detail-true#0"
_FILLED: dict[str, Any] = {"answered": False, "answer": None}


def scenario_of(exchange: Exchange) -> str | None:
    """Return what a recording is of, such as ``tool``; None for a way of asking."""
    match = _CASE.fullmatch(exchange.case.partition("/")[2])
    return (match[4] or "plain") if match else None


@cache
def completions() -> list[Exchange]:
    return [exchange for exchange in all_exchanges() if exchange.path.endswith("/chat/completions")]


@cache
def streams() -> list[Exchange]:
    return [
        completion
        for completion in completions()
        if completion.params.get("stream") and completion.status == 200
    ]


def answered() -> list[Exchange]:
    return [stream for stream in streams() if b"[DONE]" in stream.content]


def refused() -> list[Exchange]:
    return [stream for stream in streams() if b"event: error" in stream.content]


def scenes() -> list[Exchange]:
    return [item for item in answered() if scenario_of(item) is not None]


def folded(events: Iterable[ReplyEvent]) -> ReplyAccumulator:
    draft = ReplyAccumulator()
    for event in events:
        draft.add(event)
    return draft


def decoded(
    exchange: Exchange, pieces: Iterable[bytes] | None = None
) -> tuple[list[ReplyEvent], StoreError | None]:
    """Return the events of a stream in these pieces, and the error that ends it, or None."""
    return outcome_of((exchange.content,) if pieces is None else pieces, exchange)


def outcome_of(
    pieces: Iterable[bytes], exchange: Exchange | None = None
) -> tuple[list[ReplyEvent], StoreError | None]:
    decoder = CompletionDecoder((exchange or exchange_of(_ANY)).request)
    events: list[ReplyEvent] = []
    try:
        for piece in pieces:
            for event in decoder.feed(piece):
                events.append(event)  # noqa: PERF402  # those before an error are wanted
        for event in decoder.close():
            events.append(event)  # noqa: PERF402
    except StoreError as error:
        return events, error
    return events, None


@cache
def rows_of(version: str, chat: str | None) -> list[Any]:
    """Return the records of a conversation as they were last read; none when it was not read."""
    records: list[Any] = []
    for exchange in all_exchanges():
        if (
            chat
            and exchange.version == version
            and exchange.params.get("chatId") == chat
            and exchange.rows
        ):
            records = exchange.rows
    return records


def answers_of(version: str, chat: str) -> list[Message]:
    messages = read_messages(rows_of(version, chat), first=0, following=None, ended=True)
    return [message for message in messages if message.role == "assistant"]


def stored_parts(exchange: Exchange) -> tuple[Part, ...]:
    """Return what the service stored of an answer, as far as the answer can show it."""
    scene = scenario_of(exchange)
    chat = exchange.params["chatId"]
    own = answers_of(exchange.version, chat)
    turn = [completion for completion in completions() if completion.case == exchange.case].index(
        exchange
    )
    if scene == "variables":
        parts: tuple[Part, ...] = (TextPart(text=_said_at_once(exchange)),)
    elif scene in ("select", "form"):
        parts = own[0].parts[1:] if turn else own[0].parts[:1]
    else:
        parts = (own or _answers_of_kin(exchange))[turn].parts
    return shown(parts, exchange)


def _answers_of_kin(exchange: Exchange) -> list[Message]:
    """Return the answer to the same question by v1, streamed and with details."""
    scene = scenario_of(exchange)
    kin = "v1_completions_stream-true_detail-true"
    assert scene is not None
    return answers_of(exchange.version, kin if scene == "plain" else f"{_PREFIXES[scene]}-{kin}")


_PREFIXES = {"tool": "tool", "think": "think", "multi": "multi", "plugin": "pl", "llm_error": "bad"}


def _said_at_once(exchange: Exchange) -> str:
    """Return the text of the same answer where it came whole."""
    case = f"{exchange.version}/v1_completions_stream-false_detail-false_variables"
    (whole,) = [completion for completion in completions() if completion.case == case]
    return json.loads(whole.content)["choices"][0]["message"]["content"]


def shown(parts: Iterable[Part], exchange: Exchange) -> tuple[Part, ...]:
    """Return parts as an answer to this kind of request shows them."""
    kept = []
    for part in parts:
        if not exchange.params.get("detail") and part.kind not in ("text", "reasoning"):
            continue
        if isinstance(part, TextPart):
            text = part.text
            if scenario_of(exchange) == "cite" and not exchange.params.get("retainDatasetCite"):
                text = _MARK.sub("", text)
            part = TextPart(text=text)
        kept.append(part)
    return tuple([comparable(part) for part in kept if part != TextPart(text="")])


def comparable(part: Part) -> Part:
    """Return a part without what differs between two runs, and an interaction as it was before."""
    if isinstance(part, InteractionPart):
        fields = [field.model_copy(update={"value": None}) for field in part.fields]
        return part.model_copy(update={**_FILLED, "fields": tuple(fields)})
    if part.kind in ("tool_call", "tool_result"):
        return part.model_copy(update={"id": None})
    return part
