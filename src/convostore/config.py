"""Configuration: stores opened by a DSN or a profile's name, with options from five sources.

Precedence: argument > DSN > environment > profile > default. The environment variable of an option
is ``CONVOSTORE_<SCHEME>_<OPTION>``. Profiles are read from ``config.toml`` in the platform's folder
for convostore, or from the file that ``CONVOSTORE_CONFIG`` names:

    [profiles.work]
    dsn = "fastgpt+https://chat.example.org"
    app_id = "0123456789abcdef01234567"
    api_key = { env = "WORK_KEY" }            # or { command = ["pass", "show", "work"] }

No backend may be known here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .adapters import validate_options
from .dsn import DSN
from .errors import ConfigError
from .store import AsyncConversationStore, ConversationStore

if TYPE_CHECKING:
    from .adapters import Adapter, AdapterOptions, AsyncTransport, Transport
    from .store import Observer

__all__ = ["aopen", "config_file", "open", "open_adapter", "resolve_secret"]

_SECRET_SOURCES: Final = frozenset({"env", "command"})
_COMMAND_TIMEOUT: Final = 60.0


def open(
    target: str,
    *,
    transport: Transport | None = None,
    observe: Observer | None = None,
    **options: object,
) -> ConversationStore:
    """Open a store; no request is sent yet.

    Args:
        target: A DSN, or the name of a profile.
        transport: Used in place of the adapter's transport; it carries the adapter's requests.
        observe: Called with an `Observation` after each operation of the store and its views.
        **options: The adapter's options; they override those of the DSN.

    Raises:
        ConfigError: The target, an option or the profile is wrong; the message says which, and what
            to do.
        PluginError: The backend's plugin is installed but did not load.
    """
    adapter = open_adapter(target, **options)
    return ConversationStore(adapter, transport or adapter.transport(), observe=observe)


def aopen(
    target: str,
    *,
    transport: AsyncTransport | None = None,
    observe: Observer | None = None,
    **options: object,
) -> AsyncConversationStore:
    """Open a store for asyncio: a plain call, with the arguments and the errors of `open`."""
    adapter = open_adapter(target, **options)
    return AsyncConversationStore(adapter, transport or adapter.async_transport(), observe=observe)


def open_adapter(target: str, **options: object) -> Adapter:
    """Create the adapter that a DSN or a profile names; `open` and `aopen` build a store on it."""
    from .plugins import adapter_for

    profile: Mapping[str, object] = {}
    if "://" not in target:
        profile = _profile(target)
    dsn = DSN.parse(str(profile["dsn"]) if profile else target)
    adapter = adapter_for(dsn.scheme)
    overrides = _environment(dsn.scheme, adapter.Options) | dict(dsn.options) | options
    # Only what is used is resolved: a command may ask the user for a password.
    defaults = {
        name: resolve_secret(name, value)
        for name, value in profile.items()
        if name != "dsn" and name not in overrides
    }
    checked = validate_options(
        adapter.Options,
        defaults | overrides,
        lambda complaint: ConfigError(f"{dsn.scheme}: {complaint}"),
    )
    return adapter(dsn, checked)


def _environment(scheme: str, options: type[AdapterOptions]) -> dict[str, object]:
    prefix = f"CONVOSTORE_{scheme.upper().replace('-', '_')}_"
    names = {name: prefix + name.upper() for name in options.model_fields}
    return {name: os.environ[key] for name, key in names.items() if os.environ.get(key)}


def config_file() -> Path:
    """Return the path of the file that profiles are read from."""
    if file := os.environ.get("CONVOSTORE_CONFIG"):
        return Path(file)
    import platformdirs

    return platformdirs.user_config_path("convostore") / "config.toml"


def _profile(name: str) -> Mapping[str, object]:
    import tomllib

    file = config_file()
    try:
        with file.open("rb") as stream:
            profiles = tomllib.load(stream).get("profiles", {})
    except FileNotFoundError:
        raise ConfigError(
            f"{name!r} is not a DSN (scheme://…), and there are no profiles: {file} does not exist"
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"the profiles in {file} cannot be read: {error}") from None
    if not isinstance(profiles, dict):
        raise ConfigError(f"profiles in {file} must be a table: write [profiles.{name}]")
    if name not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        raise ConfigError(f"there is no profile {name!r} in {file}; there are: {known}")
    profile = profiles[name]
    if not isinstance(profile, dict) or not isinstance(profile.get("dsn"), str):
        raise ConfigError(f'the profile {name!r} in {file} has no dsn = "scheme://…"')
    return profile


def resolve_secret(name: str, value: object) -> object:
    """Return the secret that ``{env = …}`` or ``{command = …}`` in a file refers to.

    Args:
        name: The name of the option, for errors.
        value: The value in the file; returned unchanged unless it is such a reference.

    Raises:
        ConfigError: The variable is not set, or the command failed.
    """
    if not isinstance(value, dict):
        return value
    if len(value) != 1 or not _SECRET_SOURCES & set(value):
        return {key: resolve_secret(name, item) for key, item in value.items()}
    if "env" in value:
        variable = str(value["env"])
        if variable not in os.environ:
            raise ConfigError(f"{name}: the environment variable {variable} is not set")
        return os.environ[variable]
    return _output(name, value["command"])


def _output(name: str, command: object) -> str:
    import shlex
    import subprocess

    words: list[str] = []
    try:
        words = shlex.split(command) if isinstance(command, str) else _words(command)
        done = subprocess.run(  # noqa: S603  # the user's own configuration says what to run
            words, capture_output=True, check=True, timeout=_COMMAND_TIMEOUT
        )
        return done.stdout.decode("utf-8").strip()
    except (OSError, IndexError, ValueError, subprocess.SubprocessError) as error:
        reason = type(error).__name__
    raise ConfigError(f"{name}: the command {words[:1]} gave no secret ({reason})")


def _words(value: object) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else []
