"""What a completion is asked with, by the store and by the documented client.

Bodies as values; nothing is sent here, and no answer is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from mimetypes import guess_type
from urllib.parse import unquote, urlsplit

from convostore.errors import InvalidError
from convostore.models import JSON, FilePart, Part, TextPart


def body(
    messages: Sequence[Mapping[str, JSON]] | None,
    *,
    stream: bool = False,
    detail: bool = False,
    chat_id: str | None = None,
    turn_id: str | None = None,
    variables: Mapping[str, JSON] | None = None,
    app_id: str | None = None,
    custom_uid: str | None = None,
    metadata: Mapping[str, JSON] | None = None,
    retain_citations: bool | None = None,
) -> dict[str, JSON]:
    """The body of a completion's request, for v1 and v2; what is None is left out.

    Args:
        messages: As in OpenAI's API; None for a plugin app, whose input stands in `variables`.
        stream: Whether the answer is to come as events.
        detail: Whether it is to tell of the run: nodes, tools, interactions.
        chat_id: The conversation; without one the service makes it.
        turn_id: The `dataId` that the answer's record is to have.
        variables: Laid over those that the conversation has stored.
        app_id: Needed only by keys that are bound to no app.
        custom_uid: Who is asking, as the app's logs show it.
        metadata: Stored with the record.
        retain_citations: Whether marks of citations stay in the text.
    """
    return given(
        messages=messages,
        stream=stream,
        detail=detail,
        chatId=chat_id,
        responseChatItemId=turn_id,
        variables=variables,
        appId=app_id,
        customUid=custom_uid,
        metadata=metadata,
        retainDatasetCite=retain_citations,
    )


def given(**fields: JSON) -> dict[str, JSON]:
    """The fields that are not None: the service's versions do not agree on what null means."""
    return {name: value for name, value in fields.items() if value is not None}


def content_of(parts: Sequence[Part]) -> JSON:
    """What a user says, as a message's content; a plain text where it is no more than one.

    Raises:
        InvalidError: A file has no address.
    """
    match parts:
        case [TextPart(text=text)]:
            return text
    return [_piece(part) for part in parts]


def _piece(part: Part) -> JSON:
    match part:
        case TextPart(text=text):
            return {"type": "text", "text": text}
        case FilePart(url=str(url)) if url:
            if _is_image(part):
                return {"type": "image_url", "image_url": {"url": url}}
            return {"type": "file_url", "name": part.name or _name_in(url), "url": url}
    raise InvalidError("a file is sent by its address: give the FilePart a url")


def _is_image(file: FilePart) -> bool:
    """By its media type; where there is none, by what its name, or its address, ends with."""
    kind = file.media_type
    for name in (file.name, file.url):
        kind = kind or (guess_type(name)[0] if name else None)
    return (kind or "").startswith("image/")


def _name_in(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2]) or "file"
