"""Replies of FastGPT: the request of a turn, its stream, and what was stored."""
