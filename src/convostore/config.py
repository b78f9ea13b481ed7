"""Configuration: stores opened by a DSN or a profile's name, with options from five sources.

Precedence: argument > DSN > environment > profile > default. The environment variable of an option
is ``CONVOSTORE_<SCHEME>_<OPTION>``. Profiles are read from ``config.toml`` in the platform's folder
for convostore, or from the file that ``CONVOSTORE_CONFIG`` names:

    [profiles.work]
    dsn = "fastgpt+https://chat.example.org"
    app_id = "0123456789abcdef01234567"
    api_key = { env = "WORK_KEY" }            # or { command = ["pass", "show", "work"] }

No backend may be known here except the scheme of SQLite, which a path means.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final, Unpack, overload
from urllib.parse import quote

from ._known_options import OpenOptions
from .adapters import AsyncTransport, Transport, validate_options
from .dsn import DSN
from .errors import ConfigError
from .store import AsyncConversationStore, ConversationStore

if TYPE_CHECKING:
    from .adapters import Adapter, AdapterOptions
    from .store import Observer

__all__ = [
    "Default",
    "OpenOptions",
    "aopen",
    "config_file",
    "default_target",
    "file_dsn",
    "open",
    "open_adapter",
    "resolve_secret",
]

_SECRET_SOURCES: Final = frozenset({"env", "command"})
_COMMAND_TIMEOUT: Final = 60.0
_FEW_SLASHES: Final = re.compile(r"([a-z][a-z0-9.-]+(?:\+https?)?):(/?)(.*)", re.IGNORECASE)
"""A scheme without ``://``; one letter is the drive of a path."""
_PATH: Final = re.compile(r"[/\\]|\.(?:db|sqlite3?)$", re.IGNORECASE)
"""A text that is more likely a path than the name of a profile."""


@dataclass(frozen=True, slots=True)
class Default:
    """An option's value that applies where no other source sets the option.

    For programs that open what their user names: it comes after the profile, and an adapter without
    such an option is opened without it, as in ``open(target, create=Default(False))``.
    """

    value: object


@overload
def open(
    target: str | os.PathLike[str],
    *,
    transport: Transport | None = None,
    observe: Observer | None = None,
    **options: Unpack[OpenOptions],
) -> ConversationStore: ...
@overload
def open(
    target: str | os.PathLike[str],
    *,
    transport: Transport | None = None,
    observe: Observer | None = None,
    **options: object,  # of other plugins' backends
) -> ConversationStore: ...
def open(
    target: str | os.PathLike[str],
    *,
    transport: Transport | None = None,
    observe: Observer | None = None,
    **options: object,
) -> ConversationStore:
    """Open a store; no request is sent yet.

    Args:
        target: A DSN, the name of a profile, or a `Path`, which means the SQLite file there.
        transport: Used in place of the adapter's transport; it carries the adapter's requests.
        observe: Called with an `Observation` after each operation of the store and its views.
        **options: The adapter's options; they override those of the DSN. A `Default` does not.

    Raises:
        ConfigError: The target, an option or the profile is wrong; the message names it, and how
            to correct it.
        PluginError: The backend's plugin is installed but did not load.

    Example:
        with convostore.open("sqlite:///history.db", timeout=5) as store:
            for conversation in store.conversations():
                print(conversation.title)
    """
    _check_arguments(transport, Transport, observe)
    adapter = open_adapter(target, **options)
    return ConversationStore(adapter, transport or adapter.transport(), observe=observe)


@overload
def aopen(
    target: str | os.PathLike[str],
    *,
    transport: AsyncTransport | None = None,
    observe: Observer | None = None,
    **options: Unpack[OpenOptions],
) -> AsyncConversationStore: ...
@overload
def aopen(
    target: str | os.PathLike[str],
    *,
    transport: AsyncTransport | None = None,
    observe: Observer | None = None,
    **options: object,  # of other plugins' backends
) -> AsyncConversationStore: ...
def aopen(
    target: str | os.PathLike[str],
    *,
    transport: AsyncTransport | None = None,
    observe: Observer | None = None,
    **options: object,
) -> AsyncConversationStore:
    """Open a store for asyncio: a plain call, with the arguments and the errors of `open`."""
    _check_arguments(transport, AsyncTransport, observe)
    adapter = open_adapter(target, **options)
    return AsyncConversationStore(adapter, transport or adapter.async_transport(), observe=observe)


def _check_arguments(transport: object, needed: type, observe: object) -> None:
    if transport is not None and not isinstance(transport, needed):
        raise ConfigError(
            f"transport must be a convostore.adapters.{needed.__name__}, "
            f"got {type(transport).__name__}"
        )
    if observe is not None and not callable(observe):
        raise ConfigError(f"observe must be a function, got {type(observe).__name__}")


