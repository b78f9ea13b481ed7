"""Which store a command means: the one that is named, or the default, and never one by mistake."""

import pytest

import convostore
from convostore.cli.errors import ExitCode
from convostore.config import config_file

from ..support.cli import run, seeded

PROFILES = """
default = "work"

[profiles.work]
dsn = "echo://{work}"

[profiles.archive]
dsn = "echo://{archive}"

[profiles.dev]
dsn = "echo://dev"
"""


@pytest.fixture
def work():
    """The name of the memory of the profile `work`, which is the default."""
    name = seeded()
    config_file().write_text(PROFILES.format(work=name, archive=seeded()), encoding="utf-8")
    return name


def ids(result):
    assert result.exit_code == 0, result.stderr
    return [line.split("\t")[0] for line in result.stdout.splitlines()]


def stored(name):
    with convostore.open(f"memory://{name}") as store:
        return {conversation.id for conversation in store.conversations()}


def said(name, conversation_id):
    with convostore.open(f"memory://{name}") as store:
        return [message.text for message in store.messages(conversation_id)]


def test_without_a_target_the_default_of_the_file_is_meant(work):
    assert ids(run("ls")) == ["moon", "tides"]
    assert "tide?" in run("show", "tides").stdout


def test_the_environment_wins_over_the_file(work, monkeypatch):
    other = seeded()
    with convostore.open(f"memory://{other}") as store:
        store.create_conversation(id="other")
    monkeypatch.setenv("CONVOSTORE_TARGET", f"memory://{other}")
    assert "other" in ids(run("ls"))


def test_a_default_needs_no_file(monkeypatch):
    monkeypatch.setenv("CONVOSTORE_TARGET", f"memory://{seeded()}")
    assert ids(run("ls")) == ["moon", "tides"]


@pytest.mark.parametrize("command", ["ls", "stats", "doctor"])
def test_without_a_default_a_command_says_how_to_name_a_store(command):
    result = run(command)
    assert result.exit_code == ExitCode.USAGE
    assert "name of a profile" in result.stderr
    assert "convostore init" in result.stderr


@pytest.mark.parametrize("target", ["archive", "memory://elsewhere"])
def test_a_first_argument_that_can_be_a_store_is_the_target(work, target):
    result = run("rename", target, "tides", "Of another store")
    assert result.exit_code == (0 if target == "archive" else ExitCode.NOT_FOUND)
    with convostore.open(f"memory://{work}") as store:
        assert store.get_conversation("tides").title == "When is\nhigh tide?"


def test_options_stand_anywhere_beside_the_default(work):
    assert ids(run("ls", "--limit", "1")) == ["moon"]
    assert "tide?" in run("show", "--last", "2", "tides").stdout


def test_arguments_that_are_all_there_begin_with_the_target(work):
    result = run("show", "nowhere", "tides")
    assert result.exit_code == ExitCode.USAGE
    assert "there is no profile 'nowhere'" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("ask", "wrok"),
        ("ask", "WORK"),
        ("ask", "dve"),
        ("show", "wrok"),
        ("export", "wrok"),
        ("export", "archiv", "tides"),
        ("chat", "achive"),
        ("tag", "wrok", "a=b"),
    ],
)
def test_what_is_nearly_a_profile_is_an_error_and_nothing_is_sent(work, words):
    before = said(work, "tides"), stored(work)
    result = run(*words, input="of great secrecy")
    assert result.exit_code == ExitCode.USAGE
    assert "did you mean" in result.stderr
    assert "--target" in result.stderr
    assert result.stderr.count("\n") == 1
    assert (said(work, "tides"), stored(work)) == before


@pytest.mark.parametrize(
    "words", [("ask", ""), ("ls", "-T", ""), ("ls", "--target="), ("chat", ""), ("ls", "")]
)
def test_an_empty_word_of_an_unset_variable_is_no_target(work, words):
    before = said(work, "tides"), stored(work)
    result = run(*words, input="of great secrecy")
    assert result.exit_code == ExitCode.USAGE
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert (said(work, "tides"), stored(work)) == before


@pytest.mark.parametrize("target", ["-x", "--json", "--option=create=true", "--target=archive"])
def test_a_default_target_is_never_an_option(work, monkeypatch, target):
    monkeypatch.setenv("CONVOSTORE_TARGET", target)
    result = run("ls")
    assert result.exit_code == ExitCode.USAGE
    assert "begins with '-'" in result.stderr


@pytest.mark.parametrize("word", ["history.db", "sqlite:/history.db", "fastgpt+http:/host"])
def test_what_is_nearly_a_dsn_is_not_taken_for_an_id(work, word):
    result = run("export", word)
    assert result.exit_code == ExitCode.USAGE
    assert "did you mean" in result.stderr


def test_an_id_with_a_colon_of_no_scheme_is_an_id(work):
    with convostore.open(f"memory://{work}") as store:
        store.create_conversation(id="user:7", title="Seventh")
    assert "Seventh" in run("show", "user:7").stdout


def test_words_to_search_for_may_be_near_to_a_profile(work):
    assert run("search", "word").exit_code == 0
    assert run("search", "high", "tide").stdout


def test_an_option_names_the_target_where_a_word_is_both(work):
    with convostore.open(f"memory://{work}") as store:
        store.create_conversation(id="archive", title="An id like a profile")
    assert run("show", "archive").exit_code == ExitCode.USAGE
    assert "An id like" in run("show", "--target", "work", "archive").stdout
    assert "An id like" in run("show", "archive", "-T", "work").stdout


@pytest.mark.parametrize(
    "words",
    [
        ("rm", "tides", "--yes"),
        ("rm", "wrok", "tides", "--yes"),
        ("rm", "--older-than", "0m", "--yes"),
        ("pop", "tides", "--yes"),
        ("clear", "--yes"),
        ("mirror", "archive", "--delete", "--yes"),
    ],
)
def test_nothing_is_deleted_in_a_store_that_was_not_named(work, words):
    before = said(work, "tides"), stored(work)
    assert run(*words).exit_code == ExitCode.USAGE
    assert (said(work, "tides"), stored(work)) == before


def test_an_import_names_its_store(work, tmp_path):
    file = tmp_path / "a.jsonl"
    run("export", "--file", file)
    result = run("import", file)
    assert result.exit_code == ExitCode.USAGE
    assert "DST" in result.stderr


@pytest.mark.parametrize(
    ("text", "reason"),
    [("default = [", "TOML"), ("default = 7\n", "must be a text"), ('default = ""\n', "a text")],
)
def test_a_default_that_cannot_be_read_is_one_line_and_a_dsn_does_without(text, reason):
    config_file().write_text(text, encoding="utf-8")
    result = run("ls")
    assert result.exit_code == ExitCode.USAGE
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1
    assert ids(run("ls", f"memory://{seeded()}")) == ["moon", "tides"]
    assert run("show", "--help").exit_code == 0


def test_a_default_that_is_no_profile_is_said(work):
    config_file().write_text('default = "gone"\n', encoding="utf-8")
    result = run("ls")
    assert result.exit_code == ExitCode.USAGE
    assert "'gone'" in result.stderr


def test_help_shows_which_argument_may_be_left_out():
    shown = run("show", "--help").stdout
    assert shown.count("required]") == 1  # the id
    assert "--target" in shown
    assert "--target" not in run("rm", "--help").stdout
    assert run("rm", "--help").stdout.count("required]") == 1  # the store
