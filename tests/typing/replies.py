"""Replies and their streams as type checkers see them: checked by mypy and pyright, never run."""

from __future__ import annotations

from typing import Any, assert_never, assert_type

from convostore import (
    AsyncConversationStore,
    AsyncReplyStream,
    ConversationStore,
    FilePart,
    InteractionPart,
    InteractionRequested,
    Message,
    OtherEvent,
    Part,
    PartAdded,
    PartialReply,
    PartsReplaced,
    ReasoningDelta,
    Reply,
    ReplyEvent,
    ReplyFinished,
    ReplyStream,
    RunDetailsReported,
    RunStep,
    Source,
    SourcesFound,
    StatusChanged,
    StoreError,
    TextDelta,
    TextPart,
    TitleChanged,
    ToolCallArgumentsDelta,
    ToolCallStarted,
    ToolResultDelta,
    Usage,
    UsageReported,
    VariablesUpdated,
)


def replying(store: ConversationStore) -> None:
    assert_type(store.reply(None, "hi"), Reply)
    assert_type(store.reply("c", [TextPart(text="hi"), FilePart(name="a")], turn_id="t"), Reply)
    assert_type(store.reply("c", "hi", model="large", temperature=0.5), Reply)
    assert_type(store.answer("c", "tea"), Reply)
    assert_type(store.answer("c", {"name": "Ann", "age": 7}, detail=True), Reply)
    assert_type(store.get_reply("c", "t"), Reply)


def streaming(store: ConversationStore) -> None:
    assert_type(store.stream_reply("c", "hi", turn_id="t", model="large"), ReplyStream)
    assert_type(store.stream_answer("c", "tea"), ReplyStream)
    assert_type(store.resume_reply("c", "t"), ReplyStream)
    with store.stream_reply(None, "hi") as stream:
        assert_type(stream, ReplyStream)
        assert_type(next(stream), ReplyEvent)
        for event in stream:
            assert_type(event, ReplyEvent)
    assert_type(stream.conversation_id, str)
    assert_type(stream.turn_id, str | None)
    assert_type(stream.reply, Reply)
    assert_type(stream.so_far, PartialReply)
    stream.close()


async def replying_later(store: AsyncConversationStore) -> None:
    assert_type(await store.reply(None, [TextPart(text="hi")], model="large"), Reply)
    assert_type(await store.answer("c", {"name": "Ann"}), Reply)
    assert_type(await store.get_reply("c", "t"), Reply)


async def streaming_later(store: AsyncConversationStore) -> None:
    assert_type(store.stream_reply("c", "hi", turn_id="t", model="large"), AsyncReplyStream)
    assert_type(store.stream_answer("c", "tea"), AsyncReplyStream)
    assert_type(store.resume_reply("c", "t"), AsyncReplyStream)
    async with store.stream_reply(None, "hi") as stream:
        assert_type(stream, AsyncReplyStream)
        assert_type(await anext(stream), ReplyEvent)
        async for event in stream:
            assert_type(event, ReplyEvent)
    assert_type(stream.reply, Reply)
    assert_type(stream.so_far, PartialReply)
    await stream.aclose()


def values(reply: Reply, partial: PartialReply, error: StoreError) -> None:
    assert_type(reply.conversation_id, str)
    assert_type(reply.turn_id, str | None)
    assert_type(reply.message, Message)
    assert_type(reply.question, Message | None)
    assert_type(reply.text, str)
    assert_type(reply.title, str | None)
    assert_type(reply.variables, dict[str, Any] | None)
    assert_type(reply.run_details, tuple[RunStep, ...])
    assert_type(reply.usage, Usage | None)
    assert_type(reply.interaction, InteractionPart | None)
    assert_type(partial.parts, tuple[Part, ...])
    assert_type(partial.sources, tuple[Source, ...])
    assert_type(partial.text, str)
    assert_type(error.partial, PartialReply | None)


def narrowing(event: ReplyEvent) -> object:  # noqa: C901  # a case for each kind
    """Says all of them: a kind that were forgotten here would not be `Never` at the end."""
    match event:
        case TextDelta(text=text) | ReasoningDelta(text=text):
            return assert_type(text, str)
        case ToolCallStarted(name=name):
            return assert_type(name, str)
        case ToolCallArgumentsDelta(arguments=arguments):
            return assert_type(arguments, str)
        case ToolResultDelta(content=content):
            return assert_type(content, str)
        case PartAdded(part=part):
            return assert_type(part, Part)
        case PartsReplaced(parts=parts):
            return assert_type(parts, tuple[Part, ...])
        case SourcesFound(sources=sources):
            return assert_type(sources, tuple[Source, ...])
        case StatusChanged(name=name, status=status):
            return assert_type((name, status), tuple[str, str])
        case InteractionRequested(interaction=interaction):
            return assert_type(interaction, InteractionPart)
        case TitleChanged(title=title):
            return assert_type(title, str)
        case VariablesUpdated(variables=variables):
            return assert_type(variables, dict[str, Any])
        case RunDetailsReported(steps=steps):
            return assert_type(steps, tuple[RunStep, ...])
        case UsageReported(usage=usage):
            return assert_type(usage, Usage)
        case ReplyFinished(reply=reply):
            return assert_type(reply, Reply)
        case OtherEvent(type=kind):
            return assert_type(kind, str | None)
        case _:
            assert_never(event)


def told_apart(event: ReplyEvent) -> str:
    """The kind alone tells the class."""
    if event.kind == "text_delta":
        assert_type(event, TextDelta)
        return event.text
    if event.kind == "reply_finished":
        assert_type(event, ReplyFinished)
        return event.reply.text
    return event.kind
