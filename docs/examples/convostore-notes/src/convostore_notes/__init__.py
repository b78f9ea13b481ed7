"""The plugin of `notes://`."""

from collections.abc import Mapping

from convostore.plugins import hookimpl

from .adapter import Notes
from .dialect import NotesDialect


@hookimpl
def convostore_adapters() -> Mapping[str, type[Notes]]:
    return {"notes": Notes}


@hookimpl
def convostore_dialects() -> Mapping[str, type[NotesDialect]]:
    return {"notes": NotesDialect}
