"""Requests that send a turn, resume one, or ask for suggested questions.

The differences between the versions' bodies are decided here, field by field. Nothing is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from convostore.adapters import Turn
from convostore.errors import InvalidError, UnsupportedError
from convostore.http import Request, path
from convostore.models import JSON, FilePart, Part, TextPart
from convostore.parsing import Row, non_empty_text

from ..api.paths import REPLY_PATH, RESUME_PATH, SUGGESTIONS_PATH
from ..api.versions import Generation
from ..options import PerplexicaOptions, PerplexicaReplyOptions
from .history import History


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """Options of a turn, with its store's as defaults."""

    turn: PerplexicaReplyOptions
    store: PerplexicaOptions

    def model(self, name: str) -> tuple[str, str]:
        """Return the provider and the name of a model.

        Raises:
            InvalidError: Neither the turn nor the store names one.
        """
        option = getattr(self.turn, name) or getattr(self.store, name)
        if option is None:
            raise InvalidError(
                f"the option {name!r} is required: pass {name}='provider/name' with the turn, or "
                "open the store with it; the service's settings list the models"
            )
        provider, _, model = option.partition("/")
        return provider, model

    def pick(self, name: str, stored: JSON = None) -> Any:
        """Return an option of the turn, else the conversation's stored value, else the store's."""
        option = getattr(self.turn, name)
        if option is not None:
            return option
        return stored or getattr(self.store, name)

    def refuse(self, name: str, reason: str) -> None:
        if getattr(self.turn, name) is not None:
            raise InvalidError(f"the option {name!r} {reason}")


def check_turn(turn: Turn, settings: TurnSettings) -> None:
    """Check what every version requires of a turn.

    Raises:
        InvalidError: The turn has no text, has a file that was not uploaded, or lacks a model.
    """
    _text(turn.content)
    for part in turn.content:
        if isinstance(part, FilePart):
            _file_id(part)
    settings.model("chat_model")
    settings.model("embedding_model")


def reply_request(
    generation: Generation, turn: Turn, history: History, settings: TurnSettings
) -> Request:
    """Build the request that sends a turn.

    Raises:
        InvalidError: An option is not one of these versions.
        UnsupportedError: These versions accept no turns over HTTP.
    """
    if generation is Generation.SOCKET:
        raise UnsupportedError(
            "this server answers only over a WebSocket: POST /api/chat is there from 1.10.0 on"
        )
    body = {
        "message": {
            "messageId": turn.turn_id,
            "chatId": turn.conversation_id,
            "content": _text(turn.content),
        },
        "optimizationMode": settings.pick("optimization_mode") or "speed",
        "history": _pairs(history),
        "files": _files(turn, history, settings),
        "systemInstructions": settings.pick("system_instructions") or "",
        "chatModel": _model(generation, *settings.model("chat_model")),
        "embeddingModel": _model(generation, *settings.model("embedding_model")),
        **_searched(generation, history, settings),
    }
    return Request("POST", REPLY_PATH, json=body, patient=True)


def _pairs(history: History) -> list[list[str]]:
    return [["human" if role == "user" else role, text] for role, text in history.texts()]


def _searched(generation: Generation, history: History, settings: TurnSettings) -> Row:
    """Return what is searched, which the service stores: kinds of sources, or one focus."""
    if generation is Generation.BLOCKS:
        settings.refuse("focus_mode", "is only for 1.10 and 1.11: pass 'sources' to this server")
        stored = history.chat.get("sources")
        kinds = (
            [kind for kind in stored if isinstance(kind, str)] if isinstance(stored, list) else []
        )
        sources = settings.pick("sources", kinds)
        return {"sources": ["web"] if sources is None else list(sources)}
    settings.refuse("sources", "is only for 1.12 and later: pass 'focus_mode' to this server")
    focus = settings.pick("focus_mode", non_empty_text(history.chat, "focusMode"))
    return {"focusMode": focus or "webSearch"}


def _model(generation: Generation, provider: str, model: str, name: str = "name") -> Row:
    if generation in {Generation.SOCKET, Generation.NAMES}:
        return {"provider": provider, name: model}
    return {"providerId": provider, "key": model}


def _text(content: Sequence[Part]) -> str:
    text = "\n".join([part.text for part in content if isinstance(part, TextPart)])
    if not text:
        raise InvalidError("a turn must have a text: this service accepts no empty one")
    return text


_UPLOAD: Final = "file_id://"


def _files(turn: Turn, history: History, settings: TurnSettings) -> list[str]:
    """Return the uploads to search in: those of the option and those of the turn's parts."""
    attached = [_file_id(part) for part in turn.content if isinstance(part, FilePart)]
    stored = history.chat.get("files")
    ids = [non_empty_text(file, "fileId") for file in stored] if isinstance(stored, list) else []
    files = settings.pick("files", [file_id for file_id in ids if file_id]) or ()
    return list(dict.fromkeys([*files, *attached]))


def _file_id(part: FilePart) -> str:
    url = part.url or ""
    if not url.startswith(_UPLOAD) or url == _UPLOAD:
        raise InvalidError(
            f"the file {part.name or url!r} was not uploaded to this service: upload it there, and "
            f"pass FilePart(url='{_UPLOAD}<its id>') or files=['<its id>']"
        )
    return url.removeprefix(_UPLOAD)


def suggestions_request(
    generation: Generation, history: History, settings: TurnSettings
) -> Request:
    """Build the request for suggested questions."""
    chat_history: list[Any] = (
        _pairs(history)
        if generation is Generation.BLOCKS
        else [{"role": role, "content": text} for role, text in history.texts()]
    )
    model = _model(generation, *settings.model("chat_model"), name="model")
    body = {"chatHistory": chat_history, "chatModel": model}
    return Request("POST", SUGGESTIONS_PATH, json=body, patient=True)


def read_suggestions(body: JSON) -> tuple[str, ...]:
    questions = body["suggestions"]
    return tuple([text for text in questions if isinstance(text, str) and text.strip()])


def resume_request(history: History, turn_id: str) -> Request:
    """Build the request that resumes the stream of an answer.

    Raises:
        UnsupportedError: The version that answers this turn cannot resume.
    """
    for row in history.rows:
        if isinstance(row, dict) and row.get("messageId") == turn_id:
            backend_id = non_empty_text(row, "backendId")
            if backend_id is not None:
                return Request("POST", path(RESUME_PATH, backend_id), patient=True)
    raise UnsupportedError(
        "this server cannot resume an answer (1.12 can): get_reply reads it once it is stored",
        argument="turn_id",  # a turn that a later release answers can be resumed
    )
