"""Where an operator keeps the tokens: the command line, the environment, and a file.

The file is TOML; a token's value may stand elsewhere, as in the profiles of `convostore.config`:

    [[tokens]]
    name = "ops"
    value = { env = "OPS_TOKEN" }     # or { command = ["pass", "show", "ops"] }, or a text
    namespace = "team"                # absent: all of them
    rights = "read"                   # absent: "full"

No token may show in what is raised here.
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
"""The environment's: tokens with blanks between."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str = Field(min_length=1, max_length=64)
    value: SecretStr
    namespace: str | None = None
    rights: Literal["read", "full"] = "full"


def given_tokens(values: Iterable[str], file: Path | None) -> list[Token]:
    """Every token that an operator gave.

    Args:
        values: Those of the command line.
        file: That of `read_tokens`, if there is one.

    Raises:
        ConfigError: One of them can be none, or the file cannot be read.
    """
    tokens = [
        Token(name=f"{place} {number}", value=SecretStr(value))
        for place, several in (
            ("--token", values),
            (VARIABLE, os.environ.get(VARIABLE, "").split()),
        )
        for number, value in enumerate(several, start=1)
    ]
    return tokens if file is None else [*tokens, *read_tokens(file)]


def read_tokens(file: Path) -> list[Token]:
    """Reads a file of tokens.

    Raises:
        ConfigError: It cannot be read, or a token in it can be none; says which.
    """
    try:
        entries = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        told = error.strerror or type(error).__name__
        raise ConfigError(f"the file of tokens {file} cannot be read: {told}") from None
    except ValueError as error:  # its text may repeat a line of the file
        raise ConfigError(
            f"the file of tokens {file} is no TOML ({type(error).__name__})"
        ) from None
    tokens = list(_tokens(file, entries))
    if not tokens:
        raise ConfigError(f"the file of tokens {file} holds none: write [[tokens]]")
    return tokens


def _tokens(file: Path, entries: Row) -> Iterator[Token]:
    if unknown := sorted(set(entries) - {"tokens"}):
        raise ConfigError(f"the file of tokens {file} holds {unknown[0]!r}: write [[tokens]]")
    listed = entries.get("tokens", [])
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise ConfigError(f"in the file of tokens {file} tokens is no list: write [[tokens]]")
    for number, given in enumerate(listed, start=1):
        where = f"token {number} in {file}"
        if "value" in given:
            given = {**given, "value": resolve_secret(f"the value of {where}", given["value"])}
        entry = validate_options(_Entry, given, _failure_at(where))
        yield Token(
            name=entry.name, value=entry.value, namespace=entry.namespace, rights=entry.rights
        )


def _failure_at(where: str) -> Callable[[str], ConfigError]:
    return lambda complaint: ConfigError(f"{where}: {complaint}")
