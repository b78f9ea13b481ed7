"""What Notes answers, read into the schema."""

from convostore.models import JSON, Conversation, Message, Page, TextPart
from convostore.reading import read_time


def threads(body: JSON) -> Page[Conversation]:
    return Page(items=tuple(map(thread, body["items"])), cursor=body["next"])


def thread(row: JSON) -> Conversation:
    created, changed = read_time(row["created"]), read_time(row["changed"])
    return Conversation(
        id=row["id"], title=row["subject"], created_at=created, updated_at=changed, raw=row
    )


def entries(body: JSON) -> Page[Message]:
    return Page(items=tuple(map(entry, body["items"])), cursor=body["next"])


def entry(row: JSON) -> Message:
    role, said = "user" if row["by"] == "me" else "assistant", TextPart(text=row["text"])
    return Message(id=row["id"], role=role, parts=(said,), created_at=read_time(row["at"]), raw=row)
