"""Export and import between stores and files, sync and async: whole, counted, and repeatable."""

import asyncio
import inspect
import io
import itertools
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import convostore
from convostore.adapters.memory import MemoryAdapter
from convostore.errors import (
    AuthError,
    InvalidError,
    NotFoundError,
    ProtocolError,
    UnavailableError,
    UnsupportedError,
)
from convostore.models import Conversation, Message, Origin, Page, TextPart
from convostore.store import AsyncConversationStore, ConversationStore
from convostore.testing import samples
from convostore.testing.value_strategies import tuples
from convostore.transfer import (
    TransferProgress,
    aexport_conversations,
    aimport_conversations,
    export_conversations,
    import_conversations,
)

from ..support.formats import CONVERSATIONS, MESSAGES, read, said, sample, written

_numbers = itertools.count()


class Place:
    """A store in memory that a test can make fail, open on both faces."""

    def __init__(self):
        dsn = convostore.DSN.parse(f"memory://transfer-{next(_numbers)}")
        self.adapter = Adapter(dsn, None)
        self.sync = ConversationStore(self.adapter, self.adapter.transport())

    def put(self, conversation, messages):
        self.sync.put_conversation(conversation)
        self.sync.append_messages(conversation.id, messages)

    def fill(self, *transcripts):
        for each in transcripts:
            self.put(each.conversation, each.messages)

    def content(self):
        """All that the store holds, but for what it noted itself."""
        return {
            each.id: (
                each.trusted_copy(revision=None),
                each.raw,
                [(m.trusted_copy(stored_at=None), m.raw) for m in self.sync.messages(each.id)],
            )
            for each in self.sync.conversations()
        }

    def fail(self, operation, error, *, of=None):
        """Makes an operation fail, or only that of one conversation."""
        whole = getattr(self.adapter, operation)

        def failing(*arguments):
            if of is None or arguments[0] == of:
                raise error
            return whole(*arguments)

        setattr(self.adapter, operation, failing)


class Adapter(MemoryAdapter):
    pass


@pytest.fixture(params=["sync", "async"])
def face(request):
    return request.param


def on(face, place, sync_call, async_call):
    if face == "sync":
        return sync_call(place.sync)

    async def call():
        async with AsyncConversationStore(place.adapter, place.adapter.async_transport()) as store:
            return await async_call(store)

    return asyncio.run(call())


def export_to(face, place, destination, **options):
    return on(
        face,
        place,
        lambda store: export_conversations(store, destination, **options),
        lambda store: aexport_conversations(store, destination, **options),
    )


def import_to(face, place, source, **options):
    source = io.BytesIO(source) if isinstance(source, bytes) else source
    return on(
        face,
        place,
        lambda store: import_conversations(source, store, **options),
        lambda store: aimport_conversations(source, store, **options),
    )


@pytest.fixture
def full():
    place = Place()
    place.fill(*samples.numbered_conversations(3))
    place.put(
        Conversation(
            id="all",
            title="All",
            created_at=samples.START,
            updated_at=samples.START,
            pinned=True,
            owner="ann",
            metadata={"project": "tides", "tags": ["a", {"b": None}]},
            origin=Origin(store="elsewhere", conversation_id="1", metadata_keys=("project",)),
            files=(convostore.FilePart(name="f"),),
            problems=(convostore.Problem(where="w", what="x"),),
            raw={"\ud800": 1},
        ),
        [samples.full_message()],
    )
    return place


def test_a_store_of_the_other_face_is_refused(tmp_path):
    place = Place()
    store = AsyncConversationStore(place.adapter, place.adapter.async_transport())
    path = tmp_path / "x.jsonl"
    for call in (
        lambda: export_conversations(store, path),
        lambda: import_conversations(path, store),
        lambda: asyncio.run(aexport_conversations(place.sync, path)),
        lambda: asyncio.run(aimport_conversations(path, place.sync)),
    ):
        with pytest.raises(InvalidError, match=r"must be what convostore\.a?open returns"):
            call()
    assert list(tmp_path.iterdir()) == []


