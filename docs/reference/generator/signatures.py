"""Signatures as their author wrote them, read from the source."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from functools import cache
from types import FunctionType
from typing import Any, Final

from .names import is_exported, sources, tree_of

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

WIDTH: Final = 88
_SHOWN_DECORATORS: Final = frozenset(
    {"asynccontextmanager", "classmethod", "contextmanager", "fixture", "overload", "staticmethod"}
)


def signatures_of(function: FunctionType, name: str, *, prefix: str = "def ") -> list[str]:
    """Return the signature of each overload of a function, or of the function itself."""
    return [_signature(node, function, name, prefix) for node in _definitions(function)]


def source_of(node: ast.expr, module: str) -> str:
    """Return the source of an annotation or a default: no quotes around it, no `Annotated`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    match node:
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[kind, *_])):
            return source_of(kind, module)
    written = _segment(module, node)
    text = re.sub(r"(?<=[\[(]) | (?=[\])])|,(?= ?[\])])", "", " ".join(written.split()))
    text = re.sub(r"\bAnnotated\[([\w.]+), \w+\([^()]*\)\]", r"\1", text)
    return re.sub(r"(?<![\w.])_\w+", lambda found: _meaning(found[0], module), text)


def _meaning(name: str, module: str) -> str:
    """Return what a private alias stands for, and of a private enumeration the values."""
    for node in statements(tree_of(module).body):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=found)]) | ast.AnnAssign(target=ast.Name(id=found))
            ) if found == name and node.value is not None:
                return source_of(node.value, module)
            case ast.ClassDef(name=found, bases=[ast.Name(id="Enum" | "StrEnum")]) if found == name:
                words = [
                    ast.unparse(each.value) for each in node.body if isinstance(each, ast.Assign)
                ]
                return f"Literal[{', '.join(words)}]".replace("'", '"')
    return name


def body_of(owner: type, module: str) -> str:
    """Return a class as it is written, with its comments and without its docstring."""
    for node in statements(tree_of(module).body):
        if isinstance(node, ast.ClassDef) and node.name == owner.__name__:
            lines = [line.decode() for line in _lines(module)]
            first = node.body[0] if ast.get_docstring(node) else None
            start = (first.end_lineno or 0) if first else node.lineno
            body = "\n".join(lines[start : node.end_lineno]).strip("\n")
            return f"{lines[node.lineno - 1]}\n{body}"
    raise LookupError(f"{module} has no class {owner.__name__}")


def _segment(module: str, node: ast.expr) -> str:
    """Return the source of a node; `ast.get_source_segment` splits the whole file each time."""
    lines = _lines(module)[node.lineno - 1 : node.end_lineno]
    lines[-1] = lines[-1][: node.end_col_offset]
    lines[0] = lines[0][node.col_offset :]
    return b"\n".join(lines).decode()


@cache
def _lines(module: str) -> list[bytes]:
    return sources()[module].read_bytes().split(b"\n")


def statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Iterate over statements, and over those under an `if`."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            yield from statements([*node.body, *node.orelse])


def _definitions(function: FunctionType) -> list[FunctionNode]:
    body: list[ast.stmt] = tree_of(function.__module__).body
    *scopes, name = function.__qualname__.rpartition("<locals>.")[2].split(".")
    for scope in scopes:
        body = next(
            node.body
            for node in statements(body)
            if isinstance(node, ast.ClassDef) and node.name == scope
        )
    found = [
        node for node in statements(body) if isinstance(node, FunctionNode) and node.name == name
    ]
    overloads = [node for node in found if "overload" in _decorators(node)]
    first = function.__code__.co_firstlineno
    own = [
        node for node in found if first in {each.lineno for each in (node, *node.decorator_list)}
    ]
    return overloads or own or found  # none is its own where a decorator made another function


def _decorators(node: FunctionNode) -> list[str]:
    names = (ast.unparse(decorator).partition("(")[0] for decorator in node.decorator_list)
    return [name.rpartition(".")[2] for name in names]


def _signature(node: FunctionNode, function: FunctionType, name: str, prefix: str) -> str:
    parameters = list(_parameters(node, function))
    returns = f" -> {source_of(node.returns, function.__module__)}" if node.returns else ""
    if "composite" in _decorators(node):  # Hypothesis gives the first argument itself
        parameters, returns = parameters[1:], f" -> SearchStrategy[{returns.removeprefix(' -> ')}]"
    if prefix == "class ":
        returns = ""
    elif isinstance(node, ast.AsyncFunctionDef) and not inspect.isasyncgenfunction(function):
        prefix = f"async {prefix}"
    lines = [f"@{decorator}\n" for decorator in _decorators(node) if decorator in _SHOWN_DECORATORS]
    return "".join(lines) + layout(f"{prefix}{name}", parameters, returns)


def layout(head: str, parameters: list[str], returns: str = "") -> str:
    """Return a signature on one line, or with each parameter on its own where that is too long."""
    line = f"{head}({', '.join(parameters)}){returns}"
    if len(line) <= WIDTH or not parameters:
        return line
    lines = textwrap.indent(",\n".join(parameters), "    ")
    return f"{head}(\n{lines},\n){returns}"


def _parameters(node: FunctionNode, function: FunctionType) -> Iterator[str]:
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [*[None] * (len(positional) - len(arguments.defaults)), *arguments.defaults]
    in_class = "." in function.__qualname__.rpartition("<locals>.")[
        2
    ] and "staticmethod" not in _decorators(node)
    for place, (argument, default) in enumerate(zip(positional, defaults, strict=True)):
        if (place == 0 and in_class) or argument.arg.startswith("_"):
            continue
        yield _parameter(argument, default, function)
        if place + 1 == len(arguments.posonlyargs):
            yield "/"
    if arguments.vararg:
        yield f"*{_parameter(arguments.vararg, None, function)}"
    elif arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _parameter(argument, default, function)
    if arguments.kwarg:
        yield from _keywords(arguments, function)


def _keywords(arguments: ast.arguments, function: FunctionType) -> Iterator[str]:
    """Yield ``**options``, or what it unpacks: the keys of a private `TypedDict`."""
    assert arguments.kwarg is not None
    written = _parameter(arguments.kwarg, None, function)
    unpacked = re.search(r"Unpack\[(_\w+)\]", written)
    if unpacked is None:
        yield f"**{written}"
        return
    if not arguments.kwonlyargs and arguments.vararg is None:
        yield "*"
    for node in tree_of(function.__module__).body:
        if isinstance(node, ast.ClassDef) and node.name == unpacked[1]:
            for field in node.body:
                if isinstance(field, ast.AnnAssign):
                    kind = source_of(field.annotation, function.__module__)
                    yield f"{ast.unparse(field.target)}: {kind} = ..."


def _parameter(argument: ast.arg, default: ast.expr | None, function: FunctionType) -> str:
    text = argument.arg
    if argument.annotation is not None:
        text += f": {source_of(argument.annotation, function.__module__)}"
    if default is not None:
        equals = " = " if argument.annotation is not None else "="
        text += equals + _default(default, function)
    return text


def _default(node: ast.expr, function: FunctionType) -> str:
    """Return a default as written; of a constant that is not public the value."""
    written = _segment(function.__module__, node)
    if isinstance(node, ast.Name) and not is_exported(written):
        value: Any = function.__globals__[written]
        return repr(value)
    return written
