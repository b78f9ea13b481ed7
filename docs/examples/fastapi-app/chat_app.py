"""A chat backend on a convostore store: history, users, streamed answers, search, forks."""

import asyncio
import json
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Body, Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict

import convostore as cs
from convostore_openai import aopen_answered

T = TypeVar("T")
SHOWN = (cs.TextDelta, cs.ReasoningDelta, cs.PartsReplaced, cs.SourcesFound, cs.StatusChanged)
STATUS: dict[type[cs.StoreError], int] = {
    cs.NotFoundError: 404,
    cs.ConflictError: 409,
    cs.InvalidError: 422,
}
logger = logging.getLogger("chat_app")


class Shown(BaseModel):
    """A value as browsers get it: never with `raw`, `origin` or another field of the store."""

    model_config = ConfigDict(from_attributes=True)


class ShownPage(Shown, Generic[T]):
    items: list[T]
    cursor: str | None


class ShownConversation(Shown):
    id: str
    title: str | None
    pinned: bool
    last_active_at: datetime | None


class ShownSource(Shown):
    title: str | None
    url: str | None
    mark: str | None


class ShownMessage(Shown):
    id: str
    role: str
    text: str
    status: str | None
    created_at: datetime | None
    sources: list[ShownSource]


class ShownHit(Shown):
    conversation: ShownConversation
    message: ShownMessage | None
    snippet: cs.Snippet


class Question(BaseModel):
    text: str
    conversation_id: str | None = None


class ASCIIResponse(JSONResponse):
    def render(self, content: object) -> bytes:
        return json.dumps(content).encode()  # UTF-8 cannot hold half a character


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    app.state.answers = set[asyncio.Task[None]]()
    app.state.users = json.loads(os.environ["CHAT_USERS"])
    async with open_store() as app.state.store:
        app.state.store.require("stream_reply", "search", "fork_conversation")
        yield
        await asyncio.gather(*app.state.answers)


def open_store() -> cs.AsyncConversationStore:
    target = os.environ.get("CHAT_STORE", "echo://chat")
    if model_url := os.environ.get("CHAT_MODEL_URL"):
        key, model = os.environ.get("CHAT_MODEL_KEY"), os.environ.get("CHAT_MODEL")
        return aopen_answered(target, model_url, api_key=key, model=model)
    return cs.aopen(target)


app = FastAPI(title="Chat", lifespan=lifespan, default_response_class=ASCIIResponse)
Token = Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]


async def signed_in_user(request: Request, token: Token) -> str:
    """Return the id of the user, which must never change. Put your own sign-in here."""
    user: str | None = request.app.state.users.get(sha256(token.credentials.encode()).hexdigest())
    if user is None:
        raise HTTPException(401, "unknown token")
    return user


User = Annotated[str, Depends(signed_in_user)]


async def history_of(request: Request, user: User) -> cs.AsyncConversationStore:
    """Return the store in the user's namespace, from which no other user's can be reached."""
    store: cs.AsyncConversationStore = request.app.state.store
    return store.with_namespace(user)


History = Annotated[cs.AsyncConversationStore, Depends(history_of)]
Limit = Annotated[int, Query(ge=1, le=200)]


@app.get("/conversations", response_model=ShownPage[ShownConversation])
async def list_conversations(
    history: History, limit: Limit = 50, cursor: str | None = None
) -> cs.Page[cs.Conversation]:
    return await history.list_conversations(limit=limit, cursor=cursor)


@app.get("/conversations/{conversation_id}/messages", response_model=ShownPage[ShownMessage])
async def list_messages(
    conversation_id: str, history: History, limit: Limit = 50, cursor: str | None = None
) -> cs.Page[cs.Message]:
    return await history.list_messages(conversation_id, limit=limit, cursor=cursor)


@app.get("/search", response_model=ShownPage[ShownHit])
async def search(q: str, history: History, cursor: str | None = None) -> cs.Page[cs.Hit]:
    return await history.search(q, cursor=cursor)


@app.post("/conversations/{conversation_id}/fork", response_model=ShownConversation)
async def fork(
    conversation_id: str, message_id: Annotated[str, Body(embed=True)], history: History
) -> cs.Conversation:
    return await history.fork_conversation(conversation_id, message_id)


@app.delete("/conversations/{conversation_id}", status_code=204)
async def delete_conversation(conversation_id: str, history: History) -> None:
    await history.delete_conversation(conversation_id)


@app.delete("/conversations", status_code=204)
async def delete_my_data(history: History) -> None:
    await history.clear_conversations()


async def turn_of(question: Question, history: History) -> cs.AsyncReplyStream:
    if not question.text.strip():
        raise HTTPException(422, "the question is empty")
    if question.conversation_id is not None:  # a turn would create a missing conversation
        await history.get_conversation(question.conversation_id)
    return history.stream_reply(question.conversation_id, question.text)


@app.post("/messages", response_class=EventSourceResponse)
async def ask(
    request: Request, turn: Annotated[cs.AsyncReplyStream, Depends(turn_of)]
) -> AsyncIterator[ServerSentEvent]:
    events = asyncio.Queue[ServerSentEvent | None]()
    answer = asyncio.create_task(read(turn, events))  # continues if the browser leaves
    request.app.state.answers.add(answer)
    answer.add_done_callback(request.app.state.answers.discard)
    while (event := await events.get()) is not None:
        yield event


async def read(turn: cs.AsyncReplyStream, events: asyncio.Queue[ServerSentEvent | None]) -> None:
    def emit(name: str, data: dict[str, Any]) -> None:
        events.put_nowait(ServerSentEvent(event=name, data=data))

    emit("started", {"conversation_id": turn.conversation_id, "turn_id": turn.turn_id})
    try:
        async with turn:
            async for event in turn:
                if isinstance(event, SHOWN):
                    emit(event.kind, event.portable())
        emit("finished", {"message_id": turn.reply.message.id})
    except cs.StoreError as error:
        logger.warning("the turn %s failed: %s", turn.turn_id, error)
        emit("failed", {"error": type(error).__name__})
    finally:
        events.put_nowait(None)


@app.get("/conversations/{conversation_id}/replies/{turn_id}", response_model=ShownMessage)
async def get_reply(conversation_id: str, turn_id: str, history: History) -> cs.Message:
    return (await history.get_reply(conversation_id, turn_id)).message


@app.exception_handler(cs.StoreError)
async def refuse(request: Request, error: cs.StoreError) -> JSONResponse:
    logger.info("%s %s: %s", request.method, request.url.path, error)
    return JSONResponse({"error": type(error).__name__}, STATUS.get(type(error), 502))