def test_both_faces_take_the_same_arguments():
    for sync, other in (
        (export_conversations, aexport_conversations),
        (import_conversations, aimport_conversations),
    ):
        assert [*inspect.signature(sync).parameters] == [*inspect.signature(other).parameters]


def test_what_was_exported_is_imported_the_same(face, full, tmp_path):
    path = tmp_path / "all.jsonl"
    report = export_to(face, full, path)
    assert (report.conversations, report.messages, report.skipped) == (4, 7, ())
    target = Place()
    report = import_to(face, target, path)
    assert (report.imported, report.messages, report.skipped) == (4, 7, ())
    assert {name: value for name, value in target.content().items() if name == "all"} == {
        "all": full.content()["all"]
    }
    for name, (conversation, _, messages) in full.content().items():
        assert target.content()[name][0].title == conversation.title
        assert target.content()[name][2] == messages


@given(
    st.lists(
        st.tuples(CONVERSATIONS, tuples(MESSAGES, 3).map(lambda each: unique(each))),
        max_size=3,
        unique_by=lambda each: each[0].id,
    )
)
def test_any_store_comes_back_from_its_file(conversations):
    source, target = Place(), Place()
    for conversation, messages in conversations:
        source.sync.put_conversation(conversation)
        source.sync.append_messages(conversation.id, messages)
        source.sync.put_conversation(conversation)
    text = io.StringIO()
    export_conversations(source.sync, text, format="jsonl")
    if conversations:
        import_conversations(io.BytesIO(text.getvalue().encode()), target.sync)
    assert repr(sorted(target.content().items())) == repr(sorted(source.content().items()))
    second = io.StringIO()
    export_conversations(target.sync, second, format="jsonl")
    assert second.getvalue() == text.getvalue()


def unique(messages):
    return [*{each.id: each for each in messages}.values()]


@pytest.mark.parametrize("name", ["chatgpt-2023.json", "chatgpt-2025.json", "openai.jsonl"])
def test_importing_twice_changes_nothing(face, name):
    place = Place()
    first = import_to(face, place, sample(name))
    before = place.content()
    again = import_to(face, place, sample(name))
    assert first.imported == len(before) > 0
    assert first.messages == sum(len(messages) for _, _, messages in before.values())
    assert (again.imported, again.continued, again.messages) == (0, 0, 0)
    assert again.unchanged == first.imported
    assert place.content() == before


def test_a_chatgpt_export_is_imported_with_its_forks_and_origins(face):
    place = Place()
    report = import_to(face, place, sample("chatgpt-2023.json"), name="chatgpt of Ann")
    assert report.imported == 3
    ids = {each.id: each for each in place.sync.conversations()}
    fork = "cccc0001-0000-4000-8000-000000000000/aaa0c1d2-0002-4000-8000-000000000000"
    assert ids[fork].origin == Origin(
        store="chatgpt of Ann", conversation_id="cccc0001-0000-4000-8000-000000000000"
    )
    assert [each.text for each in place.sync.messages(fork)][-1] == "I do not know."
    assert next(place.sync.messages(fork)).raw["metadata"] == {"timestamp_": "absolute"}


def test_what_came_to_a_conversation_since_is_added(face):
    place = Place()
    first, second = (
        said("1").model_copy(update={"id": "1"}),
        said("2").model_copy(update={"id": "2"}),
    )
    conversation = Conversation(id="c", title="T")
    import_to(face, place, written("jsonl", (conversation, [first])).encode())
    report = import_to(face, place, written("jsonl", (conversation, [first, second])).encode())
    assert (report.imported, report.continued, report.messages) == (0, 1, 1)
    assert [each.text for each in place.sync.messages("c")] == ["1", "2"]
    report = import_to(face, place, written("jsonl", (conversation, [first])).encode())
    assert report.unchanged == 1
    assert [each.text for each in place.sync.messages("c")] == ["1", "2"]


