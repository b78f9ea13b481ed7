"""Endpoints of each generation of the service, and detection of the generation that a server has.

The paths moved in 4.14.5 (the old ones stayed as aliases, except for the deletion of a record,
which moved in 4.14.11); the spelling of a share link changed in 4.15. No request asks for a
version: a page of HTML means an absent path, a refusal an unknown spelling. The path that answered
is remembered. No result is parsed here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from convostore.errors import AuthError, ConfigError, ProtocolError
from convostore.flow import Flow
from convostore.http import HTTPFlow, Method, Request, Response
from convostore.models import JSON

from ..options import FastGPTOptions
from .envelope import AbsentPathError, InvalidLinkError

R = TypeVar("R")

UNSTORED: Final = "NO_RECORD_HISTORIES"
"""The `chatId` under which the service stores nothing."""
_CHAT: Final = "/api/core/chat/"
_AGENT: Final = "/api/core/ai/agent/"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint under its paths in all generations.

    Attributes:
        calls: Method and path in each generation, the newest first.
        carries: Where the parameters are sent; ``both`` where generations look in different places.
        reads: Whether it changes nothing, so that a request may be repeated.
        patient: Whether a model answers it.
        root: Prefix of its paths.
    """

    calls: tuple[tuple[Method, str], ...]
    carries: Literal["body", "query", "both"] = "body"
    reads: bool = False
    patient: bool = False
    root: str = _CHAT

    def request(self, fields: Mapping[str, JSON], generation: int = 0) -> Request:
        """Build the request for one generation's path."""
        method, path = self.calls[generation]
        return Request(
            method,
            self.root + path,
            query=() if self.carries == "body" else _query(fields),
            json=None if self.carries == "query" else dict(fields),
            idempotent=self.reads,
            patient=self.patient,
        )


def _query(fields: Mapping[str, JSON]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, value if isinstance(value, str) else json.dumps(value))
        for name, value in fields.items()
    )


HISTORIES: Final = Endpoint(
    (("POST", "history/getHistories"), ("POST", "getHistories")), reads=True
)
STATUS: Final = Endpoint((("POST", "history/getHistoryStatus"),), reads=True)
RECORDS: Final = Endpoint(
    (("POST", "record/getPaginationRecords"), ("POST", "getPaginationRecords")), reads=True
)
RUN_DETAILS: Final = Endpoint(
    (("GET", "record/getResData"), ("GET", "getResData")), "query", reads=True
)
UPDATE: Final = Endpoint((("PUT", "history/updateHistory"), ("POST", "updateHistory")))
DELETE: Final = Endpoint((("DELETE", "history/delHistory"), ("DELETE", "delHistory")), "query")
CLEAR: Final = Endpoint(
    (("DELETE", "history/clearHistories"), ("DELETE", "clearHistories")), "query"
)
DELETE_RECORD: Final = Endpoint((("DELETE", "record/delete"), ("DELETE", "item/delete")), "both")
FEEDBACK: Final = Endpoint((("POST", "feedback/updateUserFeedback"),))
INIT: Final = Endpoint((("GET", "init"),), "query")
"""Describes a conversation and its app, and marks the conversation as read."""
COMPLETIONS: Final = Endpoint((("POST", "completions"),), patient=True, root="/api/v1/chat/")
COMPLETIONS_V2: Final = Endpoint((("POST", "completions"),), patient=True, root="/api/v2/chat/")
SUGGESTIONS: Final = Endpoint((("POST", "v2/createQuestionGuide"),), patient=True, root=_AGENT)
SUGGESTIONS_V1: Final = Endpoint((("POST", "createQuestionGuide"),), patient=True, root=_AGENT)
"""Expects the messages themselves; the later endpoint expects the conversation's id."""

_MOVED_TOGETHER: Final = frozenset({HISTORIES, RECORDS, RUN_DETAILS, UPDATE, DELETE, CLEAR})
"""Endpoints of which one answers at its old path only if all do."""


