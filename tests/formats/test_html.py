"""HTML: one page that needs nothing else, complete, and safe whatever it holds."""

import builtins
import hashlib
import re
import sys
from base64 import b64encode
from html.parser import HTMLParser

import pytest
from hypothesis import given

from convostore.errors import ConfigError
from convostore.formats import html, writer
from convostore.formats.html.markdown import parser
from convostore.models import (
    Conversation,
    Feedback,
    FilePart,
    InteractionOption,
    InteractionPart,
    Message,
    Origin,
    OtherPart,
    Problem,
    ReasoningPart,
    Source,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from convostore.testing import samples
from convostore.testing.value_strategies import tuples

from ..support.formats import CONVERSATIONS, EVERYTHING, HOSTILE, MESSAGES, said, written

VOID = {"meta", "br", "hr"}
ELEMENTS = VOID | {
    *("html", "head", "title", "style", "body", "nav", "section", "header", "article"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "div", "span", "time", "code", "pre", "blockquote"),
    *("ol", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "details", "summary"),
    *("sup", "a", "strong", "em", "s"),
}
ATTRIBUTES = {
    ("html", "lang"),
    ("div", "lang"),
    ("section", "id"),
    ("li", "id"),
    ("ol", "start"),
    ("time", "datetime"),
    ("a", "href"),
    ("a", "rel"),
    ("a", "title"),
    ("details", "open"),
    *((name, "class") for name in ("p", "span", "article", "ol", "ul", "div", "code")),
    *((name, "dir") for name in ("h1", "p", "div", "li")),
    *(("meta", name) for name in ("charset", "http-equiv", "content", "name")),
}


class Page(HTMLParser):
    """What a browser would find: elements with their attributes, and whether they are closed."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements = []
        self.open = []
        self.wrong = []
        self.shown = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "a" and "a" in self.open:
            self.wrong.append("a link within a link")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> where {self.open} is open")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.shown.append(data)

    def handle_comment(self, data):
        self.wrong.append(f"a comment: {data}")

    def unknown_decl(self, data):
        self.wrong.append(f"a declaration: {data}")

    def handle_pi(self, data):
        self.wrong.append(f"an instruction: {data}")

    @property
    def text(self):
        return "".join(self.shown)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def assert_safe(self):
        assert self.wrong == []
        assert self.open == []
        assert {name for name, _ in self.elements} <= ELEMENTS
        told = {(name, each) for name, attributes in self.elements for each in attributes}
        assert told <= ATTRIBUTES
        for link in self.all("a"):
            if link["href"].startswith("#"):
                assert set(link) == {"href"}
            else:
                assert re.match(r"(https?://|mailto:)", link["href"], re.IGNORECASE)
                assert link["rel"] == "noopener noreferrer nofollow"
        assert len(self.all("style")) == 1
        ids = [attributes["id"] for _, attributes in self.elements if "id" in attributes]
        assert len(ids) == len(set(ids))
        targets = {link["href"][1:] for link in self.all("a") if link["href"].startswith("#")}
        assert targets <= set(ids)


def page_of(*conversations, only=None):
    text = written("html", *conversations, only=only)
    text.encode("utf-8")
    page = Page(text)
    page.assert_safe()
    return page


@given(CONVERSATIONS, tuples(MESSAGES, 3))
def test_whatever_a_conversation_holds_the_page_is_safe(conversation, messages):
    page_of((conversation, messages), (conversation, []), only=conversation)


@given(HOSTILE)
def test_a_hostile_text_is_safe_wherever_it_stands(text):
    source = Source(title=text, url=text, content=text, mark="1")
    message = Message(
        role="assistant",
        model=text,
        parts=(
            TextPart(text=text),
            TextPart(text=f"[1] [{text}](https://example.org/{text} '{text}') ![{text}]({text})"),
            ReasoningPart(text=text),
            ToolCallPart(id=text, name=text, arguments=text),
            ToolResultPart(id=text, content=text),
            FilePart(name=text, url=text, media_type=text),
            FilePart(name=text, url=f"https://example.org/{text}"),
            InteractionPart(
                type=text,
                prompt=text,
                options=(InteractionOption(value=text, label=text),),
                answered=True,
                answer=text,
            ),
            OtherPart(type=text, data={text: [text]}),
        ),
        sources=(source, Source(url=f"https://example.org/{text}", title=text)),
        feedback=Feedback(rating="bad", comment=text),
        problems=(Problem(where=text, what=text),),
    )
    conversation = Conversation(
        id=text or "c",
        title=text,
        origin=Origin(store=text, conversation_id=text),
        files=(FilePart(name=text, url=text),),
    )
    page = page_of((conversation, [message]), only=conversation)
    assert "convostore" in page.all("meta")[-1]["content"]


def test_scripts_and_markup_are_shown_as_text():
    page = page_of((Conversation(id="c"), [said("<script>alert(1)</script> <b onclick=x>b</b>")]))
    assert "<script>alert(1)</script> <b onclick=x>b</b>" in page.text


def test_pictures_are_links_and_nothing_is_loaded():
    text = "![a pixel](https://tracker.example/p.png) [![in a link](https://b.example)](https://c.example)"
    page = page_of((Conversation(id="c"), [said(text)]))
    assert [each["href"] for each in page.all("a")] == [
        "https://tracker.example/p.png",
        "https://c.example",
    ]
    assert "a pixel" in page.text
    assert "in a link" in page.text


@pytest.mark.parametrize(
    "target",
    ["javascript:alert(1)", "data:text/html,x", "vbscript:x", "file:///x", "/local", "#s1", "//x"],
)
def test_other_links_are_left_as_text(target):
    page = page_of(
        (Conversation(id="c"), [said(f"[x]({target}) <{target}>\n\n[y]: {target}\n\n[y]")])
    )
    assert page.all("a") == []


def test_the_policy_allows_the_style_of_the_page_and_nothing_else():
    text = written("html", EVERYTHING)
    policy = next(
        each["content"]
        for each in Page(text).all("meta")
        if each.get("http-equiv") == "Content-Security-Policy"
    )
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-{digest}'"
    )
    assert "url(" not in style
    assert "@import" not in style
    assert "@media print" in style
    assert "prefers-color-scheme: dark" in style


def test_everything_is_shown():
    shown = page_of(EVERYTHING).text
    for text in (
        "Everything",
        "pinned",
        "because",
        "look",
        '{"at": "it"}',
        "seen",
        "ʻ 笔记.txt",
        "which?",
        "A ✓ chosen",
        "K: [1,null]",
        "widget",
        '{"nested":[1,2.5,null,{"deep":"er"}]}',
        "Rated bad: not helpful",
        "Unreadable: metadata is not JSON",
        "https://example.org/2",
        "a-model",
    ):
        assert text in shown


def test_times_are_told_to_machines_and_to_people():
    page = page_of((Conversation(id="c", created_at=samples.START), []))
    assert page.all("time") == [{"datetime": "2024-12-07T09:35:59+00:00"}]
    assert "2024-12-07 09:35:59 UTC" in page.text


def test_a_citation_leads_to_its_source():
    answer = said(
        "Noon [1, 9], or later [2].\n\n    code [1]\n\n`code [2]`",
        sources=(
            Source(title="T", url="https://t.example", mark="1"),
            Source(title="U", mark="2"),
            Source(title="V"),
        ),
    )
    page = page_of((Conversation(id="c"), [answer, answer]))
    assert [each["href"] for each in page.all("a")] == [
        "#s1",
        "#s2",
        "https://t.example",
        "#s3",
        "#s4",
        "https://t.example",
    ]
    assert "Noon [1][9], or later [2]." in page.text
    assert "code [1]" in page.text
    assert [each["id"] for each in page.all("li") if "id" in each] == ["s1", "s2", "s3", "s4"]


def test_a_mark_within_a_link_stays_text():
    text = "[see [1] there](https://example.org) and [1](https://example.com) and [1]"
    page = page_of((Conversation(id="c"), [said(text, sources=(Source(title="T", mark="1"),))]))
    assert [each["href"] for each in page.all("a")] == [
        "https://example.org",
        "https://example.com",
        "#s1",
    ]


def test_a_mark_of_a_knowledge_base_leads_to_its_quote():
    mark = "0123456789abcdef01234567"
    text = f"So it is [{mark}](CITE)."
    page = page_of((Conversation(id="c"), [said(text, sources=(Source(title="T", mark=mark),))]))
    assert [each["href"] for each in page.all("a")] == ["#s1"]
    assert mark not in page.text


def test_headings_of_a_text_stand_below_those_of_the_page():
    page = page_of((Conversation(id="c"), [said("# one\n\n###### six")]))
    assert [tag for tag, _ in page.elements if re.fullmatch(r"h\d", tag)] == [
        "h1",
        "h2",
        "h3",
        "h6",
    ]


def test_several_conversations_have_a_table_of_contents_and_one_has_none():
    first, second = Conversation(id="a", title="One <1>"), Conversation(id="b")
    page = page_of((first, []), (second, []))
    assert [each["href"] for each in page.all("a")] == ["#c1", "#c2"]
    assert page.text.count("One <1>") == 2
    assert page_of((first, []), only=first).all("nav") == []


def test_the_page_is_called_after_the_only_conversation():
    tides = Conversation(id="a", title="Tides\n<&>")
    assert "<title>Tides &lt;&amp;&gt;</title>" in written("html", (tides, []), only=tides)
    assert "<title>Conversations</title>" in written("html", (tides, []))


def test_what_utf8_cannot_hold_is_replaced():
    hostile = "a\ud800\x00\x1bb"
    text = written("html", (Conversation(id=hostile, title=hostile), [said(hostile)]))
    assert "\ud800" not in text
    assert "\x00" not in text
    assert text.count("a\ufffd\ufffd\ufffdb") >= 3


def test_tables_lists_and_code_of_a_text_are_rendered():
    text = "| a | b |\n|:--|--:|\n| 1 | 2 |\n\n- x\n\n```py\nx < 1\n```\n\n~~gone~~ **bold**"
    page = page_of((Conversation(id="c"), [said(text)]))
    assert {"table", "td", "li", "pre", "s", "strong"} <= {tag for tag, _ in page.elements}
    assert "x < 1" in page.text


def test_lines_end_where_they_were_ended():
    page = written("html", (Conversation(id="c"), [said("one\ntwo\n\nthree")]))
    assert "<p>one<br>\ntwo</p>\n<p>three</p>" in page.replace("<br />", "<br>")


@pytest.mark.parametrize("again", ["", "\n[1]: https://b.example"])
def test_links_that_are_defined_and_not_used_are_shown(again):
    text = f"see [that][2]\n\n[1]: https://a.example 'A <b>'\n[2]: https://c.example{again}"
    page = page_of((Conversation(id="c"), [said(text)]))
    assert "[1]: https://a.example A <b>" in page.text
    assert ("[1]: https://b.example" in page.text) is bool(again)
    assert "[2]" not in page.text
    assert [each["href"] for each in page.all("a")][:2] == [
        "https://c.example",
        "https://a.example",
    ]
    assert all("noopener" in each["rel"] for each in page.all("a"))


def test_messages_are_written_as_they_come():
    made = writer("html")
    assert made.start() + made.conversation(Conversation(id="c"))
    pieces = (made.message(said(f"text {number}")) for number in range(10**9))
    assert "text 0" in next(pieces)
    assert "text 1" in next(pieces)


@pytest.mark.parametrize("missing", ["jinja2", "markdown_it"])
def test_without_its_libraries_it_tells_how_to_get_them(missing, monkeypatch):
    plain_import = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.partition(".")[0] == missing:
            raise ImportError(name)
        return plain_import(name, *args, **kwargs)

    html._environment.cache_clear()
    parser.cache_clear()
    monkeypatch.setattr(builtins, "__import__", refuse)
    for name in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ConfigError, match=r'pip install "convostore\[export\]"'):
        writer("html")
