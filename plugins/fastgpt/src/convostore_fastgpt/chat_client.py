"""The client of FastGPT's published Python document: its methods, and the raw responses they give.

For programs that were written from that document. Names, parameters and defaults are the document's
and stay as they are; what is sent, the store sends as well. Nothing is read into an answer here,
but whether its path was there.
"""
# ruff: noqa: N803  # the document's names

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping, Sequence
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeVar
from urllib.parse import urlsplit

from convostore.errors import ConfigError
from convostore.flow import Flow, arun, run
from convostore.http import AsyncRawHTTPClient, RawHTTPClient, RawResponse, Request, Response
from convostore.models import JSON

from .api.endpoints import (
    CLEAR,
    COMPLETIONS,
    DELETE,
    DELETE_RECORD,
    FEEDBACK,
    HISTORIES,
    INIT,
    RECORDS,
    RUN_DETAILS,
    SUGGESTIONS,
    UPDATE,
    Endpoint,
    Generations,
    root_of,
)
from .api.envelope import AbsentPathError, is_absent_path
from .options import ClientOptions
from .replies.requests import body, given

R = TypeVar("R")


class _Methods(ABC, Generic[R]):
    """What the document describes, for both faces; `R` is what a call gives.

    Each call asks the paths of the server's generation, which its first answers tell.
    """

    def __init__(self, api_key: str, base_url: str, **options: object) -> None:
        """Opens no connection yet.

        Args:
            api_key: An app's key, or another that the server takes.
            base_url: The server's address, which may end in ``/api`` or ``/api/v1``.
            **options: `timeout`, `reply_timeout`, `headers`, `verify` and `proxy`, as of every
                HTTP adapter. Nothing is ever repeated.

        Raises:
            ConfigError: One of them is wrong.
        """
        self._base_url = _checked_address(base_url)
        self._options = ClientOptions.checked(api_key, options)
        self._generations = Generations()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._base_url}>"

    @property
    def _authorization(self) -> str:
        return f"Bearer {self._options.api_key.get_secret_value()}"

    @abstractmethod
    def _ask(self, endpoint: Endpoint, fields: Mapping[str, JSON], *, stream: bool = False) -> R:
        """Asks by the path that the server has; where it has none, gives what it said to that."""

    def create_chat_completion(
        self,
        messages: Sequence[Mapping[str, Any]],
        stream: bool = False,
        chatId: str | None = None,
        detail: bool = False,
        variables: Mapping[str, Any] | None = None,
        responseChatItemId: str | None = None,
    ) -> R:
        """Sends messages to the key's app; POST /api/v1/chat/completions.

        Args:
            messages: As in OpenAI's API; with a `chatId` the last one counts, and the conversation
                is looked up over there.
            stream: Whether the answer comes as events; the response is then still to be read, and
                to be closed.
            chatId: The conversation; without one the service begins one.
            detail: Whether the answer tells of the run, and of questions that a flow asks.
            variables: The app's variables.
            responseChatItemId: The `dataId` that the answer is stored with.
        """
        fields = body(
            messages,
            stream=stream,
            detail=detail,
            chat_id=chatId,
            turn_id=responseChatItemId,
            variables=variables,
        )
        return self._ask(COMPLETIONS, fields, stream=stream)

    def get_chat_histories(
        self,
        appId: str,
        offset: int = 0,
        pageSize: int = 20,
        source: Literal["api", "online", "share", "test"] = "api",
    ) -> R:
        """Lists conversations; getHistories."""
        return self._ask(
            HISTORIES, given(appId=appId, offset=offset, pageSize=pageSize, source=source)
        )

    def get_chat_init(self, appId: str, chatId: str) -> R:
        """Tells of a conversation and its app, and marks it as read; init."""
        return self._ask(INIT, given(appId=appId, chatId=chatId))

    def get_chat_records(
        self,
        appId: str,
        chatId: str,
        offset: int = 0,
        pageSize: int = 10,
        loadCustomFeedbacks: bool = False,
    ) -> R:
        """Lists a conversation's records, counted from the newest; getPaginationRecords."""
        fields = given(
            appId=appId,
            chatId=chatId,
            offset=offset,
            pageSize=pageSize,
            loadCustomFeedbacks=loadCustomFeedbacks,
        )
        return self._ask(RECORDS, fields)

    def get_record_detail(self, appId: str, chatId: str, dataId: str) -> R:
        """Tells what the run did that made an answer; getResData."""
        return self._ask(RUN_DETAILS, given(appId=appId, chatId=chatId, dataId=dataId))

    def update_chat_history(
        self, appId: str, chatId: str, customTitle: str | None = None, top: bool | None = None
    ) -> R:
        """Renames a conversation, or pins it; updateHistory."""
        return self._ask(
            UPDATE, given(appId=appId, chatId=chatId, customTitle=customTitle, top=top)
        )

    def delete_chat_history(self, appId: str, chatId: str) -> R:
        """Deletes a conversation; delHistory."""
        return self._ask(DELETE, given(appId=appId, chatId=chatId))

    def clear_chat_histories(self, appId: str) -> R:
        """Deletes what *every* key made of the app's conversations; clearHistories."""
        return self._ask(CLEAR, given(appId=appId))

    def delete_chat_record(self, appId: str, chatId: str, contentId: str) -> R:
        """Deletes a record, from 4.15 on with the other half of its turn; record/delete."""
        return self._ask(DELETE_RECORD, given(appId=appId, chatId=chatId, contentId=contentId))

    def send_feedback(
        self,
        appId: str,
        chatId: str,
        dataId: str,
        userGoodFeedback: str | None = None,
        userBadFeedback: str | None = None,
    ) -> R:
        """Sets what the user thought of an answer; updateUserFeedback.

        A call replaces both feedbacks: one that is None is taken back.
        """
        fields = given(
            appId=appId,
            chatId=chatId,
            dataId=dataId,
            userGoodFeedback=userGoodFeedback,
            userBadFeedback=userBadFeedback,
        )
        return self._ask(FEEDBACK, fields)

    def get_suggested_questions(
        self, appId: str, chatId: str, questionGuide: Mapping[str, Any] | None = None
    ) -> R:
        """Asks a model for the questions that come next; v2/createQuestionGuide.

        Args:
            appId: The app.
            chatId: The conversation.
            questionGuide: ``{"open": …, "model": …, "customPrompt": …}`` in place of the app's own.
        """
        return self._ask(
            SUGGESTIONS, given(appId=appId, chatId=chatId, questionGuide=questionGuide)
        )


