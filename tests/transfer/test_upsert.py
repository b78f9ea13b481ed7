"""Keeping one conversation: what is compared, what is written, and what a break-off leaves."""

import weakref
from dataclasses import replace

import pytest

from convostore import (
    ConflictError,
    Conversation,
    Feedback,
    FilePart,
    Message,
    NotFoundError,
    Origin,
    Page,
    Problem,
    Traits,
    UnsupportedError,
)
from convostore.adapters.memory import MemoryAdapter
from convostore.flow import run
from convostore.testing.samples import full_message
from convostore.transfer._calls import SourceCall, TargetCall, sender
from convostore.transfer._pages import file_pages, source_pages
from convostore.transfer._target import UNFINISHED, UNSETTLED, UpsertPolicy, UpsertResult
from convostore.transfer._upsert import require_writable, upsert

from ..support.mirror import (
    START,
    Killed,
    Place,
    killer,
    later,
    messages_of,
    numbered,
    put,
    refuse_writes,
    said,
    texts_of,
)

ORIGIN = Origin(store="a store", conversation_id="c")
GOOD = Feedback(rating="good")


def carry_out(steps, source, target):
    """Drives steps as the mirror does, on the sync face."""
    return run(steps, sender({SourceCall: source.store, TargetCall: target.store}))


def kept(source, target, **policy):
    """Keeps the conversation `c` of one place as `copy` in another."""
    wanted = source.store.get_conversation("c").model_copy(update={"id": "copy", "origin": ORIGIN})
    source.watch.clear()
    target.watch.operations.clear()
    pages = lambda: source_pages(source.store, "c")  # noqa: E731
    return carry_out(upsert(target.store, wanted, pages, UpsertPolicy(**policy)), source, target)


def imported(messages, target, conversation=None, **policy):
    """Keeps messages that come from no store, as an import does."""
    steps = upsert(
        target.store,
        conversation or Conversation(id="copy", title="a title", updated_at=START),
        lambda: file_pages(messages),
        UpsertPolicy(**{"rewrite": False, "attempts": 1} | policy),
    )
    return run(steps, sender({TargetCall: target.store}))


def assert_kept(source, target):
    original = source.store.get_conversation("c")
    copy = target.store.get_conversation("copy")
    assert copy == original.model_copy(update={"id": "copy", "origin": ORIGIN})
    assert messages_of(target, "copy") == messages_of(source, "c")


@pytest.fixture
def source():
    return Place()


@pytest.fixture
def target():
    return Place()


