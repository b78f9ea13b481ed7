"""Who may see the viewer, who may change something in it, and what surrounds its answers."""

from http.cookies import SimpleCookie

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient
from tests.support.naming import naming

import convostore
from convostore.models import Message, TextPart
from convostore_gateway import Limits, Token
from convostore_gateway.app import create_app

from ..support.gateway import asked, client_of, got, served
from ..support.viewer import Page, put, telling

pytestmark = pytest.mark.rim

WORD = 'a;token,with="%20"\\and=more'
FULL = Token(value=SecretStr(WORD), name="full")
READER = Token(value=SecretStr("r" * 20), name="reader", rights="read")
HTMX = {"hx-request": "true"}
TELLING = "/viewer/conversations/k%2F1"


TARGET = "memory://viewer-access"


@pytest.fixture(scope="module")
def gateway():
    with served(TARGET, tokens=(FULL, READER)) as url:
        yield url


@pytest.fixture(scope="module")
def without_tokens():
    with served(TARGET) as url:
        yield url


@pytest.fixture
def target():
    """A store with one conversation."""
    with convostore.open(TARGET) as store:
        store.clear_conversations()
    put(TARGET, [telling()])
    return TARGET


@pytest.fixture
def url(gateway, target):
    """A viewer over it that needs a token."""
    return gateway


@pytest.fixture
def open_url(without_tokens, target):
    """One that needs none."""
    return without_tokens


@pytest.fixture
def browser(url):
    """Keeps cookies, as a browser does."""
    with client_of(url) as client:
        yield client


def log_in(browser, word=WORD, onward="/viewer/", **headers):
    headers = {"origin": str(browser.base_url).rstrip("/")} | headers
    return browser.post("/viewer/login", data={"token": word, "next": onward}, headers=headers)


def title(target):
    with convostore.open(target) as store:
        return store.get_conversation("k/1").title


