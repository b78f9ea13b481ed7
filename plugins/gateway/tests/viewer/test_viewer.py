"""The viewer's pages and pieces over HTTP, without a browser."""

import json
from dataclasses import replace

import pytest
from tests.support.naming import naming

import convostore
from convostore.models import Conversation, Feedback, Message, Origin, RunStep, TextPart
from convostore.testing import samples
from convostore_gateway import Limits

from ..support.gateway import asked, client_of, got, served
from ..support.viewer import HOSTILE, NOW, Page, long, ordinary, put, telling

pytestmark = pytest.mark.rim

TARGET = "memory://viewer"
HTMX = {"hx-request": "true"}
WHOLE = {"hx-history-restore-request": "true"}


@pytest.fixture(scope="module")
def client():
    """Of a viewer over the store `TARGET`."""
    with served(TARGET) as url, client_of(f"{url}/viewer", headers=HTMX) as client:
        yield client


@pytest.fixture
def target():
    """A store with nothing in it, which is filled through its address."""
    with convostore.open(TARGET) as store:
        store.clear_conversations()
    return TARGET


@pytest.fixture
def look(client, target):
    """A client of a viewer over the store `target`."""
    return client


def page_of(response, status=200):
    assert response.status_code == status, response.text
    page = Page(response.text)
    page.assert_safe()
    return page


def stored(target, id="k/1"):
    with convostore.open(target) as store:
        return store.get_conversation(id), {each.id: each for each in store.messages(id)}


TELLING = "/conversations/k%2F1"


def test_the_root_leads_to_the_viewer(target):
    with served(target) as url:
        answer = got(url, follow_redirects=True)
    assert str(answer.url) == f"{url}/viewer/"
    assert "No conversations yet" in page_of(answer).text


def test_an_empty_store_says_how_to_fill_it_and_exports_nothing(look, target):
    page = page_of(look.get("/", headers=WHOLE))
    assert "import a file with convostore import" in page.text
    assert "Export everything" not in page.text
    put(target, [telling()])
    page = page_of(look.get("/", headers=WHOLE))
    assert "convostore import" not in page.text
    assert "Export everything" in page.text


def test_the_list_has_titles_times_origins_and_the_pinned_ones_first(look, target):
    put(target, [*[(each, ()) for each in ordinary(10)], telling()])
    page = page_of(look.get("/", headers=WHOLE))
    rows = [each for each in page.all("a") if "/conversations/" in each["href"]]
    assert rows[0]["href"] == "/viewer/conversations/k%2F1"
    assert rows[1]["href"] == "/viewer/conversations/c00003"  # pinned, and older than many
    assert "20 Mar 2026" in page.text
    assert "perplexica://search.example" in page.text
    assert page.text.count("Pinned") == 2


def test_the_list_goes_on_piece_by_piece_and_shows_each_conversation_once(look, target):
    put(target, [(each, ()) for each in ordinary(150)])
    seen, further = [], "/"
    while further:
        page = page_of(look.get(further.removeprefix("/viewer"), headers={"hx-target": "list"}))
        seen += [each["href"] for each in page.all("a") if "/conversations/" in each["href"]]
        more = page.all("p", class_="more")
        further = more[0]["hx-get"] if more else None
    assert len(seen) == len(set(seen)) == 150


def test_a_whole_page_is_answered_when_a_browser_has_lost_one(look, target):
    put(target, [telling()])
    assert "<!DOCTYPE html>" in look.get(TELLING, headers=WHOLE).text
    assert "<!DOCTYPE html>" not in look.get(TELLING).text


def test_what_is_typed_is_searched_for_in_the_store(look, target):
    put(target, [telling(), *[(each, ()) for each in ordinary(5)]])
    page = page_of(look.get("/search", params={"q": "fountains metres"}))
    (hit,) = [each for each in page.all("a") if "/conversations/" in each["href"]]
    assert hit["href"].startswith("/viewer/conversations/k%2F1?message=a1#m-")
    assert "fountains" in page.text
    assert page.all("mark")
    assert "No results" in page_of(look.get("/search", params={"q": "zeppelin"})).text
    assert "sourdough" in page_of(look.get("/search", params={"q": " "})).text
    whole = page_of(look.get("/search", params={"q": "tide"}, headers=WHOLE))
    assert whole.all("input", name="q", value="tide")


def test_hits_that_are_many_come_piece_by_piece(look, target):
    put(target, [(Conversation(id=f"{n}", title=f"sourdough {n}"), ()) for n in range(130)])
    page = page_of(look.get("/search", params={"q": "sourdough"}))
    (more,) = page.all("p", class_="more")
    rest = page_of(look.get(more["hx-get"].removeprefix("/viewer")))
    assert page.text.count("sourdough") + rest.text.count("sourdough") == 130