class TestAFirstCopy:
    def test_it_holds_everything_that_the_schema_can_hold(self, source, target):
        put(
            source,
            "c",
            [said("a NUL \x00, a surrogate \ud800", id="\ud800"), full_message()],
            created_at=START,
            pinned=True,
            files=(FilePart(name="f", url="https://example.org/f"),),
            problems=(Problem(where="metadata", what="is not JSON"),),
            raw={"as": ["it", "came"]},
        )
        assert kept(source, target) == UpsertResult(outcome="copied", messages=2)
        assert_kept(source, target)

    def test_a_conversation_without_messages_is_one_write(self, source, target):
        put(source, "c", [], updated_at=None)
        assert kept(source, target) == UpsertResult(outcome="copied")
        assert_kept(source, target)
        assert target.watch.writes == ["put_conversation"]

    def test_it_is_read_and_written_page_by_page(self, source, target):
        put(source, "c", numbered(*range(1_050)))
        assert kept(source, target) == UpsertResult(outcome="copied", messages=1_050)
        assert source.watch.operations.count("list_messages") == 11
        assert target.watch.writes.count("append_messages") == 11
        assert_kept(source, target)

    def test_a_short_one_is_written_in_one_step_where_batches_are_whole(self, source):
        target = Place(adapter=MemoryAdapter)
        put(source, "c", numbered(1, 2))
        wanted = source.store.get_conversation("c").model_copy(
            update={"id": "copy", "origin": ORIGIN}
        )
        pages = lambda: source_pages(source.store, "c")  # noqa: E731
        steps = upsert(target.store, wanted, pages, UpsertPolicy())
        send = sender({SourceCall: source.store, TargetCall: target.store})
        calls = []

        def watched(call):
            calls.append(type(call))
            return send(call)

        assert run(steps, watched) == UpsertResult(outcome="copied", messages=2)
        assert calls.count(TargetCall) == 2  # a look, and all that is written
        assert_kept(source, target)

    def test_pages_are_written_before_all_are_asked_for(self, source, target):
        put(source, "c", numbered(*range(1_250)))
        asked = []
        target.watch.before = lambda operation: asked.append(len(source.watch.operations))
        kept(source, target)
        assert sorted(set(asked)) == [0, 6, 11, 13]

    def test_a_write_is_never_of_more_messages_than_one_transaction_should_hold(self, target):
        sizes = []
        steps = upsert(
            target.store,
            Conversation(id="copy"),
            lambda: file_pages(numbered(*range(1_200))),
            UpsertPolicy(attempts=1),
            report=sizes.append,
        )
        run(steps, sender({TargetCall: target.store}))
        assert [each for each in sizes if each] == [500, 500, 200]

    def test_no_more_than_some_pages_are_held_however_long_it_is(self):
        alive, most = 0, 0

        def gone(reference):
            nonlocal alive
            alive -= 1

        class Long(MemoryAdapter):
            def list_messages(self, conversation_id, listing):
                nonlocal alive, most
                yield lambda: None
                first = int(listing.cursor or 0)
                page = numbered(*range(first, first + listing.limit))
                references.extend(weakref.ref(each, gone) for each in page)
                alive += len(page)
                most = max(most, alive)
                last = first + len(page)
                return Page(items=tuple(page), cursor=str(last) if last < 20_000 else None)

        class Forgetting(MemoryAdapter):
            def append_messages(self, conversation_id, messages, after):
                yield lambda: None
                return ()

        references: list[object] = []
        source, target = Place(adapter=Long), Place(adapter=Forgetting)
        pages = lambda: source_pages(source.store, "c")  # noqa: E731
        steps = upsert(target.store, Conversation(id="copy"), pages, UpsertPolicy())
        assert carry_out(steps, source, target).messages == 20_000
        assert most <= 1_500

    def test_a_message_that_a_shifted_page_shows_again_is_copied_once(self, target):
        class Overlapping(MemoryAdapter):
            def list_messages(self, conversation_id, listing):
                page = yield from super().list_messages(conversation_id, listing)
                again = numbered(99) if listing.cursor is not None else []
                return replace(page, items=(*again, *page.items))

        source = Place(adapter=Overlapping)
        put(source, "c", numbered(*range(150)))
        assert kept(source, target).messages == 150
        assert texts_of(target, "copy") == [f"text {each}" for each in range(150)]

    def test_until_it_is_whole_it_says_that_it_is_not(self, source, target):
        put(source, "c", numbered(*range(250)))
        target.watch.before = killer(2)
        with pytest.raises(Killed):
            kept(source, target)
        half = target.store.get_conversation("copy")
        assert half.problems == (UNFINISHED,)
        assert half.origin == ORIGIN
        target.watch.clear()
        assert kept(source, target, new_only=True).messages == 150
        assert_kept(source, target)


