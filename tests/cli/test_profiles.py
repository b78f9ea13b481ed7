"""`init` and `profiles`: the file that is made, what is added to it, and what never is."""

import json
import sys
import threading
import tomllib
from functools import partial

import platformdirs
import pytest

from convostore.cli import _profiles
from convostore.cli._profiles import add_profile
from convostore.cli.commands import profiles
from convostore.cli.errors import ExitCode
from convostore.config import config_file, default_target
from convostore.errors import ConfigError

from ..support.cli import on_a_terminal, on_posix, run, seeded

COMMENTED = """\
# My stores
default = 'home'  # the one at home

[profiles.home]  # a comment
dsn = "memory://home"
"""


def settings():
    return tomllib.loads(config_file().read_text(encoding="utf-8"))


def write(text):
    config_file().write_text(text, encoding="utf-8")


def test_init_writes_a_file_that_works_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("init", "sqlite:///history.db").exit_code == 0
    assert default_target() == "main"
    monkeypatch.chdir("/")  # it means the same file from every folder
    assert run("ls").exit_code == 0
    assert (tmp_path / "history.db").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such modes on Windows")
def test_only_its_owner_can_read_the_file(monkeypatch, tmp_path):
    monkeypatch.setenv("CONVOSTORE_CONFIG", str(tmp_path / "new" / "config.toml"))
    run("init", "memory://x")
    assert config_file().stat().st_mode & 0o777 == 0o600
    assert config_file().parent.stat().st_mode & 0o777 == 0o700


def test_init_changes_no_file_that_is_there():
    write(COMMENTED)
    result = run("init", "memory://x")
    assert result.exit_code == ExitCode.USAGE
    assert "profiles add" in result.stderr
    assert config_file().read_text(encoding="utf-8") == COMMENTED


def test_init_without_a_store_and_a_terminal_asks_nobody():
    result = run("init")
    assert result.exit_code == ExitCode.USAGE
    assert not config_file().exists()


@pytest.mark.rim
@on_posix
def test_init_asks_at_a_terminal():
    answers = [("DSN of the store", "memory://asked\n"), ("Name of its profile [main]", "mine\n")]
    session = on_a_terminal("init", answers=answers)
    assert session.status == 0, session.shown
    assert settings() == {"default": "mine", "profiles": {"mine": {"dsn": "memory://asked"}}}


def test_a_folder_for_data_that_cannot_be_made_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(platformdirs, "user_data_path", lambda _: tmp_path / "file" / "folder")
    with pytest.raises(ConfigError, match=r"cannot create .*: name a store"):
        profiles._database()


@pytest.mark.parametrize(
    "words",
    [
        ("postgresql://ann:s3cr3t@host/db",),
        ("perplexica+http://ann:s3cr3t@host",),
        ("fastgpt+http://host?api_key=s3cr3t",),
        ("fastgpt+http://host", "-o", "api_key=s3cr3t"),
        ("fastgpt+http://host", "-o", "share_id=s3cr3t"),
        ("perplexica+http://host", "-o", "proxy=http://u:s3cr3t@proxy"),
    ],
)
@pytest.mark.parametrize("command", [("init",), ("profiles", "add", "x")])
def test_no_secret_is_written_in_clear(command, words):
    result = run(*command, *words)
    assert result.exit_code == ExitCode.USAGE
    assert "--env" in result.stderr
    assert "s3cr3t" not in result.stderr
    assert not config_file().exists()


@pytest.mark.parametrize("value", ["fastgpt-s3cr3t", "s3cr3t=", "$S3CR3T", "sk s3cr3t"])
def test_a_secret_in_place_of_its_variable_is_not_written(value):
    result = run("init", "fastgpt+http://host", "--env", f"api_key={value}")
    assert result.exit_code == ExitCode.USAGE
    assert "environment variable" in result.stderr
    assert "s3cr3t" not in result.stderr.lower()
    assert not config_file().exists()


def test_where_secrets_come_from_is_written():
    result = run(
        *("init", "fastgpt+http://host", "-o", "app_id=0123456789abcdef01234567"),
        *("--env", "api_key=WORK_KEY", "--command", "headers=pass show 'my headers'"),
    )
    assert result.exit_code == 0, result.stderr
    assert settings()["profiles"]["main"] == {
        "dsn": "fastgpt+http://host",
        "app_id": "0123456789abcdef01234567",
        "api_key": {"env": "WORK_KEY"},
        "headers": {"command": ["pass", "show", "my headers"]},
    }


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("x", "nothing://x"), "nothing"),
        (("x", "not-a-dsn"), "scheme://"),
        (("a b", "memory://"), "letters"),
        (("a.b", "memory://"), "letters"),
        (("x", "perplexica+http://h", "-o", "tiemout=3"), "there is no option 'tiemout'"),
        (("x", "perplexica+http://h", "-o", "timeout=3", "--env", "timeout=A"), "twice"),
        (("x", "perplexica+http://h", "--command", "headers='"), "NAME=COMMAND"),
        (("home", "memory://"), "already"),
    ],
)
def test_a_profile_that_could_not_be_opened_is_not_added(words, reason):
    write(COMMENTED)
    result = run("profiles", "add", *words)
    assert result.exit_code == ExitCode.USAGE
    assert reason in result.stderr
    assert config_file().read_text(encoding="utf-8") == COMMENTED


