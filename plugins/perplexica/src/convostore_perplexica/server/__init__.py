"""The dialect of Perplexica: its API, served out of any store."""
