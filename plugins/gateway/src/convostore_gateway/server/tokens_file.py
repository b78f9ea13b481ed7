"""Tokens from the command line, the environment and a file.

The file is TOML; a value may be a reference, as in the profiles of `convostore.config`:

    [[tokens]]
    name = "ops"
    value = { env = "OPS_TOKEN" }     # or { command = ["pass", "show", "ops"] }, or a text
    namespace = "team"                # absent: all of them
    rights = "read"                   # absent: "full"

No message of an error raised here may hold a token.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from convostore.adapters import validate_options
from convostore.config import resolve_secret
from convostore.errors import ConfigError
from convostore.parsing import Row

from ..auth import Token

VARIABLE: Final = "CONVOSTORE_GATEWAY_TOKENS"
"""The environment variable: tokens separated by spaces."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str = Field(min_length=1, max_length=64)
    value: SecretStr
    namespace: str | None = None
    rights: Literal["read", "full"] = "full"


def load_tokens(values: Iterable[str], file: Path | None) -> list[Token]:
    """Return all tokens of an operator.

    Args:
        values: The tokens of the command line.
        file: The file for `read_tokens`; None for none.

    Raises:
        ConfigError: A token is invalid, or the file cannot be read.
    """
    tokens = [
        Token(name=f"{source} {number}", value=SecretStr(value))
        for source, source_values in (
            ("--token", values),
            (VARIABLE, os.environ.get(VARIABLE, "").split()),
        )
        for number, value in enumerate(source_values, start=1)
    ]
    return tokens if file is None else [*tokens, *read_tokens(file)]


def read_tokens(file: Path) -> list[Token]:
    """Parse a file of tokens.

    Raises:
        ConfigError: The file cannot be read, or a token in it is invalid; the message names it.
    """
    try:
        entries = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(f"cannot read the token file {file}: {reason}") from None
    except ValueError as error:  # its text may repeat a line of the file
        raise ConfigError(f"the token file {file} must be TOML ({type(error).__name__})") from None
    tokens = list(_tokens(file, entries))
    if not tokens:
        raise ConfigError(f"the token file {file} must not be empty: add [[tokens]]")
    return tokens


def _tokens(file: Path, entries: Row) -> Iterator[Token]:
    if unknown := sorted(set(entries) - {"tokens"}):
        raise ConfigError(f"the token file {file} must hold only [[tokens]], got {unknown[0]!r}")
    rows = entries.get("tokens", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"tokens in the token file {file} must be a list: write [[tokens]]")
    for number, row in enumerate(rows, start=1):
        where = f"token {number} in {file}"
        if "value" in row:
            row = {**row, "value": resolve_secret(f"the value of {where}", row["value"])}
        entry = validate_options(_Entry, row, _failure_at(where))
        yield Token(
            name=entry.name, value=entry.value, namespace=entry.namespace, rights=entry.rights
        )


def _failure_at(where: str) -> Callable[[str], ConfigError]:
    return lambda complaint: ConfigError(f"{where}: {complaint}")
