"""The process that serves: `convostore serve`, its stores and tokens, the socket and its bounds."""
