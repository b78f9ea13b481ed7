"""Formats: readers and writers of exported conversations, by name.

Each is a module, imported on use: a writer formats values as text, a reader parses values from a
binary stream. No file may be opened here, and no store known.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

from ..errors import InvalidError
from ._base import Entry, Reader, Writer

__all__ = [
    "READ",
    "WRITTEN",
    "Entry",
    "Reader",
    "Writer",
    "format_of",
    "reader",
    "recognise",
    "writer",
]

WRITTEN: Final = ("jsonl", "markdown", "html", "openai")
"""The names of the formats that can be written."""
READ: Final = ("jsonl", "chatgpt", "openai")
"""The names of the formats that can be read."""

_SUFFIXES: Final = {
    ".jsonl": "jsonl",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
}
HEAD_SIZE: Final = 64 * 1024
"""The number of a file's first bytes that `recognise` needs."""


def writer(name: str, *, raw: bool = True) -> Writer:
    """Return a new writer of a format.

    Args:
        name: One of `WRITTEN`.
        raw: Whether `raw`, the service's own objects, is written; only JSONL holds them.

    Raises:
        InvalidError: The format is unknown.
        ConfigError: It needs libraries that are not installed.
    """
    return _writer_class(name)(raw=raw)


def _writer_class(name: str) -> type[Writer]:
    match name:
        case "jsonl":
            from .jsonl import JSONLWriter

            return JSONLWriter
        case "markdown":
            from .markdown import MarkdownWriter

            return MarkdownWriter
        case "html":
            from .html import HTMLWriter

            return HTMLWriter
        case "openai":
            from .openai import OpenAIWriter

            return OpenAIWriter
        case _:
            raise InvalidError(f"format must be one of {', '.join(WRITTEN)}, got {name!r}")


def reader(name: str) -> Reader:
    """Return the reader of a format.

    Args:
        name: One of `READ`.

    Raises:
        InvalidError: The format is unknown.
    """
    match name:
        case "jsonl":
            from . import jsonl

            return jsonl.read
        case "chatgpt":
            from . import chatgpt

            return chatgpt.read
        case "openai":
            from . import openai

            return openai.read
        case _:
            raise InvalidError(f"format must be one of {', '.join(READ)}, got {name!r}")


def format_of(path: PurePath) -> str:
    """Return the format to write to a file, by the suffix of its name.

    Raises:
        InvalidError: The suffix is unknown.
    """
    try:
        return _SUFFIXES[path.suffix.lower()]
    except KeyError:
        raise InvalidError(
            f"the name of the file must end in one of {', '.join(_SUFFIXES)}, got {path.name!r}: "
            "rename it, or pass format="
        ) from None


def recognise(head: bytes) -> str:
    """Return the format of a file, by its first bytes.

    Args:
        head: Its first 64 KiB, or all of a shorter file.

    Raises:
        InvalidError: The file is empty, or in no format that can be read.
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith((b"PK\x03\x04", b"PK\x05\x06", b"[")):
        return "chatgpt"
    line = text.partition(b"\n")[0]
    for name, signature in _SIGNATURES.items():
        if line.startswith(b"{") and signature.search(line):
            return name
    if not text:
        raise InvalidError("the file is empty: there is nothing to import")
    raise InvalidError(
        f"the format of the file was not recognised: pass format= as one of {', '.join(READ)}"
    )


_SIGNATURES: Final = {
    "jsonl": re.compile(rb'^\{\s*"format"\s*:\s*"convostore"'),
    "openai": re.compile(rb'"messages"\s*:\s*\['),
    "chatgpt": re.compile(rb'"mapping"\s*:\s*\{'),
}
