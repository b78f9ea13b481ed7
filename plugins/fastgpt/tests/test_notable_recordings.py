"""Notable recordings, each with what it holds written out by hand from its bytes and the contract.

All recordings are compared with a second reading in `test_recordings`; this is the check on both.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.support.cases import for_each

import convostore
from convostore import (
    Feedback,
    FilePart,
    InteractionField,
    InteractionOption,
    InteractionPart,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

from .support.recordings import (
    APP,
    VERSIONS,
    Replay,
    exchange_of,
    open_gated,
    open_over,
    outcome,
    playing,
    replay_of,
    scope_of,
)

pytestmark = pytest.mark.usefixtures("closed_network")

CITED = "67e517e7477063000011a2b3"
INTERFACES = [
    f"{version}_completions_stream-{stream}_detail-{detail}"
    for version in ("v1", "v2")
    for stream in ("false", "true")
    for detail in ("false", "true")
]


@pytest.fixture
def read(face):
    """Read the records of an exchange on one of the faces, as a conversation of their own."""

    def messages(name):
        exchange = exchange_of(name)
        with open_over(face, exchange.version, replay_of(exchange), **scope_of(exchange)) as store:
            return store.messages(exchange.params["chatId"])

    return messages


def at(time):
    return datetime.fromisoformat(time).replace(tzinfo=UTC)


def message_fields(messages):
    return [(message.role, message.text, message.status) for message in messages]


def text(content):
    return TextPart(text=content)


@for_each("version", VERSIONS)
def test_the_eight_records_of_the_seeded_chat(version, read):
    messages = read(f"{version}/record_getPaginationRecords#0")
    assert [message.id for message in messages] == [
        f"66a00000000000000000000{number}.d-{number}" for number in (1, 2, 3, 4, 5, 6, 7, 9)
    ]
    assert [(message.role, message.status) for message in messages] == [
        ("user", "complete"),
        ("assistant", "complete"),
        ("user", "complete"),
        ("assistant", "complete"),
        ("user", "complete"),
        ("assistant", "failed"),
        ("assistant", "complete"),
        ("system", None),
    ]
    assert [message.created_at for message in messages] == [
        at(f"2025-03-01T08:00:0{second}") for second in (1, 2, 3, 4, 5, 6, 7, 9)
    ]
    assert [message.parts for message in messages] == [
        (
            text("Who directed it?"),
            FilePart(name="a.pdf", url="https://files.example/a.pdf"),
            FilePart(name="b.png", url="https://files.example/b.png", media_type="image/*"),
        ),
        (ReasoningPart(text="thinking…"), text(f"Shinkai directed it [{CITED}](CITE).")),
        (text("old typed value"),),
        (text("typed answer"),),
        (text("hidden q"),),
        (
            ToolCallPart(id="call_1", name="weather", arguments='{"city":"Paris"}'),
            ToolResultPart(id="call_1", content="21"),
            text("21 degrees"),
        ),
        (
            InteractionPart(
                type="userSelect",
                prompt="Pick one",
                options=(InteractionOption(value="Confirm"), InteractionOption(value="Cancel")),
            ),
        ),
        (text("system line"),),
    ]
    assert [message.feedback for message in messages] == [
        None,
        Feedback(rating="good"),
        None,
        Feedback(rating="bad", comment="wrong"),
        *[None] * 4,
    ]
    assert not any(message.problems or message.model or message.parent_id for message in messages)


@for_each("version", VERSIONS)
def test_what_the_schema_has_no_word_for_is_in_raw(version, read):
    messages = read(f"{version}/record_getPaginationRecords#0")
    answer, hidden, failed = messages[1], messages[4], messages[5]
    assert answer.raw["customFeedbacks"] == ["fb one"]
    assert answer.raw["adminFeedback"] | {"_id": ""} == {
        "datasetId": "ds",
        "collectionId": "c",
        "dataId": "fd",
        "q": "q",
        "a": "a",
        "_id": "",
    }
    assert answer.raw["durationSeconds"] == 2.42
    assert hidden.raw["hideInUI"] is True
    assert failed.raw["errorMsg"] == "boom"


def test_the_text_of_a_node_that_failed_is_in_raw_since_nodes_are_kept_apart(read):
    newer = read("v4.16.0/record_getPaginationRecords#0")[5]
    older = read("v4.9.14/record_getPaginationRecords#0")[5]
    assert newer.raw["errorText"] == {"moduleName": "AI chat", "errorText": "LLM exploded"}
    assert "errorText" not in older.raw


@for_each("version, content", [("v4.9.14", "Who?\nShinkai"), ("v4.16.0", None)])
def test_a_quote_holds_its_text_until_it_was_slimmed_away(version, content, read):
    answer = read(f"{version}/record_getPaginationRecords#0")[1]
    (source,) = answer.sources
    assert (source.kind, source.title, source.url) == ("quote", "film.pdf", None)
    assert (source.content, source.score, source.mark) == (content, 0.89, CITED)
    assert source.raw["collectionId"] == "65f0000000000000000000c1"
    (citation,) = answer.citations()
    assert (citation.mark, citation.source) == (CITED, source)
    assert answer.text[citation.start : citation.end] == f"[{CITED}](CITE)"


@for_each("version", VERSIONS)
def test_a_mark_that_no_quote_is_listed_for_is_kept_in_the_text(version, read):
    messages = read(f"{version}/v1_completions_stream-true_detail-true_cite#2")
    marked = f"See the book [{CITED}](CITE) for details."
    assert message_fields(messages) == [
        ("user", "CITE-ME", "complete"),
        ("assistant", marked, "complete"),
        ("user", "CITE-ME again", "complete"),
        ("assistant", marked, "complete"),
    ]
    assert [citation.source for citation in messages[1].citations()] == [None]
    stripped = read(f"{version}/v1_completions_stream-false_detail-true_cite#2")
    assert list(stripped[1].citations()) == []


@for_each("version, items", [("v4.16.0", 1), ("v4.9.14", 2)])
def test_reasoning_and_text_are_two_parts_though_they_share_an_item(version, items, read):
    _, answer = read(f"{version}/records_after_tool_and_multi#1")
    assert len(answer.raw["value"]) == items
    assert answer.parts == (
        ReasoningPart(text="I think, therefore I answer."),
        text('Answer to "why?".'),
    )


@for_each("version", VERSIONS)
def test_an_answer_of_several_nodes_keeps_their_order(version, read):
    question, answer = read(f"{version}/records_after_tool_and_multi#2")
    assert question.text == "go"
    assert answer.parts == (
        text("\nFirst, a note."),
        ReasoningPart(text="I think, therefore I answer."),
        text('Answer to "go".'),
    )
    assert answer.text == '\nFirst, a note.\nAnswer to "go".'
    assert answer.raw["customFeedbacks"] == ["auto-feedback: ok"]


@for_each(
    "version, call_id, arguments, response, texts",
    [
        ("v4.16.0", "call_stub_1", "{}", '{\n  "ok": true,\n  "echo": {}\n}', []),
        ("v4.9.14", "y9CzeYFXK6TyVvJt", '{"city": "Paris"}', "none", [""]),
    ],
)
def test_a_tool_that_was_called_and_answered(version, call_id, arguments, response, texts, read):
    _, answer = read(f"{version}/records_after_tool_and_multi#0")
    assert answer.parts == (
        ToolCallPart(id=call_id, name="weather", arguments=arguments),
        ToolResultPart(id=call_id, content=response),
        *map(text, texts),
        text("The tool says it is 21 degrees."),
    )


@for_each("interface", INTERFACES)
@for_each("version", VERSIONS)
def test_a_choice_that_was_made_is_one_answered_turn(version, interface, read):
    messages = read(f"{version}/{interface}_select#2")
    assert [(message.role, message.status) for message in messages] == [
        ("user", "complete"),
        ("assistant", "complete"),
    ]
    assert messages[1].parts == (
        InteractionPart(
            type="userSelect",
            prompt="Pick one",
            options=(InteractionOption(value="Confirm"), InteractionOption(value="Cancel")),
            answered=True,
            answer="Confirm",
        ),
        text("\nYou confirmed."),
    )


@for_each("interface", INTERFACES)
@for_each("version", VERSIONS)
def test_a_form_that_was_filled_in_holds_its_values(version, interface, read):
    _, answer = read(f"{version}/{interface}_form#2")
    assert answer.parts == (
        InteractionPart(
            type="userInput",
            prompt="Fill in",
            fields=(
                InteractionField(
                    key="name", label="name", type="input", required=True, value="Ada"
                ),
                InteractionField(key="age", label="age", type="numberInput", value=36),
            ),
            answered=True,
        ),
        text("\nHello Ada!"),
    )


@for_each("place, answer", [(4, "something else"), (5, "option1")])
@for_each("version", VERSIONS)
def test_an_answer_that_is_no_option_consumes_the_choice_all_the_same(version, place, answer, read):
    _, message = read(f"{version}/completions_select_bad_option#{place}")
    choice, said_then = message.parts
    assert (choice.answered, choice.answer) == (True, answer)
    assert answer not in [option.value for option in choice.options]
    assert said_then == text("")


@for_each("version", VERSIONS)
def test_the_record_of_a_plugin_app_holds_its_run_in_raw(version, read):
    question, answer = read(f"{version}/records_after_tool_and_multi#3")
    assert question.text.startswith('[{"key":"query","label":"query"')
    assert (answer.text, answer.sources) == ('Answer to "你好".', ())
    assert [item["moduleType"] for item in answer.raw["responseData"]] == [
        "pluginInput",
        "chatNode",
        "pluginOutput",
    ]
    assert answer.raw["responseData"][2]["pluginOutput"] == {"result": 'Answer to "你好".'}


@for_each("place", [0, 1])
@for_each("version, status", [("v4.16.0", "failed"), ("v4.9.14", "complete")])
def test_a_failed_model_is_an_empty_answer_that_only_newer_servers_tell_of(
    version, status, place, read
):
    question, answer = read(f"{version}/records_after_llm_error#{place}")
    assert (question.text, question.status) == ("hi", "complete")
    assert (answer.parts, answer.status) == ((text(""),), status)
    if status == "failed":
        assert answer.raw["errorText"]["errorText"] == "500 stub upstream exploded"


def test_an_answer_in_the_making_is_generating_and_then_complete(read):
    question, answer = read("v4.16.0/completions_while_generating#5")
    assert (question.status, answer.status, answer.parts) == ("complete", "generating", ())
    assert answer.raw["value"] == []
    question, done = read("v4.16.0/completions_while_generating#6")
    assert (done.id, done.status) == (answer.id, "complete")
    assert done.text == 'Answer to "SLOW please".'


def test_an_older_server_shows_nothing_of_an_answer_in_the_making(read):
    before = read("v4.9.14/completions_while_generating#5")
    after = read("v4.9.14/completions_while_generating#6")
    assert message_fields(before)[-1] == ("assistant", 'Answer to "x".', "complete")
    assert message_fields(after)[-1] == ("assistant", 'Answer to "SLOW please".', "complete")
    assert [item.id for item in before[2:]] == [item.id for item in after[:3]]


@for_each("version", VERSIONS)
def test_a_file_without_a_name_has_none(version, read):
    question, answer = read(f"{version}/completions_files#1")
    assert question.parts == (
        text("look"),
        FilePart(url="https://files.example/b.png", media_type="image/*"),
        FilePart(name="a.pdf", url="https://files.example/a.pdf"),
    )
    assert answer.text == "\nA fixed reply."


def test_records_that_share_a_data_id_have_ids_of_their_own(read):
    asked_and_answered = read("v4.16.0/completions_concurrent_dataid#2")
    assert [item.id for item in asked_and_answered] == [
        "6b00ba6a16a2241754436a9a.same-id",
        "6b00ba6a16a2241754436a9c.same-id",
    ]
    stored_twice = read("v4.9.14/completions_concurrent_dataid#2")
    assert [item.id for item in stored_twice] == [
        "6b00bdd88514471f2f9d7c55.qtDKsQFrhJ3UxoW7plTlyQ",
        "6b00bdd88514471f2f9d7c56.same-id",
        "6b00bdd88514471f2f9d7c66.iME3cMflbgFNgEpxc2577r",
        "6b00bdd88514471f2f9d7c67.same-id",
    ]


@for_each("version", VERSIONS)
def test_feedback_step_by_step(version, read):
    name = f"{version}/feedback_updateUserFeedback"
    seen = []
    for place in range(1, 18, 2):
        (message,) = read(f"{name}#{place}")
        assert message.id == "66a000000000000000000006.d-6"
        seen.append((message.feedback, [problem.where for problem in message.problems]))
    assert seen == [
        (Feedback(rating="good"), []),
        (Feedback(rating="good", comment="Great answer!"), []),
        (None, []),
        (Feedback(rating="bad", comment="not helpful"), []),
        (Feedback(rating="good"), []),
        (Feedback(rating="bad", comment="both"), ["userGoodFeedback"]),
        (None, []),
        (None, []),
        (None, []),
    ]


@for_each("version", VERSIONS)
def test_each_thumb_is_sent_as_it_was_recorded(version, face):
    places = (0, 2, 4, 6, 8, 16)
    exchanges = [exchange_of(f"{version}/feedback_updateUserFeedback#{place}") for place in places]
    thumbs = [
        Feedback(rating="good"),
        Feedback(rating="good", comment="Great answer!"),
        None,
        Feedback(rating="bad", comment="not helpful"),
        Feedback(rating="good", comment="yes"),
        None,
    ]
    with playing(*exchanges), open_gated(face, version, api_key=exchanges[0].key) as store:
        for each in thumbs:
            assert store.set_feedback("seed-1", "66a000000000000000000006.d-6", each) is None


@for_each("version, kind", [("v4.16.0", convostore.NotFoundError), ("v4.9.14", type(None))])
@for_each("place, message", [(18, "0.d-1"), (19, "0.nope")])
def test_a_thumb_for_what_is_no_answer_is_refused_by_newer_servers(
    version, kind, place, message, face
):
    exchange = exchange_of(f"{version}/feedback_updateUserFeedback#{place}")
    with playing(exchange), open_gated(face, version, api_key=exchange.key) as store:
        result = outcome(store, "set_feedback", "seed-1", message, Feedback(rating="good"))
    assert type(result) is kind


@for_each("version", VERSIONS)
def test_the_steps_of_a_run(version, face):
    exchange = exchange_of(f"{version}/record_getResData#0")
    with playing(exchange), open_gated(face, version, api_key=exchange.key) as store:
        search, chat = store.get_run_details("seed-1", "66a000000000000000000002.d-2")
    assert (search.id, search.name, search.type) == ("r1", "Dataset search", "datasetSearchNode")
    assert (search.seconds, search.error, search.steps) == (0.5, None, ())
    assert (chat.id, chat.name, chat.type, chat.seconds) == ("r2", "AI chat", "chatNode", 1.92)
    assert chat.raw["model"] == "stub-llm"


def test_a_step_that_failed_says_why(face):
    exchange = exchange_of("v4.16.0/record_getResData#2")
    with playing(exchange), open_gated(face, "v4.16.0", api_key=exchange.key) as store:
        (step,) = store.get_run_details("seed-1", "66a000000000000000000006.d-6")
    assert (step.name, step.error) == ("AI chat", "LLM exploded")


@for_each("version", VERSIONS)
def test_a_title_of_the_users_own_goes_before_the_services(version, face):
    exchange = exchange_of(f"{version}/history_getHistories#9")
    with (
        playing(exchange),
        open_gated(face, version, api_key=exchange.key, source="online") as store,
    ):
        (listed,) = store.list_conversations(limit=20).items
    assert (listed.id, listed.title, listed.pinned) == ("seed-2", "My title", False)
    assert (listed.created_at, listed.updated_at) == (None, at("2025-03-01T08:02:00"))
    assert listed.raw["title"] == "title 2"


@for_each(
    "version, total, title",
    [("v4.16.0", 19, "hello"), ("v4.9.14", 20, "second turn 你好")],
)
def test_a_list_is_in_the_services_order_pinned_first(version, total, title, face):
    exchange = exchange_of(f"{version}/history_getHistories#0")
    with playing(exchange), open_gated(face, version, api_key=exchange.key) as store:
        page = store.list_conversations(limit=20)
    assert (page.total, len(page.items), page.cursor) == (total, total, None)
    pinned, *others = page.items
    assert (pinned.id, pinned.title, pinned.pinned) == ("seed-3", "title 3", True)
    assert not any(other.pinned for other in others)
    times = [other.updated_at for other in others]
    assert times == sorted(times, reverse=True)
    assert times[0] > pinned.updated_at
    assert others[-1].id == "seed-1"
    titles = {other.id: other.title for other in others}
    assert titles["v1_completions_stream-true_detail-true"] == title


def test_a_changed_title_is_sent_and_listed_as_recorded(face):
    name = "v4.16.0/history_updateHistory"
    exchanges = [exchange_of(f"{name}#{place}") for place in (0, 1, 4, 10)]
    with playing(*exchanges), open_gated(face, "v4.16.0", api_key=exchanges[0].key) as store:
        store.update_conversation("seed-1", title="自定义标题")
        store.update_conversation("seed-1", pinned=True)
        store.update_conversation("seed-1", title=None)
        page = store.list_conversations(limit=3)
    assert [(each.id, each.title, each.pinned) for each in page.items] == [
        ("seed-3", "title 3", True),
        ("seed-1", "new title", False),
        ("iKFguhZEB8KoJCosoYzTezd2", "How are you?", False),
    ]
    assert (page.total, page.cursor is None) == (19, False)


@for_each(
    "version, left",
    [
        ("v4.16.0", [("seed-1", 22), ("sh-1", 2)]),
        ("v4.9.14", [("sh-1", 20), ("sh-1", 3)]),
    ],
)
def test_deletes_and_a_clear_go_out_and_show_as_recorded(version, left, face):
    clear, seen = (10, 11) if version == "v4.16.0" else (8, 9)
    exchanges = [exchange_of(f"{version}/history_delete#{place}") for place in (0, 1, 2, 3)]
    of_all = {"api_key": exchanges[0].key, "source": "all"}
    with playing(*exchanges), open_gated(face, version, **of_all) as store:
        before = store.list_conversations(limit=5)
        assert store.delete_conversation("seed-3") is None
        after = store.list_conversations(limit=5)
        assert store.delete_conversation("nope") is None
    assert before.items[0].id == "seed-3"
    assert before.total == after.total + 1
    assert (after.items[0].id, "seed-3" in {item.id for item in after.items}) == (left[0][0], False)

    cleared, listed = (exchange_of(f"{version}/history_delete#{place}") for place in (clear, seen))
    with playing(cleared), open_gated(face, version, api_key=cleared.key) as store:
        assert store.clear_conversations() is None
    with playing(listed), open_gated(face, version, **of_all) as store:
        rest = store.list_conversations(limit=5)
    assert (rest.items[0].id, rest.total) == left[1]
    assert "seed-4" in {item.id for item in rest.items}


def test_a_conversation_is_found_by_the_time_that_its_status_tells(face):
    status = exchange_of("v4.16.0/history_status_and_read#2")
    listed = exchange_of("v4.16.0/history_delete#2")
    service = Replay("v4.16.0", {"getHistoryStatus": status, "getHistories": listed.rows})
    with open_over(face, "v4.16.0", service, **scope_of(status)) as store:
        found = store.get_conversation("seed-1")
    assert (found.id, found.title) == ("seed-1", "new title")
    assert found.updated_at == at("2026-11-20T21:23:48.557")
    asked, looked = service.asked
    assert (asked.method, asked.path, asked.json) == (status.method, status.path, status.json)
    assert looked.json["startUpdateTime"] == looked.json["endUpdateTime"]
    assert looked.json["startUpdateTime"] == "2026-11-20T21:23:48.557Z"


def test_a_conversation_without_a_status_is_absent(face):
    status = exchange_of("v4.16.0/history_status_and_read#0")
    service = Replay("v4.16.0", {"getHistoryStatus": status})
    with open_over(face, "v4.16.0", service) as store:
        error = outcome(store, "get_conversation", "nope")
    assert type(error) is convostore.NotFoundError
    assert [request.path for request in service.asked] == [status.path]


@for_each(
    "version, paths",
    [
        ("v4.16.0", ["/api/core/chat/record/delete"]),
        ("v4.9.14", ["/api/core/chat/item/delete"]),
    ],
)
def test_one_call_deletes_a_record_wherever_a_server_looks_for_its_id(version, paths, face):
    deleted = exchange_of(f"{version}/record_delete#0")
    rest = exchange_of(f"{version}/record_delete#6")
    held = {"record/delete": deleted, "getPaginationRecords": rest.rows, "getHistories": []}
    service = Replay(version, held)
    with open_over(face, version, service, **scope_of(deleted)) as store:
        assert store.delete_message("seed-1", "66a000000000000000000009.d-9") is None
        (request,) = service.asked
        left = store.messages("seed-1")
    assert [request.path] == paths
    assert dict(request.query) == request.json == deleted.params
    assert "66a000000000000000000009.d-9" not in {item.id for item in left}


def test_both_records_of_a_turn_go_where_they_share_an_id_and_one_where_not(read):
    newer = read("v4.16.0/record_delete#6")
    older = read("v4.9.14/record_delete#6")
    assert [item.id.partition(".")[2] for item in newer] == ["d-1", "d-2", "d-3", "d-4"]
    assert [item.id.partition(".")[2] for item in older] == [
        *("d-1", "d-2", "d-3", "d-4"),
        *("d-5", "d-6", "d-7"),
    ]
    assert older[0].feedback == Feedback(rating="good")  # 4.9 took a thumb for a question


@for_each(
    "version, place, listed, title, app",
    [
        ("v4.16.0", 7, 6, "hi from share", {}),
        ("v4.16.0", 7, 6, "hi from share", {"app_id": APP}),
        ("v4.9.14", 5, 4, "again", {"app_id": APP}),
    ],
)
def test_a_share_link_is_told_in_the_servers_own_spelling(version, place, listed, title, app, face):
    records = exchange_of(f"{version}/share_outlink#{place}")
    rows = exchange_of(f"{version}/share_outlink#{listed}").rows
    service = Replay(version, {"getPaginationRecords": records.rows, "getHistories": rows})
    link = {"share_id": "share-abc", "outlink_uid": "u-9"}
    with open_over(face, version, service, **link, **app) as store:
        (conversation,) = store.conversations()
        messages = store.messages("sh-1")
    assert (conversation.id, conversation.title) == ("sh-1", title)
    assert message_fields(messages) == [
        ("user", "hi from share", "complete"),
        ("assistant", 'Answer to "hi from share".', "complete"),
        ("user", "again", "complete"),
        ("assistant", 'Answer to "again".', "complete"),
    ]
    named = {"offset", "pageSize", "loadCustomFeedbacks"}
    own = {key: value for key, value in service.asked[-1].json.items() if key not in named}
    assert own == {key: value for key, value in records.json.items() if key not in named}


def test_a_share_link_alone_says_to_an_older_server_what_it_needs(face):
    service = Replay("v4.9.14", {"getHistories": exchange_of("v4.9.14/share_outlink#4").rows})
    with open_over(face, "v4.9.14", service, share_id="share-abc", outlink_uid="u-9") as store:
        error = outcome(store, "list_conversations")
    assert isinstance(error, convostore.StoreError), error
    assert "app_id" in str(error)


@for_each("version", VERSIONS)
@for_each("someone, operation", [(True, "messages"), (False, "conversations")])
def test_a_share_link_of_someone_else_or_of_none_is_refused(version, someone, operation, face):
    of_someone = {"v4.16.0": 8, "v4.9.14": 6}[version]
    of_none = {"v4.16.0": 9, "v4.9.14": 7}[version]
    exchange = exchange_of(f"{version}/share_outlink#{of_someone if someone else of_none}")
    args = ("sh-1",) if someone else ()
    with open_over(face, version, replay_of(exchange), **scope_of(exchange)) as store:
        error = outcome(store, operation, *args)
    assert isinstance(error, convostore.AuthError)
    assert error.detail == exchange.body["message"]
    assert "u-9" not in str(error)
    assert "share-abc" not in str(error)
