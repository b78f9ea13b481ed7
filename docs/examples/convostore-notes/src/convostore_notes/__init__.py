"""The plugin of `notes://`."""

from collections.abc import Mapping

from convostore.plugins import hookimpl


@hookimpl
def convostore_adapters() -> Mapping[str, object]:
    from .adapter import Notes

    return {"notes": Notes}


@hookimpl
def convostore_dialects() -> Mapping[str, object]:
    from .dialect import NotesDialect

    return {"notes": NotesDialect}
