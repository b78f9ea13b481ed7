"""Opening a store: options from five places, profiles, and messages that hold no secret."""

import itertools
import json
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

import convostore
from convostore import ConfigError, ConversationStore
from convostore.config import Default, config_file, file_dsn, open_adapter

PLUGIN = """
from pydantic import Field, SecretStr

from convostore.adapters import AdapterOptions
from convostore.adapters.memory import MemoryAdapter
from convostore.plugins import hookimpl


class NotesOptions(AdapterOptions):
    colour: str = "default"
    size: int = Field(default=1, ge=1)
    api_key: SecretStr | None = None
    labels: dict[str, str] = Field(default_factory=dict)


class NeedyOptions(NotesOptions):
    app_id: str


class Notes(MemoryAdapter):
    name = "notes"
    Options = NotesOptions


class Needy(Notes):
    Options = NeedyOptions


@hookimpl
def convostore_adapters():
    return {"notes": Notes, "needy": Needy, "two-words": Notes}
"""


@pytest.fixture(autouse=True)
def _notes(site):
    site.install("acme-notes", {"notes": PLUGIN, "needy": PLUGIN, "two-words": PLUGIN})


def profiles(text):
    config_file().write_text(text, encoding="utf-8")


def options(target, **given):
    return open_adapter(target, **given).options


def refused(target, **given):
    with pytest.raises(ConfigError) as caught:
        convostore.open(target, **given)
    with pytest.raises(ConfigError, match=r".") as again:
        convostore.aopen(target, **given)
    assert str(again.value) == str(caught.value)
    return str(caught.value)


# Where options come from.

SOURCES = ["argument", "DSN", "environment", "profile", "default"]


@pytest.mark.parametrize(("winner", "loser"), list(itertools.combinations(SOURCES, 2)))
def test_of_two_places_the_nearer_one_wins(winner, loser, monkeypatch):
    places = {winner, loser}
    dsn = "notes://?colour=DSN" if "DSN" in places else "notes://"
    profiles(f'[profiles.work]\ndsn = "{dsn}"\n')
    if "profile" in places:
        profiles(f'[profiles.work]\ndsn = "{dsn}"\ncolour = "profile"\n')
    if "environment" in places:
        monkeypatch.setenv("CONVOSTORE_NOTES_COLOUR", "environment")
    given = {"colour": "argument"} if "argument" in places else {}
    assert options("work", **given).colour == winner


def test_options_of_several_places_are_merged(monkeypatch):
    profiles('[profiles.work]\ndsn = "notes://?size=3"\ncolour = "blue"\n')
    monkeypatch.setenv("CONVOSTORE_NOTES_API_KEY", "k3y")
    read = options("work")
    assert (read.colour, read.size) == ("blue", 3)
    assert read.api_key.get_secret_value() == "k3y"


def test_an_option_of_another_scheme_s_environment_does_not_count(monkeypatch):
    monkeypatch.setenv("CONVOSTORE_NEEDY_COLOUR", "red")
    assert options("notes://").colour == "default"


def test_an_empty_variable_counts_as_none(monkeypatch):
    monkeypatch.setenv("CONVOSTORE_NOTES_SIZE", "")
    assert options("notes://").size == 1


def test_a_scheme_with_a_hyphen_has_an_underscore_in_the_environment(monkeypatch):
    monkeypatch.setenv("CONVOSTORE_TWO_WORDS_COLOUR", "red")
    assert options("two-words://").colour == "red"


def test_texts_of_a_dsn_and_the_environment_become_numbers(monkeypatch):
    assert options("notes://?size=7").size == 7
    monkeypatch.setenv("CONVOSTORE_NOTES_SIZE", "8")
    assert options("notes://").size == 8


def test_a_transport_of_the_caller_s_own_takes_the_adapter_s_place():
    store = convostore.open("notes://")
    with convostore.open("notes://", transport=store._transport) as other:
        assert other._transport is store._transport
    assert isinstance(store, ConversationStore)


def test_a_default_of_the_program_comes_last_and_only_where_the_adapter_has_the_option():
    assert options("notes://", colour=Default("program"), other=Default(1)).colour == "program"
    assert options("notes://?colour=DSN", colour=Default("program")).colour == "DSN"
    profiles('[profiles.work]\ndsn = "notes://"\ncolour = "profile"\n')
    assert options("work", colour=Default("program")).colour == "profile"
    assert "'size' must be greater than" in refused("notes://", size=Default(0))


# What is opened.

NO_SQLITE = 'no installed plugin serves sqlite://: pip install "convostore[sqlite]"'
"""Here is the plugin of these tests only."""


