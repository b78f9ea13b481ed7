"""What a Perplexica store is opened with, and what may be passed with a turn.

Nothing is asked here; how a server wants it spelt stands in `chatting`.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator

from convostore.adapters import AdapterOptions
from convostore.http import HTTPOptions


def _model_name(text: str) -> str:
    provider, _, model = text.partition("/")
    if not provider or not model:
        raise ValueError("a model is written provider/name")
    return text


def _words(value: object) -> object:
    """Reads words with commas between, the form that DSNs and environment variables can hold."""
    if not isinstance(value, str):
        return value
    return tuple([word.strip() for word in value.split(",") if word.strip()])


ModelName: TypeAlias = Annotated[str, AfterValidator(_model_name)]
"""``provider/name``; from 1.11 on the provider is an id and the name is its key."""
Words: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_words)]


class PerplexicaReplyOptions(AdapterOptions):
    """What may be passed with a turn.

    What is left out is as the conversation had it before, where the service keeps that (what is
    searched, the files), and else as the store was opened.

    Attributes:
        chat_model: Who answers, as ``provider/name``.
        embedding_model: Who weighs what is found, as ``provider/name``.
        focus_mode: What is searched, up to 1.11: ``webSearch``, ``academicSearch``,
            ``writingAssistant``, ``wolframAlphaSearch``, ``youtubeSearch``, ``redditSearch``.
        sources: What is searched, from 1.12 on: some of ``web``, ``academic``, ``discussions``;
            in a DSN with commas between.
        optimization_mode: How much trouble is taken; ``speed`` where nothing is said.
        system_instructions: Added to the service's own.
        files: The ids of uploads to search in, written as `sources` are. One that is not there
            makes the service fall silent.
    """

    chat_model: ModelName | None = None
    embedding_model: ModelName | None = None
    focus_mode: str | None = None
    sources: Words | None = None
    optimization_mode: Literal["speed", "balanced", "quality"] | None = None
    system_instructions: str | None = None
    files: Words | None = None


class PerplexicaOptions(PerplexicaReplyOptions, HTTPOptions):
    """The options of a Perplexica store: how it is reached, and what its turns are sent with."""
