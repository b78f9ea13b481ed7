"""The public interface as type checkers see it: checked by mypy and pyright, and never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, assert_never, assert_type

import convostore
from convostore import (
    ANY,
    DSN,
    UNSET,
    AsyncConversationStore,
    AuthError,
    Citation,
    ConfigError,
    Conversation,
    ConversationStore,
    Feedback,
    FilePart,
    Health,
    InteractionField,
    InteractionOption,
    InteractionPart,
    Message,
    NotFoundError,
    OpenOptions,
    Operation,
    Origin,
    OtherPart,
    Page,
    Part,
    Problem,
    ProtocolError,
    RateLimitError,
    ReasoningPart,
    RunStep,
    Source,
    StoreError,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Traits,
    Transcript,
    UnavailableError,
)
from convostore.adapters import read_only
from convostore.store import WriteCall


def opening() -> None:
    assert_type(convostore.open("memory://"), ConversationStore)
    assert_type(convostore.open("work", timeout=5, api_key="key"), ConversationStore)
    options: OpenOptions = {"namespace": "ann", "durability": "full"}
    assert_type(convostore.aopen(Path("chats.db"), **options), AsyncConversationStore)
    misspelt: OpenOptions = {"durability": "fool"}  # type: ignore[typeddict-item]
    convostore.open("notes://", of_another_plugin=misspelt)
    assert_type(convostore.__version__, str)


def writing_shortly(parts: list[TextPart], sources: list[Source]) -> None:
    assert_type(Message.user("hi"), Message)
    assert_type(Message.assistant(parts, sources=sources, model="m").parts, tuple[Part, ...])
    assert_type(Message(role="system", parts=parts), Message)
    Message.user("hi", colour="red")  # type: ignore[call-arg]
    Message(role="bot")  # type: ignore[arg-type]
    assert_type(convostore.aopen("memory://"), AsyncConversationStore)
    with convostore.open("memory://") as store:
        assert_type(store, ConversationStore)
    dsn = DSN.parse("memory://")
    assert_type(dsn, DSN)
    assert_type(dsn.host, str | None)
    assert_type(dsn.base_url, str)


def reading(store: ConversationStore, conversation_id: str) -> None:
    page = store.list_conversations(limit=5, cursor=None)
    assert_type(page, Page[Conversation])
    assert_type(page.items, tuple[Conversation, ...])
    assert_type(page.cursor, str | None)
    assert_type(page.total, int | None)
    assert_type(store.conversations(), Iterator[Conversation])
    assert_type(store.get_conversation(conversation_id), Conversation)
    assert_type(store.list_messages(conversation_id, order="newest_first"), Page[Message])
    assert_type(store.messages(conversation_id, order="oldest_first"), Iterator[Message])
    assert_type(store.messages_as_json(conversation_id), Page[str])
    assert_type(store.transcripts(), Iterator[Transcript])
    assert_type(store.transcripts([conversation_id], on_error="yield"), Iterator[Transcript])
    assert_type(store.get_run_details(conversation_id, "m"), tuple[RunStep, ...])
    assert_type(store.suggest_questions(conversation_id), tuple[str, ...])
    assert_type(store.check(), Health)
    assert_type(store.offers(Operation.CHECK), bool)
    assert_type(store.offers("check"), bool)
    assert_type(store.traits, Traits)
    assert_type(store.label, str)


def writing(store: ConversationStore, message: Message, when: datetime) -> None:
    origin = Origin(store="memory://", conversation_id="c")
    made = store.create_conversation(id="c", title="T", created_at=when, origin=origin)
    assert_type(made, Conversation)
    assert_type(store.append_messages("c", [message], after=ANY), tuple[Message, ...])
    assert_type(store.append_messages("c", (message,), after=None), tuple[Message, ...])
    assert_type(store.append_messages("c", [message], after=message.id), tuple[Message, ...])
    assert_type(store.replace_messages("c", [message], after=None), tuple[Message, ...])
    store.update_conversation("c", title=None)
    store.update_conversation("c", title=UNSET, pinned=True)
    store.delete_message("c", message.id)
    store.set_feedback("c", message.id, Feedback(rating="good", comment="thanks"))
    store.set_feedback("c", message.id, None)
    store.delete_conversation("c")
    store.clear_conversations()
    call = WriteCall("append_messages", "c", [message], after=None)
    assert_type(store.write_batch([call], atomic=False), tuple[object, ...])
    assert_type(store.view(read_only), ConversationStore)
    assert_type(store.closed, bool)
    store.require("append_messages", Operation.CREATE_CONVERSATION)
    store.close()


async def reading_later(store: AsyncConversationStore, conversation_id: str) -> None:
    assert_type(await store.list_conversations(limit=5), Page[Conversation])
    assert_type(store.conversations(), AsyncIterator[Conversation])
    assert_type(await store.get_conversation(conversation_id), Conversation)
    assert_type(await store.list_messages(conversation_id), Page[Message])
    assert_type(store.messages(conversation_id), AsyncIterator[Message])
    assert_type(await store.messages_as_json(conversation_id), Page[str])
    assert_type(store.transcripts(on_error="raise"), AsyncIterator[Transcript])
    assert_type(await store.get_run_details(conversation_id, "m"), tuple[RunStep, ...])
    assert_type(await store.suggest_questions(conversation_id), tuple[str, ...])
    assert_type(await store.check(), Health)
    assert_type(store.offers("check"), bool)
    assert_type(store.traits, Traits)
    assert_type(store.label, str)
    async for message in store.messages(conversation_id):
        assert_type(message, Message)


async def writing_later(message: Message) -> None:
    async with convostore.aopen("memory://") as store:
        assert_type(store, AsyncConversationStore)
        assert_type(await store.create_conversation(id="c"), Conversation)
        assert_type(await store.append_messages("c", [message]), tuple[Message, ...])
        assert_type(await store.replace_messages("c", [message], after="m"), tuple[Message, ...])
        await store.update_conversation("c", title="T", pinned=UNSET)
        await store.delete_message("c", message.id)
        await store.set_feedback("c", message.id, None)
        await store.delete_conversation("c")
        await store.clear_conversations()
        call = WriteCall("append_messages", "c", [message])
        assert_type(await store.write_batch([call]), tuple[object, ...])
        assert_type(store.view(read_only), AsyncConversationStore)
        assert_type(store.concurrency, int)
        await store.aclose()


def values(conversation: Conversation, message: Message, transcript: Transcript) -> None:
    assert_type(conversation.title, str | None)
    assert_type(conversation.last_active_at, datetime | None)
    assert_type(conversation.origin, Origin | None)
    assert_type(conversation.files, tuple[FilePart, ...])
    assert_type(conversation.problems, tuple[Problem, ...])
    assert_type(message.role, Literal["system", "user", "assistant", "tool", "other"])
    assert_type(message.parts, tuple[Part, ...])
    assert_type(message.text, str)
    assert_type(message.created_at, datetime | None)
    assert_type(message.sources, tuple[Source, ...])
    assert_type(message.feedback, Feedback | None)
    assert_type(message.citations(), Iterator[Citation])
    assert_type(message.fingerprint(), str)
    assert_type(message.portable(), dict[str, Any])
    assert_type(transcript.conversation, Conversation | None)
    assert_type(transcript.messages, tuple[Message, ...])
    assert_type(transcript.error, StoreError | None)
    for start, end, mark, source in message.citations():
        assert_type((start, end, mark, source), tuple[int, int, str, Source | None])


def making() -> Message:
    return Message(
        role="assistant",
        parts=(TextPart(text="Blue[1]."), FilePart(name="a.pdf")),
        sources=(Source(title="T", mark="1", kind="cited"),),
    )


def narrowing(part: Part) -> str | None:
    """Says all of them: a kind that were forgotten here would not be `Never` at the end."""
    if part.kind == "text":
        assert_type(part, TextPart)
        return part.text
    if part.kind == "reasoning":
        assert_type(part, ReasoningPart)
        return part.text
    if part.kind == "tool_call":
        assert_type(part, ToolCallPart)
        return part.arguments
    if part.kind == "tool_result":
        assert_type(part, ToolResultPart)
        return part.content
    if part.kind == "file":
        assert_type(part, FilePart)
        return part.url
    if part.kind == "interaction":
        assert_type(part, InteractionPart)
        assert_type(part.options, tuple[InteractionOption, ...])
        assert_type(part.fields, tuple[InteractionField, ...])
        return part.prompt
    if part.kind == "other":
        assert_type(part, OtherPart)
        return part.type
    assert_never(part)


def matching(part: Part) -> str:
    match part:
        case TextPart(text=text) | ReasoningPart(text=text):
            return text
        case ToolCallPart() | ToolResultPart() | FilePart() | InteractionPart() | OtherPart():
            return part.kind
        case _:
            assert_never(part)


def errors(store: ConversationStore) -> float | str | None:
    try:
        store.check()
    except (RateLimitError, UnavailableError) as error:
        assert_type(error.retry_after, float | None)
        assert_type(error.retryable, bool)
        return error.retry_after
    except ProtocolError as error:
        assert_type(error.excerpt, str | None)
        return error.excerpt
    except NotFoundError as error:
        as_builtin: LookupError = error
        return str(as_builtin)
    except AuthError as error:
        as_permission: PermissionError = error
        return str(as_permission)
    except ConfigError as error:
        as_value: ValueError = error
        return str(as_value)
    except StoreError as error:
        assert_type(error.adapter, str | None)
        assert_type(error.operation, str | None)
        assert_type(error.detail, str | None)
        return error.detail
    return None
