"""How a streamed answer is broken: at each of its pieces, in each way; values only.

What must follow is `stream_faults`' business.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from ...http import Response
from .server import Fault, head_of, in_chunks

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

Breaking: TypeAlias = Literal["end", "close", "reset", "stall"]
"""How a stream breaks off: it ends as if it were whole, or its connection breaks, or nothing comes.
"""
BREAKINGS: Final[tuple[Breaking, ...]] = get_args(Breaking)
_GARBAGE: Final = b'\xff\x00{"garbage": ['
_SEPARATORS: Final = (b"\r\n\r\n", b"\n\n", b"\n")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a stream: behind so many pieces, or in the middle of the one after these."""

    pieces: int
    in_the_middle: bool = False


def pieces_of(content: bytes) -> list[bytes]:
    """A stream's pieces: its server-sent events, or its lines."""
    separator = _separator(content)
    *whole, rest = content.split(separator)
    return [each + separator for each in whole] + ([rest] if rest else [])


def _separator(content: bytes) -> bytes:
    return next((each for each in _SEPARATORS if each in content), b"\n")


def places_of(content: bytes) -> Iterator[Place]:
    """Every place of a stream, from before its first piece to behind its last."""
    count = len(pieces_of(content))
    for number in range(count):
        yield Place(number)
        yield Place(number, in_the_middle=True)
    yield Place(count)


def cut_at(place: Place, content: bytes) -> tuple[bytes, bytes]:
    """What of a stream stands before a place, and what behind it."""
    pieces = pieces_of(content)
    end = sum(map(len, pieces[: place.pieces]))
    if place.in_the_middle:
        end += len(pieces[place.pieces]) // 2
    return content[:end], content[end:]


def broken_off(response: Response, place: Place, breaking: Breaking) -> Fault:
    """An answer that comes to a place and no further."""
    sent, _ = cut_at(place, response.content)
    start = head_of(response) + in_chunks(pieces_of(sent))
    if breaking == "end":
        return Fault("ends", start + in_chunks([b""]), "keep")
    return Fault(breaking, start, breaking)


def garbled(response: Response, place: Place) -> Fault:
    """An answer of which garbage takes the place of a piece's rest, or is a piece more."""
    sent, behind = cut_at(place, response.content)
    garbage = _GARBAGE + _separator(response.content)
    left = pieces_of(behind)[1:] if place.in_the_middle else pieces_of(behind)
    pieces = [*pieces_of(sent + garbage), *left, b""]
    return Fault("garbage", head_of(response) + in_chunks(pieces), "keep")
