"""Replies: requests for turns and answers, their streams, and the records they leave."""
