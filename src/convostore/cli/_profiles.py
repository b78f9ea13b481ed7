"""The file of the profiles: reading it, and adding to it without losing a comment.

Stores are opened elsewhere. Nothing that may be secret is written in clear.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkstemp
from typing import Any, Final

from ..dsn import DSN
from ..errors import ConfigError

_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_DEFAULT_LINE: Final = re.compile(r"""^default[ \t]*=[ \t]*("[^"\n]*"|'[^'\n]*')""", re.MULTILINE)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/{0,2}")
"""The beginning of a DSN; one letter is the drive of a path."""
_BOM: Final = "\ufeff"
_DELETE: Final = "\x7f"
_PRIVATE: Final = 0o600
_PRIVATE_FOLDER: Final = 0o700


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A profile of the file.

    Attributes:
        dsn: As it is in the file; it may hold a secret.
        options: The names of its options.
    """

    name: str
    dsn: str
    options: tuple[str, ...]


def config_file() -> Path:
    """Return the path of the file; see `convostore.config.config_file`."""
    from ..config import config_file

    return config_file()


def profile_names() -> frozenset[str]:
    """Return the names of all profiles; none if the file does not exist.

    Raises:
        ConfigError: The file cannot be read.
    """
    return frozenset(profiles_table(read_settings()))


def read_profiles() -> list[Profile]:
    """Return the profiles in the order of the file.

    Raises:
        ConfigError: The file cannot be read.
    """
    table = profiles_table(read_settings())
    return [
        Profile(
            name=name,
            dsn=str(profile.get("dsn", "")),
            options=tuple(option for option in profile if option != "dsn"),
        )
        for name, profile in table.items()
        if isinstance(profile, dict)
    ]


def profiles_table(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the table of the profiles; empty if there is none."""
    table = settings.get("profiles", {})
    return table if isinstance(table, dict) else {}


def read_settings() -> Mapping[str, Any]:
    """Parse the file; empty if it does not exist.

    Raises:
        ConfigError: The file cannot be read.
    """
    text = _read()
    return {} if text is None else _parse(text)


def check_name(name: str) -> None:
    """Check that a name can be written as a profile's.

    Raises:
        ConfigError: It has other characters than letters, digits, ``-`` and ``_``.
    """
    if not _NAME.fullmatch(name) or name.startswith("-"):
        raise ConfigError(
            "the name of a profile must be made of letters, digits, '-' and '_', and must not "
            "begin with '-'"
        )


def create_file(profile: str, name: str) -> Path:
    """Create the file with a first profile, which is the default; return its path.

    Args:
        profile: Its text; see `profile_text`.
        name: Its name.

    Raises:
        ConfigError: The file exists, or cannot be written.
    """
    file = config_file()
    if _read() is not None:
        raise _exists(file)
    text = f"# Stores by name; see 'convostore profiles'.\ndefault = {_quoted(name)}\n\n{profile}"
    try:
        file.parent.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except FileExistsError:
        raise _exists(file) from None
    except OSError as error:
        raise _not_written(file, error) from None
    return file


def add_profile(profile: str, name: str, *, as_default: bool) -> Path:
    """Append a profile to the file, and make it the default if asked; return the file's path.

    Raises:
        ConfigError: There is a profile of this name, or the file cannot be changed.
    """
    with _alone():
        text = _read() or ""
        before = _parse(text)
        if name in profiles_table(before):
            raise ConfigError(
                f"there is already a profile {name!r} in {config_file()}: choose another name, or "
                "edit the file"
            )
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        added = text + (gap + profile).replace("\n", _line_end(text))
        meant = _with_profile(before, name, profile)
        if as_default:
            added, meant = _with_default(added, meant, name)
        return _replace(added, meant)


def set_default(name: str) -> Path:
    """Make a profile the default; return the path of the file.

    Raises:
        ConfigError: There is no such profile, or the file cannot be changed.
    """
    with _alone():
        text = _read() or ""
        before = _parse(text)
        if name not in profiles_table(before):
            known = ", ".join(sorted(profiles_table(before))) or "none"
            raise ConfigError(
                f"there is no profile {masked(name)!r} in {config_file()} (it has {known})"
            )
        return _replace(*_with_default(text, before, name))


