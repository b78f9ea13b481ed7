"""Stores of either face on a service that is a function, for tests of replies; nothing waits."""

from __future__ import annotations

from typing import Any

from tests.support.faces import PlainStore

from convostore.config import open_adapter
from convostore.flow import arun, run
from convostore.testing.transports import AsyncServiceTransport, Service, ServiceTransport

from .service import OPTIONS


class UnhurriedTransport(ServiceTransport):
    """Notes the seconds that flows ask to wait, and waits for nothing."""

    def __init__(self, service: Service, slept: list[float]) -> None:
        super().__init__(service, [])
        self._slept = slept

    def run(self, make: Any) -> Any:
        return run(make(), self.send, sleep=self._slept.append)


class AsyncUnhurriedTransport(AsyncServiceTransport):
    """The same for the async face."""

    def __init__(self, service: Service, slept: list[float]) -> None:
        super().__init__(service, [])
        self._slept = slept

    async def run(self, make: Any) -> Any:
        async def sleep(seconds: float) -> None:
            self._slept.append(seconds)

        return await arun(make(), self.send, sleep=sleep)


TRANSPORTS = {"sync": UnhurriedTransport, "async": AsyncUnhurriedTransport}


class Chat(PlainStore):
    """A store.

    Attributes:
        slept: The seconds that flows asked to wait.
    """

    def __init__(self, face: str, service: Service, **options: object) -> None:
        self.slept: list[float] = []
        adapter = open_adapter("fastgpt+http://chat.test", **{"retries": 0, **OPTIONS, **options})
        super().__init__(face, adapter, transport=TRANSPORTS[face](service, self.slept))
