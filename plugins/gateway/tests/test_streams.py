"""A reply on its way to a client: it goes on whoever listens, and is never silent for long."""

import asyncio

import pytest

import convostore
from convostore.dialects import StreamedResponse
from convostore.models import TextDelta
from convostore_gateway import streams
from convostore_gateway.api.responses import NativeEncoder

MANY = 1000
"""Events, more than a reply may be ahead of its client."""
SCOPE = {"type": "http", "method": "POST", "path": "/", "headers": []}


class Reply:
    """A reply of many events, which goes on when it may."""

    message_id = None

    def __init__(self, count=MANY):
        self.count = count
        self.read = 0
        self.may_go_on = asyncio.Event()
        self.is_closed = False

    async def __aenter__(self):
        return self

    async def __aiter__(self):
        await self.may_go_on.wait()
        for _ in range(self.count):
            yield TextDelta(text="word ")
            self.read += 1

    async def aclose(self):
        self.is_closed = True


async def carried(reply, receive, send):
    async with convostore.aopen("memory://") as store:
        answer = StreamedResponse(begin=lambda _: reply, encoder=NativeEncoder())
        response = await streams.stream_response(store, answer)
        await response(SCOPE, receive, send)


async def never():
    await asyncio.Event().wait()


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_reply_is_read_to_its_end_when_its_client_goes_away(after):
    async def read():
        reply, sent, is_gone = Reply(), [], asyncio.Event()
        reply.may_go_on.set()

        async def receive():
            await is_gone.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)
            if len(sent) > after:
                is_gone.set()
                await never()

        await carried(reply, receive, send)
        await streams.settle(60)
        return reply

    reply = asyncio.run(read())
    assert (reply.read, reply.is_closed) == (MANY, True)


def test_a_reply_waits_for_a_client_that_reads_slowly():
    async def most_ahead():
        reply, ahead, heard = Reply(), [], []
        reply.may_go_on.set()

        async def send(message):
            if body := message.get("body"):
                heard.append(body.count(b"text_delta\ndata"))
                for _ in range(2 * MANY):
                    await asyncio.sleep(0)
                ahead.append(reply.read - sum(heard))

        await carried(reply, never, send)
        return max(ahead), sum(heard)

    ahead, heard = asyncio.run(most_ahead())
    assert heard == MANY
    assert 0 < ahead < 100


def test_a_client_hears_that_a_silent_reply_goes_on(monkeypatch):
    monkeypatch.setattr(streams, "_PING", 0.01)

    async def heard():
        reply, pieces = Reply(1), []

        async def send(message):
            pieces.append(message.get("body", b""))
            if pieces[-2:] == [NativeEncoder().idle()] * 2:
                reply.may_go_on.set()

        await asyncio.wait_for(carried(reply, never, send), 60)
        return b"".join(pieces)

    said = asyncio.run(heard())
    assert said.count(b"text_delta\ndata") == 1
    assert said.index(b": going on") < said.index(b"text_delta")


def test_a_reply_that_goes_on_for_too_long_is_broken_off_when_the_server_ends():
    async def left():
        reply = Reply()

        async def receive():
            return {"type": "http.disconnect"}

        async def send(message):
            pass

        await carried(reply, receive, send)
        assert not reply.is_closed
        await streams.settle(0.01)
        return reply.read, reply.is_closed

    assert asyncio.run(left()) == (0, True)


def test_a_client_that_does_not_read_keeps_no_server_from_ending():
    async def told():
        reply, pieces, may_read = Reply(), [], asyncio.Event()
        reply.may_go_on.set()

        async def send(message):
            await may_read.wait()
            pieces.append(message.get("body", b""))

        carrying = asyncio.create_task(carried(reply, never, send))
        while not reply.read:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0)
        await asyncio.wait_for(streams.settle(0.01), 60)
        assert reply.is_closed
        may_read.set()
        await asyncio.wait_for(carrying, 60)
        return b"".join(pieces)

    assert b"event: error" in asyncio.run(told())
