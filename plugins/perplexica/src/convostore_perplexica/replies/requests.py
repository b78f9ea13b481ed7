"""Turns as the service takes them: the requests that send one, go on with one, or ask what is next.

What differs from version to version of a body is decided here, field by field.
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
    """The options of a turn over those of its store."""

    turn: PerplexicaReplyOptions
    store: PerplexicaOptions

    def model(self, name: str) -> tuple[str, str]:
        """A model's provider and name.

        Raises:
            InvalidError: None is chosen.
        """
        chosen = getattr(self.turn, name) or getattr(self.store, name)
        if chosen is None:
            raise InvalidError(
                f"the option {name!r} is needed: pass {name}='provider/name' with the turn, or "
                "open the store with it; the service's settings name what there is"
            )
        provider, _, model = chosen.partition("/")
        return provider, model

    def pick(self, name: str, kept: JSON = None) -> Any:
        """An option: the turn's own, or what the conversation keeps, or the store's."""
        own = getattr(self.turn, name)
        if own is not None:
            return own
        return kept or getattr(self.store, name)

    def refuse(self, name: str, reason: str) -> None:
        if getattr(self.turn, name) is not None:
            raise InvalidError(f"the option {name!r} {reason}")


def check_turn(turn: Turn, choices: TurnSettings) -> None:
    """Refuses what no version would take.

    Raises:
        InvalidError: It has no text, names a file that is no upload, or there is no model.
    """
    _text(turn.content)
    for part in turn.content:
        if isinstance(part, FilePart):
            _file_id(part)
    choices.model("chat_model")
    choices.model("embedding_model")


def reply_request(
    generation: Generation, turn: Turn, past: History, choices: TurnSettings
) -> Request:
    """Makes the request that sends a turn.

    Raises:
        InvalidError: The turn cannot be sent so.
        UnsupportedError: These versions take no turns over HTTP.
    """
    if generation is Generation.SOCKET:
        raise UnsupportedError(
            "this server answers over a WebSocket only: POST /api/chat is there from 1.10.0 on"
        )
    body = {
        "message": {
            "messageId": turn.turn_id,
            "chatId": turn.conversation_id,
            "content": _text(turn.content),
        },
        "optimizationMode": choices.pick("optimization_mode") or "speed",
        "history": _pairs(past),
        "files": _files(turn, past, choices),
        "systemInstructions": choices.pick("system_instructions") or "",
        "chatModel": _model(generation, *choices.model("chat_model")),
        "embeddingModel": _model(generation, *choices.model("embedding_model")),
        **_searched(generation, past, choices),
    }
    return Request("POST", REPLY_PATH, json=body, patient=True)


def _pairs(past: History) -> list[list[str]]:
    return [["human" if role == "user" else role, text] for role, text in past.said()]


def _searched(generation: Generation, past: History, choices: TurnSettings) -> Row:
    """What is searched, which the conversation keeps: kinds of sources, or one focus."""
    if generation is Generation.BLOCKS:
        choices.refuse("focus_mode", "is one of 1.10 and 1.11: this server takes 'sources'")
        kept = past.chat.get("sources")
        kinds = [each for each in kept if isinstance(each, str)] if isinstance(kept, list) else []
        chosen = choices.pick("sources", kinds)
        return {"sources": ["web"] if chosen is None else list(chosen)}
    choices.refuse("sources", "is one of 1.12 and later: this server takes 'focus_mode'")
    focus = choices.pick("focus_mode", non_empty_text(past.chat, "focusMode"))
    return {"focusMode": focus or "webSearch"}


def _model(generation: Generation, provider: str, model: str, name: str = "name") -> Row:
    if generation in {Generation.SOCKET, Generation.NAMES}:
        return {"provider": provider, name: model}
    return {"providerId": provider, "key": model}


def _text(content: Sequence[Part]) -> str:
    text = "\n".join([part.text for part in content if isinstance(part, TextPart)])
    if not text:
        raise InvalidError("a turn needs a text: this service takes no empty one")
    return text


_UPLOAD: Final = "file_id://"


def _files(turn: Turn, past: History, choices: TurnSettings) -> list[str]:
    """The uploads to search in: those of the turn's parts, and those of the option."""
    attached = [_file_id(part) for part in turn.content if isinstance(part, FilePart)]
    kept = past.chat.get("files")
    kept = [non_empty_text(each, "fileId") for each in kept] if isinstance(kept, list) else []
    chosen = choices.pick("files", [each for each in kept if each]) or ()
    return list(dict.fromkeys([*chosen, *attached]))


def _file_id(part: FilePart) -> str:
    url = part.url or ""
    if not url.startswith(_UPLOAD) or url == _UPLOAD:
        raise InvalidError(
            f"the file {part.name or url!r} is no upload of this service: upload it there, and "
            f"pass FilePart(url='{_UPLOAD}<its id>') or files=['<its id>']"
        )
    return url.removeprefix(_UPLOAD)


def suggestions_request(generation: Generation, past: History, choices: TurnSettings) -> Request:
    """Makes the request for questions that may come next."""
    history: list[Any] = (
        _pairs(past)
        if generation is Generation.BLOCKS
        else [{"role": role, "content": text} for role, text in past.said()]
    )
    model = _model(generation, *choices.model("chat_model"), name="model")
    body = {"chatHistory": history, "chatModel": model}
    return Request("POST", SUGGESTIONS_PATH, json=body, patient=True)


def read_suggestions(body: JSON) -> tuple[str, ...]:
    questions = body["suggestions"]
    return tuple([each for each in questions if isinstance(each, str) and each.strip()])


def resume_request(past: History, turn_id: str) -> Request:
    """Makes the request that goes on with an answer.

    Raises:
        UnsupportedError: These versions cannot.
    """
    for row in past.rows:
        if isinstance(row, dict) and row.get("messageId") == turn_id:
            backend_id = non_empty_text(row, "backendId")
            if backend_id is not None:
                return Request("POST", path(RESUME_PATH, backend_id), patient=True)
    raise UnsupportedError(
        "this server cannot go on with an answer (1.12 can): get_reply has it when it is stored"
    )
