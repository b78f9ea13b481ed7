"""Mutants of searching: they find too much or too little, or lose their place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from itertools import pairwise
from typing import Any, TypeAlias

from convostore.adapters import Operation
from convostore.adapters.memory import Call, MemoryAdapter
from convostore.dsn import DSN
from convostore.errors import ProtocolError
from convostore.flow import Flow
from convostore.models import (
    AnyTip,
    Conversation,
    ConversationChange,
    Listing,
    Message,
    Page,
)
from convostore.search import Hit, Search, fold, searchable_text, tokenize
from convostore.store._operations import Operations

from .registry import in_memory, with_operations

Ranked: TypeAlias = tuple[tuple[int, float, str, int], Hit]


class _Overlooks(MemoryAdapter):
    """Does not find what `sees` refuses."""

    def sees(self, search: Search, hit: Hit) -> bool:
        raise NotImplementedError

    def _found(self, search: Search) -> Iterator[Ranked]:
        return (ranked for ranked in super()._found(search) if self.sees(search, ranked[1]))


def _text(hit: Hit) -> str:
    return searchable_text(hit.message) if hit.message else hit.conversation.title or ""


# What is found


@in_memory("test_a_search_finds_titles_and_texts")
class ForgetsWhoseTextItWas(MemoryAdapter):
    def _found(self, search: Search) -> Iterator[Ranked]:
        for rank, hit in super()._found(search):
            bare = Conversation(id=hit.conversation.id)
            yield rank, hit.model_copy(update={"conversation": bare} if hit.message else {})


@in_memory("test_a_search_finds_titles_of_sources")
class SearchesNoSources(_Overlooks):
    def sees(self, search: Search, hit: Hit) -> bool:
        return hit.message is None or search.find(hit.message.text)


@in_memory("test_words_of_a_title_and_of_a_text_make_no_hit_together")
class MixesTitlesWithTexts(MemoryAdapter):
    def _found(self, search: Search) -> Iterator[Ranked]:
        yield from super()._found(search)
        for kept in self._shelf.kept.values():
            for seq, message in kept.messages.items():
                title = kept.conversation.title or ""
                apart = search.find(title) or search.find(message.text)
                if len(search.terms) == 2 and not apart and search.find(f"{title}\n{message.text}"):
                    hit = Hit(
                        conversation=kept.conversation,
                        message=message,
                        where="text",
                        snippet=search.snippet(message.text),
                    )
                    yield (1, 0.0, kept.conversation.id, -seq), hit


@in_memory("test_every_word_of_a_query_must_be_there_as_a_whole")
class FindsAnyWord(MemoryAdapter):
    def _found(self, search: Search) -> Iterator[Ranked]:
        first = search.terms[0].text if search.terms else ""
        return super()._found(replace(search, text=f'"{first}"'))


@in_memory("test_every_word_of_a_query_must_be_there_as_a_whole")
class KeepsToTheOrderOfWords(_Overlooks):
    def sees(self, search: Search, hit: Hit) -> bool:
        plain = [term.folded for term in search.terms if term.text.isalpha()]
        places = [fold(_text(hit)).find(term) for term in plain]
        return all(before <= after for before, after in pairwise(places))


@in_memory("test_a_phrase_in_quotes_must_be_there_as_it_is")
class CountsBlanksInPhrases(_Overlooks):
    def sees(self, search: Search, hit: Hit) -> bool:
        phrases = re.findall(r'"([^"]+)"', search.text)
        return all(fold(phrase) in fold(_text(hit)) for phrase in phrases)


@in_memory("test_case_accents_and_width_do_not_matter")
class MindsWidth(_Overlooks):
    def sees(self, search: Search, hit: Hit) -> bool:
        return not (search.text.isascii() and re.search("[\uff01-\uff5e]", _text(hit)))


@in_memory("test_scripts_without_spaces_are_found_from_one_character_up")
class NeedsTwoSyllables(_Overlooks):
    def sees(self, search: Search, hit: Hit) -> bool:
        return not re.fullmatch("[\u3040-\u30ff\uac00-\ud7af]", search.text)


@in_memory("test_identifiers_are_found_and_so_are_their_parts")
class KnowsNoParts(_Overlooks):
    def sees(self, search: Search, hit: Hit) -> bool:
        known = tokenize(_text(hit).lower())
        return all(term.among(known) for term in search.terms)


@in_memory("test_a_word_at_the_end_of_a_long_text_is_found")
class IndexesTheFirstMegabyte(_Overlooks):
    def sees(self, search: Search, hit: Hit) -> bool:
        return search.find(_text(hit)[:1_000_000])


@in_memory("test_no_query_is_wrong")
class TakesQueriesForSyntax(MemoryAdapter):
    def _found(self, search: Search) -> Iterator[Ranked]:
        if search.text.count("(") != search.text.count(")"):
            raise ProtocolError("syntax error near (")
        return super()._found(search)


@in_memory("test_texts_beyond_utf8_are_found")
class IndexesNoNUL(_Overlooks):
    def sees(self, search: Search, hit: Hit) -> bool:
        return hit.message is None or "\x00" not in hit.message.text


@in_memory("test_a_snippet_marks_what_was_looked_for")
class MarksOneCharacterTooMany(MemoryAdapter):
    def _found(self, search: Search) -> Iterator[Ranked]:
        for rank, hit in super()._found(search):
            marks = tuple((start, end + 1) for start, end in hit.snippet.marks)
            wrong_snippet = hit.snippet.model_copy(update={"marks": marks})
            yield rank, hit.model_copy(update={"snippet": wrong_snippet})


# What restricts it


@in_memory("test_a_search_keeps_to_its_conversation")
class SearchesAllWhereOneIsAbsent(MemoryAdapter):
    def _found(self, search: Search) -> Iterator[Ranked]:
        if search.conversation_id not in self._shelf.kept:
            search = replace(search, conversation_id=None)
        return super()._found(search)


@in_memory("test_a_search_by_role_shows_messages_of_that_role")
class ShowsTitlesToAnyRole(MemoryAdapter):
    def _found(self, search: Search) -> Iterator[Ranked]:
        for rank, hit in super()._found(replace(search, role=None)):
            if hit.message is None or search.role in {None, hit.message.role}:
                yield rank, hit


@in_memory("test_a_search_keeps_within_its_times")
class IncludesTheEnd(MemoryAdapter):
    def _found(self, search: Search) -> Iterator[Ranked]:
        until = search.until and search.until + timedelta(microseconds=1)
        return super()._found(replace(search, until=until))


@with_operations("test_a_time_of_a_search_without_a_time_zone_is_refused")
class TakesNaiveTimes(Operations):
    def search(self, search: Search, listing: Listing) -> Any:
        since = search.since and search.since.replace(tzinfo=UTC)
        until = search.until and search.until.replace(tzinfo=UTC)
        return super().search(replace(search, since=since, until=until), listing)


# Order and pages


@in_memory("test_titles_come_first_and_then_the_newest")
class PutsTitlesLast(MemoryAdapter):
    def _found(self, search: Search) -> Iterator[Ranked]:
        for (kind, time, conversation_id, place), hit in super()._found(search):
            yield (1 - kind, time, conversation_id, place), hit


@in_memory("test_pages_of_hits_join_to_the_whole")
class ShowsThreeAtLeast(MemoryAdapter):
    def search(self, search: Search, listing: Listing) -> Flow[Call, object, Page[Hit]]:
        return super().search(search, replace(listing, limit=max(listing.limit or 3, 3)))


@in_memory("test_a_cursor_holds_while_hits_come_and_go")
class CountsItsWayThroughHits(MemoryAdapter):
    def search(self, search: Search, listing: Listing) -> Flow[Call, object, Page[Hit]]:
        start = int(listing.cursor or 0)
        end = start + (listing.limit or 1)
        whole = yield from super().search(search, Listing())
        cursor = str(end) if end < len(whole.items) else None
        return Page(items=whole.items[start:end], cursor=cursor)


@with_operations("test_a_cursor_is_of_one_search")
class TakesAnySearchForTheSame(Operations):
    def page(self, operation: Operation, scope: str, listing: Listing, make: Any) -> Any:
        known = "" if operation is Operation.SEARCH else scope
        return super().page(operation, known, listing, make)


# What changes


@in_memory("test_what_is_rewritten_is_found_by_its_new_words")
class IndexesAnIdOnce(_Overlooks):
    def __init__(self, dsn: DSN, options: object) -> None:
        super().__init__(dsn, options)
        self._texts: dict[str, str] = {}

    def replace_messages(
        self,
        conversation_id: str,
        messages: Sequence[Message],
        after: str | None,
        tip: str | AnyTip | None,
    ) -> Flow[Call, object, tuple[Message, ...]]:
        for message in messages:
            self._texts.setdefault(message.id, searchable_text(message))
        return super().replace_messages(conversation_id, messages, after, tip)

    def sees(self, search: Search, hit: Hit) -> bool:
        known = self._texts.get(hit.message.id) if hit.message else None
        return known is None or search.find(known)


@in_memory("test_what_is_renamed_is_found_by_its_new_title")
class IndexesNoNewTitle(_Overlooks):
    def __init__(self, dsn: DSN, options: object) -> None:
        super().__init__(dsn, options)
        self._renamed: set[str] = set()

    def update_conversation(
        self, conversation_id: str, change: ConversationChange
    ) -> Flow[Call, object, None]:
        if isinstance(change.title, str):
            self._renamed.add(conversation_id)
        return super().update_conversation(conversation_id, change)

    def sees(self, search: Search, hit: Hit) -> bool:
        return hit.message is not None or hit.conversation.id not in self._renamed


@in_memory("test_what_is_deleted_is_found_no_more")
class FindsWhatWasCleared(MemoryAdapter):
    def __init__(self, dsn: DSN, options: object) -> None:
        super().__init__(dsn, options)
        self._cleared: dict[str, Any] = {}

    def clear_conversations(self) -> Flow[Call, object, None]:
        self._cleared = dict(self._shelf.kept)
        return super().clear_conversations()

    def _found(self, search: Search) -> Iterator[Ranked]:
        yield from super()._found(search)
        live, self._shelf.kept = self._shelf.kept, self._cleared
        yield from super()._found(search)
        self._shelf.kept = live


@in_memory("test_a_fork_is_found_beside_its_original")
class IndexesNoForks(_Overlooks):
    def __init__(self, dsn: DSN, options: object) -> None:
        super().__init__(dsn, options)
        self._forks: set[str] = set()

    def fork_conversation(
        self,
        conversation_id: str,
        message_id: str,
        new_id: str | None,
        change: ConversationChange,
    ) -> Flow[Call, object, Conversation]:
        fork = yield from super().fork_conversation(conversation_id, message_id, new_id, change)
        self._forks.add(fork.id)
        return fork

    def sees(self, search: Search, hit: Hit) -> bool:
        return hit.message is None or hit.conversation.id not in self._forks
