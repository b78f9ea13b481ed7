"""A service on loopback whose answers a test pours out event by event, and a backend for it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from threading import Event

from convostore.models import TextDelta
from convostore.testing.loopback import serve

ADAPTER = '''
import json
from pydantic import TypeAdapter
from convostore.errors import ProtocolError, UnavailableError
from convostore.models import ReplyEvent
from convostore.http import Request
from convostore.models import Message, Source, TextPart
from convostore.plugins import hookimpl
from tests.contract.mutants.sample_service import SampleAdapter
from convostore.adapters import Decoder, Stream

EVENTS = TypeAdapter(ReplyEvent)

class Lines(Decoder[bytes]):
    """A line of JSON for each event; an empty one is the end."""

    def __init__(self):
        self.rest = b""
        self.ended = False

    def feed(self, chunk):
        *lines, self.rest = (self.rest + chunk).split(b"\\n")
        for line in lines:
            if not line:
                self.ended = True
                continue
            try:
                yield EVENTS.validate_json(line)
            except ValueError:
                raise ProtocolError("this is no event") from None

    def close(self):
        if not self.ended:
            raise UnavailableError("the reply has no end")
        return ()

class TapAdapter(SampleAdapter):
    name = "tap"

    def stream_reply(self, turn):
        yield from ()
        return Stream(
            request=Request("POST", "/say", json={"text": turn.content[0].text}, patient=True),
            decoder=Lines(),
            finish=lambda draft: self.read(turn.conversation_id, turn.turn_id, draft),
        )

    def read(self, conversation_id, turn_id, draft):
        stored = (yield Request("GET", "/stored")).json()
        return draft.reply(
            conversation_id=conversation_id,
            turn_id=turn_id,
            message=Message(id="answer", role="assistant", **stored),
            question=None,
        )

    def get_reply(self, conversation_id, turn_id):
        from convostore.adapters import ReplyAccumulator
        return self.read(conversation_id, turn_id, ReplyAccumulator())

@hookimpl
def convostore_adapters():
    return {"tap": TapAdapter}
'''

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n"


def said(*texts):
    """Each text as a line of the service's."""
    return [line(TextDelta(text=text)) for text in texts]


def line(event):
    """An event as a line of the service's."""
    return event.model_dump_json().encode() + b"\n"


END = b"\n"


class Tap:
    """What the service answers next.

    Attributes:
        pieces: What is poured out, a chunk each.
        stays: Whether the connection then stays open until the client leaves.
        stored: What is read again when the answer is whole.
        asked: What the service was told, one after the other.
    """

    def __init__(self):
        self.pieces = []
        self.stays = False
        self.stored = {"parts": [{"kind": "text", "text": ""}]}
        self.asked = []
        self.released = Event()

    def handle(self, request):
        if request.path == "/stored":
            from convostore.http import Response

            body = json.dumps(self.stored).encode()
            return Response(200, {"content-type": "application/json"}, body)
        self.asked.append(request.json["text"])
        return self

    def write_to(self, connection):
        connection.sendall(_HEAD)
        for piece in self.pieces:
            connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        if self.stays:
            self.released.wait()
        elif self.pieces[-1:] == [END]:
            connection.sendall(b"0\r\n\r\n")
        return False


@contextmanager
def running():
    """A tap, and the DSN of its service, which runs meanwhile."""
    tap = Tap()
    with serve(tap.handle) as url:
        try:
            yield tap, f"tap+{url}"
        finally:
            tap.released.set()
