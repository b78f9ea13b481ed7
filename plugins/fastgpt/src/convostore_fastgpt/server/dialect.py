"""FastGPT's dialect: its history, record, feedback and completion endpoints over any store.

This module maps paths to endpoints, and finds the credential and the app of a request. The answer
of an endpoint belongs in the module that serves it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final, TypeAlias

from convostore.dialects import (
    AbsentScopeError,
    Dialect,
    DialectFlow,
    DialectResponse,
    IncomingRequest,
)
from convostore.errors import AuthError, StoreError
from convostore.http import Response
from convostore.models import JSON

from .completions import complete
from .errors import (
    MalformedError,
    RefusedError,
    absent_path,
    error_event,
    invalid_link,
    malformed,
    refusal,
    refused_answer,
    succeeded,
)
from .histories import (
    clear_histories,
    delete_histories,
    delete_history,
    get_histories,
    get_history_status,
    init,
    mark_read,
    update_history,
)
from .pages import get_records_around
from .parameters import Parameters, Place, checked_app_id, read_parameters
from .records import (
    delete_records,
    get_quotes,
    get_records,
    get_run,
    suggest,
    suggest_by_messages,
    update_feedback,
)

_CHAT: Final = "/api/core/chat/"
_AGENT: Final = "/api/core/ai/agent/"
_ROOTS: Final = ("/api/core/", "/api/v1/", "/api/v2/")
_SUFFIX: Final = re.compile(r"-([0-9a-fA-F]{24})\Z")
_PREFIX: Final = "fastgpt-"

Serve: TypeAlias = Callable[[Parameters], DialectFlow[JSON]]


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """The handler of a path, and the place where it looks for its parameters."""

    place: Place
    serve: Callable[[Parameters], DialectFlow[DialectResponse]]
    streams: bool = False


def _enveloped(serve: Serve) -> Callable[[Parameters], DialectFlow[DialectResponse]]:
    def serve_enveloped(params: Parameters) -> DialectFlow[DialectResponse]:
        return succeeded((yield from serve(params)))

    return serve_enveloped


_BOTH_GENERATIONS: Final[Mapping[str, _Endpoint]] = {
    "history/getHistories": _Endpoint("body", _enveloped(get_histories)),
    "history/updateHistory": _Endpoint("body", _enveloped(update_history)),
    "history/delHistory": _Endpoint("query", _enveloped(delete_history)),
    "history/clearHistories": _Endpoint("query", _enveloped(clear_histories)),
    "record/getPaginationRecords": _Endpoint("body", get_records),
    "record/getResData": _Endpoint("query", _enveloped(get_run)),
}
"""Endpoints in a folder since 4.14.5, and outside of it before."""
_ONE_GENERATION: Final[Mapping[str, _Endpoint]] = {
    "history/batchDelete": _Endpoint("body", _enveloped(delete_histories)),
    "history/getHistoryStatus": _Endpoint("body", _enveloped(get_history_status)),
    "history/markRead": _Endpoint("body", _enveloped(mark_read)),
    "record/delete": _Endpoint("both", _enveloped(delete_records)),
    "item/delete": _Endpoint("both", _enveloped(delete_records)),
    "record/getRecords_v2": _Endpoint("body", get_records_around),
    "record/getQuote": _Endpoint("body", _enveloped(get_quotes)),
    "feedback/updateUserFeedback": _Endpoint("body", _enveloped(update_feedback)),
    "init": _Endpoint("query", _enveloped(init)),
}


def _paths() -> Iterator[tuple[str, _Endpoint]]:
    """Yield every path of either generation."""
    for path, endpoint in {**_BOTH_GENERATIONS, **_ONE_GENERATION}.items():
        yield _CHAT + path, endpoint
    for path, endpoint in _BOTH_GENERATIONS.items():
        yield _CHAT + path.partition("/")[2], endpoint
    yield f"{_AGENT}v2/createQuestionGuide", _Endpoint("body", _enveloped(suggest))
    yield f"{_AGENT}createQuestionGuide", _Endpoint("body", _enveloped(suggest_by_messages))
    for version in ("v1", "v2"):
        serve = partial(complete, version=version)
        yield f"/api/{version}/chat/completions", _Endpoint("body", serve, streams=True)


_ENDPOINTS: Final[Mapping[str, _Endpoint]] = dict(_paths())


class FastGPTDialect(Dialect):
    """The behaviour of 4.14.11 to 4.16, at the paths of either generation.

    Deletes are permanent, as up to 4.14.4. No share link is valid: a store has none.
    """

    name: ClassVar[str] = "fastgpt"

    def serves(self, request: IncomingRequest) -> bool:
        return request.path.startswith(_ROOTS)

    def credentials(self, request: IncomingRequest) -> tuple[str, ...]:
        """Return the second word of the header, with and without the service's marks.

        Keys may begin with ``fastgpt-`` and end with an app's id; neither is part of the token.
        """
        key = _key(request)
        if not key:
            return ()
        bare = _SUFFIX.sub("", key)
        shorter = [text.removeprefix(_PREFIX) for text in (key, bare)]
        return tuple(text for text in dict.fromkeys([key, bare, *shorter]) if text)

    def scope(self, request: IncomingRequest) -> str | None:
        """Return the app of the body, else of the query, else of the key's end."""
        for fields in (request.fields, request.parameters):
            if isinstance(app_id := fields.get("appId"), str) and app_id:
                return app_id
        suffix = _SUFFIX.search(_key(request))
        return suffix[1] if suffix else None

    def handle(self, request: IncomingRequest) -> DialectFlow[DialectResponse]:
        endpoint = _ENDPOINTS.get(request.path)
        if endpoint is None:
            return absent_path()
        return (yield from endpoint.serve(read_parameters(request, endpoint.place)))

    def failed(self, request: IncomingRequest, error: StoreError) -> Response:
        if isinstance(error, MalformedError):
            return malformed()
        refused = _refusal(request, error)
        endpoint = _ENDPOINTS.get(request.path)
        streams = endpoint is not None and endpoint.streams and request.fields.get("stream") is True
        if not streams or refused.checked or refused.status == 429:  # too many requests
            return refused_answer(refused)
        return Response(200, {}, error_event(refused))


def _key(request: IncomingRequest) -> str:
    words = request.headers.get("authorization", "").split(" ")
    return words[1] if len(words) > 1 else ""


def _refusal(request: IncomingRequest, error: StoreError) -> RefusedError:
    """Return the service's error; an invalid app id comes before any other."""
    fields = {**request.parameters, **request.fields}
    try:
        if isinstance(error, AbsentScopeError) and fields.get("appId") is not None:
            checked_app_id(fields["appId"])
    except RefusedError as misspelled:
        return misspelled
    if isinstance(error, AuthError) and fields.get("outLinkAuthData") is not None:
        return invalid_link()
    turn_id = fields.get("responseChatItemId")
    return refusal(
        error,
        with_key=bool(_key(request)),
        turn_id=turn_id if isinstance(turn_id, str) and turn_id else None,
    )
