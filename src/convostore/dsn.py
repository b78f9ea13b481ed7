"""DSN: the address of a store as a value, whose text never shows a secret.

``<scheme>[+http|+https]://host[:port][/prefix]?option=…``, ``sqlite:///file.db``, ``memory://``.
Options are only parsed here; validating them belongs in the adapter of the scheme.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal, Self
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from .errors import ConfigError

__all__ = ["DSN"]

_SCHEME: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9.-]*)(?:\+(?P<transport>https?))?")
_SECRET_NAME: Final = re.compile(
    r"key|token|secret|passw|credential|auth|header|proxy", re.IGNORECASE
)
_MASK: Final = "***"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DSN:
    """The parts of a DSN.

    Attributes:
        scheme: The name of the adapter.
        transport: The part of the scheme after ``+``; None if there is none.
        host: The host in lower case, in which hosts are compared.
        written_host: The host with its capitals, for messages; two DSNs may differ in it and be
            equal.
        path: The path as written, with its leading slash.
        options: The query as decoded pairs, in order; a repeated option is an error.
    """

    scheme: str
    transport: Literal["http", "https"] | None = None
    username: str | None = None
    password: str | None = field(default=None)
    host: str | None = None
    port: int | None = None
    path: str = ""
    options: tuple[tuple[str, str], ...] = ()
    written_host: str | None = field(default=None, compare=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a DSN.

        Raises:
            ConfigError: It is not valid; the message repeats no part that may be secret.
        """
        head, separator, _ = text.partition("://")
        match = _SCHEME.fullmatch(head.lower())
        if not separator or match is None:
            raise ConfigError(
                "a DSN must have the form scheme://host/path?option=value, such as "
                "perplexica+http://localhost:3000 or memory://"
            )
        try:
            text.encode()
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise ConfigError(f"the host or port of this {head}:// DSN is not valid") from None
        if parts.fragment or text.endswith("#"):
            raise ConfigError(f"this {head}:// DSN must not contain '#': write it as %23")
        options = tuple(parse_qsl(parts.query, keep_blank_values=True))
        for name in {name for name, _ in options}:
            if [other for other, _ in options].count(name) > 1:
                raise ConfigError(f"this {head}:// DSN must not repeat the option {name!r}")
        return cls(
            scheme=match["scheme"],
            transport=match["transport"],  # type: ignore[arg-type]  # the pattern allows no other
            username=_decoded(parts.username),
            password=_decoded(parts.password),
            host=parts.hostname,
            port=port,
            path=parts.path,
            options=options,
            written_host=_written_host(parts.netloc),
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that its text masks: the password, and options with the names of secrets."""
        options = [value for name, value in self.options if _SECRET_NAME.search(name)]
        return tuple(filter(None, (self.password, *options)))

    @property
    def base_url(self) -> str:
        """The service's URL, without credentials and options.

        It is ``https`` unless the scheme says ``+http``, so that nothing is sent unencrypted by
        mistake.

        Raises:
            ConfigError: The DSN names no host.
        """
        if not self.host:
            raise ConfigError(
                f"this {self.scheme} DSN must name a host: write {self.scheme}+http://host:port"
            )
        return f"{self.transport or 'https'}://{self._location()}{self.path}"

    def _location(self) -> str:
        host = self.host or ""
        host = f"[{host}]" if ":" in host else host
        return host if self.port is None else f"{host}:{self.port}"

    def __str__(self) -> str:
        transport = f"+{self.transport}" if self.transport else ""
        user = "" if self.username is None else quote(self.username, safe="")
        if self.password is not None:
            user += f":{_MASK}"
        shown = [
            (name, _MASK if _SECRET_NAME.search(name) else value) for name, value in self.options
        ]
        query = f"?{urlencode(shown, safe='*')}" if shown else ""
        at = "@" if user else ""
        return f"{self.scheme}{transport}://{user}{at}{self._location()}{self.path}{query}"

    def __repr__(self) -> str:
        return f"DSN({str(self)!r})"


def _written_host(authority: str) -> str | None:
    place = authority.rpartition("@")[2]
    bracketed, bracket, _ = place.partition("]")
    return (bracketed[1:] if bracket else place.partition(":")[0]) or None


def _decoded(part: str | None) -> str | None:
    return None if part is None else unquote(part)