@pytest.mark.parametrize(
    ("path", "dsn"),
    [
        (PurePosixPath("chats.db"), "sqlite:///chats.db"),
        (PurePosixPath("/data/a b?c#d%.db"), "sqlite:////data/a%20b%3Fc%23d%25.db"),
        (PureWindowsPath(r"C:\data\chats.db"), "sqlite:///C:/data/chats.db"),
        (PurePosixPath("潮汐.db"), "sqlite:///%E6%BD%AE%E6%B1%90.db"),
    ],
)
def test_a_path_is_the_file_there(path, dsn):
    assert file_dsn(path) == dsn
    assert refused(path) == refused(dsn) == NO_SQLITE


def test_a_path_that_is_not_utf_8_is_refused():
    assert "UTF-8" in refused(PurePosixPath("\udcff.db"))


@pytest.mark.parametrize("target", [None, 5, b"memory://", {"dsn": "memory://"}])
def test_what_is_no_target_is_refused_by_its_type(target):
    assert f"got {type(target).__name__}" in refused(target)


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("chats.db", "sqlite:///chats.db"),
        ("data/chats", "sqlite:///data/chats"),
        ("C:/data/chats.db", "sqlite:///C:/data/chats.db"),
        ("sqlite:chats.db", "sqlite:///chats.db"),
        ("sqlite:/chats.db", "sqlite:///chats.db or sqlite:////chats.db"),
        ("fastgpt+http:/localhost:3000", "fastgpt+http://localhost:3000"),
        ("postgresql:me:s3cret@host/db", "postgresql://me:***@host/db"),
    ],
)
def test_a_target_with_too_few_slashes_gets_what_was_meant(target, meant):
    message = refused(target)
    assert message.endswith(f"did you mean {meant}?")
    assert "s3cret" not in message


def test_a_profile_may_have_the_name_of_a_file():
    profiles('[profiles."chats.db"]\ndsn = "notes://profile"\n')
    assert convostore.open("chats.db").label == "notes://profile"
    assert "did you mean sqlite:///chat.db?" in refused("chat.db")


def test_a_transport_of_the_other_face_and_an_observer_that_is_none_are_refused():
    transport = open_adapter("notes://").transport()
    with pytest.raises(ConfigError, match=r"must be a convostore\.adapters\.AsyncTransport"):
        convostore.aopen("notes://", transport=transport)
    assert "observe must be a function, got int" in refused("notes://", observe=5)


# Options that are wrong.


def test_a_misspelt_option_gets_the_nearest_name():
    assert "no option 'color': did you mean 'colour'?" in refused("notes://?color=red")
    assert "did you mean 'api_key'?" in refused("notes://", apikey="k3y")


def test_an_option_that_is_like_none_gets_the_list():
    assert "there are api_key, colour, labels, size" in refused("notes://?zzz=1")


def test_a_missing_option_is_named():
    assert refused("needy://") == "needy: the option 'app_id' is required"


def test_a_wrong_option_is_named_with_what_is_wrong():
    message = refused("notes://?size=many")
    assert message == "notes: the option 'size' must be an integer"


def test_all_that_is_wrong_is_told_at_once():
    message = refused("needy://?size=0&color=red")
    assert all(name in message for name in ("size", "color", "app_id"))


def test_a_wrong_option_of_the_environment_is_named(monkeypatch):
    monkeypatch.setenv("CONVOSTORE_NOTES_SIZE", "many")
    assert "'size'" in refused("notes://")


@pytest.mark.parametrize(
    "make",
    [
        lambda: convostore.open("notes://", api_key=["s3cret"]),
        lambda: convostore.open("notes://", size="s3cret"),
        lambda: convostore.open("notes://?size=s3cret"),
        lambda: convostore.open("notes://user:s3cret@host?zzz=s3cret"),
        lambda: convostore.open("nonsense://user:s3cret@host?key=s3cret"),
        lambda: convostore.open("notes://user:s3cret@host:port"),
    ],
)
def test_no_message_holds_what_may_be_a_secret(make):
    with pytest.raises(ConfigError) as caught:
        make()
    error = caught.value
    assert "s3cret" not in f"{error} {error!r} {error.__cause__}"


def test_a_store_shows_no_secret():
    store = convostore.open("notes://user:s3cret@host?api_key=s3cret")
    assert "s3cret" not in f"{store!r} {store.label} {store._operations.adapter.options!r}"


# Profiles.


def test_a_profile_names_a_store():
    profiles('[profiles.work]\ndsn = "notes://shelf"\ncolour = "blue"\nsize = 3\n')
    with convostore.open("work") as store:
        assert store.label == "notes://shelf"
    read = options("work")
    assert (read.colour, read.size) == ("blue", 3)


def test_a_secret_of_a_profile_comes_from_the_environment(monkeypatch):
    profiles('[profiles.work]\ndsn = "notes://"\napi_key = { env = "WORK_KEY" }\n')
    monkeypatch.setenv("WORK_KEY", "k3y")
    assert options("work").api_key.get_secret_value() == "k3y"


def _command(*words):
    return f'[profiles.work]\ndsn = "notes://"\napi_key = {{ command = {json.dumps(words)} }}\n'