class Offering(convostore.AsyncConversationStore):
    """A store that cannot do some of what it could."""

    def __init__(self, target, without=(), also=(), **traits):
        self.__dict__.update(vars(convostore.aopen(target)))
        self._traits = replace(super().traits, **traits)
        self._without = frozenset(without)
        self._also = frozenset(also)

    @property
    def traits(self):
        return self._traits

    def offers(self, operation):
        return operation in self._also or (
            operation not in self._without and super().offers(operation)
        )

    async def get_run_details(self, conversation_id, message_id):
        inner = RunStep(name="<b>inner</b>", type="model", seconds=0.25, error="it <i>broke</i>")
        return (RunStep(name=f"{conversation_id} {message_id}", seconds=70, steps=(inner,)),)


def test_titles_are_looked_through_where_the_store_cannot_search(target):
    put(target, [(each, ()) for each in ordinary(700)])
    with served(lambda: Offering(target, without=["search"])) as url:
        page = page_of(got(f"{url}/viewer/search?q=SOURDOUGH+rye", headers=HTMX))
        assert "Filter by title" in str(page_of(got(f"{url}/viewer/")).all("input"))
    assert page.text.count("sourdough") == 59  # every twelfth of them
    assert "59 matching titles" in page.text


def test_a_conversation_shows_all_that_it_holds(look, target):
    put(target, [telling()])
    page = page_of(look.get(TELLING))
    for told in (
        *("Is Kīlauea erupting", "perplexica://search.example", "k/1", "5 messages", "sonar-large"),
        *("Reasoning", "Tool call", "web_search", "Tool result", "4 results", "unanswered"),
        *("Which side of the caldera?", "✓ chosen", "itinerary.pdf", "application/pdf"),
        *("volcano.example", "Episode 43 of the ongoing eruption", "score 0.92", "researched"),
    ):
        assert told in page.text, told
    assert len(page.all("table")) == 1
    assert page.all("code", class_="language-python")
    assert not page.all("img")
    assert page.all("input", name="comment", value="the table helps")


def test_a_citation_opens_its_source(look, target):
    put(target, [telling()])
    page = page_of(look.get(TELLING))
    cited = [each["popovertarget"] for each in page.all("button", class_="cite")]
    assert len(cited) == 4
    cards = {each["id"] for each in page.all("div", class_="card")}
    assert set(cited) <= cards
    assert page.all("a", href="https://volcano.example/kilauea/updates", target="_blank")


def test_problems_and_files_of_a_conversation_are_told(look, target):
    everything = samples.full_message()
    conversation = Conversation(
        id="c",
        files=everything.parts[4:5],
        problems=everything.problems,
        origin=Origin(store="sqlite:////home/somebody/archive.db", conversation_id="x"),
    )
    put(target, [(conversation, [everything])])
    page = page_of(look.get("/conversations/c"))
    assert page.text.count("Unreadable: metadata is not JSON") == 2
    assert page.text.count("笔记.txt") == 2
    assert "Untitled" in page.text
    assert '"deep": "er"' in page.text
    assert "sqlite:///archive.db" in page.text
    assert "somebody" not in page.text


def test_messages_come_page_by_page_in_either_order(look, target):
    put(target, [long("l", 100)])
    first = page_of(look.get("/conversations/l"))
    assert "Number 0," in first.text
    assert "Number 39," in first.text
    assert "Number 40," not in first.text
    (more,) = first.all("p", class_="more")
    second = page_of(look.get(more["hx-get"].removeprefix("/viewer")))
    assert "Number 40," in second.text
    assert "<h1" not in second.text
    newest = page_of(look.get("/conversations/l?order=newest_first"))
    assert "Number 99," in newest.text
    (more,) = newest.all("p", class_="more")
    assert "Number 59," in page_of(look.get(more["hx-get"].removeprefix("/viewer"))).text


def test_a_message_far_down_is_opened_with_its_surroundings(look, target):
    put(target, [long("l", 200)])
    page = page_of(look.get("/conversations/l?message=m00130"))
    assert "Number 130," in page.text
    assert "Number 0," not in page.text
    assert len([each for each in page.all("article") if each["class"].endswith("target")]) == 1
    assert "From the beginning" in page.text
    assert "Number 0," in page_of(look.get("/conversations/l?message=gone")).text


