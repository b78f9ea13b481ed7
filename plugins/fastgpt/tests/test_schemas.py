"""What the adapter sends is what FastGPT itself validates; what the stand-in answers, as well.

The schemas are the service's own and not part of this project: the environment variable
`CONVOSTORE_FASTGPT_SCHEMAS` names their folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.support.cases import for_each

import convostore
from convostore.http import Request, Response
from convostore.testing import FACES, Face, StoreFace

from .support.service import APP, GENERATIONS, OPTIONS, ROOT, SHARED, UID, FastGPTService

jsonschema = pytest.importorskip("jsonschema")

_NAMED = os.environ.get("CONVOSTORE_FASTGPT_SCHEMAS")
pytestmark = pytest.mark.skipif(
    not _NAMED, reason="CONVOSTORE_FASTGPT_SCHEMAS does not name the folder of FastGPT's schemas"
)
FOLDER = Path(_NAMED or "")

IN_4_14_5 = {
    "history/getHistories": "history.GetHistories{}Schema",
    "history/updateHistory": "history.UpdateHistory{}Schema",
    "history/delHistory": "history.DelChatHistorySchema",
    "history/clearHistories": "history.ClearChatHistoriesSchema",
    "feedback/updateUserFeedback": "feedback.UpdateUserFeedbackBodySchema",
}
"""The names of that version's schemas; those of other paths were not written yet.

Of feedback only the request: every recorded answer is null, which its response schema refuses.
"""

VALIDATING = [name for name, generation in GENERATIONS.items() if generation.validates]
OPENED: Mapping[str, Mapping[str, object]] = {
    "key": OPTIONS,
    "key, all sources": OPTIONS | {"source": "all"},
    "share link": SHARED | {"app_id": APP},
}


def validator(file: str) -> Any:
    """Return the validator of one schema; None where there is no such schema."""
    path = FOLDER / f"{file}.json"
    if not path.is_file():
        return None
    return jsonschema.Draft202012Validator(json.loads(path.read_text("utf-8")))


def validators(generation: str, path: str, side: str) -> Iterator[Any]:
    """Those that say how a path's request or response is in a generation."""
    if GENERATIONS[generation].nested_share:
        found = validator(f"v4.16.0/{path.replace('/', '.')}.{side}")
    else:
        kind = "Body" if side == "request" else "Response"
        template = IN_4_14_5.get(path, "")
        one_sided = "{}" not in template and side == "response"
        found = None if one_sided else validator(f"v4.14.5/{template.format(kind)}")
    if found is not None:
        yield found


def complaints(generation: str, path: str, side: str, value: object) -> list[str]:
    return [
        f"{path} {side}: {error.message}"
        for validator in validators(generation, path, side)
        for error in validator.iter_errors(value)
    ]


async def everything(store: convostore.AsyncConversationStore) -> None:
    """Drive every operation, in all its variants."""
    listed = [conversation async for conversation in store.conversations()]
    first = await store.list_conversations(limit=2)
    await store.list_conversations(limit=2, cursor=first.cursor)
    await store.get_conversation(listed[-1].id)
    messages = [message async for message in store.messages("c0")]
    newest = await store.list_messages("c0", limit=1, order="newest_first")
    await store.list_messages("c0", limit=1, cursor=newest.cursor, order="newest_first")
    answer = messages[1].id
    for feedback in ("good", "bad"):
        await store.set_feedback("c0", answer, convostore.Feedback(rating=feedback))
    await store.set_feedback("c0", answer, convostore.Feedback(rating="bad", comment="no"))
    await store.set_feedback("c0", answer, None)
    await store.get_run_details("c0", answer)
    await store.update_conversation("c0", title="new")
    await store.update_conversation("c0", title=None)
    await store.update_conversation("c0", pinned=True)
    await store.update_conversation("c0", title="", pinned=False)
    await store.delete_message("c0", answer)
    await store.delete_conversation("c0")
    for absent in ("nobody's", "c0"):
        with pytest.raises(convostore.NotFoundError):
            await store.get_conversation(absent)
    await store.check()
    await store.clear_conversations()


def driven(generation: str, opened: str, face: Face) -> list[tuple[str, Request, Response]]:
    """What was asked and answered, by the path's words; absent paths are left out."""
    service = FastGPTService(generation)
    shared = opened == "share link"
    for number in range(5):
        owner, source = (f"share:{UID}", "share") if shared else ("me", "api")
        service.insert(f"c{number}", title=f"t{number}", owner=owner, source=source)
        service.append(f"c{number}", "user", "hi")
        service.append(f"c{number}", "assistant", "hello")
    answers = service.keyless if shared else service.handle
    with StoreFace(face) as used:
        used.run(
            everything(used.open("fastgpt+http://chat.test", service=answers, **OPENED[opened]))
        )
    return [
        (request.path.removeprefix(ROOT), request, response)
        for request, response in service.exchanges
        if response.status != 404
    ]


@for_each("face", FACES)
@for_each("opened", OPENED)
@for_each("generation", VALIDATING)
def test_every_request_is_as_the_service_wants_it(generation, opened, face):
    checked: set[str] = set()
    for path, request, _ in driven(generation, opened, face):
        sent = [item for item in (request.json, dict(request.query)) if item]
        for value in sent:
            assert complaints(generation, path, "request", value) == []
        if sent and any(validators(generation, path, "request")):
            checked.add(path)
    wanted = {"history/getHistories", "history/updateHistory", "history/delHistory"}
    wanted.add("feedback/updateUserFeedback")
    if generation == "4.16":
        wanted |= {"record/getPaginationRecords", "record/getResData", "record/delete"}
        wanted.add("history/getHistoryStatus")
    assert wanted <= checked


@for_each("generation", VALIDATING)
def test_no_request_holds_a_null(generation):
    for _, request, _ in driven(generation, "key", "sync"):
        assert None not in (request.json or {}).values()


@for_each("opened", OPENED)
@for_each("generation", GENERATIONS)
def test_the_stand_in_answers_as_the_service_does(generation, opened):
    success = validator("reconstructed/envelope.success")
    refusal = validator("reconstructed/envelope.error")
    record = validator("reconstructed/record-item.tolerant")
    for path, _, response in driven(generation, opened, "sync"):
        body = response.json()
        envelope = success if response.status == 200 else refusal
        assert [error.message for error in envelope.iter_errors(body)] == []
        if response.status != 200:
            continue
        if GENERATIONS[generation].validates:
            assert complaints(generation, path, "response", body["data"]) == []
        if path.endswith("getPaginationRecords"):
            faults = [error for row in body["data"]["list"] for error in record.iter_errors(row)]
            assert faults == []


@for_each("wrong", [{"appId": "not hexadecimal"}, {"source": None}, {"offset": []}])
def test_a_request_that_the_service_would_refuse_is_noticed(wrong):
    assert complaints("4.16", "history/getHistories", "request", {"pageSize": 1} | wrong)
