"""Assets: the few files that pages need, out of the package, under names that change with them."""

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
    """A file; `version` is of its content."""

    content: bytes
    media_type: str
    version: str


@cache
def assets() -> dict[str, Asset]:
    """All of them, by name."""
    folder = files(__package__) / "static"
    return {name: _asset((folder / name).read_bytes(), kind) for name, kind in _TYPES.items()}


def version_of(name: str) -> str:
    """What the address of an asset has, so that it can be kept for good."""
    return assets()[name].version


def asset_response(name: str, request: IncomingRequest) -> Response:
    """Answers with an asset, or that there is none."""
    asset = assets().get(name)
    if asset is None:
        return Response("Not found", 404, media_type="text/plain")
    is_for_good = request.parameters.get("v") == asset.version
    headers = {
        "etag": f'"{asset.version}"',
        "cache-control": "max-age=31536000, immutable" if is_for_good else "no-cache",
    }
    if headers["etag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(asset.content, headers=headers, media_type=asset.media_type)


def _asset(content: bytes, media_type: str) -> Asset:
    return Asset(content, media_type, hashlib.sha256(content).hexdigest()[:16])
