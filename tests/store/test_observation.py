"""Observations: one for each call of a store, on both faces, and none of them in the way."""

from __future__ import annotations

import logging

import pytest

from convostore import AsyncConversationStore
from convostore.adapters import read_only
from convostore.errors import ForbiddenError, InvalidError, NotFoundError, UnavailableError
from convostore.models import Message, TextPart
from convostore.store import Observation, WriteCall
from convostore.testing import StoreFace, both_faces

Seen = list[tuple[str, str, type[BaseException] | None, int]]


def opened(face: StoreFace) -> tuple[AsyncConversationStore, Seen]:
    """Open an echo store, and return it with what is observed of it."""
    seen: Seen = []

    def note(observation: Observation) -> None:
        assert observation.seconds >= 0
        operation, adapter, _, error, items = observation
        seen.append((operation, adapter, error, items))

    return face.open("echo://", observe=note), seen


@both_faces
async def test_each_call_is_observed_once_with_what_it_returned(
    face: StoreFace,
) -> None:
    store, seen = opened(face)
    await store.create_conversation(id="c")
    await store.append_messages("c", [_message("a"), _message("b")])
    await store.list_messages("c")
    await store.delete_conversation("c")
    assert seen == [
        ("create_conversation", "echo", None, 1),
        ("append_messages", "echo", None, 2),
        ("list_messages", "echo", None, 2),
        ("delete_conversation", "echo", None, 0),
    ]


@both_faces
async def test_an_error_is_observed_by_its_class(
    face: StoreFace,
) -> None:
    store, seen = opened(face)
    for wrong, kind in (("absent", NotFoundError), ("", InvalidError)):
        with pytest.raises(kind):
            await store.get_conversation(wrong)
    assert seen == [
        ("get_conversation", "echo", NotFoundError, 0),
        ("get_conversation", "echo", InvalidError, 0),
    ]


@both_faces
async def test_a_reply_is_one_operation_whether_it_is_whole_left_early_or_refused(
    face: StoreFace,
) -> None:
    store, seen = opened(face)
    await store.reply("c", "hello")
    async with store.stream_reply("c", "hello") as stream:
        await anext(stream)
    with pytest.raises(UnavailableError):
        await store.reply("c", "fail")
    with pytest.raises(InvalidError):
        await store.reply("", "hello")
    assert [
        (operation, error and error.__name__, items) for operation, _, error, items in seen
    ] == [
        ("reply", None, 1),
        ("stream_reply", None, 0),
        ("reply", "UnavailableError", 0),
        ("reply", "InvalidError", 0),
    ]


@both_faces
async def test_views_and_batches_are_observed_by_the_store_that_was_opened(
    face: StoreFace,
) -> None:
    store, seen = opened(face)
    await store.write_batch([WriteCall("create_conversation", id=name) for name in "ab"])
    ann = store.with_namespace("ann")
    await ann.create_conversation(id="c")
    with pytest.raises(ForbiddenError):
        await ann.view(read_only).delete_conversation("c")
    assert [(operation, items) for operation, _, _, items in seen] == [
        ("write_batch", 2),
        ("create_conversation", 1),
        ("delete_conversation", 0),
    ]


@both_faces
async def test_a_callback_that_fails_is_logged_and_harms_nothing(
    face: StoreFace, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Observation) -> None:
        raise RuntimeError("the metrics are down")

    store = face.open("memory://", observe=fail)
    with caplog.at_level(logging.ERROR, logger="convostore"):
        assert (await store.create_conversation(id="c")).id == "c"
    assert "the observe callback failed" in caplog.text


def _message(name: str) -> Message:
    return Message(id=name, role="user", parts=(TextPart(text=name),))
