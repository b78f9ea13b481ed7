"""The served document is true: what schemathesis derives of it finds nothing that it does not say.

Of each operation good and spoilt requests are sent to a server over loopback.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import hypothesis
import pytest
import requests
import schemathesis
from pydantic import SecretStr
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.pytest.lazy import get_all_tests

import convostore
from convostore import Message
from convostore.adapters import Operation
from convostore_gateway import Limits, Token
from convostore_gateway.api.openapi import DOCUMENT, document
from convostore_gateway.api.router import ENDPOINTS

from ..support.gateway import PATIENCE, got, served

pytestmark = pytest.mark.rim

_HEAD_TOO_LARGE = 431
_DOCUMENT = document((*ENDPOINTS, DOCUMENT), Limits(), (), needs_token=False)
_CONFIG = SchemathesisConfig.from_dict(
    {
        "generation": {"mode": "all", "deterministic": True},
        "checks": {
            # What the store behind does not offer is 501, and an address that is too long 431.
            "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", 501]},
            "negative_data_rejection": {
                "expected-statuses": [400, 401, 403, 404, 405, 409, 413, 415, 431, 501]
            },
        },
    }
)
_OPERATIONS = [
    operation["operationId"]
    for methods in _DOCUMENT["paths"].values()
    for method, operation in methods.items()
    if method != "parameters"
]


@pytest.fixture(scope="module")
def schema() -> Any:
    return schemathesis.openapi.from_dict(_DOCUMENT, config=_CONFIG)


def _mended(case: Any) -> Any:
    """Gives a good request what no schema tells: that two ids are equal, and which cursors are."""
    if case.meta is not None and case.meta.generation.mode.is_negative:
        return case
    if case.query:
        case.query.pop("cursor", None)
        if "owner" in case.query:
            case.query.pop("without_owner", None)
    if case.operation.definition.raw["operationId"] == "delete_conversations":
        case.query = {"owner": "0", **(case.query or {})}
        case.query.pop("without_owner", None)
    if case.method == "PUT" and isinstance(case.body, dict) and "id" in case.body:
        case.body["id"] = unquote(case.path_parameters["conversation_id"])
    if case.method == "PUT" and isinstance(case.body, dict) and "message" in case.body:
        for message in filter(None, [case.body["message"], case.body.get("was")]):
            message["id"] = unquote(case.path_parameters["message_id"])
    return case


@pytest.fixture(scope="module")
def targets(tmp_path_factory: Any) -> tuple[str, str]:
    """A store that answers, and one that does not."""
    return "echo://openapi", f"sqlite:///{tmp_path_factory.mktemp('openapi') / 'store.db'}"


@pytest.fixture(scope="module")
def urls(targets: tuple[str, str]) -> Iterator[tuple[str, str]]:
    one, other = targets
    with served(one, viewer=False) as first, served(other, viewer=False) as second:
        yield first, second


@pytest.fixture
def ground(targets: tuple[str, str]) -> None:
    """Both hold what is asked for most, whatever was done to them before."""
    for target in targets:
        with convostore.open(target) as store:
            store.clear_conversations()
            store.create_conversation(id="0")
            store.append_messages("0", [Message(id="0", role="user"), Message(role="assistant")])


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    """Keeps its connections, of which there would else be one a request."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.mark.parametrize("operation", _OPERATIONS)
def test_no_answer_is_one_that_the_document_does_not_tell(
    operation: str, schema: Any, urls: tuple[str, str], ground: None, session: requests.Session
) -> None:
    @hypothesis.settings(max_examples=hypothesis.settings.default.max_examples // 10)
    def ask(case: Any) -> None:
        case = _mended(case)
        for url in urls:
            case.call_and_validate(base_url=url, session=session, timeout=PATIENCE)

    # Not by `schema.parametrize`, which makes all cases of all operations on collection.
    load_all_checks()
    chosen = schema.include(operation_id=operation)
    (found,) = get_all_tests(schema=chosen, test_func=ask, settings=None, given_kwargs=None)
    _, test = found.ok()
    test()


def test_the_document_that_is_served_is_the_one_that_was_tested(urls: tuple[str, str]) -> None:
    for url in urls:
        assert got(f"{url}/v1/openapi.json").json() == _DOCUMENT


def test_every_operation_has_an_endpoint() -> None:
    streamed = {Operation.STREAM_REPLY, Operation.STREAM_ANSWER}  # by what is accepted
    assert {each.operation for each in ENDPOINTS} == set(Operation) - streamed | {None}


def test_operations_are_named_once() -> None:
    assert len(_OPERATIONS) == len(set(_OPERATIONS)) == len(ENDPOINTS) + 1


def test_the_document_needs_no_token_and_says_so_of_the_others() -> None:
    token = Token(value=SecretStr("a-token-of-some-length"))
    with served("memory://openapi-token", tokens=(token,), viewer=False) as url:
        told = got(f"{url}/v1/openapi.json").json()
    assert told["security"] == [{"bearer": []}]
    assert told["paths"]["/v1/openapi.json"]["get"]["security"] == []
