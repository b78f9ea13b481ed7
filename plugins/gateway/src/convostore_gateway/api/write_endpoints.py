"""The endpoints of the native API that change what is stored, as a table."""

from __future__ import annotations

from typing import Any, Final

from convostore.adapters import Operation
from convostore.errors import InvalidError
from convostore.models import Conversation, Message

from .. import schema
from . import parameters
from .endpoint import CONVERSATION, CONVERSATIONS, MESSAGE, MESSAGES, Call, Endpoint, Several

# Any, in this module: a result of any operation is rendered by its own class.


async def _put(call: Call) -> None:
    if call.body.id != call.ids["conversation_id"]:
        raise InvalidError("the body's id is not the one of the path: they must be equal")
    await call.store.put_conversation(call.body)


async def _deleted_conversations(call: Call) -> Any:
    return {"deleted": await call.store.delete_conversations(**call.query)}


_DELETED: Final = {
    "type": "object",
    "properties": {"deleted": {"type": "integer", "minimum": 0}},
    "required": ["deleted"],
}

WRITING: Final = (
    Endpoint(
        method="POST",
        template=CONVERSATIONS,
        operation=Operation.CREATE_CONVERSATION,
        summary="Makes a conversation; one that is there with the same values is returned.",
        handle=lambda call: call.store.create_conversation(
            id=call.body.id,
            title=call.body.title,
            created_at=call.body.created_at,
            origin=call.body.origin,
        ),
        body=schema.CreateBody,
        answers=Conversation,
        status=201,
        may_conflict=True,
    ),
    Endpoint(
        method="DELETE",
        template=CONVERSATIONS,
        operation=Operation.DELETE_CONVERSATIONS,
        summary="Deletes the conversations that were last active before a time.",
        handle=_deleted_conversations,
        parameters=(parameters.OLDER_THAN_NEEDED,),
        answers=_DELETED,
    ),
    Endpoint(
        method="POST",
        template="/v1/clear",
        operation=Operation.CLEAR_CONVERSATIONS,
        summary="Deletes every conversation of the store.",
        handle=lambda call: call.store.clear_conversations(),
        answers=None,
    ),
    Endpoint(
        method="PUT",
        template=CONVERSATION,
        operation=Operation.PUT_CONVERSATION,
        summary="Stores a conversation's own fields as given; its messages stay as they are.",
        handle=_put,
        body=Conversation,
        answers=None,
    ),
    Endpoint(
        method="PATCH",
        template=CONVERSATION,
        operation=Operation.UPDATE_CONVERSATION,
        summary="Changes the title, or whether it is pinned; what is absent stays.",
        handle=lambda call: call.store.update_conversation(
            **call.ids, title=call.body.title, pinned=call.body.pinned
        ),
        body=schema.UpdateBody,
        answers=None,
    ),
    Endpoint(
        method="DELETE",
        template=CONVERSATION,
        operation=Operation.DELETE_CONVERSATION,
        summary="Deletes a conversation; one that is not there is done.",
        handle=lambda call: call.store.delete_conversation(**call.ids),
        answers=None,
    ),
    Endpoint(
        method="POST",
        template=f"{CONVERSATION}/fork",
        operation=Operation.FORK_CONVERSATION,
        summary="Makes a conversation of another one's messages up to one of them.",
        handle=lambda call: call.store.fork_conversation(
            **call.ids, message_id=call.body.message_id, id=call.body.new_id, title=call.body.title
        ),
        body=schema.ForkBody,
        answers=Conversation,
        status=201,
        may_conflict=True,
    ),
    Endpoint(
        method="POST",
        template=MESSAGES,
        operation=Operation.APPEND_MESSAGES,
        summary="Appends messages, all or none; one that is stored already is left as it is.",
        handle=lambda call: call.store.append_messages(
            **call.ids, messages=call.body.messages, after=call.body.after
        ),
        body=schema.AppendBody,
        answers=Several(Message),
        may_conflict=True,
    ),
    Endpoint(
        method="PUT",
        template=MESSAGES,
        operation=Operation.REPLACE_MESSAGES,
        summary="Puts messages in the place of all that stand behind one.",
        handle=lambda call: call.store.replace_messages(
            **call.ids, messages=call.body.messages, after=call.body.after
        ),
        body=schema.ReplaceBody,
        answers=Several(Message),
        may_conflict=True,
    ),
    Endpoint(
        method="DELETE",
        template=MESSAGE,
        operation=Operation.DELETE_MESSAGE,
        summary="Deletes a message; one that is not there is done.",
        handle=lambda call: call.store.delete_message(**call.ids),
        answers=None,
    ),
    Endpoint(
        method="PUT",
        template=f"{MESSAGE}/feedback",
        operation=Operation.SET_FEEDBACK,
        summary="Sets what the user thought of an answer; null clears it.",
        handle=lambda call: call.store.set_feedback(**call.ids, feedback=call.body),
        body=schema.FeedbackBody,
        answers=None,
    ),
)