class Generations:
    """The paths that a server was found to have, by endpoint; shared by threads."""

    def __init__(self) -> None:
        self._found: dict[Endpoint, int] = {}
        self._absent: set[Endpoint] = set()

    def ask(self, endpoint: Endpoint, fields: Mapping[str, JSON]) -> Flow[Request, R, R]:
        """Send the request to one path after the other until one is there; return its response.

        Raises:
            AbsentPathError: The server has none of the paths.
        """
        absent: AbsentPathError | None = None
        for number in self._order(endpoint):
            try:
                reply = yield endpoint.request(fields, number)
            except AbsentPathError as error:
                absent = absent or error
                continue
            self._found[endpoint] = number
            return reply
        self._absent.add(endpoint)
        assert absent is not None  # noqa: S101  # there is a path, and it was absent
        raise absent

    def has_new_paths(self) -> bool:
        """Return whether the last list came from a path of 4.14.5 or later."""
        return self._found.get(HISTORIES) == 0

    def lacks(self, endpoint: Endpoint) -> bool:
        """Return whether the server is known to lack the endpoint."""
        # A server that answered at an old path is older than the status endpoint.
        return endpoint in self._absent or (endpoint is STATUS and 1 in self._found.values())

    def _order(self, endpoint: Endpoint) -> list[int]:
        """Return the indexes of the endpoint's calls, the likeliest first."""
        first = self._found.get(endpoint)
        if first is None and endpoint in _MOVED_TOGETHER:
            known = _MOVED_TOGETHER & self._found.keys()
            first = next((self._found[moved] for moved in known), None)
        return sorted(range(len(endpoint.calls)), key=lambda number: (number != first, number))


class Service:
    """The endpoints for one app or share link; lives as long as its store, shared by threads."""

    def __init__(self, options: FastGPTOptions) -> None:
        self._options = options
        self._generations = Generations()
        self._link: Mapping[str, JSON] | None = None

    def ask(self, endpoint: Endpoint, fields: Mapping[str, JSON]) -> HTTPFlow[JSON]:
        """Send a request and return the data of its result.

        Raises:
            ProtocolError: The server has none of the endpoint's paths.
        """
        scope = yield from self.scope()
        return (yield from self._ask(endpoint, {**scope, **fields}))

    def scope(self) -> HTTPFlow[Mapping[str, JSON]]:
        """Return the fields that name the app, or the share link, in every request."""
        if self._options.share_id is None:
            return {"appId": self._options.app_id}
        self._link = self._link or (yield from self._spelled_link())
        return self._link

    def has_new_paths(self) -> bool:
        """Return whether the last list came from a path of 4.14.5 or later."""
        return self._generations.has_new_paths()

    def lacks(self, endpoint: Endpoint) -> bool:
        """Return whether the server is known to lack the endpoint."""
        return self._generations.lacks(endpoint)

    def _spelled_link(self) -> HTTPFlow[Mapping[str, JSON]]:
        """Return the share link in the server's spelling.

        Servers from 4.15 on refuse the old spelling. Older ones answer any other spelling with an
        empty list, so only a try with the old one distinguishes them.
        """
        options = self._options
        assert options.share_id is not None  # noqa: S101  # else there is no link to spell
        assert options.outlink_uid is not None  # noqa: S101
        link = {
            "shareId": options.share_id.get_secret_value(),
            "outLinkUid": options.outlink_uid.get_secret_value(),
        }
        old = {**link, "appId": options.app_id} if options.app_id else link
        try:
            yield from self._ask(HISTORIES, {**old, "offset": 0, "pageSize": 1})
        except InvalidLinkError:
            raise
        except AuthError:
            return {"outLinkAuthData": link}
        if not options.app_id:
            raise ConfigError("fastgpt: this server is older than 4.15: pass app_id, too")
        return old

    def _ask(self, endpoint: Endpoint, fields: Mapping[str, JSON]) -> HTTPFlow[JSON]:
        try:
            response: Response = yield from self._generations.ask(endpoint, fields)
        except AbsentPathError as error:
            raise ProtocolError(str(error), excerpt=error.excerpt) from None
        return response.json()["data"]  # there, or `envelope.failure` had raised


def root_of(base_url: str) -> str:
    """Return the server's address without the ``/api`` or ``/api/v1`` that other clients want."""
    return base_url.rstrip("/").removesuffix("/v1").removesuffix("/api")
