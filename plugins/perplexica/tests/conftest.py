"""What several test modules of this plugin use: the two faces of a store, and a closed network."""

from __future__ import annotations

import pytest

from convostore.testing import loopback

from .support.recordings import FACES
from .support.turns import TALKS


@pytest.fixture(params=FACES)
def face(request):
    """Return a face of a store: each test that takes it runs on both."""
    return request.param


@pytest.fixture(params=TALKS, ids=lambda talk: talk.name)
def talk(request):
    """Return a face of a store that is talked to: each test that takes it runs on both."""
    return request.param


@pytest.fixture
def closed_network():
    """Make any look-up of a host and any connection elsewhere fail the test."""
    with loopback.closed_network():
        yield
