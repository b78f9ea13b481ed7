"""The code that docs/how-to/perplexica.md shows of a turn, run on the stand-in of the service."""

import pytest

import convostore
from convostore.testing.loopback import serve

from .support.service import ChatsService, answer_to

pytestmark = pytest.mark.rim


def test_the_guide_prints_an_answer_as_it_comes_and_then_its_sources(capsys):
    service = ChatsService("C")
    with serve(service.handle) as url:
        dsn = f"perplexica+{url}?verify=false"

        models = {
            "chat_model": "b381b310-cff9-440f-8b04-8630df60c0c1/gpt-4.1-mini",
            "embedding_model": "b381b310-cff9-440f-8b04-8630df60c0c1/text-embedding-3-small",
        }
        with (
            convostore.open(dsn, **models) as store,
            store.stream_reply(None, "When is high tide in Hilo?") as stream,
        ):
            for event in stream:
                if event.kind == "text_delta":
                    print(event.text, end="", flush=True)
        for source in stream.reply.message.sources:
            print(source.mark, source.title, source.url)

    said = answer_to("When is high tide in Hilo?")[1]
    source = "Tides https://example.org/tides"
    assert capsys.readouterr().out == f"{said}1 {source}\nNone {source}\n"
    (sent,) = service.received
    assert sent["chatModel"]["key"] == "gpt-4.1-mini"
