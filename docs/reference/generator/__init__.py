"""What `generate.py` writes: parts of pages, whole pages, and `llms.txt`."""
