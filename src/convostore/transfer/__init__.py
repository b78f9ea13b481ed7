"""Transfer: mirror, export and import conversations, sync and async, and their reports.

The work is written once, as flows of calls on a source, a target and a file; a store is called by
its public methods, so that whatever guards those guards a transfer. No backend may be known here.
"""

from __future__ import annotations

from ._export import ExportReport
from ._files_api import (
    aexport_conversations,
    aimport_conversations,
    export_conversations,
    import_conversations,
)
from ._import import ImportReport
from ._mirror import MirrorProgress, MirrorReport, copy_id, refuse_to_delete_all
from ._mirror_api import amirror, mirror
from ._progress import TransferProgress
from ._skipped import Skipped

__all__ = [
    "ExportReport",
    "ImportReport",
    "MirrorProgress",
    "MirrorReport",
    "Skipped",
    "TransferProgress",
    "aexport_conversations",
    "aimport_conversations",
    "amirror",
    "copy_id",
    "export_conversations",
    "import_conversations",
    "mirror",
    "refuse_to_delete_all",
]
