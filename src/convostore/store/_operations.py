"""Operations of a store, shared by its sync and async classes.

How a call travels. A method of `ConversationStore` or `AsyncConversationStore` is one line: it
takes a flow factory from the method of the same name here and gives it to the transport. The
factory makes the flow anew each time it is called, since a transport with transactions may have to
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

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial, wraps
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeAlias, TypeVar

from ..adapters import Adapter, Operation
from ..errors import InvalidError, NotFoundError, StoreError
from ..flow import Flow
from ..models import (
    UNSET,
    AnyTip,
    Conversation,
    ConversationChange,
    Feedback,
    Health,
    Listing,
    Message,
    NewConversation,
    Order,
    Page,
    RunStep,
    Transcript,
    Unset,
)
from ._arguments import check_id, check_listing, check_messages, check_search, check_title, to_utc
from ._cursors import decode_cursor, encode_cursor
from ._iteration import PageIterator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..models import Reply
    from ..search import Hit, Search

P = ParamSpec("P")
T = TypeVar("T")
AnyFlow: TypeAlias = Flow[Any, Any, T]
"""A flow of whichever adapter the store has: its requests and replies are the adapter's own."""
FlowFactory: TypeAlias = Callable[[], AnyFlow[T]]
OnError: TypeAlias = Literal["raise", "yield"]
_Method: TypeAlias = "Callable[Concatenate[Operations, P], T]"


def operation(name: Operation) -> Callable[[_Method[P, AnyFlow[T]]], _Method[P, FlowFactory[T]]]:
    """Decorate a method that returns a flow, so that it returns a factory of checked flows."""

    def decorate(method: _Method[P, AnyFlow[T]]) -> _Method[P, FlowFactory[T]]:
        @wraps(method)
        def bind(self: Operations, /, *args: P.args, **kwargs: P.kwargs) -> FlowFactory[T]:
            return self.bind(name, partial(method, self, *args, **kwargs))

        return bind

    return decorate