class ChatClient(_Methods[RawResponse]):
    """FastGPT's chat API as its document for Python shows it; threads may share it.

    Each method returns an `httpx.Response`, whatever its status; where none came, httpx raises its
    own errors. A path that the server does not have is tried under its older name.
    """

    def __init__(self, api_key: str, base_url: str, **options: object) -> None:
        super().__init__(api_key, base_url, **options)
        self._http = RawHTTPClient(self._base_url, self._options, self._authorization)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes connections; calling it twice is fine."""
        self._http.close()

    def _ask(
        self, endpoint: Endpoint, fields: Mapping[str, JSON], *, stream: bool = False
    ) -> RawResponse:
        def send(request: Request) -> RawResponse:
            return _present(self._http.send(request, stream=stream))

        asking: Flow[Request, RawResponse, RawResponse] = self._generations.ask(endpoint, fields)
        try:
            return run(asking, send)
        except _AbsentError as absent:
            return absent.answer


class AsyncChatClient(_Methods[Coroutine[Any, Any, RawResponse]]):
    """As `ChatClient`, for an event loop: each method is awaited."""

    def __init__(self, api_key: str, base_url: str, **options: object) -> None:
        super().__init__(api_key, base_url, **options)
        self._http = AsyncRawHTTPClient(self._base_url, self._options, self._authorization)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes connections; calling it twice is fine."""
        await self._http.aclose()

    async def _ask(
        self, endpoint: Endpoint, fields: Mapping[str, JSON], *, stream: bool = False
    ) -> RawResponse:
        async def send(request: Request) -> RawResponse:
            return _present(await self._http.send(request, stream=stream))

        try:
            return await arun(self._generations.ask(endpoint, fields), send)
        except _AbsentError as absent:
            return absent.answer


class _AbsentError(AbsentPathError):
    """What a server answered that has no such path."""

    def __init__(self, answer: RawResponse) -> None:
        super().__init__("the server has no such path")
        self.answer = answer


def _present(answer: RawResponse) -> RawResponse:
    """An answer of a path that is there.

    Raises:
        _AbsentError: It is not.
    """
    if is_absent_path(Response(answer.status_code, answer.headers)):
        raise _AbsentError(answer)
    return answer


def _checked_address(base_url: str) -> str:
    try:
        base_url = root_of(base_url)
        parts = urlsplit(base_url)
    except (ValueError, AttributeError):  # no text, as of a variable that is not set
        raise ConfigError("base_url is no address: write http://host:port") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError("base_url is no address of HTTP: write http://host:port")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigError("base_url is an address alone: who asks is told by api_key")
    return base_url
