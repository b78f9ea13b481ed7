"""Cuts of a streamed response: at each of its pieces, in each way; values only.

The effects are checked in `_streams`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from ...http import Response
from .server import Fault, encode_chunks, response_head

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

CutKind: TypeAlias = Literal["end", "close", "reset", "stall"]
"""How a stream breaks off: it ends as if it were whole, or its connection breaks, or nothing comes.
"""
CUT_KINDS: Final[tuple[CutKind, ...]] = get_args(CutKind)
_GARBAGE: Final = b'\xff\x00{"garbage": ['
_SEPARATORS: Final = (b"\r\n\r\n", b"\n\n", b"\n")


@dataclass(frozen=True, slots=True)
class CutPoint:
    """A place in a stream: after so many pieces, or in the middle of the next one."""

    pieces: int
    in_the_middle: bool = False


def split_pieces(content: bytes) -> list[bytes]:
    """Return a stream's pieces: its server-sent events, or its lines."""
    separator = _separator(content)
    *whole, rest = content.split(separator)
    return [piece + separator for piece in whole] + ([rest] if rest else [])


def _separator(content: bytes) -> bytes:
    return next((separator for separator in _SEPARATORS if separator in content), b"\n")


def cut_points(content: bytes) -> Iterator[CutPoint]:
    """Yield every place of a stream, from before its first piece to after its last."""
    count = len(split_pieces(content))
    for number in range(count):
        yield CutPoint(number)
        yield CutPoint(number, in_the_middle=True)
    yield CutPoint(count)


def split_at(place: CutPoint, content: bytes) -> tuple[bytes, bytes]:
    """Return what comes before a place of a stream, and what comes after it."""
    pieces = split_pieces(content)
    end = sum(map(len, pieces[: place.pieces]))
    if place.in_the_middle:
        end += len(pieces[place.pieces]) // 2
    return content[:end], content[end:]


def cut_response(response: Response, place: CutPoint, breaking: CutKind) -> Fault:
    """Return a response that comes to a place and no further."""
    sent, _ = split_at(place, response.content)
    start = response_head(response) + encode_chunks(split_pieces(sent))
    if breaking == "end":
        return Fault("ends", start + encode_chunks([b""]), "keep")
    return Fault(breaking, start, breaking)


def garbled_response(response: Response, place: CutPoint) -> Fault:
    """Return a response with garbage for the rest of a piece, or as a piece more."""
    sent, rest = split_at(place, response.content)
    garbage = _GARBAGE + _separator(response.content)
    left = split_pieces(rest)[1:] if place.in_the_middle else split_pieces(rest)
    pieces = [*split_pieces(sent + garbage), *left, b""]
    return Fault("garbage", response_head(response) + encode_chunks(pieces), "keep")
