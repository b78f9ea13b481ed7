"""Where a store is mirrored to when nobody says where: a file of its own for each."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import quote

from ..errors import ConfigError

_LONGEST: Final = 60


def archive_file(label: str) -> Path:
    """The file of the store that has this label."""
    import platformdirs

    readable = re.sub(r"[^a-z0-9.]+", "-", label.lower())[:_LONGEST].strip("-.")
    sign = sha256(label.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    return platformdirs.user_data_path("convostore") / "archives" / f"{readable}-{sign}.db"


def archive_target(label: str) -> str:
    """The DSN of that file, whose folder is made when it is not there.

    Raises:
        ConfigError: The folder cannot be made.
    """
    file = archive_file(label)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{str(file.parent)!r} cannot be made ({error.strerror}): choose another place "
            "with --archive sqlite:///FILE"
        ) from None
    return f"sqlite:///{quote(file.as_posix())}"
