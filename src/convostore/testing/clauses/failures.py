"""Clauses of failure: every offered operation meets every way in which a service can fail.

They are for backends over HTTP with a stand-in of their service; faults take its place, so no
socket and no clock is needed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from ...adapters import Operation
from ...errors import (
    AuthError,
    NotFoundError,
    ProtocolError,
    RateLimitError,
    StoreError,
    UnavailableError,
)
from ...http import Request, Response
from .._assertions import conversation_ids, full_error_text, raises
from .._backend import Kit
from ..transports import Service
from ..wire_faults._fixture import SECRET, STREAMED, WRITES, prepare

__all__ = [
    "FailureClauses",
    "dropped_connection",
    "html_service",
    "json_service",
    "timed_out",
    "truncated_json",
]

__tracebackhide__ = True  # pytest shows the author's frames, not the kit's

_JSON = {"content-type": "application/json"}
_HTML = {"content-type": "text/html; charset=utf-8"}
_PAGE = b"<!DOCTYPE html><html><body>another program</body></html>"
_DELETES = (Operation.DELETE_CONVERSATION, Operation.DELETE_MESSAGE)


def json_service(status: int, message: str = "no", **headers: str) -> Service:
    """Return a service that answers everything with one status and a JSON message."""
    body = json.dumps({"message": message}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: Response(status, _JSON | named, body)


def html_service(status: int) -> Service:
    """Return a service that answers everything with an HTML page."""
    return lambda _: Response(status, _HTML, _PAGE)


def truncated_json(_: Request) -> Response:
    """Return JSON that ends in the middle."""
    return Response(200, _JSON, b'{"half": [1, 2, {"an')


def dropped_connection(request: Request) -> Response:
    """Raise what a transport raises when the connection drops."""
    raise UnavailableError(f"{request.method} {request.path}: the connection was dropped")


def timed_out(request: Request) -> Response:
    """Raise what a transport raises when no answer comes in time."""
    raise UnavailableError(f"{request.method} {request.path}: no answer within 30 s (read)")


class FailureClauses:
    """The clauses of every backend over HTTP."""

    async def test_a_refused_credential_raises_auth_error(self, kit: Kit) -> None:
        """401 and 403 are an `AuthError` of the operation.

        The user must change the key; nothing else helps.
        """
        for status in (401, 403):
            await _each_raises(kit, json_service(status), AuthError)

    async def test_what_the_service_calls_absent_is_not_found(self, kit: Kit) -> None:
        """404 with the service's own JSON is a `NotFoundError`; a delete succeeds.

        Only what the service says itself proves that something is gone.
        """
        fixture = await prepare(kit)
        for operation in fixture.operations:
            store = kit.open(service=json_service(404), retries=0)
            if operation in _DELETES:
                await fixture.call(store, operation)
            elif operation in {Operation.GET_CONVERSATION, Operation.LIST_MESSAGES}:
                with raises(NotFoundError):
                    await fixture.call(store, operation)
            else:
                with raises(NotFoundError, ProtocolError):
                    await fixture.call(store, operation)

    async def test_a_page_of_another_program_is_no_absence(self, kit: Kit) -> None:
        """404 with an HTML page is a `ProtocolError` that points to the base URL.

        A wrong address must not look as if all conversations were deleted.
        """
        fixture = await prepare(kit)
        for operation in fixture.operations:
            store = kit.open(service=html_service(404), retries=0)
            with raises(ProtocolError) as caught:
                await fixture.call(store, operation)
            assert "base URL" in str(caught.error)

    async def test_too_many_requests_say_how_long_to_wait(self, kit: Kit) -> None:
        """429 is a retryable `RateLimitError` with the seconds of `Retry-After`.

        Callers wait by it.
        """
        caught = await _each_raises(kit, json_service(429, retry_after="7"), RateLimitError)
        for error in caught:
            assert isinstance(error, RateLimitError)
            assert error.retry_after == 7
            assert error.retryable

    async def test_a_service_out_of_order_is_unavailable(self, kit: Kit) -> None:
        """500, 502, 503, a dropped connection and a time-out are an `UnavailableError`.

        It is retryable but for 500, which the same request is likely to meet again.
        """
        assert not any(
            error.retryable
            for error in await _each_raises(kit, json_service(500), UnavailableError)
        )
        for broken in (json_service(503), json_service(502), dropped_connection, timed_out):
            caught = await _each_raises(kit, broken, UnavailableError)
            assert all(error.retryable for error in caught)

    async def test_an_answer_that_is_no_json_is_a_protocol_error(self, kit: Kit) -> None:
        """200 with HTML or with broken JSON is a `ProtocolError`.

        A login page or half an answer must not be read as an empty list.
        """
        await _each_raises(kit, html_service(200), ProtocolError)
        await _each_raises(kit, truncated_json, ProtocolError, or_in_a_stream=UnavailableError)

    async def test_a_harmless_request_is_repeated(self, kit: Kit) -> None:
        """A read that the service refuses for a while is sent again, as `retries` says.

        Short outages must not reach the caller.
        """
        fixture = await prepare(kit)
        for operation in fixture.operations:
            if operation not in _READS:
                continue
            kit.backend.requests.clear()
            store = kit.open(service=json_service(503, retry_after="0"), retries=2)
            with raises(UnavailableError):
                await fixture.call(store, operation)
            first = kit.backend.requests[0]
            expected = 3 if first.repeatable else 1
            assert len(kit.backend.requests) == expected
            assert operation is not Operation.LIST_CONVERSATIONS or expected == 3

    async def test_a_repeated_read_succeeds_once_the_service_is_back(self, kit: Kit) -> None:
        """A read succeeds when the service answers the second time.

        Retrying is of use only if its result is the caller's.
        """
        await prepare(kit)
        service = kit.backend.service
        assert service is not None
        failures = iter([True])

        def recovering(request: Request) -> Response:
            if next(failures, False):
                return json_service(503, retry_after="0")(request)
            return service(request)

        listed = await conversation_ids(kit.open())
        store = kit.open(service=recovering, retries=1)
        assert await conversation_ids(store) == listed

    async def test_a_request_that_changes_something_is_never_repeated(self, kit: Kit) -> None:
        """A request that changes something is sent once, whatever `retries` says.

        The first may have arrived: a question asked twice costs money and shows twice.
        """
        fixture = await prepare(kit)
        service = kit.backend.service
        assert service is not None

        def refusing_writes(request: Request) -> Response:
            busy = json_service(503, retry_after="0")
            return (busy if fixture.changes(request) else service)(request)

        for operation in filter(WRITES.__contains__, fixture.operations):
            kit.backend.requests.clear()
            store = kit.open(service=refusing_writes, retries=3)
            with raises(UnavailableError):
                await fixture.call(store, operation)
            writes = list(filter(fixture.changes, kit.backend.requests))
            assert writes, operation
            assert all(writes.count(request) == 1 for request in writes), operation

    async def test_no_secret_shows_in_an_error(self, kit: Kit) -> None:
        """No secret shows in an error, its notes or its causes, even if the service repeats it.

        Errors are logged and pasted into issues.
        """
        fixture = await prepare(kit)
        for operation in fixture.operations:
            for echo in (json_service(500, SECRET), json_service(403, SECRET), _secret_html):
                store = kit.open(service=echo, retries=0, headers={"x-api-key": SECRET})
                with raises(StoreError) as caught:
                    await fixture.call(store, operation)
                assert SECRET not in full_error_text(caught.error)


_READS = frozenset(
    {
        Operation.LIST_CONVERSATIONS,
        Operation.GET_CONVERSATION,
        Operation.LIST_MESSAGES,
        Operation.SEARCH,
        Operation.CHECK,
    }
)


def _secret_html(_: Request) -> Response:
    return Response(200, _HTML, f"<html>{SECRET}</html>".encode())


async def _each_raises(
    kit: Kit,
    service: Service,
    kind: type[StoreError],
    *,
    or_in_a_stream: type[StoreError] | None = None,
) -> Sequence[StoreError]:
    """Call every offered operation on a failing service, and return the errors."""
    errors = []
    fixture = await prepare(kit)
    for operation in fixture.operations:
        store = kit.open(service=service, retries=0)
        other = or_in_a_stream if operation in STREAMED else None
        with raises(kind, *filter(None, [other])) as caught:
            await fixture.call(store, operation)
        assert caught.error.operation == operation, operation
        errors.append(caught.error)
    return errors
