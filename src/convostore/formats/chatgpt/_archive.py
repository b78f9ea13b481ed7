"""Where a ChatGPT export keeps its conversations: a file, a zip or a folder, old or new.

A zip is read piece by piece and never unpacked; one that would unpack to an absurd size is refused.
What the files hold is not known here.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from ...errors import InvalidError

_WANTED: Final = re.compile(r"(?:^|/)conversations(?:-\d+)?\.json$")
_MAX_RATIO: Final = 200
_HARMLESS: Final = 64 * 1024 * 1024
"""Bytes that may be unpacked whatever they were packed to; beyond, a text shrinks 200 times at most
(measured ones: 5 to 20 times, a bomb: 1,000)."""


@contextmanager
def broken_zips_named() -> Iterator[None]:
    """Turns what `zipfile` raises for a broken archive into an error of ours.

    Raises:
        InvalidError: The archive cannot be read.
    """
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InvalidError(f"this zip is broken: {error}. Download it anew") from error
    except NotImplementedError as error:  # a method of packing that Python does not know
        raise InvalidError(f"this zip cannot be read: {error}. Unpack it, then import") from error


def files_in_zip(archive: zipfile.ZipFile) -> Iterator[IO[bytes]]:
    """Opens the files of conversations, one after the other.

    Raises:
        InvalidError: There are none, or one is encrypted or a bomb.
    """
    members = sorted(
        (each for each in archive.infolist() if _is_wanted(each.filename)),
        key=lambda each: each.filename,
    )
    if not members:
        raise InvalidError(
            "this zip holds no conversations.json (or conversations-000.json …): "
            "is it a ChatGPT export?"
        )
    for member in members:
        if member.flag_bits & 1:
            raise InvalidError("this zip is encrypted: unpack it with its password, then import")
        if member.file_size > max(_HARMLESS, _MAX_RATIO * member.compress_size):
            raise InvalidError(
                f"{member.filename!r} in this zip would unpack from {member.compress_size} to "
                f"{member.file_size} bytes: that is no export of conversations"
            )
        with archive.open(member) as file:
            yield file


def files_in_folder(folder: Path) -> list[Path]:
    """The files of conversations in an unpacked export.

    Raises:
        InvalidError: There are none.
    """
    found = sorted(each for each in folder.glob("conversations*.json") if _is_wanted(each.name))
    if not found:
        raise InvalidError(f"there is no conversations.json in {folder}")
    return found


def _is_wanted(name: str) -> bool:
    return _WANTED.search(name) is not None and not name.startswith("__MACOSX/")
