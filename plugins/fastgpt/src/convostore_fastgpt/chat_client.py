"""The client of FastGPT's published Python document: its methods, which return raw responses.

For programs that were written from that document: names, parameters and defaults are the document's
and stay as they are, and the requests are those of the store. No response is parsed here, except to
see whether the server has the path.
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
from .replies.requests import completion_body, present_fields

R = TypeVar("R")


class _Methods(ABC, Generic[R]):
    """The document's methods, for both faces; `R` is what a call returns.

    Each call uses the paths of the server's generation, which its first responses show.
    """

    def __init__(self, api_key: str, base_url: str, **options: object) -> None:
        """Validate the options; no connection is opened yet.

        Args:
            api_key: Key of an app, or another that the server accepts.
            base_url: Address of the server; it may end in ``/api`` or ``/api/v1``.
            **options: `timeout`, `reply_timeout`, `headers`, `verify` and `proxy`, as for every
                HTTP adapter. Nothing is ever retried.

        Raises:
            ConfigError: An option is invalid.
        """
        self._base_url = _parse_address(base_url)
        self._options = ClientOptions.checked(api_key, options)
        self._generations = Generations()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._base_url}>"

    @property
    def _authorization(self) -> str:
        return f"Bearer {self._options.api_key.get_secret_value()}"

    @abstractmethod
    def _ask(self, endpoint: Endpoint, fields: Mapping[str, JSON], *, stream: bool = False) -> R:
        """Call the endpoint by the path that the server has; without one, return its refusal."""

    def create_chat_completion(
        self,
        messages: Sequence[Mapping[str, Any]],
        stream: bool = False,
        chatId: str | None = None,
        detail: bool = False,
        variables: Mapping[str, Any] | None = None,
        responseChatItemId: str | None = None,
    ) -> R:
        """Send messages to the key's app; POST /api/v1/chat/completions.

        Args:
            messages: Messages as in OpenAI's API; with a `chatId` only the last one counts, as the
                service has the others.
            stream: Whether the answer arrives as events; the caller then reads the response, and
                closes it.
            chatId: Id of the conversation; without one the service creates a conversation.
            detail: Whether the answer reports the run, and the questions that a flow asks.
            variables: Variables of the app.
            responseChatItemId: The `dataId` under which the answer is stored.
        """
        fields = completion_body(
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
        """List conversations; getHistories."""
        return self._ask(
            HISTORIES, present_fields(appId=appId, offset=offset, pageSize=pageSize, source=source)
        )

    def get_chat_init(self, appId: str, chatId: str) -> R:
        """Describe a conversation and its app, and mark it as read; init."""
        return self._ask(INIT, present_fields(appId=appId, chatId=chatId))

    def get_chat_records(
        self,
        appId: str,
        chatId: str,
        offset: int = 0,
        pageSize: int = 10,
        loadCustomFeedbacks: bool = False,
    ) -> R:
        """List a conversation's records, counted from the newest; getPaginationRecords."""
        fields = present_fields(
            appId=appId,
            chatId=chatId,
            offset=offset,
            pageSize=pageSize,
            loadCustomFeedbacks=loadCustomFeedbacks,
        )
        return self._ask(RECORDS, fields)

    def get_record_detail(self, appId: str, chatId: str, dataId: str) -> R:
        """Report the run that made an answer; getResData."""
        return self._ask(RUN_DETAILS, present_fields(appId=appId, chatId=chatId, dataId=dataId))

    def update_chat_history(
        self, appId: str, chatId: str, customTitle: str | None = None, top: bool | None = None
    ) -> R:
        """Rename a conversation, or pin it; updateHistory."""
        return self._ask(
            UPDATE, present_fields(appId=appId, chatId=chatId, customTitle=customTitle, top=top)
        )

    def delete_chat_history(self, appId: str, chatId: str) -> R:
        """Delete a conversation; delHistory."""
        return self._ask(DELETE, present_fields(appId=appId, chatId=chatId))

    def clear_chat_histories(self, appId: str) -> R:
        """Delete the app's conversations that *any* key created; clearHistories."""
        return self._ask(CLEAR, present_fields(appId=appId))

    def delete_chat_record(self, appId: str, chatId: str, contentId: str) -> R:
        """Delete a record, from 4.15 on with the other half of its turn; record/delete."""
        return self._ask(
            DELETE_RECORD, present_fields(appId=appId, chatId=chatId, contentId=contentId)
        )

    def send_feedback(
        self,
        appId: str,
        chatId: str,
        dataId: str,
        userGoodFeedback: str | None = None,
        userBadFeedback: str | None = None,
    ) -> R:
        """Set the user's feedback on an answer; updateUserFeedback.

        A call replaces both feedbacks: one that is None is removed.
        """
        fields = present_fields(
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
        """Ask a model for follow-up questions; v2/createQuestionGuide.

        Args:
            appId: Id of the app.
            chatId: Id of the conversation.
            questionGuide: ``{"open": …, "model": …, "customPrompt": …}`` in place of the app's.
        """
        return self._ask(
            SUGGESTIONS, present_fields(appId=appId, chatId=chatId, questionGuide=questionGuide)
        )


class ChatClient(_Methods[RawResponse]):
    """FastGPT's chat API as its document for Python shows it; threads may share it.

    Each method returns an `httpx.Response`, whatever its status; without a response, httpx's errors
    are raised. A path that the server lacks is tried under its older name.
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
        """Close all connections; a second call does nothing."""
        self._http.close()

    def _ask(
        self, endpoint: Endpoint, fields: Mapping[str, JSON], *, stream: bool = False
    ) -> RawResponse:
        def send(request: Request) -> RawResponse:
            return _present(self._http.send(request, stream=stream))

        flow: Flow[Request, RawResponse, RawResponse] = self._generations.ask(endpoint, fields)
        try:
            return run(flow, send)
        except _AbsentError as absent:
            return absent.answer


class AsyncChatClient(_Methods[Coroutine[Any, Any, RawResponse]]):
    """`ChatClient` for an event loop: each method is awaited."""

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
        """Close all connections; a second call does nothing."""
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
    """The response of a server that has no such path."""

    def __init__(self, answer: RawResponse) -> None:
        super().__init__("the server has no such path")
        self.answer = answer


def _present(answer: RawResponse) -> RawResponse:
    """Return the response.

    Raises:
        _AbsentError: The server has no such path.
    """
    if is_absent_path(Response(answer.status_code, answer.headers)):
        raise _AbsentError(answer)
    return answer


def _parse_address(base_url: str) -> str:
    try:
        base_url = root_of(base_url)
        parts = urlsplit(base_url)
    except (ValueError, AttributeError):  # None, from a variable that is not set
        raise ConfigError("base_url must be a string: write http://host:port") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError("base_url must be an HTTP URL: write http://host:port")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigError("base_url must have no user, query or fragment: pass the key as api_key")
    return base_url
