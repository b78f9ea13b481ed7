"""The schema as JSON, without loss, for writable stores and for exports.

Fields with their default value are omitted. Loading validates; what a store kept and cannot be
loaded any more is salvaged field by field. No file, table or service may be known here.
"""

from .._surrogates import join_surrogates, separate_surrogates
from ._codec import (
    dump,
    dumps,
    load_conversation,
    load_message,
    message_json,
    parse_conversation,
    parse_message,
    to_exact_json,
    to_json,
)
from ._salvage import (
    damage,
    has_damaged_id,
    is_damage,
    salvage_conversation,
    salvage_message,
)
from ._structure import structure_of

__all__ = [
    "damage",
    "dump",
    "dumps",
    "has_damaged_id",
    "is_damage",
    "join_surrogates",
    "load_conversation",
    "load_message",
    "message_json",
    "parse_conversation",
    "parse_message",
    "salvage_conversation",
    "salvage_message",
    "separate_surrogates",
    "structure_of",
    "to_exact_json",
    "to_json",
]
