"""The options of a store that a model answers: the operator's, and those of a turn."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from convostore.adapters import AdapterOptions
from convostore.http import HTTPOptions

_EXAMPLE: Final = "http://localhost:11434/v1"


class ModelOptions(HTTPOptions):
    """Where the model is asked, and what it is told of a conversation.

    Attributes:
        url: The base address of an API that is OpenAI's, up to what stands before
            ``/chat/completions``; a query is added to each request, and may hold the key where the
            server wants it there.
        api_key: Sent as a bearer token.
        model: The model of every turn, whatever the turn says; None leaves it to the turn.
        system: What the model is told before each conversation.
        usage: Whether to ask for the number of tokens; a server that refuses to be asked wants
            False.
        history_messages: The most messages that the model is told of a conversation; 0 tells none.
        history_characters: The most characters of them. Messages are told whole or not at all, the
            newest first.
    """

    url: str = Field(repr=False)  # its query may hold a key
    api_key: SecretStr | None = None
    model: str | None = Field(default=None, min_length=1)
    system: str | None = None
    usage: bool = True
    history_messages: int = Field(default=40, ge=0)
    history_characters: int = Field(default=40_000, ge=0)

    @field_validator("url")
    @classmethod
    def _url_is_one_of_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"it is an address such as {_EXAMPLE}")
        if "@" in parts.netloc:
            raise ValueError("it holds a name or a password: pass the key as api_key")
        return url


def _messages(value: tuple[dict[str, Any], ...] | None) -> tuple[dict[str, Any], ...] | None:
    for message in value or ():
        if not isinstance(message.get("role"), str):
            raise ValueError('each is an object with a "role"')  # noqa: TRY004  # for pydantic
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise ValueError("it is no JSON") from None
    return value


class ModelReplyOptions(AdapterOptions):
    """What a turn may say; what is None is left to the model's server.

    Attributes:
        context: Messages, as OpenAI's API has them, that the model is told in place of what the
            store holds.
        model: Which model is to answer, where the operator did not say.
        max_tokens: The most tokens of the answer.
    """

    context: tuple[dict[str, Any], ...] | None = None
    model: str | None = Field(default=None, min_length=1)
    temperature: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    top_p: float | None = Field(default=None, ge=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)

    _context_is_of_messages = field_validator("context")(_messages)
