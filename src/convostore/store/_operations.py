"""Operations of a store, shared by its sync and async classes.

How a call travels. A method of `ConversationStore` or `AsyncConversationStore` is one line: it
takes a flow factory from the method of the same name here and gives it to the transport. The
factory makes a new flow each time it is called, since a transport with transactions may have to
run it again. Running the flow

1. refuses a store that is closed, and an operation that its adapter does not offer, before any
   request exists;
2. checks the arguments (`_arguments`) and decodes the cursor (`_cursors`), which is good only for
   this adapter, operation, list and order;
3. runs the adapter's own flow, which yields requests to the transport, wrapped by `Adapter.wrap`
   (HTTP adapters repeat requests and raise failures there);
4. encodes the cursor of the page that came back, and leaves out what no adapter may show;
5. adds the names of adapter and operation to any `StoreError` on its way out.

All of that is the work of `operation`, the decorator, and of `Operations.page`; a method holds only
what differs. Nothing is carried out here, and no backend may be known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial, wraps
from hashlib import sha256
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Literal,
    ParamSpec,
    TypeAlias,
    TypeVar,
    get_args,
)

from ..adapters import Adapter, Operation
from ..adapters.write_rules import absent_start
from ..errors import InvalidError, NotFoundError, StoreError, UnsupportedError
from ..flow import Flow
from ..models import (
    ANY,
    JSON,
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
    Page,
    RunStep,
    Transcript,
)
from ._arguments import (
    check_change,
    check_filter,
    check_id,
    check_listing,
    check_messages,
    check_namespace,
    check_new,
    check_owner_filter,
    check_search,
    check_tip,
    to_utc,
)
from ._cursors import decode_cursor, encode_cursor
from ._iteration import PageIterator
from ._observation import NamedFlow, Observer, Watch
from ._values import check_conversation, check_feedback, check_message, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..models import Reply
    from ..search import Hit, Search

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item", Conversation, Message)
AnyFlow: TypeAlias = Flow[Any, Any, T]
"""A flow of whichever adapter the store has: its requests and replies are the adapter's own."""
FlowFactory: TypeAlias = Callable[[], AnyFlow[T]]
OnError: TypeAlias = Literal["raise", "yield"]
_Method: TypeAlias = "Callable[Concatenate[Operations, P], T]"


def operation(name: Operation) -> Callable[[_Method[P, AnyFlow[T]]], _Method[P, NamedFlow[T]]]:
    """Decorate a method that returns a flow, so that it returns a factory of checked flows."""

    def decorate(method: _Method[P, AnyFlow[T]]) -> _Method[P, NamedFlow[T]]:
        @wraps(method)
        def bind(self: Operations, /, *args: P.args, **kwargs: P.kwargs) -> NamedFlow[T]:
            return self.bind(name, partial(method, self, *args, **kwargs))

        return bind

    return decorate


