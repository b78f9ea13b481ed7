"""Writes what the documents repeat from the code, between their markers.

    python docs/reference/generate.py

A page holds ``<!-- generated: NAME -->`` and ``<!-- end -->``; what is between them is made here.
The tests check that every page is as this would write it.
"""

from __future__ import annotations

import ast
import enum
import inspect
import json
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from typer.testing import CliRunner

from convostore import dsn, errors, models
from convostore.adapters import OPERATIONS, Adapter, Operation, Traits
from convostore.cli.app import EXAMPLES, app
from convostore.cli.errors import ExitCode
from convostore.config import open_adapter
from convostore.http import HTTPAdapter, HTTPOptions, Request, Response
from convostore.plugins import adapter_for
from convostore.store import ReplyStream
from convostore.testing import FAULT_ERRORS, FaultContract, list_clauses
from convostore_gateway.api.router import ENDPOINTS
from convostore_gateway.limits import Limits
from convostore_gateway.problems import KINDS

ROOT: Final = Path(__file__).parent.parent.parent
SECTION: Final = re.compile(
    r"(?P<begin><!-- generated: (?P<name>[\w-]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL
)
SCHEMES: Final = ("memory", "sqlite", "postgresql", "perplexica", "fastgpt", "gateway")


def pages() -> Iterable[Path]:
    """The pages that have something generated."""
    for page in sorted(
        [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    ):
        if SECTION.search(page.read_text(encoding="utf-8")):
            yield page


def written(text: str) -> str:
    """A page's text as it ought to be."""
    return SECTION.sub(lambda found: found["begin"] + MAKERS[found["name"]]() + found["end"], text)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = list(head)
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join("| " + " | ".join(_cell(cell) for cell in line) + " |\n" for line in lines)


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\|", text)


def summary(documented: object) -> str:
    """A docstring without its sections, as Markdown."""
    told = inspect.getdoc(documented) or ""
    return _markdown(re.sub(r"\n\nAttributes:\n(?:(?: {4}.*)?\n?)+(?=\S|$)", "\n\n", told).strip())


def attributes(documented: type) -> dict[str, str]:
    """What the docstrings of a class and its bases say of each attribute."""
    told: dict[str, str] = {}
    for each in reversed(documented.__mro__):
        section = re.search(
            r"\nAttributes:\n(?P<lines>(?:    .*\n?|\n(?=    ))+)",
            inspect.cleandoc(each.__doc__ or ""),
        )
        for line in re.split(r"\n(?= {4}\w)", section["lines"].rstrip()) if section else ():
            name, _, meaning = line.strip().partition(": ")
            told[name] = _markdown(" ".join(meaning.split()))
    return told


def _markdown(text: str) -> str:
    return text.replace("``", "`")


def _annotation(owner: type, name: str) -> str:
    for each in owner.__mro__:
        if text := inspect.get_annotations(each).get(name):
            return re.sub(r"^Annotated\[(.+), \w+\(.*\)\]$", r"\1", text)
    raise KeyError(name)


def _default(value: object, factory: object) -> str:
    if value in (PydanticUndefined, MISSING):
        return "needed" if factory in (None, MISSING) else "made anew"
    return f"`{value.name if isinstance(value, enum.Enum) else value!r}`"


def _fields(owner: type) -> Iterable[tuple[str, str]]:
    if issubclass(owner, BaseModel):
        for name, info in owner.model_fields.items():
            yield name, _default(info.default, info.default_factory)
    elif is_dataclass(owner):
        for each in fields(owner):
            yield each.name, _default(each.default, each.default_factory)


def fields_of(owner: type, *, beside: type[BaseModel] | None = None) -> str:
    """The fields of a class, without those that it shares with another."""
    told = attributes(owner)
    shared = beside.model_fields if beside is not None else ()
    rows = [
        [f"`{name}`", f"`{_annotation(owner, name)}`", default, told.get(name, "")]
        for name, default in _fields(owner)
        if name not in shared
    ]
    return table(["field", "type", "default", "meaning"], rows)


def section_of(owner: type) -> str:
    return f"### {owner.__name__}\n\n{summary(owner)}\n\n{fields_of(owner)}"


def schema() -> str:
    shown: tuple[type, ...] = (
        models.Conversation,
        models.Message,
        models.TextPart,
        models.ReasoningPart,
        models.ToolCallPart,
        models.ToolResultPart,
        models.FilePart,
        models.InteractionPart,
        models.InteractionOption,
        models.InteractionField,
        models.OtherPart,
        models.Source,
        models.Feedback,
        models.Problem,
        models.Origin,
        models.Page,
        models.Transcript,
        models.RunStep,
        models.Health,
    )
    return "\n".join(section_of(each) for each in shown)


_EVENTS: Final = get_args(get_args(models.ReplyEvent)[0])
_SENT: Final[dict[type, tuple[str, str]]] = {
    models.TextDelta: ("the text as it grows", "the text as it grows"),
    models.ReasoningDelta: ("1.12: the thoughts of its search steps", "what the model thinks"),
    models.ToolCallStarted: ("never", "a node calls a tool"),
    models.ToolCallArgumentsDelta: ("never", "with the call, or piece by piece"),
    models.ToolResultDelta: ("never", "the tool has answered"),
    models.PartAdded: (
        "widgets, 1.12's search steps, a thought after another, the empty text of no answer",
        "never",
    ),
    models.PartsReplaced: ("1.12: something before the end of the answer was changed", "never"),
    models.SourcesFound: (
        "what the answer cites; in 1.12 what was read on the way as well",
        "never: sources come with `ReplyFinished`",
    ),
    models.StatusChanged: ("1.12: `research` is `running`, `complete`", "a node begins"),
    models.InteractionRequested: ("never", "the flow stops at a question"),
    models.TitleChanged: ("never", "4.15 or later: the conversation was given its title"),
    models.VariablesUpdated: ("never", "a node set a variable"),
    models.RunDetailsReported: ("never", "v1: all nodes at the end; v2: each when it is done"),
    models.UsageReported: ("never", "never: the service reports every count as 1"),
    models.ReplyFinished: ("last", "last"),
    models.OtherEvent: ("a line of another type or shape", "how long it took, plans, skills, …"),
}
"""When Perplexica's adapter and FastGPT's send each event."""


def reply_events() -> str:
    rows = [[f"`{each.__name__}`", _fields_told(each), _meaning(each)] for each in _EVENTS]
    return table(["event", "fields", "meaning"], rows)


def _fields_told(event: type[BaseModel]) -> str:
    names = [name for name in event.model_fields if name != "kind"]
    return ", ".join(f"`{name}: {_annotation(event, name)}`" for name in names)


def _meaning(event: type[BaseModel]) -> str:
    told = attributes(event)
    details = [f"`{name}`: {told[name]}" for name in event.model_fields if name in told]
    return " ".join([" ".join(summary(event).split()), *details])


def events_sent() -> str:
    rows = [[f"`{each.__name__}`", *_SENT[each]] for each in _EVENTS]
    return table(["event", "Perplexica", "FastGPT"], rows)


def reply_values() -> str:
    shown = (models.Reply, models.PartialReply, models.Usage)
    return "\n".join(section_of(each) + _properties(each) for each in shown)


def _properties(*owners: type) -> str:
    """What classes have beside their fields, in the order of their code."""
    lines = [
        f"* `{name}` (`{inspect.get_annotations(each.fget)['return']}`): {_one_line(each)}\n"
        for owner in owners
        for name, each in vars(owner).items()
        if isinstance(each, property) and each.fget is not None
    ]
    return "\n" + "".join(lines) if lines else ""


def _one_line(documented: object) -> str:
    """A docstring as one line, what is raised included."""
    told, _, raised = summary(documented).partition("\n\nRaises:\n")
    raising = re.sub(r"^ *(\w+):", r"Raises `\1`:", raised)
    return " ".join(f"{told} {raising}".split())


def reply_stream() -> str:
    """What a reply stream has for its users."""
    properties = _properties(*reversed(ReplyStream.__mro__))
    return f"{summary(ReplyStream)}\n{properties}* `close()`: {_one_line(ReplyStream.close)}\n"


def words() -> str:
    kinds = {
        "Role": models.Role,
        "Status": models.Status,
        "SourceKind": models.SourceKind,
        "Order": models.Order,
    }
    rows = [
        [f"`{name}`", ", ".join(f"`{w}`" for w in get_args(kind))] for name, kind in kinds.items()
    ]
    return table(["type", "words"], rows)


def error_tree() -> str:
    tree = (errors.__doc__ or "").split("\n\n")[1]
    return f"```text\n{inspect.cleandoc(tree)}\n```\n"


def error_classes() -> str:
    known = [getattr(errors, name) for name in errors.__all__]
    classes: list[type[errors.StoreError]] = [each for each in known if isinstance(each, type)]
    made = []
    for each in sorted(classes, key=lambda each: inspect.getsourcelines(each)[1]):
        bases = ", ".join(f"`{base.__name__}`" for base in each.__bases__)
        own = [f"* `{name}`: {told}\n" for name, told in attributes(each).items()]
        inherited = attributes(errors.StoreError) if each is not errors.StoreError else {}
        new = [line for line in own if line.split("`")[1] not in inherited]
        made.append(
            f"### {each.__name__}\n\n{summary(each)}\n\n"
            f"Bases: {bases}. Retryable: {'yes' if each.retryable else 'no'}.\n"
            + ("\n" + "".join(new) if new else "")
        )
    return "\n".join(made)


def http_options() -> str:
    return fields_of(HTTPOptions)


def fastgpt_options() -> str:
    options = adapter_for("fastgpt").Options
    sources = get_args(options.model_fields["source"].annotation)
    words = ", ".join(f"`{each}`" for each in sources)
    return fields_of(options, beside=HTTPOptions) + f"\n`source` is one of {words}.\n"


def perplexica_options() -> str:
    return fields_of(adapter_for("perplexica").Options, beside=HTTPOptions)


def fastgpt_reply_options() -> str:
    options = adapter_for("fastgpt").ReplyOptions
    assert options is not None
    return fields_of(options)


def sqlite_options() -> str:
    return fields_of(adapter_for("sqlite").Options)


def postgresql_options() -> str:
    return fields_of(adapter_for("postgresql").Options, beside=adapter_for("sqlite").Options)


_FASTGPT_REFUSALS: Final = (
    (403, "unAuthorization", "no key, or none that can be read as one"),
    (514, "unAuthApiKey", "a key that does not exist"),
    (502001, "unAuthApp", "an app that the key's owner may not use"),
    (502000, "appUnExist", "an app that does not exist"),
    (504000, "unAuthChat", "somebody else's conversation; a share link in the other spelling"),
    (504001, "chatIsGenerating", "an answer is being made in the conversation"),
    (501, "linkUnInvalid", "a share link that does not exist"),
    (501, "notSupported", "a gateway whose store cannot do that"),
    (507004, "missingParams", "a page of no rows"),
    (400, "Data validation error", "a field of another shape; the message names the field"),
    (429, "", "too many requests of a team"),
    (500, "Chat item not found", "feedback for a question, or for a message that is not there"),
    (500, "Cast to ObjectId failed …", "an `app_id` that is none, before 4.14.5"),
    (500, "", "any other text: something broke over there"),
)
"""Body code, its text, and when a server says so."""


def fastgpt_errors() -> str:
    """What the adapter itself makes of each refusal."""
    adapter = open_adapter("fastgpt+http://chat.test", app_id="0" * 24, api_key="fastgpt-none")
    assert isinstance(adapter, HTTPAdapter)

    def row(said: str, when: str, response: Response) -> list[str]:
        error = adapter.failure(Request("POST", "/"), response)
        assert error is not None, f"{said} is no refusal"
        kind = next(each for each in type(error).__mro__ if each.__module__ == errors.__name__)
        return [said, when, f"`{kind.__name__}`", "yes" if error.retryable else "no"]

    rows = []
    for code, text, when in _FASTGPT_REFUSALS:
        body = {"code": code, "statusText": text, "message": text, "data": None}
        answer = Response(500, {"content-type": "application/json"}, json.dumps(body).encode())
        rows.append(row(f"{code} {text}".rstrip(), when, answer))
    plain = Response(400, {"content-type": "text/plain"}, b"Invalid JSON")
    page = Response(404, {"content-type": "text/html"}, b"<!DOCTYPE html>")
    rows.append(row("HTTP 400, `Invalid JSON`", "a body that is no JSON", plain))
    rows.append(row("HTTP 404, a page", "no path that is known: another program", page))
    return table(["body", "when", "error", "retryable"], rows)


def native_api() -> str:
    rows = [
        [
            f"`{each.method} {each.template}`",
            f"`{each.operation}`" if each.operation else "",
            each.summary,
        ]
        for each in ENDPOINTS
    ]
    return table(["request", "operation", "what it does"], rows)


def problem_kinds() -> str:
    rows = [[f"`{each.name}`", str(each.status), f"`{each.error.__name__}`"] for each in KINDS]
    return table(["kind", "status", "read back as"], rows)


def gateway_limits() -> str:
    told = attributes(Limits)
    rows = [[f"`{each.name}`", f"{each.default:,}", told[each.name]] for each in fields(Limits)]
    return table(["limit", "default", "meaning"], rows)


def gateway_options() -> str:
    return fields_of(adapter_for("gateway").Options, beside=HTTPOptions)


def dsn_grammar() -> str:
    form: str = re.findall(r"``(.+?)``", dsn.__doc__ or "")[0]
    return f"```text\n{form}\n```\n"


def support() -> str:
    schemes = ("memory", "echo", *SCHEMES[1:])
    adapters: dict[str, type[Adapter]] = {each: adapter_for(each) for each in schemes}
    rows = [
        [
            f"`{operation}`",
            f"{OPERATIONS[operation].access}s",
            *("yes" if operation in each.offers else "–" for each in adapters.values()),
        ]
        for operation in Operation
    ]
    rows.append(["`with_namespace`", "", *map(_has_namespaces, adapters.values())])
    return table(["operation", "", *(f"`{scheme}://`" for scheme in adapters)], rows)


def _has_namespaces(adapter: type[Adapter]) -> str:
    return "–" if adapter.enter_namespace is Adapter.enter_namespace else "yes"


def operation_errors() -> str:
    """List the errors of each operation beside those that every operation may raise."""
    rows = [
        [
            f"`{operation}`",
            ", ".join(f"`{each}`" for each in (*info.arguments, *info.options)),
            ", ".join(f"`{error.__name__}`" for error in info.errors),
        ]
        for operation, info in OPERATIONS.items()
    ]
    return table(["operation", "arguments", "raises"], rows)


_GROUPS: Final = {
    "list and read": (
        Operation.LIST_CONVERSATIONS,
        Operation.GET_CONVERSATION,
        Operation.LIST_MESSAGES,
    ),
    "delete, clear": (Operation.DELETE_CONVERSATION, Operation.CLEAR_CONVERSATIONS),
    "delete a message": (Operation.DELETE_MESSAGE,),
    "write, edit, fork": (
        Operation.CREATE_CONVERSATION,
        Operation.PUT_CONVERSATION,
        Operation.FORK_CONVERSATION,
        Operation.APPEND_MESSAGES,
        Operation.REPLACE_MESSAGES,
        Operation.UPDATE_MESSAGE,
        Operation.POP_MESSAGE,
    ),
    "rename, pin": (Operation.UPDATE_CONVERSATION,),
    "feedback": (Operation.SET_FEEDBACK,),
    "search": (Operation.SEARCH,),
    "chat": (Operation.REPLY, Operation.STREAM_REPLY, Operation.GET_REPLY),
}


def support_short() -> str:
    rows = []
    for scheme in SCHEMES:
        offers = adapter_for(scheme).offers
        marks = ["yes" if offers.issuperset(group) else "–" for group in _GROUPS.values()]
        rows.append([f"`{scheme}://`", *marks, _has_namespaces(adapter_for(scheme))])
    return table(["", *_GROUPS, "namespaces"], rows)


def _trait_value(value: object) -> str:
    if isinstance(value, frozenset):
        return ", ".join(f"`{item}`" for item in sorted(value)) or "–"
    return f"`{value}`"


def traits() -> str:
    told = attributes(Traits)
    adapters = {each: adapter_for(each) for each in SCHEMES}
    rows = [
        [
            f"`{each.name}`",
            *(_trait_value(getattr(one.traits, each.name)) for one in adapters.values()),
            told[each.name],
        ]
        for each in fields(Traits)
    ]
    return table(["trait", *(f"`{scheme}://`" for scheme in adapters), "meaning"], rows)


_FAMILIES: Final = {
    "Reading": "convostore.testing.clauses.reading",
    "Lists from an id": "convostore.testing.clauses.paging_from",
    "Writing": "convostore.testing.clauses.writing",
    "Wrong values": "convostore.testing.clauses.validation",
    "Editing": "convostore.testing.clauses.editing",
    "Owners and metadata": "convostore.testing.clauses.owners_metadata",
    "Revisions and times": "convostore.testing.clauses.revisions_times",
    "Namespaces": "convostore.testing.clauses.namespaces",
    "Keeping copies": "convostore.testing.clauses.put_fork_age",
    "Searching": "convostore.testing.clauses.search",
    "Replies": "convostore.testing.clauses.replies",
    "Streams of replies": "convostore.testing.clauses.streaming",
    "Answers to interactions": "convostore.testing.clauses.interactions",
    "Failure, of backends over HTTP": "convostore.testing.clauses.failures",
}


def kit_clauses() -> str:
    by_module: dict[str, list[Callable[..., object]]] = {}
    for clause in list_clauses().values():
        by_module.setdefault(clause.__module__, []).append(clause)
    made = []
    for family, module in _FAMILIES.items():
        found = sorted(by_module.pop(module), key=lambda each: inspect.getsourcelines(each)[1])
        rules = "".join(map(_rule, found))
        made.append(f"### {family}\n\n{rules}")
    assert not by_module, f"clauses of no family: {sorted(by_module)}"
    return "\n".join(made)


def fault_clauses() -> str:
    found = [each for name, each in vars(FaultContract).items() if name.startswith("test_")]
    in_order = sorted(found, key=lambda each: inspect.getsourcelines(each)[1])
    return "".join(map(_rule, in_order))


def _rule(clause: Callable[..., object]) -> str:
    return f"* `{clause.__name__}`: {_one_line(clause)}\n"


def faults() -> str:
    rows = [
        [
            ", ".join(f"`{fault.name}`" for fault in group),
            f"`{error.__name__}`",
            "yes" if retryable else "no",
        ]
        for group, (error, retryable) in FAULT_ERRORS.items()
    ]
    return table(["faults", "end in", "retryable"], rows)


def cli_help() -> str:
    names = [command.__name__ for command in EXAMPLES]
    sections = [f"### {name}\n\n```text\n{_help(*name.split())}\n```\n" for name in names]
    return "\n".join([f"```text\n{_help()}\n```\n", *sections])


def _help(*command: str) -> str:
    shown = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "100"}).stdout
    return "\n".join(line.rstrip() for line in shown.strip().splitlines())


