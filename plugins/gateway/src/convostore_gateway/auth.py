"""Who may do what: tokens, what each grants, and the store as a reader gets it.

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
        name: How logs call whoever has it; never a part of the token itself.
        namespace: The only one that it reaches; None reaches all.
        rights: ``read`` refuses whatever changes a store, ``full`` nothing.
    """

    value: SecretStr
    name: str = "token"
    namespace: str | None = None
    rights: Literal["read", "full"] = "full"

    def __post_init__(self) -> None:
        """Looks whether it can be one.

        Raises:
            ConfigError: It is too short to be a secret, or cannot stand in a header.
        """
        text = self.value.get_secret_value()
        if len(text) < _SHORTEST or not text.isascii() or not text.isprintable() or " " in text:
            raise ConfigError(
                f"the token {self.name!r} must be at least {_SHORTEST} printable ASCII characters "
                "without blanks: make one with python -c 'import secrets; "
                "print(secrets.token_urlsafe())'"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a request may do; `namespace` None reaches all."""

    name: str
    namespace: str | None = None
    may_write: bool = True


class Access:
    """Takes what a request brings to what it may do.

    Args:
        tokens: Those that are accepted; none admits everybody.
        read_only: Whether nobody may change anything, whatever the tokens say.
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
            raise ConfigError("two tokens are the same: each needs a value of its own")

    @property
    def is_open(self) -> bool:
        """Whether no token is needed."""
        return not self._grants

    def grant(self, credentials: Sequence[str]) -> Grant:
        """Looks for the token among what a request brings.

        Every token is compared with every credential, so that the time tells nothing.

        Raises:
            AuthError: There is none, or none that is accepted.
        """
        if self.is_open:
            return self._anybody
        found: Grant | None = None
        for credential in credentials:
            given = credential.encode("utf-8", "surrogatepass")
            for value, grant in self._grants:
                if hmac.compare_digest(value, given):
                    found = grant
        if found is None:
            told = "the token is not one that is accepted" if credentials else "a token is needed"
            raise AuthError(f"{told}: send the header Authorization: Bearer <token>")
        return found


def read_only_view(store: AsyncConversationStore) -> AsyncConversationStore:
    """Return a store as whoever may only read gets it; closing it leaves the store open."""
    return store.view(partial(read_only, reason="this token may only read"))
