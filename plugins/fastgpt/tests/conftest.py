"""What several test modules of this plugin use: the two faces of a store, and a closed network."""

from __future__ import annotations

import pytest

from convostore.testing import FACES, loopback

from .support.recordings import PORTS


@pytest.fixture(params=FACES)
def face(request):
    """Return a face of a store: each test that takes it runs on both."""
    return request.param


@pytest.fixture
def closed_network():
    """Make any look-up of a host and any connection elsewhere fail the test."""
    with loopback.closed_network(*PORTS.values()):
        yield
