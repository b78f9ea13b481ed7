"""What both faces of a store do around an adapter, as flows and values: written once.

Arguments are checked, what is not offered is refused, cursors are sealed, errors say where they
happened, and lists are walked to their end. Nothing is carried out here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, get_args

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
    Role,
    RunStep,
    Transcript,
    Unset,
)
from ._cursors import decode_cursor, encode_cursor
from ._iteration import PageIterator

if TYPE_CHECKING:
    from ..models import Reply
    from ..search import Hit, Search

T = TypeVar("T")
AnyFlow: TypeAlias = Flow[Any, Any, T]
FlowFactory: TypeAlias = Callable[[], AnyFlow[T]]
"""Makes a flow anew each time: a transport with transactions may have to carry it out again."""
OnError: TypeAlias = Literal["raise", "yield"]


class Operations:
    """The operations as flows, with all that does not depend on the face."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.closed = False

    def offers(self, operation: Operation | str) -> bool:
        try:
            return Operation(operation) in self.adapter.offers
        except ValueError:
            raise InvalidError(
                f"there is no operation {operation!r}; there are: {', '.join(Operation)}"
            ) from None

    def named(self, operation: Operation, make: FlowFactory[T]) -> FlowFactory[T]:
        """Surrounds a flow: refused when not offered; its errors say where they happened."""

        def flow() -> AnyFlow[T]:
            with self.error_context(operation):
                return (yield from self.adapter.wrap(make()))

        return flow

    @contextmanager
    def error_context(self, operation: Operation) -> Iterator[None]:
        """Refuses what is not offered; errors within say where they happened."""
        try:
            if self.closed:
                raise InvalidError("this store is closed: open it again")
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
        make: Callable[[Listing], AnyFlow[Page[T]]],
    ) -> AnyFlow[Page[T]]:
        """One page of a list, its cursors sealed for this operation, scope and order."""
        seal = [self.adapter.name, operation.value, scope, listing.order]
        opened = replace(listing, cursor=decode_cursor(listing.cursor, seal))
        page = yield from make(self._bounded(opened))
        return replace(page, cursor=encode_cursor(page.cursor, seal))

    def _bounded(self, listing: Listing) -> Listing:
        limit, most = listing.limit, self.adapter.traits.max_page
        if listing.order not in ("oldest_first", "newest_first"):
            raise InvalidError(f"order is oldest_first or newest_first, not {listing.order!r}")
        if limit is not None and (type(limit) is not int or limit < 1):
            raise InvalidError(f"limit is a whole number from 1, not {limit!r}")
        return replace(listing, limit=most if limit is None else min(limit, most or limit))

    def list_conversations(self, listing: Listing) -> FlowFactory[Page[Conversation]]:
        def flow() -> AnyFlow[Page[Conversation]]:
            age = _in_utc(listing.older_than, "older_than")
            scope = age.isoformat() if age else ""
            aged = replace(listing, older_than=age)
            page = yield from self.page(
                Operation.LIST_CONVERSATIONS, scope, aged, self.adapter.list_conversations
            )
            return _aged(page, age)

        return self.named(Operation.LIST_CONVERSATIONS, flow)

    def get_conversation(self, conversation_id: str) -> FlowFactory[Conversation]:
        return self.named(
            Operation.GET_CONVERSATION,
            lambda: self.adapter.get_conversation(check_id(conversation_id)),
        )

    def list_messages(self, conversation_id: str, listing: Listing) -> FlowFactory[Page[Message]]:
        def make(bounded: Listing) -> AnyFlow[Page[Message]]:
            return self.adapter.list_messages(check_id(conversation_id), bounded)

        return self.named(
            Operation.LIST_MESSAGES,
            lambda: self.page(Operation.LIST_MESSAGES, conversation_id, listing, make),
        )

    def messages_as_json(self, conversation_id: str, listing: Listing) -> FlowFactory[Page[str]]:
        def make(bounded: Listing) -> AnyFlow[Page[str]]:
            return self.adapter.messages_as_json(check_id(conversation_id), bounded)

        return self.named(
            Operation.LIST_MESSAGES,
            lambda: self.page(Operation.LIST_MESSAGES, conversation_id, listing, make),
        )

    def read_transcript(
        self, conversation_id: str, known: Conversation | None, on_error: OnError
    ) -> FlowFactory[Transcript]:
        if on_error not in {"raise", "yield"}:
            raise InvalidError(f"on_error is raise or yield, not {on_error!r}")
        flow = self.named(
            Operation.LIST_MESSAGES,
            lambda: self.adapter.read_transcript(check_id(conversation_id), known),
        )

        def kept() -> AnyFlow[Transcript]:
            try:
                return (yield from flow())
            except StoreError as error:
                if on_error == "raise":
                    raise
                return Transcript(conversation_id=conversation_id, conversation=known, error=error)

        return kept

    def create_conversation(self, new: NewConversation) -> FlowFactory[Conversation]:
        def flow() -> AnyFlow[Conversation]:
            if new.id is not None:
                check_id(new.id)
            _a_title(new.title)
            return (
                yield from self.adapter.create_conversation(
                    replace(new, created_at=_in_utc(new.created_at, "created_at"))
                )
            )

        return self.named(Operation.CREATE_CONVERSATION, flow)

    def put_conversation(self, conversation: Conversation) -> FlowFactory[None]:
        def flow() -> AnyFlow[None]:
            if not isinstance(conversation, Conversation):
                raise InvalidError("what is put is a convostore.Conversation")
            check_id(conversation.id)
            return (yield from self.adapter.put_conversation(conversation))

        return self.named(Operation.PUT_CONVERSATION, flow)

    def fork_conversation(
        self, conversation_id: str, message_id: str, new_id: str | None, title: str | Unset | None
    ) -> FlowFactory[Conversation]:
        def flow() -> AnyFlow[Conversation]:
            if new_id is not None:
                check_id(new_id)
            if title is not UNSET:
                _a_title(title)
            return (
                yield from self.adapter.fork_conversation(
                    check_id(conversation_id), check_id(message_id), new_id, title
                )
            )

        return self.named(Operation.FORK_CONVERSATION, flow)

    def append_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | AnyTip | None
    ) -> FlowFactory[tuple[Message, ...]]:
        return self.named(
            Operation.APPEND_MESSAGES,
            lambda: self.adapter.append_messages(
                check_id(conversation_id), _messages(messages), after
            ),
        )

    def replace_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | None
    ) -> FlowFactory[tuple[Message, ...]]:
        return self.named(
            Operation.REPLACE_MESSAGES,
            lambda: self.adapter.replace_messages(
                check_id(conversation_id), _messages(messages), after
            ),
        )

    def update_conversation(
        self, conversation_id: str, change: ConversationChange
    ) -> FlowFactory[None]:
        return self.named(
            Operation.UPDATE_CONVERSATION,
            lambda: self.adapter.update_conversation(check_id(conversation_id), change),
        )

    def delete_conversation(self, conversation_id: str) -> FlowFactory[None]:
        return self.named(
            Operation.DELETE_CONVERSATION,
            lambda: _absent_is_done(self.adapter.delete_conversation(check_id(conversation_id))),
        )

    def delete_conversations(self, older_than: datetime) -> FlowFactory[int]:
        def flow() -> AnyFlow[int]:
            age = _in_utc(older_than, "older_than")
            if age is None:
                raise InvalidError("older_than is a time; to delete all is clear_conversations")
            return (yield from self.adapter.delete_conversations(age))

        return self.named(Operation.DELETE_CONVERSATIONS, flow)

    def search(self, search: Search, listing: Listing) -> FlowFactory[Page[Hit]]:
        def flow() -> AnyFlow[Page[Hit]]:
            checked = _checked(search)
            # The query may be of any length, and is nothing that an error should repeat.
            scope = sha256(ascii(checked).encode("ascii")).hexdigest()[:16]
            return (
                yield from self.page(
                    Operation.SEARCH,
                    scope,
                    listing,
                    lambda bounded: self.adapter.search(checked, bounded),
                )
            )

        return self.named(Operation.SEARCH, flow)

    def clear_conversations(self) -> FlowFactory[None]:
        return self.named(Operation.CLEAR_CONVERSATIONS, self.adapter.clear_conversations)

    def delete_message(self, conversation_id: str, message_id: str) -> FlowFactory[None]:
        return self.named(
            Operation.DELETE_MESSAGE,
            lambda: _absent_is_done(
                self.adapter.delete_message(check_id(conversation_id), check_id(message_id))
            ),
        )

    def set_feedback(
        self, conversation_id: str, message_id: str, feedback: Feedback | None
    ) -> FlowFactory[None]:
        return self.named(
            Operation.SET_FEEDBACK,
            lambda: self.adapter.set_feedback(
                check_id(conversation_id), check_id(message_id), feedback
            ),
        )

    def get_run_details(
        self, conversation_id: str, message_id: str
    ) -> FlowFactory[tuple[RunStep, ...]]:
        return self.named(
            Operation.GET_RUN_DETAILS,
            lambda: self.adapter.get_run_details(check_id(conversation_id), check_id(message_id)),
        )

    def suggest_questions(self, conversation_id: str) -> FlowFactory[tuple[str, ...]]:
        return self.named(
            Operation.SUGGEST_QUESTIONS,
            lambda: self.adapter.suggest_questions(check_id(conversation_id)),
        )

    def get_reply(self, conversation_id: str, turn_id: str) -> FlowFactory[Reply]:
        return self.named(
            Operation.GET_REPLY,
            lambda: self.adapter.get_reply(check_id(conversation_id), check_id(turn_id)),
        )

    def check(self) -> FlowFactory[Health]:
        return self.named(Operation.CHECK, self.adapter.check)

    def walk_conversations(self, older_than: datetime | None = None) -> PageIterator[Conversation]:
        head = Listing(older_than=older_than)
        return PageIterator(self.adapter.traits, head, again_from_head=True)

    def walk_messages(self, order: Order) -> PageIterator[Message]:
        return PageIterator(self.adapter.traits, Listing(order=order), again_from_head=False)


