"""The client half of the native API: the adapter of `gateway://`. No server is known here."""
