"""What a query matches, whatever is typed and whatever is searched, and what its snippets show."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from convostore import Conversation, Message, Source, TextPart
from convostore.search import Search, fold, searchable_text, tokenize

from ..support.naming import naming

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANY_TEXT = st.text(st.characters(codec=None), max_size=60)
BLANKS = ["\n", " ", "  ", "\r\n", "\t \n", "\x0b", "\xa0", "\u1680", "\u2003", "\u2028", "\u3000"]
LATIN = st.sampled_from(
    [
        "fox",
        "Fuchs",
        "Crème",
        "cre\u0300me",
        "STRASSE",
        "Straße",
        "ﬁn",
        "ⅻ",
        "İzmir",
        "ŉ",
        "x²",
        "Ｗ",
    ]
)
OTHER = st.sampled_from(
    [
        "ΣΊΣΥΦΟΣ",
        "Ёлка",
        "שָׁלוֹם",
        "مُحَمَّد",
        "हिन्दी",
        "夏威夷",
        "ラーメン",
        "ｶﾞ",
        "한국어",
        "ㅋㅋㅠㅠ",
        "ฉันรัก",
    ]
)
CODE = st.sampled_from(
    [
        "getUserName",
        "max_page",
        "HTTPServer2",
        "v2API",
        "C++",
        "a.b/c",
        "'--",
        "%_*",
        "50%",
        "Python写",
    ]
)
TOKENS = st.lists(
    LATIN | OTHER | CODE | st.text(st.characters(codec=None, exclude_categories=["Z", "Cc", "M"])),
    min_size=1,
    max_size=8,
)
DENSE = st.text("夏威夷大学東京都ラーメンガ食ベﾗ한국어공부ㅋㅠ々〇", min_size=1, max_size=20)


def find(query, text):
    return Search(query).find(text)


def marked(query, text):
    snippet = Search(query).snippet(text)
    return [snippet.text[start:end] for start, end in snippet.marks]


def message(text, *titles):
    sources = tuple(Source(title=title) for title in titles)
    return Message(role="assistant", parts=(TextPart(text=text),), sources=sources)


# Folding.


@given(ANY_TEXT)
def test_to_fold_twice_is_to_fold_once(text):
    assert fold(fold(text)) == fold(text)


@given(ANY_TEXT)
def test_white_space_of_any_kind_becomes_spaces(text):
    assert not any(char.isspace() and char != " " for char in fold(text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Crème Brûlée", "creme brulee"),
        ("STRASSE", "straße"),
        ("ΣΊΣΥΦΟΣ", "σισυφος"),
        ("Ёлка", "елка"),
        ("İstanbul", "istanbul"),
        ("Ｆｕｌｌ", "full"),
        ("ﾗｰﾒﾝ", "ラーメン"),
        ("ﬁn", "fin"),
        ("שָׁלוֹם", "שלום"),
        ("مُحَمَّد", "محمد"),
        ("e\u0301", "É"),
        ("ガ", "カ\u3099"),
        ("한", "\u1112\u1161\u11ab"),
    ],
)
def test_case_width_and_accents_are_folded_away(one, other):
    assert fold(one) == fold(other)
    assert find(one, other)
    assert find(other, one)


@pytest.mark.parametrize(("one", "other"), [("ガ", "カ"), ("は", "ぱ"), ("ア", "あ"), ("й", "п")])
def test_letters_that_are_others_stay_others(one, other):
    assert fold(one) != fold(other)


# Words.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", set()),
        ("?! … \x00 \ud800 🏄", set()),
        ("It's 3.14", {"it", "s", "3", "14"}),
        ("max_page_size", {"max", "page", "size"}),
        ("getUserName", {"getusername", "get", "user", "name"}),
        ("HTTPServer", {"httpserver", "http", "server"}),
        ("http2Client", {"http2client", "http2", "client"}),
        ("v2API", {"v2api", "v2", "api"}),
        ("sha256", {"sha256"}),
        ("Word WORD word", {"word"}),
        ("夏威夷", {"夏", "威", "夷", "夏威", "威夷"}),
        ("Python写", {"python", "写"}),
        ("ㅋㅠ", {"ㅋ", "ㅠ", "ㅋㅠ"}),
    ],
)
def test_a_text_is_cut_into_these_words(text, words):
    assert tokenize(text) == words


@given(ANY_TEXT, ANY_TEXT)
def test_more_text_has_no_fewer_words(text, more):
    assert tokenize(text) <= tokenize(f"{text} {more}")


@given(ANY_TEXT)
def test_words_are_folded(text):
    assert {fold(word) for word in tokenize(text)} == tokenize(text)


# Finding.


@given(TOKENS, st.data())
def test_any_piece_of_a_text_between_blanks_is_found_in_it(tokens, data):
    tokens = [token.replace('"', "'") for token in tokens]
    start = data.draw(st.integers(0, len(tokens) - 1))
    end = data.draw(st.integers(start + 1, len(tokens)))
    blanks = st.sampled_from(BLANKS)
    text = "".join(token + data.draw(blanks) for token in tokens)
    piece = "".join(token + data.draw(blanks) for token in tokens[start:end])
    for query in (f'"{piece}"', piece):
        search = Search(query)
        assert search.find(text) is bool(search.terms)
        assert bool(search.terms) is bool(tokenize(piece))


@given(DENSE, TOKENS, st.data())
def test_any_piece_of_a_text_without_spaces_is_found_in_it(text, around, data):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    assert find(text[start:end], f"{' '.join(around)} {text}。")


@given(st.text("abc", min_size=1, max_size=4), st.text("abc ", max_size=30))
def test_a_plain_word_is_found_as_a_whole_word_only(word, text):
    assert find(word, text) is (word in text.split())


@given(st.lists(st.text("abc", min_size=1, max_size=3), min_size=1), st.text("abc ", max_size=30))
def test_several_words_are_found_where_each_of_them_is(several, text):
    assert find(" ".join(several), text) is (set(several) <= set(text.split()))


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ('"quick brown"', "the quick\r\n  brown fox", True),
        ('"quick  brown"', "the quick brown fox", True),
        ('"quick brown"', "the brown quick fox", False),
        ('"quick fox"', "the quick brown fox", False),
        ('"quick brown', "the quick brown fox", True),
        ('fox "quick brown"', "the quick brown fox", True),
        ('qu"ick" fox', "qu ick fox", True),
        ("C++", "in C++ and C", True),
        ("C++", "in C and ++", False),
        ("user_name", "user_name", True),
        ("user_name", "user name", False),
        ("getUser", "getUserName()", True),
        ("getuser", "getUserName()", False),
        ("conversation", "getConversation", True),
        ("GETCONVERSATION", "getConversation", True),
        ("server", "an HTTPServer", True),
        ("ser", "an HTTPServer", False),
        ("用python写", "用Python写的", True),
        ("ㅋㅋ", "아ㅋㅋㅋㅠㅠ", True),
        ("ㅠㅠ", "아ㅋㅋㅋㅠㅠ", True),
        ("foo -bar", "bar", False),
        ("foo OR bar", "bar", False),
        ("- foo !", "foo", True),
    ],
)
def test_these_match_and_these_do_not(query, text, expected):
    assert find(query, text) is expected


@pytest.mark.parametrize(
    "query", ["", " ", '"', '""', '" "', "?!", "- * %", "\x00", "\ud800", "🏄"]
)
def test_a_query_without_a_word_finds_nothing(query):
    assert Search(query).terms == ()
    assert not find(query, f"{query} and more")


def test_what_is_said_twice_is_looked_for_once():
    assert len(Search('fox FOX fox "fox"').terms) == 2


def test_times_are_from_the_first_on_and_before_the_last():
    second = timedelta(seconds=1)
    search = Search("x", since=NOON, until=NOON + second)
    assert [search.covers(NOON + number * second) for number in (-1, 0, 1)] == [False, True, False]
    assert Search("x").covers(NOON)


# Hits.


def test_a_hit_names_the_title_in_which_it_was_found():
    conversation = Conversation(id="c", title="Tides of Hilo")
    hit = Search("hilo").title_hit(conversation)
    assert (hit.conversation, hit.message, hit.where) == (conversation, None, "title")
    assert hit.snippet.text == "Tides of Hilo"
    assert Search("maui").title_hit(conversation) is None
    assert Search("none").title_hit(Conversation(id="c")) is None


@pytest.mark.parametrize(
    ("query", "where", "text"),
    [
        ("waves", "text", "waves at noon"),
        ("almanac", "source", "Almanac of moons"),
        ("noon tides", "source", "Tides at noon"),
        ("noon", "text", "waves at noon"),
        ("waves almanac", "text", "waves at noon"),
        ("at", "text", "waves at noon"),
    ],
)
def test_a_hit_shows_where_most_of_it_stands(query, where, text):
    matching = message("waves at noon", "Almanac of moons", "Tides at noon")
    hit = Search(query).message_hit(Conversation(id="c"), matching)
    assert (hit.message, hit.where, hit.snippet.text) == (matching, where, text)
    assert hit.snippet.marks


def test_a_piece_of_a_word_is_not_where_a_hit_stands():
    hit = Search("cat").message_hit(Conversation(id="c"), message("to concatenate", "A cat"))
    assert hit.where == "source"


def test_no_phrase_goes_from_a_text_over_to_a_title():
    matching = message("waves at noon", "Almanac", "of moons")
    conversation = Conversation(id="c")
    assert Search("noon almanac moons").message_hit(conversation, matching)
    assert Search('"noon almanac"').message_hit(conversation, matching) is None
    assert Search('"almanac of moons"').message_hit(conversation, matching) is None


def test_only_titles_of_sources_are_searched():
    source = Source(title=None, url="https://example.org/reef", content="corals")
    matching = Message(role="assistant", parts=(TextPart(text="fish"),), sources=(source,))
    assert searchable_text(matching) == "fish"


# Snippets.


@given(ANY_TEXT, ANY_TEXT)
@example("a", "a\u0301\u0301b")
@example("ﬁ", "ﬁ")
@example('"a b"', "a \n b")
def test_marks_lie_within_the_snippet_in_order_and_apart(query, text):
    snippet = Search(query).snippet(text)
    ends = [end for mark in snippet.marks for end in mark]
    assert all(before < after for before, after in itertools.pairwise(ends))
    assert all(0 <= end <= len(snippet.text) for end in ends)


@given(TOKENS, st.data())
def test_what_was_found_is_marked(tokens, data):
    text = " ".join(tokens)
    search = Search(data.draw(st.sampled_from(tokens)).replace('"', " "))
    if search.find(text):
        snippet = search.snippet(text)
        assert snippet.marks
        for start, end in snippet.marks:
            piece = fold(snippet.text[start:end])
            assert any(term.folded in piece for term in search.terms)


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("fox", "The quick FOX.", ["FOX"]),
        ("creme", "Une cre\u0300me, une crème", ["cre\u0300me", "crème"]),
        ("strasse", "in der Straße 5", ["Straße"]),
        ("fin", "die ﬁn", ["ﬁn"]),
        ("full", "in Ｆｕｌｌ", ["Ｆｕｌｌ"]),
        ("ラーメン", "東京のﾗｰﾒﾝ", ["ﾗｰﾒﾝ"]),
        ("夷大", "夏威夷大学", ["夷大"]),
        ("한", "\u1112\u1161\u11ab글", ["\u1112\u1161\u11ab"]),
        ('"quick brown"', "the quick \n brown fox", ["quick   brown"]),
        ("quick brown", "a quick brown fox", ["quick", "brown"]),
        ("a", "a banana", ["a"]),
        ("name", "getUserName and rename", ["Name"]),
        ("server", "HTTPServer servers", ["Server"]),
        ("cat", "concatenate a cat", ["cat"]),
        ("C++", "C++ or C", ["C++"]),
        ("大学 学校", "大学校", ["大学校"]),
    ],
)
def test_marks_stand_on_these_words(query, text, expected):
    assert marked(query, text) == expected


@pytest.mark.parametrize("filler", ["lorem ipsum ", "dolorès sit ", "東京都", "\U0001f3c4\u200d "])
def test_a_snippet_of_a_long_text_is_around_what_was_found(filler):
    snippet = Search("needle").snippet(f"{filler * 900} the Néedle {filler * 900}")
    assert snippet.text[0] == snippet.text[-1] == "…"
    assert [snippet.text[start:end] for start, end in snippet.marks] == ["Néedle"]
    assert 100 < len(snippet.text) < 250


def test_a_snippet_is_around_a_whole_word_where_there_is_one():
    text = f"start {'lorem ' * 200} art"
    assert Search("art").snippet(text).text.endswith(" art")
    assert marked("art", text) == ["art"]


def test_a_snippet_is_one_line():
    assert Search("b").snippet("a\r\nb\u2028c").text == "a  b c"


def test_a_snippet_of_a_text_without_the_query_is_its_beginning():
    snippet = Search("x").snippet("abc " * 100)
    assert snippet.text.startswith("abc abc")
    assert snippet.text.endswith("…")
    assert snippet.marks == ()


@pytest.mark.parametrize("char", ["a", "夏", "é"])
def test_a_word_longer_than_a_snippet_is_cut(char):
    snippet = Search(char * 5_000).snippet(f"{char * 5_000} and more")
    assert len(snippet.text) < 250
    assert len(snippet.marks) == 1


# Size.


def test_a_long_text_is_searched_to_its_end():
    latin = ["word ", "a", "-", "é-", " ", "aB"]
    for piece in (*latin, "Wörter und 夏威夷大学 ", "夏", "\u0301", "\x00", "\ud800"):
        text = f"{piece * (100_000 // len(piece))} needle"
        search = Search("NEEDLE")
        with naming(ascii(piece)):
            assert search.find(text)
            assert "needle" in search.snippet(text).text


def test_marks_without_end_on_one_letter_take_no_square_of_time():
    text = "e" + "\u0e48\u0e38" * 50_000 + " needle"
    assert find("needle", text)
    assert find("e", text)
    assert len(fold(text)) < 100
    assert marked("needle", text) == ["needle"]


def test_long_words_that_differ_at_their_ends_are_told_apart():
    one, other = f"{'a' * 5_000}x", f"{'a' * 5_000}y"
    assert find(one, f"the {one} of it")
    assert not find(one, f"the {other} of it")
    assert not find("a" * 50, one)


def test_a_query_of_many_words_is_looked_for_whole():
    query = " ".join(map(str, range(3_000)))
    assert find(query, query)
    assert not find(f"{query} 3000", query)


@pytest.mark.parametrize("query", ["kapi'olani", "Kapiʻolani", "KAPI’OLANI", "kapi"])
def test_an_okina_is_found_however_it_is_typed(query):
    assert find(query, "the first day of Kapiʻolani Community College")
    assert not find("kapi.olani", "Kapiʻolani")


@pytest.mark.parametrize(
    "query", ["when is high tide?", "high, tide!", "tide.", "¿tide?", "tide：", "tide…"]
)
def test_what_ends_a_sentence_need_not_stand_in_the_text(query):
    assert find(query, "when is the high tide at Hilo")


def test_marks_that_are_no_end_of_a_sentence_are_looked_for():
    assert find(".gitignore", "see .gitignore")
    assert not find(".gitignore", "see gitignore")
    assert not find('"tide?"', "the tide")
    assert find("foo()", "call foo() here")
    assert not find("foo()", "call foo here")