def test_a_conversation_is_renamed(look, target):
    put(target, [telling()])
    answer = look.post(f"{TELLING}/title", data={"title": "  Lava <b>now</b> "})
    assert "Lava <b>now</b>" in page_of(answer).text
    assert list(json.loads(answer.headers["hx-trigger"])) == ["renamed"]
    assert stored(target)[0].title == "Lava <b>now</b>"
    page_of(look.post(f"{TELLING}/title", data={"title": ""}))
    assert stored(target)[0].title is None


def test_a_conversation_is_pinned_and_unpinned(look, target):
    put(target, [telling()])
    answer = look.post(f"{TELLING}/pin", data={"pinned": "false"})
    assert page_of(answer).all("button", name="pinned", value="true")
    assert not stored(target)[0].pinned
    look.post(f"{TELLING}/pin", data={"pinned": "true"})
    assert stored(target)[0].pinned
    assert "Pinned" in page_of(look.get(f"{TELLING}/row")).text


def test_a_conversation_is_deleted(look, target):
    put(target, [telling()])
    answer = look.post(f"{TELLING}/delete")
    assert "Deleted" in page_of(answer).text
    assert answer.headers["hx-push-url"] == "/viewer/"
    assert look.get(TELLING).status_code == 404


def test_a_message_is_deleted_and_leaves_nothing(look, target):
    put(target, [telling()])
    answer = look.post(f"{TELLING}/messages/q1/delete")
    assert (answer.status_code, answer.text) == (200, "")
    assert "q1" not in stored(target)[1]
    assert "a1" in stored(target)[1]


def test_the_page_is_loaded_again_where_more_than_a_message_may_have_gone(target):
    put(target, [telling()])
    with served(lambda: Offering(target, deletes="may_delete_turn")) as url:
        page = page_of(got(f"{url}/viewer{TELLING}", headers=HTMX))
        assert any(
            "may be deleted with it" in each.get("hx-confirm", "") for each in page.all("button")
        )
        answer = asked("POST", f"{url}/viewer{TELLING}/messages/q1/delete", headers=HTMX)
    assert answer.headers["hx-refresh"] == "true"


def test_a_backends_own_bound_of_a_page_is_kept(target):
    put(target, [long("l", 30)])
    with served(lambda: Offering(target, max_page=10)) as url:
        page = page_of(got(f"{url}/viewer/conversations/l", headers=HTMX))
    assert len(page.all("article")) == 10


def test_feedback_is_given_commented_and_cleared(look, target):
    put(target, [telling()])
    path = f"{TELLING}/messages/a2/feedback"
    page = page_of(look.post(path, data={"rating": "good"}))
    assert page.all("button", value="good", aria_pressed="true")
    assert stored(target)[1]["a2"].feedback == Feedback(rating="good")
    page = page_of(look.post(path, data={"rating": "bad", "comment": 'too "short" <'}))
    assert page.all("input", name="comment", value='too "short" <')
    assert stored(target)[1]["a2"].feedback == Feedback(rating="bad", comment='too "short" <')
    page = page_of(look.post(path, data={"rating": "", "comment": "left"}))
    assert not page.all("input")
    assert stored(target)[1]["a2"].feedback is None
    assert look.post(path, data={"rating": "great"}).status_code == 400


def test_run_details_are_shown_where_there_are_any(target):
    put(target, [telling()])
    with served(lambda: Offering(target, also=["get_run_details"])) as url:
        assert "Run details" in page_of(got(f"{url}/viewer{TELLING}", headers=HTMX)).text
        page = page_of(got(f"{url}/viewer{TELLING}/messages/a1/run", headers=HTMX))
    for told in ("k/1 a1", "70 s", "<b>inner</b>", "0.25 s", "it <i>broke</i>"):
        assert told in page.text


def test_what_the_store_cannot_do_is_not_shown(target):
    put(target, [telling()])
    without = ["update_conversation", "delete_conversation", "delete_message", "set_feedback"]
    with served(lambda: Offering(target, without=without)) as url:
        page = page_of(got(f"{url}/viewer{TELLING}"))
    assert not [each for _, each in page.elements if "hx-post" in each]
    assert "Rename" not in page.text
    assert "Rated good: the table helps" in page.text
    assert "Export" in page.text


def test_a_conversation_is_exported_in_each_format(look, target):
    conversation, messages = long("l", 450)
    put(target, [(conversation.model_copy(update={"title": 'Lava/"now"\n夏'}), messages)])
    for name in ("html", "markdown", "jsonl", "openai"):
        with naming(name):
            answer = look.get("/conversations/l/export", params={"format": name})
            assert answer.status_code == 200
            assert "Number 449," in answer.text
            assert answer.headers["content-disposition"].startswith(
                'attachment; filename="Lava now'
            )
            everything = look.get("/export", params={"format": name})
            assert "Number 449," in everything.text


