"""FastGPT's dialect: its API, served from any store. Nothing here sends a request."""
