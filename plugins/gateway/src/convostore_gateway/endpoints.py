"""The endpoints of the native API, as one table: its routes and its document are made of it.

How requests are read and answers written, and how errors are told, stands elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, Final

from convostore.adapter import Operation
from convostore.dialect import StreamedResponse
from convostore.errors import InvalidError
from convostore.models import Conversation, Health, Message, RunStep
from convostore.replies import Reply
from convostore.searching import Hit
from convostore.store import AsyncConversationStore
from convostore.streaming import AsyncReplyStream

from . import parameters, wire
from .emitting import HEADERS, NativeEncoder
from .endpoint import EVENTS, Call, Endpoint, PageOf, Several
from .exporting import export_all, export_one

# Any, in this module: a result of any operation is rendered by its own class.

_JSON_OR_EVENTS: Final = ("application/json", EVENTS)
_FILES: Final = ("application/x-ndjson", "text/markdown", "text/html")
_DELETED: Final = {
    "type": "object",
    "properties": {"deleted": {"type": "integer", "minimum": 0}},
    "required": ["deleted"],
}


async def _info(call: Call) -> Any:
    store, most = call.store, call.limits.page
    return wire.Info(
        label=_public(store.label),
        version=version("convostore-gateway"),
        offers=tuple([each.value for each in Operation if store.offers(each)]),
        traits=wire.traits_json(store.traits),
        max_page=min(most, store.traits.max_page or most),
        reply_options=tuple(sorted(store.reply_options)),
    )


def _public(label: str) -> str:
    """A store's label without the folders of its file."""
    return re.sub(r"^([\w+.-]+:///).*[/\\]", r"\1", label)


async def _put(call: Call) -> None:
    if call.body.id != call.ids["conversation_id"]:
        raise InvalidError("the body's id is not the one of the path: they must be equal")
    await call.store.put_conversation(call.body)


async def _deleted_conversations(call: Call) -> Any:
    return {"deleted": await call.store.delete_conversations(**call.query)}


async def _search(call: Call) -> Any:
    query = dict(call.query)
    return await call.store.search(query.pop("q"), **query)


async def _reply(call: Call) -> Any:
    said = call.body
    arguments = (said.conversation_id, said.content)
    options = _options(said.options, turn_id=said.turn_id)
    if call.wants_events:
        return _streamed(lambda store: store.stream_reply(*arguments, **options))
    return await call.store.reply(*arguments, **options)


async def _answer(call: Call) -> Any:
    said = call.body
    options = _options(said.options)
    if call.wants_events:
        return _streamed(
            lambda store: store.stream_answer(said.conversation_id, said.answer, **options)
        )
    return await call.store.answer(said.conversation_id, said.answer, **options)


async def _resumed(call: Call) -> StreamedResponse:
    return _streamed(lambda store: store.resume_reply(**call.ids))


