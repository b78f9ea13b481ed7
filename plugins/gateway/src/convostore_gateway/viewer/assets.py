"""Static files of the pages, from the package, with versions in their addresses."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from starlette.responses import Response

from convostore.dialects import IncomingRequest

_TYPES: Final = {
    "htmx.min.js": "text/javascript",
    "viewer.js": "text/javascript",
    "viewer.css": "text/css",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file; `version` is a digest of the content."""

    content: bytes
    media_type: str
    version: str


@cache
def assets() -> dict[str, Asset]:
    """Return all static files by name."""
    folder = files(__package__) / "static"
    return {name: _asset((folder / name).read_bytes(), kind) for name, kind in _TYPES.items()}


def version_of(name: str) -> str:
    """Return the version that is part of an asset's address, so that it can be cached for good."""
    return assets()[name].version


def asset_response(name: str, request: IncomingRequest) -> Response:
    """Return the response with an asset, or 404."""
    asset = assets().get(name)
    if asset is None:
        return Response("Not found", 404, media_type="text/plain")
    is_current = request.parameters.get("v") == asset.version
    headers = {
        "etag": f'"{asset.version}"',
        "cache-control": "max-age=31536000, immutable" if is_current else "no-cache",
    }
    if headers["etag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(asset.content, headers=headers, media_type=asset.media_type)


def _asset(content: bytes, media_type: str) -> Asset:
    return Asset(content, media_type, hashlib.sha256(content).hexdigest()[:16])
