"""Options of Perplexica stores and of turns, and their validation.

How a version wants them in a request is decided in `replies.requests`.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator

from convostore.adapters import AdapterOptions
from convostore.http import HTTPOptions


def _model_name(text: str) -> str:
    provider, _, model = text.partition("/")
    if not provider or not model:
        raise ValueError("must have the form provider/name")
    return text


def _words(value: object) -> object:
    """Split a text at its commas: DSNs and environment variables can hold no list."""
    if not isinstance(value, str):
        return value
    return tuple([word.strip() for word in value.split(",") if word.strip()])


ModelName: TypeAlias = Annotated[str, AfterValidator(_model_name)]
"""``provider/name``; from 1.11 on the provider is an id and the name is its key."""
Words: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_words)]


class PerplexicaReplyOptions(AdapterOptions):
    """Options of a turn.

    An option that is left out keeps the conversation's value, if the service stores one (for
    focus, sources and files), else the store's.

    Attributes:
        chat_model: Model that answers, as ``provider/name``.
        embedding_model: Model that ranks search results, as ``provider/name``.
        focus_mode: What is searched, up to 1.11: ``webSearch``, ``academicSearch``,
            ``writingAssistant``, ``wolframAlphaSearch``, ``youtubeSearch``, ``redditSearch``.
        sources: What is searched, from 1.12 on: some of ``web``, ``academic``, ``discussions``;
            in a DSN separated by commas.
        optimization_mode: Effort of the search; ``speed`` by default.
        system_instructions: Text that is added to the service's instructions.
        files: Ids of uploads to search in, written like `sources`. An unknown id makes the service
            send no answer.
    """

    chat_model: ModelName | None = None
    embedding_model: ModelName | None = None
    focus_mode: str | None = None
    sources: Words | None = None
    optimization_mode: Literal["speed", "balanced", "quality"] | None = None
    system_instructions: str | None = None
    files: Words | None = None


class PerplexicaOptions(PerplexicaReplyOptions, HTTPOptions):
    """Options of a Perplexica store: those of its HTTP client, and defaults for its turns."""
