"""What Notes answers, read into the schema."""

from collections.abc import Callable
from typing import Any, TypeVar

from convostore.errors import ProtocolError
from convostore.http import Response
from convostore.models import Conversation, Message, Page, TextPart
from convostore.reading import read_time

T = TypeVar("T")


def read(reply: Response, reader: Callable[[Any], T]) -> T:
    try:
        return reader(reply.json())
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f"the answer is not as Notes documents it: {error!r}") from error


def read_page(reply: Response, reader: Callable[[Any], T]) -> Page[T]:
    return read(
        reply, lambda body: Page(items=tuple(map(reader, body["items"])), cursor=body["next"])
    )


def thread(row: Any) -> Conversation:
    created, changed = read_time(row["created"]), read_time(row["changed"])
    return Conversation(
        id=row["id"], title=row["subject"], created_at=created, updated_at=changed, raw=row
    )


def entry(row: Any) -> Message:
    role, said = "user" if row["by"] == "me" else "assistant", TextPart(text=row["text"])
    return Message(id=row["id"], role=role, parts=(said,), created_at=read_time(row["at"]), raw=row)
