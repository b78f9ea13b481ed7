"""Probes for operators: whether the process is alive, and whether it can serve."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .middleware import location_of
from .stores import Stores

_log: Final = logging.getLogger("convostore.gateway")
_PATIENCE: Final = 5.0
"""Seconds that the checks of all stores may take."""
_FRESH: Final = 1.0
"""Seconds that a result is kept, so that frequent probes cost the stores no more."""


async def healthz(_: Request) -> Response:
    """Answer that the process is alive."""
    return JSONResponse({"status": "ok"})


class Readiness:
    """The readiness probe: whether every store answers, and nothing else about them."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._lock = asyncio.Lock()
        self._is_ready = False
        self._checked_at = float("-inf")

    async def __call__(self, _: Request) -> Response:
        async with self._lock:
            if time.monotonic() - self._checked_at >= _FRESH:
                self._is_ready = await self._check()
                self._checked_at = time.monotonic()
        if self._is_ready:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready"}, 503, {"retry-after": "5"})

    async def _check(self) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE):
                for store in self._stores.stores.values():
                    await store.check()
        except Exception as error:
            _log.warning("not ready: %s at %s", type(error).__name__, location_of(error))
            return False
        return True
