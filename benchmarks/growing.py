"""(i) Decoding an answer of 1.12, each line of which repeats the text so far.

CPU time of a KiB received, for answers of 0.25 to 2 MiB that grow by 8 KiB: it is linear in the
bytes when a longer answer's KiB costs no more than a shorter one's. And for one with many sources
before it: their blocks are not counted, and no line of the text may go through them. Beside them:
`json.loads` of the same lines.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from harness import Cost, alternating, cpu, heading, line
from recordings import encoded
from streams import growing, pieces, researched

from convostore import TextPart
from convostore.adapters import ReplyAccumulator
from convostore_perplexica.replies.decoder import ChatDecoder

KIB, MIB = 2**10, 2**20
PIECE = 8 * KIB
READ = 64 * KIB
"""Bytes that a socket gives at a time."""
ROUNDS = 5


class Shape(NamedTuple):
    """An answer's bytes, and the sources before it."""

    size: int
    sources: int


SHAPES = (
    Shape(MIB // 4, 3),
    Shape(MIB // 2, 3),
    Shape(MIB, 3),
    Shape(2 * MIB, 3),
    Shape(MIB, 2000),
)


class Growth:
    """One answer as it comes; its lines are made anew each time, as they are many bytes."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.answer = pieces(shape.size // PIECE, PIECE)
        self.before = researched(shape.sources)
        self.received = sum(map(len, growing(self.answer)))

    def decoded(self) -> Cost:
        """The cost of a KiB."""
        decoder, draft = ChatDecoder(), ReplyAccumulator()

        def take(piece: bytes) -> None:
            for event in decoder.feed(piece):
                draft.add(event)

        take(self.before)
        cost = self._taken(take, reads(growing(self.answer)))
        take(encoded({"type": "messageEnd"}) + b"\n")
        texts = [part.text for part in draft.parts if isinstance(part, TextPart)]
        assert texts == ["".join(self.answer)]
        return cost

    def floor(self) -> Cost:
        return self._taken(json.loads, growing(self.answer))

    def _taken(self, take: Callable[[bytes], object], pieces: Iterable[bytes]) -> Cost:
        """What it costs to take the pieces; making them is not counted."""
        wall = cpu = 0.0
        for piece in pieces:
            used, begun = time.process_time(), time.perf_counter()
            take(piece)
            wall += time.perf_counter() - begun
            cpu += time.process_time() - used
        return Cost(wall / self.received * KIB, cpu / self.received * KIB)

    def __str__(self) -> str:
        size, received = self.shape.size / MIB, self.received / MIB
        return f"{size:g} MiB, {received:.0f} received, {self.shape.sources:,} sources"


def reads(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines as they come out of a socket."""
    for each in lines:
        for start in range(0, len(each), READ):
            yield each[start : start + READ]


def ratio(ours: list[float], beside: list[float]) -> str:
    return f"{statistics.median(a / b for a, b in zip(ours, beside, strict=True)):.2f}x"


def main() -> None:
    growths = [Growth(shape) for shape in SHAPES]
    jobs = {f"ours {each}": each.decoded for each in growths}
    jobs |= {f"floor {each}": each.floor for each in growths}
    costs = {name: cpu(each) for name, each in alternating(ROUNDS, jobs).items()}
    heading("(i) 1.12's growing text: CPU of a KiB received", beside="json.loads")
    first = costs[f"ours {growths[0]}"]
    for each in growths:
        ours, beside = costs[f"ours {each}"], costs[f"floor {each}"]
        mine, other = (f"{statistics.median(them) * 1e6:.2f} us" for them in (ours, beside))
        goal = f"{ratio(ours, first)} the first, <= 1.2x"
        line(str(each), mine, other, ratio(ours, beside), goal)


if __name__ == "__main__":
    main()
