"""The endpoints of the native API that only read, as a table."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

from convostore.adapters import Operation
from convostore.models import Conversation, Health, Message, RunStep
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

# Any, in this module: a result of any operation is rendered by its own class.


async def _info(call: Call) -> Any:
    store, most = call.store, call.limits.page
    return schema.Info(
        label=public_name(store.label),
        version=version("convostore-gateway"),
        offers=tuple([each.value for each in Operation if store.offers(each)]),
        traits=schema.traits_json(store.traits),
        max_page=min(most, store.traits.max_page or most),
        reply_options=tuple(sorted(store.reply_options)),
    )


async def _messages(call: Call) -> Any:
    return await call.store.messages_as_json(**call.ids, **call.query)


async def _search(call: Call) -> Any:
    query = dict(call.query)
    return await call.store.search(query.pop("q"), **query)


_PAGED: Final = (parameters.LIMIT, parameters.CURSOR)
_EXPORTED: Final = (parameters.FORMAT, parameters.RAW)
_FILES: Final = ("application/x-ndjson", "text/markdown", "text/html")

READING: Final = (
    Endpoint(
        method="GET",
        template="/v1",
        operation=None,
        name="get_info",
        summary="Tells what is served, and what may be done with it.",
        handle=_info,
        answers=schema.Info,
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
        template=CONVERSATIONS,
        operation=Operation.LIST_CONVERSATIONS,
        summary="Lists conversations, page by page, in the store's order.",
        handle=lambda call: call.store.list_conversations(**call.query),
        answers=PageOf(Conversation),
        parameters=(*_PAGED, parameters.OLDER_THAN),
        conditional=True,
    ),
    Endpoint(
        method="GET",
        template=CONVERSATION,
        operation=Operation.GET_CONVERSATION,
        summary="Returns a conversation without its messages.",
        handle=lambda call: call.store.get_conversation(**call.ids),
        answers=Conversation,
        conditional=True,
    ),
    Endpoint(
        method="GET",
        template=MESSAGES,
        operation=Operation.LIST_MESSAGES,
        summary="Lists a conversation's messages, page by page.",
        handle=_messages,
        answers=PageOf(Message),
        parameters=(*_PAGED, parameters.ORDER),
        conditional=True,
    ),
    Endpoint(
        method="GET",
        template=f"{MESSAGE}/run-details",
        operation=Operation.GET_RUN_DETAILS,
        summary="Returns the steps of the run that made an answer.",
        handle=lambda call: call.store.get_run_details(**call.ids),
        answers=Several(RunStep),
    ),
    Endpoint(
        method="GET",
        template=f"{CONVERSATION}/suggested-questions",
        operation=Operation.SUGGEST_QUESTIONS,
        summary="Returns questions that may come next; a model may have to be asked.",
        handle=lambda call: call.store.suggest_questions(**call.ids),
        answers=Several(str),
    ),
    Endpoint(
        method="GET",
        template=f"{CONVERSATION}/export",
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
)
