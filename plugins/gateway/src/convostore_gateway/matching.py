"""Which endpoint a path is of: it is matched as it was sent, its ids decoded one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from convostore.errors import InvalidError

from .endpoint import Endpoint


class AbsentPathError(InvalidError):
    """There is nothing at this path."""


class Paths:
    """The paths of an API.

    Args:
        endpoints: What answers there.
    """

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._methods: dict[str, dict[str, Endpoint]] = {}
        for each in endpoints:
            self._methods.setdefault(each.template, {})[each.method] = each
        self._templates: dict[int, list[tuple[list[str], str]]] = {}  # by how many segments
        for template in self._methods:
            fixed = template.split("/")
            self._templates.setdefault(len(fixed), []).append((fixed, template))

    def match(self, path: str) -> tuple[Mapping[str, Endpoint], dict[str, str]]:
        """The endpoints at a path by method, and the ids in it by their names.

        Raises:
            AbsentPathError: There are none.
            InvalidError: An id in it is no UTF-8.
        """
        segments = path.split("/")
        for fixed, template in self._templates.get(len(segments), ()):
            if _fits(fixed, segments):
                return self._methods[template], _ids(fixed, segments)
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
