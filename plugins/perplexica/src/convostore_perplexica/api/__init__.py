"""Perplexica's API: paths, errors and server versions. No chat and no reply is parsed here."""
