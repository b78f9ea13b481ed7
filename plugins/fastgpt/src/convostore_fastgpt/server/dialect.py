"""The dialect: FastGPT's history, record, feedback and completion endpoints, over any store.

Which path is which endpoint, who asks for which app, and how it is said that something failed. What
the endpoints answer stands in the modules that serve them.
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
    invalid_link,
    malformed,
    refusal,
    refused_answer,
    succeeded,
    told_in_stream,
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
from .parameters import Given, Place, checked_app_id, read_given
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

Serve: TypeAlias = Callable[[Given], DialectFlow[JSON]]


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """What answers at a path, and where it looks for its parameters."""

    place: Place
    serve: Callable[[Given], DialectFlow[DialectResponse]]
    streams: bool = False


def _enveloped(serve: Serve) -> Callable[[Given], DialectFlow[DialectResponse]]:
    def served(given: Given) -> DialectFlow[DialectResponse]:
        return succeeded((yield from serve(given)))

    return served


_OF_BOTH: Final[Mapping[str, _Endpoint]] = {
    "history/getHistories": _Endpoint("body", _enveloped(get_histories)),
    "history/updateHistory": _Endpoint("body", _enveloped(update_history)),
    "history/delHistory": _Endpoint("query", _enveloped(delete_history)),
    "history/clearHistories": _Endpoint("query", _enveloped(clear_histories)),
    "record/getPaginationRecords": _Endpoint("body", get_records),
    "record/getResData": _Endpoint("query", _enveloped(get_run)),
}
"""What is there in a folder since 4.14.5, and without one before."""
_OF_ONE: Final[Mapping[str, _Endpoint]] = {
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
    """Every path of either generation."""
    for path, endpoint in {**_OF_BOTH, **_OF_ONE}.items():
        yield _CHAT + path, endpoint
    for path, endpoint in _OF_BOTH.items():
        yield _CHAT + path.partition("/")[2], endpoint
    yield f"{_AGENT}v2/createQuestionGuide", _Endpoint("body", _enveloped(suggest))
    yield f"{_AGENT}createQuestionGuide", _Endpoint("body", _enveloped(suggest_by_messages))
    for version in ("v1", "v2"):
        serve = partial(complete, version=version)
        yield f"/api/{version}/chat/completions", _Endpoint("body", serve, streams=True)


_ENDPOINTS: Final[Mapping[str, _Endpoint]] = dict(_paths())


class FastGPTDialect(Dialect):
    """Speaks as 4.14.11 to 4.16 do; of the paths it has those of either generation.

    What is deleted is gone, as up to 4.14.4. Share links are none of a store's.
    """

    name: ClassVar[str] = "fastgpt"

    def serves(self, request: IncomingRequest) -> bool:
        return request.path.startswith(_ROOTS)

    def credentials(self, request: IncomingRequest) -> tuple[str, ...]:
        """The second word of the header, whatever the first is.

        Keys may begin with ``fastgpt-`` and end with an app's id, which are then no part of the
        token.
        """
        key = _key(request)
        if not key:
            return ()
        bare = _SUFFIX.sub("", key)
        shorter = [each.removeprefix(_PREFIX) for each in (key, bare)]
        return tuple(each for each in dict.fromkeys([key, bare, *shorter]) if each)

    def scope(self, request: IncomingRequest) -> str | None:
        """The app: of the body, else of the query, else the end of the key."""
        for given in (request.fields, request.parameters):
            if isinstance(app_id := given.get("appId"), str) and app_id:
                return app_id
        suffix = _SUFFIX.search(_key(request))
        return suffix[1] if suffix else None

    def handle(self, request: IncomingRequest) -> DialectFlow[DialectResponse]:
        endpoint = _ENDPOINTS.get(request.path)
        if endpoint is None:
            return absent_path()
        return (yield from endpoint.serve(read_given(request, endpoint.place)))

    def failed(self, request: IncomingRequest, error: StoreError) -> Response:
        if isinstance(error, MalformedError):
            return malformed()
        told = _refusal(request, error)
        endpoint = _ENDPOINTS.get(request.path)
        streams = endpoint is not None and endpoint.streams and request.fields.get("stream") is True
        if not streams or told.checked or told.status == 429:  # too many requests
            return refused_answer(told)
        return Response(200, {}, told_in_stream(told))


def _key(request: IncomingRequest) -> str:
    words = request.headers.get("authorization", "").split(" ")
    return words[1] if len(words) > 1 else ""


def _refusal(request: IncomingRequest, error: StoreError) -> RefusedError:
    """What the service would say; of a request that is spelled wrong it says that first."""
    given = {**request.parameters, **request.fields}
    try:
        if isinstance(error, AbsentScopeError) and given.get("appId") is not None:
            checked_app_id(given["appId"])
    except RefusedError as misspelled:
        return misspelled
    if isinstance(error, AuthError) and given.get("outLinkAuthData") is not None:
        return invalid_link()
    turn_id = given.get("responseChatItemId")
    return refusal(
        error,
        with_key=bool(_key(request)),
        turn_id=turn_id if isinstance(turn_id, str) and turn_id else None,
    )
