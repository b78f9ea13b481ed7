"""Hypothesis strategies for all that the native API carries besides the schema's own values."""

from __future__ import annotations

import math
from typing import Any, Final

from hypothesis import strategies as st

from convostore.models import (
    ANY,
    UNSET,
    FilePart,
    InteractionPart,
    InteractionRequested,
    OtherEvent,
    PartAdded,
    PartialReply,
    PartsReplaced,
    ReasoningDelta,
    Reply,
    ReplyFinished,
    RunDetailsReported,
    RunStep,
    SourcesFound,
    StatusChanged,
    TextDelta,
    TextPart,
    TitleChanged,
    ToolCallArgumentsDelta,
    ToolCallStarted,
    ToolResultDelta,
    Usage,
    UsageReported,
    VariablesUpdated,
)
from convostore.search import Hit, Snippet
from convostore.testing.strategies import json_values, texts
from convostore.testing.value_strategies import Values, tuples
from convostore_gateway import schema


def _equals_itself(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return all(map(_equals_itself, value))
    return not (isinstance(value, float) and math.isnan(value))


JSON: Final = json_values().filter(_equals_itself)
VALUES: Final = Values(json=JSON)
IDS: Final = texts().filter(bool)
MAYBE: Final = st.none() | texts()
OPTIONS: Final = st.dictionaries(texts(), JSON, max_size=2)
METADATA: Final = st.dictionaries(
    texts().filter(bool), JSON.filter(lambda value: value is not None), max_size=2
)
CHANGES: Final = st.dictionaries(texts().filter(bool), JSON, max_size=2)
COUNTS: Final = st.integers(0, 10**6)

run_steps: Final = st.recursive(
    st.builds(
        RunStep,
        id=MAYBE,
        name=texts(),
        type=MAYBE,
        seconds=st.none() | st.floats(allow_nan=False),
        error=MAYBE,
        raw=JSON,
    ),
    lambda inner: st.builds(RunStep, name=texts(), steps=tuples(inner)),
    max_leaves=3,
)
usages: Final = st.builds(Usage, input_tokens=st.none() | COUNTS, output_tokens=st.none() | COUNTS)
snippets: Final = st.builds(Snippet, text=texts(), marks=tuples(st.tuples(COUNTS, COUNTS)))
hits: Final = st.builds(
    Hit,
    conversation=VALUES.conversations(),
    message=st.none() | VALUES.messages(),
    where=st.sampled_from(["title", "text", "source"]),
    snippet=snippets,
)
replies: Final = st.builds(
    Reply,
    conversation_id=texts(),
    turn_id=MAYBE,
    message=VALUES.messages(),
    question=st.none() | VALUES.messages(),
    title=MAYBE,
    variables=st.none() | OPTIONS,
    run_details=tuples(run_steps),
    usage=st.none() | usages,
)
interactions: Final = VALUES.parts().filter(lambda part: isinstance(part, InteractionPart))
events: Final = st.one_of(
    st.builds(TextDelta, text=texts()),
    st.builds(ReasoningDelta, text=texts()),
    st.builds(ToolCallStarted, id=texts(), name=texts()),
    st.builds(ToolCallArgumentsDelta, id=texts(), arguments=texts()),
    st.builds(ToolResultDelta, id=texts(), content=texts()),
    st.builds(PartAdded, part=VALUES.parts()),
    st.builds(PartsReplaced, parts=tuples(VALUES.parts())),
    st.builds(SourcesFound, sources=tuples(VALUES.sources())),
    st.builds(StatusChanged, name=texts(), status=texts()),
    st.builds(InteractionRequested, interaction=interactions),
    st.builds(TitleChanged, title=texts()),
    st.builds(VariablesUpdated, variables=OPTIONS),
    st.builds(RunDetailsReported, steps=tuples(run_steps)),
    st.builds(UsageReported, usage=usages),
    st.builds(ReplyFinished, reply=replies),
    st.builds(OtherEvent, type=MAYBE, data=JSON),
)
partials: Final = st.builds(
    PartialReply,
    conversation_id=texts(),
    turn_id=MAYBE,
    parts=tuples(VALUES.parts()),
    sources=tuples(VALUES.sources()),
)

# `model_construct`, as what is absent is nothing that pydantic would take.
_ABSENT_OR: Final = st.just(UNSET) | MAYBE
_MERGED: Final = st.just(UNSET) | CHANGES
_OWNER: Final = st.none() | IDS
_ANY_OR: Final = st.just(ANY) | MAYBE
_messages: Final = tuples(VALUES.messages())
_said: Final = tuples(st.builds(TextPart, text=texts()) | st.builds(FilePart, url=MAYBE))
bodies: Final = st.one_of(
    st.builds(
        lambda of, **new: schema.CreateBody(
            id=of.id, created_at=of.created_at, origin=of.origin, **new
        ),
        VALUES.conversations(),
        title=MAYBE,
        owner=_OWNER,
        metadata=METADATA,
    ),
    st.builds(
        schema.UpdateBody.model_construct,
        title=_ABSENT_OR,
        pinned=st.just(UNSET) | st.booleans(),
        owner=_ABSENT_OR,
        metadata=_MERGED,
    ),
    st.builds(
        schema.ForkBody.model_construct,
        message_id=IDS,
        new_id=st.none() | IDS,
        title=_ABSENT_OR,
        owner=_ABSENT_OR,
        metadata=_MERGED,
    ),
    st.builds(schema.AppendBody.model_construct, messages=_messages, after=_ANY_OR),
    st.builds(schema.ReplaceBody.model_construct, messages=_messages, after=MAYBE, tip=_ANY_OR),
    st.builds(
        schema.EditBody.model_construct,
        message=VALUES.messages(),
        was=st.just(ANY) | VALUES.messages(),
    ),
    st.builds(schema.PopBody.model_construct, tip=st.just(ANY) | texts()),
    st.builds(
        schema.ReplyBody,
        conversation_id=MAYBE,
        content=texts() | _said,
        turn_id=MAYBE,
        owner=_OWNER,
        metadata=METADATA,
        options=OPTIONS,
    ),
    st.builds(
        schema.AnswerBody, conversation_id=texts(), answer=texts() | OPTIONS, options=OPTIONS
    ),
)