OWNED = written("jsonl", (Conversation(id="c", owner="ann", metadata={"a": 1}), [said("1")]))


def test_what_is_the_importers_own_is_given_to_each_new_conversation(face):
    place = Place()
    import_to(face, place, OWNED.encode(), owner="bo", metadata={"batch": 7, "a": 2})
    (imported,) = place.sync.conversations()
    assert (imported.owner, imported.metadata) == ("bo", {"a": 2, "batch": 7})
    report = import_to(face, place, OWNED.encode(), owner="cy", metadata={"b": 1})
    assert report.unchanged == 1
    assert list(place.sync.conversations()) == [imported]


def test_an_owner_of_the_file_is_kept_or_taken_away(face):
    place, without = Place(), Place()
    import_to(face, place, OWNED.encode())
    import_to(face, without, OWNED.encode(), owner=None)
    assert [each.owner for each in place.sync.conversations()] == ["ann"]
    assert [each.owner for each in without.sync.conversations()] == [None]


def test_an_import_that_continues_takes_back_nothing_that_was_set_since(face):
    place = Place()
    conversation = Conversation(id="c", title="T", owner="ann", metadata={"a": 1})
    messages = [said("1"), said("2").model_copy(update={"id": "2"})]
    import_to(face, place, written("jsonl", (conversation, messages[:1])).encode())
    own = {"pinned": True, "owner": "bo", "metadata": {"a": None, "own": 1}}
    place.sync.update_conversation("c", **own)
    report = import_to(face, place, written("jsonl", (conversation, messages)).encode())
    assert report.continued == 1
    continued = place.sync.get_conversation("c")
    assert (continued.pinned, continued.owner, continued.metadata) == (True, "bo", {"own": 1})


@pytest.mark.parametrize(
    "wrong",
    [{"owner": ""}, {"owner": 5}, {"metadata": None}, {"metadata": {"a": {1}}}],
    ids=str,
)
def test_what_is_no_owner_and_no_metadata_is_refused_before_the_file_is_opened(
    face, tmp_path, wrong
):
    with pytest.raises(InvalidError, match=next(iter(wrong))):
        import_to(face, Place(), tmp_path / "absent.jsonl", **wrong)


@pytest.mark.parametrize("given", [{"owner": "ann"}, {"metadata": {"a": 1}}], ids=str)
def test_a_store_without_owners_or_metadata_is_not_given_any(face, given):
    place = Place()
    place.adapter.traits = replace(Adapter.traits, keeps=frozenset(), changes=frozenset({"title"}))
    with pytest.raises(UnsupportedError, match=next(iter(given))) as caught:
        import_to(face, place, OWNED.encode(), **given)
    assert caught.value.argument == next(iter(given))
    assert place.content() == {}
    report = import_to(face, place, OWNED.encode())
    assert report.losses == {"conversation.owner": 1, "conversation.metadata": 1}


def test_times_of_a_history_are_kept(face):
    place = Place()
    begun, last = samples.START.replace(year=2022), samples.START.replace(year=2023)
    conversation = Conversation(id="c", created_at=begun, updated_at=last)
    message = said("1").model_copy(update={"created_at": begun})
    import_to(face, place, written("jsonl", (conversation, [message])).encode())
    imported = place.sync.get_conversation("c")
    assert (imported.created_at, imported.updated_at) == (begun, last)
    assert next(place.sync.messages("c")).created_at == begun


def test_another_conversation_under_the_id_is_left_as_it_is(face, full):
    before = full.content()
    other = written(
        "jsonl",
        (Conversation(id="c0001"), [said("other")]),
        (Conversation(id="all", origin=Origin(store="x", conversation_id="y")), []),
        (Conversation(id="new"), [said("new")]),
    )
    report = import_to(face, full, other.encode())
    assert report.imported == 1
    assert [each.conversation_id for each in report.skipped] == ["c0001", "all"]
    assert all(isinstance(each.error, convostore.ConflictError) for each in report.skipped)
    assert {name: value for name, value in full.content().items() if name != "new"} == before


