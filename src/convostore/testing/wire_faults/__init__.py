"""Failures on real sockets: the contract, and a server that fails on the wire."""