class Operations:
    """The operations of one store, as factories of flows.

    Attributes:
        adapter: The adapter whose operations they are.
        closed: Whether the store was closed; every operation is then refused.
    """

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.closed = False

    def offers(self, operation: Operation | str) -> bool:
        """Return whether the adapter can do an operation.

        Raises:
            InvalidError: There is no operation of that name.
        """
        try:
            return Operation(operation) in self.adapter.offers
        except ValueError:
            raise InvalidError(
                f"there is no operation {operation!r}; there are: {', '.join(Operation)}"
            ) from None

    def require_open(self) -> None:
        """Check that the store is open.

        Raises:
            InvalidError: It was closed.
        """
        if self.closed:
            raise InvalidError("this store is closed: open it again")

    def bind(self, operation: Operation, make: FlowFactory[T]) -> FlowFactory[T]:
        """Return a factory of `make`'s flows, each refused, wrapped and labelled as it must be."""

        def flow() -> AnyFlow[T]:
            with self.error_context(operation):
                return (yield from self.adapter.wrap(make()))

        return flow

    @contextmanager
    def error_context(self, operation: Operation) -> Iterator[None]:
        """Refuse what cannot be done; add the names of adapter and operation to errors.

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
            error.adapter = error.adapter or self.adapter.name
            error.operation = error.operation or operation.value
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
        position = decode_cursor(listing.cursor, cursor_scope)
        asked = check_listing(replace(listing, cursor=position), self.adapter.traits.max_page)
        page = yield from read(asked)
        return replace(page, cursor=encode_cursor(page.cursor, cursor_scope))

    @operation(Operation.LIST_CONVERSATIONS)
    def list_conversations(self, listing: Listing) -> AnyFlow[Page[Conversation]]:
        older_than = to_utc(listing.older_than, "older_than")
        page = yield from self.page(
            Operation.LIST_CONVERSATIONS,
            older_than.isoformat() if older_than else "",
            replace(listing, older_than=older_than),
            self.adapter.list_conversations,
        )
        return _only_older(page, older_than)

    @operation(Operation.GET_CONVERSATION)
    def get_conversation(self, conversation_id: str) -> AnyFlow[Conversation]:
        return self.adapter.get_conversation(check_id(conversation_id))

    @operation(Operation.LIST_MESSAGES)
    def list_messages(self, conversation_id: str, listing: Listing) -> AnyFlow[Page[Message]]:
        read = partial(self.adapter.list_messages, check_id(conversation_id))
        return self.page(Operation.LIST_MESSAGES, conversation_id, listing, read)

    @operation(Operation.LIST_MESSAGES)
    def messages_as_json(self, conversation_id: str, listing: Listing) -> AnyFlow[Page[str]]:
        read = partial(self.adapter.messages_as_json, check_id(conversation_id))
        return self.page(Operation.LIST_MESSAGES, conversation_id, listing, read)

    def read_transcript(
        self, conversation_id: str, known: Conversation | None, on_error: OnError
    ) -> FlowFactory[Transcript]:
        if on_error not in {"raise", "yield"}:
            raise InvalidError(f"on_error must be 'raise' or 'yield', got {on_error!r}")
        read = self._read_transcript(conversation_id, known)

        def flow() -> AnyFlow[Transcript]:
            try:
                return (yield from read())
            except StoreError as error:
                if on_error == "raise":
                    raise
                return Transcript(conversation_id=conversation_id, conversation=known, error=error)

        return flow

    @operation(Operation.LIST_MESSAGES)
    def _read_transcript(
        self, conversation_id: str, known: Conversation | None
    ) -> AnyFlow[Transcript]:
        return self.adapter.read_transcript(check_id(conversation_id), known)

    @operation(Operation.CREATE_CONVERSATION)
    def create_conversation(self, new: NewConversation) -> AnyFlow[Conversation]:
        if new.id is not None:
            check_id(new.id)
        check_title(new.title)
        created_at = to_utc(new.created_at, "created_at")
        return self.adapter.create_conversation(replace(new, created_at=created_at))

    @operation(Operation.PUT_CONVERSATION)
    def put_conversation(self, conversation: Conversation) -> AnyFlow[None]:
        if not isinstance(conversation, Conversation):
            raise InvalidError(
                f"conversation must be a convostore.Conversation, got {type(conversation).__name__}"
            )
        check_id(conversation.id)
        return self.adapter.put_conversation(conversation)

    @operation(Operation.FORK_CONVERSATION)
    def fork_conversation(
        self, conversation_id: str, message_id: str, new_id: str | None, title: str | Unset | None
    ) -> AnyFlow[Conversation]:
        if new_id is not None:
            check_id(new_id)
        if title is not UNSET:
            check_title(title)
        return self.adapter.fork_conversation(
            check_id(conversation_id), check_id(message_id), new_id, title
        )

    @operation(Operation.APPEND_MESSAGES)
    def append_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | AnyTip | None
    ) -> AnyFlow[tuple[Message, ...]]:
        return self.adapter.append_messages(
            check_id(conversation_id), check_messages(messages), after
        )

    @operation(Operation.REPLACE_MESSAGES)
    def replace_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | None
    ) -> AnyFlow[tuple[Message, ...]]:
        return self.adapter.replace_messages(
            check_id(conversation_id), check_messages(messages), after
        )

    @operation(Operation.UPDATE_CONVERSATION)
    def update_conversation(
        self, conversation_id: str, change: ConversationChange
    ) -> AnyFlow[None]:
        return self.adapter.update_conversation(check_id(conversation_id), change)

    @operation(Operation.DELETE_CONVERSATION)
    def delete_conversation(self, conversation_id: str) -> AnyFlow[None]:
        return _absent_is_done(self.adapter.delete_conversation(check_id(conversation_id)))

    @operation(Operation.DELETE_CONVERSATIONS)
    def delete_conversations(self, older_than: datetime) -> AnyFlow[int]:
        time = to_utc(older_than, "older_than")
        if time is None:
            raise InvalidError(
                "older_than must be a datetime, got None: clear_conversations deletes all"
            )
        return self.adapter.delete_conversations(time)

    @operation(Operation.CLEAR_CONVERSATIONS)
    def clear_conversations(self) -> AnyFlow[None]:
        return self.adapter.clear_conversations()

    @operation(Operation.DELETE_MESSAGE)
    def delete_message(self, conversation_id: str, message_id: str) -> AnyFlow[None]:
        return _absent_is_done(
            self.adapter.delete_message(check_id(conversation_id), check_id(message_id))
        )

    @operation(Operation.SET_FEEDBACK)
    def set_feedback(
        self, conversation_id: str, message_id: str, feedback: Feedback | None
    ) -> AnyFlow[None]:
        return self.adapter.set_feedback(check_id(conversation_id), check_id(message_id), feedback)

    @operation(Operation.SEARCH)
    def search(self, search: Search, listing: Listing) -> AnyFlow[Page[Hit]]:
        checked = check_search(search)
        # The query may be of any length, and is nothing that an error should repeat.
        scope = sha256(ascii(checked).encode("ascii")).hexdigest()[:16]
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

    def walk_conversations(self, older_than: datetime | None = None) -> PageIterator[Conversation]:
        """Return an iterator over the pages of all conversations, which reads its head again."""
        head = Listing(older_than=older_than)
        return PageIterator(self.adapter, head, again_from_head=True)

    def walk_messages(self, conversation_id: str, order: Order) -> PageIterator[Message]:
        """Return an iterator over the pages of all messages of a conversation."""
        return PageIterator(
            self.adapter, Listing(order=order), conversation_id, again_from_head=False
        )


def _absent_is_done(flow: AnyFlow[None]) -> AnyFlow[None]:
    """Run a delete; what is not there has nothing left to delete."""
    with suppress(NotFoundError):
        yield from flow


def _only_older(page: Page[Conversation], older_than: datetime | None) -> Page[Conversation]:
    """Leave out what is not older than a time, where the adapter did not."""
    if older_than is None:
        return page
    items = tuple(
        conversation
        for conversation in page.items
        if conversation.last_active_at and conversation.last_active_at < older_than
    )
    total = page.total if len(items) == len(page.items) else None
    return replace(page, items=items, total=total)
