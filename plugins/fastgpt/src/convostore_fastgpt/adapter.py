"""FastGPT's adapter: the endpoints that each operation calls, and in which order.

The facts are from the contract of the real servers, 4.8.12 to 4.16.0. Two of them shape most of
this: no endpoint returns a conversation by its id, and an unknown conversation looks like an empty
one. Paths belong in `api`, parsing in `schema`, turns in `replies`.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from convostore.adapters import AdapterOptions, Traits
from convostore.dsn import DSN
from convostore.errors import (
    InvalidError,
    NotFoundError,
    ProtocolError,
    StoreError,
    UnavailableError,
)
from convostore.flow import together
from convostore.http import HTTPAdapter, HTTPFlow, Request, Response
from convostore.models import (
    JSON,
    UNSET,
    Conversation,
    ConversationChange,
    Feedback,
    Health,
    Listing,
    Message,
    Order,
    Page,
    RunStep,
    Transcript,
)

from .api import envelope
from .api.endpoints import (
    CLEAR,
    DELETE,
    DELETE_RECORD,
    FEEDBACK,
    RUN_DETAILS,
    STATUS,
    UPDATE,
    Endpoint,
    Service,
    root_of,
)
from .api.envelope import AbsentAppError
from .api.lists import Histories, Records
from .api.offset_pagination import PAGE, Window
from .options import FastGPTOptions, FastGPTReplyOptions
from .replies.suggestions import RECENT, suggest
from .schema import records

if TYPE_CHECKING:
    from convostore.adapters import Answer, Stream, Turn
    from convostore.models import Reply

    from .replies.send import Replies


class FastGPT(HTTPAdapter):
    """Conversations of one app on a FastGPT server of any generation, which is detected."""

    name: ClassVar[str] = "fastgpt"
    Options: ClassVar[type[AdapterOptions]] = FastGPTOptions
    ReplyOptions: ClassVar[type[AdapterOptions]] = FastGPTReplyOptions
    traits = Traits(
        updated_at="any",
        deletes="may_delete_turn",
        clears="may_clear_others",
        reports_absent=False,
        deleted_readable=True,
        keeps=frozenset({"pinned"}),
    )

    def __init__(self, dsn: DSN, options: FastGPTOptions) -> None:
        super().__init__(dsn, options)
        options.require()
        self.base_url = root_of(self.base_url)
        self._service = Service(options)
        self._shared = options.share_id is not None
        self._clears_by_one_request = (
            not self._shared and options.source == "api" and not options.owner
        )
        if not self._clears_by_one_request:
            self.traits = replace(self.traits, clears="listed")

    @property
    def label(self) -> str:
        """The server, the app and the user: the ids of one app mean nothing in another."""
        scope = {"app_id": self.options.app_id, "user": self.options.user}
        query = urlencode({name: value for name, value in scope.items() if value})
        return f"{super().label}?{query}" if query else super().label

    def authorization(self) -> str | None:
        key = self.options.api_key
        if key is None or self._shared:
            return super().authorization()
        return f"Bearer {key.get_secret_value()}"

    def failure(self, request: Request, response: Response) -> StoreError | None:
        return envelope.failure(request, response)

    # Reading

    def list_conversations(self, listing: Listing) -> HTTPFlow[Page[Conversation]]:
        window = yield from self._own_histories().page(listing.cursor, listing.limit or PAGE)
        return Page(
            items=records.read_conversations(window.rows, first=window.start),
            cursor=str(window.end) if window.end else None,
            total=None if self.options.owner else window.total,
        )

    def get_conversation(self, conversation_id: str) -> HTTPFlow[Conversation]:
        """Find the conversation in the list, the only endpoint that shows its title.

        `init` shows more, but it marks the conversation as read and answers for absent ones, too.
        """
        self._chat(conversation_id)
        if not self._service.lacks(STATUS):
            status = yield from self._status(conversation_id)
            if status is not None:
                near = self._histories(_updated_at(status.get("updateTime")))
                conversation = yield from self._find(near, conversation_id, pages=1)
                if conversation is not None:
                    return conversation
        histories = self._histories()
        conversation = yield from self._find(histories, conversation_id)
        if conversation is None:  # a write may have moved it to the top meanwhile
            conversation = yield from self._find(histories, conversation_id, pages=1)
        if conversation is None:
            raise _absent(
                conversation_id, f" among those that the source {self.options.source!r} lists"
            )
        return conversation

    def list_messages(self, conversation_id: str, listing: Listing) -> HTTPFlow[Page[Message]]:
        records = self._records(conversation_id, listing.order)
        window = yield from records.page(listing.cursor, listing.limit or PAGE)
        if window.total == 0:
            yield from self._require_existing(conversation_id)
        return Page(
            items=_messages(window, backwards=listing.order == "newest_first"),
            cursor=str(window.end) if window.end else None,
            total=window.total,
        )

    def read_transcript(
        self, conversation_id: str, known: Conversation | None = None
    ) -> HTTPFlow[Transcript]:
        conversation = known or (yield from self.get_conversation(conversation_id))
        newest_first = yield from self._records(conversation_id, "newest_first").whole()
        if known and not newest_first:  # it may have been deleted since it was listed
            yield from self._require_existing(conversation_id)
        return Transcript(
            conversation_id=conversation_id,
            conversation=conversation,
            messages=records.read_messages(newest_first[::-1], first=0, following=None, ended=True),
        )

    def get_run_details(
        self, conversation_id: str, message_id: str
    ) -> HTTPFlow[tuple[RunStep, ...]]:
        fields = self._chat(conversation_id) | {"dataId": _data_id(message_id)}
        return records.read_run_steps((yield from self._service.ask(RUN_DETAILS, fields)))

    def suggest_questions(self, conversation_id: str) -> HTTPFlow[tuple[str, ...]]:
        chat = self._chat(conversation_id)
        recent = yield from self.list_messages(
            conversation_id, Listing(limit=RECENT, order="newest_first")
        )
        return (yield from suggest(self._service, chat, recent.items[::-1]))

    def check(self) -> HTTPFlow[Health]:
        window = yield from self._histories().page(None, 1)
        new_paths = self._service.has_new_paths()
        if new_paths:
            with suppress(NotFoundError):  # what counts is whether the endpoint is there
                yield from self._status("convostore")
        scope = " of all users" if self.options.owner else ""
        return Health(
            generation=records.generation(
                new_paths=new_paths, has_status=not self._service.lacks(STATUS)
            ),
            detail=f"{window.total} conversations{scope}",
        )

    # Writing

    def update_conversation(
        self, conversation_id: str, change: ConversationChange
    ) -> HTTPFlow[None]:
        chat, fields = self._chat(conversation_id), dict[str, JSON]()
        if change.title is not UNSET:
            fields["customTitle"] = change.title or ""
        if change.pinned is not UNSET:
            fields["top"] = change.pinned
        if fields:  # even an empty change would move the conversation to the top
            yield from self._service.ask(UPDATE, chat | fields)

    def delete_conversation(self, conversation_id: str) -> HTTPFlow[None]:
        yield from self._delete(DELETE, self._chat(conversation_id))

    def clear_conversations(self) -> HTTPFlow[None]:
        """Delete all conversations that the store lists, one by one where it must.

        With the source ``api``, one request deletes those that any key of the app made. For other
        sources and for one user's conversations the service has no such request, and before 4.8.15
        it accepted no key for it.
        """
        if self._clears_by_one_request:
            try:
                yield from self._service.ask(CLEAR, {})
                return
            except UnavailableError as error:
                if error.detail != "Param are error":
                    raise
        yield from self._delete_each()

    def _delete_each(self) -> HTTPFlow[None]:
        histories = self._own_histories()
        ids = dict.fromkeys(map(histories.key, (yield from histories.whole())))
        yield from together([self.delete_conversation(chat_id) for chat_id in ids if chat_id])

    def delete_message(self, conversation_id: str, message_id: str) -> HTTPFlow[bool | None]:
        fields = self._chat(conversation_id) | {"contentId": _data_id(message_id)}
        yield from self._delete(DELETE_RECORD, fields)
        return None  # a record that is not there is deleted just as well

    def _delete(self, endpoint: Endpoint, fields: dict[str, JSON]) -> HTTPFlow[None]:
        """Delete; an absent app does not count as done, as an absent conversation does."""
        try:
            yield from self._service.ask(endpoint, fields)
        except AbsentAppError as error:
            raise InvalidError(str(error), detail=error.detail) from None

    def set_feedback(
        self, conversation_id: str, message_id: str, feedback: Feedback | None
    ) -> HTTPFlow[None]:
        fields = self._chat(conversation_id) | {"dataId": _data_id(message_id)}
        yield from self._service.ask(FEEDBACK, fields | records.feedback_fields(feedback))

    # Making conversation

    @cached_property
    def _replies(self) -> Replies:
        from .replies.send import Replies  # loads what only replies need

        options = self.options
        return Replies(
            self._service,
            self.list_messages,
            self._newest,
            self._chat,
            self.new_turn_id,
            user=options.user,
            patience=options.timeout,
        )

    def stream_reply(self, turn: Turn) -> HTTPFlow[Stream[Request, Response]]:
        return self._replies.stream_reply(turn)

    def reply(self, turn: Turn) -> HTTPFlow[Reply]:
        return self._replies.reply(turn)

    def stream_answer(self, answer: Answer) -> HTTPFlow[Stream[Request, Response]]:
        return self._replies.stream_answer(answer)

    def answer(self, answer: Answer) -> HTTPFlow[Reply]:
        return self._replies.answer(answer)

    def get_reply(self, conversation_id: str, turn_id: str) -> HTTPFlow[Reply]:
        return self._replies.get_reply(conversation_id, turn_id)

    # What the operations share

    def new_conversation_id(self) -> str:
        owner: str = self.options.owner
        return owner + super().new_conversation_id()

    def _chat(self, conversation_id: str) -> dict[str, JSON]:
        """Return the field that names a conversation in a request.

        Raises:
            NotFoundError: It is not one of the user's.
        """
        owner = self.options.owner
        if not conversation_id.startswith(owner):
            raise _absent(conversation_id, f" of this user: the ids of theirs begin with {owner!r}")
        return {"chatId": conversation_id}

    def _histories(self, filters: dict[str, JSON] | None = None, *, owner: str = "") -> Histories:
        source = self.options.source
        by_source = {} if self._shared or source == "all" else {"source": source}
        return Histories(self._service, by_source | (filters or {}), owner)

    def _own_histories(self) -> Histories:
        return self._histories(owner=self.options.owner)

    def _records(self, conversation_id: str, order: Order) -> Records:
        filters = {"type": "outLink"} if self._shared else {}
        return Records(self._service, self._chat(conversation_id) | filters, order)

    def _newest(self, conversation_id: str) -> HTTPFlow[tuple[Message, ...]]:
        """Return the newest message; nothing for a conversation that does not exist."""
        window = yield from self._records(conversation_id, "newest_first").page(None, 1)
        return _messages(window, backwards=True)

    def _find(
        self, histories: Histories, conversation_id: str, pages: int | None = None
    ) -> HTTPFlow[Conversation | None]:
        cursor: str | None = None
        while pages is None or pages > 0:
            window = yield from histories.page(cursor, PAGE)
            for row in window.rows:
                if histories.key(row) == conversation_id:
                    return records.read_conversations([row])[0]
            if window.end is None:
                return None
            cursor = str(window.end)
            pages = pages and pages - 1
        return None

    def _status(self, conversation_id: str) -> HTTPFlow[dict[str, Any] | None]:
        """Return a conversation's status row, or None where the server has no such endpoint.

        Raises:
            NotFoundError: The server lists no such conversation.
        """
        try:
            data = yield from self._service.ask(STATUS, {"chatIds": [conversation_id]})
        except ProtocolError:
            if self._service.lacks(STATUS):
                return None
            raise
        rows, _ = records.list_of(data)
        for row in rows:
            if isinstance(row, dict) and row.get("chatId") == conversation_id:
                return row
        raise _absent(conversation_id)

    def _require_existing(self, conversation_id: str) -> HTTPFlow[None]:
        if not self._service.lacks(STATUS):
            status = yield from self._status(conversation_id)
            if status is not None:
                return
        yield from self.get_conversation(conversation_id)


def _messages(window: Window, *, backwards: bool) -> tuple[Message, ...]:
    """Parse the messages of a window of records, in the window's order."""
    rows, first = window.rows, window.start
    if not backwards:
        return records.read_messages(
            rows, first=first, following=window.after, ended=window.end is None
        )
    oldest = window.total - first - len(rows)
    return records.read_messages(
        rows[::-1], first=oldest, following=window.before, ended=first == 0
    )[::-1]


def _updated_at(time: JSON) -> dict[str, JSON]:
    """Return the filter for conversations that were last written to at this time."""
    return {"startUpdateTime": time, "endUpdateTime": time} if isinstance(time, str) else {}


def _data_id(message_id: str) -> str:
    data_id = records.data_id_of(message_id)
    if data_id is None:
        raise NotFoundError(
            f"there is no message {message_id!r}: ids of this service are <_id>.<dataId>"
        )
    return data_id


def _absent(conversation_id: str, where: str = "") -> NotFoundError:
    return NotFoundError(f"there is no conversation {conversation_id!r}{where}")
