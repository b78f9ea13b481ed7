"""What callers pass to mirrors, exports and imports is checked before anything is read."""

import pytest

import convostore
from convostore import InvalidError
from convostore.transfer import export_conversations, import_conversations, mirror

FLAGS = [
    *[(mirror, name) for name in ("full", "new_only", "delete", "dry_run")],
    (import_conversations, "dry_run"),
    (export_conversations, "raw"),
]


@pytest.fixture
def call(tmp_path):
    """Calls `mirror`, an import or an export, with some arguments more."""
    (tmp_path / "in.jsonl").write_text("")

    def call(transfer, **arguments):
        with convostore.open("memory://") as one, convostore.open("memory://") as other:
            match transfer.__name__:
                case "mirror":
                    transfer(one, other, **arguments)
                case "import_conversations":
                    transfer(tmp_path / "in.jsonl", one, **arguments)
                case _:
                    transfer(one, tmp_path / "out.jsonl", **arguments)

    return call


@pytest.mark.parametrize(("transfer", "name"), FLAGS)
def test_a_flag_that_is_no_bool_is_named_and_what_is_long_is_not_shown(call, transfer, name):
    with pytest.raises(InvalidError, match=rf"^{name} must be True or False, got 'no'"):
        call(transfer, **{name: "no"})
    with pytest.raises(InvalidError, match=rf"^{name} must be True or False, got a long str"):
        call(transfer, **{name: "secret" * 100})
