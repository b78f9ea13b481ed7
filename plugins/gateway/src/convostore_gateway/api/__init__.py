"""The native API under `/v1`, server side: all is made from one table of endpoints."""

from .app import Native

__all__ = ["Native"]
