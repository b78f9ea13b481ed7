"""Turns as both faces send them: the checks of arguments, the choice of ids, the session.

Loaded when a store is first talked to: the events take their time. Nothing is carried out here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from ..adapters import Answer, AnswerContent, Operation, Turn, validate_options
from ..errors import InvalidError, StoreError
from ..models import JSON, FilePart, Part, TextPart
from ._arguments import check_id, check_new_metadata, check_owner
from ._observation import Watch
from ._operations import AnyFlow, Operations
from ._reply_session import ReplySession
from ._values import is_valid_part, shown


class ChatOperations:
    """The operations whose reply a model makes."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._adapter = operations.adapter

    def reply(
        self,
        conversation_id: str | None,
        content: str | Sequence[Part],
        options: Mapping[str, object],
        *,
        turn_id: str | None,
        owner: str | None,
        metadata: Mapping[str, JSON],
        streamed: bool,
    ) -> ReplySession:
        operation = Operation.STREAM_REPLY if streamed else Operation.REPLY
        with self._checking(operation):
            check_owner(owner)
            checked_metadata = check_new_metadata(metadata)
            self._operations.require_identity(owner, checked_metadata)
            turn = replace(
                self._turn(conversation_id, content, turn_id, options),
                owner=owner,
                metadata=checked_metadata,
            )
        native = not streamed and self._adapter.implements("reply")
        send: Callable[[Turn], AnyFlow[Any]] = (
            self._adapter.reply if native else self._adapter.stream_reply
        )
        return self._session(operation, lambda: send(turn), turn.conversation_id, turn.turn_id)

    def answer(
        self,
        conversation_id: str,
        answer: AnswerContent,
        options: Mapping[str, object],
        *,
        streamed: bool,
    ) -> ReplySession:
        operation = Operation.STREAM_ANSWER if streamed else Operation.ANSWER
        with self._checking(operation):
            checked = Answer(
                conversation_id=check_id(conversation_id),
                answer=_check_answer(answer),
                options=self._reply_options(options),
            )
        native = not streamed and self._adapter.implements("answer")
        send: Callable[[Answer], AnyFlow[Any]] = (
            self._adapter.answer if native else self._adapter.stream_answer
        )
        return self._session(operation, lambda: send(checked), conversation_id, None)

    def resume_reply(self, conversation_id: str, turn_id: str) -> ReplySession:
        operation = Operation.RESUME_REPLY
        with self._checking(operation):
            check_id(conversation_id)
            check_id(turn_id)
        return self._session(
            operation,
            lambda: self._adapter.resume_reply(conversation_id, turn_id),
            conversation_id,
            turn_id,
        )

    @contextmanager
    def _checking(self, operation: Operation) -> Iterator[None]:
        """Check arguments before a session exists, which would report what is wrong."""
        watch = Watch(self._operations.observe, operation.value, self._adapter.name)
        try:
            with self._operations.error_context(operation):
                yield
        except StoreError:
            with watch:
                raise

    def _session(
        self,
        operation: Operation,
        begin: Callable[[], AnyFlow[Any]],
        conversation_id: str,
        turn_id: str | None,
    ) -> ReplySession:
        return ReplySession(
            self._adapter,
            operation,
            self._operations.bind(operation, begin),
            conversation_id=conversation_id,
            turn_id=turn_id,
            observe=self._operations.observe,
        )

    def _turn(
        self,
        conversation_id: str | None,
        content: str | Sequence[Part],
        turn_id: str | None,
        options: Mapping[str, object],
    ) -> Turn:
        adapter = self._adapter
        return Turn(
            conversation_id=adapter.new_conversation_id()
            if conversation_id is None
            else check_id(conversation_id),
            turn_id=adapter.new_turn_id() if turn_id is None else _check_turn_id(turn_id),
            content=_check_content(content),
            options=self._reply_options(options),
            begins=conversation_id is None,
        )

    def _reply_options(self, options: Mapping[str, object]) -> BaseModel:
        return self._checked(options) if options else self._without_options

    @cached_property
    def _without_options(self) -> BaseModel:
        return self._checked({})

    def _checked(self, options: Mapping[str, object]) -> BaseModel:
        return validate_options(self._adapter.ReplyOptions, options, InvalidError)


def _check_turn_id(value: object) -> str:
    """Return an id that a service stores unchanged: only by it can the turn be found again."""
    checked = check_id(value)
    if any("\ud800" <= character <= "\udfff" for character in checked):
        raise InvalidError("turn_id must not contain lone surrogates: no service stores them")
    return checked


def _check_content(value: object) -> tuple[Part, ...]:
    if isinstance(value, str):
        return (TextPart(text=value),)
    if isinstance(value, TextPart | FilePart):
        raise InvalidError("content must be a list of parts, got one part: pass [part]")
    if isinstance(value, bytes) or not isinstance(value, Sequence) or not value:
        given = "an empty one" if isinstance(value, Sequence) and not value else shown(value)
        raise InvalidError(
            f"content must be a string or a non-empty list of TextPart and FilePart, got {given}"
        )
    for part in value:
        if not isinstance(part, TextPart | FilePart):
            raise InvalidError(
                f"content must hold only TextPart and FilePart, got {type(part).__name__}"
            )
        if not is_valid_part(part):
            raise InvalidError(
                f"content must hold parts whose fields are strings, got {shown(part)}"
            )
    return tuple(value)


def _check_answer(value: object) -> AnswerContent:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return dict(value)
    raise InvalidError(
        f"answer must be the value of an option, or a dict of a form's values, got {shown(value)}"
    )
