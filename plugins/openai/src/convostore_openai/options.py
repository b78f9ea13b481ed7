"""The options of a store whose replies a model makes, and of a turn.

`requests` decides what is sent for them.
"""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from convostore.adapters import AdapterOptions
from convostore.http import HTTPOptions

_EXAMPLE: Final = "http://localhost:11434/v1"


class ModelOptions(HTTPOptions):
    """The options of a store with a model: its address, and how much of a conversation it gets.

    Attributes:
        url: The base address of an OpenAI-compatible API, up to what precedes
            ``/chat/completions``; a query is added to each request, and may hold the key where the
            server expects it there.
        api_key: Sent as a bearer token.
        model: The model of every turn, whatever the turn says; None leaves it to the turn.
        system: The system message before each conversation.
        usage: Whether to request the number of tokens; use False for a server that refuses that.
        history_messages: The maximum number of the conversation's messages that are sent; 0 sends
            none.
        history_characters: The maximum number of their characters. Messages are sent whole or not
            at all, the newest first.
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
            raise ValueError(f"must be a URL such as {_EXAMPLE}")
        if "@" in parts.netloc:
            raise ValueError("must hold no name and no password: pass the key as api_key")
        return url


def _messages(value: tuple[dict[str, Any], ...] | None) -> tuple[dict[str, Any], ...] | None:
    for message in value or ():
        if not isinstance(message.get("role"), str):
            raise ValueError('must hold objects with a "role"')  # noqa: TRY004  # for pydantic
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise ValueError("must be JSON") from None
    return value


class ModelReplyOptions(AdapterOptions):
    """The options of a turn; None leaves a choice to the model's server.

    Attributes:
        context: Messages, as OpenAI's API has them, that are sent in place of the stored ones.
        model: The model of the reply, where the store's options name none.
        max_tokens: The maximum number of tokens in the reply.
    """

    context: tuple[dict[str, Any], ...] | None = None
    model: str | None = Field(default=None, min_length=1)
    temperature: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    top_p: float | None = Field(default=None, ge=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)

    _context_is_of_messages = field_validator("context")(_messages)