def layers() -> str:
    """List the layers of the core, as the contract of import-linter has them, with each charter."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = pyproject["tool"]["importlinter"]["contracts"]
    rows = [
        [str(number), f"`{name}`", _charter(f"convostore.{name}")]
        for number, layer in enumerate(contracts[0]["layers"], start=1)
        for name in layer.split(" | ")
    ]
    return table(["layer", "room", "what it is for"], rows)


def modules() -> str:
    """List every module of the core and of the plugins with the first sentence of its docstring."""
    sections = []
    for source in [ROOT / "src" / "convostore", *sorted(ROOT.glob("plugins/*/src/convostore_*"))]:
        for folder in sorted({file.parent for file in source.rglob("*.py")}):
            package = ".".join(folder.relative_to(source.parent).parts)
            rows = [
                [f"`{file.stem}`", _first_sentence(ast.get_docstring(ast.parse(file.read_text())))]
                for file in sorted(folder.glob("*.py"))
            ]
            sections.append(f"## `{package}`\n\n{table(['module', 'what it is for'], rows)}")
    return "\n".join(sections)


def _charter(module: str) -> str:
    return _first_sentence(import_module(module).__doc__)


def _first_sentence(docstring: str | None) -> str:
    return inspect.cleandoc(docstring or "").partition("\n\n")[0].replace("\n", " ")


def public_modules() -> dict[str, ModuleType]:
    """Import the modules of the core that are public: no part of their names begins with ``_``."""
    names = sorted(
        ".".join(file.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        for file in (ROOT / "src" / "convostore").rglob("*.py")
    )
    return {name: import_module(name) for name in names if "._" not in name}


def public_names() -> str:
    """List what each public module exports, with the first line of its documentation."""
    sections = []
    for name, module in public_modules().items():
        exported = getattr(module, "__all__", ())
        if not exported:
            continue
        rows = [
            [f"`{each}`", _summary(getattr(module, each)) or _assigned(name, each)]
            for each in sorted(exported)
        ]
        charter = _first_sentence(module.__doc__)
        sections.append(f"### `{name}`\n\n{charter}\n\n{table(['name', 'what it is'], rows)}")
    return "\n".join(sections)


def _summary(value: object) -> str:
    """Return the first sentence of a class's or function's docstring; of another value, nothing."""
    if not (inspect.isclass(value) or inspect.isfunction(value)) or value is Any:
        return ""
    text = inspect.getdoc(value) or ""
    if text.startswith(f"{value.__name__}("):  # what dataclasses write themselves
        return ""
    return text.partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")


def _assigned(module: str, name: str) -> str:
    """Return the first sentence below the definition of a constant, an alias or a fixture.

    A package exports what its own modules define, and `convostore` what any package does.
    """
    told = _below_definitions()
    places = sorted(place for place, defined in told if defined == name)
    if not places:
        raise LookupError(f"{module}.{name} has no docstring")
    return next(
        (
            _first_sentence(told[place, name])
            for place in places
            if f"{place}.".startswith(f"{module}.")
        ),
        "",
    )


@cache
def _below_definitions() -> dict[tuple[str, str], str]:
    """The docstrings of constants and aliases, which no value keeps, by module and name."""
    told = {}
    for file in (ROOT / "src" / "convostore").rglob("*.py"):
        module = ".".join(file.relative_to(ROOT / "src").with_suffix("").parts)
        body = ast.parse(file.read_text(encoding="utf-8")).body
        for node, after in pairwise(body):
            if isinstance(node, ast.If):  # one name for type checkers, another at run time
                node = node.body[-1]
            match node, after:
                case (
                    ast.Assign(targets=[ast.Name(id=name)])
                    | ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    told[module.removesuffix(".__init__"), name] = text
        for node in body:
            if isinstance(node, ast.FunctionDef) and node.decorator_list:
                told[module, node.name] = ast.get_docstring(node) or ""
    return told


def exit_codes() -> str:
    told = attributes(ExitCode)
    rows = [[f"`{each.value}`", told[each.name]] for each in ExitCode]
    return table(["status", "meaning"], rows)


MAKERS: Final[dict[str, Callable[[], str]]] = {
    "schema": schema,
    "words": words,
    "reply-events": reply_events,
    "events-sent": events_sent,
    "reply-values": reply_values,
    "reply-stream": reply_stream,
    "error-tree": error_tree,
    "error-classes": error_classes,
    "http-options": http_options,
    "fastgpt-options": fastgpt_options,
    "fastgpt-reply-options": fastgpt_reply_options,
    "perplexica-options": perplexica_options,
    "sqlite-options": sqlite_options,
    "postgresql-options": postgresql_options,
    "fastgpt-errors": fastgpt_errors,
    "dsn-grammar": dsn_grammar,
    "native-api": native_api,
    "problem-kinds": problem_kinds,
    "gateway-limits": gateway_limits,
    "gateway-options": gateway_options,
    "support": support,
    "support-short": support_short,
    "traits": traits,
    "clauses": kit_clauses,
    "cli-help": cli_help,
    "exit-codes": exit_codes,
    "public-names": public_names,
    "layers": layers,
    "modules": modules,
    "operation-errors": operation_errors,
    "fault-clauses": fault_clauses,
    "faults": faults,
}


def main() -> None:
    for page in pages():
        text = page.read_text(encoding="utf-8")
        page.write_text(written(text), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
