"""Whatever a store holds, the viewer's pages show it as text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.naming import naming

import convostore
from convostore.formats.text import printable
from convostore.models import Message, TextPart
from convostore.testing.strategies import texts
from convostore.testing.value_strategies import Values
from convostore_gateway.viewer import render

from ..support.gateway import client_of, served
from ..support.viewer import HOSTILE, Page

TARGET = "memory://viewer-hostile"
HOSTILE_TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    texts(),
    st.lists(st.sampled_from(HOSTILE), min_size=2, max_size=3).map("\n".join),
)
VALUES = Values(texts=HOSTILE_TEXTS, marks=st.sampled_from(["1", "2"]))


@pytest.fixture(scope="module")
def look():
    with served(TARGET) as url, client_of(f"{url}/viewer") as client:
        yield client


def safe(look, path, **headers):
    answer = look.get(path, headers=headers)
    assert answer.status_code == 200
    page = Page(answer.text)
    page.assert_safe()
    return page


# Hypothesis writes a strategy out where it passes over a value, and this one holds many texts.
@pytest.mark.rim
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@settings(max_examples=max(60, settings.default.max_examples))
@given(VALUES.conversations(), st.lists(VALUES.messages(), max_size=3, unique_by=lambda m: m.id))
def test_a_conversation_of_hostile_texts_is_shown_as_text(look, conversation, messages):
    with convostore.open(TARGET) as store:
        store.clear_conversations()
        store.put_conversation(conversation)
        if messages:
            store.append_messages(conversation.id, messages)
    listed = safe(look, "/")
    (link,) = [each["href"] for each in listed.all("a") if "/conversations/" in each["href"]]
    path = link.removeprefix("/viewer")
    safe(look, path)
    opened = safe(look, path, **{"hx-request": "true"})
    assert len(opened.all("article")) == len(messages)
    safe(look, "/activity", **{"hx-request": "true"})


@pytest.mark.rim
def test_hostile_queries_and_hits_are_shown_as_text(look):
    for text in HOSTILE:
        with naming(repr(text)):
            keep(f"window {text}")
            answer = look.get("/search", params={"q": text.encode("utf-8", "replace")})
            assert answer.status_code == 200
            Page(answer.text).assert_safe()
            hits = look.get("/search", params={"q": "window"})
            page = Page(hits.text)
            page.assert_safe()
            assert len(page.all("mark")) >= 2


def keep(text):
    """Has the store hold one conversation, which is called so and says so."""
    with convostore.open(TARGET) as store:
        store.clear_conversations()
        store.create_conversation(id="c", title=text)
        store.append_messages("c", [Message(role="user", parts=(TextPart(text=text),))])


def test_the_second_wall_holds_where_the_first_would_not():
    """What is sanitised may be any HTML: nothing of it runs or loads."""
    for text in HOSTILE:
        with naming(repr(text)):
            html = f"<p>{printable(text)}</p><div onclick=x style=y><script>z</script>"
            page = Page(render.sanitize(html))
            for tag, attributes in page.elements:
                assert tag in render._TAGS
                assert set(attributes) <= {*render._ATTRIBUTES.get(tag, ()), "rel", "target"}
            page.assert_safe()


def test_attributes_of_our_own_are_left_only_in_our_own_form():
    kept = '<button class="cite" type="button" popovertarget="s-0123456789abcdef-1">1</button>'
    assert render.sanitize(kept) == kept
    spoilt = '<button class="danger" type="submit" popovertarget="exports">1</button>'
    assert render.sanitize(spoilt) == "<button>1</button>"
    assert render.sanitize('<code class="copy">x</code>') == "<code>x</code>"
    assert render.sanitize('<code class="language-c++">x</code>').count("language-c++") == 1


def test_a_text_that_is_too_long_for_markdown_is_shown_as_it_is():
    text = "**bold** <b> " * 20_000
    (message,) = render.render_messages([Message(role="assistant", parts=(TextPart(text=text),))])
    body = str(message.parts[0][1])
    assert body.startswith("<pre>**bold** &lt;b&gt; ")
    assert "<strong>" not in body


NESTED = {
    "[": "[" * 20_000,
    "*a_": "*a_" * 15_000,
    ">": "> " * 20_000,
    "`": "`" * 40_000 + "a",
    "![](": "![](" * 10_000,
    "|": "|" * 9_000,
}


@pytest.mark.slow
def test_markdown_that_nests_without_end_is_shown():
    for name, text in NESTED.items():
        with naming(name):
            source = Message(role="assistant", parts=(TextPart(text=text),))
            (message,) = render.render_messages([source])
            page = Page(str(message.parts[0][1]))
            page.assert_safe()
            assert page.elements


def test_of_a_page_no_more_is_rendered_than_a_server_can_bear():
    text = "*x* " + "x" * 79_996  # what takes long is Markdown, and what counts is the length
    messages = [
        Message(id=f"m{each}", role="assistant", parts=(TextPart(text=text),)) for each in range(15)
    ]
    (*rendered, last) = [str(each.parts[0][1]) for each in render.render_messages(messages)]
    assert [body.count("<em>") for body in rendered[:12]] == [1] * 12
    assert [body[:8] for body in [*rendered[12:], last]] == ["<pre>*x*"] * 3
    assert render.render_messages(messages[-1:])[0].parts[0][1].count("<em>") == 1


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", " java\nscript:alert(1)", "data:text/html,x", "vbscript:x"]
)
def test_what_runs_is_no_link_even_where_it_came_through_the_first_wall(link):
    left = render.sanitize(f'<a href="{link}">a</a><a href="https://a.example/">b</a>')
    assert left.count("href") == 1
    assert 'href="https://a.example/"' in left
