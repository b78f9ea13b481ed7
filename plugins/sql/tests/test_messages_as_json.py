"""Messages as JSON: the same as the list's, without a detour where they are kept so."""

import json

import pytest
from hypothesis import example, given

import convostore
from convostore.errors import InvalidError, NotFoundError
from convostore.serialization import dump, join_surrogates, load_message
from convostore.testing.samples import full_message
from convostore.testing.value_strategies import Values

STORES = ["memory://", "sqlite://"]
MESSAGES = Values().messages()


@pytest.mark.parametrize("target", STORES)
@given(message=MESSAGES)
@example(message=full_message())
def test_a_message_as_json_is_the_one_that_the_list_has(target, message):
    with convostore.open(target) as store:
        store.create_conversation(id="c")
        store.append_messages("c", [message])
        (text,) = store.messages_as_json("c").items
        read = load_message(join_surrogates(json.loads(text.encode())))
        # Written again, as NaN is not equal to itself.
        assert sorted_json(read) == sorted_json(store.list_messages("c").items[0])


def sorted_json(message):
    return json.dumps(dump(message), sort_keys=True)


@pytest.mark.parametrize("target", STORES)
def test_pages_of_json_are_cut_as_the_lists_and_each_takes_the_others_cursor(target):
    with convostore.open(target) as store:
        store.create_conversation(id="c")
        said = [convostore.Message(id=f"m{number}", role="user") for number in range(5)]
        store.append_messages("c", said)
        first = store.messages_as_json("c", limit=2, order="newest_first")
        listed = store.list_messages("c", limit=2, order="newest_first")
        assert [json.loads(item)["id"] for item in first.items] == ["m4", "m3"]
        assert (first.cursor, first.total) == (listed.cursor, listed.total)
        rest = store.messages_as_json("c", cursor=listed.cursor, order="newest_first")
        assert [json.loads(item)["id"] for item in rest.items] == ["m2", "m1", "m0"]
        assert rest.cursor is None


@pytest.mark.parametrize("target", STORES)
def test_what_is_not_there_and_a_wrong_cursor_are_refused_as_by_the_list(target):
    with convostore.open(target) as store:
        with pytest.raises(NotFoundError):
            store.messages_as_json("absent")
        store.create_conversation(id="c")
        with pytest.raises(InvalidError):
            store.messages_as_json("c", cursor="wrong")
