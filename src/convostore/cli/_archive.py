"""The default archive of a store: the file that `search --mirror` copies it into.

No store is opened here.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Final

from ..errors import ConfigError

_LONGEST: Final = 60


def archive_file(label: str) -> Path:
    """Return the path of the archive of the store with this label."""
    import platformdirs

    readable = re.sub(r"[^a-z0-9.]+", "-", label.lower())[:_LONGEST].strip("-.")
    digest = sha256(label.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    return platformdirs.user_data_path("convostore") / "archives" / f"{readable}-{digest}.db"


def archive_target(label: str) -> str:
    """Return the DSN of a store's archive, and create its folder if it is missing.

    Raises:
        ConfigError: The folder cannot be created.
    """
    file = archive_file(label)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"cannot create the folder {str(file.parent)!r} ({error.strerror}): choose another "
            "archive with --archive sqlite:///FILE"
        ) from None
    from ..config import file_dsn

    return file_dsn(file)
