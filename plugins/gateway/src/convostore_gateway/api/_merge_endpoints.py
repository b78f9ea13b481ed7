"""The endpoints of the native API: its routes and its document are made of them."""

from __future__ import annotations

from typing import Final

from .reading import READING
from .replying import REPLYING
from .writing import WRITING

ENDPOINTS: Final = tuple(
    sorted((*READING, *WRITING, *REPLYING), key=lambda endpoint: endpoint.template)
)
"""In the order of their paths."""
