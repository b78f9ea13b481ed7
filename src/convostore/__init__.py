"""One `ConversationStore` interface over many chat-history backends; the public names.

Each is imported when it is first used, so that a program that only names the library, or shows its
help, does not wait for pydantic and the models.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .adapter import Operation as Operation
    from .adapter import Traits as Traits
    from .config import aopen as aopen
    from .config import open as open
    from .dsn import DSN as DSN
    from .errors import AuthError as AuthError
    from .errors import ConfigError as ConfigError
    from .errors import ConflictError as ConflictError
    from .errors import InvalidError as InvalidError
    from .errors import NotFoundError as NotFoundError
    from .errors import PluginError as PluginError
    from .errors import ProtocolError as ProtocolError
    from .errors import RateLimitError as RateLimitError
    from .errors import StoreError as StoreError
    from .errors import UnavailableError as UnavailableError
    from .errors import UnsupportedError as UnsupportedError
    from .events import InteractionRequested as InteractionRequested
    from .events import OtherEvent as OtherEvent
    from .events import PartAdded as PartAdded
    from .events import PartsReplaced as PartsReplaced
    from .events import ReasoningDelta as ReasoningDelta
    from .events import ReplyEvent as ReplyEvent
    from .events import ReplyFinished as ReplyFinished
    from .events import RunDetailsReported as RunDetailsReported
    from .events import SourcesFound as SourcesFound
    from .events import StatusChanged as StatusChanged
    from .events import TextDelta as TextDelta
    from .events import TitleChanged as TitleChanged
    from .events import ToolCallArgumentsDelta as ToolCallArgumentsDelta
    from .events import ToolCallStarted as ToolCallStarted
    from .events import ToolResultDelta as ToolResultDelta
    from .events import UsageReported as UsageReported
    from .events import VariablesUpdated as VariablesUpdated
    from .mirroring import MirrorProgress as MirrorProgress
    from .mirroring import MirrorReport as MirrorReport
    from .mirroring import Skipped as Skipped
    from .mirroring import amirror as amirror
    from .mirroring import mirror as mirror
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
    from .models import Message as Message
    from .models import Origin as Origin
    from .models import OtherPart as OtherPart
    from .models import Page as Page
    from .models import Part as Part
    from .models import Problem as Problem
    from .models import ReasoningPart as ReasoningPart
    from .models import RunStep as RunStep
    from .models import Source as Source
    from .models import TextPart as TextPart
    from .models import ToolCallPart as ToolCallPart
    from .models import ToolResultPart as ToolResultPart
    from .models import Transcript as Transcript
    from .replies import PartialReply as PartialReply
    from .replies import Reply as Reply
    from .replies import Usage as Usage
    from .replies import pending_interaction as pending_interaction
    from .searching import Hit as Hit
    from .searching import Snippet as Snippet
    from .store import AsyncConversationStore as AsyncConversationStore
    from .store import ConversationStore as ConversationStore
    from .streaming import AsyncReplyStream as AsyncReplyStream
    from .streaming import ReplyStream as ReplyStream
    from .transfer import ExportReport as ExportReport
    from .transfer import ImportReport as ImportReport
    from .transfer import TransferProgress as TransferProgress
    from .transfer import aexport_conversations as aexport_conversations
    from .transfer import aimport_conversations as aimport_conversations
    from .transfer import export_conversations as export_conversations
    from .transfer import import_conversations as import_conversations

_HOMES: Final = {
    "adapter": ("Operation", "Traits"),
    "config": ("aopen", "open"),
    "dsn": ("DSN",),
    "errors": (
        "AuthError",
        "ConfigError",
        "ConflictError",
        "InvalidError",
        "NotFoundError",
        "PluginError",
        "ProtocolError",
        "RateLimitError",
        "StoreError",
        "UnavailableError",
        "UnsupportedError",
    ),
    "events": (
        "InteractionRequested",
        "OtherEvent",
        "PartAdded",
        "PartsReplaced",
        "ReasoningDelta",
        "ReplyEvent",
        "ReplyFinished",
        "RunDetailsReported",
        "SourcesFound",
        "StatusChanged",
        "TextDelta",
        "TitleChanged",
        "ToolCallArgumentsDelta",
        "ToolCallStarted",
        "ToolResultDelta",
        "UsageReported",
        "VariablesUpdated",
    ),
    "mirroring": ("MirrorProgress", "MirrorReport", "Skipped", "amirror", "mirror"),
    "models": (
        "ANY",
        "UNSET",
        "Citation",
        "Conversation",
        "Feedback",
        "FilePart",
        "Health",
        "InteractionField",
        "InteractionOption",
        "InteractionPart",
        "Message",
        "Origin",
        "OtherPart",
        "Page",
        "Part",
        "Problem",
        "ReasoningPart",
        "RunStep",
        "Source",
        "TextPart",
        "ToolCallPart",
        "ToolResultPart",
        "Transcript",
    ),
    "replies": ("PartialReply", "Reply", "Usage", "pending_interaction"),
    "searching": ("Hit", "Snippet"),
    "store": ("AsyncConversationStore", "ConversationStore"),
    "streaming": ("AsyncReplyStream", "ReplyStream"),
    "transfer": (
        "ExportReport",
        "ImportReport",
        "TransferProgress",
        "aexport_conversations",
        "aimport_conversations",
        "export_conversations",
        "import_conversations",
    ),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    """Imports a public name, or one of the modules that they live in, when it is first used."""
    if name in _HOMES:
        return import_module(f".{name}", __name__)
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
