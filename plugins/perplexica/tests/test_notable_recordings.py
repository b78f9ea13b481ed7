"""Notable recordings, each with what it holds written out by hand from its bytes and the contract.

All recordings are compared with a second reading in `test_recordings`; this is the check on both.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.support.cases import for_each

import convostore
from convostore import FilePart, OtherPart, ReasoningPart, TextPart

from .support.recordings import exchanges_of, played

pytestmark = pytest.mark.usefixtures("closed_network")

EXPRESS = ("express-1.9.3", "express-1.10.0-rc3")
SHAPE_A = (*EXPRESS, "next-1.10.2")
PLAIN = (*SHAPE_A, "next-1.11.2", "next-1.12.1")
MIGRATED_TO_C = ("upgrade-2-next-1.12.1", "upgrade-direct-1.10.2-to-1.12.1")
DEAD = (
    "upgrade-broken-1.9.3-to-1.10.2",
    "upgrade-broken-1.9.3-to-1.11.2",
    "upgrade-broken-1.9.3-to-1.12.1",
    "upgrade-broken-metadata-empty-to-1.12.1",
    "upgrade-broken-metadata-not-json-to-1.12.1",
    "upgrade-broken-no-tables-1.10.2",
)
HALF_DEAD = (
    "upgrade-broken-metadata-empty-to-1.11.2",
    "upgrade-broken-metadata-not-json-to-1.11.2",
)

FIRST_DAY = "when is the first day of Kapiʻolani Community College"
FIRST_DAY_ANSWER = (
    "The first day of Kapiʻolani Community College is **September 2**[1]. A late fee of $30.00 "
    "applies on or after the first day[3].\n\n- Holidays are listed by term[2]."
)
FIRST_DAY_SOURCES = [
    (
        "Academic Calendar | Kapi'olani Community College",
        "https://www.kapiolani.hawaii.edu/classes/academic-calendar/",
        (
            "Last day to register, add, or change full-semester class sections. Last day to "
            "withdraw with 100% tuition refund* online at www.star.hawaii.edu"
        ),
    ),
    (
        "Classes | Kapiʻolani Community College",
        "https://www.kapiolani.hawaii.edu/classes/?term=fall&year=2024#dates",
        "Prince Kūhiō Day Mar 26 – Good Friday Mar 29 … “Other Useful Dates” <b>2024</b> Holidays",
    ),
    (
        "Registration – late fee",
        "https://example.org/late-fee",
        "A late registration fee of $30.00 is charged on or after the first day of instruction.",
    ),
]
LATE_FEE = "and how much is the late fee?"
LATE_FEE_ANSWER = "It is $30.00[1]."
LATE_FEE_SOURCE = (
    "Registration – late fee",
    "https://example.org/late-fee",
    "A late registration fee of $30.00 is charged.",
)


@pytest.fixture
def read(face):
    """Play a case to one of the faces: what came of each of its exchanges, in order."""

    def play(case):
        return [result for _, result in played(face, case)]

    return play


@pytest.fixture
def read_one(read):
    def play(case):
        (transcript,) = read(case)
        return transcript

    return play


def at(time):
    return datetime.fromisoformat(time).replace(tzinfo=UTC)


def role_texts(transcript):
    return [(message.role, message.text) for message in transcript.messages]


def message_fields(transcript):
    return [
        (message.id, message.role, message.text, message.status) for message in transcript.messages
    ]


def sources_of(message, kind="cited"):
    return [
        (source.title, source.url, source.content)
        for source in message.sources
        if source.kind == kind
    ]


def problems_of(value):
    return [(problem.where, problem.what) for problem in value.problems]


@for_each(
    "folder, made, asked, answered, answer_id",
    [
        ("express-1.9.3", "21:03:38", "21:03:38.165", "21:03:38.331", "1d1bd1cae0fc3b"),
        ("express-1.10.0-rc3", "21:04:05", "21:04:05.157", "21:04:05.306", "d5d4ab39b59a03"),
        ("next-1.10.2", "21:04:37", "21:04:37.194", "21:04:37.320", "96c7baab59bde9"),
        ("next-1.11.2", "21:05:26", "21:05:26", "21:05:26", "bb6c1c35faa7e2"),
        ("next-1.12.1", "21:02:18.484", "21:02:18.486", "21:02:18.486", "95dcb748bba07b/answer"),
    ],
)
def test_the_same_turn_reads_the_same_in_every_version(
    folder, made, asked, answered, answer_id, read_one
):
    transcript = read_one(f"{folder}/get_prog_kcc")
    conversation = transcript.conversation
    assert conversation.id == "448c8db8fde4ed15400d4ca0402c88e2c6921242"
    assert (conversation.title, conversation.files) == (FIRST_DAY, ())
    assert conversation.created_at == conversation.last_active_at == at(f"2026-11-20T{made}")
    question, answer = transcript.messages
    assert (question.id, answer.id) == ("95dcb748bba07b", answer_id)
    assert (question.role, answer.role) == ("user", "assistant")
    assert (question.text, answer.text) == (FIRST_DAY, FIRST_DAY_ANSWER)
    assert (question.status, answer.status) == ("complete", "complete")
    assert question.created_at == at(f"2026-11-20T{asked}")
    assert answer.created_at == at(f"2026-11-20T{answered}")
    assert (question.sources, sources_of(answer)) == ((), FIRST_DAY_SOURCES)
    assert [(citation.mark, citation.source.url) for citation in answer.citations()] == [
        ("1", "https://www.kapiolani.hawaii.edu/classes/academic-calendar/"),
        ("3", "https://example.org/late-fee"),
        ("2", "https://www.kapiolani.hawaii.edu/classes/?term=fall&year=2024#dates"),
    ]


def test_what_was_read_on_the_way_is_kept_apart_from_what_is_cited(read_one):
    _, answer = read_one("next-1.12.1/get_prog_kcc").messages
    assert [source.kind for source in answer.sources] == ["cited"] * 3 + ["researched"] * 3
    assert sources_of(answer, "researched") == FIRST_DAY_SOURCES
    assert [source.mark for source in answer.sources] == ["1", "2", "3", None, None, None]
    searching, text = answer.parts
    assert (searching.kind, searching.type) == ("other", "searching")
    assert searching.data["searching"] == [FIRST_DAY]
    assert text == TextPart(text=FIRST_DAY_ANSWER)


@for_each("folder", SHAPE_A)
def test_metadata_of_any_kind_loses_no_message(folder, read_one):
    transcript = read_one(f"{folder}/get_meta")
    then = at("2024-12-07T09:36:04.371")
    seen = [
        (message.id, message.role, message.text, message.created_at, problems_of(message))
        for message in transcript.messages
    ]
    broken_source = [("metadata.sources[1]", "is not a source")]
    assert seen[:12] == [
        ("fe96d33297fe6c", "user", "metadata is {} as a string", None, []),
        ("26c97cd25381a1", "assistant", "metadata is the empty string", None, []),
        ("babdf2490bd28a", "user", "metadata column is NULL", None, []),
        ("c4df1ddc39e7a2", "assistant", "metadata is an object, not a string", then, []),
        (
            "7abc853d652a94",
            "user",
            "metadata is a string that is not JSON",
            None,
            [("metadata", "is not JSON")],
        ),
        ("d3cf25b67b7367", "assistant", "no createdAt, sources is []", None, []),
        ("506818616b2a3c", "assistant", "sources is null", then, []),
        (
            "20b0b2004dd11d",
            "assistant",
            "a source without metadata, one that is null, one that is a string",
            then,
            broken_source,
        ),
        (
            "0e95e0e4ae6b6e",
            "assistant",
            "metadata is a JSON array in a string",
            None,
            [("metadata", "is not an object")],
        ),
        ("d60fe128a4e47c", "assistant", "metadata is encoded three times", then, []),
        ("e58603ce0208d0", "assistant", "createdAt is a number", then, []),
        ("5c7568675487a1", "other", "role is null", then, [("role", "is missing")]),
    ]
    assert seen[12:] == [("6a94d622d64211", "system", "role is something else", then, [])]
    cited = {message.id: sources_of(message) for message in transcript.messages if message.sources}
    assert cited == {
        "c4df1ddc39e7a2": [("T", "https://example.org", "p")],
        "20b0b2004dd11d": [
            (None, None, "x"),
            (None, None, None),
            (None, "https://example.org/bare", None),
        ],
    }


def test_source_rows_join_the_answer_of_their_turn(read_one):
    transcript = read_one("next-1.11.2/get_sources")
    assert [message.id for message in transcript.messages] == [
        "6669fb1fca2bfc",
        "006c33c934cc11",
        "ee640179489cff",
        "873486f0ab748d",
    ]
    assert role_texts(transcript) == [
        ("user", "sources default"),
        ("assistant", "iso createdAt, as migrated"),
        ("assistant", ""),
        ("other", "role outside the enum"),
    ]
    assert [message.created_at for message in transcript.messages] == [
        at("2024-12-07T09:47:59"),
        at("2024-12-07T09:47:59.119"),
        at("2024-12-07T09:47:59"),
        at("2024-12-07T09:47:59"),
    ]
    question, first, second, odd = transcript.messages
    assert (question.sources, first.sources, odd.sources) == ((), (), ())
    assert sources_of(second) == [
        (None, None, "x"),
        (None, None, None),
        (None, "https://example.org/bare", None),
        (None, None, "y"),
    ]
    assert problems_of(second) == [("sources[1]", "is not a source")]
    rows = exchanges_of("next-1.11.2/get_sources")[0].body["messages"]
    assert [message.raw for message in transcript.messages] == [
        rows[0],
        rows[1:3],
        rows[3:6],
        rows[6],
    ]


def test_a_turn_of_blocks_becomes_a_question_and_its_answer(read_one):
    transcript = read_one("next-1.12.1/get_blocks")
    migrated = "migrated: text first, source second, LangChain documents"
    assert message_fields(transcript) == [
        ("6a1aeade2a5a4c", "user", "no blocks yet", "unanswered"),
        ("db19e9d674a07b", "user", "responseBlocks is NULL", "unanswered"),
        ("0e7dc9545261bf", "user", "status error", "complete"),
        ("0e7dc9545261bf/answer", "assistant", "partial", "failed"),
        ("34f491f137889a", "user", migrated, "complete"),
        ("34f491f137889a/answer", "assistant", "migrated[1]", "complete"),
        ("1765678146efe6", "user", "two texts, two source lists", "complete"),
        ("1765678146efe6/answer", "assistant", "first part \nsecond part", "complete"),
        ("bf565194cfcfa1", "user", "widgets and suggestions", "complete"),
        ("bf565194cfcfa1/answer", "assistant", "Sunny.", "complete"),
        ("ca2dff0a49449e", "user", "every research step", "complete"),
        ("ca2dff0a49449e/answer", "assistant", "done", "complete"),
        ("4848051bd7b903", "user", "an unknown block type", "complete"),
        ("4848051bd7b903/answer", "assistant", "see chart", "complete"),
        ("7b9c7c24cde573", "user", "odd sources", "complete"),
        ("7b9c7c24cde573/answer", "assistant", "odd[1]", "complete"),
        ("832b212c13c495", "user", "blocks are a string", "unanswered"),
    ]


def test_blocks_of_every_type_find_their_place(read_one):
    by_id = {message.id: message for message in read_one("next-1.12.1/get_blocks").messages}

    migrated = by_id["34f491f137889a/answer"]
    assert migrated.created_at == at("2024-12-07T09:47:59")
    assert sources_of(migrated) == [("T", "https://example.org", "p")]

    two = by_id["1765678146efe6/answer"]
    assert sources_of(two) == [("A", "https://a.example", "a"), (None, "https://b.example", "b")]
    assert [source.mark for source in two.sources] == ["1", "2"]

    widget, text, suggestion = by_id["bf565194cfcfa1/answer"].parts
    weather = {"location": "Hilo", "current": {"temperature": 24.5}}
    assert widget == OtherPart(type="widget", data={"widgetType": "weather", "params": weather})
    assert text == TextPart(text="Sunny.")
    assert suggestion == OtherPart(type="suggestion", data=["More?", "还有？"])

    researched = by_id["ca2dff0a49449e/answer"]
    reasoning, searching, searching_uploads, text = researched.parts
    assert reasoning == ReasoningPart(text="Okay, …")
    assert (searching.type, searching.data["searching"]) == ("searching", ["q1", "q2"])
    assert searching_uploads.type == "upload_searching"
    assert searching_uploads.data["queries"] == ["q"]
    assert text == TextPart(text="done")
    assert sources_of(researched) == []
    assert sources_of(researched, "researched") == [
        ("t", "https://t.example", "c"),
        ("t", "https://t.example", ""),
        ("n.txt", "file_id://0f", "u"),
    ]

    chart, _ = by_id["4848051bd7b903/answer"].parts
    assert chart == OtherPart(type="chart", data={"x": [1]})

    odd = by_id["7b9c7c24cde573/answer"]
    assert sources_of(odd) == [
        (None, None, "only content"),
        (None, None, None),
        (None, None, None),
        (None, "https://example.org/bare", None),
    ]
    assert problems_of(odd) == [("responseBlocks[0].data[2]", "is not a source")]
    assert [citation.source.content for citation in odd.citations()] == ["only content"]


@for_each("folder", SHAPE_A)
def test_an_id_shared_by_question_and_answer_is_told_apart(folder, read_one):
    assert message_fields(read_one(f"{folder}/get_sameid")) == [
        ("33fe62bdf3c317", "user", "old rows: both messages share one messageId", "complete"),
        ("33fe62bdf3c317~2", "assistant", "yes, up to 1.9.0", "complete"),
    ]


@for_each("folder", ["upgrade-0-next-1.10.2", "upgrade-1-next-1.11.2"])
def test_a_shared_id_finds_its_sources_after_the_migration(folder, read_one):
    transcript = read_one(f"{folder}/get_sameid")
    assert message_fields(transcript) == [
        ("b882c70593c547", "user", "q one", "complete"),
        ("b882c70593c547~2", "assistant", "a one", "complete"),
    ]
    assert sources_of(transcript.messages[1]) == [("S", "https://s.example", "s")]


@for_each("folder", MIGRATED_TO_C)
def test_the_migration_to_blocks_has_lost_the_sources(folder, read_one):
    transcript = read_one(f"{folder}/get_sameid")
    assert message_fields(transcript) == [
        ("b882c70593c547", "user", "q one", "complete"),
        ("b882c70593c547/answer", "assistant", "a one", "complete"),
    ]
    assert transcript.messages[1].sources == ()


@for_each("folder", PLAIN)
def test_questions_without_an_answer_say_so(folder, read_one):
    assert message_fields(read_one(f"{folder}/get_unanswered")) == [
        ("8aa0776dc67666", "user", "asked twice, answered never", "unanswered"),
        ("f298999a896aa2", "user", "hello? still there?", "unanswered"),
    ]


@for_each(
    "folder, url",
    [
        ("express-1.10.0-rc3", "File"),
        ("next-1.10.2", "File"),
        ("next-1.11.2", "File"),
        ("next-1.12.1", "file_id://0f1e2d3c4b5a69788796a5b4c3d2e1f0"),
    ],
)
def test_uploads_are_files_of_the_conversation(folder, url, read_one):
    transcript = read_one(f"{folder}/get_files")
    assert transcript.conversation.files == (
        FilePart(name="notes ʻ 笔记.txt", url="file_id://0f1e2d3c4b5a69788796a5b4c3d2e1f0"),
        FilePart(name="paper.pdf", url="file_id://ffeeddccbbaa99887766554433221100"),
    )
    assert sources_of(transcript.messages[1]) == [("notes ʻ 笔记.txt", url, "line one")]


@for_each("folder", PLAIN[1:])
def test_files_that_are_null_are_none(folder, read_one):
    transcript = read_one(f"{folder}/get_filesnull")
    assert (transcript.conversation.files, transcript.conversation.problems) == ((), ())
    assert role_texts(transcript) == [("user", "files column is NULL"), ("assistant", "ok")]


def test_a_file_name_that_the_service_garbled_stays_as_it_is(read_one):
    garbled = read_one("express-1.10.0-rc3/get_with_upload").conversation.files[0]
    right = read_one("next-1.12.1/get_with_upload").conversation.files[0]
    assert (garbled.name, right.name) == ("tides Ê» æ½®.txt", "tides ʻ 潮.txt")
    assert garbled.url == "file_id://80516f99b3de40972da7353c4584db5a"


@for_each("folder", PLAIN)
def test_dates_of_every_format_are_read_or_left_open(folder, read):
    transcripts = read(f"{folder}/get_odd_dates")
    seen = [
        (transcript.conversation.created_at, transcript.conversation.title)
        for transcript in transcripts
    ]
    second, millisecond = at("2024-12-07T09:35:59"), at("2024-12-07T09:35:59.119")
    hawaii = "Fri Dec 06 2024 23:35:59 GMT-1000 (Hawaii-Aleutian Standard Time)"
    assert seen == [
        (second, f"created: {hawaii}"),
        (second, "created: Sat Dec 07 2024 17:35:59 GMT+0800 (中国标准时间)"),
        (second, "created: Sat Dec 07 2024 15:05:59 GMT+0530 (India Standard Time)"),
        (millisecond, "created: 2024-12-07T09:35:59.119Z"),
        (second, "created: 2024-12-07 09:35:59"),
        (second, "created: Sat Dec 07 2024 09:35:59 GMT+0000"),
        (None, "created: not a date"),
        (None, "created: "),
        (millisecond, "created: 1733564159119"),
    ]
    named = [[problem.where for problem in one.conversation.problems] for one in transcripts]
    assert named == [[], [], [], [], [], [], ["createdAt"], [], []]
    assert transcripts[6].conversation.raw["createdAt"] == "not a date"
    assert all(transcript.messages == () for transcript in transcripts)


@for_each(
    "case, made, asked, answered",
    [
        ("express-1.9.3/tz_shanghai", "21:04:00", "21:04:00.559", "21:04:00.727"),
        ("express-1.9.3/tz_honolulu", "21:04:02", "21:04:02.055", "21:04:02.179"),
        ("express-1.10.0-rc3/tz_shanghai", "21:04:33", "21:04:33.258", "21:04:33.354"),
        ("express-1.10.0-rc3/tz_honolulu", "21:04:34", "21:04:34.564", "21:04:34.665"),
        ("next-1.10.2/tz_shanghai", "21:05:21", "21:05:21.883", "21:05:22.150"),
        ("next-1.10.2/tz_honolulu", "21:05:23", "21:05:23.865", "21:05:23.986"),
        ("next-1.11.2/tz_shanghai", "21:06:12", "21:06:12", "21:06:12"),
        ("next-1.11.2/tz_honolulu", "21:06:14", "21:06:14", "21:06:14"),
        ("next-1.12.1/tz_shanghai", "21:03:08.970", "21:03:08.985", "21:03:08.985"),
        ("next-1.12.1/tz_honolulu", "21:03:12.579", "21:03:12.587", "21:03:12.587"),
    ],
)
def test_a_server_in_another_zone_and_language_tells_the_same_time(
    case, made, asked, answered, read
):
    (listed,), transcript = read(case)
    assert listed.created_at == transcript.conversation.created_at == at(f"2026-11-20T{made}")
    assert [message.created_at for message in transcript.messages] == [
        at(f"2026-11-20T{asked}"),
        at(f"2026-11-20T{answered}"),
    ]
    assert listed.created_at.tzinfo is UTC


@for_each("folder", PLAIN)
def test_text_of_any_script_comes_through_unchanged(folder, read_one):
    transcript = read_one(f"{folder}/get_unicode")
    asked = (
        "Kapiʻolani · 夏威夷大学 · \N{SURFER}\N{EMOJI MODIFIER FITZPATRICK TYPE-4}"
        "\N{ZERO WIDTH JOINER}\N{FEMALE SIGN}\N{VARIATION SELECTOR-16} · שלום · "
        "Ā\N{COMBINING MACRON}"
    )
    answered = (
        "ʻOkina ʻ vs ‘ vs ' — 中文，标点。“引号” \N{NO-BREAK SPACE}nbsp \N{ZERO WIDTH SPACE}zwsp "
        "👩\N{ZERO WIDTH JOINER}👩\N{ZERO WIDTH JOINER}👧\N{ZERO WIDTH JOINER}👦 🌋"
    )
    assert transcript.conversation.title == asked
    assert role_texts(transcript) == [("user", asked), ("assistant", answered)]
    assert sources_of(transcript.messages[1]) == [
        (
            "Prince Kūhiō — 库希奥王子",
            "https://例え.テスト/パス?q=ʻ",
            '〈内容〉 & <b>tags</b> \\ " \t\n end',
        )
    ]


@for_each("folder", PLAIN)
def test_an_empty_title_question_and_answer_are_what_they_are(folder, read_one):
    transcript = read_one(f"{folder}/get_emptytitle")
    assert (transcript.conversation.title, transcript.conversation.problems) == ("", ())
    assert role_texts(transcript) == [("user", ""), ("assistant", "")]
    assert [message.status for message in transcript.messages] == ["complete", "complete"]


@for_each(
    "folder, third",
    [
        ("upgrade-0-next-1.10.2", True),
        ("upgrade-1-next-1.11.2", True),
        ("upgrade-2-next-1.12.1", False),
        ("upgrade-direct-1.10.2-to-1.12.1", False),
    ],
)
def test_an_unanswered_question_in_the_middle_is_told_as_the_upgrade_left_it(
    folder, third, read_one
):
    messages = read_one(f"{folder}/get_hole").messages
    seen = [(message.text, message.status) for message in messages]
    if third:
        middle = [
            ("never answered", "unanswered"),
            ("third", "complete"),
            ("third answer", "complete"),
        ]
    else:
        middle = [("never answered", "complete"), ("", "complete")]
    assert seen == [
        ("first", "complete"),
        ("first answer", "complete"),
        *middle,
        ("fourth", "complete"),
        ("fourth answer", "complete"),
    ]
    assert messages[-1].id == ("0eed6368f65ee7" if third else "c52e72dc51bf70/answer")


@for_each(
    "folder, end",
    [
        ("upgrade-0-next-1.10.2", [("unanswered at the end", "unanswered")]),
        ("upgrade-1-next-1.11.2", [("unanswered at the end", "unanswered")]),
        ("upgrade-2-next-1.12.1", [("unanswered at the end", "complete"), ("", "complete")]),
        (
            "upgrade-direct-1.10.2-to-1.12.1",
            [("unanswered at the end", "complete"), ("", "complete")],
        ),
    ],
)
def test_an_unanswered_question_at_the_end_is_told_as_the_upgrade_left_it(folder, end, read_one):
    messages = read_one(f"{folder}/get_tail").messages
    assert [(message.text, message.status) for message in messages] == [
        ("first", "complete"),
        ("first answer", "complete"),
        *end,
    ]


@for_each(
    "case",
    [
        *(f"{folder}/get_tz" for folder in MIGRATED_TO_C),
        *(f"{folder}/get_zero" for folder in PLAIN),
        "express-1.9.3/get_other_chat_after_rewrite",
    ],
)
def test_a_chat_that_lost_all_its_messages_is_empty_and_there(case, read_one):
    transcript = read_one(case)
    assert transcript.messages == ()
    assert transcript.conversation.title


def test_an_old_chat_continued_after_the_first_upgrade_keeps_its_sources(read_one):
    transcript = read_one("upgrade-1-next-1.11.2/get_old_chat_continued")
    assert message_fields(transcript) == [
        ("9ffe4dcaf2abcc", "user", FIRST_DAY, "complete"),
        ("805c92353f42dc", "assistant", FIRST_DAY_ANSWER, "complete"),
        ("d477542dbda4f2", "user", LATE_FEE, "complete"),
        ("bc82527c236670", "assistant", LATE_FEE_ANSWER, "complete"),
        ("c3690f78896a8b", "user", LATE_FEE, "complete"),
        ("e3866eca92729f", "assistant", LATE_FEE_ANSWER, "complete"),
    ]
    assert [sources_of(message) for message in transcript.messages[1::2]] == [
        FIRST_DAY_SOURCES,
        [LATE_FEE_SOURCE],
        [LATE_FEE_SOURCE],
    ]
    assert [message.created_at for message in transcript.messages] == [
        at("2026-11-20T21:09:24.517"),
        at("2026-11-20T21:09:24.643"),
        at("2026-11-20T21:09:29.189"),
        at("2026-11-20T21:09:29.282"),
        at("2026-11-20T21:09:34"),
        at("2026-11-20T21:09:34"),
    ]


def test_an_old_chat_continued_after_the_second_upgrade_mixes_every_order(read_one):
    transcript = read_one("upgrade-2-next-1.12.1/get_old_chat_continued")
    assert message_fields(transcript) == [
        ("9ffe4dcaf2abcc", "user", FIRST_DAY, "complete"),
        ("9ffe4dcaf2abcc/answer", "assistant", FIRST_DAY_ANSWER, "complete"),
        ("c3690f78896a8b", "user", LATE_FEE, "complete"),
        ("c3690f78896a8b/answer", "assistant", LATE_FEE_ANSWER, "complete"),
        ("1cadb33e572419", "user", LATE_FEE, "complete"),
        ("1cadb33e572419/answer", "assistant", LATE_FEE_ANSWER, "complete"),
    ]
    assert [sources_of(message) for message in transcript.messages[1::2]] == [
        [],
        [LATE_FEE_SOURCE],
        [LATE_FEE_SOURCE],
    ]
    assert sources_of(transcript.messages[5], "researched") == [LATE_FEE_SOURCE]
    assert [message.created_at for message in transcript.messages[::2]] == [
        at("2026-11-20T21:09:24.517"),
        at("2026-11-20T21:09:34"),
        at("2026-11-20T21:09:38.777"),
    ]


@for_each("folder", PLAIN)
def test_ids_of_any_characters_reach_their_own_chat(folder, read):
    transcripts = read(f"{folder}/get_odd_ids")
    names = {
        transcript.conversation_id: transcript.conversation.title for transcript in transcripts
    }
    (long_id,) = [name for name in names if name.startswith("LLL")]
    assert set(long_id) == {"L"}
    assert names == {
        "id with space": "odd id o_space",
        "a/b": "odd id o_slash",
        "聊天-1": "odd id o_zh",
        "x?y#z": "odd id o_query",
        "100%41": "odd id o_pct",
        "quote\"id'--": "odd id o_quote",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301": "odd id o_uuid",
        long_id: "odd id o_long",
        "a+b&c=d": "odd id o_plus",
        "a;b,c:d@e": "odd id o_semi",
    }
    assert all(
        transcript.conversation.id == transcript.conversation_id for transcript in transcripts
    )
    assert role_texts(transcripts[1]) == [("user", "q o_slash"), ("assistant", "a o_slash")]


@for_each("folder", PLAIN)
def test_a_delete_is_done_and_done_again(folder, read):
    first, read_after, second = read(f"{folder}/delete_ok")
    assert (first, second) == (None, None)
    assert isinstance(read_after, convostore.NotFoundError)
    assert read_after.detail == "Chat not found"


@for_each("folder", PLAIN)
def test_a_chat_that_cannot_be_read_can_be_deleted(folder, read):
    before, deleted, after = read(f"{folder}/delete_corrupt")
    assert isinstance(before, convostore.UnavailableError)
    assert not before.retryable
    assert deleted is None
    assert isinstance(after, convostore.NotFoundError)


@for_each("folder", PLAIN)
def test_a_delete_that_ended_halfway_is_an_error_though_the_chat_is_gone(folder, read):
    deleted, after = read(f"{folder}/delete_half_done")
    assert isinstance(deleted, convostore.UnavailableError)
    assert deleted.detail == "An error has occurred."
    assert isinstance(after, convostore.NotFoundError)


@for_each("folder", PLAIN)
@for_each("case", ["delete_missing", "delete_orphan"])
def test_a_delete_of_what_is_not_there_is_done(folder, case, read):
    assert read(f"{folder}/{case}") == [None]


@for_each("folder", PLAIN)
def test_the_list_is_in_the_order_of_insertion(folder, read):
    (conversations,) = read(f"{folder}/list_order_is_insertion")
    titles = [conversation.title for conversation in conversations]
    assert titles[0] == "inserted last, dated first"
    assert titles[1].startswith("dev 299: ")
    assert conversations[0].created_at == at("2023-05-06T00:00:00")
    assert conversations[0].created_at < conversations[-1].created_at
    assert conversations[1].created_at > conversations[2].created_at


@for_each("folder", PLAIN)
def test_a_mixed_list_keeps_the_order_of_the_answer(folder, read):
    (conversations,) = read(f"{folder}/list_mixed")
    titles = [conversation.title for conversation in conversations]
    ids = ("semi", "plus", "long", "uuid", "quote", "pct", "query", "zh", "slash", "space")
    assert titles[:10] == [f"odd id o_{name}" for name in ids]
    assert titles[10:13] == ["created: 1733564159119", "created: ", "created: not a date"]
    assert titles[-1] == FIRST_DAY
    assert "" in titles
    by_id = {conversation.id: conversation for conversation in conversations}
    assert by_id["a;b,c:d@e"].created_at.replace(microsecond=0) == at("2024-12-07T09:55:59")
    assert by_id["c9343a7ff3c20055ff25b3ffa48afa4bd76ef0a6"].created_at is None


@for_each("folder", ["next-1.10.2", "next-1.12.1"])
def test_a_question_being_answered_looks_like_one_whose_model_failed(folder, read_one):
    answering = read_one(f"{folder}/get_while_answering")
    failed = read_one(f"{folder}/get_after_fail")
    assert message_fields(answering) == [
        ("8b87070230a1f8", "user", "answer slowly, please", "unanswered")
    ]
    assert message_fields(failed) == [
        ("73eb6013378d82", "user", "make the model fail", "unanswered")
    ]


def test_sources_that_are_there_before_their_answer_are_a_message_of_their_own(read_one):
    transcript = read_one("next-1.11.2/get_while_answering")
    assert role_texts(transcript) == [("user", "answer slowly, please"), ("other", "")]
    question, found = transcript.messages
    assert (question.id, question.status) == ("8b87070230a1f8", "unanswered")
    assert found.id == "ca946846f19d96"
    assert sources_of(found) == [("Slow source", "https://example.org/slow", "slow and steady")]
    rows = exchanges_of("next-1.11.2/get_while_answering")[0].body["messages"]
    assert (question.raw, found.raw) == (rows[0], rows[1])

    _, answer = read_one("next-1.11.2/get_when_completed").messages
    assert answer.text.startswith("One. Two. Three. ")
    assert answer.sources == found.sources
    assert (answer.id, answer.status) == ("cc4446b9bbb0a1", "complete")


def test_a_failed_turn_that_found_nothing_is_its_question_alone(read_one):
    (question,) = read_one("next-1.11.2/get_after_fail").messages
    rows = exchanges_of("next-1.11.2/get_after_fail")[0].body["messages"]
    assert (question.text, question.status) == ("make the model fail", "unanswered")
    assert question.raw == rows
    assert [row["role"] for row in rows] == ["user", "source"]


@for_each(
    "folder, before, after, of_first",
    [
        ("express-1.9.3", "9359f4f5852ce2", "de673846b68d0c", "3dae6a5f658358"),
        ("express-1.10.0-rc3", "6eefe982d95e64", "816a8f81c7fd2d", "4e910798ac8327"),
        ("next-1.10.2", "1794b1974712d2", "088471f4393ddb", "9c57e53b687c99"),
        ("next-1.11.2", "8e4d0bd5ae8a14", "32712cd73a8e1f", "1aa11441da2c15"),
        (
            "next-1.12.1",
            "118985b688e6c5/answer",
            "118985b688e6c5/answer",
            "95dcb748bba07b/answer",
        ),
    ],
)
def test_a_question_asked_again_has_one_answer(folder, before, after, of_first, read_one):
    two_turns = read_one(f"{folder}/get_two_turns")
    rewritten = read_one(f"{folder}/get_after_rewrite")
    assert role_texts(two_turns) == role_texts(rewritten)
    assert role_texts(rewritten) == [
        ("user", FIRST_DAY),
        ("assistant", FIRST_DAY_ANSWER),
        ("user", LATE_FEE),
        ("assistant", LATE_FEE_ANSWER),
    ]
    assert two_turns.messages[3].id == before
    assert rewritten.messages[3].id == after
    assert sources_of(rewritten.messages[3]) == [LATE_FEE_SOURCE]
    first_again = read_one(f"{folder}/get_after_rewrite_of_first")
    assert [message.id for message in first_again.messages] == ["95dcb748bba07b", of_first]
    assert sources_of(first_again.messages[1]) == FIRST_DAY_SOURCES


@for_each("folder", PLAIN[1:])
def test_another_chat_keeps_its_messages_when_a_question_is_asked_again(folder, read_one):
    transcript = read_one(f"{folder}/get_other_chat_after_rewrite")
    question, answer = transcript.messages
    assert question.text.startswith("say hi with emoji ")
    assert answer.text.endswith('"quotes" \\ backslash \t tab <think>inner</think>')


@for_each("folder", DEAD)
@for_each("case", ["list", "get", "get_404", "delete"])
def test_a_failed_upgrade_is_told_as_a_broken_service(folder, case, read):
    for error in read(f"{folder}/{case}"):
        assert isinstance(error, convostore.UnavailableError)
        assert (error.detail, error.retryable) == ("An error has occurred.", False)


@for_each("folder", HALF_DEAD)
def test_a_half_failed_upgrade_still_lists_and_deletes(folder, read):
    ((listed,),) = read(f"{folder}/list")
    assert listed.id == "adcf4ca0929107e5a12b3353c09f19b9ef067a36"
    (error,) = read(f"{folder}/get")
    assert isinstance(error, convostore.UnavailableError)
    (absent,) = read(f"{folder}/get_404")
    assert isinstance(absent, convostore.NotFoundError)
    assert read(f"{folder}/delete") == [None, []]


@for_each("folder", ["next-1.10.2", "next-1.11.2", "next-1.12.1"])
def test_a_redirect_to_the_path_without_its_slash_is_followed(folder, read):
    (transcript,) = read(f"{folder}/get_trailing_slash")
    assert transcript.conversation.title == FIRST_DAY
    (conversations,) = read(f"{folder}/list_trailing_slash")
    assert conversations[0].title == "odd id o_semi"


@for_each("folder", PLAIN)
def test_an_html_404_is_no_absent_chat(folder, read):
    (error,) = read(f"{folder}/get_raw_slash")
    assert isinstance(error, convostore.ProtocolError)
    assert not isinstance(error, LookupError)
    assert "check the base URL" in str(error)
    assert error.excerpt.startswith("<!DOCTYPE html>")