class Operations:
    """The operations of one store, as factories of flows.

    Attributes:
        adapter: The adapter whose operations they are.
        observe: Called after each operation; see `Observation`.
        closed: Whether the store was closed; every operation is then refused.
    """

    def __init__(self, adapter: Adapter, observe: Observer | None = None) -> None:
        self.adapter = adapter
        self.observe = observe
        self.closed = False

    def offers(self, operation: Operation | str) -> bool:
        """Return whether the adapter can do an operation.

        Raises:
            InvalidError: There is no operation of that name.
        """
        given: object = operation  # whose error would show all that is in it
        try:
            if isinstance(given, str):
                return Operation(operation) in self.adapter.offers
        except ValueError:
            pass
        raise InvalidError(
            f"there is no operation {shown(operation)}; there are: {', '.join(Operation)}"
        )

    def require_open(self) -> None:
        """Check that the store is open.

        Raises:
            InvalidError: It was closed.
        """
        if self.closed:
            raise InvalidError("this store is closed: open it again")

    def in_namespace(self, name: str) -> Adapter:
        """Return the adapter of another namespace.

        Raises:
            InvalidError: The store is closed, or the name is not a non-empty string.
            UnsupportedError: There are no namespaces.
        """
        self.require_open()
        return self.adapter.in_namespace(check_namespace(name))

    def bind(
        self, operation: Operation, make: FlowFactory[T], *, repeatable: bool = True
    ) -> NamedFlow[T]:
        """Return a factory of `make`'s flows, each refused, wrapped and labelled as it must be."""

        def flow() -> AnyFlow[T]:
            with self.error_context(operation, repeatable=repeatable):
                return (yield from self.adapter.wrap(make()))

        return NamedFlow(operation.value, flow, repeatable)

    def watch(self, make: NamedFlow[T]) -> Watch:
        """Return what reports a flow to `observe`."""
        return Watch(self.observe, make.operation, self.adapter.name)

    def label(self, error: StoreError, operation: str, *, repeatable: bool) -> None:
        """Add to an error where it comes from, and that a call must not be repeated."""
        error.adapter = error.adapter or self.adapter.name
        error.operation = error.operation or operation
        error.retryable = error.retryable and repeatable

    @contextmanager
    def error_context(self, operation: Operation, *, repeatable: bool = True) -> Iterator[None]:
        """Refuse what cannot be done; label errors.

        Raises:
            InvalidError: The store is closed.
            UnsupportedError: The adapter does not offer the operation.
        """
        try:
            self.require_open()
            if operation not in self.adapter.offers:
                raise self.adapter.unsupported(operation)
            yield
        except StoreError as error:
            self.label(error, operation.value, repeatable=repeatable)
            raise

    def page(
        self,
        operation: Operation,
        scope: str,
        listing: Listing,
        read: Callable[[Listing], AnyFlow[Page[T]]],
    ) -> AnyFlow[Page[T]]:
        """Read a page of a list; its cursors are good for this operation, scope and order only."""
        cursor_scope = [self.adapter.name, operation.value, scope, listing.order]
        asked = check_listing(listing, self.adapter.traits.max_page)
        position = decode_cursor(listing.cursor, cursor_scope)
        # `replace` takes 2 µs, which is much for what most pages do not need.
        page = yield from read(asked if position is None else replace(asked, cursor=position))
        if page.cursor is None:
            return page
        return replace(page, cursor=encode_cursor(page.cursor, cursor_scope))

    @operation(Operation.LIST_CONVERSATIONS)
    def list_conversations(self, listing: Listing) -> AnyFlow[Page[Conversation]]:
        if listing.older_than is not None:
            listing = replace(listing, older_than=to_utc(listing.older_than, "older_than"))
        check_owner_filter(listing.owner)
        self._require_filter(listing.owner)
        self._require_list("conversations", listing)
        page = yield from self.page(
            Operation.LIST_CONVERSATIONS,
            _list_scope(listing),
            listing,
            self.adapter.list_conversations,
        )
        return _check_start(_only_wanted(page, listing), listing)

    @operation(Operation.LIST_CONVERSATIONS)
    def count_conversations(self) -> AnyFlow[int]:
        return self.adapter.count_conversations()

    def _require_filter(self, owner: object) -> None:
        if owner is not UNSET and "owner" not in self.adapter.traits.filters:
            raise self._lacking("filter conversations by owner", "owner")

    def _require_list(self, name: Literal["conversations", "messages"], listing: Listing) -> None:
        traits = self.adapter.traits
        if listing.start is not None and name not in traits.starts:
            raise self._lacking(f"begin a page of {name} at an id", "start")
        if listing.reverse and "oldest_first" not in traits.orders:
            raise self._lacking("list conversations oldest first", "order")

    def _require_changes(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.adapter.traits.changes:
                raise self._lacking(f"set a conversation's {name}", name)

    def require_identity(self, owner: str | None, metadata: Mapping[str, JSON]) -> None:
        """Check that a conversation can be made with an owner and metadata, where they are given.

        Raises:
            UnsupportedError: The backend does not have them.
        """
        given = {"owner": owner is not None, "metadata": bool(metadata)}
        self._require_changes(name for name, is_given in given.items() if is_given)

    def _lacking(self, what: str, argument: str) -> UnsupportedError:
        return UnsupportedError(
            f"{self.adapter.name} cannot {what}: check store.traits first", argument=argument
        )

    @operation(Operation.GET_CONVERSATION)
    def get_conversation(self, conversation_id: str) -> AnyFlow[Conversation]:
        return self.adapter.get_conversation(check_id(conversation_id))

    @operation(Operation.LIST_MESSAGES)
    def list_messages(self, conversation_id: str, listing: Listing) -> AnyFlow[Page[Message]]:
        read = partial(self.adapter.list_messages, check_id(conversation_id))
        self._require_list("messages", listing)
        page = yield from self.page(Operation.LIST_MESSAGES, conversation_id, listing, read)
        return _check_start(page, listing)

    @operation(Operation.GET_MESSAGE)
    def get_message(self, conversation_id: str, message_id: str) -> AnyFlow[Message]:
        return self.adapter.get_message(check_id(conversation_id), check_id(message_id))

    @operation(Operation.LIST_MESSAGES)
    def messages_as_json(self, conversation_id: str, listing: Listing) -> AnyFlow[Page[str]]:
        read = partial(self.adapter.messages_as_json, check_id(conversation_id))
        self._require_list("messages", listing)
        return self.page(Operation.LIST_MESSAGES, conversation_id, listing, read)

    def read_transcript(
        self, conversation_id: str, known: Conversation | None, on_error: OnError
    ) -> NamedFlow[Transcript]:
        if on_error not in get_args(OnError):
            raise InvalidError(f"on_error must be 'raise' or 'yield', got {shown(on_error)}")
        read = self._read_transcript(conversation_id, known)

        def flow() -> AnyFlow[Transcript]:
            try:
                return (yield from read())
            except StoreError as error:
                if on_error == "raise":
                    raise
                return Transcript(conversation_id=conversation_id, conversation=known, error=error)

        return NamedFlow(Operation.LIST_MESSAGES.value, flow)

    @operation(Operation.LIST_MESSAGES)
    def _read_transcript(
        self, conversation_id: str, known: Conversation | None
    ) -> AnyFlow[Transcript]:
        return self.adapter.read_transcript(check_id(conversation_id), known)

    @operation(Operation.CREATE_CONVERSATION)
    def create_conversation(self, new: NewConversation) -> AnyFlow[Conversation]:
        checked = check_new(new)
        self.require_identity(checked.owner, checked.metadata)
        return self.adapter.create_conversation(checked)

    @operation(Operation.PUT_CONVERSATION)
    def put_conversation(self, conversation: Conversation) -> AnyFlow[None]:
        return self.adapter.put_conversation(check_conversation(conversation))

    @operation(Operation.FORK_CONVERSATION)
    def fork_conversation(
        self, conversation_id: str, message_id: str, new_id: str | None, change: ConversationChange
    ) -> AnyFlow[Conversation]:
        if new_id is not None:
            check_id(new_id)
        self._require_changes(change.fields().keys() - {"title"})
        return self.adapter.fork_conversation(
            check_id(conversation_id), check_id(message_id), new_id, check_change(change)
        )

    @operation(Operation.APPEND_MESSAGES)
    def append_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | AnyTip | None
    ) -> AnyFlow[tuple[Message, ...]]:
        check_tip(after, "after")
        return self.adapter.append_messages(
            check_id(conversation_id), check_messages(messages), after
        )

    @operation(Operation.REPLACE_MESSAGES)
    def replace_messages(
        self,
        conversation_id: str,
        messages: Sequence[Message],
        after: str | None,
        tip: str | AnyTip | None,
    ) -> AnyFlow[tuple[Message, ...]]:
        if after is not None:
            check_id(after)
        check_tip(tip, "tip")
        return self.adapter.replace_messages(
            check_id(conversation_id), check_messages(messages), after, tip
        )

    @operation(Operation.UPDATE_MESSAGE)
    def update_message(
        self, conversation_id: str, message: Message, was: Message | AnyTip
    ) -> AnyFlow[Message]:
        checked = check_message(message)
        if was is not ANY:
            was = check_message(was)
            if was.id != checked.id:
                raise InvalidError(
                    f"was must be the message {checked.id!r} as it was read, got {was.id!r}"
                )
        return self.adapter.update_message(check_id(conversation_id), checked, was)

    @operation(Operation.UPDATE_CONVERSATION)
    def update_conversation(
        self, conversation_id: str, change: ConversationChange
    ) -> AnyFlow[None]:
        checked = check_change(change)
        self._require_changes(checked.fields())
        return self.adapter.update_conversation(check_id(conversation_id), checked)

    @operation(Operation.DELETE_CONVERSATION)
    def delete_conversation(self, conversation_id: str) -> AnyFlow[None]:
        return _absent_is_done(self.adapter.delete_conversation(check_id(conversation_id)))

    @operation(Operation.DELETE_CONVERSATIONS)
    def delete_conversations(self, which: ConversationFilter) -> AnyFlow[int]:
        checked = check_filter(which)
        self._require_filter(checked.owner)
        return self.adapter.delete_conversations(checked)

    @operation(Operation.CLEAR_CONVERSATIONS)
    def clear_conversations(self) -> AnyFlow[None]:
        return self.adapter.clear_conversations()

    @operation(Operation.DELETE_MESSAGE)
    def delete_message(self, conversation_id: str, message_id: str) -> AnyFlow[bool | None]:
        delete = self.adapter.delete_message(check_id(conversation_id), check_id(message_id))
        try:
            return (yield from delete)
        except NotFoundError:
            return False

    def pop_message(self, conversation_id: str, tip: str | AnyTip) -> NamedFlow[Message | None]:
        def pop() -> AnyFlow[Message | None]:
            check_tip(tip, "tip", nullable=False)
            return self.adapter.pop_message(check_id(conversation_id), tip)

        # A repeated pop of whichever message is the last might pop another one.
        return self.bind(Operation.POP_MESSAGE, pop, repeatable=tip is not ANY)

    @operation(Operation.SET_FEEDBACK)
    def set_feedback(
        self, conversation_id: str, message_id: str, feedback: Feedback | None
    ) -> AnyFlow[None]:
        return self.adapter.set_feedback(
            check_id(conversation_id), check_id(message_id), check_feedback(feedback)
        )

    @operation(Operation.SEARCH)
    def search(self, search: Search, listing: Listing) -> AnyFlow[Page[Hit]]:
        checked = check_search(search)
        self._require_filter(checked.owner)
        # The query may be of any length, and is nothing that an error should repeat.
        text = ascii(checked) + ("" if checked.owner is UNSET else ascii(checked.owner))
        scope = sha256(text.encode("ascii")).hexdigest()[:16]
        return self.page(Operation.SEARCH, scope, listing, partial(self.adapter.search, checked))

    @operation(Operation.GET_RUN_DETAILS)
    def get_run_details(
        self, conversation_id: str, message_id: str
    ) -> AnyFlow[tuple[RunStep, ...]]:
        return self.adapter.get_run_details(check_id(conversation_id), check_id(message_id))

    @operation(Operation.SUGGEST_QUESTIONS)
    def suggest_questions(self, conversation_id: str) -> AnyFlow[tuple[str, ...]]:
        return self.adapter.suggest_questions(check_id(conversation_id))

    @operation(Operation.GET_REPLY)
    def get_reply(self, conversation_id: str, turn_id: str) -> AnyFlow[Reply]:
        return self.adapter.get_reply(check_id(conversation_id), check_id(turn_id))

    @operation(Operation.CHECK)
    def check(self) -> AnyFlow[Health]:
        return self.adapter.check()

    def walk_conversations(self, head: Listing) -> PageIterator[Conversation]:
        """Return an iterator over the pages of all conversations, which reads its head again."""
        return PageIterator(self.adapter, head)

    def walk_messages(self, conversation_id: str, head: Listing) -> PageIterator[Message]:
        """Return an iterator over the pages of all messages of a conversation."""
        return PageIterator(self.adapter, head, conversation_id)


