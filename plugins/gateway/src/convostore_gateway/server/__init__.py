"""The server process: `convostore serve`, its stores and tokens, its socket and bounds."""
