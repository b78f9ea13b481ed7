"""Views: a store through a wrapped adapter, over the connections of the original store.

A view closes nothing, and is closed when its store is. The changes of the wrapper are not known
here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

from ..adapters import (
    Adapter,
    AsyncIncomingReply,
    AsyncTransport,
    IncomingReply,
    Transport,
    WrappedAdapter,
)
from ..errors import InvalidError
from ..flow import Flow
from ._operations import Operations

if TYPE_CHECKING:
    from ._base import BaseStore

T = TypeVar("T")


def wrapped(inner: Adapter, wrap: Callable[[Adapter], Adapter]) -> Adapter:
    """Return the adapter of a view.

    Raises:
        InvalidError: `wrap` returned neither its argument nor a wrapper of it, or one with its own
            transport, whose requests the store's connections cannot carry.
    """
    plain = WrappedAdapter.transport, WrappedAdapter.async_transport
    adapter = link = wrap(inner)
    if not isinstance(adapter, Adapter):
        raise InvalidError(f"wrap must return an Adapter, got {type(adapter).__name__}")
    while isinstance(link, WrappedAdapter) and link is not inner:
        if (type(link).transport, type(link).async_transport) != plain:
            raise InvalidError(
                f"{type(link).__name__} has its own transport, but a view uses its store's: "
                "open a store with that adapter"
            )
        link = link.inner
    if link is not inner:  # what was unwrapped, such as a read-only adapter, has lost its guard
        raise InvalidError(
            "wrap must return its argument or a WrappedAdapter around it, got another "
            f"{type(adapter).__name__}"
        )
    return adapter


class ViewOperations(Operations):
    """The operations of a view."""

    def __init__(self, adapter: Adapter, store: BaseStore) -> None:
        self._store = store
        super().__init__(adapter, store.observer)

    @property
    def closed(self) -> bool:
        """Whether the store is closed."""
        return self._store.closed

    @closed.setter
    def closed(self, value: bool) -> None:
        """Do nothing: closing a view leaves its store open."""


class ViewTransport(Transport):
    """A transport that carries out the flows of a view as its store does.

    Args:
        transport: The store's.
        run: How the store runs a flow.
    """

    def __init__(self, transport: Transport, run: Callable[[Callable[[], Any]], Any]) -> None:
        self._transport = transport
        self._run = run

    def send(self, request: Any) -> Any:
        return self._transport.send(request)

    def run(self, make: Callable[[], Flow[Any, Any, T]]) -> T:
        result: T = self._run(make)
        return result

    def stream(self, request: Any) -> AbstractContextManager[IncomingReply]:
        return self._transport.stream(request)


class AsyncViewTransport(AsyncTransport):
    """The async counterpart of `ViewTransport`."""

    def __init__(
        self, transport: AsyncTransport, run: Callable[[Callable[[], Any]], Awaitable[Any]]
    ) -> None:
        self.concurrency = transport.concurrency
        self._transport = transport
        self._run = run

    async def send(self, request: Any) -> Any:
        return await self._transport.send(request)

    async def run(self, make: Callable[[], Flow[Any, Any, T]]) -> T:
        result: T = await self._run(make)
        return result

    def stream(self, request: Any) -> AbstractAsyncContextManager[AsyncIncomingReply]:
        return self._transport.stream(request)
