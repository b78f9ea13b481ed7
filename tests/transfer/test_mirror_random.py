"""Whatever is done to a source, and wherever runs break off, the last one makes copies equal."""

from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, rule

from convostore import Conversation, Feedback, Message, TextPart
from convostore.adapters.memory import MemoryAdapter
from convostore.testing.strategies import texts

from ..support.mirror import Killed, Place, assert_equal, killer, mirrored

ids = st.sampled_from([f"m{number}" for number in range(12)])
messages = st.builds(
    Message,
    id=ids,
    role=st.sampled_from(["user", "assistant"]),
    parts=st.tuples(st.builds(TextPart, text=texts())),
    status=st.sampled_from([None, "complete", "generating", "unanswered"]),
    feedback=st.none() | st.builds(Feedback, rating=st.sampled_from(["good", "bad"])),
)
histories = st.lists(messages, max_size=8, unique_by=lambda each: each.id)
faces = st.sampled_from(["sync", "async"])


class SmallPages(MemoryAdapter):
    """Two messages a page, so that what spans pages is met often."""

    def list_messages(self, conversation_id, listing):
        limit = min(2, listing.limit or 2)
        return super().list_messages(
            conversation_id, type(listing)(limit=limit, cursor=listing.cursor, order=listing.order)
        )


class Mirroring(RuleBasedStateMachine):
    conversations = Bundle("conversations")

    def __init__(self):
        super().__init__()
        self.source = Place(adapter=SmallPages)
        self.target = self.make_target()
        self.source.store.create_conversation(id="stays")  # an empty source is not followed
        self.made = 0

    def make_target(self):
        return Place(adapter=SmallPages)

    @rule(
        target=conversations, title=st.none() | texts(), history=histories, timeless=st.booleans()
    )
    def create(self, title, history, timeless):
        self.made += 1
        conversation = Conversation(id=f"c{self.made}", title=title)
        self.source.store.put_conversation(conversation)
        self.source.store.append_messages(conversation.id, history)
        if timeless:
            self.source.store.put_conversation(conversation)
        return conversation.id

    @rule(conversation_id=conversations, history=histories, kept=st.integers(0, 8))
    def rewrite_the_end(self, conversation_id, history, kept):
        head = list(self.source.store.messages(conversation_id))[:kept]
        known = {each.id for each in head}
        self.source.store.replace_messages(
            conversation_id,
            [each for each in history if each.id not in known],
            after=head[-1].id if head else None,
        )

    @rule(conversation_id=conversations, data=st.data())
    def shuffle(self, conversation_id, data):
        history = list(self.source.store.messages(conversation_id))
        shuffled = data.draw(st.permutations(history))
        self.source.store.replace_messages(conversation_id, shuffled, after=None)

    @rule(conversation_id=conversations, message_id=ids)
    def delete_message(self, conversation_id, message_id):
        self.source.store.delete_message(conversation_id, message_id)

    @rule(conversation_id=conversations, feedback=st.none() | st.just(Feedback(rating="bad")))
    def judge(self, conversation_id, feedback):
        for message in list(self.source.store.messages(conversation_id))[:1]:
            self.source.store.set_feedback(conversation_id, message.id, feedback)

    @rule(conversation_id=conversations, title=texts(), pinned=st.booleans())
    def rename(self, conversation_id, title, pinned):
        self.source.store.update_conversation(conversation_id, title=title, pinned=pinned)

    @rule(
        conversation_id=conversations,
        owner=st.none() | st.sampled_from(["ann", "bo"]),
        metadata=st.dictionaries(st.sampled_from("ab"), st.none() | st.integers(0, 2)),
    )
    def tag(self, conversation_id, owner, metadata):
        self.source.store.update_conversation(conversation_id, owner=owner, metadata=metadata)

    @rule(conversation_id=consumes(conversations))
    def delete(self, conversation_id):
        self.source.store.delete_conversation(conversation_id)

    @rule(
        face=faces,
        survived=st.integers(0, 12),
        options=st.fixed_dictionaries(
            {"delete": st.booleans()},
            optional={"full": st.just(True)},
        )
        | st.just({"new_only": True}),
    )
    def mirror_until_it_breaks_off(self, face, survived, options):
        self.target.watch.before = killer(survived)
        with suppress(Killed):
            mirrored(face, self.source, self.target, **options)
        self.target.watch.clear()

    @rule(face=faces)
    def mirror_in_the_plain_way(self, face):
        mirrored(face, self.source, self.target)

    @rule(face=faces)
    def mirror_all_of_it(self, face):
        foretold = mirrored(face, self.source, self.target, full=True, delete=True, dry_run=True)
        report = mirrored(face, self.source, self.target, full=True, delete=True)
        assert report == foretold
        assert report.skipped == ()
        assert_equal(self.source, self.target)
        again = mirrored(face, self.source, self.target, full=True, delete=True)
        assert (again.copied, again.updated, again.deleted, again.messages) == (0, 0, 0, 0)
        assert self.target.watch.writes == []

    def teardown(self):
        self.mirror_all_of_it("sync")


class MirroringWithoutAWayToDeleteMessages(Mirroring):
    def make_target(self):
        return Place("delete_message", "set_feedback", adapter=SmallPages)


TestMirroring = Mirroring.TestCase
TestWithoutAWayToDeleteMessages = MirroringWithoutAWayToDeleteMessages.TestCase
TestMirroring.settings = settings(stateful_step_count=20)
TestWithoutAWayToDeleteMessages.settings = settings(stateful_step_count=20)