class TestUnchanged:
    def test_what_was_not_written_since_is_not_looked_at(self, source, target):
        put(source, "c", numbered(1, 2))
        kept(source, target)
        assert kept(source, target) == UpsertResult(outcome="unchanged")
        assert source.watch.operations == []
        assert target.watch.operations == ["get_conversation"]

    def test_what_tells_no_time_is_looked_at_and_not_written(self, source, target):
        put(source, "c", numbered(1, 2), updated_at=None)
        kept(source, target)
        assert kept(source, target) == UpsertResult(outcome="unchanged")
        assert source.watch.operations == ["list_messages"]
        assert target.watch.writes == []

    def test_new_only_leaves_alone_what_is_there_and_whole(self, source, target):
        put(source, "c", numbered(1, 2), updated_at=None)
        kept(source, target)
        put(source, "c", numbered(1, 2, 3), title="another", updated_at=None)
        assert kept(source, target, new_only=True) == UpsertResult(outcome="unchanged")
        assert source.watch.operations == []
        assert kept(source, target).messages == 1

    def test_an_address_that_is_signed_anew_is_no_change(self, source, target):
        def signed(sign):
            part = FilePart(name="f", url=f"https://example.org/f?sign={sign}")
            return [Message(id="m", role="user", parts=(part,), raw={"sign": sign})]

        put(source, "c", signed(1), updated_at=None, raw={"sign": 1})
        kept(source, target)
        put(source, "c", signed(2), updated_at=None, raw={"sign": 2})
        assert kept(source, target, full=True) == UpsertResult(outcome="unchanged")
        assert target.watch.writes == []

    def test_a_time_that_moved_with_no_message_is_one_write(self, source, target):
        put(source, "c", numbered(1, 2))
        kept(source, target)
        put(source, "c", numbered(1, 2), updated_at=later(1))
        assert kept(source, target) == UpsertResult(outcome="updated")
        assert target.watch.writes == ["put_conversation"]
        assert_kept(source, target)

    def test_a_new_title_or_pin_is_one_write_without_a_look_at_the_messages(self, source, target):
        put(source, "c", numbered(1, 2))
        kept(source, target)
        put(source, "c", numbered(1, 2), title="another", pinned=True)
        assert kept(source, target) == UpsertResult(outcome="updated")
        assert source.watch.operations == []
        assert target.watch.writes == ["put_conversation"]
        assert_kept(source, target)


# What the source had, what it has, and how many messages are written when deletions are followed.
EDITS = {
    "more at the end": ([1, 2], [1, 2, 3, 4], 2),
    "a first message": ([], [1], 1),
    "a rewritten end": ([1, 2, 3], [1, 2, 4, 5], 2),
    "all anew": ([1, 2, 3], [4, 5], 2),
    "one in the middle lost": ([1, 2, 3], [1, 3], 0),
    "the first lost, and more": ([1, 2, 3], [2, 3, 4], 1),
    "the end lost": ([1, 2, 3], [1], 0),
    "all lost": ([1, 2, 3], [], 0),
    "one put between": ([1, 3], [1, 2, 3], 2),
    "two in another order": ([1, 2, 3], [2, 1, 3], 3),
    "the last one first": ([1, 2, 3], [3, 1, 2], 3),
}


