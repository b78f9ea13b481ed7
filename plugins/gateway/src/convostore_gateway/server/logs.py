"""Logging of a server process to standard error: lines without secrets, paths or traces.

The content of the access log belongs in `middleware`. An application that embeds the gateway has
its own logging, which this does not touch.
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
    """A formatter that shows only the class of an error: its text may hold anything."""

    def formatException(self, ei: _Error) -> str:  # noqa: N802  # logging's name
        return ei[0].__name__ if ei[0] else ""

    def formatStack(self, stack_info: str) -> str:  # noqa: ARG002, N802  # logging's name
        return ""


def log_to_stderr(*, access: bool) -> None:
    """Send warnings to standard error, and a line of JSON for each request if wanted."""
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
