"""The JSON of FastGPT, read into the schema of convostore."""
