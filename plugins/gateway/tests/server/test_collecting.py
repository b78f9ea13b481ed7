"""What a process that only serves asks of Python's collector."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.rim

COLLECTING_LESS = """
import gc
from convostore_gateway.server.run import collect_less
before = gc.get_threshold()
collect_less()
print(gc.isenabled(), gc.get_freeze_count() > 0, gc.get_threshold() > before)
"""


def test_the_collector_looks_less_often_and_still_looks():
    done = subprocess.run(
        [sys.executable, "-c", COLLECTING_LESS], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "True", "True"]
