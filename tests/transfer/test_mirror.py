"""Mirroring a whole store: identity, what a run costs, deletions, what ends it and what not."""

import asyncio
import inspect
from dataclasses import replace

import pytest

import convostore
from convostore import (
    AuthError,
    ConflictError,
    InvalidError,
    NotFoundError,
    Origin,
    Page,
    ProtocolError,
    RateLimitError,
    UnavailableError,
    UnsupportedError,
)
from convostore.adapters import read_only
from convostore.errors import ForbiddenError
from convostore.transfer import MirrorProgress, MirrorReport, amirror, mirror
from convostore.transfer._mirror import copy_id

from ..support.mirror import (
    Killed,
    Place,
    SteppedMemory,
    assert_equal,
    copies_of,
    killer,
    later,
    mirrored,
    numbered,
    put,
    refuse_writes,
    said,
    texts_of,
)


@pytest.fixture(params=["sync", "async"])
def face(request):
    return request.param


@pytest.fixture
def source():
    return Place()


@pytest.fixture
def target():
    return Place()


class Plain(SteppedMemory):
    """A service: it has neither pins nor owners nor metadata, and no revisions."""

    traits = replace(
        SteppedMemory.traits,
        keeps=frozenset(),
        filters=frozenset(),
        changes=frozenset({"title"}),
    )

    def list_conversations(self, listing):
        page = yield from super().list_conversations(listing)
        return replace(page, items=tuple(each.trusted_copy(revision=None) for each in page.items))


class WithoutRevisions(Plain):
    traits = SteppedMemory.traits


class Timeless(Plain):
    traits = replace(SteppedMemory.traits, updated_at="none")


def fill(place, conversations, messages=2):
    for number in range(conversations):
        put(place, f"c{number}", numbered(*range(messages)), updated_at=later(number))


def failing(place, operation, error, *, conversation=None):
    """Makes a place fail at an operation, at that of the one conversation where it is named."""

    original = getattr(place.adapter, operation)

    def fail(*args):
        if conversation in {None, args[0]}:
            raise error
        return (yield from original(*args))

    setattr(place.adapter, operation, fail)


class TestIdentity:
    def test_a_copy_knows_the_store_and_the_id_that_it_is_of(self, face, source, target):
        put(source, "c", numbered(1))
        mirrored(face, source, target)
        (copy,) = target.store.conversations()
        assert copy.origin == Origin(store=source.name, conversation_id="c")
        assert copy.id == copy_id(copy.origin)
        assert len(copy.id) == 32

    def test_sources_with_the_same_ids_do_not_collide(self, face, source, target):
        another = Place()
        put(source, "c", [said("one")])
        put(another, "c", [said("two")])
        mirrored(face, source, target)
        mirrored(face, another, target)
        assert len(list(target.store.conversations())) == 2
        assert_equal(source, target)
        assert_equal(another, target)

    def test_where_the_name_ends_and_the_id_begins_is_told_apart(self):
        one = Origin(store="a", conversation_id='b", "c')
        other = Origin(store='a", "b', conversation_id="c")
        assert copy_id(one) != copy_id(other)
        one = Origin(store="ab", conversation_id="c")
        other = Origin(store="a", conversation_id="bc")
        assert copy_id(one) != copy_id(other)

    def test_a_name_of_ones_own_stands_for_the_address(self, face, source, target):
        put(source, "c", numbered(1))
        mirrored(face, source, target, name="work")
        assert_equal(source, target, name="work")

    def test_ids_that_no_file_can_hold_are_ids_too(self, face, source, target):
        for hostile in ("\ud800", "a\x00b", "x" * 5_000, "null"):
            put(source, hostile, numbered(1))
        assert mirrored(face, source, target).copied == 4
        assert_equal(source, target)
        assert mirrored(face, source, target).unchanged == 4

    def test_a_copy_of_a_copy_tells_the_store_that_was_read(self, face, source, target):
        third = Place()
        put(source, "c", numbered(1))
        mirrored(face, source, target)
        mirrored(face, target, third)
        (copy,) = third.store.conversations()
        assert copy.origin is not None
        assert copy.origin.store == target.name

    def test_a_store_is_not_mirrored_into_itself(self, face, source):
        put(source, "c", numbered(1))
        with pytest.raises(InvalidError, match="different stores"):
            mirrored(face, source, source)

    def test_one_place_opened_twice_is_one_store(self):
        with (
            convostore.open("memory://twice") as one,
            convostore.open("memory://twice") as two,
            pytest.raises(InvalidError, match="different stores"),
        ):
            mirror(one, two)

    def test_two_private_memories_are_two_stores(self):
        with convostore.open("memory://") as one, convostore.open("memory://") as two:
            one.create_conversation()
            assert mirror(one, two).copied == 1

    @pytest.mark.parametrize("name", ["", 5])
    def test_a_name_that_is_none_is_refused(self, face, source, target, name):
        with pytest.raises(InvalidError, match=r"^name "):
            mirrored(face, source, target, name=name)
        assert source.watch.operations == []

    def test_a_store_of_the_other_face_is_refused(self, source, target):
        with pytest.raises(InvalidError, match=r"convostore\.open returns.* begins with 'a'"):
            mirror(source.store, target.open_async())
        with pytest.raises(InvalidError, match=r"convostore\.aopen returns.* not begin with 'a'"):
            asyncio.run(amirror(source.store, target.store))
        with pytest.raises(InvalidError, match=r"convostore\.open returns, got str$"):
            mirror("memory://", target.store)


