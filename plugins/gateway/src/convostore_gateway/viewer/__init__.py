"""The viewer: pages for people under `/viewer`.

The modules of this package read a store, and its templates render HTML. Pages load nothing from
other hosts and hold no inline script or style.
"""

from .app import Viewer

__all__ = ["Viewer"]
