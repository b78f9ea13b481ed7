"""What several test modules of this plugin use: the two faces of a store, and a closed network."""

from __future__ import annotations

from functools import partial

import pytest

from convostore.testing import FACES, loopback

from .support.recordings import open_store
from .support.turns import open_at


@pytest.fixture(params=FACES)
def face(request):
    """Return a face of a store: each test that takes it runs on both."""
    return request.param


@pytest.fixture
def recorded_store(face):
    """Open a store whose requests are played."""
    return lambda: open_store(face)


@pytest.fixture
def talk(face):
    """Open a store at the address of a server."""
    return partial(open_at, face)


@pytest.fixture
def closed_network():
    """Make any look-up of a host and any connection elsewhere fail the test."""
    with loopback.closed_network():
        yield
