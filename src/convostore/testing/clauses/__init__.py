"""The clauses of the contract, a family a module."""
