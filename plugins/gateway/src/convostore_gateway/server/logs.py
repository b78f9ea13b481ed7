"""The log of a server that runs by itself, on standard error: lines that hold no secret, no path.

What a line of the access log holds, `surroundings` says. Who embeds the application has a log of
their own, which this leaves alone.
"""

from __future__ import annotations

import logging
import sys
from types import TracebackType
from typing import Final, TypeAlias

from ..middleware import access_log

_OURS: Final = ("convostore", "uvicorn", "asyncio")
_Error: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)


class PlainFormatter(logging.Formatter):
    """Writes of an error no more than its class: its text is not ours, and may hold anything."""

    def formatException(self, ei: _Error) -> str:  # noqa: N802  # the base's
        return ei[0].__name__ if ei[0] else ""

    def formatStack(self, stack_info: str) -> str:  # noqa: ARG002, N802  # the base's
        return ""


def log_to_stderr(*, access: bool) -> None:
    """Sends warnings to standard error, and a line of JSON for each request if wanted."""
    warnings = _handler(PlainFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    for name in _OURS:
        logger = logging.getLogger(name)
        logger.handlers = [warnings]
        logger.setLevel(logging.WARNING)
        logger.propagate = False
    access_log.handlers = [_handler(PlainFormatter("%(message)s"))] if access else []
    access_log.setLevel(logging.INFO if access else logging.CRITICAL)
    access_log.propagate = False


def _handler(formatter: logging.Formatter) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    return handler