def test_an_export_of_what_is_not_there_or_in_no_format_is_refused(look, target):
    put(target, [telling()])
    assert look.get("/conversations/gone/export").status_code == 404
    assert look.get(f"{TELLING}/export?format=docx").status_code == 400


def test_ids_of_any_kind_have_pages_of_their_own(look, target):
    ids = [each for each in HOSTILE if each and len(each) < 1000]
    put(
        target,
        [
            (
                Conversation(id=id, title=f"number {number}", created_at=NOW),
                [Message(id=id, role="assistant", parts=(TextPart(text="said"),))],
            )
            for number, id in enumerate(ids)
        ],
    )
    listed = page_of(look.get("/", headers={"hx-target": "list"}))
    links = [each["href"] for each in listed.all("a") if "/conversations/" in each["href"]]
    assert len(links) == len(ids)
    titles = set()
    for link in links:
        page = page_of(look.get(link.removeprefix("/viewer")))
        titles.add(page.shown[0])
        (rate,) = page.all("form", class_="feedback")
        path = rate["hx-post"].removeprefix("/viewer")
        assert look.post(path, data={"rating": "good"}).status_code == 200
    assert titles == {f"number {number}" for number in range(len(ids))}


def test_what_is_not_there_is_told_without_a_detail(look):
    for path in ("/conversations/gone", "/nowhere", "/conversations", "/conversations/a/b/c/d"):
        piece = look.get(path)
        assert piece.status_code == 404
        assert "<!DOCTYPE" not in piece.text
        page = page_of(look.get(path, headers=WHOLE), 404)
        assert "Back to conversations" in page.text
    assert look.get("/static/../viewer.js").status_code == 404


def test_wrong_requests_are_refused(look, target):
    put(target, [telling()])
    answer = look.request("PATCH", TELLING)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert look.get("/conversations/%FF").status_code == 404
    assert look.get(f"/conversations/{'x' * 2000}").status_code == 400
    assert look.get("/?cursor=nonsense").status_code == 400
    assert look.get(f"{TELLING}?order=sideways").status_code == 400
    assert look.post(f"{TELLING}/title", content=b"title=%FF").status_code == 400
    assert look.post(f"{TELLING}/title", content=b"\xff").status_code == 400
    assert look.post(f"{TELLING}/title", content=b"titel=x").status_code == 400
    assert (
        look.post(f"{TELLING}/messages/gone/feedback", data={"rating": "good"}).status_code == 404
    )


def test_a_form_that_is_too_large_is_refused(target):
    put(target, [telling()])
    with served(target, limits=Limits(body=1000)) as url:
        answer = asked("POST", f"{url}/viewer{TELLING}/title", content=b"x" * 1001, headers=HTMX)
    assert answer.status_code == 413
    assert stored(target)[0].title == telling()[0].title


class Broken(convostore.AsyncConversationStore):
    """A store that fails in a way that nobody foresaw, or that its service makes it fail in."""

    def __init__(self, target):
        self.__dict__.update(vars(convostore.aopen(target)))
        self.error = None

    async def list_conversations(self, **_):
        raise self.error


ERRORS = [
    (RuntimeError, 500),
    (convostore.UnavailableError, 503),
    (convostore.AuthError, 502),
    (convostore.ProtocolError, 502),
    (convostore.RateLimitError, 429),
    (convostore.UnsupportedError, 501),
    (convostore.ConflictError, 409),
]


def test_an_error_shows_its_kind_and_nothing_of_what_is_inside(target, caplog):
    broken = Broken(target)
    with served(lambda: broken) as url, client_of(f"{url}/viewer") as client:
        for kind, status in ERRORS:
            with naming(kind.__name__):
                broken.error = kind("secret")
                whole, piece = client.get("/"), client.get("/", headers=HTMX)
                assert (whole.status_code, piece.status_code) == (status, status)
                assert str(status) in page_of(whole, status).text
                assert "secret" not in whole.text + piece.text + caplog.text


def test_assets_are_kept_for_good_under_their_own_version(look):
    page = page_of(look.get("/", headers=WHOLE))
    links = [each["src"] for each in page.all("script")]
    links += [each["href"] for each in page.all("link")]
    assert len(links) == 4
    size = 0
    for link in links:
        answer = look.get(link.removeprefix("/viewer"))
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        size += len(answer.content)
        plain = link.removeprefix("/viewer").partition("?")[0]
        again = look.get(plain, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.headers["cache-control"]) == (304, "no-cache")
    assert size < 100_000
