"""Probes for those who run the gateway: whether it lives, and whether it can serve."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from convostore.errors import StoreError

from .served import Served

_PATIENCE = 5.0
"""Seconds that the stores may take."""


async def healthz(_: Request) -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


class Readiness:
    """The stores answer; it tells nothing of them but that."""

    def __init__(self, served: Served) -> None:
        self._served = served

    async def __call__(self, _: Request) -> Response:
        try:
            async with asyncio.timeout(_PATIENCE):
                for store in self._served.stores.values():
                    await store.check()
        except (StoreError, TimeoutError):
            return JSONResponse({"status": "not ready"}, 503, {"retry-after": "5"})
        return JSONResponse({"status": "ready"})
