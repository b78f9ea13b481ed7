"""The operations of a store, and the facts about each that hold on every backend.

One table lists the operations: whether they change what is stored, which arguments they need, and
which errors they raise besides the common ones. The kit, the rights of the gateway, the words of
the command line and the reference are made from it. The operations that one backend offers are not
here: see `Adapter.offers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

from ..errors import ConflictError, NotFoundError, StoreError


class Operation(StrEnum):
    """The operations of a store, by the names of their methods."""

    LIST_CONVERSATIONS = "list_conversations"
    GET_CONVERSATION = "get_conversation"
    LIST_MESSAGES = "list_messages"
    GET_MESSAGE = "get_message"
    CREATE_CONVERSATION = "create_conversation"
    APPEND_MESSAGES = "append_messages"
    REPLACE_MESSAGES = "replace_messages"
    UPDATE_MESSAGE = "update_message"
    UPDATE_CONVERSATION = "update_conversation"
    PUT_CONVERSATION = "put_conversation"
    FORK_CONVERSATION = "fork_conversation"
    DELETE_CONVERSATION = "delete_conversation"
    DELETE_CONVERSATIONS = "delete_conversations"
    CLEAR_CONVERSATIONS = "clear_conversations"
    DELETE_MESSAGE = "delete_message"
    POP_MESSAGE = "pop_message"
    SET_FEEDBACK = "set_feedback"
    SEARCH = "search"
    GET_RUN_DETAILS = "get_run_details"
    SUGGEST_QUESTIONS = "suggest_questions"
    REPLY = "reply"
    STREAM_REPLY = "stream_reply"
    ANSWER = "answer"
    STREAM_ANSWER = "stream_answer"
    GET_REPLY = "get_reply"
    RESUME_REPLY = "resume_reply"
    CHECK = "check"


STREAMED_BY: Final = MappingProxyType(
    {
        Operation.REPLY: Operation.STREAM_REPLY,
        Operation.ANSWER: Operation.STREAM_ANSWER,
    }
)
"""Operations that a store does itself where the adapter has the other one, which streams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationInfo:
    """The facts about an operation that hold on every backend.

    Attributes:
        access: ``write`` if it changes what is stored, and ``read`` if not. A turn is a write: its
            question and answer are stored.
        words: What it does, for people, such as in a list of what a store offers. Several
            operations may have the same words.
        arguments: The names of the arguments that a call needs, in order.
        options: The names of the optional arguments, without the options of turns, which each
            adapter names.
        errors: The errors it may raise besides those of every operation: `UnsupportedError`,
            `AuthError`, `RateLimitError`, `UnavailableError`, `ProtocolError`, and `InvalidError`
            of an argument or a closed store.
    """

    access: Literal["read", "write"]
    words: str
    arguments: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    errors: tuple[type[StoreError], ...] = ()


_ID: Final = ("conversation_id",)
_BOTH_IDS: Final = ("conversation_id", "message_id")
_TURN_IDS: Final = ("conversation_id", "turn_id")
_PAGE: Final = ("limit", "cursor")
_LIST: Final = (*_PAGE, "order", "start")

