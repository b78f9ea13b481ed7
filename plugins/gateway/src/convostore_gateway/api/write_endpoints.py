"""Endpoints of the native API that change what is stored."""

from __future__ import annotations

from typing import Final

from convostore.adapters import Operation
from convostore.errors import InvalidError
from convostore.models import Conversation, Feedback, Message
from convostore.parsing import Row
from convostore.serialization import dump

from .. import schema
from . import parameters
from .endpoint import CONVERSATION, CONVERSATIONS, MESSAGE, MESSAGES, Call, Endpoint, Several


async def _create(call: Call) -> Conversation:
    body = call.body_as(schema.CreateBody)
    return await call.store.create_conversation(
        id=body.id,
        title=body.title,
        created_at=body.created_at,
        origin=body.origin,
        owner=body.owner,
        metadata=body.metadata,
    )


async def _put(call: Call) -> None:
    conversation = call.body_as(Conversation)
    if conversation.id != call.ids["conversation_id"]:
        raise InvalidError("the id of the body must be the id of the path")
    await call.store.put_conversation(conversation)


async def _update(call: Call) -> None:
    body = call.body_as(schema.UpdateBody)
    await call.store.update_conversation(
        call.ids["conversation_id"],
        title=body.title,
        pinned=body.pinned,
        owner=body.owner,
        metadata=body.metadata,
    )


async def _delete_conversations(call: Call) -> Row:
    older_than = call.optional(parameters.OLDER_THAN)
    deleted = await call.store.delete_conversations(owner=call.owner, older_than=older_than)
    return {"deleted": deleted}


async def _fork(call: Call) -> Conversation:
    body = call.body_as(schema.ForkBody)
    return await call.store.fork_conversation(
        call.ids["conversation_id"],
        body.message_id,
        id=body.new_id,
        title=body.title,
        owner=body.owner,
        metadata=body.metadata,
    )


async def _append(call: Call) -> tuple[Message, ...]:
    body = call.body_as(schema.AppendBody)
    return await call.store.append_messages(
        call.ids["conversation_id"], body.messages, after=body.after
    )


async def _replace(call: Call) -> tuple[Message, ...]:
    body = call.body_as(schema.ReplaceBody)
    return await call.store.replace_messages(
        call.ids["conversation_id"], body.messages, after=body.after, tip=body.tip
    )


async def _edit(call: Call) -> Message:
    body = call.body_as(schema.EditBody)
    if body.message.id != call.ids["message_id"]:
        raise InvalidError("the id of the message must be the id of the path")
    return await call.store.update_message(call.ids["conversation_id"], body.message, was=body.was)


async def _delete_message(call: Call) -> Row:
    return {"deleted": await call.store.delete_message(**call.ids)}


async def _pop(call: Call) -> Row:
    tip = call.body_as(schema.PopBody).tip
    message = await call.store.pop_message(call.ids["conversation_id"], tip=tip)
    return {"message": None if message is None else dump(message)}


async def _set_feedback(call: Call) -> None:
    feedback = None if call.body is None else call.body_as(Feedback)
    await call.store.set_feedback(**call.ids, feedback=feedback)


_DELETED_COUNT: Final = {
    "type": "object",
    "properties": {"deleted": {"type": "integer", "minimum": 0}},
    "required": ["deleted"],
}

WRITING: Final = (
    Endpoint(
        method="POST",
        template=CONVERSATIONS,
        operation=Operation.CREATE_CONVERSATION,
        summary="Create a conversation; an existing one with the same values is returned.",
        handle=_create,
        body=schema.CreateBody,
        answers=Conversation,
        status=201,
        may_conflict=True,
    ),
    Endpoint(
        method="DELETE",
        template=CONVERSATIONS,
        operation=Operation.DELETE_CONVERSATIONS,
        summary="Delete the conversations of an owner, of an age, or of both; one must be given.",
        handle=_delete_conversations,
        parameters=(parameters.OWNER, parameters.WITHOUT_OWNER, parameters.OLDER_THAN),
        answers=_DELETED_COUNT,
    ),
    Endpoint(
        method="POST",
        template="/v1/clear",
        operation=Operation.CLEAR_CONVERSATIONS,
        summary="Delete every conversation of the store.",
        handle=lambda call: call.store.clear_conversations(),
        answers=None,
    ),
    Endpoint(
        method="PUT",
        template=CONVERSATION,
        operation=Operation.PUT_CONVERSATION,
        summary="Store the fields of a conversation; its messages stay as they are.",
        handle=_put,
        body=Conversation,
        answers=None,
    ),
    Endpoint(
        method="PATCH",
        template=CONVERSATION,
        operation=Operation.UPDATE_CONVERSATION,
        summary="Change the title, pin, owner or metadata; absent fields stay as they are.",
        handle=_update,
        body=schema.UpdateBody,
        answers=None,
    ),
    Endpoint(
        method="DELETE",
        template=CONVERSATION,
        operation=Operation.DELETE_CONVERSATION,
        summary="Delete a conversation; does nothing if it does not exist.",
        handle=lambda call: call.store.delete_conversation(**call.ids),
        answers=None,
    ),
    Endpoint(
        method="POST",
        template=f"{CONVERSATION}/fork",
        operation=Operation.FORK_CONVERSATION,
        summary="Copy a conversation up to one of its messages.",
        handle=_fork,
        body=schema.ForkBody,
        answers=Conversation,
        status=201,
        may_conflict=True,
    ),
    Endpoint(
        method="POST",
        template=MESSAGES,
        operation=Operation.APPEND_MESSAGES,
        summary="Append messages, all or none; those that are stored already stay.",
        handle=_append,
        body=schema.AppendBody,
        answers=Several(Message),
        may_conflict=True,
    ),
    Endpoint(
        method="PUT",
        template=MESSAGES,
        operation=Operation.REPLACE_MESSAGES,
        summary="Replace all messages after one.",
        handle=_replace,
        body=schema.ReplaceBody,
        answers=Several(Message),
        may_conflict=True,
    ),
    Endpoint(
        method="PUT",
        template=MESSAGE,
        operation=Operation.UPDATE_MESSAGE,
        summary="Replace a stored message in its place.",
        handle=_edit,
        body=schema.EditBody,
        answers=Message,
        may_conflict=True,
    ),
    Endpoint(
        method="POST",
        template=f"{CONVERSATION}/pop",
        operation=Operation.POP_MESSAGE,
        summary="Delete the last message and return it.",
        handle=_pop,
        body=schema.PopBody,
        answers=schema.Popped,
        may_conflict=True,
    ),
    Endpoint(
        method="DELETE",
        template=MESSAGE,
        operation=Operation.DELETE_MESSAGE,
        summary="Delete a message; does nothing if it does not exist.",
        handle=_delete_message,
        answers=schema.Deleted,
    ),
    Endpoint(
        method="PUT",
        template=f"{MESSAGE}/feedback",
        operation=Operation.SET_FEEDBACK,
        summary="Set the user's feedback on an answer; null clears it.",
        handle=_set_feedback,
        body=schema.FeedbackBody,
        answers=None,
    ),
)