class TestAReadOnlyTarget:
    """A view that may only read is one for mirror, import and export as well."""

    def readers(self, face, target):
        """Calls that write to a read-only view of the target, on one face."""
        if face == "sync":
            reader = target.store.view(read_only)
            return (
                lambda source, **options: mirror(source.store, reader, **options),
                lambda path: convostore.import_conversations(path, reader),
            )
        reader = target.open_async().view(read_only)
        return (
            lambda source, **options: asyncio.run(amirror(source.open_async(), reader, **options)),
            lambda path: asyncio.run(convostore.aimport_conversations(path, reader)),
        )

    @pytest.mark.parametrize("options", [{}, {"dry_run": True}, {"delete": True}], ids=str)
    def test_nothing_is_mirrored_into_it(self, face, source, target, options):
        put(source, "c", numbered(1))
        into, _ = self.readers(face, target)
        with pytest.raises(ForbiddenError):
            into(source, **options)
        assert list(target.store.conversations()) == []
        assert source.watch.operations[-1] not in {"list_conversations", "list_messages"}

    def test_nothing_is_imported_into_it(self, face, source, target, tmp_path):
        put(source, "c", numbered(1))
        path = tmp_path / "c.jsonl"
        convostore.export_conversations(source.store, path)
        _, into = self.readers(face, target)
        with pytest.raises(ForbiddenError):
            into(path)
        assert list(target.store.conversations()) == []

    def test_as_a_source_it_is_mirrored_and_exported(self, source, target, tmp_path):
        put(source, "c", numbered(1))
        reader = source.store.view(read_only)
        assert mirror(reader, target.store).copied == 1
        assert convostore.export_conversations(reader, tmp_path / "c.jsonl").conversations == 1
        assert_equal(source, target)

    def test_a_view_is_not_mirrored_into_the_store_that_it_is_of(self):
        with convostore.open("memory://") as store:
            store.create_conversation()
            with pytest.raises(InvalidError, match="different stores"):
                mirror(store.view(read_only), store)


