"""What several test modules of this plugin use: the two faces of a store, and a closed network."""

from __future__ import annotations

import socket

import pytest

from .recordings import FACES, PORTS

_LOOPBACK = {"127.0.0.1", "::1"}


@pytest.fixture(params=FACES, ids=lambda face: face.name)
def face(request):
    """A face of a store: each test that takes it runs on both."""
    return request.param


@pytest.fixture
def closed_network(monkeypatch):
    """Makes any look-up of a host and any connection fail the test, whoever catches what."""
    connect = socket.socket.connect

    def refuse(*args, **kwargs):
        pytest.fail(f"the network was used: {args} {kwargs}")

    def refuse_far(self, address):
        # On Windows an event loop connects to itself, to be woken by.
        if (
            isinstance(address, tuple)
            and address[0] in _LOOPBACK
            and address[1] not in PORTS.values()
        ):
            return connect(self, address)
        return refuse(address)

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse_far)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse_far)