def test_an_added_profile_leaves_every_comment():
    write(COMMENTED)
    assert run("profiles", "add", "work", 'echo://a"b\x7f').exit_code == 0
    text = config_file().read_text(encoding="utf-8")
    assert text.startswith(COMMENTED)
    assert settings()["profiles"]["work"]["dsn"] == 'echo://a"b\x7f'
    assert default_target() == "home"


def test_the_line_ends_of_the_file_stay():
    text = '# Mine\r\n[profiles.home]\r\ndsn = "memory://home"'
    config_file().write_bytes(text.encode())
    assert run("profiles", "add", "work", "memory://work", "--default").exit_code == 0
    changed = config_file().read_bytes().decode()
    assert text in changed
    assert "\n" not in changed.replace("\r\n", "")
    assert (default_target(), list(settings()["profiles"])) == ("work", ["home", "work"])


def test_another_default_leaves_every_comment():
    write(COMMENTED)
    run("profiles", "add", "work", "memory://work", "--default")
    text = config_file().read_text(encoding="utf-8")
    assert default_target() == "work"
    assert "# the one at home" in text
    assert run("profiles", "default", "home").exit_code == 0
    assert default_target() == "home"


def test_a_first_default_goes_to_the_top():
    write('[profiles.home]\ndsn = "memory://home"\n')
    assert run("profiles", "default", "home").exit_code == 0
    assert default_target() == "home"
    assert settings()["profiles"]["home"] == {"dsn": "memory://home"}


@pytest.mark.parametrize(
    "text", ['profiles = { home = { dsn = "memory://" } }\n', '"default" = "home"\n[profiles.x]\n']
)
def test_a_file_of_another_shape_is_left_alone(text):
    write(text)
    result = run("profiles", "add", "work", "memory://", "--default")
    assert result.exit_code == ExitCode.USAGE
    assert "edit it" in result.stderr
    assert text in config_file().read_text(encoding="utf-8")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("first", ["", "default = 'home'\n"])
def test_line_ends_and_a_byte_order_mark_stay(mark, first):
    text = f'{mark}{first}# mine\n[profiles.home]\ndsn = "memory://home"'.replace("\n", "\r\n")
    config_file().write_bytes(text.encode())
    assert run("ls", "home").exit_code == 0
    assert run("profiles", "add", "work", "memory://work", "--default").exit_code == 0
    changed = config_file().read_bytes().decode()
    assert changed.startswith(f'{mark}default = "work"\r\n# mine\r\n[profiles.home]\r\n')
    assert changed.endswith('\r\n\r\n[profiles.work]\r\ndsn = "memory://work"\r\n')
    assert "\n" not in changed.replace("\r\n", "")
    assert default_target() == "work"


@on_posix
def test_profiles_that_are_added_at_the_same_time_are_all_kept(monkeypatch):
    """The second one is added while the first one has read the file and not yet written it."""
    write(COMMENTED)
    parsed = threading.Event()
    add = partial(add_profile, as_default=False)
    others = [threading.Thread(target=add, args=('[profiles.b]\ndsn="echo://"\n', "b"))]

    def parse(text):
        if not parsed.is_set():
            parsed.set()
            others[0].start()
            others[0].join(0.3)
        return tomllib.loads(text)

    monkeypatch.setattr(_profiles, "_parse", parse)
    add('[profiles.a]\ndsn="echo://"\n', "a")
    others[0].join()
    assert set(settings()["profiles"]) == {"home", "a", "b"}


@on_posix
def test_a_link_to_the_file_stays_a_link(tmp_path):
    real = tmp_path / "dotfiles.toml"
    real.write_text(COMMENTED, encoding="utf-8")
    real.chmod(0o640)
    config_file().symlink_to(real)
    assert run("profiles", "add", "work", "memory://").exit_code == 0
    assert config_file().is_symlink()
    assert "work" in real.read_text(encoding="utf-8")
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_profile_that_cannot_become_the_default_is_not_added():
    before = 'default = """\nhome"""\n[profiles.home]\ndsn = "memory://"\n'
    write(before)
    result = run("profiles", "add", "work", "memory://", "--default")
    assert result.exit_code == ExitCode.USAGE
    assert config_file().read_text(encoding="utf-8") == before


def test_an_unknown_profile_is_no_default():
    write(COMMENTED)
    result = run("profiles", "default", "hmoe")
    assert result.exit_code == ExitCode.USAGE
    assert "(it has home)" in result.stderr


LISTED = """
default = "work"

[profiles.work]
dsn = "fastgpt+https://ann:s3cr3t@chat.example.org"
api_key = "s3cr3t"

[profiles.home]
dsn = "memory://home"
"""


