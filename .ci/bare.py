"""Try the core alone, as `pip install convostore` leaves it; `make dist` runs it.

Like newcomer.py it needs only the standard library, and the Python of a fresh environment runs it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import convostore

SECONDS: Final = 120
ADDRESSES: Final = {
    "sqlite": "sqlite:///history.db",
    "postgresql": "postgresql://localhost/history",
    "fastgpt": "fastgpt+http://localhost:3000?app_id=65f000000000000000000010",
    "perplexica": "perplexica+http://localhost:3000",
    "gateway": "gateway+http://localhost:8000",
}


def main() -> None:
    """Open `memory://`, and nothing else: what is refused says what to install."""
    with convostore.open("memory://") as store:
        store.create_conversation(id="first", title="Alone")
        titles = [conversation.title for conversation in store.conversations()]
    print(f"memory:// opens, and lists {titles}")
    for scheme, address in ADDRESSES.items():
        try:
            convostore.open(address)
        except convostore.ConfigError as error:
            says(str(error), scheme)
        else:
            sys.exit(f"{scheme}:// opens without its extra")
    command = Path(sys.executable).with_name("convostore")
    for words in ([str(command), "--help"], [sys.executable, "-m", "convostore", "--help"]):
        result = subprocess.run(words, capture_output=True, text=True, check=False, timeout=SECONDS)
        if not result.returncode:
            sys.exit(f"{words} works without its extra")
        says(result.stderr, "cli")


def says(message: str, extra: str) -> None:
    """Make sure that a message has the pip line of an extra."""
    print(f"without {extra}: {message.strip()}")
    if f'pip install "convostore[{extra}]"' not in message:
        sys.exit(f'it should say: pip install "convostore[{extra}]"')


if __name__ == "__main__":
    main()
