"""Clients written for FastGPT, unchanged, on a gateway: OpenAI's SDK and the documented calls."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import openai
import pytest
from pydantic import SecretStr
from tests.support.faces import PlainClient, finish
from tests.support.models import Model

import convostore
from convostore.models import Feedback
from convostore.testing import FACES
from convostore_fastgpt import AsyncChatClient, ChatClient
from convostore_gateway import Token
from convostore_openai import aopen_answered

from .support.gateway import asked, served

pytestmark = pytest.mark.rim

APP = "65f000000000000000000010"
OTHER_APP = "65f000000000000000000011"
UNKNOWN_APP = "65f000000000000000000012"
TOKEN = "who-may-do-everything"
READER = "who-may-read-and-no-more"
TOKENS = (
    Token(value=SecretStr(TOKEN)),
    Token(value=SecretStr(READER), name="reader", rights="read"),
)
HI = [{"role": "user", "content": "hi"}]


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    with Model().serving() as model:
        yield model


@pytest.fixture(scope="module")
def answered_by_a_model(model) -> Iterator[str]:
    """The address of a gateway over a store that a model answers."""
    target = f"memory://{uuid.uuid4().hex}"
    with served(
        lambda: aopen_answered(target, model.url, model="parrot"), tokens=TOKENS, viewer=False
    ) as url:
        yield url


@pytest.fixture(scope="module")
def echo() -> str:
    return f"echo://{uuid.uuid4().hex}"


@pytest.fixture(scope="module")
def url(echo) -> Iterator[str]:
    """The address of a gateway over two stores, one an app."""
    stores = {"": echo, "one": echo, "other": f"memory://{uuid.uuid4().hex}"}
    apps = {APP: "one", OTHER_APP: "other"}
    with served(stores, tokens=TOKENS, scopes=apps, viewer=False) as url:
        yield url


# OpenAI's SDK


def sync_client(url: str, key: str = TOKEN) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/api/v1", api_key=key, max_retries=0)


def completed(url: str, **options: Any) -> Any:
    with sync_client(url) as client:
        return client.chat.completions.create(model="any", messages=HI, **options)


def streamed(url: str, **options: Any) -> list[Any]:
    with sync_client(url) as client:
        return list(
            client.chat.completions.create(model="any", messages=HI, stream=True, **options)
        )


def async_completed(url: str, **options: Any) -> Any:
    async def complete() -> Any:
        async with openai.AsyncOpenAI(base_url=f"{url}/api/v1", api_key=TOKEN) as client:
            return await client.chat.completions.create(model="any", messages=HI, **options)

    return asyncio.run(complete())


def async_streamed(url: str, **options: Any) -> list[Any]:
    async def stream() -> list[Any]:
        async with openai.AsyncOpenAI(base_url=f"{url}/api/v1", api_key=TOKEN) as client:
            chunks = await client.chat.completions.create(
                model="any", messages=HI, stream=True, **options
            )
            return [each async for each in chunks]

    return asyncio.run(stream())


def text_of(chunks: list[Any]) -> str:
    return "".join(each.choices[0].delta.content or "" for each in chunks)


@pytest.mark.parametrize("complete", [completed, async_completed])
def test_openais_sdk_gets_an_answer(answered_by_a_model, complete):
    chat_id = uuid.uuid4().hex
    found = complete(answered_by_a_model, extra_body={"chatId": chat_id})
    assert found.id == chat_id
    assert found.choices[0].message.content == "You said: hi"
    assert found.choices[0].finish_reason == "stop"
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (3, 5)


@pytest.mark.parametrize("stream", [streamed, async_streamed])
@pytest.mark.parametrize("detail", [False, True])
def test_openais_sdk_reads_a_stream(answered_by_a_model, stream, detail):
    chunks = stream(
        answered_by_a_model,
        stream_options={"include_usage": True},
        extra_body={"detail": detail},
    )
    answers = [each for each in chunks if getattr(each, "choices", None)]  # nodes are none
    assert text_of(answers) == "You said: hi"
    assert answers[-1].choices[0].finish_reason == "stop"
    assert answers[-1].usage.total_tokens == 8


def test_a_usage_that_is_not_known_is_the_services_constant(url):
    found = completed(url, extra_body={"appId": APP})
    assert found.usage.total_tokens == 1


def test_openais_sdk_sends_its_history_along(answered_by_a_model, model):
    said = [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "two"},
    ]
    with sync_client(answered_by_a_model) as client:
        found = client.chat.completions.create(model="any", messages=said)
    assert found.choices[0].message.content == "You said: two"
    assert [each["content"] for each in model.asked[-1]["messages"]] == [
        "be kind",
        "one",
        "1",
        "two",
    ]


def test_the_history_of_a_conversation_is_loaded_from_the_store(answered_by_a_model, model):
    chat_id = uuid.uuid4().hex
    for text in ("one", "two"):
        with sync_client(answered_by_a_model) as client:
            client.chat.completions.create(
                model="any",
                messages=[{"role": "user", "content": text}],
                extra_body={"chatId": chat_id},
            )
    told = [each["content"] for each in model.asked[-1]["messages"]]
    assert told == ["one", "You said: one", "two"]


@pytest.mark.parametrize(
    ("key", "error"),
    [("fastgpt-nobodys", openai.InternalServerError), (READER, openai.InternalServerError)],
)
def test_openais_sdk_is_told_that_a_key_is_wrong(url, key, error):
    with sync_client(url, key) as client, pytest.raises(error) as caught:
        client.chat.completions.create(model="any", messages=HI, extra_body={"appId": APP})
    assert caught.value.body["code"] == {"fastgpt-nobodys": 514, READER: 502001}[key]


def test_openais_sdk_is_told_what_a_store_cannot_do(url):
    with sync_client(url) as client, pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="any", messages=HI, extra_body={"appId": OTHER_APP})
    assert caught.value.status_code == 501
    assert "does not offer" in caught.value.body["message"]


# The documented calls


class Client(PlainClient):
    """The documented client."""

    def __init__(self, face: str, url: str, key: str = TOKEN) -> None:
        kind = {"sync": ChatClient, "async": AsyncChatClient}[face]
        super().__init__(face, kind(api_key=key, base_url=url, verify=False))

    def text(self, response: httpx.Response) -> str:
        """Read a streamed response to its end."""
        finish(self.face, response.aread() if self.face.name == "async" else response.read())
        return response.text


@pytest.fixture(params=FACES)
def calls(request) -> Callable[..., Any]:
    """Make a documented client of one face."""
    return partial(Client, request.param)


def data_of(response: httpx.Response) -> Any:
    body = response.json()
    assert (response.status_code, body["code"]) == (200, 200), body
    return body["data"]


def test_every_documented_call_does_on_a_gateway_what_it_says(url, echo, calls):
    chat_id = uuid.uuid4().hex
    chat = {"appId": APP, "chatId": chat_id}
    with calls(url, f"fastgpt-{TOKEN}-{APP}") as client, convostore.open(echo) as store:
        completion = client.create_chat_completion(
            HI,
            chatId=chat_id,
            detail=True,
            variables={"uid": "u", "name": "n"},
            responseChatItemId="turn-1",
        ).json()
        assert completion["id"] == chat_id
        assert completion["choices"][0]["message"]["content"] == "You said: hi"

        listed = data_of(client.get_chat_histories(APP))
        assert chat_id in [each["chatId"] for each in listed["list"]]
        assert data_of(client.get_chat_init(**chat))["title"] == "hi"
        records = data_of(client.get_chat_records(**chat, pageSize=20))
        assert [each["obj"] for each in records["list"]] == ["Human", "AI"]
        answer = records["list"][1]["dataId"]
        assert data_of(client.get_record_detail(**chat, dataId=answer)) == []
        assert data_of(client.get_suggested_questions(**chat)) == ["Why hi?"]

        data_of(client.send_feedback(**chat, dataId=answer, userBadFeedback="why?"))
        assert list(store.messages(chat_id))[1].feedback == Feedback(rating="bad", comment="why?")
        data_of(client.update_chat_history(**chat, customTitle="named", top=True))
        found = store.get_conversation(chat_id)
        assert (found.title, found.pinned) == ("named", True)
        data_of(client.delete_chat_record(**chat, contentId=answer))
        assert [each.role for each in store.messages(chat_id)] == ["user"]
        data_of(client.delete_chat_history(**chat))
        data_of(client.clear_chat_histories(APP))
        assert list(store.conversations()) == []


def test_a_documented_stream_is_read_line_by_line(url, calls):
    with calls(url) as client:
        response = client.create_chat_completion(
            HI, stream=True, detail=True, chatId=uuid.uuid4().hex
        )
        text = client.text(response)
    # Which app is meant, this call does not say: it is the store that has no name.
    lines = [line for line in text.splitlines() if line]
    assert lines[0] == "event: answer"
    assert lines[-1] == "data: [DONE]"
    chunks = [json.loads(each[6:]) for each in lines if each.startswith("data: {")]
    shown = "".join(each["choices"][0]["delta"]["content"] or "" for each in chunks)
    assert shown == "You said: hi"


@pytest.mark.parametrize(
    ("key", "app_id", "status", "code"),
    [
        ("fastgpt-nobodys", APP, 500, 514),
        (TOKEN, UNKNOWN_APP, 500, 502000),
        (TOKEN, "no-app", 400, 400),
    ],
)
def test_who_may_not_is_told_so_in_the_envelope(url, calls, key, app_id, status, code):
    with calls(url, key) as client:
        response = client.get_chat_histories(app_id)
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_without_a_key_nothing_is_told(url):
    response = asked("POST", f"{url}/api/core/chat/getHistories", json={"appId": APP})
    assert (response.status_code, response.json()["statusText"]) == (403, "unAuthorization")
    streamed = asked(
        "POST",
        f"{url}/api/v1/chat/completions",
        json={"messages": HI, "stream": True, "appId": APP},
    )
    assert (streamed.status_code, "content-type" in streamed.headers) == (200, False)
    assert streamed.text.startswith('event: error\ndata: {"code":403')


def test_who_may_read_may_not_write(url, calls):
    with calls(url, READER) as client:
        assert data_of(client.get_chat_histories(APP))["total"] >= 0
        for method in ("delete_chat_history", "update_chat_history"):
            more = {"top": True} if method.startswith("update") else {}
            response = getattr(client, method)(APP, "c", **more)
            assert response.json()["code"] == 502001
