"""The endpoints of records: messages, feedback, run details, quotes and suggested questions.

Parameters are validated in `parameters`, messages encoded in `render`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from convostore.dialects import DialectFlow, DialectResponse
from convostore.errors import NotFoundError
from convostore.http import Response
from convostore.models import JSON, Feedback, Message, TextPart
from convostore.store import ask, look

from ..schema.records import NO_COMMENT
from .errors import not_offered, succeeded, thrown
from .find_records import answer_by, messages_by, newest_page
from .parameters import Parameters, Span
from .render import node_row, record_row

_STEP: Final = 100
_LARGE: Final = 256 * 2**10
"""Characters of text from which on records are encoded in a thread."""
_KINDS: Final = ("normal", "outLink", "home")
_OLDER_KINDS: Final = ("team",)
_MOST_IDS: Final = 1000


def get_records(params: Parameters) -> DialectFlow[DialectResponse]:
    """List a page of records, counted from the newest and returned oldest first."""
    params.app_id()
    kind = params.fields.get("type")
    params.choice("type", (*_KINDS, *(_OLDER_KINDS if kind in _OLDER_KINDS else ())))
    span, chat_id = params.span(), params.text_or_none("chatId")
    if not chat_id:
        return succeeded({"list": [], "total": 0})
    newest_first, total = yield from _page(chat_id, span)
    with_custom = params.fields.get("loadCustomFeedbacks") is True
    render = partial(_response, newest_first[::-1], total, with_custom)
    if sum(map(_length, newest_first)) < _LARGE:
        return render()
    return (yield from ask(lambda _: asyncio.to_thread(render)))


def _page(chat_id: str, span: Span) -> DialectFlow[tuple[list[Message], int]]:
    """Return the messages after an offset from the newest, and the number of all."""
    messages: list[Message] = []
    count = 0
    page = yield from newest_page(chat_id, None, max(1, min(span.end, max(_STEP, span.size))))
    while True:
        for message in page.items:
            if span.start <= count < span.end:
                messages.append(message)
            count += 1
        if page.cursor is None:
            return messages, count
        if count >= span.end and page.total is not None:
            return messages, max(page.total, count)
        page = yield from newest_page(chat_id, page.cursor, _STEP)


def _response(messages: Sequence[Message], total: int, with_custom: bool) -> Response:
    rows = [record_row(message, with_custom_feedbacks=with_custom) for message in messages]
    return succeeded({"list": rows, "total": total})


def _length(message: Message) -> int:
    return sum(len(part.text) for part in message.parts if isinstance(part, TextPart))


def get_run(params: Parameters) -> DialectFlow[JSON]:
    """List the nodes of the run that made an answer; none for any other id."""
    params.app_id()
    chat_id, data_id = params.text_or_none("chatId"), params.text("dataId")
    if not chat_id or not (yield from look(lambda store: store.offers("get_run_details"))):
        return []
    answer = yield from answer_by(chat_id, data_id)
    if answer is None:
        return []
    steps = yield from ask(lambda store: store.get_run_details(chat_id, answer.id))
    return [node_row(step) for step in steps]


def delete_records(params: Parameters) -> DialectFlow[JSON]:
    """Delete all records with the ids: a question and its answer may share one."""
    params.app_id()
    chat_id = params.text("chatId")
    for data_id in _content_ids(params):
        for message in (yield from messages_by(chat_id, data_id)):
            with suppress(NotFoundError):
                yield from _delete(chat_id, message.id)
    return None


def _delete(chat_id: str, message_id: str) -> DialectFlow[bool | None]:
    return ask(lambda store: store.delete_message(chat_id, message_id))


def _content_ids(params: Parameters) -> list[str]:
    """Return the ids: one, or several as an array or as a text with commas."""
    one, several = params.text_or_none("contentId"), params.fields.get("contentIds")
    if isinstance(several, str):
        params = Parameters({"contentIds": several.split(",")}, params.paging)
    texts = [] if several is None else params.texts("contentIds", most=_MOST_IDS)
    return [data_id for data_id in dict.fromkeys([one, *texts]) if data_id]


def update_feedback(params: Parameters) -> DialectFlow[JSON]:
    """Replace the feedback on an answer; of two thumbs the bad one counts."""
    params.app_id()
    chat_id, data_id = params.text("chatId"), params.text("dataId")
    feedback = _feedback(params)
    answer = yield from answer_by(chat_id, data_id)
    if answer is None:
        raise thrown("Chat item not found")
    try:
        yield from ask(lambda store: store.set_feedback(chat_id, answer.id, feedback))
    except NotFoundError:
        raise thrown("Chat item not found") from None
    return None


def _feedback(params: Parameters) -> Feedback | None:
    good, bad = params.text_or_none("userGoodFeedback"), params.text_or_none("userBadFeedback")
    text = bad or good
    if not text:
        return None
    comment = None if text == NO_COMMENT else text
    return Feedback(rating="bad" if bad else "good", comment=comment)


def get_quotes(params: Parameters) -> DialectFlow[JSON]:
    """List the requested quotes of an answer whose texts the store has."""
    params.app_id()
    chat_id, data_id = params.text("chatId"), params.text("chatItemDataId")
    marks = params.texts("datasetDataIdList", most=_MOST_IDS)
    answer = yield from answer_by(chat_id, data_id)
    if answer is None:
        raise thrown("Chat item not found")
    return [
        {"_id": source.mark, "q": source.content, "a": ""}
        for source in answer.sources
        if source.kind == "quote" and source.mark in marks and source.content is not None
    ]


def suggest(params: Parameters) -> DialectFlow[JSON]:
    """Suggest questions; none if the store offers no suggestions or has no such conversation."""
    params.app_id()
    chat_id = params.text("chatId")
    params.object("questionGuide")
    if not (yield from look(lambda store: store.offers("suggest_questions"))):
        return []
    try:
        return list((yield from ask(lambda store: store.suggest_questions(chat_id))))
    except NotFoundError:
        return []


def suggest_by_messages(params: Parameters) -> DialectFlow[JSON]:
    """Refuse: a store suggests questions only for its own conversations."""
    params.array("messages")
    yield from ()
    raise not_offered(
        "Here questions are suggested for stored conversations only: "
        "POST /api/core/ai/agent/v2/createQuestionGuide with appId and chatId"
    )
