"""Cases that no recording holds, each by its rows and what they must be read as."""

import json
from datetime import UTC, datetime

from tests.support.cases import for_each

from convostore import OtherPart, ReasoningPart, TextPart
from convostore_perplexica.schema import chats


def read(*rows):
    return chats.read_messages({"messages": list(rows)})


def user(text, message_id, **more):
    return {"role": "user", "content": text, "messageId": message_id, "sources": []} | more


def answer(text, message_id, **more):
    return {"role": "assistant", "content": text, "messageId": message_id, "sources": []} | more


def sources(message_id, *titles):
    listed = [{"pageContent": title, "metadata": {"title": title}} for title in titles]
    return {"role": "source", "content": None, "messageId": message_id, "sources": listed}


def blocks(query, message_id, *given, status="completed"):
    return {
        "query": query,
        "messageId": message_id,
        "responseBlocks": list(given),
        "status": status,
    }


def titles(message):
    return [(source.mark, source.title) for source in message.sources]


def test_a_source_row_joins_the_answer_of_its_turn_wherever_it_stands():
    for rows in (
        [user("q", "1"), sources("s", "a", "b"), answer("x", "2")],
        [user("q", "1"), answer("x", "2"), sources("s", "a", "b")],
        [sources("s", "a", "b"), answer("x", "2")],
    ):
        assert titles(read(*rows)[-1]) == [("1", "a"), ("2", "b")]


def test_a_migrated_source_row_joins_the_answer_that_its_id_names():
    first, second = answer("x", "2"), answer("y", "3")
    read_back = read(user("q", "1"), first, second, sources("2-source", "a"))
    assert titles(read_back[1]) == [("1", "a")]
    assert titles(read_back[2]) == []


def test_source_rows_of_one_turn_do_not_reach_the_next():
    messages = read(user("q", "1"), sources("s", "a"), user("r", "2"), answer("x", "3"))
    assert [message.role for message in messages] == ["user", "other", "user", "assistant"]
    question, lost, other, reply = messages
    assert (question.status, other.status) == ("unanswered", "complete")
    assert titles(lost) == [("1", "a")]
    assert titles(reply) == []


def test_orphaned_sources_become_one_message_of_role_other():
    question, other = read(user("q", "1"), sources("s", "a"), sources("t", "b"))
    assert other.role == "other"
    assert other.id == "s"
    assert titles(other) == [("1", "a"), ("2", "b")]
    assert [row["messageId"] for row in other.raw] == ["s", "t"]
    assert question.status == "unanswered"


def test_an_empty_source_row_without_an_answer_is_kept_with_its_question():
    row = sources("s")
    (question,) = read(user("q", "1"), row)
    assert question.raw == [user("q", "1"), row]


def test_orphaned_blocks_become_one_message_of_role_other():
    source = {"type": "source", "data": [{"content": "c", "metadata": {"title": "t"}}]}
    question, other = read(blocks("q", "1", source, status="answering"))
    assert (question.role, question.status) == ("user", "unanswered")
    assert (other.role, other.id, other.status) == ("other", "1/answer", None)
    assert titles(other) == [("1", "t")]


def test_a_turn_without_a_question_is_its_answer():
    (message,) = read(blocks(None, "1", {"type": "text", "data": "x"}))
    assert (message.role, message.text) == ("assistant", "x")


def test_an_answer_still_under_way_is_generating():
    _, message = read(blocks("q", "1", {"type": "text", "data": "x"}, status="answering"))
    assert message.status == "generating"


def test_a_text_block_that_is_no_text_is_kept_and_noted():
    question, message = read(blocks("q", "1", {"type": "text", "data": 5}))
    assert (question.status, message.role) == ("unanswered", "other")
    assert message.parts == (OtherPart(type="text", data=5),)
    assert [problem.where for problem in message.problems] == ["responseBlocks[0].data"]


def test_an_empty_answer_is_an_answer():
    question, message = read(blocks("q", "1", {"type": "text", "data": ""}))
    assert (question.status, message.role, message.text) == ("complete", "assistant", "")


def test_research_is_kept_apart_from_what_is_cited():
    step = {"type": "reading", "reading": [{"content": "c", "metadata": {"url": "u"}}]}
    steps = [{"type": "reasoning", "reasoning": "hm"}, {"type": "searching", "searching": ["q"]}]
    research = {"type": "research", "data": {"subSteps": [*steps, step]}}
    cited = {"type": "source", "data": [{"pageContent": "p", "metadata": {"title": "t"}}]}
    text = {"type": "text", "data": "x[1]"}
    _, message = read(blocks("q", "1", research, cited, text))
    assert [(source.kind, source.mark) for source in message.sources] == [
        ("cited", "1"),
        ("researched", None),
    ]
    assert message.parts == (
        ReasoningPart(text="hm"),
        OtherPart(type="searching", data=steps[1]),
        TextPart(text="x[1]"),
    )
    (citation,) = message.citations()
    assert citation.source.title == "t"


def test_messages_that_share_an_id_are_told_apart():
    ids = [item.id for item in read(user("q", "x"), answer("a", "x"), user("r", "x~2"))]
    assert ids == ["x", "x~2", "x~2~2"]


@for_each("row", [None, 5, "text", [], True])
def test_a_row_that_is_no_object_is_kept_whole(row):
    (message,) = read(row)
    assert message.role == "other"
    assert message.parts == (OtherPart(data=row),)
    assert message.raw == row
    assert message.problems


def test_shapes_mix_within_one_chat():
    old = {
        "role": "user",
        "content": "q",
        "messageId": "1",
        "metadata": '{"createdAt": 1733564159119}',
    }
    messages = read(old, answer("a", "2"), blocks("r", "3", {"type": "text", "data": "b"}))
    assert [(message.role, message.text) for message in messages] == [
        ("user", "q"),
        ("assistant", "a"),
        ("user", "r"),
        ("assistant", "b"),
    ]
    assert messages[0].created_at == datetime(2024, 12, 7, 9, 35, 59, 119000, tzinfo=UTC)


def test_metadata_encoded_without_end_is_given_up_softly():
    text = "{}"
    for _ in range(9):
        text = json.dumps(text)
    row = {"role": "user", "content": "q", "messageId": "1", "metadata": text}
    (message,) = read(row)
    assert message.text == "q"
    assert [problem.where for problem in message.problems] == ["metadata"]


@for_each(
    "newest, generation",
    [
        ({"focusMode": "webSearch"}, "1.7 - 1.9"),
        ({"focusMode": "webSearch", "files": []}, "1.10 - 1.11"),
        ({"sources": ["web"], "files": []}, "1.12 or later"),
        ({}, None),
    ],
)
def test_the_newest_chat_shows_the_generation(newest, generation):
    assert chats.generation({"chats": [newest]}) == generation
    assert chats.generation({"chats": []}) is None