def require_several(ids: Iterable[str]) -> Iterable[str]:
    if isinstance(ids, str):
        raise InvalidError("several ids are taken here: pass [id] for one")
    return ids


def _absent_is_done(flow: AnyFlow[None]) -> AnyFlow[None]:
    """A delete of what is not there has nothing left to do."""
    with suppress(NotFoundError):
        yield from flow


def _messages(values: object) -> tuple[Message, ...]:
    if isinstance(values, Message):
        raise InvalidError("messages are given as several: pass [message] for one")
    if not isinstance(values, Sequence) or not all(isinstance(each, Message) for each in values):
        raise InvalidError("messages are a list of convostore.Message")
    return tuple(values)


def check_id(value: object) -> str:
    """Checks an id.

    Raises:
        InvalidError: It is none.
    """
    if not isinstance(value, str) or not value:
        raise InvalidError(f"an id is a text that is not empty, not {value!r}")
    return value


def _in_utc(time: datetime | None, name: str) -> datetime | None:
    if time is None:
        return None
    if not isinstance(time, datetime):
        raise InvalidError(f"{name} is a datetime, not {time!r}")
    if time.utcoffset() is None:
        raise InvalidError(f"{name} has no time zone: add one, such as datetime.now(UTC)")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise InvalidError(f"{name} is a time that UTC cannot hold") from None


def _a_title(title: object) -> None:
    if title is not None and not isinstance(title, str):
        raise InvalidError(f"a title is a text, not {title!r}")


def _checked(search: Search) -> Search:
    if not isinstance(search.text, str):
        raise InvalidError(f"a query is a text, not {search.text!r}")
    if search.conversation_id is not None:
        check_id(search.conversation_id)
    if search.role not in (None, *get_args(Role)):
        raise InvalidError(f"a role is one of {', '.join(get_args(Role))}, not {search.role!r}")
    return replace(
        search,
        since=_in_utc(search.since, "since"),
        until=_in_utc(search.until, "until"),
    )


def _aged(page: Page[Conversation], older_than: datetime | None) -> Page[Conversation]:
    """Leaves out what is not old enough, where the adapter did not."""
    if older_than is None:
        return page
    items = tuple(
        each for each in page.items if each.last_active_at and each.last_active_at < older_than
    )
    total = page.total if len(items) == len(page.items) else None
    return replace(page, items=items, total=total)
