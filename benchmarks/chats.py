"""What is stored in the benchmarks of databases: questions and answers in English and Chinese."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from convostore.models import Message, TextPart

COMMON = "database"
"""Stands in one of four messages."""
RARE = "quokka"
"""Stands in one message of each chat."""
CHARACTER = "索"
"""Stands in one of twenty messages."""

_BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
_SYLLABLES = "ba be bi bo ca co da de di do fa fi ga go la le li lo ma me mi mo na ne no ra re ri"
_CHINESE = "你好请问如何在本地保存聊天记录并且按照时间顺序显示谢谢"


class Said(NamedTuple):
    """A message as plain values."""

    id: str
    role: str
    text: str
    created_at: datetime


def said(count: int, *, seed: int = 0) -> Iterator[Said]:
    """A chat of questions of about 12 words and answers of about 90; each seed gives other ones."""
    dice = random.Random(seed)
    vocabulary = ["".join(dice.choices(_SYLLABLES.split(), k=2 + n % 3)) for n in range(4000)]
    for number in range(count):
        is_question = number % 2 == 0
        length = dice.randint(6, 18) if is_question else dice.randint(60, 120)
        words = [vocabulary[int(len(vocabulary) * dice.random() ** 3)] for _ in range(length)]
        if number % 4 == 1:
            words.append(COMMON)
        if number % 20 == 6:
            words.append("".join(dice.choices(_CHINESE, k=20)) + CHARACTER)
        if number == count // 2:
            words.append(RARE)
        yield Said(
            id=f"{dice.getrandbits(96):024x}",
            role="user" if is_question else "assistant",
            text=" ".join(words),
            created_at=_BEGUN + timedelta(days=seed % 300, seconds=number),
        )


def messages(chat: list[Said]) -> list[Message]:
    """The same as an app would make them."""
    return [
        Message(
            id=each.id,
            role="user" if each.role == "user" else "assistant",
            parts=(TextPart(text=each.text),),
            created_at=each.created_at,
        )
        for each in chat
    ]
