"""The errors: the classes, and what each service's refusals become."""

from __future__ import annotations

import inspect
import json
from typing import Final

from convostore import errors
from convostore.adapters import OPERATIONS
from convostore.config import open_adapter
from convostore.http import HTTPAdapter, Request, Response
from convostore_gateway.problems import KINDS

from .markdown import attributes, summary, table


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


_FASTGPT_REFUSALS: Final = (
    (403, "unAuthorization", "no key, or one that cannot be parsed"),
    (514, "unAuthApiKey", "a key that does not exist"),
    (502001, "unAuthApp", "an app that the key's owner may not use"),
    (502000, "appUnExist", "an app that does not exist"),
    (504000, "unAuthChat", "another user's conversation; a share link in the other spelling"),
    (504001, "chatIsGenerating", "an answer is being generated in the conversation"),
    (501, "linkUnInvalid", "a share link that does not exist"),
    (501, "notSupported", "a gateway whose store does not offer the operation"),
    (507004, "missingParams", "a page size of 0"),
    (400, "Data validation error", "a field of another shape; the message names the field"),
    (429, "", "too many requests from a team"),
    (500, "Chat item not found", "feedback on a question, or on a message that does not exist"),
    (500, "Cast to ObjectId failed …", "an `app_id` that is not an id, before 4.14.5"),
    (500, "", "any other text: the server failed"),
)
"""Body code, its text, and when a server says so."""


def fastgpt_errors() -> str:
    """What the adapter itself makes of each refusal."""
    adapter = open_adapter("fastgpt+http://chat.test", app_id="0" * 24, api_key="fastgpt-none")
    assert isinstance(adapter, HTTPAdapter)

    def row(said: str, when: str, response: Response) -> list[str]:
        error = adapter.failure(Request("POST", "/"), response)
        assert error is not None, f"{said} is not a refusal"
        kind = next(each for each in type(error).__mro__ if each.__module__ == errors.__name__)
        return [said, when, f"`{kind.__name__}`", "yes" if error.retryable else "no"]

    rows = []
    for code, text, when in _FASTGPT_REFUSALS:
        body = {"code": code, "statusText": text, "message": text, "data": None}
        answer = Response(500, {"content-type": "application/json"}, json.dumps(body).encode())
        rows.append(row(f"{code} {text}".rstrip(), when, answer))
    plain = Response(400, {"content-type": "text/plain"}, b"Invalid JSON")
    page = Response(404, {"content-type": "text/html"}, b"<!DOCTYPE html>")
    rows.append(row("HTTP 400, `Invalid JSON`", "a body that is not JSON", plain))
    rows.append(row("HTTP 404, a page", "no known path: a different program", page))
    return table(["body", "when", "error", "retryable"], rows)


def problem_kinds() -> str:
    rows = [[f"`{each.name}`", str(each.status), f"`{each.error.__name__}`"] for each in KINDS]
    return table(["kind", "status", "read back as"], rows)


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
