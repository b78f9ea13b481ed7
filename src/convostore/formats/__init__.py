"""The formats that conversations are exported to and imported from, by name.

Each is a module, imported when it is asked for: a writer makes texts of values and a reader takes
values from a binary stream. What opens and closes the files is `files`; no store is known here.
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
READ: Final = ("jsonl", "chatgpt", "openai")

_SUFFIXES: Final = {
    ".jsonl": "jsonl",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
}
LOOKED_AT: Final = 64 * 1024
"""How many of a file's first bytes `recognise` wants to see."""


def writer(name: str, *, raw: bool = True) -> Writer:
    """Makes the writer of a format.

    Raises:
        InvalidError: There is none of that name.
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
            raise InvalidError(
                f"there is no format {name!r} to write; there are: {', '.join(WRITTEN)}"
            )


def reader(name: str) -> Reader:
    """The reader of a format.

    Raises:
        InvalidError: There is none of that name.
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
            raise InvalidError(f"there is no format {name!r} to read; there are: {', '.join(READ)}")


def format_of(path: PurePath) -> str:
    """The format that a file's name asks for, when it is to be written.

    Raises:
        InvalidError: It asks for none.
    """
    try:
        return _SUFFIXES[path.suffix.lower()]
    except KeyError:
        raise InvalidError(
            f"{path.name!r} names no format: end it in {', '.join(_SUFFIXES)}, or pass format="
        ) from None


def recognise(head: bytes) -> str:
    """The format of a file, by its first bytes.

    Raises:
        InvalidError: It is none that can be read.
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith((b"PK\x03\x04", b"PK\x05\x06", b"[")):
        return "chatgpt"
    line = text.partition(b"\n")[0]
    for name, sign in _SIGNS.items():
        if line.startswith(b"{") and sign.search(line):
            return name
    if not text:
        raise InvalidError("this file is empty: there is nothing to import")
    raise InvalidError(
        f"this file is in no format that is recognised: pass format= as one of {', '.join(READ)}"
    )


_SIGNS: Final = {
    "jsonl": re.compile(rb'^\{\s*"format"\s*:\s*"convostore"'),
    "openai": re.compile(rb'"messages"\s*:\s*\['),
    "chatgpt": re.compile(rb'"mapping"\s*:\s*\{'),
}
