"""Chromium walks through the viewer."""

import re
from datetime import timedelta

import pytest
from pydantic import SecretStr

import convostore
from convostore.models import (
    Conversation,
    Feedback,
    FilePart,
    InteractionField,
    InteractionOption,
    InteractionPart,
    Message,
    Origin,
    OtherPart,
    ReasoningPart,
    Source,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from convostore_gateway import Token

from ..support.browser import PATIENCE, Visitor, chromium
from ..support.gateway import served
from ..support.viewer import HOSTILE, NOW, long, ordinary, put, telling

pytestmark = pytest.mark.rim

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=PATIENCE)

SMALL = "memory://viewer-browser"
LARGE = "memory://viewer-browser-large"
TELLING = "/viewer/conversations/k%2F1"


@pytest.fixture(scope="module")
def browser():
    """Of this module only: while Playwright runs, nothing else can run an event loop here."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def gateway(browser):
    with served(SMALL) as url:
        yield url


@pytest.fixture(scope="module")
def many(pytestconfig):
    """How many conversations are many: pages enough to scroll for long; ten thousand by night."""
    return 10_000 if pytestconfig.getoption("tier") == "nightly" else 1_500


@pytest.fixture(scope="module")
def large(browser, many):
    put(LARGE, [*[(each, ()) for each in ordinary(many)], long("long", 5_000)])
    with served(LARGE) as url:
        yield url
    with convostore.open(LARGE) as store:
        store.clear_conversations()


@pytest.fixture
def visit(browser):
    """Makes visitors, and sees them out."""
    visitors = []

    def make(url, **options):
        visitors.append(Visitor(browser, url, **options))
        return visitors[-1]

    yield make
    for each in visitors:
        each.leave()


@pytest.fixture
def filled():
    with convostore.open(SMALL) as store:
        store.clear_conversations()
    put(SMALL, [telling(), *[(each, ()) for each in ordinary(150)]])
    return SMALL


@pytest.fixture(scope="module")
def regular(browser, gateway):
    """Somebody who comes again and again."""
    visitor = Visitor(browser, gateway)
    yield visitor
    visitor.leave()


@pytest.fixture
def visitor(regular):
    """Has seen nothing yet."""
    regular.come_anew()
    yield regular
    regular.check()


@pytest.fixture
def reader(visitor, filled):
    """At a conversation of a store with something of everything."""
    visitor.go(TELLING)
    return visitor


@pytest.fixture
def looker(visitor, filled):
    """At its list."""
    visitor.go()
    return visitor


def scroll_to_the_end(page, scroller):
    """Scrolls until nothing more is loaded into the list."""
    page.evaluate(
        """scroller => new Promise(done => {
            const box = document.querySelector(scroller);
            const timer = setInterval(() => {
                box.scrollTo(0, box.scrollHeight);
                if (!document.querySelector("#list .more")) done(clearInterval(timer));
            }, 25);
        })""",
        scroller,
    )


def stored(id="k/1"):
    with convostore.open(SMALL) as store:
        return store.get_conversation(id), {each.id: each for each in store.messages(id)}


def test_the_list_goes_on_while_one_scrolls(looker):
    page = looker.page
    expect(page.locator("#list .row")).to_have_count(100)
    expect(page.locator(".chart")).to_be_visible()
    looker.see("list")
    scroll_to_the_end(page, "#list")
    expect(page.locator("#list .row")).to_have_count(151)
    expect(page.locator("#list .more")).to_have_count(0)


def test_a_conversation_is_opened_and_left_again(looker):
    page = looker.page
    page.get_by_role("link", name="Is Kīlauea erupting").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Is Kīlauea erupting at the moment?")
    expect(page).to_have_title("Is Kīlauea erupting at the moment?")
    assert page.url == looker.url + TELLING
    expect(page.locator("#list [aria-current]")).to_have_count(1)
    expect(page.locator("table")).to_be_visible()
    looker.see("conversation")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Conversations")
    expect(page).to_have_title("memory://viewer-browser")
    page.go_forward()
    expect(page.locator("article")).to_have_count(5)
    expect(page.locator("#list [aria-current]")).to_have_count(1)


def test_a_citation_opens_its_source(reader):
    page = reader.page
    page.locator(".cite").first.click()
    card = page.locator(".card:popover-open")
    expect(card).to_contain_text("Episode 43 of the ongoing eruption")
    expect(card.get_by_role("link")).to_have_attribute("target", "_blank")
    reader.see("citation")
    page.keyboard.press("Escape")
    expect(card).to_have_count(0)
    expect(page.locator("#opened")).to_be_visible()


def test_code_is_copied_and_folded_parts_unfold(visitor, filled):
    page = visitor.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor.go(TELLING)
    code = page.locator(".code", has_text="def recharge")
    code.hover()
    code.get_by_role("button", name="Copy").click()
    expect(code.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("def recharge(")
    expect(page.get_by_text("The user wants the current state")).to_be_hidden()
    page.get_by_text("Reasoning").click()
    expect(page.get_by_text("The user wants the current state")).to_be_visible()


def test_one_finds_while_one_types(looker):
    page = looker.page
    page.keyboard.press("/")
    page.keyboard.type("lava fount")
    page.keyboard.type("ains")
    hits = page.locator("#list .hits .row")
    expect(hits).to_have_count(1)
    expect(hits.locator("mark").first).to_be_visible()
    looker.see("search")
    hits.get_by_role("link").click()
    expect(page.locator("article.target")).to_be_in_viewport()
    expect(hits).to_have_count(1)
    page.locator("#search").press("Escape")
    expect(page.locator("#list .row")).to_have_count(100)


def test_a_conversation_is_renamed_in_the_page_and_the_list(reader):
    page = reader.page
    page.get_by_role("button", name="Rename").click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Rename").click()
    page.locator("#rename-title").fill("Lava <i>now</i>")
    reader.see("rename")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Lava <i>now</i>")
    expect(page.locator("#list .row").first).to_contain_text("Lava <i>now</i>")
    expect(page).to_have_title("Lava <i>now</i>")
    assert stored()[0].title == "Lava <i>now</i>"


def test_a_conversation_is_pinned_to_the_top_of_the_list(visitor, filled):
    visitor.go("/viewer/conversations/c00040")
    page = visitor.page
    page.get_by_role("button", name="Pin", exact=True).click()
    expect(page.get_by_role("button", name="Unpin")).to_be_visible()
    pinned = page.locator("#list .row", has=page.locator(".pin"))
    expect(pinned).to_have_count(3)
    expect(pinned.filter(has=page.locator("[aria-current]"))).to_have_count(1)
    page.get_by_role("button", name="Unpin").click()
    expect(pinned).to_have_count(2)


def test_an_answer_is_rated_with_a_comment(reader):
    page = reader.page
    answer = page.locator("article.assistant").nth(1)
    comment = answer.get_by_label("Comment")
    answer.get_by_role("button", name="Bad").click()
    expect(answer.get_by_role("button", name="Bad")).to_have_attribute("aria-pressed", "true")
    for save in (lambda: page.keyboard.press("Enter"), answer.get_by_text("Save").click):
        comment.fill(f"which day? {save}")
        save()
        expect(comment).to_have_attribute("value", f"which day? {save}")
        assert stored()[1]["a2"].feedback == Feedback(rating="bad", comment=f"which day? {save}")
    answer.get_by_role("button", name="Clear").click()
    expect(comment).to_have_count(0)
    assert stored()[1]["a2"].feedback is None


def test_a_rating_cannot_overtake_one_that_is_not_stored_yet(reader):
    page = reader.page
    answer = page.locator("article.assistant").nth(1)
    held = []
    page.route("**/feedback", lambda route: held.append(route), times=1)
    with page.expect_request("**/feedback"):
        answer.get_by_role("button", name="Bad").click()
    expect(answer.get_by_role("button", name="Good")).to_be_disabled()
    held.pop().continue_()
    answer.get_by_role("button", name="Good").click()
    expect(answer.get_by_role("button", name="Good")).to_have_attribute("aria-pressed", "true")
    assert stored()[1]["a2"].feedback == Feedback(rating="good")


def test_what_is_swapped_in_works_as_soon_as_it_is_there(reader):
    answer = reader.page.locator("article.assistant").nth(1)
    answer.evaluate(
        """at => {
            new MutationObserver((_, observer) => {
                if (!at.querySelector("button[value=bad][aria-pressed=true]")) return;
                observer.disconnect();
                at.querySelector("button[value=good]").click();
            }).observe(at, { childList: true, subtree: true });
            at.querySelector("button[value=bad]").click();
        }"""
    )
    expect(answer.get_by_role("button", name="Good")).to_have_attribute("aria-pressed", "true")
    assert reader.page.url == reader.url + TELLING


def test_what_is_deleted_is_asked_for_first(reader):
    page = reader.page
    message = page.locator("article").first
    message.hover()
    message.get_by_role("button", name="Delete message").click()
    confirm = page.locator("#confirm")
    expect(confirm).to_contain_text("Delete this message?")
    confirm.get_by_role("button", name="Cancel").click()
    expect(page.locator("article")).to_have_count(5)
    message.get_by_role("button", name="Delete message").click()
    confirm.get_by_role("button", name="Delete").click()
    expect(page.locator("article")).to_have_count(4)
    page.locator("#opened").get_by_role("button", name="Delete").click()
    expect(confirm).to_contain_text("all its messages")
    reader.see("delete")
    confirm.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Deleted")
    expect(page.get_by_role("link", name="Is Kīlauea erupting")).to_have_count(0)
    assert page.url == f"{reader.url}/viewer/"
    with convostore.open(SMALL) as store, pytest.raises(convostore.NotFoundError):
        store.get_conversation("k/1")


def test_a_conversation_is_exported_as_a_file(reader):
    page = reader.page
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Markdown").click()
    assert download.value.suggested_filename == "Is Kīlauea erupting at the moment.md"
    assert "What changed this year" in download.value.path().read_text("utf-8")


def test_everything_can_be_reached_by_keyboard(looker):
    page = looker.page
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    looker.see("help")
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    for key in ("j", "j", "ArrowDown", "k", "ArrowUp"):
        page.keyboard.press(key)
    expect(page.locator("#list .row a").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("article").first).to_be_visible()
    page.keyboard.press("n")
    page.keyboard.press("n")
    expect(page.locator("article").nth(1)).to_be_focused()
    page.keyboard.press("p")
    expect(page.locator("article").first).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("j?/")
    expect(page.locator("#search")).to_have_value("j?/")
    page.keyboard.press("Escape")
    expect(page.locator("#search")).to_have_value("")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", level=1)).to_have_text("Conversations")
    looker.go()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the conversation")).to_be_focused()


def test_on_a_phone_there_is_the_list_or_the_conversation(visit, gateway, filled):
    visitor = visit(gateway, viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    page = visitor.page
    visitor.go()
    expect(page.locator("#main")).to_be_hidden()
    visitor.see("phone-list")
    page.get_by_role("link", name="Is Kīlauea erupting").tap()
    expect(page.locator("table")).to_be_visible()
    expect(page.locator("#list")).to_be_hidden()
    visitor.see("phone-conversation")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(".cite").last.tap()
    box = page.locator(".card:popover-open").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert box["y"] + box["height"] <= 780
    visitor.see("phone-citation")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="All conversations").tap()
    expect(page.locator("#list .row").first).to_be_visible()
    scroll_to_the_end(page, "html")
    expect(page.locator("#list .row")).to_have_count(151)


def brightness(page):
    found = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(map(int, re.findall(r"\d+", found)[:3]))


def test_it_is_dark_where_that_is_preferred_and_light_when_asked(visit, gateway, filled):
    visitor = visit(gateway, color_scheme="dark")
    page = visitor.page
    visitor.go(TELLING)
    assert brightness(page) < 200
    visitor.see("dark")
    page.get_by_role("button", name="Light or dark theme").click()
    assert brightness(page) > 600
    visitor.go()
    assert brightness(page) > 600


def test_one_logs_in_with_a_token_and_out_again(visit, filled, browser):
    token = Token(value=SecretStr("open-sesame-open-sesame"))
    with served(SMALL, tokens=(token,)) as url:
        visitor = visit(url)
        visitor.allowed.append("401")  # which Chromium calls an error
        page = visitor.page
        visitor.go(TELLING)
        page.get_by_label("Token").fill("something else")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_be_visible()
        visitor.see("login")
        page.get_by_label("Token").fill("open-sesame-open-sesame")
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("article")).to_have_count(5)
        assert page.url == url + TELLING
        assert "sesame" not in page.evaluate("document.cookie")
        page.get_by_role("button", name="Pin", exact=False).click()
        expect(page.get_by_role("button", name="Pin", exact=True)).to_be_visible()
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_label("Token")).to_be_visible()


def test_a_failure_is_told_and_leaves_the_page_as_it_is(reader):
    reader.allowed += ["404", "ERR_FAILED", "htmx:"]
    page = reader.page
    with convostore.open(SMALL) as store:
        store.delete_conversation("k/1")
    page.get_by_role("button", name="Unpin").click()
    expect(page.locator("#notice")).to_contain_text("may have been deleted")
    expect(page.locator("article")).to_have_count(5)
    page.route("**/pin", lambda route: route.abort())
    page.get_by_role("button", name="Unpin").click()
    expect(page.locator("#notice")).to_contain_text("Cannot reach the server")


def hostile(text):
    """A message in which everything is a hostile text."""
    return Message(
        id=f"m{text}",
        role="assistant",
        model=text,
        parts=(
            TextPart(text=text),
            TextPart(text=f"[1] {text}\n\n- {text}\n\n> {text}\n\n```{text}\n{text}\n```"),
            ReasoningPart(text=text),
            ToolCallPart(name=text, arguments=text),
            ToolResultPart(content=text),
            FilePart(name=text, url=text, media_type=text),
            FilePart(name=text, url=f"https://evil.example/{text}", media_type="image/png"),
            InteractionPart(
                type=text,
                prompt=text,
                options=(InteractionOption(value=text, label=text),),
                fields=(InteractionField(key=text, label=text, value=text),),
            ),
            OtherPart(type=text, data={text: text}),
        ),
        sources=(
            Source(title=text, url=text, content=text, mark="1"),
            Source(title=text, url=f"https://evil.example/{text}", content=text),
        ),
        feedback=Feedback(rating="bad", comment=text),
    )


def hostile_conversations():
    """One of each hostile text; every sixth one has the messages of six."""
    for number, text in enumerate(HOSTILE):
        conversation = Conversation(
            id=f"{number}{text}",
            title=text,
            origin=Origin(store=text, conversation_id=text),
            updated_at=NOW - timedelta(hours=number),
            files=hostile(text).parts[5:7],
        )
        yield conversation, [] if number % 6 else map(hostile, HOSTILE[number : number + 6])


UNFOLD_AND_FOCUS = """() => {
    document.querySelectorAll("details").forEach(each => { each.open = true });
    document.querySelectorAll(".card").forEach(each => { each.showPopover(); each.hidePopover() });
    document.querySelectorAll("main [tabindex], main input, main a").forEach(each => each.focus());
    return window.ran === undefined;
}"""


def test_hostile_content_runs_nothing_and_asks_no_other_host(visit, gateway):
    with convostore.open(SMALL) as store:
        store.clear_conversations()
    put(SMALL, hostile_conversations())
    visitor = visit(gateway)
    page = visitor.page
    visitor.go()
    expect(page.locator(".legend li").first).to_be_visible()
    links = page.locator("#list .row a").evaluate_all("all => all.map(each => each.href)")
    assert len(links) == len(HOSTILE)
    for place in range(0, len(links), 6):
        if place % 18:  # as a piece of the page, and now and then as a page of its own
            page.locator("#list .row a").nth(place).click()
        else:
            page.goto(links[place])
        page.wait_for_url(links[place])
        expect(page.locator("article")).to_have_count(min(6, len(links) - place))
        assert page.evaluate(UNFOLD_AND_FOCUS), links[place]
        assert page.url == links[place]
    visitor.see("hostile")
    page.keyboard.press("Escape")
    page.locator("#search").fill("window ran")
    expect(page.locator("#list .hits .row").first).to_be_visible()
    assert page.evaluate(UNFOLD_AND_FOCUS)


def test_a_script_in_the_page_itself_would_not_run(looker):
    """The policy is a wall of its own, behind both that make content harmless."""
    looker.allowed.append("Content Security Policy")
    page = looker.page
    page.locator("#main").evaluate(
        """main => {
            main.innerHTML = '<img src=x onerror="window.ran = 1">'
                + '<a href="javascript:window.ran = 1">x</a>';
            const script = document.createElement('script');
            script.textContent = 'window.ran = 1';
            main.append(script);
            main.querySelector('a').click();
        }"""
    )
    page.wait_for_function("() => document.querySelector('#main img').complete")
    assert page.evaluate("window.ran === undefined")
    looker.allowed.append("404")


def test_very_many_conversations_are_scrolled_through(visit, large, many):
    visitor = visit(large)
    page = visitor.page
    visitor.go()
    rows = page.locator("#list .row")
    expect(page.locator(".legend")).to_contain_text(f"{many - (many + 1) // 3:,}")
    scroll_to_the_end(page, "#list")
    expect(rows).to_have_count(many + 1)
    page.locator("#list .row a").last.focus()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No messages yet.")).to_be_visible()
    visitor.see("very-many")


def test_a_conversation_of_five_thousand_messages_is_read_from_any_place(visit, large):
    visitor = visit(large)
    page = visitor.page
    visitor.go("/viewer/conversations/long")
    expect(page.locator("article")).to_have_count(40)
    for count in (80, 120):
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        expect(page.locator("article")).to_have_count(count)
    page.get_by_role("link", name="Newest first").click()
    expect(page.locator("article").first).to_contain_text("Number 4999,")
    page.locator("#search").fill('"number 4321"')
    page.locator("#list .hits .row a").click()
    expect(page.locator("article.target")).to_contain_text("Number 4321,")
    expect(page.locator("article.target")).to_be_in_viewport()
    page.get_by_role("link", name="From the beginning").click()
    expect(page.locator("article").first).to_contain_text("Number 0,")
    visitor.see("five-thousand")
