"""The table of operations: each is in it, and it says of each what both classes of a store say."""

import inspect
import re

import pytest

from convostore import AsyncConversationStore, ConversationStore
from convostore.adapters import OPERATIONS, READING, TURN_ARGUMENTS, Operation

STREAMS = {Operation.STREAM_REPLY: Operation.REPLY, Operation.STREAM_ANSWER: Operation.ANSWER}
"""Operations whose docstring names those of another one."""
EVERYWHERE = {"InvalidError", "UnavailableError", "UnsupportedError", "StoreError"}


def test_every_operation_is_in_the_table_once_and_in_order():
    assert list(OPERATIONS) == list(Operation)


@pytest.mark.parametrize("store", [ConversationStore, AsyncConversationStore])
@pytest.mark.parametrize("operation", Operation)
def test_it_names_the_arguments_of_the_method(operation, store):
    parameters = inspect.signature(getattr(store, operation)).parameters
    named = {
        name: parameter.default is parameter.empty
        for name, parameter in parameters.items()
        if name != "self" and parameter.kind is not parameter.VAR_KEYWORD
    }
    info = OPERATIONS[operation]
    assert info.arguments == tuple(name for name, needed in named.items() if needed)
    assert info.options == tuple(name for name, needed in named.items() if not needed)


@pytest.mark.parametrize("operation", Operation)
def test_it_names_the_errors_that_the_docstring_names(operation):
    text = inspect.getdoc(getattr(ConversationStore, STREAMS.get(operation, operation)))
    raised = set(re.findall(r"^    (\w+Error):", text.partition("Raises:")[2], re.MULTILINE))
    assert {error.__name__ for error in OPERATIONS[operation].errors} == raised - EVERYWHERE


def test_what_reads_changes_nothing_by_its_name():
    begins = ("list_", "get_", "search", "suggest_", "resume_", "check")
    assert {operation for operation in Operation if operation.startswith(begins)} == READING


@pytest.mark.parametrize("store", [ConversationStore, AsyncConversationStore])
def test_an_option_of_a_turn_has_no_name_of_an_argument_of_what_sends_one(store):
    taken = set()
    for name in Operation:
        parameters = inspect.signature(getattr(store, name)).parameters
        if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
            taken |= {
                each.name for each in parameters.values() if each.kind is not each.VAR_KEYWORD
            }
    assert taken == TURN_ARGUMENTS
