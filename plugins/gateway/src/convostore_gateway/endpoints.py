"""The endpoints of the native API: its routes and its document are made of them."""

from __future__ import annotations

from typing import Final

from .endpoints_reading import READING
from .endpoints_replying import REPLYING
from .endpoints_writing import WRITING

ENDPOINTS: Final = tuple(
    sorted((*READING, *WRITING, *REPLYING), key=lambda endpoint: endpoint.template)
)
"""In the order of their paths."""
