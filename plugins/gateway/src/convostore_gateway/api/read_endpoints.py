"""Endpoints of the native API that only read."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from starlette.responses import Response

from convostore.adapters import Operation
from convostore.models import Conversation, Health, Message, Page, RunStep
from convostore.search import Hit

from .. import schema
from ..downloads import export_all, export_one
from ..stores import public_name
from . import parameters
from .endpoint import (
    CONVERSATION,
    CONVERSATIONS,
    MESSAGE,
    MESSAGES,
    Call,
    Endpoint,
    PageOf,
    Several,
)


async def _info(call: Call) -> schema.Info:
    store, max_page = call.store, call.limits.page
    return schema.Info(
        label=public_name(store.label),
        version=version("convostore-gateway"),
        offers=tuple([operation.value for operation in Operation if store.offers(operation)]),
        traits=schema.traits_json(store.traits),
        max_page=min(max_page, store.traits.max_page or max_page),
        reply_options=tuple(sorted(store.reply_options)),
    )


async def _conversations(call: Call) -> Page[Conversation]:
    return await call.store.list_conversations(
        limit=call.value(parameters.LIMIT),
        cursor=call.optional(parameters.CURSOR),
        order=call.value(parameters.CONVERSATIONS_ORDER),
        start=call.optional(parameters.START),
        older_than=call.optional(parameters.OLDER_THAN),
        owner=call.owner,
    )


async def _messages(call: Call) -> Page[str]:
    return await call.store.messages_as_json(
        call.ids["conversation_id"],
        limit=call.value(parameters.LIMIT),
        cursor=call.optional(parameters.CURSOR),
        order=call.value(parameters.ORDER),
        start=call.optional(parameters.START),
    )


async def _search(call: Call) -> Page[Hit]:
    return await call.store.search(
        call.value(parameters.QUERY),
        limit=call.value(parameters.HITS),
        cursor=call.optional(parameters.CURSOR),
        conversation_id=call.optional(parameters.CONVERSATION),
        role=call.optional(parameters.ROLE),
        since=call.optional(parameters.SINCE),
        until=call.optional(parameters.UNTIL),
        owner=call.owner,
    )


async def _export(call: Call) -> Response:
    return await export_one(
        call.store,
        call.ids["conversation_id"],
        format=call.value(parameters.FORMAT),
        raw=call.value(parameters.RAW),
    )


async def _export_all(call: Call) -> Response:
    return await export_all(
        call.store, format=call.value(parameters.FORMAT), raw=call.value(parameters.RAW)
    )


_PAGED: Final = (parameters.LIMIT, parameters.CURSOR)
_OWNED: Final = (parameters.OWNER, parameters.WITHOUT_OWNER)
_EXPORTED: Final = (parameters.FORMAT, parameters.RAW)
_FILES: Final = ("application/x-ndjson", "text/markdown", "text/html")

READING: Final = (
    Endpoint(
        method="GET",
        template="/v1",
        operation=None,
        name="get_info",
        summary="Describe what is served and what this token may do.",
        handle=_info,
        answers=schema.Info,
    ),
    Endpoint(
        method="GET",
        template="/v1/check",
        operation=Operation.CHECK,
        summary="Check that the store answers.",
        handle=lambda call: call.store.check(),
        answers=Health,
    ),
    Endpoint(
        method="GET",
        template=CONVERSATIONS,
        operation=Operation.LIST_CONVERSATIONS,
        summary="List conversations page by page, in the store's order.",
        handle=_conversations,
        answers=PageOf(Conversation),
        parameters=(
            *_PAGED,
            parameters.CONVERSATIONS_ORDER,
            parameters.START,
            parameters.OLDER_THAN,
            *_OWNED,
        ),
        conditional=True,
    ),
    Endpoint(
        method="GET",
        template=CONVERSATION,
        operation=Operation.GET_CONVERSATION,
        summary="Return a conversation without its messages.",
        handle=lambda call: call.store.get_conversation(**call.ids),
        answers=Conversation,
        conditional=True,
    ),
    Endpoint(
        method="GET",
        template=MESSAGES,
        operation=Operation.LIST_MESSAGES,
        summary="List a conversation's messages page by page.",
        handle=_messages,
        answers=PageOf(Message),
        parameters=(*_PAGED, parameters.ORDER, parameters.START),
        conditional=True,
    ),
    Endpoint(
        method="GET",
        template=MESSAGE,
        operation=Operation.GET_MESSAGE,
        summary="Return a message.",
        handle=lambda call: call.store.get_message(**call.ids),
        answers=Message,
        conditional=True,
    ),
    Endpoint(
        method="GET",
        template=f"{MESSAGE}/run-details",
        operation=Operation.GET_RUN_DETAILS,
        summary="Return the steps of the run that made an answer.",
        handle=lambda call: call.store.get_run_details(**call.ids),
        answers=Several(RunStep),
    ),
    Endpoint(
        method="GET",
        template=f"{CONVERSATION}/suggested-questions",
        operation=Operation.SUGGEST_QUESTIONS,
        summary="Return questions that the user may ask next; may ask a model.",
        handle=lambda call: call.store.suggest_questions(**call.ids),
        answers=Several(str),
    ),
    Endpoint(
        method="GET",
        template=f"{CONVERSATION}/export",
        operation=Operation.LIST_MESSAGES,
        name="export_conversation",
        summary="Return a conversation as a file.",
        handle=_export,
        parameters=_EXPORTED,
        answers={"type": "string"},
        media_types=_FILES,
    ),
    Endpoint(
        method="GET",
        template="/v1/search",
        operation=Operation.SEARCH,
        summary="Search titles, texts, and the titles of sources.",
        handle=_search,
        parameters=(
            parameters.QUERY,
            parameters.CONVERSATION,
            parameters.ROLE,
            parameters.SINCE,
            parameters.UNTIL,
            *_OWNED,
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
        summary="Return all conversations as one file.",
        handle=_export_all,
        parameters=_EXPORTED,
        answers={"type": "string"},
        media_types=_FILES,
    ),
)
