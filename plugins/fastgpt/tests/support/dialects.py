"""Requests asked of the dialect over a store in memory, and their answers."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

import convostore
from convostore.adapters import Traits, paginate
from convostore.adapters.memory import MemoryAdapter
from convostore.config import open_adapter
from convostore.dialects import IncomingRequest, StreamedResponse, run_dialect
from convostore.errors import StoreError
from convostore.flow import Flow
from convostore.http import Response
from convostore.models import Conversation, Listing, Message, Page
from convostore.store import AsyncConversationStore
from convostore.testing.samples import START, text_message
from convostore_fastgpt.server.dialect import FastGPTDialect

APP = "65f000000000000000000010"
CHAT = "/api/core/chat/"
V1 = "/api/v1/chat/completions"
V2 = "/api/v2/chat/completions"


class Uncounted(MemoryAdapter):
    """A store that does not tell how much it holds."""

    name: ClassVar[str] = "uncounted"

    def list_conversations(self, listing: Listing) -> Flow[Any, Any, Page[Conversation]]:
        return _uncounted(super().list_conversations(listing))

    def list_messages(
        self, conversation_id: str, listing: Listing
    ) -> Flow[Any, Any, Page[Message]]:
        return _uncounted(super().list_messages(conversation_id, listing))


def _uncounted(flow: Flow[Any, Any, Page[Any]]) -> Flow[Any, Any, Page[Any]]:
    page = yield from flow
    return Page(items=page.items, cursor=page.cursor)


class ById(MemoryAdapter):
    """A store that keeps an order of its own, by the ids."""

    name: ClassVar[str] = "byid"
    traits = Traits(order="backend", updated_at="content")

    def list_conversations(self, listing: Listing) -> Flow[Any, Any, Page[Conversation]]:
        whole = yield from super().list_conversations(Listing())
        rows = sorted(whole.items, key=lambda each: each.id)
        return paginate(rows, listing, key=lambda each: each.id)


class Served:
    """A store, and what the dialect answers out of it.

    Args:
        scheme: Of the adapter: ``memory``, or ``echo`` for one that answers.
        kind: A class of adapters in memory, in the place of that.
    """

    def __init__(self, scheme: str = "memory", kind: type[MemoryAdapter] | None = None) -> None:
        self.target = f"{scheme}://{uuid.uuid4().hex}"
        self._kind = kind
        self.dialect = FastGPTDialect()
        self.store = convostore.open(self.target)  # keeps what is in it

    def _aopen(self) -> AsyncConversationStore:
        if self._kind is None:
            return convostore.aopen(self.target)
        known = open_adapter(self.target)
        adapter = self._kind(known.dsn, known.options)
        return AsyncConversationStore(adapter, adapter.async_transport())

    def fill(self, chat_id: str, messages: Sequence[Message], **fields: Any) -> None:
        conversation = Conversation(id=chat_id, **fields)
        self.store.put_conversation(conversation)
        self.store.append_messages(chat_id, messages)
        self.store.put_conversation(conversation)

    def said(self, chat_id: str, count: int) -> None:
        """Fill a conversation with questions and answers in turn: m00000, m00001 and so on."""
        roles = ("user", "assistant")
        self.fill(
            chat_id,
            [text_message(f"text {number}", roles[number % 2], number) for number in range(count)],
            updated_at=START,
        )

    def several(self, count: int) -> None:
        """Make conversations c0, c1 and so on, each active a second later than the one before."""
        for number in range(count):
            time = START + timedelta(seconds=number)
            self.fill(f"c{number}", [], title=f"title {number}", updated_at=time)

    def answer(self, request: IncomingRequest) -> Response:
        async def carried_out() -> Response:
            async with self._aopen() as store:
                try:
                    response = await run_dialect(self.dialect, request, store)
                    if isinstance(response, StreamedResponse):
                        return await _whole(response, store)
                except StoreError as error:
                    return self.dialect.failed(request, error)
                return response

        return asyncio.run(carried_out())

    def ask(self, path: str, body: Any = None, **query: str) -> Response:
        return self.answer(request_of(path, body, **query))

    def data(self, path: str, body: Any = None, **query: str) -> Any:
        """Return the data of a successful answer; the app is added if it is not named."""
        if body is None:
            query = {"appId": APP} | query
        else:
            body = {"appId": APP} | body
        response = self.ask(CHAT + path, body, **query)
        whole = json.loads(response.content)
        assert (response.status, whole["code"]) == (200, 200), whole
        return whole["data"]

    def complete(self, text: Any, path: str = V1, **fields: Any) -> Any:
        response = self.ask(path, {"messages": [user(text)]} | fields)
        assert response.status == 200, response.content
        return json.loads(response.content)


async def _whole(response: StreamedResponse, store: AsyncConversationStore) -> Response:
    content = b""
    async with response.begin(store) as stream:
        try:
            async for event in stream:
                content += response.encoder.feed(event)
        except StoreError as error:
            content += response.encoder.failed(error)
    return Response(response.status, response.headers, content)


def request_of(
    path: str, body: Any = None, headers: dict[str, str] | None = None, **query: str
) -> IncomingRequest:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return IncomingRequest(
        method="GET" if body is None else "POST",
        path=path,
        query=tuple(query.items()),
        headers=headers or {},
        content=b"" if body is None else content,
    )


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def refusal(response: Response) -> tuple[int, int, str]:
    """Return the HTTP status, the code and the message of a refusal."""
    body = json.loads(response.content)
    return response.status, body["code"], body["message"]
