"""The exceptions, classified by what the caller can do next.

    StoreError
    ├── ConfigError (ValueError)                fix the DSN, the profile or the environment
    │   └── PluginError                         a plugin is installed, but does not load
    ├── UnsupportedError (NotImplementedError)  the backend cannot do this: check `offers` first
    ├── NotFoundError (LookupError)             it does not exist
    ├── ConflictError                           another writer was first: re-read and decide
    ├── InvalidError (ValueError)               the arguments were refused: fix them
    ├── AuthError (PermissionError)             the credential is missing or wrong
    │   └── ForbiddenError                      the credential is valid, but may not do this
    ├── RateLimitError                          wait `retry_after` seconds, then retry
    ├── UnavailableError (ConnectionError)      the service is out of reach, too slow, or broken
    └── ProtocolError                           the service's response cannot be understood

Nothing else may be here, and no message, detail or excerpt may contain a secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypedDict, Unpack

if TYPE_CHECKING:
    from .models import PartialReply

_SHORTEST_PREFIX = 10
"""Characters of a secret from which on its beginning is redacted; fewer reveal nothing."""

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
    """The base class of all errors of this library.

    Attributes:
        adapter: The name of the adapter in which it happened; None outside an adapter.
        operation: The operation that failed, such as ``"get_conversation"``; None outside one.
        retryable: Whether the same call, unchanged, may succeed later.
        detail: The service's own words, shortened and redacted; None if there were none.
        partial: What had arrived of a reply that the error ended, and the ids by which the turn can
            be looked up; None for any other error.
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
    """A DSN, option, profile or environment variable is wrong; nothing was sent to the backend."""


class PluginError(ConfigError):
    """A backend is installed but does not load; the reason is chained as ``__cause__``."""


class UnsupportedError(StoreError, NotImplementedError):
    """The backend does not offer this operation, or not with this argument; nothing was written.

    Attributes:
        argument: The argument that is not supported, such as ``"owner"``, while the operation is
            offered; None if the operation is not.
    """

    def __init__(
        self, message: str, *, argument: str | None = None, **context: Unpack[_Context]
    ) -> None:
        super().__init__(message, **context)
        self.argument = argument


class NotFoundError(StoreError, LookupError):
    """The conversation or message is not in the store."""


class ConflictError(StoreError):
    """The store does not contain what the caller assumed; nothing was written."""


class InvalidError(StoreError, ValueError):
    """The arguments were refused, by this library or by the backend; nothing was written."""


class AuthError(StoreError, PermissionError):
    """The backend refused the credential, or its permissions."""


class ForbiddenError(AuthError):
    """The credential is valid, but may not do this."""


class RateLimitError(StoreError):
    """The backend received too many requests.

    Attributes:
        retry_after: The seconds to wait before a retry; None if the backend named no time.
    """

    retryable = True

    def __init__(
        self, message: str, *, retry_after: float | None = None, **context: Unpack[_Context]
    ) -> None:
        super().__init__(message, **context)
        self.retry_after = retry_after


class UnavailableError(StoreError, ConnectionError):
    """There was no route, a time-out, a dropped connection or a 5xx status.

    A plain 500 is not ``retryable``: services return it for broken rows as well, every time.

    Attributes:
        retry_after: The seconds to wait before a retry, which a 503 may name; None otherwise.
    """

    retryable = True

    def __init__(
        self, message: str, *, retry_after: float | None = None, **context: Unpack[_Context]
    ) -> None:
        super().__init__(message, **context)
        self.retry_after = retry_after


class ProtocolError(StoreError):
    """The service's response cannot be understood; the message names the field.

    Attributes:
        excerpt: The first characters of the response, redacted; None if it was empty.
    """

    def __init__(
        self, message: str, *, excerpt: str | None = None, **context: Unpack[_Context]
    ) -> None:
        super().__init__(message, **context)
        self.excerpt = excerpt


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return a text with each of the secrets replaced by ``***``.

    The beginning of a secret is replaced as well, since services' messages are shortened, perhaps
    in the middle of one.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        for length in range(len(secret), min(_SHORTEST_PREFIX, len(secret)) - 1, -1):
            if length:
                text = text.replace(secret[:length], "***")
    return text
