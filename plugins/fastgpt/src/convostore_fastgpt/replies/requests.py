"""Bodies of completion requests, for the store and for the documented client.

Nothing is sent here, and no answer is parsed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from mimetypes import guess_type
from urllib.parse import unquote, urlsplit

from convostore.errors import InvalidError
from convostore.models import JSON, FilePart, Part, TextPart


def completion_body(
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
    """Build the body of a completion's request, for v1 and v2, without the fields that are None.

    Args:
        messages: Messages as in OpenAI's API; None for a plugin app, whose input is `variables`.
        stream: Whether the answer shall arrive as events.
        detail: Whether it shall report the run: nodes, tools, interactions.
        chat_id: Id of the conversation; without one the service creates a conversation.
        turn_id: The `dataId` of the answer's record.
        variables: Values that override those stored with the conversation.
        app_id: Id of the app; only keys that are bound to no app need it.
        custom_uid: Name of the asking user in the app's logs.
        metadata: JSON object that is stored with the record.
        retain_citations: Whether citation marks stay in the text.
    """
    return present_fields(
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


def present_fields(**fields: JSON) -> dict[str, JSON]:
    """Return the fields that are not None: the service's versions disagree on what null means."""
    return {name: value for name, value in fields.items() if value is not None}


def encode_content(parts: Sequence[Part]) -> JSON:
    """Encode a turn's parts as a message's content: a lone text as a string, else a list.

    Raises:
        InvalidError: A file has no URL.
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
    raise InvalidError("url of a FilePart must be set: FastGPT takes files by their URL")


def _is_image(file: FilePart) -> bool:
    """Return whether the media type, else the name's or the URL's suffix, is of an image."""
    kind = file.media_type
    for name in (file.name, file.url):
        kind = kind or (guess_type(name)[0] if name else None)
    return (kind or "").startswith("image/")


def _name_in(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2]) or "file"
