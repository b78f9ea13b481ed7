"""A gateway on this machine with the store that it serves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import convostore
from convostore_gateway import create_app
from convostore_gateway.server.run import running


@contextmanager
def gateway(target: str, **how: Any) -> Iterator[str]:
    """Serves a store on a free port while the ``with`` runs, in a thread, and gives the URL.

    Args:
        target: The store's DSN.
        how: What `convostore_gateway.create_app` takes.
    """
    store = convostore.aopen(target)
    with running(create_app(store, **how), stores=[store]) as url:
        yield url
