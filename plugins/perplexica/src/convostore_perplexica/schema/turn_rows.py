"""Format C, a row per turn: the question, and the blocks of the answer.

How blocks grow in a stream is followed in `replies.block_updates`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from convostore.models import (
    JSON,
    Message,
    OtherPart,
    Part,
    Problem,
    ReasoningPart,
    Source,
    Status,
    TextPart,
)
from convostore.parsing import Row, read_object, read_time_field

from .fields import Ids, cited_sources, id_of, items_of, researched_sources


def answer_id_of(message_id: str) -> str:
    """Return the id of the answer in a turn."""
    return f"{message_id}/answer"


def read_turn(row: Row, ids: Ids) -> Iterator[Message]:
    """Parse a turn into a question and its answer.

    The server saves blocks only when the answer is done, and a failed model leaves the status
    ``answering`` forever; so a turn without blocks is unanswered, whatever its status says.
    """
    problems: list[Problem] = []
    blocks = Blocks()
    blocks.read_all(row.get("responseBlocks"))
    message_id = id_of(row, "messageId", problems)
    created_at = read_time_field(row.get("createdAt"), problems)
    if row.get("query") is not None:
        yield Message.model_construct(
            id=ids.take(message_id, row),
            role="user",
            parts=_query(row, problems),
            created_at=created_at,
            sources=(),
            feedback=None,
            status="complete" if blocks.answered else "unanswered",
            model=None,
            parent_id=None,
            problems=tuple(problems),
            raw=row,
        )
        problems = []
    # Without a question the row still becomes one message, so that none is lost.
    if blocks.parts or blocks.sources or blocks.problems or row.get("query") is None:
        yield Message.model_construct(
            id=ids.take(message_id and answer_id_of(message_id), row),
            role="assistant" if blocks.answered else "other",
            parts=tuple(blocks.parts),
            created_at=created_at,
            sources=blocks.sources,
            feedback=None,
            status=_STATUSES.get(str(row.get("status"))) if blocks.answered else None,
            model=None,
            parent_id=None,
            problems=(*problems, *blocks.problems),
            raw=row,
        )


_STATUSES: Final[dict[str, Status]] = {
    "completed": "complete",
    "answering": "generating",
    "error": "failed",
}


def _query(row: Row, problems: list[Problem]) -> tuple[Part, ...]:
    query = row["query"]
    if isinstance(query, str):
        return (TextPart.model_construct(kind="text", text=query),)
    problems.append(Problem(where="query", what="is not text"))
    return (OtherPart.model_construct(data=query),)


class Blocks:
    """Content of blocks, parsed by their type, as their order changed with the versions.

    Attributes:
        answered: Whether a block is the answer's text.
        parts: Parts of the answer.
        problems: What could not be parsed.
        cited: Cited sources, after those that were passed in and that the marks count, too.
        researched: Sources that were only read.
    """

    def __init__(self, cited: Sequence[Source] = ()) -> None:
        self.answered = False
        self.parts: list[Part] = []
        self.problems: list[Problem] = []
        self.cited = list(cited)
        self.researched: list[Source] = []

    @property
    def sources(self) -> tuple[Source, ...]:
        return (*self.cited, *self.researched)

    def read_all(self, value: JSON) -> None:
        """Parse the blocks of a row."""
        for place, block in enumerate(items_of(value, "responseBlocks", self.problems)):
            self.read(block, f"responseBlocks[{place}]")

    def read(self, block: JSON, where: str) -> None:
        """Parse one block; `where` names it in problems."""
        row = block if isinstance(block, dict) else {}
        data = row.get("data")
        match row.get("type"):
            case "text" if isinstance(data, str):
                self.answered = True
                self.parts.append(TextPart.model_construct(kind="text", text=data))
            case "source":
                self.cited += cited_sources(data, f"{where}.data", self.problems, self.cited)
            case "research":
                self._read_research(data, f"{where}.data")
            case str(kind):
                self.parts.append(OtherPart.model_construct(type=kind, data=data))
                if kind == "text":
                    self.problems.append(Problem(where=f"{where}.data", what="is not text"))
            case _:
                self.parts.append(OtherPart.model_construct(data=block))
                self.problems.append(Problem(where=where, what="is not a block"))

    def _read_research(self, data: JSON, where: str) -> None:
        steps = read_object(data, where, self.problems).get("subSteps")
        for place, step in enumerate(items_of(steps, f"{where}.subSteps", self.problems)):
            self._read_step(step, f"{where}.subSteps[{place}]")

    def _read_step(self, step: JSON, where: str) -> None:
        row = read_object(step, where, self.problems)
        kind, reasoning = row.get("type"), row.get("reasoning")
        if isinstance(reasoning, str):
            self.parts.append(ReasoningPart.model_construct(text=reasoning))
        elif isinstance(kind, str) and (key := _SOURCE_STEPS.get(kind)):
            self.researched += researched_sources(row.get(key), f"{where}.{key}", self.problems)
        else:
            self.parts.append(
                OtherPart.model_construct(type=kind if isinstance(kind, str) else None, data=step)
            )


_SOURCE_STEPS: Final[dict[str, str]] = {
    "search_results": "reading",
    "reading": "reading",
    "upload_search_results": "results",
}
