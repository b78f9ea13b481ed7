"""Replies: the requests for turns, their streams, and the replies that the service stores."""
