"""The API of FastGPT: its paths, its pages, and its errors."""
