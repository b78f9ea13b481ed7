"""Message ids, and the two ids that a record of the service has.

The id of a message from the service combines both; the id of any other message serves as the
`dataId`, by which every operation names it. No store and no request here.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final, NamedTuple

_BOTH: Final = re.compile(r"([0-9a-f]{24}|[0-9a-f]{32})\.(.+)", re.DOTALL)


class RecordIds(NamedTuple):
    """Ids of a record: `own` is its ``_id``, `data` its ``dataId``."""

    own: str
    data: str


def record_ids(message_id: str) -> RecordIds:
    """Return the ids of a message's record.

    A derived ``_id`` has 32 digits. The service's database makes ids of 24 digits that ascend from
    record to record, so nobody mistakes a derived one for them.
    """
    both = _BOTH.fullmatch(message_id)
    if both is not None:
        return RecordIds(both[1], both[2])
    digest = sha256(message_id.encode("utf-8", "surrogatepass")).hexdigest()
    return RecordIds(digest[:32], message_id)
