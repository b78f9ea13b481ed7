"""The server half of the native API under `/v1`, made from one table of endpoints."""

from .app import Native

__all__ = ["Native"]
