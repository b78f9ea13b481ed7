"""Replies of Perplexica: the request of a turn, its stream, and what was stored."""
