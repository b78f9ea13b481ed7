"""What an author sees of a clause that fails: the rule, his own frame, and no frame of the kit."""

import re
import subprocess
import sys

import pytest

from convostore.testing import list_clauses

pytestmark = pytest.mark.rim

BROKEN = """
import pytest

from convostore import DSN
from convostore.adapters.memory import MemoryAdapter
from convostore.testing import Backend, FaultContract, StoreContract
from convostore.http import Response


class Broken(MemoryAdapter):
    def create_conversation(self, new):
        raise KeyError("no such table")

    def list_conversations(self, listing):
        page = yield from super().list_conversations(listing)
        return page.__class__(items=page.items[:1])


class TestBroken(StoreContract):
    @pytest.fixture
    def backend(self):
        def seed(samples):
            with convostore.open("memory://broken") as store:
                for sample in samples:
                    store.create_conversation(id=sample.conversation_id)
                    store.append_messages(sample.conversation_id, sample.messages)

        import convostore

        def adapter(**options):
            return Broken(DSN.parse("memory://broken"), Broken.Options())

        return Backend(adapter, seed=seed)


class TestBrokenOnTheWire(FaultContract):
    @pytest.fixture
    def backend(self):
        page = Response(200, {"content-type": "application/json"}, b'{"chats": []}')
        return Backend("perplexica+http://chat.test", service=lambda _: page, seed=lambda _: None)
"""
FRAME = re.compile(r"^(\S+\.py):\d+: ", re.MULTILINE)


def shown(tmp_path, test):
    """What pytest prints of a failing test of the broken adapter."""
    (tmp_path / "test_broken.py").write_text(BROKEN)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rN", "-k", test]
    result = subprocess.run(
        [*command, "test_broken.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1, result.stdout + result.stderr
    return result.stdout


def one_line(text):
    return " ".join(text.replace("E   ", " ").split())


def rule_of(clause):
    return one_line(list_clauses()[clause].__doc__)


def frames(output):
    return [name.replace("\\\\", "/") for name in FRAME.findall(output)]


def test_an_error_of_the_adapter_shows_its_own_frame_and_the_rule(tmp_path):
    clause = "test_creating_the_same_again_returns_it"
    output = shown(tmp_path, clause)
    assert rule_of(clause) in one_line(output)
    assert frames(output)[-1] == "test_broken.py"
    assert 'raise KeyError("no such table")' in output
    assert not [each for each in frames(output) if "convostore/testing" in each]
    assert not [each for each in frames(output) if "asyncio" in each]


def test_a_wrong_result_shows_what_was_compared_and_the_rule(tmp_path):
    clause = "test_pages_of_conversations_join_to_the_whole"
    output = shown(tmp_path, clause)
    assert rule_of(clause) in one_line(output)
    assert "assert 1 == 7" in output
    assert not [each for each in frames(output) if "convostore/testing" in each]


def test_a_fault_on_the_wire_shows_its_rule(tmp_path):
    from convostore.testing import FaultContract

    test = "test_a_refused_connection_is_unavailable"
    output = shown(tmp_path, test)
    assert one_line(getattr(FaultContract, test).__doc__) in one_line(output)
    assert not [each for each in frames(output) if "convostore/testing" in each]
