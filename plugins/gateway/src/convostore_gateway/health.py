"""Probes for those who run the gateway: whether it lives, and whether it can serve."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .middleware import place_of
from .stores import Stores

_log: Final = logging.getLogger("convostore.gateway")
_PATIENCE: Final = 5.0
"""Seconds that the stores may take."""
_FRESH: Final = 1.0
"""Seconds that an answer holds, so that whoever asks often costs the stores no more."""


async def healthz(_: Request) -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


class Readiness:
    """The stores answer; it tells nothing of them but that."""

    def __init__(self, served: Stores) -> None:
        self._served = served
        self._asking = asyncio.Lock()
        self._is_ready = False
        self._asked_at = float("-inf")

    async def __call__(self, _: Request) -> Response:
        async with self._asking:
            if time.monotonic() - self._asked_at >= _FRESH:
                self._is_ready = await self._ask()
                self._asked_at = time.monotonic()
        if self._is_ready:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready"}, 503, {"retry-after": "5"})

    async def _ask(self) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE):
                for store in self._served.stores.values():
                    await store.check()
        except Exception as error:
            _log.warning("not ready: %s at %s", type(error).__name__, place_of(error))
            return False
        return True
