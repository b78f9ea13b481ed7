"""The tree of errors, named by what the caller can do next.

    StoreError
    ├── ConfigError (ValueError)            mend the DSN, the profile or the environment
    │   └── PluginError                     installed, but it did not load
    ├── UnsupportedError (NotImplementedError)  this backend cannot do that: ask `offers` first
    ├── NotFoundError (LookupError)         it is not there
    ├── ConflictError                       another writer was first: re-read and decide
    ├── InvalidError (ValueError)           what was sent was refused: mend the arguments
    ├── AuthError (PermissionError)         the credential is missing or wrong
    │   └── ForbiddenError                  it is accepted, but may not do this
    ├── RateLimitError                      wait `retry_after` seconds, then repeat
    ├── UnavailableError (ConnectionError)  out of reach, too slow, or broken over there
    └── ProtocolError                       the service said something unreadable

Nothing else lives here; no message, detail or excerpt may hold a secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypedDict, Unpack

if TYPE_CHECKING:
    from .models import PartialReply

_TELLING = 10
"""Characters of a secret's beginning that may show: less than these tell nothing."""

__all__ = [
    "AuthError",
    "ConfigError",
    "ConflictError",
    "ForbiddenError",
    "InvalidError",
    "NotFoundError",
    "PluginError",
    "ProtocolError",
    "RateLimitError",
    "StoreError",
    "UnavailableError",
    "UnsupportedError",
    "redact",
]


class _Context(TypedDict, total=False):
    adapter: str | None
    operation: str | None
    retryable: bool | None
    detail: str | None


class StoreError(Exception):
    """What every error of this library is.

    Attributes:
        adapter: The name of the adapter it happened in; None outside of one.
        operation: The operation that failed, such as ``"get_conversation"``; None outside of one.
        retryable: Whether the same call may succeed later, unchanged.
        detail: What the service itself said, shortened and redacted; None when it said nothing.
        partial: Of an error that ended a reply: what had arrived of it, and the ids by which the
            turn can be looked for; None of any other.
    """

    retryable: bool = False
    partial: PartialReply | None = None

    def __init__(
        self,
        message: str,
        *,
        adapter: str | None = None,
        operation: str | None = None,
        retryable: bool | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(message)
        self.adapter = adapter
        self.operation = operation
        self.detail = detail
        if retryable is not None:
            self.retryable = retryable

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class ConfigError(StoreError, ValueError):
    """A DSN, option, profile or environment variable is wrong; the backend was not asked yet."""


class PluginError(ConfigError):
    """A backend is installed but did not load; the reason is chained as ``__cause__``."""


class UnsupportedError(StoreError, NotImplementedError):
    """The backend does not offer this operation; raised before any request exists."""


class NotFoundError(StoreError, LookupError):
    """The conversation or message is not in the store."""


class ConflictError(StoreError):
    """The store holds something else than the caller assumed; nothing was written."""


class InvalidError(StoreError, ValueError):
    """The arguments were refused, by this library or by the backend; nothing was written."""


class AuthError(StoreError, PermissionError):
    """The backend refused the credential, or what it may do."""


class ForbiddenError(AuthError):
    """The credential is right, but may not do this."""


class RateLimitError(StoreError):
    """The backend asks for patience.

    Attributes:
        retry_after: Seconds that the backend asked to wait; None when it named no time.
    """

    retryable = True

    def __init__(
        self, message: str, *, retry_after: float | None = None, **context: Unpack[_Context]
    ) -> None:
        super().__init__(message, **context)
        self.retry_after = retry_after


class UnavailableError(StoreError, ConnectionError):
    """No route, a time-out, a dropped connection or a 5xx.

    Attributes:
        retry_after: Seconds that the backend asked to wait (a 503 may); None when it named no time.

    A plain 500 is not ``retryable``: the services answer it for broken rows as well, for ever.
    """

    retryable = True

    def __init__(
        self, message: str, *, retry_after: float | None = None, **context: Unpack[_Context]
    ) -> None:
        super().__init__(message, **context)
        self.retry_after = retry_after


class ProtocolError(StoreError):
    """The service's answer leaves nothing to return; the message names the field.

    Attributes:
        excerpt: The first characters of what was answered, redacted; None when there was nothing.
    """

    def __init__(
        self, message: str, *, excerpt: str | None = None, **context: Unpack[_Context]
    ) -> None:
        super().__init__(message, **context)
        self.excerpt = excerpt


def redact(text: str, secrets: Iterable[str]) -> str:
    """Returns the text with each of the secrets replaced by ``***``.

    So is a secret's beginning, as what services say is shortened, perhaps in the middle of one.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        for length in range(len(secret), min(_TELLING, len(secret)) - 1, -1):
            if length:
                text = text.replace(secret[:length], "***")
    return text
