"""The OpenAPI 3.1 document of the native API, made of the table of its endpoints."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Final

from convostore.models import PartialReply, ReplyEvent
from convostore.parsing import Row

from ..limits import Limits
from ..problems import MEDIA_TYPE
from .bodies import may_be_absent
from .endpoint import EVENTS, AnswerKind, Endpoint, PageOf, Several
from .json_schemas import PROBLEM, Schemas
from .parameters import AnyParameter

DOCUMENT: Final = Endpoint(
    method="GET",
    template="/v1/openapi.json",
    operation=None,
    name="get_document",
    summary="Returns this document; no token is needed.",
    handle=None,
    answers={"type": "object"},
    conditional=True,
)
_ABOUT: Final = (
    "Conversations of any store. A field that holds its default may be absent from answers. Ids "
    "stand in paths percent-encoded, one segment each, slashes included. HEAD is answered as GET. "
    "Of a streamed reply each event's name is its `kind`, its data a `ReplyEvent`; the last one is "
    "`reply_finished`, or `error` with a problem as its data."
)
_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "description": "Entity tags of answers that are known; 304 where one of them still holds.",
    "schema": {"type": "string"},
}
_OF_BACKEND: Final = (429, 500, 501, 502, 503)
_OF_BODY: Final = (408, 413, 415)


def document(
    endpoints: Sequence[Endpoint], limits: Limits, options: Collection[str], *, needs_token: bool
) -> Row:
    """Makes the document.

    Args:
        endpoints: What there is.
        limits: The server's.
        options: The names of those that a turn takes.
        needs_token: Whether requests need one.
    """
    kinds = {str(kind): kind for kind in _kinds(endpoints)}.values()
    schemas = Schemas(kinds, limits, options)
    paths: Row = {}
    for each in endpoints:
        item = paths.setdefault(each.template, {})
        item[each.method.lower()] = _operation(each, schemas)
        if ids := list(_ids(each.template, limits)):
            item["parameters"] = ids
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "convostore gateway",
            "version": version("convostore-gateway"),
            "description": _ABOUT,
        },
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearer": []}] if needs_token else [],
    }


def _kinds(endpoints: Sequence[Endpoint]) -> Iterator[object]:
    yield from (ReplyEvent, PartialReply)
    for each in endpoints:
        if each.body is not None:
            yield each.body
        if (kind := _item(each.answers)) is not None and not isinstance(kind, dict):
            yield kind


def _item(answers: AnswerKind) -> type[object] | Row | None:
    return answers.kind if isinstance(answers, PageOf | Several) else answers


def _ids(template: str, limits: Limits) -> Iterator[Row]:
    for name in re.findall(r"\{(\w+)\}", template):
        schema = {"type": "string", "minLength": 1, "maxLength": limits.id}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _operation(endpoint: Endpoint, schemas: Schemas) -> Row:
    row: Row = {
        "operationId": endpoint.name or endpoint.operation,
        "summary": endpoint.summary,
        "parameters": [_parameter(each) for each in endpoint.parameters],
        "responses": _responses(endpoint, schemas),
    }
    if endpoint.conditional:
        row["parameters"].append(_IF_NONE_MATCH)
    if endpoint.body is not None:
        content = {"application/json": {"schema": schemas.of(endpoint.body)}}
        required = not may_be_absent(endpoint.body)
        row["requestBody"] = {"required": required, "content": content}
    if endpoint.handle is None:
        row["security"] = []
    return row


def _parameter(parameter: AnyParameter) -> Row:
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.about,
        "required": parameter.required,
        "schema": parameter.schema,
    }


def _responses(endpoint: Endpoint, schemas: Schemas) -> Row:
    status = 204 if endpoint.answers is None else endpoint.status
    told = {str(status): _answered(status, endpoint, schemas)}
    if endpoint.conditional:
        told["304"] = {"description": "What is known still holds."}
    problem = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{PROBLEM}"}}}
    told["431"] = {"description": HTTPStatus(431).phrase}  # told before anything is known of it
    for each in _refusals(endpoint):
        told[str(each)] = {"description": HTTPStatus(each).phrase, "content": problem}
    return told


def _answered(status: int, endpoint: Endpoint, schemas: Schemas) -> Row:
    row: Row = {"description": HTTPStatus(status).phrase}
    if endpoint.answers is not None:
        schema = _schema(endpoint.answers, schemas)
        row["content"] = {
            each: {"schema": {"type": "string"} if each == EVENTS else schema}
            for each in endpoint.media_types
        }
    if endpoint.conditional:
        row["headers"] = {"ETag": {"schema": {"type": "string"}}}
    return row


def _schema(answers: type[object] | PageOf | Several | Row, schemas: Schemas) -> Row:
    if isinstance(answers, dict):
        return answers
    if not isinstance(answers, PageOf | Several):
        return schemas.of(answers)
    properties: Row = {"items": {"type": "array", "items": schemas.of(answers.kind)}}
    if isinstance(answers, PageOf):
        properties["cursor"] = {"type": "string", "description": "Absent on the last page."}
        properties["total"] = {"type": "integer", "minimum": 0}
    return {"type": "object", "properties": properties, "required": ["items"]}


def _refusals(endpoint: Endpoint) -> Iterator[int]:
    yield 400
    if endpoint.handle is None:
        return
    yield from (401, 403, 404)
    if endpoint.may_conflict:
        yield 409
    if endpoint.body is not None:
        yield from _OF_BODY
    yield from _OF_BACKEND
