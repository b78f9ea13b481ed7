"""The examples of the command line, in its help and in its pages: each of them works."""

import re
import shlex
import shutil
import zipfile
from pathlib import Path

import pytest

from convostore.cli.app import EXAMPLES
from convostore.config import config_file

from ..support.cli import on_a_terminal, on_posix, run, seeded

DOCS = Path(__file__).parents[2] / "docs"
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


FORMATS = Path(__file__).parents[1] / "formats"


@pytest.fixture
def at_work(tmp_path, monkeypatch):
    """A folder with the profiles `work` and `archive`, and with files to import."""
    work = seeded()
    profiles = "".join(
        f'[profiles.{name}]\ndsn = "{dsn}"\n'
        for name, dsn in {"work": f"echo://{work}", "archive": f"memory://{work}-archive"}.items()
    )
    (tmp_path / "config.toml").write_text(f'default = "work"\n{profiles}', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    run("export", "work", "--file", "work.jsonl")
    run("ask", "work", "choose red blue", "--conversation=forms")
    shutil.copy(FORMATS / "openai.jsonl", tmp_path / "messages.jsonl")
    with zipfile.ZipFile("chatgpt.zip", "w") as archive:
        archive.write(FORMATS / "chatgpt-2025.json", "conversations.json")


TALKS = {line for line in (*SHOWN, *HELPED) if line.startswith("convostore chat ")}


@pytest.mark.parametrize("line", sorted({*SHOWN, *HELPED} - TALKS))
def test_an_example_works(line, at_work):
    pieces = re.split(r" [|<>] ", line)
    program, *words = shlex.split(next(each for each in pieces if each.startswith("convostore")))
    assert program == "convostore"
    if words[0] == "init" or words[:2] == ["profiles", "add"]:  # a page begins without any
        config_file().unlink()
    result = run(*at_hand(words), input="When is high tide?")
    assert result.exit_code == 0, result.stderr


@pytest.mark.rim
@on_posix
@pytest.mark.parametrize("line", sorted(TALKS))
def test_a_conversation_begins_as_in_an_example(line):
    _, *words = shlex.split(line)
    words = ["echo://seeded" if word == "work" else word for word in at_hand(words)]
    session = on_a_terminal(*words, answers=[("\x1b[?2004h", "\x04")])
    assert session.status == 0, session.shown


def at_hand(words):
    """The command with a store that is there, and agreed to beforehand where it would ask."""
    if words[0] == "init" or words[:2] == ["profiles", "add"]:
        return words
    words = ["archive" if word.startswith("sqlite:") else word for word in words]
    words = ["work" if "+http" in word else word for word in words]
    for option in {"-o", "-t"} & {*words}:
        del words[words.index(option) : words.index(option) + 2]
    if "--mirror" in words and "--archive" not in words:
        words += ["--archive", "archive"]
    asks = words[0] in {"rm", "clear"} or "--delete" in words
    return [*words, "--yes"] if asks and "--yes" not in words else words


def test_the_pages_have_examples():
    assert len(SHOWN) > 10
    assert len(HELPED) > 10


def test_every_command_has_examples_of_its_own():
    for command, examples in EXAMPLES.items():
        assert examples
        assert all(example.startswith(f"convostore {command.__name__}") for example in examples)