def test_a_dry_run_writes_nothing_and_reports_the_same(face, full, tmp_path):
    export_to(face, full, tmp_path / "x.jsonl")
    place = Place()
    dry = import_to(face, place, tmp_path / "x.jsonl", dry_run=True)
    assert place.content() == {}
    assert dry == import_to(face, place, tmp_path / "x.jsonl")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (written("jsonl").encode(), "nothing was imported: the file holds no conversation"),
        (b"[]", "nothing was imported: the file holds no conversation"),
        (b'[{"id": "x"}]', "all conversations .1. were skipped, .* has no .mapping"),
        (b"", "^the file is empty: there is nothing to import$"),
    ],
)
def test_an_import_of_nothing_fails(face, data, told):
    with pytest.raises(InvalidError, match=told):
        import_to(face, Place(), data)


def test_what_stood_before_a_break_is_kept_and_a_whole_file_completes_it(face):
    text = written(
        "jsonl",
        (Conversation(id="a", title="A"), [said("one")]),
        (Conversation(id="b", title="B"), [said("two"), said("2").model_copy(update={"id": "2"})]),
    )
    lines = text.splitlines(True)
    place = Place()
    with pytest.raises(InvalidError, match=r"closing line is missing.*imported before that: 1\)"):
        import_to(face, place, "".join(lines[:-2]).encode())
    assert [each.text for each in place.sync.messages("a")] == ["one"]
    report = import_to(face, place, text.encode())
    assert (report.unchanged, report.imported + report.continued) == (1, 1)
    assert [each.text for each in place.sync.messages("b")] == ["two", "2"]
    assert place.sync.get_conversation("b") == Conversation(id="b", title="B")


def test_a_line_that_is_broken_ends_the_import_and_is_named(face):
    lines = written(
        "jsonl",
        (Conversation(id="a"), [said("one")]),
        (Conversation(id="b"), [said("two")]),
        (Conversation(id="c"), [said("three")]),
    ).splitlines(True)
    place = Place()
    lines[4] = "garbage\n"
    with pytest.raises(
        InvalidError, match=r"^line 5 is not valid JSON.*imported before that: 1\)$"
    ):
        import_to(face, place, "".join(lines).encode())
    assert "c" not in place.content()


def test_a_conversation_that_cannot_be_read_is_reported_and_the_rest_is_imported(face):
    data = b'[{"id": "x"}, ' + sample("chatgpt-2025.json").strip()[1:]
    report = import_to(face, Place(), data)
    assert report.imported == 1
    (skipped,) = report.skipped
    assert isinstance(skipped.error, ProtocolError)


def test_fewer_messages_in_the_store_than_in_the_file_are_reported(face):
    twice = written(
        "jsonl", (Conversation(id="a"), [said("x"), said("x")]), (Conversation(id="b"), [])
    )
    report = import_to(face, Place(), twice.encode())
    assert report.imported == 1
    (skipped,) = report.skipped
    assert "holds 2 messages of conversation 'a', but the store has only 1" in str(skipped.error)


def test_messages_are_counted_where_the_store_tells_no_total(face):
    place = Place()
    whole = place.adapter.list_messages

    def without_total(conversation_id, listing):
        page = yield from whole(conversation_id, listing)
        return Page(items=page.items, cursor=page.cursor)

    place.adapter.list_messages = without_total
    messages = [said("x").model_copy(update={"id": str(number)}) for number in range(250)]
    report = import_to(face, place, written("jsonl", (Conversation(id="a"), messages)).encode())
    assert (report.imported, report.messages) == (1, 250)


def test_a_store_that_cannot_be_written_to_is_refused(face):
    place = Place()
    place.adapter.offers = place.adapter.offers - {convostore.Operation.APPEND_MESSAGES}
    with pytest.raises(UnsupportedError, match="append_messages"):
        import_to(face, place, sample("openai.jsonl"))