class TestARun:
    def test_it_copies_everything_and_the_next_one_writes_nothing(self, face, source, target):
        fill(source, 130)
        assert mirrored(face, source, target) == MirrorReport(copied=130, messages=260)
        assert_equal(source, target)
        assert mirrored(face, source, target) == MirrorReport(unchanged=130)
        assert set(source.watch.operations) == {"list_conversations"}
        assert set(target.watch.operations) == {"get_conversation"}

    def test_it_reads_what_was_written_to_and_the_lists(self, face, source, target):
        fill(source, 30)
        mirrored(face, source, target)
        put(source, "c7", numbered(0, 1, 2), updated_at=later(100))
        put(source, "c8", numbered(0, 1), updated_at=later(101))
        assert mirrored(face, source, target) == MirrorReport(updated=2, unchanged=28, messages=1)
        assert source.watch.operations == ["list_conversations", *["list_messages"] * 2]
        assert_equal(source, target)

    def test_full_looks_at_everything(self, face, target):
        source = Place(adapter=WithoutRevisions)
        fill(source, 3)
        mirrored(face, source, target)
        source.store.set_feedback("c1", "m1", convostore.Feedback(rating="bad"))
        assert mirrored(face, source, target).updated == 0
        report = mirrored(face, source, target, full=True)
        assert report == MirrorReport(updated=1, unchanged=2, messages=1)
        assert_equal(source, target)

    def test_new_only_reads_the_list_alone(self, face, source, target):
        for number in range(3):
            put(source, f"c{number}", numbered(1), updated_at=None)
        mirrored(face, source, target)
        put(source, "new", numbered(1), updated_at=None)
        put(source, "c1", numbered(1, 2), updated_at=None)
        assert mirrored(face, source, target, new_only=True).copied == 1
        assert source.watch.operations.count("list_messages") == 1

    def test_a_store_without_conversations_is_mirrored_too(self, face, source, target):
        assert mirrored(face, source, target) == MirrorReport()

    def test_the_order_of_the_list_is_that_of_the_source(self, face, source, target):
        fill(source, 12)
        source.store.update_conversation("c3", pinned=True)
        mirrored(face, source, target)
        copied = [each.origin.conversation_id for each in target.store.conversations()]
        assert copied == [each.id for each in source.store.conversations()]

    def test_many_in_flight_are_no_more_than_asked_for(self, source, target):
        fill(source, 20)
        within: set[object] = set()
        most = 0

        class Slow(type(target.open_async()._transport)):
            async def send(self, request):
                nonlocal most
                within.add(asyncio.current_task())
                most = max(most, len(within))
                await asyncio.sleep(0)
                reply = await super().send(request)
                if request.__qualname__.split(".")[1] == "put_conversation":
                    within.discard(asyncio.current_task())
                return reply

        async def run(concurrency):
            async with source.open_async() as one, target.open_async() as other:
                other._transport.__class__ = Slow
                await amirror(one, other, concurrency=concurrency)

        asyncio.run(run(3))
        assert most == 3
        assert_equal(source, target)

    @pytest.mark.parametrize("concurrency", [0, -1, 1.5, "4", True])
    def test_less_than_one_in_flight_is_refused(self, source, target, concurrency):
        with pytest.raises(InvalidError, match="concurrency must be a positive integer"):
            mirrored("async", source, target, concurrency=concurrency)

    def test_both_faces_take_the_same_arguments(self):
        sync = inspect.signature(mirror).parameters
        both = inspect.signature(amirror).parameters
        assert sync.keys() == both.keys() - {"concurrency"}
        assert all(both[name].default == each.default for name, each in sync.items())


class TestUnchanged:
    """What proves that a conversation was not written to, so that its messages are not read."""

    def test_what_moves_no_time_is_seen_by_the_revision(self, face, source, target):
        fill(source, 3)
        mirrored(face, source, target)
        source.store.set_feedback("c1", "m1", convostore.Feedback(rating="bad"))
        assert mirrored(face, source, target) == MirrorReport(updated=1, unchanged=2, messages=1)
        assert source.watch.operations == ["list_conversations", "list_messages"]
        assert_equal(source, target)
        assert mirrored(face, source, target) == MirrorReport(unchanged=3)

    def test_an_answer_that_is_still_made_is_looked_at_again_whatever_the_revision(
        self, face, source, target
    ):
        put(source, "c", numbered(1, status="generating"))
        mirrored(face, source, target)
        mirrored(face, source, target)
        assert "list_messages" in source.watch.operations

    def test_a_copy_of_an_older_archive_is_looked_at_once(self, face, source, target):
        fill(source, 2)
        mirrored(face, source, target)
        for copy in list(target.store.conversations()):
            origin = copy.origin.model_copy(update={"revision": None})
            target.store.put_conversation(copy.model_copy(update={"origin": origin}))
        assert mirrored(face, source, target).messages == 0
        assert source.watch.operations.count("list_messages") == 2
        assert mirrored(face, source, target) == MirrorReport(unchanged=2)

    def test_a_time_proves_nothing_where_the_traits_do_not_say_so(self, face, target):
        source = Place(adapter=Timeless)
        fill(source, 2)
        mirrored(face, source, target)
        source.store.set_feedback("c1", "m1", convostore.Feedback(rating="bad"))
        assert mirrored(face, source, target) == MirrorReport(updated=1, unchanged=1, messages=1)

    def test_one_that_is_copied_by_half_proves_nothing(self, source, target):
        put(source, "c", numbered(*range(250)))
        target.watch.before = killer(2)
        with pytest.raises(Killed):
            mirrored("sync", source, target)
        target.watch.clear()
        (half,) = target.store.conversations()
        assert half.origin.revision is None
        mirrored("sync", source, target)
        assert_equal(source, target)


