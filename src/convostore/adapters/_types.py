"""The type variables of adapters: requests, replies and chunks of one backend.

Each defaults to Any, so that code for any backend can say `Adapter` without arguments. No other
type may be here.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import TypeVar

Q = TypeVar("Q", default=Any)
"""A request of the backend."""
R = TypeVar("R", default=Any)
"""A reply of the backend."""
C = TypeVar("C", default=Any)
"""A chunk of a streamed reply, as the transport yields it."""
