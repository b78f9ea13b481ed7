"""Writes what the documents repeat from the code, between their markers.

    python docs/reference/generate.py

A page holds ``<!-- generated: NAME -->`` and ``<!-- end -->``; what stands between is made here.
The tests check that every page is as this would write it.
"""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from convostore import adapter, dsn, errors, models
from convostore.adapter import Adapter, Operation, Traits
from convostore.http import HTTPOptions
from convostore.plugins import adapter_for
from convostore.testing import clauses

ROOT: Final = Path(__file__).parent.parent.parent
SECTION: Final = re.compile(
    r"(?P<begin><!-- generated: (?P<name>[\w-]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL
)
SCHEMES: Final = ("memory", "perplexica")


def pages() -> Iterable[Path]:
    """The pages that have something generated."""
    for page in sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]):
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


def fields_of(owner: type) -> str:
    told = attributes(owner)
    rows = [
        [f"`{name}`", f"`{_annotation(owner, name)}`", default, told.get(name, "")]
        for name, default in _fields(owner)
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


def dsn_grammar() -> str:
    form: str = re.findall(r"``(.+?)``", dsn.__doc__ or "")[0]
    return f"```text\n{form}\n```\n"


def support() -> str:
    adapters: dict[str, type[Adapter[Any, Any]]] = {each: adapter_for(each) for each in SCHEMES}
    rows = [
        [
            f"`{operation}`",
            *("yes" if operation in each.offers else "–" for each in adapters.values()),
        ]
        for operation in Operation
    ]
    return table(["operation", *(f"`{scheme}://`" for scheme in adapters)], rows)


_GROUPS: Final = {
    "list and read": (
        Operation.LIST_CONVERSATIONS,
        Operation.GET_CONVERSATION,
        Operation.LIST_MESSAGES,
    ),
    "delete, clear": (Operation.DELETE_CONVERSATION, Operation.CLEAR_CONVERSATIONS),
    "delete a message": (Operation.DELETE_MESSAGE,),
    "create, append, replace": (
        Operation.CREATE_CONVERSATION,
        Operation.APPEND_MESSAGES,
        Operation.REPLACE_MESSAGES,
    ),
    "rename, pin": (Operation.UPDATE_CONVERSATION,),
    "feedback": (Operation.SET_FEEDBACK,),
}


def support_short() -> str:
    rows = []
    for scheme in SCHEMES:
        offers = adapter_for(scheme).offers
        marks = ["yes" if offers.issuperset(group) else "–" for group in _GROUPS.values()]
        rows.append([f"`{scheme}://`", *marks])
    return table(["", *_GROUPS], rows)


def traits() -> str:
    told = attributes(Traits)
    adapters = {each: adapter_for(each) for each in SCHEMES}
    rows = [
        [
            f"`{each.name}`",
            *(f"`{getattr(one.traits, each.name)}`" for one in adapters.values()),
            told[each.name],
        ]
        for each in fields(adapter.Traits)
    ]
    return table(["trait", *(f"`{scheme}://`" for scheme in adapters), "meaning"], rows)


_FAMILIES: Final = {
    "Reading": "convostore.testing.read_clauses",
    "Writing": "convostore.testing.write_clauses",
    "Failure, of backends over HTTP": "convostore.testing.fault_clauses",
}


def kit_clauses() -> str:
    by_module: dict[str, list[Callable[..., object]]] = {}
    for clause in clauses().values():
        by_module.setdefault(clause.__module__, []).append(clause)
    made = []
    for family, module in _FAMILIES.items():
        found = sorted(by_module.pop(module), key=lambda each: inspect.getsourcelines(each)[1])
        names = "".join(f"* `{each.__name__}`\n" for each in found)
        made.append(f"### {family}\n\n{names}")
    assert not by_module, f"clauses of no family: {sorted(by_module)}"
    return "\n".join(made)


MAKERS: Final[dict[str, Callable[[], str]]] = {
    "schema": schema,
    "words": words,
    "error-tree": error_tree,
    "error-classes": error_classes,
    "http-options": http_options,
    "dsn-grammar": dsn_grammar,
    "support": support,
    "support-short": support_short,
    "traits": traits,
    "clauses": kit_clauses,
}


def main() -> None:
    for page in pages():
        text = page.read_text(encoding="utf-8")
        page.write_text(written(text), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
