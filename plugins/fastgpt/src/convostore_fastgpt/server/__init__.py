"""The dialect of FastGPT: its API, served out of any store."""
