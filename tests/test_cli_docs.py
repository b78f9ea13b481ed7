"""The examples of the command line, in its help and in its pages: each of them works."""

import re
import shlex
from pathlib import Path

import pytest

from convostore.cli.app import EXAMPLES

from .cli_kit import run, seeded

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [DOCS / "how-to" / "use-the-command-line.md", DOCS / "reference" / "command-line.md"]
SHOWN = [
    line
    for page in PAGES
    for block in re.findall(
        r"^```sh\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    for line in block.splitlines()
]
HELPED = [example for examples in EXAMPLES.values() for example in examples]


@pytest.mark.parametrize("line", sorted({*SHOWN, *HELPED}))
def test_an_example_works(line, tmp_path):
    profiles = f'[profiles.work]\ndsn = "memory://{seeded()}"\n'
    (tmp_path / "config.toml").write_text(profiles, encoding="utf-8")
    program, *words = shlex.split(re.split(r" [|>] ", line)[0])
    assert program == "convostore"
    result = run(*at_hand(words))
    assert result.exit_code == 0, result.stderr


def at_hand(words):
    """The command with a store that is there, and agreed to beforehand where it would ask."""
    words = ["work" if "://" in word else word for word in words]
    if "-o" in words:
        del words[words.index("-o") : words.index("-o") + 2]
    return [*words, "--yes"] if words[0] in {"rm", "clear"} and "--yes" not in words else words


def test_the_pages_have_examples():
    assert len(SHOWN) > 10
    assert len(HELPED) > 10


def test_every_command_has_examples_of_its_own():
    for command, examples in EXAMPLES.items():
        assert examples
        assert all(each.startswith(f"convostore {command.__name__}") for each in examples)