class TestChanges:
    @pytest.mark.parametrize(("before", "after", "messages"), EDITS.values(), ids=EDITS.keys())
    def test_the_copy_becomes_what_the_source_is(self, source, target, before, after, messages):
        put(source, "c", numbered(*before))
        kept(source, target)
        put(source, "c", numbered(*after), updated_at=later(1))
        assert kept(source, target, delete=True) == UpsertResult(
            outcome="updated", messages=messages
        )
        assert_kept(source, target)

    @pytest.mark.parametrize(("before", "after", "messages"), EDITS.values(), ids=EDITS.keys())
    def test_broken_off_anywhere_and_done_again_it_is_the_same(
        self, source, target, before, after, messages
    ):
        put(source, "c", numbered(*before))
        kept(source, target)
        put(source, "c", numbered(*after), updated_at=later(1))
        survived, killed = 0, True
        while killed:
            target.watch.before = killer(survived)
            try:
                kept(source, target, delete=True)
            except Killed:
                survived += 1
            else:
                killed = False
            target.watch.clear()
            kept(source, target, delete=True)
            assert_kept(source, target)
            put(target, "copy", numbered(*before), origin=ORIGIN)
        assert survived >= 2 or not messages

    @pytest.mark.parametrize(
        ("before", "after", "stands"),
        [
            ([1, 2, 3], [1, 3], [1, 2, 3]),
            ([1, 2, 3], [1], [1, 2, 3]),
            ([1, 2, 3], [], [1, 2, 3]),
            ([1, 2, 3], [1, 3, 4], [1, 2, 3, 4]),
            ([1, 2, 3, 4, 5], [1, 4], [1, 2, 3, 4, 5]),
            ([1, 2, 3], [1, 4], [1, 4]),  # the end was rewritten
            ([1, 2, 3, 4], [1, 5, 4], [1, 5, 4]),
            ([1, 2, 3, 4], [3, 1], [3, 4, 1, 2]),  # moved, with what stood behind
        ],
    )
    def test_what_the_source_has_lost_stays_unless_deletions_are_followed(
        self, source, target, before, after, stands
    ):
        put(source, "c", numbered(*before))
        kept(source, target)
        put(source, "c", numbered(*after), updated_at=later(1))
        kept(source, target)
        assert texts_of(target, "copy") == [f"text {each}" for each in stands]
        assert kept(source, target, full=True) == UpsertResult(outcome="unchanged")

    def test_what_the_source_has_lost_stays_where_an_earlier_message_changes(self, source, target):
        put(source, "c", numbered(1, 2, 3, 4))
        kept(source, target)
        put(source, "c", [said("changed", id="m1"), *numbered(3)], updated_at=later(1))
        kept(source, target)
        assert texts_of(target, "copy") == ["changed", "text 2", "text 3", "text 4"]

    def test_what_the_source_has_lost_stays_where_the_next_message_changes(self, source, target):
        put(source, "c", numbered(1, 2, 3))
        kept(source, target)
        put(source, "c", [*numbered(1), said("changed", id="m3")], updated_at=later(1))
        kept(source, target)
        assert texts_of(target, "copy") == ["text 1", "text 2", "changed"]

    def test_what_the_source_has_lost_stays_in_a_long_conversation(self, source, target):
        put(source, "c", numbered(*range(4_000)))
        kept(source, target)
        shorter = [each for each in range(4_000) if each not in {700, 2_500, 3_999}]
        put(source, "c", [said("new", id="m0"), *numbered(*shorter[1:])], updated_at=later(1))
        kept(source, target)
        expected = ["new", *(f"text {each}" for each in range(1, 4_000))]
        assert texts_of(target, "copy") == expected

    def test_a_message_that_changed_under_its_id_is_replaced(self, source, target):
        put(source, "c", numbered(1, 2, 3))
        kept(source, target)
        put(
            source,
            "c",
            [*numbered(1), said("another text", id="m2"), *numbered(3)],
            updated_at=later(1),
        )
        assert kept(source, target) == UpsertResult(outcome="updated", messages=2)
        assert_kept(source, target)

    def test_a_status_that_changed_is_followed(self, source, target):
        put(source, "c", numbered(1, status="unanswered"))
        kept(source, target)
        put(source, "c", numbered(1, status="complete"), updated_at=later(1))
        kept(source, target)
        assert_kept(source, target)

    def test_feedback_alone_is_set_without_a_message_being_written_anew(self, source, target):
        put(source, "c", numbered(1, 2, 3))
        kept(source, target)
        source.store.set_feedback("c", "m2", GOOD)
        assert kept(source, target) == UpsertResult(outcome="unchanged")
        assert kept(source, target, full=True) == UpsertResult(outcome="updated", messages=1)
        assert target.watch.writes == ["put_conversation", "set_feedback", "put_conversation"]
        assert_kept(source, target)
        source.store.set_feedback("c", "m2", None)
        kept(source, target, full=True)
        assert_kept(source, target)

    def test_raw_comes_along_with_what_changed(self, source, target):
        put(source, "c", numbered(1, raw={"n": 1}), raw={"n": 1})
        kept(source, target)
        put(source, "c", [said("new", id="m1", raw={"n": 2})], raw={"n": 2}, updated_at=later(1))
        kept(source, target)
        assert_kept(source, target)

    def test_an_answer_that_is_still_being_made_is_looked_at_again(self, source, target):
        put(source, "c", numbered(1, status="generating"))
        kept(source, target)
        assert target.store.get_conversation("copy").problems == (UNSETTLED,)
        assert kept(source, target) == UpsertResult(outcome="unchanged")
        assert source.watch.operations == ["list_messages"]
        source.store.replace_messages("c", [said("done", id="m1", status="complete")], after=None)
        source.store.put_conversation(
            source.store.get_conversation("c").model_copy(update={"updated_at": START})
        )
        assert kept(source, target, new_only=True) == UpsertResult(outcome="updated", messages=1)
        assert_kept(source, target)
        assert kept(source, target) == UpsertResult(outcome="unchanged")
        assert source.watch.operations == []

    def test_what_is_written_while_it_is_read_is_found_the_next_time(self, source, target):
        put(source, "c", numbered(*range(150)))

        def write_meanwhile(operation):
            if operation == "append_messages" and len(messages_of(source, "c")) == 150:
                source.store.append_messages("c", numbered(1_000))

        target.watch.before = write_meanwhile
        kept(source, target)
        target.watch.clear()
        assert target.store.get_conversation("copy").updated_at == START
        kept(source, target)
        assert_kept(source, target)
        assert texts_of(target, "copy")[-1] == "text 1000"