class TestWhatIsTheArchivesOwn:
    """Pins, owners and metadata: the copy follows where the source has them, and else keeps its."""

    def copy(self, target):
        (copy,) = target.store.conversations()
        return copy

    def test_what_the_source_does_not_have_stays_as_the_archive_set_it(self, face, target):
        source = Place(adapter=Plain)
        put(source, "c", numbered(1))
        mirrored(face, source, target)
        own = {"pinned": True, "owner": "ann", "metadata": {"tag": "tides"}}
        target.store.update_conversation(self.copy(target).id, **own)
        put(source, "c", numbered(1, 2), title="another", updated_at=later(1))
        assert mirrored(face, source, target).messages == 1
        copy = self.copy(target)
        assert (copy.title, copy.pinned, copy.owner, copy.metadata) == ("another", *own.values())
        assert mirrored(face, source, target, full=True) == MirrorReport(unchanged=1)

    def test_what_the_source_has_is_followed(self, face, source, target):
        put(source, "c", numbered(1), pinned=True, owner="ann", metadata={"tag": "a"})
        mirrored(face, source, target)
        assert_equal(source, target)
        source.store.update_conversation("c", pinned=False, owner=None, metadata={"tag": "b"})
        mirrored(face, source, target)
        assert_equal(source, target)

    def test_keys_of_the_archive_stay_beside_those_of_the_source(self, face, source, target):
        put(source, "c", numbered(1), metadata={"a": 1, "b": 1})
        mirrored(face, source, target)
        target.store.update_conversation(
            self.copy(target).id, metadata={"own": 1, "new": "own", "b": "changed"}
        )
        source.store.update_conversation("c", metadata={"a": None, "b": 2, "new": 2, "newer": 2})
        mirrored(face, source, target)
        expected = {"own": 1, "new": "own", "b": 2, "newer": 2}
        assert self.copy(target).metadata == expected
        assert mirrored(face, source, target, full=True) == MirrorReport(unchanged=1)
        source.store.update_conversation("c", metadata={"newer": None, "new": None})
        mirrored(face, source, target)
        assert self.copy(target).metadata == {"own": 1, "new": "own", "b": 2}

    def test_keys_that_do_not_fit_beside_the_archives_are_told_and_the_rest_is_followed(
        self, face, source, target
    ):
        put(source, "c", numbered(1))
        mirrored(face, source, target)
        target.store.update_conversation(self.copy(target).id, metadata={"own": "x" * 40_000})
        source.store.update_conversation("c", metadata={"theirs": "y" * 40_000}, title="new")
        report = mirrored(face, source, target)
        assert report.losses == {"conversation.metadata": 1}
        assert self.copy(target).title == "new"
        assert self.copy(target).metadata.keys() == {"own"}

    def test_a_target_without_them_gets_the_rest_and_the_loss_is_told(self, face, source):
        target = Place(adapter=Plain)
        put(source, "c", numbered(1), owner="ann", metadata={"tag": "a"})
        report = mirrored(face, source, target)
        assert report.losses == {"conversation.owner": 1, "conversation.metadata": 1}
        assert self.copy(target).owner is None
        assert mirrored(face, source, target) == MirrorReport(unchanged=1)

    def test_a_target_that_takes_no_whole_conversation_gets_them_by_changes(self, face, source):
        target = Place("put_conversation")
        put(source, "c", numbered(1), owner="ann", metadata={"a": 1, "b": 1})
        mirrored(face, source, target)
        assert self.copy(target).metadata == {"a": 1, "b": 1}
        target.store.update_conversation(self.copy(target).id, metadata={"own": 1})
        source.store.update_conversation("c", owner=None, metadata={"a": None, "b": 2})
        mirrored(face, source, target)
        assert self.copy(target).metadata == {"b": 2, "own": 1}
        assert self.copy(target).owner is None