def test_a_store_out_of_reach_ends_an_import(face):
    place = Place()
    place.fail("append_messages", UnavailableError("gone"))
    with pytest.raises(UnavailableError, match="gone"):
        import_to(face, place, sample("openai.jsonl"))


def test_a_failure_of_one_conversation_does_not_end_an_import(face):
    place = Place()
    ids = [each.id for each, _ in read("openai", sample("openai.jsonl"))]
    place.fail("append_messages", ProtocolError("odd"), of=ids[0])
    report = import_to(face, place, sample("openai.jsonl"))
    assert [each.conversation_id for each in report.skipped] == [ids[0]]
    assert report.imported == 2


@pytest.mark.parametrize("name", ["x.jsonl", "x.md", "x.html", "x.txt"])
def test_a_file_and_a_stream_get_the_same(face, full, name, tmp_path):
    format = "openai" if name == "x.txt" else convostore.formats.format_of(tmp_path / name)
    export_to(face, full, tmp_path / name, format=format)
    stream = io.StringIO()
    export_to(face, full, stream, format=format)
    assert (tmp_path / name).read_bytes() == stream.getvalue().encode("utf-8")
    assert len(stream.getvalue()) > 500


def test_single_conversations_are_exported_in_the_order_they_are_named(face, full):
    stream = io.StringIO()
    report = export_to(face, full, stream, format="markdown", ids=["c0002", "all", "c0002"])
    assert report.conversations == 2
    text = stream.getvalue()
    assert text.index("`c0002`") < text.index("`all`")
    assert text.count("`c0002`") == 1


def test_a_page_of_one_conversation_has_its_title(face, full):
    stream = io.StringIO()
    export_to(face, full, stream, format="html", ids=["all"])
    assert "<title>All</title>" in stream.getvalue()


def test_ids_are_several(full):
    with pytest.raises(InvalidError, match="ids must be a list"):
        export_conversations(full.sync, io.StringIO(), format="html", ids="all")


def test_without_raw_none_is_written(face, full):
    stream = io.StringIO()
    export_to(face, full, stream, format="jsonl", raw=False)
    assert '"raw":{' not in stream.getvalue()
    assert '"raw":false' in stream.getvalue()


def test_what_a_format_cannot_hold_is_reported(face, full):
    report = export_to(face, full, io.StringIO(), format="openai")
    assert report.losses["message.sources"] == 1
    assert report.losses["conversation.title"] == 4


def test_a_stream_needs_a_format_and_a_name_may_tell_none(full, tmp_path):
    with pytest.raises(InvalidError, match="pass format="):
        export_conversations(full.sync, io.StringIO())
    with pytest.raises(InvalidError, match="must end in one of"):
        export_conversations(full.sync, tmp_path / "x.txt")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_way_with_errors_is_refused(full):
    for wrong in ({"raw": "no"}, {"progress": 5}, {"ids": 5}):
        with pytest.raises(InvalidError, match=f"^{min(wrong)} must be"):
            export_conversations(full.sync, io.StringIO(), format="jsonl", **wrong)
    for wrong in ({"dry_run": "no"}, {"progress": 5}):
        with pytest.raises(InvalidError, match=f"^{min(wrong)} must be"):
            import_conversations(io.BytesIO(b"{}"), full.sync, format="openai", **wrong)
    with pytest.raises(InvalidError, match=r"on_error.*'yield'"):
        export_conversations(full.sync, io.StringIO(), format="jsonl", on_error="yield")


def test_an_export_that_fails_leaves_the_file_that_was_there(face, full, tmp_path):
    path = tmp_path / "x.md"
    path.write_text("before")
    full.fail("list_messages", ProtocolError("odd"), of="c0001")
    with pytest.raises(ProtocolError, match="odd"):
        export_to(face, full, path)
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["x.md"]