class TestADryRun:
    @pytest.mark.parametrize(("before", "after", "messages"), EDITS.values(), ids=EDITS.keys())
    def test_it_tells_the_same_and_writes_nothing(self, source, target, before, after, messages):
        put(source, "c", numbered(*before))
        kept(source, target)
        put(source, "c", numbered(*after), updated_at=later(1))
        target.watch.before = refuse_writes
        foretold = kept(source, target, delete=True, dry_run=True)
        target.watch.clear()
        assert foretold == kept(source, target, delete=True)

    def test_of_what_is_not_there_it_counts_the_messages(self, source, target):
        put(source, "c", numbered(*range(120)))
        target.watch.before = refuse_writes
        assert kept(source, target, dry_run=True) == UpsertResult(outcome="copied", messages=120)


class TestAnAtomicTarget:
    """What is written of one conversation at a time is stored as a whole or not at all."""

    @pytest.fixture
    def target(self):
        return Place(adapter=MemoryAdapter)

    def test_it_is_copied_and_followed(self, source, target):
        put(source, "c", numbered(*range(620)), pinned=True)
        assert kept(source, target) == UpsertResult(outcome="copied", messages=620)
        assert_kept(source, target)
        put(source, "c", [*numbered(*range(600)), said("new", id="m700")], updated_at=later(1))
        assert kept(source, target, delete=True).outcome == "updated"
        assert_kept(source, target)

    def test_more_deletions_than_one_batch_holds_are_several(self, source, target):
        put(source, "c", numbered(*range(1_400)))
        kept(source, target)
        put(source, "c", numbered(*range(200), 1_399), updated_at=later(1))
        assert kept(source, target, delete=True).outcome == "updated"
        assert_kept(source, target)

    def test_a_conflict_within_a_batch_leaves_nothing_of_it(self, source):
        class Full(MemoryAdapter):
            def append_messages(self, conversation_id, messages, after):
                yield lambda: None
                raise ConflictError("full")

        target = Place(adapter=Full)
        put(source, "c", numbered(1))
        with pytest.raises(ConflictError, match="full"):
            kept(source, target)
        assert list(target.store.conversations()) == []


