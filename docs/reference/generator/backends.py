"""The backends: their options, what each offers, and the gateway's API."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Final, get_args

from convostore import dsn
from convostore.adapters import OPERATIONS, Adapter, Operation, Traits
from convostore.http import HTTPOptions
from convostore.plugins import adapter_for
from convostore_gateway.api.router import ENDPOINTS
from convostore_gateway.limits import Limits

from .markdown import attributes, table
from .values import fields_of

SCHEMES: Final = ("memory", "sqlite", "postgresql", "perplexica", "fastgpt", "gateway")


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
    return table(["operation", "access", *(f"`{scheme}://`" for scheme in adapters)], rows)


def _has_namespaces(adapter: type[Adapter]) -> str:
    return "–" if adapter.enter_namespace is Adapter.enter_namespace else "yes"


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
    return table(["backend", *_GROUPS, "namespaces"], rows)


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
