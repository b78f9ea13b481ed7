"""Answers as services and models stream them, of any length: recorded ones with a longer text.

Each is a list of what its service writes at a time, and what it stores of it afterwards.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from chats import said
from recordings import (
    SHAPES,
    encoded,
    recorded_chat,
    recorded_headers,
    recorded_records,
    recorded_text,
)

PIECE = 6
"""Characters that come at a time, about as many as a model's token has."""
ANSWER_ID = "7fe81bf446744f"
TEXT_BLOCK = "92168acc-674f-422a-adaf-08549649ce39"
NEXT_HEADERS = {
    "cache-control": "no-cache, no-transform",
    "connection": "keep-alive",
    "content-type": "text/event-stream",
    "transfer-encoding": "chunked",
}
"""What Perplexica says before an answer, of 1.11 and of 1.12."""


class Streamed(NamedTuple):
    """One answer.

    Attributes:
        headers: What comes before it.
        writes: What the service writes at a time; each but the last brings one piece of text.
        stored: Takes a conversation's id and a turn's to what is read of it when it is done.
    """

    headers: Mapping[str, str]
    writes: list[bytes]
    stored: Callable[[str, str], bytes]


def pieces(count: int, size: int = PIECE) -> list[str]:
    """A text in pieces."""
    letters = itertools.chain.from_iterable(
        f"{each.text}\n" for seed in itertools.count() for each in said(20, seed=seed)
    )
    return ["".join(itertools.islice(letters, size)) for _ in range(count)]


def fastgpt(answer: list[str]) -> Streamed:
    """A completion of 4.16 with details; `stored` is a page of records."""
    case = "v1_completions_stream-true_detail-true"
    frames = recorded_text("fastgpt", "v4.16.0", case).removesuffix("\n\n").split("\n\n")
    answers = [number for number, each in enumerate(frames) if '"finish_reason":null' in each]
    before, after = frames[: answers[0]], frames[answers[-1] + 1 :]
    head, _, data = frames[answers[0]].partition("\ndata: ")
    chunk = json.loads(data)

    def frame(piece: str) -> bytes:
        chunk["choices"][0]["delta"]["content"] = piece
        return b"%s\ndata: %s\n\n" % (head.encode(), encoded(chunk))

    question, record = recorded_records("v4.16.0", 2, 2)["data"]["list"]
    record["value"] = [{"type": "text", "text": {"content": "".join(answer)}}]
    for name in ("userGoodFeedback", "totalQuoteList"):
        record.pop(name, None)

    def stored(_: str, turn_id: str) -> bytes:
        rows = [{**row, "dataId": turn_id} for row in (question, record)]
        data = {"list": rows, "total": 2}
        return encoded({"code": 200, "statusText": "", "message": "", "data": data})

    writes = [frame(piece) for piece in answer]
    writes[0] = "".join(f"{each}\n\n" for each in before).encode() + writes[0]
    writes.append("".join(f"{each}\n\n" for each in after).encode())
    return Streamed(recorded_headers("fastgpt", "v4.16.0", case), writes, stored)


def openai(answer: list[str]) -> Streamed:
    """A completion as servers of models stream it; nothing is stored."""
    chunk: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1767225600,
        "model": "none",
    }

    def frame(delta: Mapping[str, str], reason: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return b"data: %s\n\n" % encoded({**chunk, "choices": [choice], **more})

    writes = [frame({"content": piece}) for piece in answer]
    writes[0] = frame({"role": "assistant", "content": ""}) + writes[0]
    usage = {"prompt_tokens": 9, "completion_tokens": len(answer), "total_tokens": 9 + len(answer)}
    writes.append(frame({}, "stop", usage=usage) + b"data: [DONE]\n\n")
    return Streamed(NEXT_HEADERS, writes, lambda *_: b"")


def perplexica_b(answer: list[str]) -> Streamed:
    """An answer of 1.11, a line a piece."""
    chat = recorded_chat(SHAPES["B"], "get_prog_kcc")
    question, source, row = chat["messages"]
    row["content"], row["messageId"] = "".join(answer), ANSWER_ID

    def line(kind: str, data: Any) -> bytes:
        return encoded({"type": kind, "data": data, "messageId": ANSWER_ID}) + b"\n"

    def stored(chat_id: str, turn_id: str) -> bytes:
        asked = {**question, "messageId": turn_id}
        rows = [{**each, "chatId": chat_id} for each in (asked, source, row)]
        return encoded({"chat": {**chat["chat"], "id": chat_id}, "messages": rows})

    writes = [line("message", piece) for piece in answer]
    writes[0] = line("sources", source["sources"]) + line("message", "") + writes[0]
    writes.append(line("message", "") + encoded({"type": "messageEnd"}) + b"\n")
    return Streamed(NEXT_HEADERS, writes, stored)


def perplexica_c(answer: list[str]) -> Streamed:
    """An answer of 1.12: every line repeats the text so far."""
    chat = recorded_chat(SHAPES["C"], "get_prog_kcc")
    (turn,) = chat["messages"]
    text = "".join(answer)
    blocks = [
        {**block, "data": text} if block["type"] == "text" else block
        for block in turn["responseBlocks"]
    ]

    def stored(chat_id: str, turn_id: str) -> bytes:
        row = {**turn, "chatId": chat_id, "messageId": turn_id, "responseBlocks": blocks}
        return encoded({"chat": {**chat["chat"], "id": chat_id}, "messages": [row]})

    writes = list(growing(answer))
    writes[0] = researched() + writes[0]
    writes.append(encoded({"type": "messageEnd"}) + b"\n")
    return Streamed(NEXT_HEADERS, writes, stored)


def researched(found: int = 3) -> bytes:
    """What comes before the text of 1.12: the research step by step, the sources, an empty text."""
    (turn,) = recorded_chat(SHAPES["C"], "get_prog_kcc")["messages"]
    research, source, _ = turn["responseBlocks"]
    sources = list(itertools.islice(itertools.cycle(source["data"]), found))
    search, results = research["data"]["subSteps"]
    steps = [search, {**results, "reading": sources}]
    lines = [
        {"type": "block", "block": {**research, "data": {"subSteps": []}}},
        *(_update(research["id"], "/data/subSteps", steps[: end + 1]) for end in range(len(steps))),
        {"type": "block", "block": {**source, "data": sources}},
        {"type": "researchComplete"},
        {"type": "block", "block": {"id": TEXT_BLOCK, "type": "text", "data": ""}},
    ]
    return b"".join(encoded(each) + b"\n" for each in lines)


def growing(answer: list[str]) -> Iterator[bytes]:
    """The lines of a text of 1.12, each with all of it so far."""
    mark = "the text"
    before, after = encoded(_update(TEXT_BLOCK, "/data", mark)).split(mark.encode())
    text = b""
    for piece in answer:
        text += encoded(piece)[1:-1]
        yield before + text + after + b"\n"


def _update(block_id: str, path: str, value: Any) -> Any:
    patch = [{"op": "replace", "path": path, "value": value}]
    return {"type": "updateBlock", "blockId": block_id, "patch": patch}


SERVICES = {
    "fastgpt": fastgpt,
    "openai": openai,
    "perplexica B": perplexica_b,
    "perplexica C": perplexica_c,
}
