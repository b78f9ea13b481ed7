"""The numbers that sources are shown by while a text is still growing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import count
from threading import Lock
from typing import Final

from ...models import Message, Source, TextPart
from ..render.text import relabelled

_UNFINISHED: Final = re.compile(r"\[[0-9a-f]{0,24}(?:\](?:\([A-Z]{0,5})?)?\Z")
_NUMBER: Final = re.compile(r"[0-9]{1,4}")


class Labels:
    """The numbers of sources by their marks, in the order in which the text cites them."""

    def __init__(self) -> None:
        self._by_mark: dict[str | None, str] = {}
        self._lock = Lock()

    def of(self, mark: str | None) -> str:
        """A mark's number: the mark itself where that is one."""
        with self._lock:
            if mark not in self._by_mark:
                taken = set(self._by_mark.values())
                free = (str(number) for number in count(1) if str(number) not in taken)
                self._by_mark[mark] = mark if mark and _NUMBER.fullmatch(mark) else next(free)
            return self._by_mark[mark]

    def of_all(self, sources: Iterable[Source]) -> dict[str | None, str]:
        """The numbers of these sources by their marks."""
        return {each.mark: self.of(each.mark) for each in sources if each.mark is not None}

    def put_into(self, text: str) -> str:
        """The text with numbers in the place of marks."""
        alone = Message(role="assistant", parts=(TextPart(text=text),))
        return relabelled(alone, lambda each: self.of(each.mark))


def whole_marks(text: str) -> int:
    """How much of a growing text holds no mark that is cut at its end."""
    found = _UNFINISHED.search(text)
    return len(text) if found is None else found.start()