@pytest.mark.parametrize("words", [(), ("list",)])
def test_profiles_are_listed_without_secrets(words):
    write(LISTED)
    result = run("profiles", *words)
    assert "s3cr3t" not in result.stdout
    assert [line.split("\t") for line in result.stdout.splitlines()] == [
        ["work", "fastgpt+https://ann:***@chat.example.org", "default", "api_key"],
        ["home", "memory://home", "", ""],
    ]


@pytest.mark.parametrize(
    "dsn",
    ["postgresql://ann:s3cr3t@127.0.0.1:1/db", "nothing://h?key=s3cr3t", "nothing:ann:s3cr3t@h"],
)
@pytest.mark.parametrize("words", [("default",), ("test",), ("test", "--json")])
def test_a_dsn_in_place_of_a_profile_is_shown_without_its_secret(words, dsn):
    write(COMMENTED)
    result = run("profiles", *words, dsn)
    assert result.exit_code != ExitCode.DONE
    assert "s3cr3t" not in result.stdout + result.stderr


def test_what_is_no_dsn_may_hold_a_secret_and_is_not_listed():
    write('[profiles.work]\ndsn = "postgresql:ann:s3cr3t@host"\n')
    assert "s3cr3t" not in run("profiles").stdout
    assert "s3cr3t" not in run("profiles", "list", "--json").stdout


@pytest.mark.parametrize("dsn", ["postgresql:ann:s3cr3t@host/db", "postgresql:/ann:s3cr3t@host/db"])
def test_a_mistyped_dsn_is_listed_without_secrets(dsn):
    write(f'default = "{dsn}"\n[profiles.work]\ndsn = "{dsn}"\n[profiles.home]\ndsn = "home.db"\n')
    for words in (("list",), ("list", "--json"), ("test",)):
        result = run("profiles", *words)
        assert "s3cr3t" not in result.stdout + result.stderr
        assert "work" in result.stdout
    assert "\tpostgresql:" in run("profiles").stdout
    assert "\thome.db\t" in run("profiles").stdout


def test_profiles_as_json():
    write(LISTED)
    result = run("profiles", "list", "--json")
    assert "s3cr3t" not in result.stdout
    work, home = json.loads(result.stdout)
    assert (work["name"], work["default"], work["options"]) == ("work", True, ["api_key"])
    assert (home["dsn"], home["default"]) == ("memory://home", False)


@pytest.mark.rim
@on_posix
def test_profiles_on_a_terminal_are_a_table():
    write(LISTED)
    session = on_a_terminal("profiles")
    assert session.status == 0
    assert "work (default)" in session.shown
    assert "s3cr3t" not in session.shown


def test_a_test_opens_each_profile_and_says_why_one_does_not_work():
    write(
        f'[profiles.well]\ndsn = "memory://{seeded()}"\n'
        '[profiles.ill]\ndsn = "sqlite:///no-such-file.db"\n'
        '[profiles.unset]\ndsn = "fastgpt+http://h"\napi_key = { env = "NO_SUCH_VARIABLE" }\n'
    )
    result = run("profiles", "test")
    assert result.exit_code == ExitCode.FAILED
    well, ill, unset = result.stdout.splitlines()
    assert well.startswith("✓ well  memory://")
    assert ill.startswith("✗ ill  there is no file")
    assert "-o create=true" in ill
    assert "NO_SUCH_VARIABLE" in unset
    assert run("profiles", "test", "well").exit_code == 0
    found = json.loads(run("profiles", "test", "--json").stdout)
    assert [entry["ok"] for entry in found] == [True, False, False]


def test_a_store_that_does_not_work_is_said_when_its_profile_is_written(tmp_path):
    result = run("init", f"sqlite:///{tmp_path.as_posix()}/no/such/folder/a.db")
    assert result.exit_code == 0
    assert "the store does not work" in result.stderr
    assert default_target() == "main"


@on_posix
@pytest.mark.parametrize("words", [("init", "echo://x"), ("profiles", "add", "x", "echo://x")])
def test_a_device_is_never_replaced_by_a_file(words, tmp_path, monkeypatch):
    device = tmp_path / "device"
    device.symlink_to("/dev/null")
    monkeypatch.setenv("CONVOSTORE_CONFIG", str(device))
    begun = []
    monkeypatch.setattr(_profiles, "mkstemp", lambda **_: begun.append("a new file"))
    assert run(*words).exit_code == ExitCode.USAGE
    assert begun == []


@on_posix
def test_a_link_to_itself_is_an_error_in_one_line(tmp_path, monkeypatch):
    link = tmp_path / "link.toml"
    link.symlink_to(link)
    monkeypatch.setenv("CONVOSTORE_CONFIG", str(link))
    for words in (("profiles",), ("profiles", "add", "x", "echo://x"), ("ls",), ("ask", "hello")):
        result = run(*words)
        assert result.exit_code == ExitCode.USAGE
        assert str(link) in result.stderr
        assert result.stderr.count("\n") == 1