@pytest.mark.parametrize("format", ["jsonl", "markdown", "html", "openai"])
def test_nothing_of_what_is_skipped_is_in_the_file(face, full, format):
    whole = full.adapter.list_messages
    first = {}

    def failing_on_its_second_page(conversation_id, listing):
        if conversation_id == "c0001" and listing.cursor is not None:
            raise ProtocolError("odd")
        page = yield from whole(conversation_id, listing)
        if conversation_id == "c0001":
            first[conversation_id] = page
            return Page(items=page.items, cursor="more")
        return page

    full.adapter.list_messages = failing_on_its_second_page
    stream = io.StringIO()
    report = export_to(face, full, stream, format=format, on_error="skip")
    assert first
    assert [each.conversation_id for each in report.skipped] == ["c0001"]
    assert (report.conversations, report.messages) == (3, 5)
    assert "text 1." not in stream.getvalue()
    assert "c0001" not in stream.getvalue()
    assert "text 2.1" in stream.getvalue()
    if format == "jsonl":
        assert import_to(face, Place(), stream.getvalue().encode()).imported == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_a_disk_that_is_full_ends_an_export_however_it_takes_errors(face, full, on_error):
    full.put(Conversation(id="long"), [said("x" * 100_000)])
    with pytest.raises(InvalidError, match="cannot write '/dev/full': No space left"):
        export_to(face, full, "/dev/full", format="jsonl", on_error=on_error)


def test_a_stream_that_cannot_hold_a_sign_ends_an_export_that_skips(face, full):
    full.put(Conversation(id="hawaii", title="夏威夷"), [])
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with pytest.raises(InvalidError, match="open it with encoding='utf-8'"):
        export_to(face, full, stream, format="markdown", on_error="skip")


@pytest.mark.parametrize("error", [AuthError("no"), UnavailableError("gone")])
def test_what_all_would_meet_ends_an_export_that_skips(face, full, error):
    full.fail("list_messages", error, of="c0001")
    with pytest.raises(type(error)):
        export_to(face, full, io.StringIO(), format="jsonl", on_error="skip")


def test_what_was_deleted_after_it_was_listed_is_left_out(face, full):
    full.fail("list_messages", NotFoundError("deleted"), of="c0001")
    stream = io.StringIO()
    report = export_to(face, full, stream, format="jsonl")
    assert (report.conversations, report.skipped) == (3, ())
    assert "c0001" not in stream.getvalue()
    with pytest.raises(NotFoundError):
        export_to(face, full, io.StringIO(), format="jsonl", ids=["c0001", "c0002"])


def test_an_absent_conversation_is_told_or_skipped(face, full, tmp_path):
    with pytest.raises(NotFoundError):
        export_to(face, full, tmp_path / "x.md", ids=["nowhere"])
    assert list(tmp_path.iterdir()) == []
    report = export_to(
        face, full, io.StringIO(), format="html", ids=["nowhere", "all"], on_error="skip"
    )
    assert [each.conversation_id for each in report.skipped] == ["nowhere"]
    assert report.conversations == 1


def test_progress_is_told_as_it_goes(face, full, tmp_path):
    told = []
    export_to(face, full, tmp_path / "x.jsonl", progress=told.append)
    assert told[-1] == TransferProgress(conversations=4, messages=7, total=4)
    assert [each.messages for each in told] == sorted(each.messages for each in told)
    told.clear()
    import_to(face, Place(), tmp_path / "x.jsonl", progress=told.append)
    assert told[-1] == TransferProgress(conversations=4, messages=7, total=None)
    assert len(told) > 4


def test_a_long_conversation_is_written_page_by_page(full):
    """What stands in the file grows before the last page is asked for."""
    messages = [said("x" * 100).model_copy(update={"id": str(n)}) for n in range(1000)]
    full.put(Conversation(id="long"), messages)
    stream = io.StringIO()
    grown = []
    whole = full.adapter.list_messages

    def watched(conversation_id, listing):
        grown.append(len(stream.getvalue()))
        return whole(conversation_id, listing)

    full.adapter.list_messages = watched
    export_conversations(full.sync, stream, format="jsonl", ids=["long"])
    assert len(grown) == 10
    assert grown == sorted(set(grown))