class TestOtherWriters:
    def test_one_who_came_between_makes_it_look_again(self, source, target):
        put(source, "c", numbered(1, 2))
        kept(source, target)
        put(source, "c", numbered(1, 2, 3), updated_at=later(1))
        others = iter([numbered(9)])

        def come_between(operation):
            if operation == "append_messages" and (message := next(others, None)):
                target.store.append_messages("copy", message)

        target.watch.before = come_between
        assert kept(source, target).outcome == "updated"
        assert texts_of(target, "copy") == ["text 1", "text 2", "text 9", "text 3"]
        put(source, "c", numbered(1, 2, 3, 4), updated_at=later(2))
        kept(source, target)
        assert texts_of(target, "copy") == ["text 1", "text 2", "text 9", "text 3", "text 4"]

    @pytest.mark.parametrize("delete", [False, True])
    @pytest.mark.parametrize(
        ("before", "after", "stands"),
        [
            ([1, 2, 3], [1, 4], [1, 9, 4]),  # the end was rewritten
            ([1, 2, 3], [4, 2, 3], [4, 2, 3, 9]),
            ([1, 2, 3], [2, 1, 3], [2, 1, 3, 9]),
            ([1, 2, 3], [1], [1, 9]),  # nothing is replaced but to delete
            ([1, 2, 3], [], [9]),
        ],
        ids=str,
    )
    def test_what_is_appended_between_a_look_and_a_replacement_stays(
        self, source, target, before, after, stands, delete
    ):
        put(source, "c", numbered(*before))
        kept(source, target)
        put(source, "c", numbered(*after), updated_at=later(1))
        others = iter([numbered(9)])

        def come_between(operation):
            if operation == "replace_messages" and (message := next(others, None)):
                target.store.append_messages("copy", message)

        target.watch.before = come_between
        kept(source, target, delete=delete)
        if next(others, None) is None:
            assert texts_of(target, "copy") == [f"text {each}" for each in stands]

    def test_what_is_appended_between_two_writes_of_a_long_one_stays(self, source, target):
        put(source, "c", numbered(0, 1))
        kept(source, target)
        put(source, "c", [said("new", id="m0"), *numbered(*range(2, 1_200))], updated_at=later(1))
        writes = []

        def come_between(operation):
            writes.append(operation)
            if writes.count("append_messages") == 1 and operation == "append_messages":
                target.store.append_messages("copy", [said("another's", id="x")])

        target.watch.before = come_between
        kept(source, target)
        copied = [each for each in messages_of(target, "copy") if each.id != "x"]
        assert copied == messages_of(source, "c")
        assert len(messages_of(target, "copy")) == len(copied) + 1

    def test_one_who_comes_between_each_time_is_a_conflict_and_loses_nothing(self, source, target):
        put(source, "c", numbered(1, 2))
        kept(source, target)
        put(source, "c", numbered(3), updated_at=later(1))
        others = iter(numbered(7, 8, 9))

        def come_between(operation):
            if operation == "replace_messages":
                target.store.append_messages("copy", [next(others)])

        target.watch.before = come_between
        with pytest.raises(ConflictError):
            kept(source, target)
        assert texts_of(target, "copy") == [f"text {each}" for each in (1, 2, 7, 8)]

    def test_one_who_came_between_where_nothing_may_be_rewritten_is_a_conflict(
        self, source, target
    ):
        put(source, "c", numbered(1))
        others = iter([numbered(9)])

        def come_between(operation):
            if operation == "append_messages" and (message := next(others, None)):
                target.store.append_messages("copy", message)

        target.watch.before = come_between
        with pytest.raises(ConflictError):
            kept(source, target, rewrite=False)
        assert texts_of(target, "copy") == ["text 9"]

    def test_a_copy_that_is_deleted_meanwhile_is_made_again(self, source, target):
        put(source, "c", numbered(1))
        deletions = iter([1])

        def delete(operation):
            if operation == "append_messages" and next(deletions, None):
                target.store.delete_conversation("copy")

        target.watch.before = delete
        assert kept(source, target).outcome == "copied"
        assert_kept(source, target)

    def test_two_that_keep_the_same_double_nothing(self, source, target):
        put(source, "c", numbered(*range(250)))
        others = iter([1])

        def run_another(operation):
            if operation == "append_messages" and next(others, None):
                wanted = source.store.get_conversation("c").model_copy(
                    update={"id": "copy", "origin": ORIGIN}
                )
                pages = lambda: source_pages(source.store, "c")  # noqa: E731
                steps = upsert(target.store, wanted, pages, UpsertPolicy())
                assert carry_out(steps, source, target).messages == 250

        target.watch.before = run_another
        kept(source, target)
        assert_kept(source, target)

    def test_an_id_that_a_copy_of_another_conversation_has_is_a_conflict(self, source, target):
        put(source, "c", numbered(1))
        put(target, "copy", numbered(7), origin=Origin(store="another", conversation_id="x"))
        with pytest.raises(ConflictError, match="'x' from another"):
            kept(source, target)
        assert texts_of(target, "copy") == ["text 7"]

    def test_a_conversation_that_the_source_loses_meanwhile_is_not_found(self, source, target):
        put(source, "c", numbered(1))
        wanted = source.store.get_conversation("c")
        source.store.delete_conversation("c")
        pages = lambda: source_pages(source.store, "c")  # noqa: E731
        steps = upsert(target.store, wanted, pages, UpsertPolicy())
        with pytest.raises(NotFoundError):
            carry_out(steps, source, target)
        assert target.watch.writes == []


