"""The schema: conversations, messages, replies and events, as closed, frozen values.

Every backend's data is converted into these and nothing else: a field is modelled here, or it is in
`raw`. No I/O, no field of a service and no parsing of foreign data may be here. The modules of this
package are private; import all names from here.

Replies and events load when they are first used: they take their time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_attributes
from ._base import JSON, Portable, Timestamp, Value
from ._conversations import (
    Conversation,
    ConversationChange,
    ConversationFilter,
    Health,
    NewConversation,
    Origin,
    RunStep,
    Transcript,
)
from ._messages import (
    Citation,
    Feedback,
    Message,
    MessageFields,
    Problem,
    Role,
    Source,
    SourceKind,
    Status,
)
from ._metadata import merge_metadata
from ._paging import ANY, UNSET, AnyTip, Listing, Order, Page, Unset
from ._parts import (
    FilePart,
    InteractionField,
    InteractionOption,
    InteractionPart,
    OtherPart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

if TYPE_CHECKING:
    from ._events import (
        InteractionRequested,
        OtherEvent,
        PartAdded,
        PartsReplaced,
        ReasoningDelta,
        ReplyEvent,
        ReplyFinished,
        RunDetailsReported,
        SourcesFound,
        StatusChanged,
        TextDelta,
        TitleChanged,
        ToolCallArgumentsDelta,
        ToolCallStarted,
        ToolResultDelta,
        UsageReported,
        VariablesUpdated,
    )
    from ._replies import PartialReply, Reply, Usage, pending_interaction

__all__ = [
    "ANY",
    "JSON",
    "UNSET",
    "AnyTip",
    "Citation",
    "Conversation",
    "ConversationChange",
    "ConversationFilter",
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
    "NewConversation",
    "Order",
    "Origin",
    "OtherEvent",
    "OtherPart",
    "Page",
    "Part",
    "PartAdded",
    "PartialReply",
    "PartsReplaced",
    "Portable",
    "Problem",
    "ReasoningDelta",
    "ReasoningPart",
    "Reply",
    "ReplyEvent",
    "ReplyFinished",
    "Role",
    "RunDetailsReported",
    "RunStep",
    "Source",
    "SourceKind",
    "SourcesFound",
    "Status",
    "StatusChanged",
    "TextDelta",
    "TextPart",
    "Timestamp",
    "TitleChanged",
    "ToolCallArgumentsDelta",
    "ToolCallPart",
    "ToolCallStarted",
    "ToolResultDelta",
    "ToolResultPart",
    "Transcript",
    "Unset",
    "Usage",
    "UsageReported",
    "Value",
    "VariablesUpdated",
    "merge_metadata",
    "pending_interaction",
]

if not TYPE_CHECKING:  # type checkers would take any name for one that is there
    __getattr__ = lazy_attributes(
        __name__,
        {
            "InteractionRequested": "_events",
            "OtherEvent": "_events",
            "PartAdded": "_events",
            "PartialReply": "_replies",
            "PartsReplaced": "_events",
            "ReasoningDelta": "_events",
            "Reply": "_replies",
            "ReplyEvent": "_events",
            "ReplyFinished": "_events",
            "RunDetailsReported": "_events",
            "SourcesFound": "_events",
            "StatusChanged": "_events",
            "TextDelta": "_events",
            "TitleChanged": "_events",
            "ToolCallArgumentsDelta": "_events",
            "ToolCallStarted": "_events",
            "ToolResultDelta": "_events",
            "Usage": "_replies",
            "UsageReported": "_events",
            "VariablesUpdated": "_events",
            "pending_interaction": "_replies",
        },
    )