def _absent_is_done(flow: AnyFlow[None]) -> AnyFlow[None]:
    """Run a delete; what is not there has nothing left to delete."""
    with suppress(NotFoundError):
        yield from flow


def _list_scope(listing: Listing) -> str:
    """Return what a cursor of a list of conversations is good for, besides the operation."""
    scope = listing.older_than.isoformat() if listing.older_than else ""
    if listing.owner is not UNSET:
        scope += f" owner={listing.owner!r}"
    return scope + (" reversed" if listing.reverse else "")


def _only_wanted(page: Page[Conversation], listing: Listing) -> Page[Conversation]:
    """Leave out what a list's filters do not name, where the adapter did not."""
    older_than, owner = listing.older_than, listing.owner
    if older_than is None and owner is UNSET:
        return page
    items = tuple(
        conversation
        for conversation in page.items
        if (owner is UNSET or conversation.owner == owner)
        and (older_than is None or _was_active_before(conversation, older_than))
    )
    total = page.total if len(items) == len(page.items) else None
    return replace(page, items=items, total=total)


def _was_active_before(conversation: Conversation, time: datetime) -> bool:
    return conversation.last_active_at is not None and conversation.last_active_at < time


def _check_start(page: Page[Item], listing: Listing) -> Page[Item]:
    """Return a page that begins with the item that was asked for.

    Raises:
        NotFoundError: It is not in the list.
    """
    start = listing.start
    if start is not None and (not page.items or page.items[0].id != start):
        raise absent_start(start)
    return page
