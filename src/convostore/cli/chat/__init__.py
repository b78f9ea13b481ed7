"""A chat at the terminal: the session, keyboard input, and replies while they stream."""
