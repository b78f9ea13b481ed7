"""The adapter of `gateway+http(s)://`: each operation as a request of the native API.

The JSON is parsed by `schema`, the errors by `problems`. Importing this imports no server.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, ClassVar, Final, cast, get_args

from convostore.adapters import AdapterOptions, Operation, Traits
from convostore.dsn import DSN
from convostore.errors import InvalidError, StoreError, UnsupportedError
from convostore.http import HTTPAdapter, HTTPFlow, Request, Response, path, status_error
from convostore.models import (
    AnyTip,
    Conversation,
    ConversationChange,
    ConversationFilter,
    Feedback,
    FilePart,
    Health,
    Listing,
    Message,
    NewConversation,
    Order,
    Page,
    RunStep,
    TextPart,
)

from .. import schema
from .errors import error_in, foreign_answer, problem_in
from .options import GatewayOptions, GatewayReplyOptions, plain_options, reply_options
from .requests import (
    execute,
    is_event_stream,
    open_stream,
    owner_query,
    page_query,
    query,
    read_items,
    read_page,
    read_value,
    wants_events,
    with_body,
)

if TYPE_CHECKING:
    from convostore.adapters import Answer, Stream, Turn
    from convostore.models import Reply
    from convostore.search import Hit, Search

_CONVERSATIONS: Final = "/v1/conversations"
_CONVERSATION: Final = "/v1/conversations/{}"
_FORK: Final = "/v1/conversations/{}/fork"
_MESSAGES: Final = "/v1/conversations/{}/messages"
_MESSAGE: Final = "/v1/conversations/{}/messages/{}"
_POP: Final = "/v1/conversations/{}/pop"
_FEEDBACK: Final = "/v1/conversations/{}/messages/{}/feedback"
_RUN_DETAILS: Final = "/v1/conversations/{}/messages/{}/run-details"
_SUGGESTIONS: Final = "/v1/conversations/{}/suggested-questions"
_REPLY: Final = "/v1/conversations/{}/replies/{}"
_RESUME: Final = "/v1/conversations/{}/replies/{}/resume"

_STREAMING: Final = {
    Operation.REPLY: Operation.STREAM_REPLY,
    Operation.ANSWER: Operation.STREAM_ANSWER,
}
"""Operations that are requested as streams: a broken stream leaves what has arrived."""


class GatewayAdapter(HTTPAdapter):
    """An adapter of the store behind a gateway; `check` learns which operations that store offers.

    Before that it offers everything and promises nothing. An operation that the gateway answers as
    unsupported is no longer offered.
    """

    name: ClassVar[str] = "gateway"
    Options: ClassVar[type[AdapterOptions]] = GatewayOptions
    ReplyOptions: ClassVar[type[AdapterOptions]] = GatewayReplyOptions
    traits = Traits(
        # What a store may lack, it may have: it is asked, and refuses.
        starts=frozenset({"conversations", "messages"}),
        orders=frozenset(get_args(Order)),
        filters=frozenset({"owner"}),
        changes=frozenset({"title", "pinned", "owner", "metadata"}),
        updated_at="any",
        deletes="may_delete_turn",
        clears="may_clear_others",
        reports_absent=False,
        deleted_readable=True,
    )
    learns_traits = True
    _is_first_version = False

    def __init__(self, dsn: DSN, options: GatewayOptions) -> None:
        super().__init__(dsn, options)
        self.base_url = self.base_url.removesuffix("/v1")

    @property
    def label(self) -> str:
        """The gateway's address; a user name in it distinguishes what different tokens reach."""
        return super().label.rstrip("/").removesuffix("/v1")

    def authorization(self) -> str | None:
        token = self.options.token
        return f"Bearer {token.get_secret_value()}" if token else super().authorization()

    def failure(self, request: Request, response: Response) -> StoreError | None:
        """Return the error of an answer; an operation that is unsupported is no longer offered."""
        problem = problem_in(response)
        error = error_in(problem)
        if error is not None:
            if isinstance(error, InvalidError) and response.status in {404, 405}:
                return _lacks_endpoint(request)
            if isinstance(error, UnsupportedError):
                self._offer(self.offers - {str(problem.get("operation"))})
            if response.status == 401:
                problem, _, _ = str(error).partition(": ")  # then follows what others do
                error.args = (f"{problem}: pass token=…, or set CONVOSTORE_GATEWAY_TOKEN",)
            return error
        lacks_stream = wants_events(request) and not is_event_stream(response)
        if response.status == 404 or (response.status < 300 and lacks_stream):
            return foreign_answer(request, response)
        return status_error(request, response)

    def _offer(self, operations: AbstractSet[str]) -> None:
        without = {whole for whole, stream in _STREAMING.items() if stream not in operations}
        self.offers = frozenset(
            [name for name in type(self).offers if name in operations - without]
        )

    # Reading

    def check(self) -> HTTPFlow[Health]:
        """Check that the served store answers, and learn what it is and can do."""
        info: schema.Info = yield from read_value(schema.Info, Request("GET", "/v1"))
        self._learn(info)
        health: Health = yield from read_value(Health, Request("GET", "/v1/check"))
        return health

    def _learn(self, info: schema.Info) -> None:
        self.learns_traits = False
        self._offer(info.operations)
        self._is_first_version = info.is_first_version
        self.traits = info.known_traits
        self.ReplyOptions = reply_options(frozenset(info.reply_options))  # type: ignore[misc]  # this store's

    def list_conversations(self, listing: Listing) -> HTTPFlow[Page[Conversation]]:
        order = "oldest_first" if listing.reverse else None
        pairs = (
            *page_query(listing),
            *query(order=order, older_than=listing.older_than),
            *owner_query(listing.owner),
        )
        return read_page(Conversation, Request("GET", _CONVERSATIONS, query=pairs))

    def get_conversation(self, conversation_id: str) -> HTTPFlow[Conversation]:
        return read_value(Conversation, Request("GET", path(_CONVERSATION, conversation_id)))

    def list_messages(self, conversation_id: str, listing: Listing) -> HTTPFlow[Page[Message]]:
        pairs = page_query(listing) + query(order=listing.order)
        return read_page(Message, Request("GET", path(_MESSAGES, conversation_id), query=pairs))

    def get_message(self, conversation_id: str, message_id: str) -> HTTPFlow[Message]:
        return read_value(Message, Request("GET", path(_MESSAGE, conversation_id, message_id)))

    def search(self, search: Search, listing: Listing) -> HTTPFlow[Page[Hit]]:
        from convostore.search import Hit

        pairs = page_query(listing) + query(
            q=search.text,
            conversation_id=search.conversation_id,
            role=search.role,
            since=search.since,
            until=search.until,
        )
        pairs += owner_query(search.owner)
        return read_page(Hit, Request("GET", "/v1/search", query=pairs))

    def get_run_details(
        self, conversation_id: str, message_id: str
    ) -> HTTPFlow[tuple[RunStep, ...]]:
        return read_items(RunStep, Request("GET", path(_RUN_DETAILS, conversation_id, message_id)))

    def suggest_questions(self, conversation_id: str) -> HTTPFlow[tuple[str, ...]]:
        return read_items(str, Request("GET", path(_SUGGESTIONS, conversation_id), patient=True))

    # Writing

    def create_conversation(self, new: NewConversation) -> HTTPFlow[Conversation]:
        body = schema.CreateBody.model_construct(
            id=new.id,
            title=new.title,
            created_at=new.created_at,
            origin=new.origin,
            owner=new.owner,
            metadata=new.metadata,
        )
        return read_value(Conversation, with_body("POST", _CONVERSATIONS, body))

    def put_conversation(self, conversation: Conversation) -> HTTPFlow[None]:
        sent = conversation.trusted_copy(revision=None)
        if self._is_first_version and sent.origin is not None:
            origin = sent.origin.trusted_copy(revision=None, metadata_keys=())
            sent = sent.trusted_copy(origin=origin)
        return execute(with_body("PUT", path(_CONVERSATION, conversation.id), sent))

    def fork_conversation(
        self,
        conversation_id: str,
        message_id: str,
        new_id: str | None,
        change: ConversationChange,
    ) -> HTTPFlow[Conversation]:
        body = schema.ForkBody.model_construct(
            message_id=message_id, new_id=new_id, **change.fields()
        )
        return read_value(Conversation, with_body("POST", path(_FORK, conversation_id), body))

    def append_messages(
        self, conversation_id: str, messages: Sequence[Message], after: str | AnyTip | None
    ) -> HTTPFlow[tuple[Message, ...]]:
        body = schema.AppendBody.model_construct(messages=_sent(messages), after=after)
        return read_items(Message, with_body("POST", path(_MESSAGES, conversation_id), body))

    def replace_messages(
        self,
        conversation_id: str,
        messages: Sequence[Message],
        after: str | None,
        tip: str | AnyTip | None,
    ) -> HTTPFlow[tuple[Message, ...]]:
        body = schema.ReplaceBody.model_construct(messages=_sent(messages), after=after, tip=tip)
        return read_items(Message, with_body("PUT", path(_MESSAGES, conversation_id), body))

    def update_message(
        self, conversation_id: str, message: Message, was: Message | AnyTip
    ) -> HTTPFlow[Message]:
        (sent,) = _sent([message])
        body = schema.EditBody.model_construct(message=sent, was=was)
        return read_value(
            Message, with_body("PUT", path(_MESSAGE, conversation_id, message.id), body)
        )

    def update_conversation(
        self, conversation_id: str, change: ConversationChange
    ) -> HTTPFlow[None]:
        body = schema.UpdateBody.model_construct(**change.fields())
        return execute(with_body("PATCH", path(_CONVERSATION, conversation_id), body))

    def delete_conversation(self, conversation_id: str) -> HTTPFlow[None]:
        return execute(Request("DELETE", path(_CONVERSATION, conversation_id)))

    def delete_conversations(self, which: ConversationFilter) -> HTTPFlow[int]:
        pairs = query(older_than=which.older_than) + owner_query(which.owner)
        response = yield Request("DELETE", _CONVERSATIONS, query=pairs)
        return response.read(lambda body: int(body["deleted"]))

    def clear_conversations(self) -> HTTPFlow[None]:
        return execute(Request("POST", "/v1/clear"))

    def delete_message(self, conversation_id: str, message_id: str) -> HTTPFlow[bool | None]:
        response = yield Request("DELETE", path(_MESSAGE, conversation_id, message_id))
        if response.status == 204:  # 0.1 does not say
            return None
        deleted: schema.Deleted = schema.read(schema.Deleted, response.json())
        return deleted.deleted

    def pop_message(self, conversation_id: str, tip: str | AnyTip) -> HTTPFlow[Message | None]:
        body = schema.PopBody.model_construct(tip=tip)
        popped: schema.Popped = yield from read_value(
            schema.Popped, with_body("POST", path(_POP, conversation_id), body)
        )
        return popped.message

    def set_feedback(
        self, conversation_id: str, message_id: str, feedback: Feedback | None
    ) -> HTTPFlow[None]:
        where = path(_FEEDBACK, conversation_id, message_id)
        if feedback is None:
            return execute(Request("PUT", where))
        return execute(with_body("PUT", where, feedback))

    # Replies

    def stream_reply(self, turn: Turn) -> HTTPFlow[Stream[Request, Response]]:
        body = schema.ReplyBody.model_construct(
            conversation_id=turn.conversation_id,
            content=cast(
                "tuple[TextPart | FilePart, ...]", turn.content
            ),  # the store has validated it
            turn_id=turn.turn_id,
            owner=turn.owner,
            metadata=turn.metadata,
            options=plain_options(turn.options),
        )
        return open_stream("/v1/replies", body, turn.turn_id)

    def stream_answer(self, answer: Answer) -> HTTPFlow[Stream[Request, Response]]:
        body = schema.AnswerBody.model_construct(
            conversation_id=answer.conversation_id,
            answer=answer.answer if isinstance(answer.answer, str) else dict(answer.answer),
            options=plain_options(answer.options),
        )
        return open_stream("/v1/answers", body, None)

    def get_reply(self, conversation_id: str, turn_id: str) -> HTTPFlow[Reply]:
        from convostore.models import Reply

        return read_value(Reply, Request("GET", path(_REPLY, conversation_id, turn_id)))

    def resume_reply(
        self, conversation_id: str, turn_id: str
    ) -> HTTPFlow[Stream[Request, Response] | Reply]:
        return open_stream(path(_RESUME, conversation_id, turn_id), None, turn_id)


def _sent(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return messages without what the gateway's store notes itself, and an older one refuses."""
    return tuple([message.trusted_copy(stored_at=None) for message in messages])


def _lacks_endpoint(request: Request) -> StoreError:
    return UnsupportedError(
        f"this gateway has no {request.method} {request.path}: it is older than this client: "
        "upgrade it"
    )
