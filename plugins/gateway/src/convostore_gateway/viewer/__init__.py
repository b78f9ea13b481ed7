"""The viewer: pages for people who would rather look than query, under `/viewer`.

What a page shows is read from the store by the modules of this package and made HTML by its
templates; nothing is loaded from any other host, and no script or style stands within a page.
"""

from .app import Viewer

__all__ = ["Viewer"]
