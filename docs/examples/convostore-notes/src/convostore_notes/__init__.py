"""The plugin of `notes://`."""

from collections.abc import Mapping

from convostore.dialect import Dialect
from convostore.plugins import hookimpl

from .adapter import Notes


@hookimpl
def convostore_adapters() -> Mapping[str, type[Notes]]:
    return {"notes": Notes}


@hookimpl
def convostore_dialects() -> Mapping[str, type[Dialect]]:
    from .dialect import NotesDialect  # so that who opens notes:// does not load it

    return {"notes": NotesDialect}
