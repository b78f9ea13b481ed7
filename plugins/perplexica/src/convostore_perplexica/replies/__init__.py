"""Replies: the requests for turns, their streams, and the replies that the service stores.

Paths belong in `api`, the parsing of rows in `schema`.
"""
