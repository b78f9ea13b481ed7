"""`convostore serve`: what an operator's words mean, who reaches what, and what is logged."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

import convostore
from convostore import ConfigError, Message, TextPart
from convostore.cli.app import app as cli
from convostore.cli.errors import ExitCode
from convostore_gateway import Token
from convostore_gateway.server.cli import _startup_message
from convostore_gateway.server.open_stores import OpenedStores, Upstream, open_stores
from convostore_gateway.server.run import listen
from convostore_gateway.server.tokens_file import VARIABLE, load_tokens, read_tokens

from ..support.gateway import asked
from ..support.processes import served

FULL, READ, TEAM = (f"a-token-for-{each}-access" for each in ("full", "read", "team"))
SECRET = "swordfish-swordfish"
APP = "0123456789abcdef01234567"
OTHER = "76543210fedcba9876543210"


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith("CONVOSTORE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CONVOSTORE_CONFIG", str(tmp_path / "config.toml"))


def get(url, path, token=None, **more):
    headers = more.pop("headers", {}) | ({"authorization": f"Bearer {token}"} if token else {})
    return asked(more.pop("method", "GET"), url + path, headers=headers, **more)


# Refused before anything is served.


def not_refused(*_, **__):
    raise AssertionError("it is served")


def refused(*words, **environment):
    with pytest.MonkeyPatch.context() as patch:  # or this process would serve for ever
        patch.setattr("convostore_gateway.server.run.serve", not_refused)
        result = CliRunner().invoke(cli, ["serve", *words], env=environment)
    assert result.exit_code == ExitCode.USAGE, result.output
    assert result.stderr.count("\n") == 1
    assert SECRET not in result.output
    return result.stderr


@pytest.mark.rim
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("memory://", "--token", "short"), "at least 16"),
        (("memory://", "--token", f"{SECRET} {SECRET}"), "without spaces"),
        (("memory://", f"--token={SECRET}é"), "ASCII"),
        (("memory://", "--token", SECRET, "--token", SECRET), "two tokens have the same value"),
        (("memory://", "--tokens-file", "nowhere.toml"), "nowhere.toml"),
        (("memory://", "--host", "0.0.0.0"), "must have a token"),
        (("memory://", "--behind-proxy", "10.0.0.1"), "must have a token"),
        (("memory://", "--behind-proxy", "*", "--token", SECRET), "must be an address or network"),
        (("memory://", "--host", "192.0.2.1"), "--host"),
        (("memory://", "--app", "a"), "ID=NAMESPACE"),
        (("memory://", "--app", "=a"), "ID=NAMESPACE"),
        (("perplexica://127.0.0.1:1", "--app", "a=b"), "does not have namespaces"),
        (("memory://", "--app", "a=memory://x", "--app", "a=memory://y"), "repeated"),
        (("memory://", "--app", f"a=perplexica://me:{SECRET}@127.0.0.1:1?x=1"), "no option 'x'"),
        (("memory://", "--app", f"a=fastgpt://127.0.0.1?app_id=1&api_key={SECRET}&b=1"), "'b'"),
        (("memory://", "--upstream-model", "m"), "--upstream URL"),
        (("memory://", "--upstream", "no-address"), "url"),
        (("memory://", "--upstream", f"http://me:{SECRET}@127.0.0.1"), "api_key"),
        (("memory://", "--port", "70000"), "--port"),
        (("memory://", "-o", f"password={SECRET}"), "password"),
        (("unheard-of",), "there are no profiles"),
        (("memory://", f"--tokn={SECRET}"), "--tokn"),
    ],
)
def test_what_cannot_be_served_is_one_line_that_says_how_to_mend_it(words, told):
    line = refused(*words, "--port", "0") if "--port" not in words else refused(*words)
    assert told in line


@pytest.mark.rim
def test_a_port_that_is_taken_is_one_line():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert f"port {port}" in refused("memory://", "--port", str(port))


def test_the_key_of_a_model_shows_nowhere():
    told = refused("memory://", "--upstream", "bad", CONVOSTORE_UPSTREAM_API_KEY=SECRET)
    assert "url" in told


# The tokens' file.


def written(tmp_path, text):
    file = tmp_path / "tokens.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_file_of_tokens_is_read_with_what_each_may_do(tmp_path, monkeypatch):
    monkeypatch.setenv("A_TOKEN", READ)
    file = written(
        tmp_path,
        f'[[tokens]]\nname = "ops"\nvalue = "{FULL}"\n'
        '[[tokens]]\nname = "eyes"\nvalue = {env = "A_TOKEN"}\nrights = "read"\nnamespace = "n"\n',
    )
    assert read_tokens(file) == [
        Token(name="ops", value=SecretStr(FULL)),
        Token(name="eyes", value=SecretStr(READ), rights="read", namespace="n"),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "must not be empty"),
        ("tokens = 3", "must be a list"),
        ("tokens = [3]", "must be a list"),
        (f'token = "{SECRET}"', "'token'"),
        (f'[[tokens]]\nname = "a"\nvalue = "{SECRET}', "must be TOML"),
        ('[[tokens]]\nname = "a"', "'value' is required"),
        (f'[[tokens]]\nvalue = "{SECRET}"', "'name' is required"),
        (f'[[tokens]]\nname = "a"\nvalue = "{SECRET}"\nright = "read"', "did you mean 'rights'"),
        (
            f'[[tokens]]\nname = "a"\nvalue = "{SECRET}"\nrights = "all"',
            "'rights' must be 'read' or 'full'",
        ),
        (f'[[tokens]]\nname = "a"\nvalue = ["{SECRET}"]', "'value' must be a string"),
        ('[[tokens]]\nname = "a"\nvalue = {env = "NOBODY_HAS_THIS"}', "NOBODY_HAS_THIS is not set"),
        ('[[tokens]]\nname = "a"\nvalue = "short"', "at least 16"),
    ],
)
def test_a_file_of_tokens_that_is_wrong_says_where_and_shows_none(tmp_path, text, told):
    with pytest.raises(ConfigError) as caught:
        read_tokens(written(tmp_path, text))
    assert told in str(caught.value)
    assert SECRET not in str(caught.value)


def test_tokens_come_from_the_command_line_the_environment_and_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, f"{READ}  {TEAM}\n")
    file = written(tmp_path, f'[[tokens]]\nname = "ops"\nvalue = "{FULL}"\n')
    tokens = load_tokens([SECRET], file)
    assert [each.value.get_secret_value() for each in tokens] == [SECRET, READ, TEAM, FULL]
    assert not any(each.name in each.value.get_secret_value() for each in tokens)


def test_a_token_shows_in_no_text_of_itself():
    assert SECRET not in repr(Token(value=SecretStr(SECRET)))


# What is opened.


def sqlite(tmp_path):
    return f"sqlite:///{tmp_path / 'history.db'}"


def test_a_namespace_is_a_store_of_its_own_and_an_app_stands_for_one(tmp_path):
    found = open_stores(
        sqlite(tmp_path), {}, namespaces=["a"], apps={APP: "b", OTHER: "memory://elsewhere"}
    )
    assert sorted(found.stores) == ["", OTHER]
    assert found.namespaces == {"a", "b"}
    assert found.scopes == {APP: "b", OTHER: OTHER}
    assert found.stores[OTHER].label == "memory://elsewhere"


def test_a_token_reaches_another_store_by_its_apps_id():
    found = open_stores("memory://", {}, namespaces=[APP], apps={APP: "memory://elsewhere"})
    assert sorted(found.stores) == ["", APP]


def test_an_option_of_the_command_line_is_each_namespaces(tmp_path):
    with pytest.raises(ConfigError, match="timeout"):
        open_stores(sqlite(tmp_path), {"timeout": "long"}, namespaces=["a"])


def test_only_a_server_that_may_be_written_to_makes_a_file(tmp_path):
    def check(**options):
        found = open_stores(
            sqlite(tmp_path), {}, namespaces=["a"], apps={APP: sqlite(tmp_path)}, **options
        )

        async def run():
            for store in found.stores.values():
                async with store:
                    await store.check()

        asyncio.run(run())

    with pytest.raises(ConfigError, match="there is no file"):
        check(create=False)
    check()
    check(create=False)


@pytest.mark.rim
def test_a_missing_file_is_not_served_read_only(tmp_path):
    words = ["serve", f"sqlite:///{tmp_path / 'typo.db'}", "--read-only", "--port", "0"]
    refused = subprocess.run(
        [sys.executable, "-m", "convostore", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert refused.returncode == ExitCode.USAGE
    assert refused.stderr.startswith("convostore: there is no file")
    assert refused.stderr.count("\n") == 1


@pytest.mark.rim
def test_a_service_that_does_not_answer_yet_is_named_and_served():
    with served("gateway+http://127.0.0.1:9", "-o", "retries=0") as server:
        pass
    assert "gateway+http://127.0.0.1:9 does not answer yet: UnavailableError" in server.lines[0]
    assert "is served at" in server.lines[1]


def test_a_store_that_answers_itself_is_left_alone_by_a_model():
    found = open_stores(
        "echo://x", {}, apps={APP: "memory://y"}, upstream=Upstream(url="http://127.0.0.1:1/v1")
    )
    assert found.stores[""].offers("resume_reply")
    assert found.stores[APP].offers("stream_reply")


# As a process.


@pytest.fixture(scope="module")
def operated(tmp_path_factory):
    """A server with tokens of three kinds and two apps, over SQLite with a namespace `team`."""
    folder = tmp_path_factory.mktemp("operated")
    target = f"sqlite:///{folder / 'history.db'}"
    for namespace, id in (("", "ours"), ("team", "theirs")):
        with convostore.open(target, namespace=namespace) as store:
            store.create_conversation(id=id, title=f"Title of {id}")
            text = TextPart(text=f"a text of {id}")
            store.append_messages(id, [Message(id="m", role="user", parts=(text,))])
    tokens = folder / "tokens.toml"
    tokens.write_text(
        f'[[tokens]]\nname = "reader"\nvalue = "{READ}"\nrights = "read"\n'
        f'[[tokens]]\nname = "team"\nvalue = {{env = "TEAM_TOKEN"}}\nnamespace = "team"\n',
        encoding="utf-8",
    )
    with served(
        target,
        "--tokens-file",
        str(tokens),
        "--app",
        f"{APP}=team",
        "--app",
        f"{OTHER}=memory://",
        "--max-page",
        "1",
        CONVOSTORE_GATEWAY_TOKENS=FULL,
        TEAM_TOKEN=TEAM,
    ) as server:
        yield server


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["items"]]


@pytest.mark.rim
def test_a_token_is_needed_where_there_are_some(operated):
    assert get(operated.url, "/v1/conversations").status_code == 401
    assert ids(get(operated.url, "/v1/conversations", FULL)) == ["ours"]


@pytest.mark.rim
def test_a_token_of_a_namespace_reaches_that_one_alone(operated):
    assert ids(get(operated.url, "/v1/conversations", TEAM)) == ["theirs"]
    assert get(operated.url, "/v1/conversations/ours", TEAM).status_code == 404


@pytest.mark.rim
def test_a_token_that_may_read_may_not_write(operated):
    assert ids(get(operated.url, "/v1/conversations", READ)) == ["ours"]
    answer = get(operated.url, "/v1/conversations", READ, method="POST", json={})
    assert answer.status_code == 403


def histories(server, app, token):
    answer = get(
        server.url,
        "/api/core/chat/history/getHistories",
        token,
        method="POST",
        json={"appId": app, "offset": 0, "pageSize": 5},
    )
    body = answer.json()
    return [each["chatId"] for each in body["data"]["list"]] if body["code"] == 200 else None


@pytest.mark.rim
def test_an_app_is_the_namespace_or_the_store_that_it_stands_for(operated):
    assert histories(operated, APP, FULL) == ["theirs"]
    assert histories(operated, APP, TEAM) == ["theirs"]
    assert histories(operated, OTHER, FULL) == []


@pytest.mark.rim
def test_an_app_that_is_not_served_or_not_reached_is_refused(operated):
    assert histories(operated, "f" * 24, FULL) is None
    assert histories(operated, OTHER, TEAM) is None


@pytest.mark.rim
def test_a_limit_of_the_command_line_holds(operated):
    answer = get(operated.url, "/v1", FULL)
    assert answer.json()["max_page"] == 1


@pytest.mark.rim
def test_people_are_told_what_is_served_where_and_no_secret(operated):
    told = operated.lines[0]
    assert told.startswith("convostore: sqlite:///")
    assert f"is served at {operated.url}" in told
    assert f"{operated.url}/viewer/" in told
    assert "a token is required" in told
    assert not [token for token in (FULL, READ, TEAM) if token in told]


@pytest.mark.parametrize(
    ("stores", "namespaces", "told"),
    [
        ([""], [], "memory://a is served at"),
        ([""], ["ann"], "memory://a (with 1 namespace) is served at"),
        (
            ["", "app"],
            ["ann", "bob"],
            "memory://a (with 2 namespaces and 1 other store) is served at",
        ),
        (["", "app", "old"], [], "memory://a (with 2 other stores) is served at"),
    ],
)
def test_what_is_served_is_counted_in_words(stores, namespaces, told):
    store = SimpleNamespace(label="memory://a")
    opened = OpenedStores(stores=dict.fromkeys(stores, store), namespaces=frozenset(namespaces))
    line = _startup_message(opened, "http://127.0.0.1:8000", is_open=True, viewer=False)
    assert line.startswith(f"convostore: {told} http://127.0.0.1:8000; no token is required")


@pytest.fixture(scope="module")
def ended():
    """A server behind a proxy that was asked four times, and has ended."""
    with served("memory://", "--token", FULL, "--behind-proxy", "127.0.0.0/8") as server:
        forwarded = {"x-forwarded-for": "192.0.2.7"}
        get(server.url, "/v1/search?q=a-private-question", FULL, headers=forwarded)
        get(server.url, "/api/chats?key=a-private-question", FULL)
        get(server.url, "/v1/conversations", SECRET)
        body = {"id": "c", "title": "a-private-question"}
        get(server.url, "/v1/conversations", FULL, method="POST", json=body)
        server.signal(signal.SIGTERM)
        assert server.ended() == 0
    return server


@pytest.mark.rim
def test_each_request_is_a_line_of_json_without_what_is_secret_or_private(ended):
    lines = [json.loads(each) for each in ended.lines[1:]]
    shown = [(e["method"], e["path"], e["status"], e["surface"], e["token"]) for e in lines]
    assert shown == [
        ("GET", "/v1/search", 200, "v1", "--token 1"),
        ("GET", "/api/chats", 200, "perplexica", "--token 1"),
        ("GET", "/v1/conversations", 401, "v1", ""),
        ("POST", "/v1/conversations", 201, "v1", "--token 1"),
    ]
    assert {"time", "bytes", "ms", "client"} <= set(lines[0])
    for private in (FULL, SECRET, "a-private-question"):
        assert private not in "".join(ended.lines)


@pytest.mark.rim
def test_a_clients_own_address_is_believed_of_a_proxy(ended):
    assert [json.loads(each)["client"] for each in ended.lines[1:3]] == ["192.0.2.7", "127.0.0.1"]


@pytest.mark.rim
def test_a_server_of_this_machine_is_open_to_no_strangers_page():
    with served("memory://", "--quiet", "--no-viewer") as server:
        assert get(server.url, "/v1/conversations").status_code == 200
        by_another_name = get(server.url, "/v1/conversations", headers={"host": "evil.example"})
        assert by_another_name.status_code == 403
        answer = get(
            server.url,
            "/v1/clear",
            method="POST",
            headers={"origin": "https://evil.example"},
        )
        assert answer.status_code == 403
        assert get(server.url, "/viewer/").status_code == 404
        server.signal(signal.SIGTERM)
        assert server.ended() == 0
    assert len(server.lines) == 1
    assert "no token is required on this machine" in server.lines[0]


@pytest.mark.rim
def test_a_server_that_is_read_only_refuses_every_change_and_believes_no_one_but_its_proxy():
    words = ["memory://", "--read-only", "--public-host", "chat.example.org", "--token", FULL]
    with served(*words, "--behind-proxy", "10.0.0.1") as server:
        forwarded = {"x-forwarded-for": "192.0.2.7"}
        answer = get(server.url, "/v1/conversations", FULL, headers=forwarded)
        assert answer.status_code == 200
        answer = get(server.url, "/v1/conversations", FULL, method="POST", json={})
        assert answer.status_code == 403
        headers = {"host": "chat.example.org"}
        assert get(server.url, "/v1/conversations", FULL, headers=headers).status_code == 200
        headers = {"host": "other.example.org"}
        assert get(server.url, "/v1/conversations", FULL, headers=headers).status_code == 403
        server.signal(signal.SIGTERM)
        assert server.ended() == 0
    assert json.loads(server.lines[1])["client"] == "127.0.0.1"


def test_its_help_has_examples():
    result = CliRunner().invoke(cli, ["serve", "--help"], env={"COLUMNS": "100"})
    assert result.exit_code == 0
    assert "    convostore serve sqlite:///history.db" in result.stdout.partition("Examples:")[2]
