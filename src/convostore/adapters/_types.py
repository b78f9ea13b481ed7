"""The type variables of adapters: requests, replies and pieces of one backend.

Each defaults to Any, so that code which works with any backend names `Adapter` and no more.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import TypeVar

Q = TypeVar("Q", default=Any)
"""A request of the backend."""
R = TypeVar("R", default=Any)
"""A reply of the backend."""
C = TypeVar("C", default=Any)
"""A piece of a streamed reply, as the transport gives it."""
