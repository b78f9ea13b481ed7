"""What tests of streams stand on: an adapter whose service does what a script says, on both faces.

And one over HTTP, with its server on loopback. A script holds the pieces of a stream: a text is a
piece, an exception is raised in its place, and a function is called there. The service notes what
it was asked, and what of it is still open.
"""

import asyncio
import json
from contextlib import asynccontextmanager, contextmanager

from convostore import (
    DSN,
    Conversation,
    Message,
    Page,
    TextPart,
    UnavailableError,
)
from convostore.adapters import (
    AsyncIncomingReply,
    AsyncTransport,
    Decoder,
    IncomingReply,
    Stream,
    Transport,
)
from convostore.adapters.memory import MemoryAdapter
from convostore.http import HTTPAdapter, HTTPOptions, Request, Response, path
from convostore.models import Reply, TextDelta
from convostore.testing.loopback import LoopbackServer
from convostore.testing.wire_faults.server import Fault

SECRET = "sk-0123456789"
WHOLE = ("one two ", "three ", "END")


class Words(Decoder):
    """A word and the space behind it is an event; END is the end mark, BROKEN a failure."""

    def __init__(self):
        self._ended = False

    def feed(self, chunk):
        for word in (chunk.decode() if isinstance(chunk, bytes) else chunk).split():
            if word == "BROKEN":
                raise UnavailableError(f"the model failed with {SECRET}", retryable=False)
            if word == "END":
                self._ended = True
            else:
                yield TextDelta(text=f"{word} ")

    def close(self):
        if not self._ended:
            raise UnavailableError(f"the stream of {SECRET} ended without its end mark")
        return ()


class Service:
    """What answers: `script` says how, `at` what happens at a point ("begin", "open", "finish").

    Attributes:
        asked: The requests that were sent, in order.
        open: How many streams are open.
        reached: The points that were reached, "piece" among them.
    """

    def __init__(self, *script, head=None, **at):
        self.script, self.head, self.at = script, head, at
        self.asked, self.reached, self.open = [], [], 0

    def meet(self, point, thing=None):
        """What happens at a point; a coroutine where the async face has to wait for it."""
        self.reached.append(point)
        thing = self.at.get(point) if thing is None else thing
        if isinstance(thing, BaseException):
            raise thing
        return thing() if callable(thing) else None


class Scripted(MemoryAdapter):
    """An adapter of the service; it streams, and what is stored is what was streamed."""

    name = "scripted"

    def __init__(self, service):
        super().__init__(DSN.parse("memory://"), MemoryAdapter.Options())
        self.service = service
        self.surrounded = 0

    def transport(self):
        return Line(self.service)

    def async_transport(self):
        return AsyncLine(self.service)

    def wrap(self, flow):
        self.surrounded += 1
        return (yield from flow)

    def failure(self, request, reply):
        return reply

    def redact(self, error):
        error.args = (str(error).replace(SECRET, "***"),)

    def stream_reply(self, turn):
        yield "begin"

        def finish(draft):
            yield "finish"
            return draft.reply(
                conversation_id=turn.conversation_id,
                turn_id=turn.turn_id,
                message=Message(id="a", role="assistant", parts=draft.parts),
                question=None,
            )

        return Stream(request=turn, decoder=Words(), finish=finish)


class Line(Transport):
    def __init__(self, service):
        self.service = service

    def send(self, request):
        self.service.asked.append(request)
        return self.service.meet(request)

    @contextmanager
    def stream(self, request):
        self.service.asked.append("open")
        self.service.meet("open")
        self.service.open += 1
        try:
            yield IncomingReply(self.service.head, self._pieces())
        finally:
            self.service.open -= 1

    def _pieces(self):
        for each in self.service.script:
            self.service.meet("piece", each)
            if isinstance(each, str):
                yield each


class AsyncLine(AsyncTransport):
    def __init__(self, service):
        self.service = service

    async def send(self, request):
        self.service.asked.append(request)
        return await _met(self.service.meet(request))

    @asynccontextmanager
    async def stream(self, request):
        self.service.asked.append("open")
        await _met(self.service.meet("open"))
        self.service.open += 1
        try:
            yield AsyncIncomingReply(self.service.head, self._pieces())
        finally:
            self.service.open -= 1

    async def _pieces(self):
        for each in self.service.script:
            await _met(self.service.meet("piece", each))
            if isinstance(each, str):
                yield each


async def _met(thing):
    return await thing if asyncio.iscoroutine(thing) else thing


async def hear(stream, texts):
    """Adds the texts of a stream's events as they come, to its end or its error."""
    async with stream:
        async for event in stream:
            texts += [getattr(event, "text", event.kind)]


async def heard(stream):
    """The texts of a whole stream's events."""
    texts = []
    await hear(stream, texts)
    return texts


class Chat(HTTPAdapter):
    """An adapter over HTTP whose service speaks lines of words; the reply is read again there."""

    name = "chat"

    def list_conversations(self, listing):
        reply = yield Request("GET", "/list")
        return Page(items=tuple(Conversation(id=each) for each in reply.json()))

    def get_conversation(self, conversation_id):
        raise NotImplementedError

    def list_messages(self, conversation_id, listing):
        raise NotImplementedError

    def stream_reply(self, turn):
        yield from ()
        asked = {"text": turn.content[0].text, "turn": turn.turn_id}
        return Stream(
            request=Request("POST", "/chat", json=asked, patient=True),
            decoder=Words(),
            finish=lambda _: self.get_reply(turn.conversation_id, turn.turn_id),
        )

    def get_reply(self, conversation_id, turn_id):
        reply = yield Request("GET", path("/replies/{}", turn_id))
        message = Message(role="assistant", parts=(TextPart(text=reply.json()["text"]),))
        return Reply(conversation_id=conversation_id, turn_id=turn_id, message=message)


def chat(url, **options):
    dsn = DSN.parse(f"chat+{url}")
    return Chat(dsn, HTTPOptions.model_validate({"timeout": 60, **options}))


EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(content):
    """A piece as it goes over the wire; the empty one is the end."""
    return b"%x\r\n%s\r\n" % (len(content), content)


class Speaking:
    """An answer in steps: bytes are sent, and what is callable is called in their place.

    Args:
        then: How it ends: the connection is kept, closed, reset, or stalled until it is left.
    """

    def __init__(self, *steps, then="keep"):
        self._steps, self._end = steps, Fault("end", then=then)

    def write_to(self, connection):
        for step in self._steps:
            if callable(step):
                step()
            else:
                connection.sendall(step)
        return self._end.write_to(connection)


class ChatServer(LoopbackServer):
    """Answers a turn with `answer`, and knows the reply once the turn has arrived.

    Attributes:
        sent: The paths that were asked for by POST.
    """

    def __init__(self, answer):
        super().__init__(self._respond)
        self.answer_to_turn = answer
        self.sent, self.turns = [], set()

    def _respond(self, request):
        if request.method == "POST":
            self.sent.append(request.path)
            self.turns.add(request.json["turn"])
            return self.answer_to_turn
        if request.path == "/list":
            return Response(200, {"content-type": "application/json"}, b'["c"]')
        if request.path.rpartition("/")[2] in self.turns:
            said = json.dumps({"text": "one two three "}).encode()
            return Response(200, {"content-type": "application/json"}, said)
        return Response(404)
