"""OpenAI's formats: messages of Chat Completions and items of Responses, in memory and in files.

`to_messages` and `to_items` make what a request holds, `from_messages` and `from_items` read what a
request or a response held. A file has a line for each conversation, as for fine-tuning. Nothing is
sent here, and OpenAI's own library is not needed.
"""

from ._items import from_items, to_items
from ._lines import OpenAIWriter, read
from ._messages import from_messages, to_messages

__all__ = ["OpenAIWriter", "from_items", "from_messages", "read", "to_items", "to_messages"]
