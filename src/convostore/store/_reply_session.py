"""The session of one reply: a generator of steps that decides all that happens, and does no I/O.

A reply has more to it than one flow. The turn is sent once, and its answer comes in pieces that
must reach the caller as they come; afterwards the service is asked again for what only it knows,
such as ids and sources. So `ReplySession.steps` yields steps, and the streams (`_streams`, one
class for each face) carry each of them out in a line or two:

    RunFlow      the adapter's flow that describes the stream, or sends the turn where the backend
                 does not stream and returns the whole reply
    OpenStream   send the request; what is sent back is the head of the response
    ReadChunk    read the next piece; None is the end
    EmitEvents   hand events to the caller, one by one
    RunFlow      the flow that reads again what was stored, and returns the reply
    EmitEvents   `ReplyFinished`, always the last event

Three rules hold throughout:

* The stream is opened once. A turn is never sent again by itself: the service may have stored it.
* No step is taken before the caller has taken the events of the one before, so a stream is read no
  faster than it is used, and memory holds one piece.
* An error that ends a reply carries what had arrived (`StoreError.partial`) and the ids by which
  `get_reply` finds the rest.

Nothing of any one backend may be here.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ..adapters import Adapter, Operation, ReplyAccumulator, Stream
from ..adapters._accumulator import with_whole_characters
from ..errors import StoreError
from ..flow import Flow
from ..models import PartialReply, ReasoningDelta, Reply, ReplyEvent, ReplyFinished, TextDelta
from ._observation import Observer, Watch

# Any, in this module: a backend's own requests, replies and chunks, which nothing here looks at.


@dataclass(frozen=True, slots=True)
class OpenStream:
    """A step: send the request whose reply comes in pieces; the result is its head."""

    request: Any


class ReadChunk:
    """A step: read the next piece of the stream; the result is None at its end."""


@dataclass(frozen=True, slots=True)
class EmitEvents:
    """A step: hand events to the caller, each before the next is made."""

    events: Iterator[ReplyEvent]


@dataclass(frozen=True, slots=True)
class RunFlow:
    """A step: run a flow of the adapter; the result is the flow's."""

    make: Callable[[], Flow[Any, Any, Any]]


Step: TypeAlias = OpenStream | ReadChunk | EmitEvents | RunFlow
Steps: TypeAlias = Generator[Step, Any, None]

_READ: Final = ReadChunk()


class _Characters:
    """Halves of characters, joined again where a service cut one in two, as JavaScript can."""

    def __init__(self) -> None:
        self._held: TextDelta | ReasoningDelta | None = None

    def concern(self, event: ReplyEvent) -> bool:
        """Return whether an event ends in half a character, or follows one that did."""
        if self._held is not None:
            return True
        return isinstance(event, TextDelta | ReasoningDelta) and _ends_in_half(event.text)

    def joined(self, event: ReplyEvent) -> Iterator[ReplyEvent]:
        """Yield an event with whole characters; half of one is kept for the next."""
        held, self._held = self._held, None
        if held is not None and type(event) is type(held):
            event = _saying(event, with_whole_characters(held.text + event.text))
        elif held is not None:
            yield held
        if isinstance(event, TextDelta | ReasoningDelta) and _ends_in_half(event.text):
            self._held = _saying(event, event.text[-1])
            event = _saying(event, event.text[:-1])
            if not event.text:
                return
        yield event

    def rest(self) -> Iterator[ReplyEvent]:
        """Yield the half of a character whose other half never came."""
        held, self._held = self._held, None
        if held is not None:
            yield held


def _ends_in_half(text: str) -> bool:
    return "\ud800" <= text[-1:] <= "\udbff"


def _saying(delta: TextDelta | ReasoningDelta, text: str) -> TextDelta | ReasoningDelta:
    return delta.model_copy(update={"text": text})


class ReplySession:
    """One reply under way: its ids, what has arrived of it, and the flow of its steps."""

    def __init__(
        self,
        adapter: Adapter,
        operation: Operation,
        begin: Callable[[], Flow[Any, Any, Stream | Reply]],
        *,
        conversation_id: str,
        turn_id: str | None,
        observe: Observer | None = None,
    ) -> None:
        self.conversation_id = conversation_id
        self.turn_id = turn_id
        self.message_id: str | None = None
        self.accumulator = ReplyAccumulator()
        self.reply: Reply | None = None
        self._characters = _Characters()
        self._adapter = adapter
        self._operation = operation
        self._begin = begin
        self._observe = observe

    def so_far(self) -> PartialReply:
        return PartialReply(
            conversation_id=self.conversation_id,
            turn_id=self.turn_id,
            parts=self.accumulator.parts,
            sources=self.accumulator.sources,
        )

    def steps(self) -> Steps:
        """Generate the steps of the reply.

        An event reaches the caller before the step after it is taken: the stream is read no faster
        than it is used.
        """
        with Watch(self._observe, self._operation.value, self._adapter.name) as watch:
            try:
                begun: Stream | Reply = yield RunFlow(self._begin)
                reply = begun if isinstance(begun, Reply) else (yield from self._streamed(begun))
                self.reply = watch.returned(reply)
                self.turn_id = self.turn_id or reply.turn_id
                self.message_id = reply.message.id
            except StoreError as error:
                self._complete(error)
                raise
        yield EmitEvents(iter([ReplyFinished(reply=reply)]))

    def _complete(self, error: StoreError) -> None:
        """Add to an error where it happened, and the part of the reply that had arrived."""
        self._adapter.redact(error)
        error.adapter = error.adapter or self._adapter.name
        error.operation = error.operation or self._operation.value
        if self.turn_id is None and error.partial is not None:
            self.turn_id = error.partial.turn_id  # which only its flow knew
        error.partial = self.so_far()

    def _streamed(self, stream: Stream) -> Generator[Step, Any, Reply]:
        self.turn_id = stream.turn_id or self.turn_id
        self.message_id = stream.message_id
        head = yield OpenStream(stream.request)
        refusal = self._adapter.failure(stream.request, head)
        if refusal is not None:
            raise refusal
        if stream.read_message_id is not None:
            self.message_id = stream.read_message_id(head)
        while (chunk := (yield _READ)) is not None:
            yield EmitEvents(self._decoded(stream.decoder.feed(chunk)))
        yield EmitEvents(self._decoded(stream.decoder.close()))
        yield EmitEvents(self._added(self._characters.rest()))
        reply: Reply = yield RunFlow(lambda: self._adapter.wrap(stream.finish(self.accumulator)))
        return reply

    def _decoded(self, events: Iterable[ReplyEvent]) -> Iterator[ReplyEvent]:
        """Yield the events of a decoder, which may fail between two of them."""
        add = self.accumulator.add
        concern = self._characters.concern
        try:
            for event in events:
                if concern(event):
                    yield from self._added(self._characters.joined(event))
                else:
                    add(event)
                    yield event
        except StoreError as error:
            self._complete(error)
            raise

    def _added(self, events: Iterator[ReplyEvent]) -> Iterator[ReplyEvent]:
        for event in events:
            self.accumulator.add(event)
            yield event