def _options(options: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A turn's options beside the arguments that are the API's own."""
    taken = {"conversation_id", "content", "answer", "turn_id", "self"} & options.keys()
    if taken:
        raise InvalidError(f"there is no option {min(taken)!r}: it stands beside the options")
    return {**options, **more}


def _streamed(begin: Callable[[AsyncConversationStore], AsyncReplyStream]) -> StreamedResponse:
    return StreamedResponse(begin=begin, encoder=NativeEncoder(), headers=HEADERS)


_CONVERSATIONS: Final = "/v1/conversations"
_CONVERSATION: Final = "/v1/conversations/{conversation_id}"
_MESSAGES: Final = f"{_CONVERSATION}/messages"
_MESSAGE: Final = f"{_MESSAGES}/{{message_id}}"
_REPLY: Final = f"{_CONVERSATION}/replies/{{turn_id}}"
_PAGED: Final = (parameters.LIMIT, parameters.CURSOR)
_EXPORTED: Final = (parameters.FORMAT, parameters.RAW)

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        template="/v1",
        operation=None,
        name="get_info",
        summary="Tells what is served, and what may be done with it.",
        handle=_info,
        answers=wire.Info,
    ),
    Endpoint(
        method="GET",
        template="/v1/check",
        operation=Operation.CHECK,
        summary="Asks whether the store behind answers.",
        handle=lambda call: call.store.check(),
        answers=Health,
    ),
    Endpoint(
        method="GET",
        template=_CONVERSATIONS,
        operation=Operation.LIST_CONVERSATIONS,
        summary="Lists conversations, page by page, in the store's order.",
        handle=lambda call: call.store.list_conversations(**call.query),
        answers=PageOf(Conversation),
        parameters=(*_PAGED, parameters.OLDER_THAN),
        conditional=True,
    ),
    Endpoint(
        method="POST",
        template=_CONVERSATIONS,
        operation=Operation.CREATE_CONVERSATION,
        summary="Makes a conversation; one that is there with the same values is returned.",
        handle=lambda call: call.store.create_conversation(
            id=call.body.id,
            title=call.body.title,
            created_at=call.body.created_at,
            origin=call.body.origin,
        ),
        body=wire.CreateBody,
        answers=Conversation,
        status=201,
        may_conflict=True,
    ),
    Endpoint(
        method="DELETE",
        template=_CONVERSATIONS,
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
        method="GET",
        template=_CONVERSATION,
        operation=Operation.GET_CONVERSATION,
        summary="Returns a conversation without its messages.",
        handle=lambda call: call.store.get_conversation(**call.ids),
        answers=Conversation,
        conditional=True,
    ),
    Endpoint(
        method="PUT",
        template=_CONVERSATION,
        operation=Operation.PUT_CONVERSATION,
        summary="Stores a conversation's own fields as given; its messages stay as they are.",
        handle=_put,
        body=Conversation,
        answers=None,
    ),
    Endpoint(
        method="PATCH",
        template=_CONVERSATION,
        operation=Operation.UPDATE_CONVERSATION,
        summary="Changes the title, or whether it is pinned; what is absent stays.",
        handle=lambda call: call.store.update_conversation(
            **call.ids, title=call.body.title, pinned=call.body.pinned
        ),
        body=wire.UpdateBody,
        answers=None,
    ),
    Endpoint(
        method="DELETE",
        template=_CONVERSATION,
        operation=Operation.DELETE_CONVERSATION,
        summary="Deletes a conversation; one that is not there is done.",
        handle=lambda call: call.store.delete_conversation(**call.ids),
        answers=None,
    ),
    Endpoint(
        method="POST",
        template=f"{_CONVERSATION}/fork",
        operation=Operation.FORK_CONVERSATION,
        summary="Makes a conversation of another one's messages up to one of them.",
        handle=lambda call: call.store.fork_conversation(
            **call.ids, message_id=call.body.message_id, id=call.body.new_id, title=call.body.title
        ),
        body=wire.ForkBody,
        answers=Conversation,
        status=201,
        may_conflict=True,
    ),
    Endpoint(
        method="GET",
        template=_MESSAGES,
        operation=Operation.LIST_MESSAGES,
        summary="Lists a conversation's messages, page by page.",
        handle=lambda call: call.store.list_messages(**call.ids, **call.query),
        answers=PageOf(Message),
        parameters=(*_PAGED, parameters.ORDER),
        conditional=True,
    ),
    Endpoint(
        method="POST",
        template=_MESSAGES,
        operation=Operation.APPEND_MESSAGES,
        summary="Appends messages, all or none; one that is stored already is left as it is.",
        handle=lambda call: call.store.append_messages(
            **call.ids, messages=call.body.messages, after=call.body.after
        ),
        body=wire.AppendBody,
        answers=Several(Message),
        may_conflict=True,
    ),
    Endpoint(
        method="PUT",
        template=_MESSAGES,
        operation=Operation.REPLACE_MESSAGES,
        summary="Puts messages in the place of all that stand behind one.",
        handle=lambda call: call.store.replace_messages(
            **call.ids, messages=call.body.messages, after=call.body.after
        ),
        body=wire.ReplaceBody,
        answers=Several(Message),
        may_conflict=True,
    ),
    Endpoint(
        method="DELETE",
        template=_MESSAGE,
        operation=Operation.DELETE_MESSAGE,
        summary="Deletes a message; one that is not there is done.",
        handle=lambda call: call.store.delete_message(**call.ids),
        answers=None,
    ),
    Endpoint(
        method="PUT",
        template=f"{_MESSAGE}/feedback",
        operation=Operation.SET_FEEDBACK,
        summary="Sets what the user thought of an answer; null clears it.",
        handle=lambda call: call.store.set_feedback(**call.ids, feedback=call.body),
        body=wire.FeedbackBody,
        answers=None,
    ),
    Endpoint(
        method="GET",
        template=f"{_MESSAGE}/run-details",
        operation=Operation.GET_RUN_DETAILS,
        summary="Returns the steps of the run that made an answer.",
        handle=lambda call: call.store.get_run_details(**call.ids),
        answers=Several(RunStep),
    ),
    Endpoint(
        method="GET",
        template=f"{_CONVERSATION}/suggested-questions",
        operation=Operation.SUGGEST_QUESTIONS,
        summary="Returns questions that may come next; a model may have to be asked.",
        handle=lambda call: call.store.suggest_questions(**call.ids),
        answers=Several(str),
    ),
    Endpoint(
        method="GET",
        template=f"{_CONVERSATION}/export",
        operation=Operation.LIST_MESSAGES,
        name="export_conversation",
        summary="Returns a conversation as a file.",
        handle=lambda call: export_one(call.store, **call.ids, **call.query),
        parameters=_EXPORTED,
        answers={"type": "string"},
        media_types=_FILES,
    ),
    Endpoint(
        method="GET",
        template="/v1/search",
        operation=Operation.SEARCH,
        summary="Searches titles, texts, and the titles of sources.",
        handle=_search,
        parameters=(
            parameters.QUERY,
            parameters.CONVERSATION,
            parameters.ROLE,
            parameters.SINCE,
            parameters.UNTIL,
            parameters.HITS,
            parameters.CURSOR,
        ),
        answers=PageOf(Hit),
    ),
    Endpoint(
        method="GET",
        template="/v1/export",
        operation=Operation.LIST_CONVERSATIONS,
        name="export_conversations",
        summary="Returns all conversations as one file.",
        handle=lambda call: export_all(call.store, **call.query),
        parameters=_EXPORTED,
        answers={"type": "string"},
        media_types=_FILES,
    ),
    Endpoint(
        method="POST",
        template="/v1/replies",
        operation=Operation.REPLY,
        summary="Sends a user's turn; the reply comes whole, or as it arrives.",
        handle=_reply,
        body=wire.ReplyBody,
        answers=Reply,
        media_types=_JSON_OR_EVENTS,
        may_conflict=True,
    ),
    Endpoint(
        method="POST",
        template="/v1/answers",
        operation=Operation.ANSWER,
        summary="Answers what a flow asked; the reply comes whole, or as it arrives.",
        handle=_answer,
        body=wire.AnswerBody,
        answers=Reply,
        media_types=_JSON_OR_EVENTS,
        may_conflict=True,
    ),
    Endpoint(
        method="GET",
        template=_REPLY,
        operation=Operation.GET_REPLY,
        summary="Returns the reply to a turn that was sent before.",
        handle=lambda call: call.store.get_reply(**call.ids),
        answers=Reply,
        may_conflict=True,
    ),
    Endpoint(
        method="POST",
        template=f"{_REPLY}/resume",
        operation=Operation.RESUME_REPLY,
        summary="Goes on with a reply that is being made, from its beginning.",
        handle=_resumed,
        answers={"type": "string"},
        media_types=(EVENTS,),
        may_conflict=True,
    ),
)
