"""The strategies of the kit give each test values of its own."""

import copy
import json

from hypothesis import given
from hypothesis import strategies as st

from convostore.testing import strategies

AWKWARD = copy.deepcopy(strategies._AWKWARD)
DOCUMENT = {"row": {"id": "a", "inner": []}}


def text(value):
    return json.dumps(value)


@given(st.lists(strategies.corrupted(DOCUMENT, places=6), min_size=3, max_size=3))
def test_what_is_spoilt_is_a_copy_down_to_the_values_put_in(several):
    assert all(spoilt is not DOCUMENT for spoilt in several)
    assert text(DOCUMENT) == text({"row": {"id": "a", "inner": []}})
    assert list(map(text, strategies._AWKWARD)) == list(map(text, AWKWARD))


@given(st.lists(strategies.json_values(), min_size=10, max_size=10))
def test_a_value_that_a_test_changes_is_not_drawn_again(values):
    for value in values:
        if isinstance(value, dict):
            value["changed"] = True
        elif isinstance(value, list):
            value.append("changed")
    assert list(map(text, strategies._AWKWARD)) == list(map(text, AWKWARD))
