"""What a completion's request says, as a turn's parts or as the answer of an interaction.

The way back of `completions` and `answers`; what fits is the store's to judge. No store here.
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


def said_in(message: JSON, place: int) -> str | tuple[Part, ...]:
    """What a user's message says: a text, or texts and files.

    Args:
        message: As in OpenAI's API, with the service's `file_url`.
        place: Where it stands among the messages.

    Raises:
        RefusedError: It is none, or holds what is neither.
    """
    row: Row = message if isinstance(message, dict) else {}
    if row.get("role") not in _USERS:
        raise unfit("The last message must be the user's", "messages", place, "role")
    content = row.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        raise unfit("Invalid input", "messages", place, "content", code="invalid_union")
    return tuple([_part(each, place, number) for number, each in enumerate(content)])


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
        "A piece of a message is a text, an image_url or a file_url",
        "messages",
        place,
        "content",
        number,
        code="invalid_union",
    )


def asks_for_a_new_turn(part: InteractionPart) -> bool:
    """Whether what a flow asks is answered by a turn of its own."""
    return part.type == "agentPlanAskQuery"


def answer_in(part: InteractionPart, said: str | tuple[Part, ...]) -> AnswerContent:
    """What an interaction is answered with: a choice's value, or a form's values by key."""
    text = said if isinstance(said, str) else _text(said)
    if not part.fields:
        return text
    given = _object(text)
    if part.type == QUESTIONS and isinstance(answers := given.get("answers"), list):
        keys = [field.key for field in part.fields]
        return dict(zip(keys, answers, strict=False))
    return _by_key(part, given)


def _by_key(part: InteractionPart, given: Mapping[str, JSON]) -> dict[str, JSON]:
    """A form's values; clients of servers before 4.14.3 name them by the fields' labels."""
    values: dict[str, JSON] = {}
    for field in part.fields:
        name = field.key if field.key in given else field.label
        if name is not None and name in given:
            values[field.key] = given[name]
    return values


def _text(said: tuple[Part, ...]) -> str:
    return "\n".join([part.text for part in said if isinstance(part, TextPart)])


def _object(text: str) -> Row:
    try:
        found = decode_json(text)
    except ProtocolError:
        return {}
    return found if isinstance(found, dict) else {}
