"""The clauses of the contract, one family per module."""