class TestADryRun:
    def test_it_tells_the_same_and_writes_nothing(self, face, source, target):
        fill(source, 6)
        mirrored(face, source, target)
        put(source, "c1", numbered(0, 5), updated_at=later(100))
        put(source, "c2", numbered(0, 1), updated_at=later(101), title="another")
        put(source, "new", numbered(*range(150)))
        source.store.delete_conversation("c3")
        target.watch.before = refuse_writes
        foretold = mirrored(face, source, target, delete=True, dry_run=True)
        target.watch.clear()
        assert foretold == mirrored(face, source, target, delete=True)
        assert foretold == MirrorReport(copied=1, updated=2, unchanged=3, deleted=1, messages=151)


class TestDeletions:
    def test_what_the_source_no_longer_has_stays(self, face, source, target):
        fill(source, 3)
        mirrored(face, source, target)
        source.store.delete_conversation("c1")
        assert mirrored(face, source, target).deleted == 0
        assert copies_of(target, source.name).keys() == {"c0", "c1", "c2"}

    def test_with_delete_it_goes_and_nothing_else_does(self, face, source, target):
        another = Place()
        fill(source, 130)
        fill(another, 2)
        put(target, "own", numbered(1))
        mirrored(face, source, target)
        mirrored(face, another, target)
        for number in range(0, 130, 2):
            source.store.delete_conversation(f"c{number}")
        assert mirrored(face, source, target, delete=True).deleted == 65
        assert_equal(source, target)
        assert_equal(another, target)
        assert texts_of(target, "own") == ["text 1"]

    def test_what_names_the_origin_but_is_no_copy_stays(self, face, source, target):
        fill(source, 2)
        mirrored(face, source, target)
        source.store.delete_conversation("c0")
        origin = Origin(store=source.name, conversation_id="c0")
        put(target, "an imported fork", numbered(0), origin=origin)
        assert mirrored(face, source, target, delete=True).deleted == 1
        left = {each.id for each in target.store.conversations()}
        assert "an imported fork" in left
        assert len(left) == 2

    def test_one_that_was_copied_by_half_goes_too(self, face, source, target):
        put(source, "stays", ())
        mirrored("sync", source, target)
        put(source, "c", numbered(*range(250)))
        target.watch.before = killer(2)
        with pytest.raises(Killed):
            mirrored("sync", source, target)
        target.watch.clear()
        source.store.delete_conversation("c")
        assert copies_of(target, source.name).keys() == {"stays", "c"}
        assert mirrored(face, source, target, delete=True).deleted == 1
        assert copies_of(target, source.name).keys() == {"stays"}

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_nothing_goes_when_the_source_is_empty_all_at_once(self, face, source, target, dry_run):
        fill(source, 3)
        mirrored(face, source, target)
        for number in range(3):
            source.store.delete_conversation(f"c{number}")
        with pytest.raises(ConflictError, match="lists no conversations, but the target holds 3"):
            mirrored(face, source, target, delete=True, dry_run=dry_run)
        assert len(list(target.store.conversations())) == 3

    def test_an_empty_source_without_copies_is_no_error(self, face, source, target):
        put(target, "own", numbered(1))
        assert mirrored(face, source, target, delete=True) == MirrorReport()

    def test_nothing_goes_when_the_list_breaks_off(self, face, source, target):
        fill(source, 130)
        mirrored(face, source, target)
        original = source.adapter.list_conversations

        def break_off(listing):
            if listing.cursor is not None:
                raise ProtocolError("the second page is no list")
            return (yield from original(listing))

        source.adapter.list_conversations = break_off
        with pytest.raises(ProtocolError, match="second page"):
            mirrored(face, source, target, delete=True)
        assert len(list(target.store.conversations())) == 130

    def test_one_that_cannot_be_read_does_not_go(self, face, source, target):
        fill(source, 3)
        mirrored(face, source, target)
        failing(source, "list_messages", ProtocolError("torn"), conversation="c1")
        report = mirrored(face, source, target, delete=True, full=True)
        assert (report.deleted, len(report.skipped)) == (0, 1)
        assert "c1" in copies_of(target, source.name)

    def test_a_target_that_cannot_delete_is_refused_before_anything_is_read(self, face, source):
        target = Place("delete_conversation")
        with pytest.raises(UnsupportedError, match="delete_conversation"):
            mirrored(face, source, target, delete=True)
        assert source.watch.operations == []


