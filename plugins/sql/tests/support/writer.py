"""A process that writes to a store, run as a script; its one argument says what, as JSON.

It says when it is ready, waits for a line, makes its conversations where it is told to, and appends
messages to them in turn. Of each it writes the number once it was told that it is stored.
"""

from __future__ import annotations

import json
import signal
import sys

import convostore
from convostore import Message, TextPart


def message(name: str, number: int) -> Message:
    """Return the message of a number: the same each time, so that it may be sent again."""
    text = f"{name} wrote harmless words, number n{number}"
    return Message(id=f"{name}-{number}", role="user", parts=(TextPart(text=text),))


def main(
    dsn: str,
    name: str,
    conversations: list[str],
    numbers: tuple[int, int],
    make: bool = False,
    seconds_to_live: float | None = None,
) -> None:
    """Write the messages of a range of numbers, and die on the way if there is no time left."""
    with convostore.open(dsn) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        if seconds_to_live is not None:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process wherever it is
            signal.setitimer(signal.ITIMER_REAL, seconds_to_live)
        if make:
            for conversation in conversations:
                store.create_conversation(id=conversation)
        for number in range(*numbers):
            target = conversations[number % len(conversations)]
            store.append_messages(target, [message(name, number)])
            print(number, flush=True)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
