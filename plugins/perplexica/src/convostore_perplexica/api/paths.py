"""Paths of the service, with ``{}`` for an id. Their answers are parsed elsewhere."""

from __future__ import annotations

from typing import Final

CHATS_PATH: Final = "/api/chats"
CHAT_PATH: Final = "/api/chats/{}"
REPLY_PATH: Final = "/api/chat"
RESUME_PATH: Final = "/api/reconnect/{}"
SUGGESTIONS_PATH: Final = "/api/suggestions"