class TestErrors:
    @pytest.mark.parametrize(
        "error",
        [
            ProtocolError("torn"),
            UnavailableError("a plain 500", retryable=False),
            UnavailableError("too slow"),
            RateLimitError("patience"),
            InvalidError("what stood before this cursor's page is gone"),
        ],
        ids=lambda each: type(each).__name__,
    )
    def test_one_that_cannot_be_read_is_skipped_and_the_rest_goes_on(
        self, face, source, target, error
    ):
        fill(source, 4)
        failing(source, "list_messages", error, conversation="c2")
        report = mirrored(face, source, target)
        assert report.copied == 3
        (skipped,) = report.skipped
        assert (skipped.conversation_id, skipped.error) == ("c2", error)
        assert skipped.error.__traceback__ is None
        del source.adapter.list_messages
        report = mirrored(face, source, target)
        assert (report.copied, report.unchanged) == (1, 3)
        assert_equal(source, target)

    def test_one_that_breaks_off_within_is_finished_by_the_next_run(self, face, source, target):
        put(source, "c", numbered(*range(250)))
        original = source.adapter.list_messages

        def break_off(conversation_id, listing):
            if listing.cursor is not None:
                raise ProtocolError("torn")
            return (yield from original(conversation_id, listing))

        source.adapter.list_messages = break_off
        assert len(mirrored(face, source, target).skipped) == 1
        del source.adapter.list_messages
        report = mirrored(face, source, target)
        assert (report.updated, report.messages) == (1, 150)
        assert_equal(source, target)

    @pytest.mark.parametrize(
        ("place", "text"),
        [(1, "text 0"), (1, "another"), (240, "another")],
    )
    def test_one_whose_source_shows_an_id_twice_is_skipped_with_that_reason(
        self, face, source, target, place, text
    ):
        fill(source, 3, messages=0)
        messages = [*numbered(*range(250))]
        messages.insert(place, said(text, id="m0"))

        def show_twice(conversation_id, listing):
            yield from ()
            shown = messages if conversation_id == "c1" else ()
            start = int(listing.cursor or 0)
            end = start + listing.limit
            cursor = f"{end}" if end < len(shown) else None
            return Page(items=tuple(shown[start:end]), cursor=cursor)

        source.adapter.list_messages = show_twice
        for outcome in ("copied", "unchanged"):
            report = mirrored(face, source, target)
            (skipped,) = report.skipped
            assert skipped.conversation_id == "c1"
            assert isinstance(skipped.error, ProtocolError)
            assert (
                str(skipped.error) == "message ids must be unique, but the source lists 'm0' twice"
            )
            assert getattr(report, outcome) == 2

    def test_what_was_written_before_a_write_that_fails_is_counted(self, face, source, target):
        put(source, "c", numbered(*range(30)))
        original = target.adapter.put_conversation

        def refuse_the_end(conversation):
            if not conversation.problems:
                raise InvalidError("no more")
            return (yield from original(conversation))

        target.adapter.put_conversation = refuse_the_end
        report = mirrored(face, source, target)
        assert [skipped.conversation_id for skipped in report.skipped] == ["c"]
        (copy,) = target.store.conversations()
        assert report.messages == len(list(target.store.messages(copy.id))) == 30

    def test_one_that_is_deleted_meanwhile_is_no_error(self, face, source, target):
        fill(source, 3)
        failing(source, "list_messages", NotFoundError("gone"), conversation="c1")
        assert mirrored(face, source, target) == MirrorReport(copied=2, messages=4)

    @pytest.mark.parametrize("error", [AuthError("expired"), convostore.ConfigError("no app")])
    def test_what_any_other_would_meet_ends_the_run(self, face, source, target, error):
        fill(source, 4)
        failing(source, "list_messages", error, conversation="c1")
        with pytest.raises(type(error)) as caught:
            mirrored(face, source, target)
        assert caught.value is error

    def test_a_source_that_stays_out_of_reach_ends_the_run(self, face, source, target):
        fill(source, 40)
        failing(source, "list_messages", UnavailableError("no route"))
        with pytest.raises(UnavailableError, match="no route"):
            mirrored(face, source, target)
        assert source.watch.operations == ["list_conversations"]

    def test_one_that_comes_back_every_time_does_not(self, face, source, target):
        fill(source, 40)
        original = source.adapter.list_messages

        def fail_often(conversation_id, listing):
            if int(conversation_id[1:]) % 4:
                raise UnavailableError("too slow")
            return (yield from original(conversation_id, listing))

        source.adapter.list_messages = fail_often
        report = mirrored(face, source, target)
        assert (report.copied, len(report.skipped)) == (10, 30)

    @pytest.mark.parametrize("error", [UnavailableError("down"), AuthError("read-only")])
    def test_a_target_that_is_down_ends_the_run_and_what_was_done_stays(
        self, face, source, target, error
    ):
        fill(source, 9)

        def go_down(operation):
            if len(target.watch.writes) == 10:
                raise error

        target.watch.before = go_down
        with pytest.raises(type(error)) as caught:
            mirrored(face, source, target)
        assert caught.value is error
        target.watch.clear()
        assert len(copies_of(target, source.name)) >= 3
        mirrored(face, source, target)
        assert_equal(source, target)

    @pytest.mark.parametrize(
        "error", [InvalidError("too long"), ConflictError("again and again"), ProtocolError("odd")]
    )
    def test_what_the_target_refuses_of_one_is_skipped(self, face, source, target, error):
        fill(source, 3)
        failing(
            target,
            "append_messages",
            error,
            conversation=copy_id(Origin(store=source.name, conversation_id="c1")),
        )
        report = mirrored(face, source, target)
        assert report.copied == 2
        assert [each.conversation_id for each in report.skipped] == ["c1"]

    def test_a_closed_store_ends_the_run(self, face, source, target):
        fill(source, 3)
        if face == "sync":
            target.store.close()
            with pytest.raises(InvalidError, match="closed"):
                mirrored(face, source, target)
        else:

            async def run():
                async with source.open_async() as one, target.open_async() as other:
                    await other.aclose()
                    await amirror(one, other)

            with pytest.raises(InvalidError, match="closed"):
                asyncio.run(run())

    @pytest.mark.parametrize(
        "options",
        [
            {"full": True, "new_only": True},
            {"name": ""},
            {"delete": "no"},
            {"dry_run": 0},
            {"full": None},
            {"new_only": "yes"},
            {"progress": 5},
        ],
    )
    def test_arguments_that_make_no_sense_are_refused_before_anything_is_read(
        self, face, source, target, options
    ):
        with pytest.raises(InvalidError):
            mirrored(face, source, target, **options)
        assert source.watch.operations == []

    @pytest.mark.parametrize("missing", ["create_conversation", "append_messages"])
    def test_a_target_that_cannot_be_written_to_is_refused(self, face, source, missing):
        with pytest.raises(UnsupportedError, match=missing):
            mirrored(face, source, Place(missing))
        assert source.watch.operations == []

    def test_what_the_target_cannot_hold_is_told(self, face, source):
        target = Place("put_conversation")
        for number in range(3):
            put(source, f"c{number}", numbered(1), raw={"number": number})
        assert mirrored(face, source, target).losses == {
            "conversation.updated_at": 3,
            "conversation.raw": 3,
        }