def test_without_a_token_every_page_is_a_login(browser):
    for path in ("/viewer/", TELLING, "/viewer/search?q=x", "/viewer/nowhere"):
        with naming(path):
            answer = browser.get(path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            page = Page(answer.text)
            page.assert_safe()
            assert page.all("input", name="token", type="password")
            assert "with --token, --tokens-file or CONVOSTORE_GATEWAY_TOKENS" in page.text
            assert "lauea" not in page.text
            piece = browser.get(path, headers=HTMX)
            assert (piece.status_code, piece.headers["hx-redirect"]) == (401, "/viewer/")
            assert "lauea" not in piece.text


def test_a_login_leads_to_the_page_that_was_asked_for(browser):
    path = f"{TELLING}?message=a1&order=%22"
    onward = Page(browser.get(path).text).all("input", name="next")[0]["value"]
    answer = log_in(browser, onward=onward)
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    assert "lauea" in browser.get(TELLING).text


ELSEWHERE = (
    *("", "//evil.example", "https://evil.example", "/viewer"),
    *("/viewer/\\evil", "/v1", "/viewer/é"),
)


def test_a_login_leads_to_no_other_site(browser):
    for onward in ELSEWHERE:
        with naming(onward):
            assert log_in(browser, onward=onward).headers["location"] == "/viewer/"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(browser):
    answer = log_in(browser)
    cookie = SimpleCookie(answer.headers["set-cookie"])["convostore_token"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "strict"
    assert cookie["path"] == "/viewer"
    assert not cookie["max-age"]
    assert not cookie["expires"]
    assert not cookie["secure"]


def test_the_cookie_stays_with_https_where_that_is_spoken(target):
    store = convostore.aopen(target)
    made = create_app(store, tokens=(FULL,))
    with TestClient(made, base_url="https://gateway", follow_redirects=False) as browser:
        assert "; Secure" in log_in(browser).headers["set-cookie"]


def test_a_wrong_token_is_told_and_kept_nowhere(browser):
    answer = log_in(browser, word="wrong" * 8)
    assert answer.status_code == 401
    assert "not valid" in answer.text
    assert "wrongwrong" not in answer.text
    assert "set-cookie" not in answer.headers
    assert browser.get("/viewer/").status_code == 401


def test_logging_out_takes_the_token_away(browser):
    log_in(browser)
    assert "Log out" in browser.get("/viewer/").text
    browser.post("/viewer/logout", headers={"origin": str(browser.base_url).rstrip("/")})
    assert browser.get("/viewer/").status_code == 401


def test_a_header_is_as_good_as_a_cookie(url):
    answer = got(f"{url}/viewer/", headers={"authorization": f"bearer {WORD}"})
    assert "lauea" in answer.text


def test_other_cookies_do_not_matter(url):
    for cookie in ('x="a, b; c"; =; convostore_token=', "convostore_token=%FF%00", "a,b,c"):
        assert got(f"{url}/viewer/", headers={"cookie": cookie}).status_code == 401


def test_a_strangers_page_can_change_nothing(browser, target):
    log_in(browser)
    before = title(target)
    base = str(browser.base_url).rstrip("/")
    for headers in (
        {},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": base[:-1]},
    ):
        answer = browser.post(f"{TELLING}/title", data={"title": "hacked"}, headers=headers)
        assert answer.status_code == 403
    assert title(target) == before
    for headers in ({"origin": base}, HTMX):
        answer = browser.post(f"{TELLING}/title", data={"title": str(headers)}, headers=headers)
        assert answer.status_code == 200
        assert title(target) == str(headers)


def test_a_strangers_page_can_log_nobody_in_or_out(browser):
    assert browser.post("/viewer/login", data={"token": WORD}).status_code == 403
    log_in(browser)
    assert browser.post("/viewer/logout").status_code == 403
    assert browser.get("/viewer/").status_code == 200


def test_a_reader_is_shown_no_changes_and_can_make_none(browser, target):
    log_in(browser, word="r" * 20)
    page = Page(browser.get(TELLING).text)
    assert not [each for _, each in page.elements if "hx-post" in each]
    fields = {"rating": "good", "title": "x", "pinned": "true"}
    for path in ("title", "pin", "delete", "messages/a1/delete", "messages/a1/feedback"):
        answer = browser.post(f"{TELLING}/{path}", data=fields, headers=HTMX)
        assert answer.status_code == 403
    assert title(target) == telling()[0].title


def test_a_token_sees_its_own_namespace_only():
    names = {name: f"memory://viewer-namespace-{name}" for name in ("one", "two")}
    tokens = [Token(value=SecretStr(name * 8), name=name, namespace=name) for name in names]
    for name, target in names.items():
        conversation, _ = telling()
        put(target, [(conversation.model_copy(update={"title": f"of {name}"}), ())])
    with served(names, tokens=tuple(tokens)) as url, client_of(url) as browser:
        log_in(browser, word="one" * 8)
        assert "of one" in browser.get("/viewer/").text
        assert "of two" not in browser.get("/viewer/").text


def test_without_tokens_there_is_no_login(open_url):
    text = got(f"{open_url}/viewer/").text
    assert "lauea" in text
    assert "Log out" not in text


def test_every_answer_forbids_what_could_be_loaded_or_run(browser):
    log_in(browser)
    for path in ("/viewer/", TELLING, "/viewer/nowhere", "/viewer/activity", "/viewer/search?q=x"):
        headers = browser.get(path).headers
        policy = dict(
            rule.strip().split(" ", 1) for rule in headers["content-security-policy"].split(";")
        )
        assert policy == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self'",
            "connect-src": "'self'",
            "form-action": "'self'",
            "base-uri": "'none'",
            "frame-ancestors": "'none'",
        }
        assert headers["cache-control"] == "private, no-store"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"


def test_the_log_names_the_token_and_not_its_value(target, caplog):
    caplog.set_level("INFO", logger="convostore.gateway.access")
    made = create_app(convostore.aopen(target), tokens=(FULL,))
    with TestClient(made, base_url="http://gateway", follow_redirects=False) as browser:
        log_in(browser)
        browser.get("/viewer/search?q=private")
    line = caplog.messages[-1]
    assert '"token": "full"' in line
    assert WORD not in caplog.text
    assert "private" not in line


def test_it_can_be_mounted_in_another_application(target):
    limits = Limits(page=5)
    inner = create_app(convostore.aopen(target), tokens=(FULL,), limits=limits)
    outer = Starlette(routes=[Mount("/inner/chats", app=inner)])
    with TestClient(outer, base_url="http://gateway") as browser:
        headers = {"authorization": f"Bearer {WORD}"}
        page = Page(browser.get("/inner/chats/viewer/", headers=headers).text)
        links = [
            each["href"] for _, each in page.elements if "href" in each and each["href"][0] != "#"
        ]
        assert len(links) >= 8
        assert all(each.startswith("/inner/chats/viewer/") for each in links)
        for link in links:
            assert browser.get(link, headers=headers).status_code == 200
        answer = browser.post(
            "/inner/chats/viewer/login",
            data={"token": WORD, "next": ""},
            headers={"origin": "http://gateway"},
            follow_redirects=False,
        )
        assert answer.headers["location"] == "/inner/chats/viewer/"
        assert "Path=/inner/chats/viewer" in answer.headers["set-cookie"]


def test_a_head_is_answered_as_a_get_is(open_url):
    answer = asked("HEAD", f"{open_url}{TELLING}")
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_message_cannot_call_the_viewer_by_a_link(open_url, target):
    link = Message(
        id="l",
        role="assistant",
        parts=(TextPart(text="[out](/viewer/logout) [x](//evil.example)"),),
    )
    with convostore.open(target) as store:
        store.append_messages("k/1", [link])
    page = Page(got(f"{open_url}{TELLING}", headers=HTMX).text)
    page.assert_safe()
    assert not [each for each in page.all("a") if "logout" in each["href"]]


def test_a_form_that_is_larger_than_forms_are_is_refused_whoever_sends_it(url, target):
    for path in ("/viewer/login", f"{TELLING}/title"):
        with naming(path), client_of(url) as browser:
            answer = browser.post(path, content=b"title=" + b"x" * 64 * 2**10, headers=HTMX)
            assert answer.status_code == 413
            assert log_in(browser).status_code == 303
            assert title(target) == telling()[0].title
