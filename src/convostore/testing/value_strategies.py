"""Hypothesis strategies for whole values of the schema, with every field and every kind.

The caller chooses their texts and their JSON; hostile ones are in `strategies`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar, get_args

from hypothesis import strategies as st

from ..models import (
    JSON,
    Conversation,
    Feedback,
    FilePart,
    InteractionField,
    InteractionOption,
    InteractionPart,
    Message,
    Origin,
    OtherPart,
    Part,
    Problem,
    ReasoningPart,
    Role,
    Source,
    SourceKind,
    Status,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from ..models._metadata import LONGEST_KEY
from . import strategies

__all__ = ["Values", "tuples"]

T = TypeVar("T")


@dataclass(frozen=True)
class Values:
    """Strategies for whole values; by default of any text and any JSON.

    Attributes:
        texts: For every field that holds text.
        json: For `raw`, an `OtherPart`'s data and a field's value. A value that is not equal to
            itself, such as NaN, makes values that are not equal to themselves.
        marks: For the marks of sources.
    """

    texts: st.SearchStrategy[str] = field(default_factory=lambda: strategies.texts(pairs=True))
    json: st.SearchStrategy[JSON] = field(default_factory=strategies.json_values)
    marks: st.SearchStrategy[str] = field(default_factory=strategies.texts)

    def conversations(self) -> st.SearchStrategy[Conversation]:
        """Draw conversations; their times need not make sense."""
        return st.builds(
            Conversation,
            id=self._ids(),
            title=self._maybe(),
            created_at=_times(),
            updated_at=_times(),
            pinned=st.booleans(),
            owner=st.none() | self._ids(),
            metadata=st.dictionaries(
                self.texts.filter(lambda key: len(key) <= LONGEST_KEY),
                self._metadata_values(),
                max_size=2,
            ),
            origin=st.none() | self._origins(),
            files=tuples(self._files()),
            problems=tuples(self._problems()),
            raw=self.json,
        )

    def _origins(self) -> st.SearchStrategy[Origin]:
        return st.builds(
            Origin,
            store=self.texts,
            conversation_id=self.texts,
            metadata_keys=tuples(self.texts, 2),
        )

    def messages(self) -> st.SearchStrategy[Message]:
        """Draw messages; the ids of several need not differ."""
        return st.builds(
            Message,
            id=self._ids(),
            role=st.sampled_from(get_args(Role)),
            parts=tuples(self.parts(), 4),
            created_at=_times(),
            stored_at=_times(),
            sources=tuples(self.sources(), 3),
            feedback=st.none()
            | st.builds(Feedback, rating=st.sampled_from(["good", "bad"]), comment=self._maybe()),
            status=st.none() | st.sampled_from(get_args(Status)),
            model=self._maybe(),
            parent_id=self._maybe(),
            problems=tuples(self._problems()),
            raw=self.json,
        )

    def parts(self) -> st.SearchStrategy[Part]:
        """Draw parts of every kind."""
        return st.one_of(
            st.builds(TextPart, text=self.texts),
            st.builds(ReasoningPart, text=self.texts),
            st.builds(ToolCallPart, id=self._maybe(), name=self.texts, arguments=self.texts),
            st.builds(ToolResultPart, id=self._maybe(), content=self.texts),
            self._files(),
            self._interactions(),
            st.builds(OtherPart, type=self._maybe(), data=self.json),
        )

    def _interactions(self) -> st.SearchStrategy[InteractionPart]:
        options = tuples(st.builds(InteractionOption, value=self.texts, label=self._maybe()))
        fields = st.builds(
            InteractionField,
            key=self.texts,
            label=self._maybe(),
            type=self._maybe(),
            required=st.booleans(),
            options=options,
            value=self.json,
        )
        return st.builds(
            InteractionPart,
            type=self.texts,
            prompt=self._maybe(),
            options=options,
            fields=tuples(fields),
            answered=st.booleans(),
            answer=self._maybe(),
        )

    def sources(self) -> st.SearchStrategy[Source]:
        """Draw sources of every kind."""
        return st.builds(
            Source,
            title=self._maybe(),
            url=self._maybe(),
            content=self._maybe(),
            score=st.none() | st.floats(allow_nan=False),
            kind=st.sampled_from(get_args(SourceKind)),
            mark=st.none() | self.marks,
            raw=self.json,
        )

    def _files(self) -> st.SearchStrategy[FilePart]:
        return st.builds(FilePart, name=self._maybe(), url=self._maybe(), media_type=self._maybe())

    def _problems(self) -> st.SearchStrategy[Problem]:
        return st.builds(Problem, where=self.texts, what=self.texts)

    def _metadata_values(self) -> st.SearchStrategy[JSON]:
        return self.json.filter(lambda value: value is not None and _is_finite(value))

    def _ids(self) -> st.SearchStrategy[str]:
        return self.texts.filter(bool)

    def _maybe(self) -> st.SearchStrategy[str | None]:
        return st.none() | self.texts


def tuples(of: st.SearchStrategy[T], most: int = 2) -> st.SearchStrategy[tuple[T, ...]]:
    """Draw tuples of up to `most` values."""
    return st.lists(of, max_size=most).map(tuple)


def _is_finite(value: JSON) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def _times() -> st.SearchStrategy[datetime | None]:
    return st.none() | st.datetimes(timezones=st.timezones()).map(_in_utc)


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        return time.replace(tzinfo=UTC, fold=0)
