"""The strategies of the kit give each test values of its own."""

import copy
import json

from hypothesis import given
from hypothesis import strategies as st

from convostore.testing import strategies

AWKWARD = copy.deepcopy(strategies._AWKWARD)
DOCUMENT = {"rows": [{"id": "a", "inner": {"x": None}}, {"id": "b", "inner": []}]}


def text(value):
    return json.dumps(value)


@given(strategies.spoilt(DOCUMENT, places=8))
def test_what_is_spoilt_is_a_copy_down_to_the_values_put_in(spoilt):
    assert spoilt is not DOCUMENT
    assert text(DOCUMENT["rows"][0]) == text({"id": "a", "inner": {"x": None}})
    assert list(map(text, strategies._AWKWARD)) == list(map(text, AWKWARD))


@given(st.data())
def test_a_value_that_a_test_changes_is_not_drawn_again(data):
    value = data.draw(strategies.json_values())
    if isinstance(value, dict):
        value["changed"] = True
    elif isinstance(value, list):
        value.append("changed")
    assert list(map(text, strategies._AWKWARD)) == list(map(text, AWKWARD))
