"""The router: percent-encoded paths matched to endpoints, and their ids decoded one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import unquote

from convostore.errors import InvalidError

from .endpoint import Endpoint
from .read_endpoints import READING
from .reply_endpoints import REPLYING
from .write_endpoints import WRITING


class AbsentPathError(InvalidError):
    """No endpoint has this path."""


class Paths:
    """The paths of an API.

    Args:
        endpoints: The endpoints of the API.
    """

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        methods: dict[str, dict[str, Endpoint]] = {}
        for endpoint in endpoints:
            methods.setdefault(endpoint.template, {})[endpoint.method] = endpoint
        self._fixed = {path: methods[path] for path in methods if "{" not in path}
        self._templates: dict[int, list[tuple[list[str], dict[str, Endpoint]]]] = {}
        for template in methods.keys() - self._fixed.keys():
            segments = template.split("/")
            self._templates.setdefault(len(segments), []).append((segments, methods[template]))

    def match(self, path: str) -> tuple[Mapping[str, Endpoint], dict[str, str]]:
        """Return the endpoints at a path by method, and the ids of the path by name.

        Raises:
            AbsentPathError: No endpoint has the path.
            InvalidError: An id is not UTF-8.
        """
        if path in self._fixed:
            return self._fixed[path], {}
        segments = path.split("/")
        for template, methods in self._templates.get(len(segments), ()):
            if _matches(template, segments):
                return methods, _ids(template, segments)
        raise AbsentPathError("this path does not exist: see /v1/openapi.json")


def _matches(template: list[str], segments: list[str]) -> bool:
    return all(
        fixed == segment or fixed[:1] == "{"
        for fixed, segment in zip(template, segments, strict=True)
    )


def _ids(template: list[str], segments: list[str]) -> dict[str, str]:
    pairs = zip(template, segments, strict=True)
    try:  # ids may hold lone surrogates
        return {
            fixed[1:-1]: unquote(segment, errors="surrogatepass")
            for fixed, segment in pairs
            if fixed[:1] == "{"
        }
    except UnicodeDecodeError:
        raise InvalidError("an id in the path must be percent-encoded UTF-8") from None


ENDPOINTS: Final = tuple(
    sorted((*READING, *WRITING, *REPLYING), key=lambda endpoint: endpoint.template)
)
"""The endpoints, sorted by path."""
