"""Clauses of search: what is found and what is not, where, in which order, page by page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from ...adapters import Operation
from ...errors import InvalidError
from ...models import Conversation, Role, Source, TextPart
from ...search import Search, fold, searchable_text
from .._assertions import collect, raises, read_pages, require
from .._backend import Kit
from ..samples import BEYOND_UTF8, HOSTILE_TEXTS, START, dialogue, text_message
from ._search_cases import (
    HOSTILE_QUERIES,
    LONG_WORD,
    SECOND,
    assert_finds,
    expected_of_many_hits,
    hit_pages,
    match_of,
    open_searchable,
    open_with_many_hits,
    read_matches,
    search_matches,
    single_hit,
)

__all__ = ["SearchClauses"]

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's


class SearchClauses:
    """The clauses of `search`."""

    # Matches

    async def test_a_search_finds_titles_and_texts(self, kit: Kit) -> None:
        """A search finds titles and texts, and returns the stored conversation and message.

        An app opens what was found without reading it again.
        """
        sample = dialogue("tides", ["waves at noon", "calm at night"], "Tides of Hilo")
        store = await open_searchable(kit, sample, dialogue("other", ["nothing"]))
        title = await single_hit(store, "Hilo")
        assert (title.conversation, title.message, title.where) == (
            await store.get_conversation("tides"),
            None,
            "title",
        )
        text = await single_hit(store, "noon")
        assert text.conversation == await store.get_conversation("tides")
        assert text.message == (await collect(store.messages("tides")))[0]
        assert text.where == "text"

    async def test_a_search_finds_titles_of_sources(self, kit: Kit) -> None:
        """A search finds titles of cited sources, but not their URLs.

        People remember what an answer was based on; parts of URLs would be hits without a meaning.
        """
        store = await open_searchable(kit, dialogue("c", ["a question"]))
        require(store, Operation.APPEND_MESSAGES)
        sources = (Source(url="https://example.org/reefs"), Source(title="Almanac of moons"))
        answer = text_message("waves at noon", "assistant", 7)
        await store.append_messages("c", [answer.model_copy(update={"sources": sources})])
        assert [hit.where for hit in (await store.search("Almanac")).items] == ["source"]
        assert await search_matches(store, "noon moons") == [("text", "waves at noon")]
        assert await search_matches(store, '"noon Almanac"') == []
        assert await search_matches(store, "reefs") == []

    async def test_words_of_a_title_and_of_a_text_make_no_hit_together(self, kit: Kit) -> None:
        """All words of a query must be in one title or in one message.

        Words from here and there would make hits that nobody looked for.
        """
        store = await open_searchable(
            kit, dialogue("c", ["waves at noon", "calm"], "Tides of Hilo")
        )
        assert await search_matches(store, "Hilo noon") == []
        assert await search_matches(store, "noon calm") == []
        assert await search_matches(store, "Tides Hilo") == [("title", "c")]

    async def test_every_word_of_a_query_must_be_there_as_a_whole(self, kit: Kit) -> None:
        """Every word of a query must be there, as a whole word.

        Searches mean the same in every store, so results can be merged.
        """
        await assert_finds(
            kit,
            {
                "fox": ["quick", "slow"],
                "fox quick": ["quick"],
                "quick fox over": ["quick"],
                "fox bread": ["slow"],
                "quick bread": [],
                "bro": [],
                "ox": [],
                "fox fox": ["quick", "slow"],
            },
        )

    async def test_a_phrase_in_quotes_must_be_there_as_it_is(self, kit: Kit) -> None:
        """Quoted words must occur together, in their order.

        A phrase is how to find a sentence that one remembers.
        """
        await assert_finds(
            kit,
            {
                '"quick brown"': ["quick"],
                '"brown quick"': [],
                '"fox jumps over"': ["quick"],
                '"fox  jumps"': ["quick"],
                '"quick brown" it': ["quick"],
                '"slow fox" "brown bread"': ["slow"],
                '"slow fox': ["slow"],
                '"fox, quickly"': ["slow"],
                '"fox quickly"': [],
            },
        )

    async def test_case_accents_and_width_do_not_matter(self, kit: Kit) -> None:
        """Case, accents and width do not matter.

        People type what their keyboard has, and expect to find what they read.
        """
        await assert_finds(
            kit,
            {
                "QUICK": ["quick"],
                "creme": ["accents"],
                "BRÛLÉE": ["accents"],
                "cre\u0300me": ["accents"],
                "strasse": ["accents"],
                "αθηνα": ["accents"],
                "елка": ["accents"],
                "istanbul": ["accents"],
                "full width": ["wide"],
                "ｆｏｘ": ["quick", "slow"],
                "42": ["wide"],
            },
        )

    async def test_scripts_without_spaces_are_found_from_one_character_up(self, kit: Kit) -> None:
        """Scripts without spaces are found by any run of characters.

        A tokenizer made for spaces finds nothing in Chinese, Japanese, Korean or Thai.
        """
        await assert_finds(
            kit,
            {
                "夏": ["chinese"],
                "威夷": ["chinese"],
                "夷大学在檀": ["chinese"],
                "大威": [],
                "夏学": [],
                "学": ["chinese"],
                "ラ": ["japanese"],
                "ラーメン": ["japanese"],
                "ﾗｰﾒﾝ": ["japanese"],
                "京都": ["japanese"],
                "東都": [],
                "か": [],
                "국어": ["korean"],
                "부": ["korean"],
                "ㅋㅋ": ["korean"],
                "ㅠ": ["korean"],
                "รัก": ["thai"],
                "ไทย": ["thai"],
                "类": ["mixed"],
                "写的": ["mixed"],
                "Python": ["mixed"],
                "用python写": ["mixed"],
            },
        )

    async def test_identifiers_are_found_and_so_are_their_parts(self, kit: Kit) -> None:
        """Identifiers are found whole and by their parts, and so are names with signs.

        Chats are full of code: `getUserName` is looked for as `user`, and C++ is not C.
        """
        await assert_finds(
            kit,
            {
                "getUserName": ["code"],
                "getusername": ["code"],
                "user": ["code"],
                "userName": ["code"],
                "max_page_size": ["code"],
                "page": ["code"],
                "page_size": ["code"],
                "http2Client": ["code"],
                "client": ["code"],
                "XMLParser": ["code"],
                "parser": ["code"],
                "parse_all()": ["code"],
                "server": ["mixed"],
                "ser": [],
                "C++": ["signs"],
                "C#": ["signs"],
                "C--": [],
                "50%": ["signs"],
                "3.14": ["signs"],
                "foo.bar/baz-qux@example.org": ["signs"],
                "baz": ["signs"],
            },
        )

    async def test_a_word_at_the_end_of_a_long_text_is_found(self, kit: Kit) -> None:
        """The last word of a text of a megabyte is found, and the snippet stays short.

        Indexes that cut long texts lose the end of every long answer.
        """
        long = f"{'Lorem ipsum dolor sit amet. ' * 45_000}needle {LONG_WORD} 針"
        store = await open_searchable(kit, dialogue("c", [long, "short"]))
        hit = await single_hit(store, f'needle 針 "needle" {LONG_WORD}')  # each of them is there
        assert hit.message is not None
        assert hit.message.text == long
        assert len(hit.snippet.text) < 1000

    async def test_no_query_is_wrong(self, kit: Kit) -> None:
        """Any text is a valid query, and finds exactly what its words say.

        Users type quotes, operators and wildcards; a query language of the database must not show.
        """
        sample = dialogue("hostile", [*HOSTILE_TEXTS, LONG_WORD], "plain -- 'title'")
        store = await open_searchable(kit, sample)
        messages = await collect(store.messages("hostile"))
        for query in HOSTILE_QUERIES:
            read = await read_pages(hit_pages(store, query, limit=50))
            search = Search(query)
            due = [message.text for message in messages if search.find(searchable_text(message))]
            found = [hit.message.text for hit in read if hit.message]
            assert found == due[::-1], query[:50]
            titles = [hit.where for hit in read if hit.message is None]
            assert titles == ["title"] * search.find("plain -- 'title'")

    async def test_texts_beyond_utf8_are_found(self, kit: Kit) -> None:
        """Texts with NUL or lone surrogates are found, whole and by their words.

        A search must find all texts that can be stored.
        """
        store = await open_searchable(kit, dialogue("c", ["a question"]))
        require(store, Operation.APPEND_MESSAGES)
        sent = [text_message(text, "user", 700 + n) for n, text in enumerate(BEYOND_UTF8)]
        await store.append_messages("c", sent)
        assert [text for _, text in await search_matches(store, "inside")] == list(
            BEYOND_UTF8[::-1]
        )
        for text in BEYOND_UTF8:
            assert await search_matches(store, f'"{text}"') == [("text", text)]

    async def test_a_snippet_marks_what_was_looked_for(self, kit: Kit) -> None:
        """A snippet is short, on one line, and marks exactly the words of the query.

        Apps highlight by these marks.
        """
        filler = "lorem ipsum " * 100
        texts = [f"{filler}the Quíck fox{filler}", "夏威夷 quick 大学", "quick"]
        store = await open_searchable(kit, dialogue("c", texts, "a quick title"))
        read = (await store.search("QUICK")).items
        assert len(read) == 4
        for hit in read:
            text, marks = hit.snippet.text, hit.snippet.marks
            assert 0 < len(text) < 1000
            assert "\n" not in text
            assert [fold(text[start:end]) for start, end in marks] == ["quick"]

    # Filters

    async def test_a_search_keeps_to_its_conversation(self, kit: Kit) -> None:
        """A search within a conversation finds nothing outside it.

        An absent conversation has no hits.
        """
        texts = ["the same words", "the same answer"]
        store = await open_searchable(
            kit, *(dialogue(conversation_id, texts, "same") for conversation_id in ("a", "b"))
        )
        for conversation_id in ("a", "b"):
            read = (await store.search("same", conversation_id=conversation_id)).items
            assert {hit.conversation.id for hit in read} == {conversation_id}
            assert len(read) == 3
        assert await search_matches(store, "same", conversation_id="absent") == []
        assert len(await search_matches(store, "same")) == 6

    async def test_a_search_by_role_shows_messages_of_that_role(self, kit: Kit) -> None:
        """A search by role finds messages of that role, and no titles.

        Users who look for their own question do not want the answers; an unknown role is an
        `InvalidError`.
        """
        store = await open_searchable(kit, dialogue("c", ["same question", "same answer"], "same"))
        roles: dict[Role, list[tuple[str, str]]] = {
            "user": [("text", "same question")],
            "assistant": [("text", "same answer")],
            "tool": [],
        }
        for role, due in roles.items():
            assert await search_matches(store, "same", role=role) == due
        with raises(InvalidError):
            await store.search("same", role="nobody")  # type: ignore[arg-type]

    async def test_a_search_keeps_within_its_times(self, kit: Kit) -> None:
        """`since` is included, `until` is not; titles count by their conversation's creation.

        Ranges put side by side then show each hit once.
        """
        store = await open_searchable(kit, dialogue("c", [f"same {number}" for number in range(5)]))
        every = [("text", f"same {number}") for number in (4, 3, 2, 1, 0)]
        at = [START + number * SECOND for number in range(6)]
        assert await search_matches(store, "same", since=at[2]) == every[:3]
        assert await search_matches(store, "same", until=at[2]) == every[3:]
        assert await search_matches(store, "same", since=at[1], until=at[3]) == every[2:4]
        assert await search_matches(store, "same", since=at[3], until=at[3]) == []
        assert await search_matches(store, "same", since=at[5]) == []
        assert await search_matches(store, "title", since=START) == [("title", "c")]
        assert await search_matches(store, "title", since=at[1]) == []
        assert await search_matches(store, "title", until=START) == []

    async def test_a_time_of_a_search_without_a_time_zone_is_refused(self, kit: Kit) -> None:
        """A time without a time zone is an `InvalidError`.

        Read as local time it would move the range by hours.
        """
        store = await open_searchable(kit, dialogue("c", ["same"]))
        naive = START.replace(tzinfo=None)
        with raises(InvalidError):
            await store.search("same", since=naive)
        with raises(InvalidError):
            await store.search("same", until=naive)

    # Order and pages

    async def test_titles_come_first_and_then_the_newest(self, kit: Kit) -> None:
        """Hits in titles come first, then messages, the newest first.

        Results of several stores are merged by that order.
        """
        store = await open_with_many_hits(kit)
        assert await search_matches(store, "same") == expected_of_many_hits()

    async def test_pages_of_hits_join_to_the_whole(self, kit: Kit) -> None:
        """Pages of hits, put together, are the whole result.

        A mistake at a page's edge loses a hit, or shows it twice.
        """
        store = await open_with_many_hits(kit)
        whole = list((await store.search("same", limit=100)).items)
        assert len(whole) == len(expected_of_many_hits())
        for limit in (1, 2, 5):
            assert await read_pages(hit_pages(store, "same", limit=limit)) == whole
            assert len((await store.search("same", limit=limit)).items) == limit
        with raises(InvalidError):
            await store.search("same", limit=0)

    async def test_a_cursor_holds_while_hits_come_and_go(self, kit: Kit) -> None:
        """A cursor continues after the last hit although hits were added or deleted before it.

        Paging by number would skip as many as were deleted.
        """
        store = await open_with_many_hits(kit)
        require(store, Operation.APPEND_MESSAGES, Operation.DELETE_MESSAGE)
        whole = [match_of(hit) for hit in (await store.search("same", limit=100)).items]
        first = await store.search("same", limit=5)
        await store.append_messages("c2", [text_message("same but new", "user", 999_999)])
        for hit in first.items[-2:]:
            assert hit.message is not None
            await store.delete_message(hit.conversation.id, hit.message.id)
        rest = await read_pages(hit_pages(store, "same", limit=1, cursor=first.cursor))
        assert [match_of(hit) for hit in (*first.items, *rest)] == whole

    async def test_a_cursor_is_of_one_search(self, kit: Kit) -> None:
        """A cursor of another search or list is an `InvalidError`.

        Taken for this one it would silently skip or repeat.
        """
        store = await open_with_many_hits(kit)
        cursor = (await store.search("same", limit=2)).cursor
        others: list[tuple[str, dict[str, Any]]] = [
            ("other", {}),
            ("same", {"role": "user"}),
            ("same", {"conversation_id": "c0"}),
            ("same", {"since": START}),
            ("same", {"until": START}),
        ]
        for query, within in others:
            with raises(InvalidError):
                await store.search(query, cursor=cursor, **within)
        with raises(InvalidError):
            await store.list_conversations(cursor=cursor)
        with raises(InvalidError):
            await store.search("same", cursor="no cursor")

    # Changes

    async def test_what_is_rewritten_is_found_by_its_new_words(self, kit: Kit) -> None:
        """A replaced message is found by its new words, and no longer by its old ones.

        An index that lags shows what was taken back.
        """
        store = await open_searchable(kit, dialogue("c", ["first words", "second words"]))
        require(store, Operation.APPEND_MESSAGES, Operation.REPLACE_MESSAGES)
        new = text_message("third thoughts", "assistant", 90)
        first = (await collect(store.messages("c")))[0]
        await store.replace_messages("c", [new], after=first.id)
        assert await search_matches(store, "words") == [("text", "first words")]
        assert await search_matches(store, "third") == [("text", "third thoughts")]
        same_id = new.model_copy(update={"parts": (TextPart(text="fourth"),)})
        await store.replace_messages("c", [same_id], after=first.id)
        assert await search_matches(store, "thoughts") == []
        assert await search_matches(store, "fourth") == [("text", "fourth")]

    async def test_what_is_renamed_is_found_by_its_new_title(self, kit: Kit) -> None:
        """A renamed conversation is found by its new title, and no longer by its old one.

        Its messages stay found, and pinning changes nothing.
        """
        store = await open_searchable(kit, dialogue("c", ["hello"], "old name"))
        if store.offers(Operation.UPDATE_CONVERSATION):
            await store.update_conversation("c", pinned=True)
            assert await search_matches(store, "old") == [("title", "c")]
            await store.update_conversation("c", title="new name")
            assert await search_matches(store, "old") == []
            assert await search_matches(store, "new") == [("title", "c")]
            assert await search_matches(store, "hello") == [("text", "hello")]
        if store.offers(Operation.PUT_CONVERSATION):
            await store.put_conversation(Conversation(id="c", title="put name"))
            assert await search_matches(store, "new") == []
            assert await search_matches(store, "put") == [("title", "c")]
            await store.put_conversation(Conversation(id="c"))
            assert await search_matches(store, "put") == []

    async def test_what_is_deleted_is_found_no_more(self, kit: Kit) -> None:
        """Deleted messages and titles are not found, however they were deleted.

        Deleted words must not live on in an index.
        """
        store = await open_with_many_hits(kit)
        read = await collect(store.messages("c1"))
        deletions: dict[Operation, Callable[[], Awaitable[object]]] = {
            Operation.DELETE_MESSAGE: lambda: store.delete_message("c1", read[0].id),
            Operation.DELETE_CONVERSATION: lambda: store.delete_conversation("c2"),
            Operation.DELETE_CONVERSATIONS: lambda: store.delete_conversations(
                older_than=START + timedelta(days=1)
            ),
            Operation.CLEAR_CONVERSATIONS: store.clear_conversations,
        }
        for operation, delete in deletions.items():
            if store.offers(operation):
                await delete()
                due = sorted(await read_matches(store, "same"))
                assert sorted(await search_matches(store, "same")) == due

    async def test_a_fork_is_found_beside_its_original(self, kit: Kit) -> None:
        """A fork's title and messages are found, as those of its original.

        An index that only appends update would miss the copied rows.
        """
        store = await open_searchable(kit, dialogue("c", ["same", "other", "same again"], "name"))
        require(store, Operation.FORK_CONVERSATION)
        tip = (await collect(store.messages("c")))[1].id
        await store.fork_conversation("c", tip, id="fork", title="fork name")
        assert sorted(await search_matches(store, "name")) == [("title", "c"), ("title", "fork")]
        assert await search_matches(store, "same", conversation_id="fork") == [("text", "same")]
        assert len(await search_matches(store, "same")) == 3