class TestWithoutRewriting:
    def test_it_is_imported_as_it_is(self, target):
        assert imported(numbered(1, 2), target) == UpsertResult(outcome="copied", messages=2)
        assert imported(numbered(1, 2), target) == UpsertResult(outcome="unchanged")

    def test_what_was_said_there_since_stays(self, target):
        imported(numbered(1, 2), target)
        target.store.append_messages("copy", numbered(3))
        target.store.set_feedback("copy", "m1", GOOD)
        target.store.update_conversation("copy", title="mine")
        target.watch.before = refuse_writes
        assert imported(numbered(1, 2), target) == UpsertResult(outcome="unchanged")

    def test_it_is_continued(self, target):
        imported(numbered(1, 2), target)
        longer = Conversation(id="copy", title="a title", updated_at=later(1))
        assert imported(numbered(1, 2, 3), target, longer) == UpsertResult(
            outcome="updated", messages=1
        )
        assert texts_of(target, "copy") == ["text 1", "text 2", "text 3"]

    @pytest.mark.parametrize(
        "other", [[7], [1, 7], [7, 1], [1, 3, 2]], ids=lambda each: "-".join(map(str, each))
    )
    def test_other_messages_in_their_place_are_a_conflict_and_stay(self, target, other):
        put(target, "copy", numbered(*other), updated_at=later(5))
        target.watch.before = refuse_writes
        with pytest.raises(
            ConflictError, match="another conversation with the id 'copy' exists already"
        ):
            imported(numbered(1, 2, 3), target)

    def test_one_that_broke_off_goes_on(self, target):
        target.watch.before = killer(2)
        with pytest.raises(Killed):
            imported(numbered(*range(700)), target)
        target.watch.clear()
        assert imported(numbered(*range(700)), target).messages == 200
        copy = target.store.get_conversation("copy")
        assert copy == Conversation(id="copy", title="a title", updated_at=START)
        assert len(messages_of(target, "copy")) == 700

    def test_an_answer_in_the_making_stays_what_the_file_says(self, target):
        imported(numbered(1, status="generating"), target)
        assert target.store.get_conversation("copy").problems == ()


