"""One `ConversationStore` interface over many chat-history backends; the public names.

Each is imported when it is first used, so that a program that only names the library, or shows its
help, does not wait for pydantic and the models.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .adapters import Operation as Operation
    from .adapters import Traits as Traits
    from .config import OpenOptions as OpenOptions
    from .config import aopen as aopen
    from .config import open as open
    from .dsn import DSN as DSN
    from .errors import AuthError as AuthError
    from .errors import ConfigError as ConfigError
    from .errors import ConflictError as ConflictError
    from .errors import ForbiddenError as ForbiddenError
    from .errors import InvalidError as InvalidError
    from .errors import NotFoundError as NotFoundError
    from .errors import PluginError as PluginError
    from .errors import ProtocolError as ProtocolError
    from .errors import RateLimitError as RateLimitError
    from .errors import StoreError as StoreError
    from .errors import UnavailableError as UnavailableError
    from .errors import UnsupportedError as UnsupportedError
    from .models import ANY as ANY
    from .models import UNSET as UNSET
    from .models import Citation as Citation
    from .models import Conversation as Conversation
    from .models import Feedback as Feedback
    from .models import FilePart as FilePart
    from .models import Health as Health
    from .models import InteractionField as InteractionField
    from .models import InteractionOption as InteractionOption
    from .models import InteractionPart as InteractionPart
    from .models import InteractionRequested as InteractionRequested
    from .models import Listing as Listing
    from .models import Message as Message
    from .models import MessageFields as MessageFields
    from .models import Origin as Origin
    from .models import OtherEvent as OtherEvent
    from .models import OtherPart as OtherPart
    from .models import Page as Page
    from .models import Part as Part
    from .models import PartAdded as PartAdded
    from .models import PartialReply as PartialReply
    from .models import PartsReplaced as PartsReplaced
    from .models import Problem as Problem
    from .models import ReasoningDelta as ReasoningDelta
    from .models import ReasoningPart as ReasoningPart
    from .models import Reply as Reply
    from .models import ReplyEvent as ReplyEvent
    from .models import ReplyFinished as ReplyFinished
    from .models import RunDetailsReported as RunDetailsReported
    from .models import RunStep as RunStep
    from .models import Source as Source
    from .models import SourcesFound as SourcesFound
    from .models import StatusChanged as StatusChanged
    from .models import TextDelta as TextDelta
    from .models import TextPart as TextPart
    from .models import TitleChanged as TitleChanged
    from .models import ToolCallArgumentsDelta as ToolCallArgumentsDelta
    from .models import ToolCallPart as ToolCallPart
    from .models import ToolCallStarted as ToolCallStarted
    from .models import ToolResultDelta as ToolResultDelta
    from .models import ToolResultPart as ToolResultPart
    from .models import Transcript as Transcript
    from .models import Usage as Usage
    from .models import UsageReported as UsageReported
    from .models import VariablesUpdated as VariablesUpdated
    from .models import pending_interaction as pending_interaction
    from .search import Hit as Hit
    from .search import Snippet as Snippet
    from .store import AsyncConversationStore as AsyncConversationStore
    from .store import AsyncReplyStream as AsyncReplyStream
    from .store import ConversationStore as ConversationStore
    from .store import ReplyStream as ReplyStream
    from .transfer import ExportReport as ExportReport
    from .transfer import ImportReport as ImportReport
    from .transfer import MirrorProgress as MirrorProgress
    from .transfer import MirrorReport as MirrorReport
    from .transfer import Skipped as Skipped
    from .transfer import TransferProgress as TransferProgress
    from .transfer import aexport_conversations as aexport_conversations
    from .transfer import aimport_conversations as aimport_conversations
    from .transfer import amirror as amirror
    from .transfer import export_conversations as export_conversations
    from .transfer import import_conversations as import_conversations
    from .transfer import mirror as mirror

    __version__: str
    """The version of the installed distribution."""

_HOMES: Final = {
    "adapters": (
        "Operation",
        "Traits",
    ),
    "config": (
        "OpenOptions",
        "aopen",
        "open",
    ),
    "dsn": ("DSN",),
    "errors": (
        "AuthError",
        "ConfigError",
        "ConflictError",
        "ForbiddenError",
        "InvalidError",
        "NotFoundError",
        "PluginError",
        "ProtocolError",
        "RateLimitError",
        "StoreError",
        "UnavailableError",
        "UnsupportedError",
    ),
    "models": (
        "ANY",
        "Citation",
        "Conversation",
        "Feedback",
        "FilePart",
        "Health",
        "InteractionField",
        "InteractionOption",
        "InteractionPart",
        "InteractionRequested",
        "Listing",
        "Message",
        "MessageFields",
        "Origin",
        "OtherEvent",
        "OtherPart",
        "Page",
        "Part",
        "PartAdded",
        "PartialReply",
        "PartsReplaced",
        "Problem",
        "ReasoningDelta",
        "ReasoningPart",
        "Reply",
        "ReplyEvent",
        "ReplyFinished",
        "RunDetailsReported",
        "RunStep",
        "Source",
        "SourcesFound",
        "StatusChanged",
        "TextDelta",
        "TextPart",
        "TitleChanged",
        "ToolCallArgumentsDelta",
        "ToolCallPart",
        "ToolCallStarted",
        "ToolResultDelta",
        "ToolResultPart",
        "Transcript",
        "UNSET",
        "Usage",
        "UsageReported",
        "VariablesUpdated",
        "pending_interaction",
    ),
    "search": (
        "Hit",
        "Snippet",
    ),
    "store": (
        "AsyncConversationStore",
        "AsyncReplyStream",
        "ConversationStore",
        "ReplyStream",
    ),
    "transfer": (
        "ExportReport",
        "ImportReport",
        "MirrorProgress",
        "MirrorReport",
        "Skipped",
        "TransferProgress",
        "aexport_conversations",
        "aimport_conversations",
        "amirror",
        "export_conversations",
        "import_conversations",
        "mirror",
    ),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


if not TYPE_CHECKING:  # type checkers would take any name for one that is there

    def __getattr__(name: str) -> object:
        """Import a public name, or the module that defines it, when it is first used."""
        if name == "__version__":
            return _version()
        if name in _HOMES:
            return import_module(f".{name}", __name__)
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
        return value


def _version() -> str:
    from importlib.metadata import version

    return version(__name__)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
