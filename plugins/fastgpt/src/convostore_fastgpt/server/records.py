"""The endpoints of records: a conversation's messages, what is thought of them, what comes next."""

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
from .find_records import answer_by, found_by, newest_page
from .parameters import Given, Span
from .render import node_row, record_row

_STEP: Final = 100
_LARGE: Final = 256 * 2**10
"""Characters of text from which on records are rendered beside the event loop."""
_KINDS: Final = ("normal", "outLink", "home")
_OLDER_KINDS: Final = ("team",)
_MOST_IDS: Final = 1000


def get_records(given: Given) -> DialectFlow[DialectResponse]:
    """A page of records, counted from the newest and shown the oldest first."""
    given.app_id()
    kind = given.fields.get("type")
    given.choice("type", (*_KINDS, *(_OLDER_KINDS if kind in _OLDER_KINDS else ())))
    span, chat_id = given.span(), given.text_or_none("chatId")
    if not chat_id:
        return succeeded({"list": [], "total": 0})
    newest_first, total = yield from _windowed(chat_id, span)
    with_custom = given.fields.get("loadCustomFeedbacks") is True
    render = partial(_answered, newest_first[::-1], total, with_custom)
    if sum(map(_length, newest_first)) < _LARGE:
        return render()
    return (yield from ask(lambda _: asyncio.to_thread(render)))


def _windowed(chat_id: str, span: Span) -> DialectFlow[tuple[list[Message], int]]:
    """Messages behind an offset from the newest, and how many there are in all."""
    found: list[Message] = []
    count = 0
    page = yield from newest_page(chat_id, None, max(1, min(span.end, max(_STEP, span.size))))
    while True:
        for message in page.items:
            if span.start <= count < span.end:
                found.append(message)
            count += 1
        if page.cursor is None:
            return found, count
        if count >= span.end and page.total is not None:
            return found, max(page.total, count)
        page = yield from newest_page(chat_id, page.cursor, _STEP)


def _answered(messages: Sequence[Message], total: int, with_custom: bool) -> Response:
    rows = [record_row(each, with_custom_feedbacks=with_custom) for each in messages]
    return succeeded({"list": rows, "total": total})


def _length(message: Message) -> int:
    return sum(len(part.text) for part in message.parts if isinstance(part, TextPart))


def get_run(given: Given) -> DialectFlow[JSON]:
    """The nodes of the run that made an answer; none of whatever else the id may be of."""
    given.app_id()
    chat_id, data_id = given.text_or_none("chatId"), given.text("dataId")
    if not chat_id or not (yield from look(lambda store: store.offers("get_run_details"))):
        return []
    answer = yield from answer_by(chat_id, data_id)
    if answer is None:
        return []
    steps = yield from ask(lambda store: store.get_run_details(chat_id, answer.id))
    return [node_row(each) for each in steps]


def delete_records(given: Given) -> DialectFlow[JSON]:
    """Deletes what has the ids: a question and its answer, where they share one."""
    given.app_id()
    chat_id = given.text("chatId")
    for data_id in _content_ids(given):
        for message in (yield from found_by(chat_id, data_id)):
            with suppress(NotFoundError):
                yield from _delete(chat_id, message.id)
    return None


def _delete(chat_id: str, message_id: str) -> DialectFlow[None]:
    return ask(lambda store: store.delete_message(chat_id, message_id))


def _content_ids(given: Given) -> list[str]:
    """The ids: one, or several as an array or as a text with commas."""
    one, several = given.text_or_none("contentId"), given.fields.get("contentIds")
    if isinstance(several, str):
        given = Given({"contentIds": several.split(",")}, given.paging)
    texts = [] if several is None else given.texts("contentIds", most=_MOST_IDS)
    return [each for each in dict.fromkeys([one, *texts]) if each]


def update_feedback(given: Given) -> DialectFlow[JSON]:
    """Replaces what the user thought of an answer; of two thumbs the bad one is kept."""
    given.app_id()
    chat_id, data_id = given.text("chatId"), given.text("dataId")
    feedback = _feedback(given)
    answer = yield from answer_by(chat_id, data_id)
    if answer is None:
        raise thrown("Chat item not found")
    try:
        yield from ask(lambda store: store.set_feedback(chat_id, answer.id, feedback))
    except NotFoundError:
        raise thrown("Chat item not found") from None
    return None


def _feedback(given: Given) -> Feedback | None:
    good, bad = given.text_or_none("userGoodFeedback"), given.text_or_none("userBadFeedback")
    said = bad or good
    if not said:
        return None
    comment = None if said == NO_COMMENT else said
    return Feedback(rating="bad" if bad else "good", comment=comment)


def get_quotes(given: Given) -> DialectFlow[JSON]:
    """The passages of an answer that are asked for, as far as the store has their texts."""
    given.app_id()
    chat_id, data_id = given.text("chatId"), given.text("chatItemDataId")
    wanted = given.texts("datasetDataIdList", most=_MOST_IDS)
    answer = yield from answer_by(chat_id, data_id)
    if answer is None:
        raise thrown("Chat item not found")
    return [
        {"_id": source.mark, "q": source.content, "a": ""}
        for source in answer.sources
        if source.kind == "quote" and source.mark in wanted and source.content is not None
    ]


def suggest(given: Given) -> DialectFlow[JSON]:
    """The questions that come next; none of a store that thinks of none, or has no such chat."""
    given.app_id()
    chat_id = given.text("chatId")
    given.object("questionGuide")
    if not (yield from look(lambda store: store.offers("suggest_questions"))):
        return []
    try:
        return list((yield from ask(lambda store: store.suggest_questions(chat_id))))
    except NotFoundError:
        return []


def suggest_by_messages(given: Given) -> DialectFlow[JSON]:
    """Refuses: a store thinks of what comes next in its own conversations only."""
    given.array("messages")
    yield from ()
    raise not_offered(
        "Here questions are suggested for stored conversations only: "
        "POST /api/core/ai/agent/v2/createQuestionGuide with appId and chatId"
    )