@pytest.mark.rim
def test_a_secret_of_a_profile_comes_from_a_command():
    profiles(_command(sys.executable, "-c", "print('k3y')"))
    assert options("work").api_key.get_secret_value() == "k3y"


@pytest.mark.rim
def test_a_command_may_be_one_text():
    line = f'"{Path(sys.executable).as_posix()}" -c "print(\'k3y\')"'
    profiles(f'[profiles.work]\ndsn = "notes://"\napi_key = {{ command = {json.dumps(line)} }}\n')
    assert options("work").api_key.get_secret_value() == "k3y"


def test_a_secret_that_the_environment_does_not_hold_is_an_error_that_names_the_variable():
    profiles('[profiles.work]\ndsn = "notes://"\napi_key = { env = "WORK_KEY" }\n')
    message = refused("work")
    assert "api_key" in message
    assert "WORK_KEY" in message


@pytest.mark.rim
@pytest.mark.parametrize(
    "words",
    [
        [sys.executable, "-c", "import sys; print('s3cret'); sys.exit('s3cret')"],
        ["a-command-that-nobody-has"],
        [],
        [""],
        [sys.executable, "-c", "import sys; sys.stdout.buffer.write(b'\\xff s3cret')"],
        ["a\x00b"],
    ],
    ids=["fails", "is not there", "is empty", "has no name", "answers no text", "holds a NUL"],
)
def test_a_command_that_gives_no_secret_is_an_error_that_shows_nothing_of_it(words):
    profiles(_command(*words))
    message = refused("work")
    assert "api_key" in message
    assert "s3cret" not in message


@pytest.mark.parametrize("value", ['"say \'unclosed"', "5", "{}", "true"])
def test_a_command_that_is_none_is_an_error(value):
    profiles(f'[profiles.work]\ndsn = "notes://"\napi_key = {{ command = {value} }}\n')
    assert "api_key" in refused("work")


def test_a_secret_of_a_profile_is_not_fetched_where_a_nearer_place_has_one():
    profiles('[profiles.work]\ndsn = "notes://"\napi_key = { env = "WORK_KEY" }\n')
    assert options("work", api_key="k3y").api_key.get_secret_value() == "k3y"


def test_profiles_are_read_from_the_file_that_the_environment_names(tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere.toml"
    elsewhere.write_text('[profiles.work]\ndsn = "notes://elsewhere"\n', encoding="utf-8")
    monkeypatch.setenv("CONVOSTORE_CONFIG", str(elsewhere))
    assert config_file() == elsewhere
    assert convostore.open("work").label == "notes://elsewhere"


def test_without_that_variable_profiles_stand_in_the_platform_s_folder(monkeypatch):
    monkeypatch.delenv("CONVOSTORE_CONFIG")
    assert config_file().name == "config.toml"
    assert "convostore" in config_file().parts


def test_a_missing_file_of_profiles_says_what_was_looked_for():
    message = refused("work")
    assert "'work' is not a DSN" in message
    assert str(config_file()) in message


def test_a_missing_profile_lists_those_that_there_are():
    profiles('[profiles.work]\ndsn = "notes://"\n[profiles.home]\ndsn = "notes://"\n')
    message = refused("wrok")
    assert "no profile 'wrok'" in message
    assert "home, work" in message


def test_a_file_without_profiles_says_so():
    profiles("")
    assert "(it has none)" in refused("work")


@pytest.mark.parametrize(
    "text",
    ['[profiles.work]\ncolour = "blue"\n', "[profiles]\nwork = 5\n", "[profiles.work]\ndsn=5\n"],
)
def test_a_profile_without_a_dsn_says_so(text):
    profiles(text)
    assert "no dsn" in refused("work")


@pytest.mark.parametrize(
    "content",
    [b"[profiles.work", b"profiles = 5", b'profiles = "work"', b'profiles = ["work"]', b"\xff\xfe"],
)
def test_a_file_of_profiles_that_cannot_be_read_says_so(content):
    config_file().write_bytes(content)
    assert str(config_file()) in refused("work")


def test_a_file_of_profiles_that_is_a_folder_says_so():
    config_file().mkdir()
    assert str(config_file()) in refused("work")


def test_a_wrong_dsn_of_a_profile_is_refused_without_its_secrets():
    profiles('[profiles.work]\ndsn = "notes://user:s3cret@host:port"\n')
    assert "s3cret" not in refused("work")


def test_a_dsn_does_not_touch_the_profiles():
    config_file().write_text("[broken", encoding="utf-8")
    assert options("notes://").colour == "default"


def test_only_a_profile_may_say_where_a_secret_is_kept(monkeypatch):
    monkeypatch.setenv("PROD", "a secret of somebody else's")
    assert options("notes://", labels={"env": "PROD"}).labels == {"env": "PROD"}
