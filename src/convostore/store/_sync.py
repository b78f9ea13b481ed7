"""ConversationStore: the sync class of a store, one line an operation."""

from __future__ import annotations

from collections.abc import (
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from datetime import datetime
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Self

from ..adapters import Adapter, Transport
from ..errors import StoreError
from ..models import (
    ANY,
    UNSET,
    AnyTip,
    Conversation,
    ConversationChange,
    ConversationFilter,
    Feedback,
    Health,
    Listing,
    Message,
    NewConversation,
    Order,
    Origin,
    Page,
    Role,
    RunStep,
    Transcript,
    Unset,
)
from ._arguments import check_ids, is_reversed
from ._base import BaseStore, T, search_of
from ._operations import FlowFactory, OnError
from ._wrong_face import NOT_ASYNC, refuse

if TYPE_CHECKING:
    from ..models import JSON, Part, Reply
    from ..search import Hit
    from ._batches import WriteCall
    from ._observation import NamedFlow, Observer
    from ._reply_session import ReplySession
    from ._streams import ReplyStream


class ConversationStore(BaseStore):
    """A store; `open` makes one. Threads may share it.

    Use it in a ``with``. Each method may also raise `UnsupportedError` (ask `offers`), `AuthError`,
    `RateLimitError`, `UnavailableError` and `ProtocolError`, and `InvalidError` once it is closed.

    Example:
        with convostore.open("sqlite:///history.db") as store:
            chat = store.create_conversation(title="Moon")
            store.append_messages(chat.id, [Message.user("How far is the moon?")])
            for message in store.messages(chat.id):
                print(message.role, message.text)
    """

    def __init__(
        self,
        adapter: Adapter,
        transport: Transport,
        *,
        observe: Observer | None = None,
    ) -> None:
        super().__init__(adapter, observe)
        self._transport = transport

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    if not TYPE_CHECKING:  # a type checker is to refuse what these explain
        __aenter__ = __aexit__ = __await__ = refuse(NOT_ASYNC)

    def close(self) -> None:
        """Close the connections; a second call does nothing, any other call then raises."""
        self._operations.closed = True
        self._transport.close()

    def _run(self, make: NamedFlow[T]) -> T:
        try:
            if self._operations.observe is None:
                return self._carry_out(make)
            with self._operations.watch(make) as watch:
                return watch.returned(self._carry_out(make))
        except StoreError as error:  # also one that came after the flow had ended
            self._operations.label(error, make.operation, repeatable=make.repeatable)
            raise

    def _carry_out(self, make: FlowFactory[T]) -> T:
        return self._transport.run(make)

    def view(self, wrap: Callable[[Adapter], Adapter]) -> ConversationStore:
        """Return this store through a wrapped adapter: ``store.view(read_only)``.

        Both share the connections and, for asyncio, the event loop. Closing a view does nothing;
        once this store is closed, its views raise as well.

        Args:
            wrap: Wraps the adapter; see `convostore.adapters.WrappedAdapter`.

        Raises:
            InvalidError: `wrap` returned neither its argument nor a wrapper of it, or one with its
                own transport.
        """
        from ._views import wrapped

        return self._view_of(wrapped(self._operations.adapter, wrap))

    def _view_of(self, adapter: Adapter) -> ConversationStore:
        from ._views import ViewOperations, ViewTransport

        view = ConversationStore(adapter, ViewTransport(self._transport, self._carry_out))
        view._operations = ViewOperations(adapter, self)
        return view

    def with_namespace(self, name: str) -> ConversationStore:
        """Return this store in another namespace, over the same connections.

        It costs no more than an object: make one for each user or request. Closing it does
        nothing; once this store is closed, its calls raise `InvalidError`. It has no further
        namespaces, so it cannot reach those of others, nor the one without a name.

        Args:
            name: The namespace; a non-empty string.

        Raises:
            InvalidError: The name is empty or not a string.
            UnsupportedError: The backend has no namespaces, or this store is such a view.
        """
        return self._view_of(self._operations.in_namespace(name))

    def write_batch(self, calls: Iterable[WriteCall], *, atomic: bool = True) -> tuple[object, ...]:
        """Carry out several writes as one, and return their results in their order.

        Where `traits.batches` is ``atomic``, all of them are stored or none; the whole batch is
        repeated where a database requires that.

        Args:
            calls: At most 1,000; an argument of one cannot depend on the result of another. Name
                conversations in one order in all batches: PostgreSQL locks them one by one.
            atomic: Whether to refuse where the backend cannot store them as a whole. With False
                they are then written one after the other, and an error leaves those before it.

        Raises:
            UnsupportedError: `traits.batches` is ``none`` and `atomic` is true, or the backend
                lacks an operation; nothing was written.
            StoreError: As the method of the call that failed.
        """
        return self._run(self._batches.flow(calls, atomic=atomic))

    def list_conversations(
        self,
        *,
        limit: int = 50,
        cursor: str | None = None,
        order: Order = "newest_first",
        start: str | None = None,
        older_than: datetime | None = None,
        owner: str | Unset | None = UNSET,
    ) -> Page[Conversation]:
        """Return one page of the conversations, in the backend's order.

        Args:
            limit: The maximum number of conversations in the page; a backend may allow fewer.
            cursor: The `cursor` of the previous page; None for the first page.
            order: ``newest_first`` for the backend's own order, ``oldest_first`` for that order
                reversed, where `traits.orders` has it.
            start: The id of the conversation that the page begins with, in place of a cursor, where
                `traits.starts` has ``conversations``.
            older_than: Only those whose `last_active_at` is before this time; one without any time
                is not older. If the backend cannot filter by age, a page may be short.
            owner: Only those of this owner; None for those without one, UNSET for any. It needs
                `traits.filters` to have ``owner``.

        Raises:
            InvalidError: The cursor is of another list, or the time has no time zone.
            NotFoundError: The conversation `start` does not exist, or a filter excludes it.
            UnsupportedError: The backend does not know the order, the filter, or `start`.
        """
        return self._run(
            self._operations.list_conversations(
                Listing(
                    limit=limit,
                    cursor=cursor,
                    reverse=is_reversed(order),
                    start=start,
                    older_than=older_than,
                    owner=owner,
                )
            )
        )

    def conversations(
        self,
        *,
        order: Order = "newest_first",
        start: str | None = None,
        older_than: datetime | None = None,
        owner: str | Unset | None = UNSET,
    ) -> Iterator[Conversation]:
        """Iterate over all conversations, page by page; see `list_conversations`.

        While others write, no conversation comes twice, and none that was there throughout is
        missed. With `start`, one that moves to a place before it during the iteration is missed.
        """
        pages = self._operations.walk_conversations(
            Listing(reverse=is_reversed(order), start=start, older_than=older_than, owner=owner)
        )
        while pages.listing is not None:
            yield from pages.accept(self._run(self._operations.list_conversations(pages.listing)))

    def get_conversation(self, conversation_id: str) -> Conversation:
        """Return one conversation.

        Raises:
            NotFoundError: It does not exist.
        """
        return self._run(self._operations.get_conversation(conversation_id))

    def list_messages(
        self,
        conversation_id: str,
        *,
        limit: int = 50,
        cursor: str | None = None,
        order: Order = "oldest_first",
        start: str | None = None,
    ) -> Page[Message]:
        """Return one page of a conversation's messages.

        Args:
            conversation_id: The conversation of the messages.
            limit: The maximum number of messages in the page.
            cursor: The `cursor` of the previous page; None for the first page.
            order: The end to begin at; `newest_first` reverses the whole sequence, not the page.
            start: The id of the message that the page begins with, in place of a cursor, where
                `traits.starts` has ``messages``.

        Raises:
            NotFoundError: The conversation does not exist, or the message `start`.
            InvalidError: The cursor is of another list or order.
        """
        return self._run(
            self._operations.list_messages(
                conversation_id, Listing(limit=limit, cursor=cursor, order=order, start=start)
            )
        )

    def messages_as_json(
        self,
        conversation_id: str,
        *,
        limit: int = 50,
        cursor: str | None = None,
        order: Order = "oldest_first",
        start: str | None = None,
    ) -> Page[str]:
        """Return one page of `list_messages`, each message as a JSON text.

        For programs that pass messages on, such as a server or an export: a SQL store then never
        makes objects of its messages.

        Args:
            conversation_id: The conversation of the messages.
            limit: As `list_messages`.
            cursor: As `list_messages`; the cursors of both methods are interchangeable.
            order: As `list_messages`.
            start: As `list_messages`.

        Raises:
            NotFoundError: The conversation does not exist.
            InvalidError: The cursor is of another list or order.
        """
        return self._run(
            self._operations.messages_as_json(
                conversation_id, Listing(limit=limit, cursor=cursor, order=order, start=start)
            )
        )

    def messages(
        self, conversation_id: str, *, order: Order = "oldest_first", start: str | None = None
    ) -> Iterator[Message]:
        """Iterate over all messages of a conversation, page by page; see `list_messages`."""
        head = Listing(order=order, start=start)
        pages = self._operations.walk_messages(conversation_id, head)
        while pages.listing is not None:
            page = self._run(self._operations.list_messages(conversation_id, pages.listing))
            yield from pages.accept(page)

    def get_message(self, conversation_id: str, message_id: str) -> Message:
        """Return one message.

        Raises:
            NotFoundError: The conversation or the message does not exist.
        """
        return self._run(self._operations.get_message(conversation_id, message_id))

    def transcripts(
        self, ids: Iterable[str] | None = None, *, on_error: OnError = "raise"
    ) -> Iterator[Transcript]:
        """Iterate over conversations with all their messages, in the list's order.

        Args:
            ids: The conversations to read; None for all that `conversations` yields.
            on_error: ``"yield"`` yields a transcript with its `error` for what cannot be read, and
                continues; an error of the list itself is always raised.
        """
        for conversation_id, known in self._wanted(ids):
            yield self._run(self._operations.read_transcript(conversation_id, known, on_error))

    def _wanted(self, ids: Iterable[str] | None) -> Iterator[tuple[str, Conversation | None]]:
        if ids is None:
            for conversation in self.conversations():
                yield conversation.id, conversation
        else:
            for conversation_id in check_ids(ids):
                yield conversation_id, None

    def create_conversation(
        self,
        *,
        id: str | None = None,
        title: str | None = None,
        created_at: datetime | None = None,
        origin: Origin | None = None,
        owner: str | None = None,
        metadata: Mapping[str, JSON] = MappingProxyType({}),
    ) -> Conversation:
        """Create a conversation, or return the one that exists with the same values.

        Args:
            id: The new id; chosen by the store if None.
            title: The title that lists show.
            created_at: The time of creation, with a time zone; None if it is not known. With a time
                in the past, `updated_at` follows the times of the messages that are appended.
            origin: The source of a copy.
            owner: The user it belongs to; see `Conversation.owner`.
            metadata: The application's own values; see `Conversation.metadata`.

        Raises:
            ConflictError: The id is taken by a conversation with other values.
            UnsupportedError: `traits.changes` lacks ``owner`` or ``metadata``, which was given.
        """
        return self._run(
            self._operations.create_conversation(
                NewConversation(
                    id=id,
                    title=title,
                    created_at=created_at,
                    origin=origin,
                    owner=owner,
                    metadata=metadata,
                )
            )
        )

    def put_conversation(self, conversation: Conversation) -> None:
        """Store a conversation's own fields exactly as given, its times and `raw` included.

        It is created if it does not exist; the messages of one that does stay as they are. This is
        for copies: `create_conversation` makes a conversation that is new.
        """
        return self._run(self._operations.put_conversation(conversation))

    def fork_conversation(
        self,
        conversation_id: str,
        message_id: str,
        *,
        id: str | None = None,
        title: str | Unset | None = UNSET,
        owner: str | Unset | None = UNSET,
        metadata: Mapping[str, JSON] | Unset = UNSET,
    ) -> Conversation:
        """Create a conversation from another one's messages, up to and including one of them.

        The messages keep their ids, and `origin` names the conversation that was forked. The new
        one has the original's `raw`, owner and metadata, and is not pinned.

        Args:
            conversation_id: The original; it stays as it is.
            message_id: The last message that is copied.
            id: The new conversation's id; chosen by the store if None.
            title: The new conversation's title; by default the original's.
            owner: The new conversation's owner; by default the original's.
            metadata: The changes to the original's metadata, as for `update_conversation`.

        Raises:
            NotFoundError: The conversation or the message does not exist.
            ConflictError: The id is taken.
        """
        change = ConversationChange(title=title, owner=owner, metadata=metadata)
        return self._run(
            self._operations.fork_conversation(conversation_id, message_id, id, change)
        )

    def append_messages(
        self, conversation_id: str, messages: Sequence[Message], *, after: str | AnyTip | None = ANY
    ) -> tuple[Message, ...]:
        """Store messages at the end of a conversation, all or none, and return them as stored.

        A message that is stored already with the same `fingerprint` is left as it is, so a call
        that may or may not have arrived can be repeated.

        Args:
            conversation_id: The conversation of the messages.
            messages: The messages, oldest first.
            after: The id of the message that the caller believes to be the last; None if the
                conversation should be empty; ANY if it does not matter.

        Raises:
            NotFoundError: The conversation does not exist.
            ConflictError: Another message is the last, or an id is stored with other content.
        """
        return self._run(self._operations.append_messages(conversation_id, messages, after))

    def replace_messages(
        self,
        conversation_id: str,
        messages: Sequence[Message],
        *,
        after: str | None,
        tip: str | AnyTip | None = ANY,
    ) -> tuple[Message, ...]:
        """Replace all messages after one of them, in one transaction.

        If what is after it equals `messages` already, nothing changes, whatever `tip` is: a call
        that may or may not have arrived can be repeated.

        Args:
            conversation_id: The conversation of the messages.
            messages: The new end of the conversation.
            after: The id of the last message to keep; None to replace all.
            tip: The id of the message that the caller believes to be the last; None if the
                conversation should be empty; ANY if what others have appended may be lost.

        Raises:
            NotFoundError: The conversation does not exist.
            ConflictError: The message `after` is gone, one of the new ones is stored before it, or
                the last message is not `tip`.
        """
        return self._run(self._operations.replace_messages(conversation_id, messages, after, tip))

    def update_message(
        self, conversation_id: str, message: Message, *, was: Message | AnyTip = ANY
    ) -> Message:
        """Replace the stored message of the same id, in its place, and return it as stored.

        Its place and its neighbours stay; so do `created_at` and the feedback, unless `message` has
        them. One that equals what is stored changes nothing.

        Args:
            conversation_id: The conversation of the message.
            message: The message with its new content.
            was: The message as the caller read it; ANY to replace whatever is there.

        Raises:
            NotFoundError: The conversation or the message does not exist.
            ConflictError: The stored message is not `was`: somebody has changed it.
        """
        return self._run(self._operations.update_message(conversation_id, message, was))

    def update_conversation(
        self,
        conversation_id: str,
        *,
        title: str | Unset | None = UNSET,
        pinned: bool | Unset = UNSET,
        owner: str | Unset | None = UNSET,
        metadata: Mapping[str, JSON] | Unset = UNSET,
    ) -> None:
        """Change the fields that are given, and leave the others as they are.

        Args:
            conversation_id: The conversation to change.
            title: The new title; None removes it.
            pinned: Whether lists show it first.
            owner: The new owner; None removes it.
            metadata: The values to merge, by top-level key: each replaces the stored one, and None
                removes the key.

        Raises:
            NotFoundError: The conversation does not exist (where `traits.reports_absent`).
            UnsupportedError: `traits.changes` lacks what was given; nothing was changed.
        """
        return self._run(
            self._operations.update_conversation(
                conversation_id,
                ConversationChange(title=title, pinned=pinned, owner=owner, metadata=metadata),
            )
        )

    def delete_conversation(self, conversation_id: str) -> None:
        """Delete a conversation with its messages; an absent one is not an error."""
        return self._run(self._operations.delete_conversation(conversation_id))

    def delete_conversations(
        self, *, owner: str | Unset | None = UNSET, older_than: datetime | None = None
    ) -> int:
        """Delete the conversations of an owner, of an age, or both; return their number.

        Those are what `conversations` yields with the same arguments, pinned ones included.

        Args:
            owner: Only those of this owner; None for those without one, UNSET for any.
            older_than: Only those last active before this time; None for any.

        Raises:
            InvalidError: Neither is given.
            UnsupportedError: The backend does not know owners.
        """
        which = ConversationFilter(owner=owner, older_than=older_than)
        return self._run(self._operations.delete_conversations(which))

    def clear_conversations(self) -> None:
        """Delete every conversation of the store.

        If `traits.clears` is ``may_clear_others``, the backend may delete others as well.
        """
        return self._run(self._operations.clear_conversations())

    def delete_message(self, conversation_id: str, message_id: str) -> bool | None:
        """Delete a message; an absent one is not an error.

        Where `traits.deletes` is ``may_delete_turn``, its question or answer may be deleted with
        it.

        Returns:
            Whether it was there; None if the backend does not say.
        """
        return self._run(self._operations.delete_message(conversation_id, message_id))

    def pop_message(self, conversation_id: str, *, tip: str | AnyTip) -> Message | None:
        """Delete the last message and return it, in one transaction.

        Messages that name it as their parent keep its id.

        Args:
            conversation_id: The conversation of the message.
            tip: The id of the message that the caller believes to be the last; ANY for whichever
                it is. A call with ANY that may have arrived must not be repeated: it would take
                another message.

        Returns:
            The message; None if there is none and `tip` is ANY.

        Raises:
            NotFoundError: The conversation does not exist.
            ConflictError: Another message is the last, or there is none.
        """
        return self._run(self._operations.pop_message(conversation_id, tip))

    def set_feedback(
        self, conversation_id: str, message_id: str, feedback: Feedback | None
    ) -> None:
        """Set the feedback on an answer; None clears it.

        Raises:
            NotFoundError: The message does not exist (where `traits.reports_absent`).
        """
        return self._run(self._operations.set_feedback(conversation_id, message_id, feedback))

    def search(
        self,
        query: str,
        *,
        limit: int = 20,
        cursor: str | None = None,
        conversation_id: str | None = None,
        role: Role | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        owner: str | Unset | None = UNSET,
    ) -> Page[Hit]:
        """Search titles, messages' texts, and the titles of their sources.

        All words of the query must occur, in any order, as whole words; those in ``"quotes"`` as a
        phrase. Case and accents do not matter, the parts of an identifier are words too, and in
        Chinese, Japanese or Korean any substring matches, even a single character. Titles come
        first, then messages, in both the newest first.

        Args:
            query: What a user typed: any text is valid. One without a letter or a digit finds
                nothing.
            limit: The maximum number of hits in the page.
            cursor: The `cursor` of the previous page; None for the first page.
            conversation_id: Only in this conversation.
            role: Only messages of this role, and no titles.
            since: Only messages of this time or later. If a message has no time, the time when it
                was stored counts; for a title, the time when its conversation was created.
            until: Only messages before this time.
            owner: Only in conversations of this owner; None for those without one, UNSET for any.
                It needs `traits.filters` to have ``owner``.

        Raises:
            InvalidError: The cursor is of another search, or a time has no time zone.

        Example:
            page = store.search('moon "far side"', role="assistant")
            for hit in page.items:
                print(hit.conversation.title, hit.snippet.text)
        """
        return self._run(
            self._operations.search(
                search_of(query, conversation_id, role, since, until, owner),
                Listing(limit=limit, cursor=cursor),
            )
        )

    def get_run_details(self, conversation_id: str, message_id: str) -> tuple[RunStep, ...]:
        """Return the steps of the run that made an answer; none for other messages."""
        return self._run(self._operations.get_run_details(conversation_id, message_id))

    def suggest_questions(self, conversation_id: str) -> tuple[str, ...]:
        """Return questions that may come next; the backend may have to ask a model."""
        return self._run(self._operations.suggest_questions(conversation_id))

    def reply(
        self,
        conversation_id: str | None,
        content: str | Sequence[Part],
        *,
        turn_id: str | None = None,
        owner: str | None = None,
        metadata: Mapping[str, JSON] = MappingProxyType({}),
        **options: object,
    ) -> Reply:
        """Send a user's turn and wait for the whole reply.

        The turn is sent once. After an error that leaves open whether it arrived, `get_reply` looks
        for it by the ids in the error's `partial`.

        Args:
            conversation_id: The conversation to continue. An id that does not exist yet begins a
                conversation with that id; None begins one whose id is chosen.
            content: A text, or text and file parts.
            turn_id: The id by which `get_reply` finds the reply; chosen if None.
            owner: The owner of a conversation that the turn begins; one that exists keeps its own.
            metadata: The metadata of a conversation that the turn begins; one that exists keeps
                its own.
            **options: The backend's options of a turn; `reply_options` has their names.

        Raises:
            InvalidError: The content or an option is wrong; nothing was sent.
            ConflictError: An answer is being generated in this conversation.
            UnavailableError: The model, or a step of its flow, failed.
        """
        return self._whole(
            self._chat.reply(
                conversation_id,
                content,
                options,
                turn_id=turn_id,
                owner=owner,
                metadata=metadata,
                streamed=False,
            )
        )

    def stream_reply(
        self,
        conversation_id: str | None,
        content: str | Sequence[Part],
        *,
        turn_id: str | None = None,
        owner: str | None = None,
        metadata: Mapping[str, JSON] = MappingProxyType({}),
        **options: object,
    ) -> ReplyStream:
        """Return a stream of the reply to a user's turn; its ``with`` sends the turn.

        Arguments and errors are those of `reply`; the stream has the ids before the turn is sent.
        """
        return self._stream(
            self._chat.reply(
                conversation_id,
                content,
                options,
                turn_id=turn_id,
                owner=owner,
                metadata=metadata,
                streamed=True,
            )
        )

    def answer(
        self, conversation_id: str, answer: str | Mapping[str, JSON], **options: object
    ) -> Reply:
        """Answer what a flow asked, and wait until it stops again; see `Reply.interaction`.

        Args:
            conversation_id: The conversation whose last message waits for an answer.
            answer: The value of the chosen option, or a form's values by key.
            **options: As for `reply`.

        Raises:
            ConflictError: Nothing waits for an answer.
            InvalidError: The answer does not fit the question; nothing was sent.
            NotFoundError: The conversation does not exist.
        """
        return self._whole(self._chat.answer(conversation_id, answer, options, streamed=False))

    def stream_answer(
        self, conversation_id: str, answer: str | Mapping[str, JSON], **options: object
    ) -> ReplyStream:
        """Return a stream of what follows an answer; arguments and errors are those of `answer`."""
        return self._stream(self._chat.answer(conversation_id, answer, options, streamed=True))

    def get_reply(self, conversation_id: str, turn_id: str) -> Reply:
        """Return the reply to a turn that was sent before; it fails as `reply` would have.

        Raises:
            NotFoundError: Nothing of the turn is stored: it did not arrive. (A service that stores
                a turn with its reply, as FastGPT did before 4.15, raises this until then, too.)
            ConflictError: The reply is still being generated: ask again later, or use
                `resume_reply`.
            UnavailableError: The model, or a step of its flow, failed.
        """
        return self._run(self._operations.get_reply(conversation_id, turn_id))

    def resume_reply(self, conversation_id: str, turn_id: str) -> ReplyStream:
        """Return a stream of a reply that is being generated, from its beginning.

        For a finished reply it may yield only the end.

        Raises:
            NotFoundError: The turn did not arrive.
        """
        return self._stream(self._chat.resume_reply(conversation_id, turn_id))

    def _whole(self, session: ReplySession) -> Reply:
        with self._stream(session) as stream:
            for _ in stream:
                pass
            return stream.reply

    def _stream(self, session: ReplySession) -> ReplyStream:
        from ._streams import ReplyStream

        return ReplyStream(session, self._transport, self._carry_out)

    def check(self) -> Health:
        """Check that the service answers and accepts the credential, and detect its generation.

        Raises:
            StoreError: The check failed; the class shows why.
        """
        return self._run(self._operations.check())