def _with_default(text: str, before: Mapping[str, Any], name: str) -> tuple[str, dict[str, Any]]:
    """Return a file's text with a default, and the settings that it must mean."""
    mark = _BOM if text.startswith(_BOM) else ""
    lines = text.removeprefix(_BOM)
    line = f"default = {_quoted(name)}"
    if "default" in before:
        changed = _DEFAULT_LINE.sub(lambda _: line, lines, count=1)
    else:
        changed = f"{line}{_line_end(text)}{lines}"
    return mark + changed, {**before, "default": name}


def profile_text(
    name: str, dsn: str, options: Mapping[str, str], secrets: Mapping[str, Mapping[str, object]]
) -> str:
    """Return a profile as TOML.

    Args:
        name: Its name.
        dsn: Its DSN, without a secret.
        options: Options that are not secret.
        secrets: Where secrets come from, as ``{"env": …}`` or ``{"command": […]}``.
    """
    lines = [f"[profiles.{name}]", f"dsn = {_quoted(dsn)}"]
    lines += [f"{option} = {_quoted(value)}" for option, value in options.items()]
    for option, source in secrets.items():
        ((kind, value),) = source.items()
        lines.append(f"{option} = {{ {kind} = {_quoted(value)} }}")
    return "\n".join(lines) + "\n"


def masked(target: str) -> str:
    """Return a DSN without secrets, or a name; of a text that is not quite a DSN, the scheme."""
    try:
        return str(DSN.parse(target))
    except ConfigError:
        scheme = _SCHEME.match(target)
        return f"{scheme[0]}…" if scheme else "…" if "@" in target else target


def _quoted(value: object) -> str:
    """Return a text, or a list of texts, as TOML has it: as JSON has it, but for one character."""
    return json.dumps(value, ensure_ascii=False).replace(_DELETE, "\\u007f")


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other processes from changing the file meanwhile, where the system has such locks."""
    folder = None
    with suppress(ImportError, OSError, RuntimeError):  # of a link to itself
        import fcntl

        folder = os.open(config_file().resolve().parent, os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if folder is not None:
            os.close(folder)


def _read() -> str | None:
    """Return the file's text, with its line ends and its BOM; None if it does not exist."""
    file = config_file()
    try:
        return file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {file}: {error}") from None


def _parse(text: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text.removeprefix(_BOM))
    except ValueError as error:
        raise ConfigError(f"{config_file()} is not valid TOML: {error}") from None


def _with_profile(settings: Mapping[str, Any], name: str, profile: str) -> dict[str, Any]:
    added = _parse(profile)["profiles"][name]
    return {**settings, "profiles": {**profiles_table(settings), name: added}}


def _replace(text: str, expected: Mapping[str, Any]) -> Path:
    """Replace the file by a text that means what is expected; the old file stays until then."""
    link = config_file()
    meaning = None
    with suppress(ConfigError):
        meaning = _parse(text)
    if meaning != expected:
        raise ConfigError(f"{link} is written in a way that cannot be changed here: edit it")
    file = link.resolve()  # a symbolic link stays one
    if file.exists() and not file.is_file():
        raise ConfigError(f"{link} is not a regular file: name another one in CONVOSTORE_CONFIG")
    try:
        file.parent.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        mode = file.stat().st_mode & 0o777 if file.exists() else _PRIVATE
        descriptor, temporary = mkstemp(dir=file.parent, prefix=".config-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
                stream.write(text)
            Path(temporary).chmod(mode)
            Path(temporary).replace(file)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise
    except OSError as error:
        raise _not_written(link, error) from None
    return link


def _exists(file: Path) -> ConfigError:
    return ConfigError(
        f"{file} exists already: add a store to it with 'convostore profiles add', or edit it"
    )


def _not_written(file: Path, error: OSError) -> ConfigError:
    return ConfigError(f"cannot write {file}: {error.strerror}")
