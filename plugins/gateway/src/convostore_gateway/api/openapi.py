"""The OpenAPI 3.1 document of the native API, generated from the table of its endpoints."""

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
    summary="Return this document; no token is required.",
    handle=None,
    answers={"type": "object"},
    conditional=True,
)
_ABOUT: Final = (
    "Conversations of any store. A field that holds its default may be absent from answers. An id "
    "is one percent-encoded segment of a path, slashes included. HEAD is answered as GET. The name "
    "of an event of a streamed reply is its `kind`, its data a `ReplyEvent`; the last event is "
    "`reply_finished`, or `error` with a problem as its data."
)
_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "description": "Entity tags of known answers; 304 if one of them is still valid.",
    "schema": {"type": "string"},
}
_BACKEND_STATUSES: Final = (429, 500, 501, 502, 503)
_BODY_STATUSES: Final = (408, 413, 415)


def document(
    endpoints: Sequence[Endpoint], limits: Limits, options: Collection[str], *, needs_token: bool
) -> Row:
    """Return the document.

    Args:
        endpoints: The endpoints of the API.
        limits: The limits of the server.
        options: The names of the options of a turn.
        needs_token: Whether requests need a token.
    """
    kinds = {str(kind): kind for kind in _kinds(endpoints)}.values()
    schemas = Schemas(kinds, limits, options)
    paths: Row = {}
    for endpoint in endpoints:
        item = paths.setdefault(endpoint.template, {})
        item[endpoint.method.lower()] = _operation(endpoint, schemas)
        if ids := list(_ids(endpoint.template, limits)):
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
    for endpoint in endpoints:
        if endpoint.body is not None:
            yield endpoint.body
        if (kind := _item(endpoint.answers)) is not None and not isinstance(kind, dict):
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
        "parameters": [_parameter(parameter) for parameter in endpoint.parameters],
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
    responses = {str(status): _answer(status, endpoint, schemas)}
    if endpoint.conditional:
        responses["304"] = {"description": HTTPStatus(304).phrase}
    problem = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{PROBLEM}"}}}
    responses["431"] = {"description": HTTPStatus(431).phrase}  # the server answers: no problem
    for error_status in _error_statuses(endpoint):
        description = HTTPStatus(error_status).phrase
        responses[str(error_status)] = {"description": description, "content": problem}
    return responses


def _answer(status: int, endpoint: Endpoint, schemas: Schemas) -> Row:
    row: Row = {"description": HTTPStatus(status).phrase}
    if endpoint.answers is not None:
        schema = _schema(endpoint.answers, schemas)
        row["content"] = {
            media_type: {"schema": {"type": "string"} if media_type == EVENTS else schema}
            for media_type in endpoint.media_types
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


def _error_statuses(endpoint: Endpoint) -> Iterator[int]:
    yield 400
    if endpoint.handle is None:
        return
    yield from (401, 403, 404)
    if endpoint.may_conflict:
        yield 409
    if endpoint.body is not None:
        yield from _BODY_STATUSES
    yield from _BACKEND_STATUSES
