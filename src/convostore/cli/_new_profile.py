"""A new profile from the command line: its options are checked, and no secret is in clear.

The file is written elsewhere, and no store is opened.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import typer

from ..dsn import DSN
from ..errors import ConfigError
from ._arguments import parse_options
from ._profiles import check_name, profile_text

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_OPTIONS: Final = frozenset({"dsn", "target", "transport", "observe"})


def new_profile(
    name: str,
    dsn: str,
    given: list[str] | None,
    environment: list[str] | None,
    command: list[str] | None,
) -> str:
    """Return a profile as TOML, once its DSN and its options are right.

    Raises:
        ConfigError: One is wrong, or a secret would be written in clear.
    """
    check_name(name)
    address = DSN.parse(dsn)
    options = _pairs(given, "--option")
    secrets: dict[str, Mapping[str, object]] = {
        option: {"env": _variable(variable)}
        for option, variable in _pairs(environment, "--env").items()
    }
    for option, words in _pairs(command, "--command").items():
        secrets[option] = {"command": _command_words(words)}
    if both := sorted(options.keys() & secrets.keys()):
        raise ConfigError(f"the option {both[0]!r} is given twice")
    fields = _fields(address.scheme)
    for option in (*options, *secrets):
        _check_option(address.scheme, option, fields)
    _refuse_secrets(address, options, fields)
    return profile_text(name, _absolute(address, dsn), options, secrets)


def _pairs(options: list[str] | None, hint: str) -> dict[str, str]:
    return dict(parse_options(options or [], hint, reserved=_NOT_OPTIONS))


def _variable(name: str) -> str:
    """Return the name of a variable; what is no such name may be the secret itself."""
    if not _VARIABLE.fullmatch(name):
        raise typer.BadParameter(
            "must be NAME=VARIABLE, with the name of an environment variable", param_hint="--env"
        )
    return name


def _command_words(words: str) -> list[str]:
    try:
        split = shlex.split(words)
    except ValueError:
        split = []
    if not split:
        raise typer.BadParameter("must be NAME=COMMAND", param_hint="--command")
    return split


def _fields(scheme: str) -> Mapping[str, Any]:
    from ..plugins import adapter_for

    return adapter_for(scheme).Options.model_fields


def _check_option(scheme: str, option: str, fields: Iterable[str]) -> None:
    if option not in fields:
        known = ", ".join(sorted(fields)) or "none"
        raise ConfigError(f"{scheme}: there is no option {option!r}; there are: {known}")


def _refuse_secrets(dsn: DSN, options: Mapping[str, str], fields: Mapping[str, Any]) -> None:
    """Raise ConfigError if the file would hold a secret in clear."""
    shown = DSN(scheme=dsn.scheme, options=(*dsn.options, *options.items()))
    secret = [
        option
        for option, value in shown.options
        if value in shown.secrets or "SecretStr" in str(fields.get(option))
    ]
    if dsn.password:
        secret.insert(0, "password" if "password" in fields else "headers")
    if secret:
        where = "the password" if dsn.password else f"the option {secret[0]!r}"
        raise ConfigError(
            f"{where} is a secret and is not written into the file: leave it out, and add "
            f"--env {secret[0]}=VARIABLE or --command {secret[0]}=COMMAND"
        )


def _absolute(address: DSN, dsn: str) -> str:
    """Return a DSN that means the same in every folder: a relative path of SQLite is absolute."""
    relative = address.path.removeprefix("/")
    if address.scheme != "sqlite" or address.host or not relative or relative.startswith("/"):
        return dsn
    from urllib.parse import unquote

    from ..config import file_dsn

    path = file_dsn(Path(unquote(relative)).absolute())
    query = dsn.partition("?")[2]
    return f"{path}?{query}" if query else path