class TestTargetsThatCanDoLess:
    @pytest.mark.parametrize("missing", ["create_conversation", "append_messages"])
    def test_one_that_cannot_be_written_to_is_refused(self, missing):
        with pytest.raises(UnsupportedError, match=missing):
            require_writable(Place(missing).store)

    def test_one_that_can_is_not(self, target):
        require_writable(target.store)

    def test_without_put_it_gets_what_create_takes_and_the_rest_is_told(self, source):
        target = Place("put_conversation")
        put(source, "c", numbered(1), created_at=START, pinned=True, raw={"x": 1})
        assert kept(source, target) == UpsertResult(
            outcome="copied",
            messages=1,
            losses={"conversation.updated_at": 1, "conversation.raw": 1},
        )
        copy = target.store.get_conversation("copy")
        assert (copy.title, copy.created_at, copy.origin, copy.pinned) == (
            "a title",
            START,
            ORIGIN,
            True,
        )
        assert kept(source, target) == UpsertResult(outcome="unchanged")
        assert source.watch.operations == ["list_messages"]

    def test_without_put_new_only_looks_all_the_same_as_it_may_have_broken_off(self, source):
        target = Place("put_conversation")
        put(source, "c", numbered(*range(250)))
        target.watch.before = killer(2)
        with pytest.raises(Killed):
            kept(source, target)
        target.watch.clear()
        assert kept(source, target, new_only=True).messages == 150
        assert messages_of(target, "copy") == messages_of(source, "c")

    def test_without_put_a_new_title_is_an_update(self, source):
        target = Place("put_conversation")
        put(source, "c", [], title="one")
        kept(source, target)
        put(source, "c", [], title="two", pinned=True)
        assert kept(source, target).outcome == "updated"
        copy = target.store.get_conversation("copy")
        assert (copy.title, copy.pinned) == ("two", True)

    def test_without_put_and_update_a_new_title_is_told_as_lost_where_more_is_written(self, source):
        target = Place("put_conversation", "update_conversation")
        put(source, "c", numbered(1), pinned=True)
        assert kept(source, target).losses == {
            "conversation.updated_at": 1,
            "conversation.pinned": 1,
        }

    def test_without_replace_what_can_be_appended_is_and_the_rest_is_refused(self, source):
        target = Place("replace_messages")
        put(source, "c", numbered(1, 2))
        kept(source, target)
        put(source, "c", numbered(1, 2, 3), updated_at=later(1))
        assert kept(source, target).messages == 1
        put(source, "c", numbered(1, 2), updated_at=later(2))
        assert kept(source, target, delete=True).outcome == "updated"
        assert_kept(source, target)
        put(source, "c", numbered(1, 7), updated_at=later(3))
        with pytest.raises(UnsupportedError, match="replace_messages"):
            kept(source, target)
        assert texts_of(target, "copy") == ["text 1", "text 2"]

    def test_without_set_feedback_the_message_is_replaced(self, source):
        target = Place("set_feedback")
        put(source, "c", numbered(1, 2))
        kept(source, target)
        source.store.set_feedback("c", "m2", GOOD)
        assert kept(source, target, full=True).messages == 1
        assert_kept(source, target)

    def test_without_set_feedback_and_replace_it_is_lost(self, source):
        target = Place("set_feedback", "replace_messages")
        put(source, "c", numbered(1, 2))
        kept(source, target)
        source.store.set_feedback("c", "m1", GOOD)
        source.store.append_messages("c", numbered(3))
        assert kept(source, target).losses == {"message.feedback": 1}

    def test_where_a_delete_may_take_the_turn_the_rest_is_replaced_instead(self, source):
        class Turns(MemoryAdapter):
            traits = Traits(updated_at="content", deletes="may_delete_turn")

        target = Place(adapter=Turns)
        put(source, "c", numbered(1, 2, 3))
        kept(source, target)
        put(source, "c", numbered(1, 3), updated_at=later(1))
        assert kept(source, target, delete=True).messages == 1
        assert "delete_message" not in target.watch.operations
        assert_kept(source, target)
