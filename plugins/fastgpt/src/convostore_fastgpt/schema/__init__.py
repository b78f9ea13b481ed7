"""FastGPT's JSON, parsed into convostore's schema. No request and no flow here."""
