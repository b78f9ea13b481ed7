"""The files with the conversations of a ChatGPT export, in a zip or a folder.

A zip is read as a stream and never unpacked; one that would unpack to an absurd size is refused.
The contents of the files are not known here.
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

_FILE_NAME: Final = re.compile(r"(?:^|/)conversations(?:-\d+)?\.json$")
_MAX_RATIO: Final = 200
_HARMLESS: Final = 64 * 1024 * 1024
"""Bytes that may be unpacked at any ratio; of more the ratio may be 200 at most.

Measured: exports 5 to 20, a bomb 1,000.
"""


@contextmanager
def convert_zip_errors() -> Iterator[None]:
    """Convert the exceptions of `zipfile` for a broken archive.

    Raises:
        InvalidError: The archive cannot be read.
    """
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InvalidError(f"the zip is broken: {error}. Download it again") from error
    except NotImplementedError as error:  # an unknown compression method
        raise InvalidError(
            f"cannot read the zip: {error}. Unpack it, then import the folder"
        ) from error


def files_in_zip(archive: zipfile.ZipFile) -> Iterator[IO[bytes]]:
    """Yield the files with conversations, open, one after the other.

    Raises:
        InvalidError: There is none, or one is encrypted or a zip bomb.
    """
    members = sorted(
        (member for member in archive.infolist() if _has_conversations(member.filename)),
        key=lambda member: member.filename,
    )
    if not members:
        raise InvalidError(
            "the zip has no conversations.json (or conversations-000.json …): "
            "is it a ChatGPT export?"
        )
    for member in members:
        if member.flag_bits & 1:
            raise InvalidError(
                "the zip is encrypted: unpack it with its password, then import the folder"
            )
        if member.file_size > max(_HARMLESS, _MAX_RATIO * member.compress_size):
            raise InvalidError(
                f"{member.filename!r} in the zip would unpack from {member.compress_size} to "
                f"{member.file_size} bytes: it is not an export of conversations"
            )
        with archive.open(member) as file:
            yield file


def files_in_folder(folder: Path) -> list[Path]:
    """Return the files with conversations in an unpacked export.

    Raises:
        InvalidError: There is none.
    """
    paths = folder.glob("conversations*.json")
    files = sorted(path for path in paths if _has_conversations(path.name))
    if not files:
        raise InvalidError(
            f"the folder {folder} has no conversations.json: is it a ChatGPT export?"
        )
    return files


def _has_conversations(name: str) -> bool:
    return _FILE_NAME.search(name) is not None and not name.startswith("__MACOSX/")
