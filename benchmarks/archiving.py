"""(h) The peak memory of reading and of mirroring 1,000,000 messages, SQLite to SQLite.

Beside it: a tenth of them. Each run is a process of its own; what it held when both stores were
open is taken off. `archiving.py MESSAGES` does the same for another number.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from harness import heading, line
from holding import peak

import convostore
from convostore import Message, TextPart

MESSAGES = 1_000_000
EACH = 100


def fill(address: str, messages: int) -> None:
    """Makes conversations of short messages."""
    with convostore.open(address) as store:
        for number in range(messages // EACH):
            made = store.create_conversation(id=f"c{number}", title=f"chat {number}")
            store.append_messages(made.id, list(_messages(number)))


def _messages(number: int) -> Iterator[Message]:
    for place in range(EACH):
        said = f"message {place} of chat {number}, which is as long as a short sentence is"
        yield Message(
            id=f"{number}-{place}",
            role="assistant" if place % 2 else "user",
            parts=(TextPart(text=said),),
        )


def read(source: str) -> int:
    with convostore.open(source) as store:
        store.check()
        before = peak()
        count = sum(len(each.messages) for each in store.transcripts())
    _tell(count, before)
    return count


def copy(source: str, target: str) -> int:
    with convostore.open(source) as store, convostore.open(target) as archive:
        store.check()
        archive.check()
        before = peak()
        count = convostore.mirror(store, archive, name="archive").messages
    _tell(count, before)
    return count


def _tell(count: int, before: int) -> None:
    print(count, peak() - before)


def child(what: str, *addresses: str) -> tuple[int, int, float]:
    """Runs one of the functions above; returns its count, its growth in bytes, and its seconds."""
    begun = time.perf_counter()
    command = [sys.executable, __file__, what, *addresses]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    count, grown = map(int, done.stdout.split())
    return count, grown, time.perf_counter() - begun


def measured(messages: int) -> dict[str, tuple[int, float]]:
    """The growth and the messages a second of each job."""
    made: dict[str, tuple[int, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        source, target = (f"sqlite:///{folder}/{name}.db" for name in ("source", "target"))
        fill(source, messages)
        for what, addresses in {"read": (source,), "copy": (source, target)}.items():
            count, grown, seconds = child(what, *addresses)
            assert count == messages, (what, count)
            made[what] = grown, count / seconds
    return made


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def main(messages: int) -> None:
    few = measured(messages // 10)
    many = measured(messages)
    heading("(h) peak memory above what was open", f"{messages:,}", f"{messages // 10:,}")
    for what, told in {"read": "reading all", "copy": "mirroring all"}.items():
        (grown, speed), (beside, before) = many[what], few[what]
        ratio = f"{grown / beside:.2f}x" if beside else ""
        line(told, _mebibytes(grown), _mebibytes(beside), ratio, "far below 10x")
        line("  messages a second", f"{speed:,.0f}", f"{before:,.0f}", f"{speed / before:.2f}x")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        read(sys.argv[2]) if sys.argv[1] == "read" else copy(*sys.argv[2:])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES)
