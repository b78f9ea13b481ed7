"""The stand-in of a service in the same process, and the sync face with the async one's manners."""

import asyncio

import pytest

from convostore.dsn import DSN
from convostore.errors import InvalidError
from convostore.http import HTTPOptions, Request, Response
from convostore.testing import (
    FACES,
    Backend,
    Kit,
    NotOffered,
    Prompts,
    StoreFace,
    both_faces,
    list_clauses,
    run_clause,
)
from convostore.testing.transports import AsyncServiceTransport, ServiceTransport

from ..contract.mutants.replying_service import PROMPTS, AnsweringAdapter, AnsweringService

BODY = b"x" * 1000


def read(face, response):
    """What a transport to a service brings of a streamed answer: its head, and its pieces."""
    streamed = []
    if face == "sync":
        transport = ServiceTransport(lambda _: response, streamed)
        with transport.stream(Request("POST", "/")) as incoming:
            return incoming.reply, list(incoming.chunks), streamed

    async def reading():
        transport = AsyncServiceTransport(lambda _: response, streamed)
        async with transport.stream(Request("POST", "/")) as incoming:
            return incoming.reply, [chunk async for chunk in incoming.chunks], streamed

    return asyncio.run(reading())


@pytest.mark.parametrize("face", FACES)
def test_what_streams_comes_in_pieces_behind_its_head(face):
    response = Response(200, {"content-type": "text/event-stream"}, BODY)
    head, pieces, streamed = read(face, response)
    assert (head.status, head.content) == (200, b"")
    assert len(pieces) > 1
    assert b"".join(pieces) == BODY
    assert streamed == [(Request("POST", "/"), response)]


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    "response",
    [
        Response(200, {"content-type": "application/json"}, b"{}"),
        Response(200, {"content-type": "text/html; charset=utf-8"}, b"<html>"),
        Response(500, {"content-type": "text/event-stream"}, b"data: no\n\n"),
    ],
)
def test_what_is_no_stream_comes_whole_and_as_one_piece(face, response):
    head, pieces, _ = read(face, response)
    assert head == response
    assert pieces == [response.content]


@both_faces
async def test_a_refusing_store_lets_no_stream_leave(face):
    kit = Kit(Backend("echo://"), face.name)
    with pytest.raises(AssertionError, match="a request left"):
        async with kit.open_refusing().stream_reply(None, "a text"):
            pass


def test_a_sync_stream_has_the_manners_of_an_async_one():
    kit = Kit(Backend("echo://"), "sync")

    async def reading():
        stream = kit.open().stream_reply("c", "a text", turn_id="t")
        assert (stream.conversation_id, stream.turn_id) == ("c", "t")
        async with stream as entered:
            assert entered is stream
            events = [event async for event in stream]
        assert stream.reply.text == "You said: a text"
        await stream.aclose()
        with pytest.raises(InvalidError):
            await stream.__aenter__()
        await kit.close()
        return events

    with StoreFace("sync") as face:
        assert face.run(reading())[-1].kind == "reply_finished"


def backend(prompts):
    service = AnsweringService()
    dsn = DSN.parse("answering+http://answering.test")
    return Backend(
        lambda **options: AnsweringAdapter(dsn, HTTPOptions.model_validate(options)),
        service=service.handle,
        seed=service.seed,
        prompts=prompts,
    )


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("test_a_reply_is_what_the_list_of_messages_shows", r"Backend\(prompts=…\)"),
        ("test_a_streamed_reply_folds_to_the_stored_message", r"Backend\(prompts=…\)"),
        ("test_a_flow_that_asks_waits", r"Backend\(prompts=…\)"),
    ],
)
def test_without_prompts_the_clauses_of_replies_do_not_apply(name, reason, face):
    with pytest.raises(NotOffered, match=reason):
        run_clause(list_clauses()[name], backend(None), face)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    "name",
    [
        "test_what_a_model_thinks_streams_before_its_text",
        "test_a_reply_that_breaks_off_raises_with_what_had_arrived",
        "test_a_flow_that_asks_waits",
    ],
)
def test_a_clause_whose_prompt_is_missing_does_not_apply(name, face):
    with pytest.raises(NotOffered, match="no prompt"):
        run_clause(list_clauses()[name], backend(Prompts()), face)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("prompts", [None, Prompts(), PROMPTS])
def test_what_cannot_be_made_to_answer_meets_no_fault(prompts, face):
    run_clause(
        list_clauses()["test_a_refused_credential_raises_auth_error"], backend(prompts), face
    )
