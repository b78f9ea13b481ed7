"""Mutants: adapters that are wrong in one way each, to show that each clause can fail.

A kit whose clauses cannot fail proves nothing. Each mutant names the clauses that must catch it;
together they name all. Here are those of reading, writing and failure; `keep_mutants`,
`search_mutants`, `reply_mutants` and `stream_mutants` hold the others. An author who adds a
clause adds its mutant.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

from convostore.adapters import Adapter, Operation, paginate
from convostore.adapters.memory import Call, MemoryAdapter
from convostore.dsn import DSN
from convostore.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    ProtocolError,
    StoreError,
    UnavailableError,
    UnsupportedError,
)
from convostore.flow import Flow
from convostore.http import HTTPFlow, Request, Response, path, status_error
from convostore.models import (
    ANY,
    UNSET,
    AnyTip,
    Conversation,
    ConversationChange,
    Feedback,
    Health,
    Listing,
    Message,
    NewConversation,
    Page,
    TextPart,
    Transcript,
)
from convostore.store._iteration import PageIterator
from convostore.store._operations import Operations

from .registry import NAMES, in_memory, over_http, with_operations
from .sample_service import SampleAdapter


def _mapped(message: Message, change: Callable[[str], str]) -> Message:
    parts = tuple(
        TextPart(text=change(part.text)) if isinstance(part, TextPart) else part
        for part in message.parts
    )
    return message.model_copy(update={"parts": parts})


# Values and order


class _ChangesMessages(MemoryAdapter):
    """Spoils each message as it is read."""

    def spoil(self, message: Message) -> Message:
        raise NotImplementedError

    def list_messages(
        self, conversation_id: str, listing: Listing
    ) -> Flow[Call, object, Page[Message]]:
        page = yield from super().list_messages(conversation_id, listing)
        return replace(page, items=tuple(map(self.spoil, page.items)))


@in_memory("test_hostile_texts_come_back_the_same")
class StripsTexts(_ChangesMessages):
    def spoil(self, message: Message) -> Message:
        return _mapped(message, str.strip)


@in_memory("test_texts_beyond_utf8_survive")
class ReplacesWhatUTF8CannotSay(_ChangesMessages):
    def spoil(self, message: Message) -> Message:
        return _mapped(message, lambda text: text.encode("utf-8", "replace").decode())


@in_memory("test_times_are_utc_or_unknown")
class GivesLocalTimes(_ChangesMessages):
    def spoil(self, message: Message) -> Message:
        local = timezone(timedelta(hours=8))
        time = message.created_at
        return message.trusted_copy(created_at=time and time.astimezone(local))


@in_memory("test_every_field_of_a_message_survives")
class ForgetsSources(_ChangesMessages):
    def spoil(self, message: Message) -> Message:
        return message.model_copy(update={"sources": ()})


@in_memory("test_raw_survives")
class ForgetsRaw(_ChangesMessages):
    def spoil(self, message: Message) -> Message:
        return message.model_copy(update={"raw": None})


@in_memory("test_message_ids_are_unique_within_a_conversation")
class NumbersMessagesByRole(_ChangesMessages):
    def spoil(self, message: Message) -> Message:
        return message.model_copy(update={"id": message.role})


@in_memory("test_every_read_shows_the_same")
class ChoosesIdsAnew(_ChangesMessages):
    def spoil(self, message: Message) -> Message:
        return message.model_copy(update={"id": f"{message.id}-{next(NAMES)}"})


@in_memory("test_titles_come_back_the_same")
class ShortensTitles(MemoryAdapter):
    def create_conversation(self, new: NewConversation) -> Flow[Call, object, Conversation]:
        return super().create_conversation(replace(new, title=(new.title or "")[:20]))


@in_memory(
    "test_messages_come_in_the_order_they_were_written",
    "test_replaced_messages_take_the_place_of_the_tail",
)
class SwapsOrder(MemoryAdapter):
    def list_messages(
        self, conversation_id: str, listing: Listing
    ) -> Flow[Call, object, Page[Message]]:
        page = yield from super().list_messages(conversation_id, listing)
        return replace(page, items=page.items[::-1])


@in_memory("test_newest_first_is_the_whole_sequence_reversed")
class ReversesThePage(MemoryAdapter):
    def list_messages(
        self, conversation_id: str, listing: Listing
    ) -> Flow[Call, object, Page[Message]]:
        forwards = replace(listing, order="oldest_first")
        page = yield from super().list_messages(conversation_id, forwards)
        if listing.order == "newest_first":
            page = replace(page, items=page.items[::-1])
        return page


@in_memory("test_conversations_come_in_the_promised_order")
class ForgetsPins(MemoryAdapter):
    def list_conversations(self, listing: Listing) -> Flow[Call, object, Page[Conversation]]:
        page = yield from super().list_conversations(replace(listing, limit=None, cursor=None))
        return paginate(sorted(page.items, key=lambda row: row.id), listing, key=lambda row: row.id)


# Paging


@in_memory(
    "test_pages_of_conversations_join_to_the_whole",
    "test_a_walk_survives_the_deletion_of_what_it_showed",
)
class DropsBetweenPages(MemoryAdapter):
    def list_conversations(self, listing: Listing) -> Flow[Call, object, Page[Conversation]]:
        page = yield from super().list_conversations(listing)
        return replace(page, items=page.items[1:]) if listing.cursor else page


@in_memory("test_pages_of_messages_join_to_the_whole")
class RepeatsBetweenPages(MemoryAdapter):
    def list_messages(
        self, conversation_id: str, listing: Listing
    ) -> Flow[Call, object, Page[Message]]:
        page = yield from super().list_messages(conversation_id, listing)
        return replace(page, items=(page.items[0], *page.items)) if listing.cursor else page


@in_memory("test_a_page_holds_no_more_than_its_limit")
class IgnoresLimits(MemoryAdapter):
    def list_conversations(self, listing: Listing) -> Flow[Call, object, Page[Conversation]]:
        return super().list_conversations(replace(listing, limit=None))


@in_memory("test_a_cursor_works_in_a_store_opened_later")
class KeepsCursorsInMemory(MemoryAdapter):
    def __init__(self, dsn: DSN, options: object) -> None:
        super().__init__(dsn, options)
        self._given: dict[str, str] = {}

    def list_conversations(self, listing: Listing) -> Flow[Call, object, Page[Conversation]]:
        known = self._given.get(listing.cursor or "")
        page = yield from super().list_conversations(replace(listing, cursor=known))
        if page.cursor is None:
            return page
        name = f"cursor {len(self._given)}"
        self._given[name] = page.cursor
        return replace(page, cursor=name)


@over_http("test_a_list_that_comes_whole_is_asked_for_once")
class LooksBeforeItLists(SampleAdapter):
    def list_conversations(self, listing: Listing) -> HTTPFlow[Page[Conversation]]:
        yield Request("HEAD", "/chats")
        return (yield from super().list_conversations(listing))


@with_operations("test_a_limit_below_one_is_refused")
class TakesAnyLimit(Operations):
    def page(self, operation: Any, scope: Any, listing: Listing, read: Any) -> Any:
        any_limit = replace(listing, limit=abs(listing.limit or 1))
        return (yield from super().page(operation, scope, any_limit, read))


@with_operations(
    "test_a_cursor_of_another_list_is_refused",
    "test_what_is_no_cursor_is_refused",
)
class StartsAgainAtABadCursor(Operations):
    def page(self, operation: Any, scope: Any, listing: Listing, make: Any) -> Any:
        try:
            return (yield from super().page(operation, scope, listing, make))
        except InvalidError:
            from_head = replace(listing, cursor=None)
            return (yield from super().page(operation, scope, from_head, make))


@with_operations("test_a_walk_neither_repeats_nor_drops_while_others_write")
class WalksOnlyOnce(Operations):
    def walk_conversations(self, head: Listing) -> PageIterator[Conversation]:
        pages = super().walk_conversations(head)
        pages._moves = pages._again_from_head = False
        return pages


# Identity and absence


@in_memory("test_ids_still_work_in_a_store_opened_later")
class ForgetsWhenClosed(MemoryAdapter):
    def __init__(self, _: DSN, options: object) -> None:
        super().__init__(DSN.parse("memory://"), options)


@in_memory("test_a_listed_conversation_is_the_one_that_is_got")
class ListsAnotherTitle(MemoryAdapter):
    def get_conversation(self, conversation_id: str) -> Flow[Call, object, Conversation]:
        got = yield from super().get_conversation(conversation_id)
        return got.model_copy(update={"title": "Untitled"})


@in_memory("test_transcripts_come_in_the_order_of_the_list")
class ShortensTranscripts(MemoryAdapter):
    def read_transcript(
        self, conversation_id: str, known: Conversation | None = None
    ) -> Flow[Call, object, Transcript]:
        read = yield from super().read_transcript(conversation_id, known)
        return replace(read, messages=read.messages[:-1])


@in_memory(
    "test_reading_what_is_absent_raises_not_found",
    "test_an_absent_conversation_does_not_end_transcripts",
)
class SwallowsNotFound(MemoryAdapter):
    def get_conversation(self, conversation_id: str) -> Flow[Call, object, Conversation]:
        try:
            return (yield from super().get_conversation(conversation_id))
        except NotFoundError:
            return Conversation(id=conversation_id)

    def list_messages(
        self, conversation_id: str, listing: Listing
    ) -> Flow[Call, object, Page[Message]]:
        try:
            return (yield from super().list_messages(conversation_id, listing))
        except NotFoundError:
            return Page(items=())


@with_operations("test_an_empty_id_is_refused_before_any_request")
class TakesEmptyIds(Operations):
    def get_conversation(self, conversation_id: str) -> Any:
        return self.bind(
            Operation.GET_CONVERSATION, partial(self.adapter.get_conversation, conversation_id)
        )


# Refusal, closing, side by side


@with_operations(
    "test_what_is_not_offered_is_refused_before_any_request",
    "test_a_closed_store_refuses_every_call",
)
class RefusesNothing(Operations):
    def bind(self, operation: Operation, make: Any) -> Any:
        return lambda: self.adapter.wrap(make())


@with_operations("test_an_error_says_where_it_happened")
class HidesWhereItHappened(Operations):
    def label(self, error: StoreError, operation: str, *, repeatable: bool) -> None:
        super().label(error, operation, repeatable=repeatable)
        error.operation = None


@in_memory("test_what_is_offered_is_not_unsupported")
class OffersWhatItCannot(MemoryAdapter):
    def check(self) -> Flow[Call, object, Health]:
        raise UnsupportedError("no check after all")


@in_memory("test_readers_side_by_side_see_the_same")
class TiresOfReading(MemoryAdapter):
    def __init__(self, dsn: DSN, options: object) -> None:
        super().__init__(dsn, options)
        self._reads = itertools.count()

    def list_messages(
        self, conversation_id: str, listing: Listing
    ) -> Flow[Call, object, Page[Message]]:
        page = yield from super().list_messages(conversation_id, listing)
        return page if next(self._reads) < 6 else Page(items=page.items[:1])


# Writing


@in_memory("test_a_created_conversation_is_there")
class ForgetsOrigins(MemoryAdapter):
    def create_conversation(self, new: NewConversation) -> Flow[Call, object, Conversation]:
        return super().create_conversation(replace(new, origin=None))


@in_memory("test_appended_messages_are_there")
class LosesTheLastOfABatch(MemoryAdapter):
    def append_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | AnyTip | None
    ) -> Flow[Call, object, tuple[Message, ...]]:
        yield from super().append_messages(conversation_id, messages[:-1], after)
        return tuple(messages)


@in_memory("test_replaced_messages_take_the_place_of_the_tail")
class KeepsTheTail(MemoryAdapter):
    def replace_messages(
        self,
        conversation_id: str,
        messages: Sequence[Message],
        after: str | None,
        tip: str | AnyTip | None,
    ) -> Flow[Call, object, tuple[Message, ...]]:
        return self.append_messages(conversation_id, messages, ANY)


@in_memory("test_an_update_changes_what_is_named_and_no_more")
class ForgetsTitles(MemoryAdapter):
    def update_conversation(
        self, conversation_id: str, change: ConversationChange
    ) -> Flow[Call, object, None]:
        title = None if change.title is UNSET else change.title
        return super().update_conversation(conversation_id, replace(change, title=title))


@in_memory("test_a_deleted_conversation_is_gone", "test_conversations_do_not_mix")
class DeletesAnother(MemoryAdapter):
    def delete_conversation(self, conversation_id: str) -> Flow[Call, object, None]:
        page = yield from self.list_conversations(Listing())
        others = [each.id for each in page.items if each.id != conversation_id]
        yield from super().delete_conversation(others[0] if others else conversation_id)


@in_memory("test_cleared_conversations_are_gone")
class ClearsNothing(MemoryAdapter):
    def clear_conversations(self) -> Flow[Call, object, None]:
        yield lambda: None


@in_memory("test_a_deleted_message_is_gone")
class DeletesTheWholeTurn(MemoryAdapter):
    def delete_message(
        self, conversation_id: str, message_id: str
    ) -> Flow[Call, object, bool | None]:
        page = yield from self.list_messages(conversation_id, Listing())
        ids = [each.id for each in page.items]
        deleted = yield from super().delete_message(conversation_id, message_id)
        if message_id in ids:
            yield from super().delete_message(conversation_id, ids[ids.index(message_id) - 1])
        return deleted


@in_memory("test_a_clear_takes_what_is_listed_or_says_that_it_takes_more")
class ClearsNeighbours(MemoryAdapter):
    def clear_conversations(self) -> Flow[Call, object, None]:
        yield from super().clear_conversations()
        beside = MemoryAdapter(DSN.parse(f"memory://{self.dsn.host}-beside"), None)
        yield from beside.clear_conversations()


@in_memory("test_feedback_is_set_and_cleared")
class NeverClearsFeedback(MemoryAdapter):
    def set_feedback(
        self, conversation_id: str, message_id: str, feedback: Feedback | None
    ) -> Flow[Call, object, None]:
        kept = feedback or Feedback(rating="good")
        return super().set_feedback(conversation_id, message_id, kept)


@in_memory("test_the_update_time_moves_as_promised")
class StopsTheClock(MemoryAdapter):
    def get_conversation(self, conversation_id: str) -> Flow[Call, object, Conversation]:
        got = yield from super().get_conversation(conversation_id)
        return got.model_copy(update={"updated_at": datetime(2024, 1, 1, tzinfo=UTC)})


@in_memory("test_deleting_what_is_absent_is_done")
class ComplainsOfAbsence(MemoryAdapter):
    def delete_conversation(self, conversation_id: str) -> Flow[Call, object, None]:
        try:
            yield from self.get_conversation(conversation_id)
        except NotFoundError:
            raise ConflictError("it is gone already") from None
        yield from super().delete_conversation(conversation_id)


@in_memory("test_writing_to_what_is_absent_raises_where_the_service_tells")
class MakesWhatIsAbsent(MemoryAdapter):
    def append_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | AnyTip | None
    ) -> Flow[Call, object, tuple[Message, ...]]:
        try:
            yield from self.get_conversation(conversation_id)
        except NotFoundError:
            yield from self.create_conversation(NewConversation(id=conversation_id))
        return (yield from super().append_messages(conversation_id, messages, after))


@in_memory("test_appending_the_same_again_changes_nothing")
class Doubles(MemoryAdapter):
    def append_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | AnyTip | None
    ) -> Flow[Call, object, tuple[Message, ...]]:
        new = [each.model_copy(update={"id": f"{each.id}-{next(NAMES)}"}) for each in messages]
        return super().append_messages(conversation_id, new, ANY)


@in_memory("test_another_content_under_a_stored_id_is_a_conflict")
class OverlooksConflicts(MemoryAdapter):
    def append_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | AnyTip | None
    ) -> Flow[Call, object, tuple[Message, ...]]:
        try:
            return (yield from super().append_messages(conversation_id, messages, after))
        except ConflictError:
            return tuple(messages)


@in_memory(
    "test_appending_behind_a_tip_that_moved_is_a_conflict",
    "test_one_of_two_writers_behind_the_same_tip_is_told",
)
class IgnoresTheTip(MemoryAdapter):
    def append_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | AnyTip | None
    ) -> Flow[Call, object, tuple[Message, ...]]:
        return super().append_messages(conversation_id, messages, ANY)


@in_memory("test_a_batch_is_stored_as_a_whole_or_not_at_all")
class StoresHalfABatch(MemoryAdapter):
    batch = Adapter.batch


@in_memory("test_a_failed_batch_brings_back_what_it_deleted")
class DeletesForGoodInABatch(MemoryAdapter):
    def batch(self, flows: Sequence[Flow[Call, object, object]]) -> Flow[Call, object, Any]:
        try:
            return (yield from super().batch(flows))
        except ConflictError:
            yield from self.delete_conversation("c0000")
            raise


@in_memory("test_replacing_behind_a_message_that_is_gone_is_a_conflict")
class ReplacesAllInDoubt(MemoryAdapter):
    def replace_messages(
        self,
        conversation_id: str,
        messages: Sequence[Message],
        after: str | None,
        tip: str | AnyTip | None,
    ) -> Flow[Call, object, tuple[Message, ...]]:
        try:
            return (yield from super().replace_messages(conversation_id, messages, after, tip))
        except ConflictError:
            return (yield from super().replace_messages(conversation_id, messages, None, tip))


@in_memory("test_creating_the_same_again_returns_it")
class TakesTheOldForTheNew(MemoryAdapter):
    def create_conversation(self, new: NewConversation) -> Flow[Call, object, Conversation]:
        try:
            return (yield from super().create_conversation(new))
        except ConflictError:
            return (yield from self.get_conversation(new.id or ""))


@in_memory("test_a_message_id_is_free_in_every_conversation")
class OneIdForAllConversations(MemoryAdapter):
    def append_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | AnyTip | None
    ) -> Flow[Call, object, tuple[Message, ...]]:
        page = yield from self.list_conversations(Listing())
        for other in page.items:
            found = yield from self.list_messages(other.id, Listing())
            taken = {each.id for each in found.items if each.id.startswith("m005")}
            if other.id != conversation_id and taken & {each.id for each in messages}:
                raise ConflictError("an id is taken in another conversation")
        return (yield from super().append_messages(conversation_id, messages, after))


@in_memory("test_writers_side_by_side_lose_nothing")
class TurnsBatchesAround(MemoryAdapter):
    def append_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | AnyTip | None
    ) -> Flow[Call, object, tuple[Message, ...]]:
        return super().append_messages(conversation_id, messages[::-1], after)


# Failures over HTTP


@over_http("test_a_refused_credential_raises_auth_error")
class TakesRefusalsForAbsence(SampleAdapter):
    def failure(self, request: Request, response: Response) -> StoreError | None:
        if response.status in {401, 403}:
            return NotFoundError("it is not there for you")
        return super().failure(request, response)


@over_http("test_what_the_service_calls_absent_is_not_found")
class TakesAbsenceForATrouble(SampleAdapter):
    def failure(self, request: Request, response: Response) -> StoreError | None:
        if response.status == 404:
            return UnavailableError("something is wrong")
        return super().failure(request, response)


@over_http("test_a_page_of_another_program_is_no_absence")
class TakesAPageForAbsence(SampleAdapter):
    def failure(self, request: Request, response: Response) -> StoreError | None:
        return status_error(request, replace(response, headers={}))


@over_http("test_too_many_requests_say_how_long_to_wait")
class ForgetsHowLongToWait(SampleAdapter):
    def failure(self, request: Request, response: Response) -> StoreError | None:
        return status_error(request, replace(response, headers={}))


@over_http("test_a_service_out_of_order_is_unavailable")
class RetriesPlain500s(SampleAdapter):
    def failure(self, request: Request, response: Response) -> StoreError | None:
        if response.status == 500:
            return UnavailableError("try again", retryable=True)
        return super().failure(request, response)


@over_http("test_an_answer_that_is_no_json_is_a_protocol_error")
class TakesNonsenseForEmpty(SampleAdapter):
    def list_conversations(self, listing: Listing) -> HTTPFlow[Page[Conversation]]:
        try:
            return (yield from super().list_conversations(listing))
        except ProtocolError:
            return Page(items=())


@over_http(
    "test_a_harmless_request_is_repeated",
    "test_a_repeated_read_succeeds_once_the_service_is_back",
)
class NeverTriesAgain(SampleAdapter):
    def list_conversations(self, listing: Listing) -> HTTPFlow[Page[Conversation]]:
        reply = yield Request("GET", "/chats", idempotent=False)
        found = [Conversation(**chat) for chat in reply.json()["chats"]]
        return paginate(found, listing, key=lambda each: each.id)


@over_http("test_a_request_that_changes_something_is_never_repeated")
class RepeatsWrites(SampleAdapter):
    def append_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | AnyTip | None
    ) -> HTTPFlow[tuple[Message, ...]]:
        yield Request("POST", path("/chats/{}", conversation_id), json={}, idempotent=True)
        return tuple(messages)


@over_http("test_a_request_that_changes_something_is_never_repeated")
class RepeatsDeletes(SampleAdapter):
    def delete_conversation(self, conversation_id: str) -> HTTPFlow[None]:
        yield Request("DELETE", path("/chats/{}", conversation_id), idempotent=True)


@over_http("test_no_secret_shows_in_an_error")
class KeepsNoSecret(SampleAdapter):
    def secrets(self) -> Iterator[str]:
        return iter(())
