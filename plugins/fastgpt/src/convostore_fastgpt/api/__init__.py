"""FastGPT's API: endpoints, envelope and paged lists. No record and no reply is parsed here."""
