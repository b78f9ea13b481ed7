"""The client half of the native API: the adapter of `gateway://`; no server is known here."""
