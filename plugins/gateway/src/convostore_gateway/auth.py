"""Authentication by tokens: what each grants, and stores restricted to reading.

Tokens are compared in constant time and never shown. No HTTP here.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from pydantic import SecretStr

from convostore.adapters import read_only
from convostore.errors import AuthError, ConfigError
from convostore.store import AsyncConversationStore

_SHORTEST: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token.

    Attributes:
        name: The name of the client in logs; never a part of the token itself.
        namespace: The only namespace that the token reaches; None reaches all.
        rights: ``read`` refuses every change of a store, ``full`` refuses nothing.
    """

    value: SecretStr
    name: str = "token"
    namespace: str | None = None
    rights: Literal["read", "full"] = "full"

    def __post_init__(self) -> None:
        """Check the value.

        Raises:
            ConfigError: The value is too short to be a secret, or cannot be sent in a header.
        """
        text = self.value.get_secret_value()
        if len(text) < _SHORTEST or not text.isascii() or not text.isprintable() or " " in text:
            raise ConfigError(
                f"token {self.name!r} must have at least {_SHORTEST} printable ASCII characters "
                "without spaces: make one with python -c 'import secrets; "
                "print(secrets.token_urlsafe())'"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The rights of a request; `namespace` None reaches all."""

    name: str
    namespace: str | None = None
    may_write: bool = True


class Access:
    """The accepted tokens and what each grants.

    Args:
        tokens: The accepted tokens; empty admits everybody.
        read_only: Whether to refuse every change, whatever the tokens allow.
    """

    def __init__(self, tokens: Iterable[Token] = (), *, read_only: bool = False) -> None:
        self._anybody = Grant(name="anybody", may_write=not read_only)
        self._grants = [
            (
                token.value.get_secret_value().encode(),
                Grant(
                    name=token.name,
                    namespace=token.namespace,
                    may_write=token.rights == "full" and not read_only,
                ),
            )
            for token in tokens
        ]
        if len({value for value, _ in self._grants}) < len(self._grants):
            raise ConfigError(
                "tokens must differ, but two tokens have the same value: replace one of them"
            )

    @property
    def is_open(self) -> bool:
        """Whether no token is needed."""
        return not self._grants

    def grant(self, credentials: Sequence[str]) -> Grant:
        """Return what the token among a request's credentials grants.

        Every token is compared with every credential, so that the duration reveals nothing.

        Raises:
            AuthError: There is no token, or none that is accepted.
        """
        if self.is_open:
            return self._anybody
        match: Grant | None = None
        for credential in credentials:
            candidate = credential.encode("utf-8", "surrogatepass")
            for value, grant in self._grants:
                if hmac.compare_digest(value, candidate):
                    match = grant
        if match is None:
            problem = "the token is not accepted" if credentials else "a token is required"
            raise AuthError(f"{problem}: send the header Authorization: Bearer <token>")
        return match


def read_only_view(store: AsyncConversationStore) -> AsyncConversationStore:
    """Return a store as whoever may only read gets it; closing it leaves the store open."""
    return store.view(partial(read_only, reason="this token may only read"))
