"""The gateway in a process of its own: `gateway_server.py NAME=TARGET… [UPSTREAM]`.

Each NAME is a namespace, the store of a TARGET, and what is behind `TOKEN` in its token. With
UPSTREAM, a URL, the stores are answered by the model there. Prints its URL and serves until its
input closes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from pydantic import SecretStr

import convostore
from convostore.store import AsyncConversationStore
from convostore_gateway import Token, create_app
from convostore_gateway.server.run import collect_less, running
from convostore_openai import aopen_answered

TOKEN = "token-of-the-"


def opened(target: str, upstream: str | None) -> AsyncConversationStore:
    if upstream is None:
        return convostore.aopen(target)
    return aopen_answered(target, upstream, model="none")


def main(targets: Mapping[str, str], upstream: str | None) -> None:
    stores = {name: opened(target, upstream) for name, target in targets.items()}
    tokens = [Token(value=SecretStr(TOKEN + name), namespace=name) for name in stores]
    collect_less()  # as the command does
    with running(create_app(stores, tokens=tokens), stores=stores.values()) as url:
        print(url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    targets = dict(each.split("=", 1) for each in sys.argv[1:] if not each.startswith("http"))
    main(targets, next((each for each in sys.argv[1:] if each.startswith("http")), None))