def open_adapter(target: str | os.PathLike[str], **options: object) -> Adapter:
    """Create the adapter that a DSN or a profile names; `open` and `aopen` build a store on it."""
    from .plugins import adapter_for

    text = _target_text(target)
    profile: Mapping[str, object] = {}
    if "://" not in text:
        profile = _profile(text)
    dsn = DSN.parse(str(profile["dsn"]) if profile else text)
    adapter = adapter_for(dsn.scheme)
    defaults = {name: item for name, item in options.items() if isinstance(item, Default)}
    arguments = {name: value for name, value in options.items() if name not in defaults}
    overrides = _environment(dsn.scheme, adapter.Options) | dict(dsn.options) | arguments
    # Only what is used is resolved: a command may ask the user for a password.
    profiled = {
        name: resolve_secret(name, value)
        for name, value in profile.items()
        if name != "dsn" and name not in overrides
    }
    last = {
        name: item.value for name, item in defaults.items() if name in adapter.Options.model_fields
    }
    checked = validate_options(
        adapter.Options,
        last | profiled | overrides,
        lambda complaint: ConfigError(f"{dsn.scheme}: {complaint}"),
    )
    return adapter(dsn, checked)


def _target_text(target: object) -> str:
    if isinstance(target, str):
        return target
    if isinstance(target, os.PathLike):
        return file_dsn(target)
    raise ConfigError(
        "the target must be a DSN, the name of a profile or a pathlib.Path, "
        f"got {type(target).__name__}"
    )


def file_dsn(path: str | os.PathLike[str]) -> str:
    """Return the DSN of a SQLite file; a relative path stays relative.

    Raises:
        ConfigError: The path cannot be written in UTF-8.
    """
    text = os.fspath(path)
    if not isinstance(text, str):
        raise ConfigError("a path must be a text, got bytes: decode it with os.fsdecode")
    posix = (path if isinstance(path, PurePath) else Path(text)).as_posix()
    try:
        return f"sqlite:///{quote(posix, safe='/:')}"
    except UnicodeEncodeError:
        raise ConfigError("the path of a SQLite file must be UTF-8") from None


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


def default_target() -> str | None:
    """Return the target for commands that name none; None if no default is set.

    It is ``CONVOSTORE_TARGET``, or else ``default`` at the top of the file of the profiles.

    Raises:
        ConfigError: The file cannot be read, or its default is not a text.
    """
    if target := os.environ.get("CONVOSTORE_TARGET"):
        return target
    file = config_file()
    try:
        target = _settings(file).get("default")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the default target from {file}: {error}") from None
    if target is not None and not (isinstance(target, str) and target):
        raise ConfigError(f'default in {file} must be a text: write default = "NAME"')
    return target


def _settings(file: Path) -> dict[str, Any]:  # Any: what the user wrote
    import tomllib

    return tomllib.loads(file.read_bytes().decode("utf-8-sig"))  # some editors write a BOM


def _profile(name: str) -> Mapping[str, object]:
    file = config_file()
    try:
        profiles = _settings(file).get("profiles", {})
    except FileNotFoundError:
        raise _no_such_profile(
            name,
            f"{name!r} is not a DSN (scheme://…), and there are no profiles: {file} does not exist",
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"the profiles in {file} cannot be read: {error}") from None
    if not isinstance(profiles, dict):
        raise ConfigError(f"profiles in {file} must be a table: write [profiles.{name}]")
    if name not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        raise _no_such_profile(name, f"there is no profile {name!r} in {file} (it has {known})")
    profile = profiles[name]
    if not isinstance(profile, dict) or not isinstance(profile.get("dsn"), str):
        raise ConfigError(f'the profile {name!r} in {file} has no dsn = "scheme://…"')
    return profile


def _no_such_profile(name: str, text: str) -> ConfigError:
    if _FEW_SLASHES.fullmatch(name):  # what looks like a DSN may hold a secret
        text = f"{name.partition(':')[0]}:… is neither a DSN (scheme://…) nor a profile"
    meant = " or ".join(_meant(name))
    return ConfigError(f"{text}: did you mean {meant}?" if meant else text)


def _meant(name: str) -> Iterator[str]:
    """Yield the targets that may have been meant, without secrets."""
    match = _FEW_SLASHES.fullmatch(name)
    if match is None:
        if _PATH.search(name):
            with suppress(ConfigError):
                yield file_dsn(name)
        return
    scheme, slash, rest = match.groups()
    slashes = ("///", "////") if scheme.lower() == "sqlite" else ("//",)
    for more in slashes if slash else slashes[:1]:
        with suppress(ConfigError):
            yield str(DSN.parse(f"{scheme}:{more}{rest}"))


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
    raise ConfigError(
        f"{name}: the command {words[:1]} returned no secret ({reason}): run it yourself"
    )


def _words(value: object) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else []
