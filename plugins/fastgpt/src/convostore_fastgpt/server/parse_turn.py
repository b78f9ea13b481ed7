"""Messages of a completion request, parsed into a turn's parts or an interaction's answer.

The inverse of `replies.requests` and `replies.answers`. Whether an answer fits, the store decides;
no store is called here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from convostore.adapters import AnswerContent
from convostore.errors import ProtocolError
from convostore.models import JSON, FilePart, InteractionPart, Part, TextPart
from convostore.parsing import Row, decode_json, non_empty_text

from .errors import RefusedError, unfit
from .render_interactions import QUESTIONS

_USERS: Final = ("user", "human", "Human")


def parse_content(message: JSON, place: int) -> str | tuple[Part, ...]:
    """Parse a user's message into a text, or into texts and files.

    Args:
        message: Message as in OpenAI's API, with the service's `file_url`.
        place: Index of the message.

    Raises:
        RefusedError: The message is not a user's, or has other content.
    """
    row: Row = message if isinstance(message, dict) else {}
    if row.get("role") not in _USERS:
        raise unfit("The last message must be the user's", "messages", place, "role")
    content = row.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        raise unfit("Invalid input", "messages", place, "content", code="invalid_union")
    return tuple([_part(piece, place, number) for number, piece in enumerate(content)])


def _part(piece: JSON, place: int, number: int) -> Part:
    row: Row = piece if isinstance(piece, dict) else {}
    match row.get("type"):
        case "text" if isinstance(row.get("text"), str):
            return TextPart(text=row["text"])
        case "image_url" if (url := non_empty_text(row.get("image_url"), "url")) is not None:
            return FilePart(url=url, media_type="image/*")
        case "file_url" if (url := non_empty_text(row, "url")) is not None:
            return FilePart(name=non_empty_text(row, "name"), url=url)
    raise _unknown_piece(place, number)


def _unknown_piece(place: int, number: int) -> RefusedError:
    return unfit(
        "A piece of a message must be a text, an image_url or a file_url",
        "messages",
        place,
        "content",
        number,
        code="invalid_union",
    )


def asks_for_a_new_turn(part: InteractionPart) -> bool:
    """Return whether the interaction is answered by a new turn."""
    return part.type == "agentPlanAskQuery"


def parse_answer(part: InteractionPart, content: str | tuple[Part, ...]) -> AnswerContent:
    """Parse an interaction's answer: a choice's value, or a form's values by key."""
    text = content if isinstance(content, str) else _text(content)
    if not part.fields:
        return text
    values = _object(text)
    if part.type == QUESTIONS and isinstance(answers := values.get("answers"), list):
        keys = [field.key for field in part.fields]
        return dict(zip(keys, answers, strict=False))
    return _by_key(part, values)


def _by_key(part: InteractionPart, values: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return a form's values by key; clients of servers before 4.14.3 send them by label."""
    by_key: dict[str, JSON] = {}
    for field in part.fields:
        name = field.key if field.key in values else field.label
        if name is not None and name in values:
            by_key[field.key] = values[name]
    return by_key


def _text(content: tuple[Part, ...]) -> str:
    return "\n".join([part.text for part in content if isinstance(part, TextPart)])


def _object(text: str) -> Row:
    try:
        value = decode_json(text)
    except ProtocolError:
        return {}
    return value if isinstance(value, dict) else {}