OPERATIONS: Final[Mapping[Operation, OperationInfo]] = MappingProxyType(
    {
        Operation.LIST_CONVERSATIONS: OperationInfo(
            access="read",
            words="read",
            options=(*_LIST, "older_than", "owner"),
            errors=(NotFoundError,),
        ),
        Operation.GET_CONVERSATION: OperationInfo(
            access="read", words="read", arguments=_ID, errors=(NotFoundError,)
        ),
        Operation.LIST_MESSAGES: OperationInfo(
            access="read",
            words="read",
            arguments=_ID,
            options=_LIST,
            errors=(NotFoundError,),
        ),
        Operation.GET_MESSAGE: OperationInfo(
            access="read", words="read", arguments=_BOTH_IDS, errors=(NotFoundError,)
        ),
        Operation.CREATE_CONVERSATION: OperationInfo(
            access="write",
            words="create",
            options=("id", "title", "created_at", "origin", "owner", "metadata"),
            errors=(ConflictError,),
        ),
        Operation.APPEND_MESSAGES: OperationInfo(
            access="write",
            words="append",
            arguments=(*_ID, "messages"),
            options=("after",),
            errors=(NotFoundError, ConflictError),
        ),
        Operation.REPLACE_MESSAGES: OperationInfo(
            access="write",
            words="replace messages",
            arguments=(*_ID, "messages", "after"),
            options=("tip",),
            errors=(NotFoundError, ConflictError),
        ),
        Operation.UPDATE_MESSAGE: OperationInfo(
            access="write",
            words="edit messages",
            arguments=(*_ID, "message"),
            options=("was",),
            errors=(NotFoundError, ConflictError),
        ),
        Operation.UPDATE_CONVERSATION: OperationInfo(
            access="write",
            words="rename and pin",
            arguments=_ID,
            options=("title", "pinned", "owner", "metadata"),
            errors=(NotFoundError,),
        ),
        Operation.PUT_CONVERSATION: OperationInfo(
            access="write", words="store copies", arguments=("conversation",)
        ),
        Operation.FORK_CONVERSATION: OperationInfo(
            access="write",
            words="fork",
            arguments=_BOTH_IDS,
            options=("id", "title", "owner", "metadata"),
            errors=(NotFoundError, ConflictError),
        ),
        Operation.DELETE_CONVERSATION: OperationInfo(access="write", words="delete", arguments=_ID),
        Operation.DELETE_CONVERSATIONS: OperationInfo(
            access="write", words="delete by age or owner", options=("owner", "older_than")
        ),
        Operation.CLEAR_CONVERSATIONS: OperationInfo(access="write", words="delete everything"),
        Operation.DELETE_MESSAGE: OperationInfo(
            access="write", words="delete messages", arguments=_BOTH_IDS
        ),
        Operation.POP_MESSAGE: OperationInfo(
            access="write",
            words="delete messages",
            arguments=(*_ID, "tip"),
            errors=(NotFoundError, ConflictError),
        ),
        Operation.SET_FEEDBACK: OperationInfo(
            access="write",
            words="rate answers",
            arguments=(*_BOTH_IDS, "feedback"),
            errors=(NotFoundError,),
        ),
        Operation.SEARCH: OperationInfo(
            access="read",
            words="search",
            arguments=("query",),
            options=(*_PAGE, "conversation_id", "role", "since", "until", "owner"),
        ),
        Operation.GET_RUN_DETAILS: OperationInfo(
            access="read", words="show run details", arguments=_BOTH_IDS
        ),
        Operation.SUGGEST_QUESTIONS: OperationInfo(
            access="read", words="suggest questions", arguments=_ID
        ),
        Operation.REPLY: OperationInfo(
            access="write",
            words="chat",
            arguments=(*_ID, "content"),
            options=("turn_id", "owner", "metadata"),
            errors=(ConflictError,),
        ),
        Operation.STREAM_REPLY: OperationInfo(
            access="write",
            words="chat",
            arguments=(*_ID, "content"),
            options=("turn_id", "owner", "metadata"),
            errors=(ConflictError,),
        ),
        Operation.ANSWER: OperationInfo(
            access="write",
            words="answer interactions",
            arguments=(*_ID, "answer"),
            errors=(NotFoundError, ConflictError),
        ),
        Operation.STREAM_ANSWER: OperationInfo(
            access="write",
            words="answer interactions",
            arguments=(*_ID, "answer"),
            errors=(NotFoundError, ConflictError),
        ),
        Operation.GET_REPLY: OperationInfo(
            access="read",
            words="resume replies",
            arguments=_TURN_IDS,
            errors=(NotFoundError, ConflictError),
        ),
        Operation.RESUME_REPLY: OperationInfo(
            access="read",
            words="resume replies",
            arguments=_TURN_IDS,
            errors=(NotFoundError,),
        ),
        Operation.CHECK: OperationInfo(access="read", words="check"),
    }
)
"""The facts about each operation, in the order in which operations are listed everywhere."""

READING: Final = frozenset(
    operation for operation, info in OPERATIONS.items() if info.access == "read"
)
"""The operations that change nothing: what a read-only store permits."""

TURN_ARGUMENTS: Final = frozenset({"self"}).union(
    *[
        OPERATIONS[operation].arguments + OPERATIONS[operation].options
        for operation in (Operation.REPLY, Operation.ANSWER)
    ]
)
"""The arguments of the methods that send a turn: the names that no option of a turn may have."""
