"""How mutants are made and listed: adapters and plans that are wrong in one way each.

No way of being wrong may stand here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from convostore.adapters import Adapter, AsyncTransport, Operation, Traits, Transport
from convostore.adapters.echo import EchoAdapter
from convostore.adapters.memory import Call, MemoryAdapter
from convostore.config import open as open_store
from convostore.dsn import DSN
from convostore.http import HTTPOptions
from convostore.models import ReplyEvent
from convostore.store import AsyncConversationStore, AsyncReplyStream, ConversationStore
from convostore.store._operations import Operations
from convostore.testing import Backend, Prompts
from convostore.testing._faces import awaitable_stream

from .replying_service import PROMPTS, AnsweringAdapter, AnsweringService
from .sample_service import SampleAdapter, SampleService

NAMES: Final = itertools.count()
"""Gives each backend, and whatever else needs one, a name of its own."""


@dataclass(frozen=True)
class Mutant:
    """One way of being wrong.

    Attributes:
        backend: Makes a backend that is wrong so, empty.
        caught_by: The clauses that must fail on it, on both faces.
    """

    name: str
    backend: Callable[[], Backend]
    caught_by: tuple[str, ...]


ALL: list[Mutant] = []


def in_memory(*caught_by: str) -> Callable[[type[MemoryAdapter]], type[MemoryAdapter]]:
    """Register a mutant of the memory adapter."""

    def register(adapter: type[MemoryAdapter]) -> type[MemoryAdapter]:
        def backend() -> Backend:
            target = f"memory://mutant-{next(NAMES)}"
            return Backend(
                lambda **options: adapter(DSN.parse(target), options),
                unlisted=lambda: _neighbours(f"{target}-beside"),
            )

        ALL.append(Mutant(adapter.__name__, backend, caught_by))
        return adapter

    return register


def _neighbours(target: str) -> Callable[[], int]:
    """Puts a conversation into another store in the memory, and counts what is there."""
    with open_store(target) as store:
        store.create_conversation(id="neighbour")

    def count() -> int:
        with open_store(target) as store:
            return len(store.list_conversations().items)

    return count


ECHO_PROMPTS: Final = Prompts(
    thinking="think of the sea",
    choice="choose high low",
    form="fill in name age",
    filled_in={"name": "Moana", "age": "7"},
    failing="fail",
)
"""What makes an `EchoAdapter` do what the clauses are about."""


def in_echo(*caught_by: str) -> Callable[[type[EchoAdapter]], type[EchoAdapter]]:
    """Register a mutant of the echo adapter."""

    def register(adapter: type[EchoAdapter]) -> type[EchoAdapter]:
        def backend() -> Backend:
            target = f"echo://mutant-{next(NAMES)}"
            return Backend(
                lambda **options: adapter(DSN.parse(target), options), prompts=ECHO_PROMPTS
            )

        ALL.append(Mutant(adapter.__name__, backend, caught_by))
        return adapter

    return register


class MutantStream:
    """A stream that is what a right one is, but for what a mutant spoils; of either face.

    Attributes:
        make: Makes the right one anew.
    """

    def __init__(self, make: Callable[[], AsyncReplyStream]) -> None:
        self.make = make
        self.stream = make()

    @staticmethod
    def content(content: Any) -> Any:
        """What is sent in the place of a content."""
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    async def __aenter__(self) -> Self:
        await self.stream.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stream.__aexit__(kind, error, traceback)

    def __aiter__(self) -> MutantStream:
        return self

    async def __anext__(self) -> ReplyEvent:
        return await anext(self.stream)


def with_streams(*caught_by: str) -> Callable[[type[MutantStream]], type[MutantStream]]:
    """Register a mutant of a stream: a fault in what the store does around its adapter."""

    def register(stream: type[MutantStream]) -> type[MutantStream]:
        ALL.append(Mutant(stream.__name__, lambda: _StreamsBackend(stream), caught_by))
        return stream

    return register


class _StreamsBackend(Backend):
    """Opens right stores whose `stream_reply` gives wrong streams."""

    def __init__(self, stream: type[MutantStream]) -> None:
        super().__init__(f"echo://mutant-{next(NAMES)}", prompts=ECHO_PROMPTS)
        self._stream = stream

    def open(self, **options: Any) -> ConversationStore:
        store = super().open(**options)
        vars(store)["stream_reply"] = self._mutant_of(store.stream_reply)
        return store

    def aopen(self, **options: Any) -> AsyncConversationStore:
        store = super().aopen(**options)
        vars(store)["stream_reply"] = self._mutant_of(store.stream_reply)
        return store

    def _mutant_of(self, stream_reply: Callable[..., Any]) -> Callable[..., MutantStream]:
        def mutant(conversation_id: str | None, content: object, **options: Any) -> MutantStream:
            said = self._stream.content(content)
            return self._stream(
                lambda: awaitable_stream(stream_reply(conversation_id, said, **options))
            )

        return mutant


def over_http(*caught_by: str) -> Callable[[type[SampleAdapter]], type[SampleAdapter]]:
    """Register a mutant of the adapter of the sample service, or of the one that answers."""

    def register(adapter: type[SampleAdapter]) -> type[SampleAdapter]:
        answers = issubclass(adapter, AnsweringAdapter)

        def backend() -> Backend:
            service = AnsweringService() if answers else SampleService()
            dsn = DSN.parse("sample+http://sample.test")
            return Backend(
                lambda **options: adapter(dsn, HTTPOptions.model_validate(options)),
                service=service.handle,
                seed=service.seed,
                prompts=PROMPTS if answers else None,
            )

        ALL.append(Mutant(adapter.__name__, backend, caught_by))
        return adapter

    return register


def with_operations(
    *caught_by: str, knowing: bool = True
) -> Callable[[type[Operations]], type[Operations]]:
    """Register mutant operations: a fault in what the store does around its adapter.

    Args:
        caught_by: The clauses that must fail.
        knowing: Whether the adapter's traits name all that it knows.
    """

    def register(operations: type[Operations]) -> type[Operations]:
        def backend() -> Backend:
            return _OperationsBackend(operations, knowing=knowing)

        ALL.append(Mutant(operations.__name__, backend, caught_by))
        return operations

    return register


class _OperationsBackend(Backend):
    """Opens right adapters behind a wrong operations; its transports stay open.

    The adapters know no owners, and no list in another order or from an id.
    """

    def __init__(self, operations: type[Operations], *, knowing: bool) -> None:
        super().__init__(f"memory://mutant-{next(NAMES)}")
        self._operations = operations
        self._knowing = knowing

    def adapter(self, **options: object) -> Adapter:
        adapter = super().adapter(**options)
        adapter.offers -= {Operation.SET_FEEDBACK}
        if not self._knowing:
            adapter.traits = Traits()  # type: ignore[misc]  # of this one instance
        return adapter

    def open(self, **options: Any) -> ConversationStore:
        store = super().open(**({"transport": _OpenTransport()} | options))
        store._operations = self._operations(store._operations.adapter)
        return store

    def aopen(self, **options: Any) -> AsyncConversationStore:
        store = super().aopen(**({"transport": _OpenAsyncTransport()} | options))
        store._operations = self._operations(store._operations.adapter)
        return store


Spoil: TypeAlias = Callable[[Any], None]
"""Spoils a store of either face."""


def with_stores(*caught_by: str) -> Callable[[Spoil], Spoil]:
    """Register a mutant of stores: a function that spoils each one that is opened."""

    def register(spoil: Spoil) -> Spoil:
        ALL.append(Mutant(spoil.__name__, lambda: _SpoiledBackend(spoil), caught_by))
        return spoil

    return register


class _SpoiledBackend(Backend):
    def __init__(self, spoil: Spoil) -> None:
        super().__init__(f"memory://mutant-{next(NAMES)}")
        self._spoil = spoil

    def open(self, **options: Any) -> ConversationStore:
        store = super().open(**options)
        self._spoil(store)
        return store

    def aopen(self, **options: Any) -> AsyncConversationStore:
        store = super().aopen(**options)
        self._spoil(store)
        return store


class _OpenTransport(Transport[Call, object]):
    def send(self, request: Call) -> object:
        return request()


class _OpenAsyncTransport(AsyncTransport[Call, object]):
    async def send(self, request: Call) -> object:
        return request()
