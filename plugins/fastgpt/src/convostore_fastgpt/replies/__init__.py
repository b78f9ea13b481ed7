"""Replies: requests for turns and answers, their streams, and the stored records.

Paths belong in `api`, the parsing of records in `schema`.
"""
