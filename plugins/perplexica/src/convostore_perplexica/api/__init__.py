"""The API of Perplexica: its paths, its pages, and its errors."""
