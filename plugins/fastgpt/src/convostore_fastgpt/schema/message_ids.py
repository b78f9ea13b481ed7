"""A message's id in a store, and the two ids that the service's records have for it.

What came from the service has both in its id; of any other message the id is the `dataId`, by which
every operation names it. No store and no request here.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final, NamedTuple

_BOTH: Final = re.compile(r"([0-9a-f]{24}|[0-9a-f]{32})\.(.+)", re.DOTALL)


class RecordIds(NamedTuple):
    """The ids of a record: `own` is its ``_id``, `data` its ``dataId``."""

    own: str
    data: str


def record_ids(message_id: str) -> RecordIds:
    """The ids of a message's record.

    A made ``_id`` has 32 digits, where the database's own has 24 and grows from record to record:
    nobody can take it for one that tells the order.
    """
    both = _BOTH.fullmatch(message_id)
    if both is not None:
        return RecordIds(both[1], both[2])
    digest = sha256(message_id.encode("utf-8", "surrogatepass")).hexdigest()
    return RecordIds(digest[:32], message_id)
