"""The native API under `/v1`, server side: all is made from one table of endpoints."""

from .application import Native

__all__ = ["Native"]
