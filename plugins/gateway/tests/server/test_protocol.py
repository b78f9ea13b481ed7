"""What the bounded protocol takes for granted of uvicorn, whose protocol classes are not public.

A release that renames something fails here with the names, before a test with a socket hangs.
"""

import ast
import inspect
import re
import textwrap

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from convostore_gateway.server import protocol, run
from convostore_gateway.server.protocol import BoundedProtocol


def tree_of(thing):
    return ast.parse(textwrap.dedent(inspect.getsource(thing)))


def attributes_of(owner, thing):
    """The names of the attributes of an expression, such as ``self`` or ``self.cycle``."""
    return {
        node.attr
        for node in ast.walk(tree_of(thing))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == owner
    }


def own_attributes(cls):
    """Ours: the annotated names of the class, and what its ``__init__`` makes, underscored."""
    made = {name for name in attributes_of("self", cls.__init__) if name.startswith("_")}
    return made | set(vars(cls).get("__annotations__", ()))


def missing(cls, names):
    source = inspect.getsource(cls)
    return sorted(
        name
        for name in names
        if not hasattr(cls, name) and not re.search(rf"\bself\.{name}\b", source)
    )


@pytest.mark.parametrize(
    ("ours", "base"),
    [(BoundedProtocol, HttpToolsProtocol), (run._Server, uvicorn.Server)],
)
def test_each_attribute_that_is_used_is_ours_or_uvicorns(ours, base):
    used = attributes_of("self", ours) - own_attributes(ours) - set(vars(ours))
    assert used
    assert not missing(base, used)


@pytest.mark.parametrize(
    ("ours", "base"),
    [(BoundedProtocol, HttpToolsProtocol), (run._Server, uvicorn.Server)],
)
def test_each_public_method_overrides_one_of_uvicorns(ours, base):
    public = {name for name in vars(ours) if callable(vars(ours)[name]) and name[0] != "_"}
    assert public
    assert not missing(base, public)


def test_each_attribute_of_a_cycle_that_is_used_is_uvicorns():
    used = attributes_of("self.cycle", BoundedProtocol)
    used |= attributes_of("cycle", protocol._without_chunks)
    assert {"send", "response_complete"} <= used
    assert not missing(RequestResponseCycle, used)


def test_a_protocol_is_made_of_what_uvicorn_passes():
    parameters = list(inspect.signature(HttpToolsProtocol).parameters)
    assert parameters == ["config", "server_state", "app_state", "_loop"]


def test_a_name_that_uvicorn_does_not_have_is_reported():
    assert missing(HttpToolsProtocol, {"pipeline", "no_such_name"}) == ["no_such_name"]
