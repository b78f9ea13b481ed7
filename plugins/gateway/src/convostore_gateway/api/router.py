"""Which endpoint a path is of: it is matched as it was sent, its ids decoded one by one."""

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
    """There is nothing at this path."""


class Paths:
    """The paths of an API.

    Args:
        endpoints: What answers there.
    """

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        methods: dict[str, dict[str, Endpoint]] = {}
        for each in endpoints:
            methods.setdefault(each.template, {})[each.method] = each
        self._fixed = {path: found for path, found in methods.items() if "{" not in path}
        self._templates: dict[int, list[tuple[list[str], dict[str, Endpoint]]]] = {}
        for template in methods.keys() - self._fixed.keys():
            segments = template.split("/")
            self._templates.setdefault(len(segments), []).append((segments, methods[template]))

    def match(self, path: str) -> tuple[Mapping[str, Endpoint], dict[str, str]]:
        """The endpoints at a path by method, and the ids in it by their names.

        Raises:
            AbsentPathError: There are none.
            InvalidError: An id in it is no UTF-8.
        """
        if path in self._fixed:
            return self._fixed[path], {}
        segments = path.split("/")
        for template, methods in self._templates.get(len(segments), ()):
            if _fits(template, segments):
                return methods, _ids(template, segments)
        raise AbsentPathError("there is nothing at this path: /v1/openapi.json tells what there is")


def _fits(template: list[str], segments: list[str]) -> bool:
    return all(
        fixed == sent or fixed[:1] == "{" for fixed, sent in zip(template, segments, strict=True)
    )


def _ids(template: list[str], segments: list[str]) -> dict[str, str]:
    pairs = zip(template, segments, strict=True)
    try:  # ids may hold lone surrogates
        return {
            fixed[1:-1]: unquote(sent, errors="surrogatepass")
            for fixed, sent in pairs
            if fixed[:1] == "{"
        }
    except UnicodeDecodeError:
        raise InvalidError("an id in the path is not percent-encoded UTF-8") from None


ENDPOINTS: Final = tuple(
    sorted((*READING, *WRITING, *REPLYING), key=lambda endpoint: endpoint.template)
)
"""In the order of their paths."""