class TestBreakingOff:
    def test_killed_at_any_write_and_run_again_it_is_whole(self, face, source):
        for number in range(3):
            put(source, f"c{number}", numbered(*range(120 * number)))
        survived = 0
        while True:
            target = Place()
            target.watch.before = killer(survived)
            try:
                mirrored(face, source, target)
            except Killed:
                target.watch.clear()
                mirrored(face, source, target)
                assert_equal(source, target)
                survived += 1
            else:
                break
        assert survived >= 9

    def test_a_cancellation_leaves_what_the_next_run_finishes(self, source, target):
        fill(source, 20)

        class Yielding(type(target.open_async()._transport)):
            async def send(self, request):
                await asyncio.sleep(0)
                return await super().send(request)

        async def run():
            async with source.open_async() as one, target.open_async() as other:
                other._transport.__class__ = Yielding
                running = asyncio.ensure_future(amirror(one, other))

                def cancel(operation):
                    if len(target.watch.writes) == 20:
                        running.cancel()

                target.watch.before = cancel
                with pytest.raises(asyncio.CancelledError):
                    await running
                return asyncio.all_tasks() - {asyncio.current_task()}

        assert asyncio.run(run()) == set()
        assert 0 < len(copies_of(target, source.name)) < 20
        target.watch.clear()
        mirrored("async", source, target)
        assert_equal(source, target)

    def test_the_first_fatal_error_breaks_off_the_others_and_waits_for_them(self, source, target):
        fill(source, 20)
        broken_off = []
        arrived = []

        class Hanging(type(source.open_async()._transport)):
            async def send(self, request):
                if "list_messages" not in request.__qualname__:
                    return await super().send(request)
                arrived.append(1)
                if len(arrived) == 4:
                    raise AuthError("expired")
                try:
                    await asyncio.Event().wait()
                finally:
                    broken_off.append(1)

        async def run():
            async with source.open_async() as one, target.open_async() as other:
                one._transport.__class__ = Hanging
                with pytest.raises(AuthError):
                    await amirror(one, other, concurrency=4)
                return asyncio.all_tasks() - {asyncio.current_task()}

        assert asyncio.run(run()) == set()
        assert len(broken_off) == 3

    def test_an_interrupt_in_a_callback_ends_the_run(self, face, source, target):
        fill(source, 5)

        def interrupt(progress):
            if progress.done == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            mirrored(face, source, target, progress=interrupt)
        mirrored(face, source, target)
        assert_equal(source, target)

    def test_two_runs_at_a_time_double_nothing(self, source, target):
        for number in range(6):
            put(source, f"c{number}", numbered(*range(60 * number)))

        async def run():
            async with source.open_async() as one, target.open_async() as other:
                return await asyncio.gather(*(amirror(one, other) for _ in range(3)))

        reports = asyncio.run(run())
        assert all(not report.skipped for report in reports)
        assert_equal(source, target)
        assert mirrored("sync", source, target) == MirrorReport(unchanged=6)


class TestProgress:
    def test_it_counts_up_to_what_the_report_says(self, face, source, target):
        fill(source, 130, messages=3)
        failing(source, "list_messages", ProtocolError("torn"), conversation="c5")
        told: list[MirrorProgress] = []
        report = mirrored(face, source, target, progress=told.append)
        assert told[-1] == MirrorProgress(listed=130, done=130, messages=387, total=130)
        assert report.messages == 387
        for field in ("listed", "done", "messages"):
            counts = [getattr(each, field) for each in told]
            assert counts == sorted(counts)

    def test_a_long_conversation_is_told_while_it_is_written(self, face, source, target):
        put(source, "c", numbered(*range(300)))
        told: list[MirrorProgress] = []
        mirrored(face, source, target, progress=told.append)
        assert {each.messages for each in told} >= {0, 100, 200, 300}
