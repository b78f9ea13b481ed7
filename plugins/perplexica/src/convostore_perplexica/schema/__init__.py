"""The JSON of Perplexica, read into the schema of convostore."""
