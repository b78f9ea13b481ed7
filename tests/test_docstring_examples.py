"""The examples in docstrings, which the reference shows: each runs as it stands."""

import ast
import asyncio
import inspect
import textwrap

import pytest
from generator.docstrings import sections_of
from generator.members import function_of, members_of
from generator.names import exporters

import convostore


def documented():
    """The public classes, their members, and the functions, by name."""
    for path, module in exporters().items():
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isfunction(value):
                yield f"{path}.{name}", function_of(value)
            elif inspect.isclass(value):
                yield f"{path}.{name}", value
                for member in members_of(value):
                    yield f"{path}.{name}.{member.name}", member.function


EXAMPLES = {
    name: textwrap.dedent(sections["Example"])
    for name, value in documented()
    if "Example" in (sections := sections_of(value.__doc__)[1])
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_of_a_docstring_runs(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {public: getattr(convostore, public) for public in convostore.__all__}
    names |= {"convostore": convostore}
    with convostore.open("sqlite:///history.db") as store:
        chat = store.create_conversation(title="Moon")
        texts = ["The far side of the moon.", "The moon has a far side."]
        store.append_messages(chat.id, [convostore.Message.assistant(text) for text in texts])
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(EXAMPLES[name], name, "exec", flags=flags)
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(run_async(code, names))
    else:
        with convostore.open(address_for(name)) as store:
            eval(code, {**names, "store": store})
    assert capsys.readouterr().out


def address_for(name):
    return "echo://example" if "Stream" in name else "sqlite:///history.db"


async def run_async(code, names):
    name = code.co_filename
    async with convostore.aopen(address_for(name)) as store:
        await eval(code, {**names, "store": store})


def test_the_classes_and_functions_that_everybody_uses_have_an_example():
    assert EXAMPLES.keys() >= {
        "convostore.config.open",
        "convostore.store.ConversationStore",
        "convostore.store.AsyncConversationStore",
        "convostore.store.ReplyStream",
        "convostore.transfer.mirror",
    }