def test_a_long_conversation_is_read_as_it_is_written(full):
    """The store holds the beginning before the end of the file is read."""
    messages = [said("x" * 1000).model_copy(update={"id": str(n)}) for n in range(3000)]
    held_when_read = []
    place = Place()

    class Watched(io.BytesIO):
        def readline(self, size=-1):
            kept = place.adapter._shelf.kept.get("long")
            held_when_read.append(0 if kept is None else len(kept.messages))
            return super().readline(size)

    file = Watched(written("jsonl", (Conversation(id="long"), messages)).encode())
    import_conversations(file, place.sync)
    assert {500, 1000, 2000} <= set(held_when_read)


def test_the_loop_goes_on_while_a_file_is_read():
    """The file of an async import is read in another thread than the loop's."""
    threads = set()

    class Watched(io.BytesIO):
        def readline(self, size=-1):
            threads.add(threading.current_thread())
            return super().readline(size)

    import_to("async", Place(), Watched(sample("openai.jsonl")))
    assert threads
    assert threading.main_thread() not in threads


def test_a_cancelled_export_leaves_no_file(full, tmp_path):
    path = tmp_path / "x.md"
    asked = []

    async def main():
        store = AsyncConversationStore(full.adapter, full.adapter.async_transport())
        task = asyncio.create_task(
            aexport_conversations(
                store, path, progress=lambda progress: asked.append(task.cancel())
            )
        )
        with pytest.raises(asyncio.CancelledError):
            await task
        await store.aclose()

    asyncio.run(main())
    assert asked
    assert list(tmp_path.iterdir()) == []


def test_a_cancelled_import_goes_on_when_it_is_begun_anew(full, tmp_path):
    export_conversations(full.sync, tmp_path / "x.jsonl")
    place = Place()

    async def main():
        async with AsyncConversationStore(place.adapter, place.adapter.async_transport()) as store:
            task = asyncio.create_task(
                aimport_conversations(
                    tmp_path / "x.jsonl", store, progress=lambda progress: task.cancel()
                )
            )
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    import_conversations(tmp_path / "x.jsonl", place.sync)
    assert {name: messages for name, (_, _, messages) in place.content().items()} == {
        name: messages for name, (_, _, messages) in full.content().items()
    }


def test_a_cancelled_import_waits_for_the_thread_that_reads():
    entered, released = threading.Event(), threading.Event()

    class Slow(io.BytesIO):
        def readline(self, size=-1):
            entered.set()
            assert released.wait(60)
            return super().readline(size)

    async def main():
        place = Place()
        store = AsyncConversationStore(place.adapter, place.adapter.async_transport())
        task = asyncio.create_task(aimport_conversations(Slow(sample("openai.jsonl")), store))
        await asyncio.to_thread(entered.wait, 60)
        task.cancel()
        for _ in range(50):
            await asyncio.sleep(0)
        assert not task.done()
        released.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        await store.aclose()

    asyncio.run(main())


def test_an_interrupt_leaves_no_file(full, tmp_path):
    def interrupt(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_conversations(full.sync, tmp_path / "x.md", progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_messages_without_text_and_conversations_without_messages_are_transferred(face):
    place = Place()
    place.put(Conversation(id="empty"), [])
    place.put(
        Conversation(id="bare"),
        [Message(role="user"), Message(role="user", parts=(TextPart(text=""),))],
    )
    stream = io.StringIO()
    assert export_to(face, place, stream, format="jsonl").conversations == 2
    target = Place()
    assert import_to(face, target, stream.getvalue().encode()).imported == 2
    assert [len(messages) for _, _, messages in sorted(target.content().values(), key=repr)] == [
        2,
        0,
    ]
