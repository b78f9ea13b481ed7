"""The options of every HTTP adapter; those of one service belong in its adapter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from ..adapters import AdapterOptions
from ._messages import Exchange


def _header_lines(value: object) -> object:
    """Parse ``Name: value`` lines, the form headers have in DSNs and environment variables."""
    if not isinstance(value, str):
        return value
    lines = [line.partition(":") for line in value.splitlines() if line.strip()]
    return {name.strip(): content.strip() for name, _, content in lines}


class HTTPOptions(AdapterOptions):
    """The options of every HTTP adapter.

    Attributes:
        timeout: The seconds one request may take, from connecting to the end of its response. Each
            attempt gets the full time, and the waits between attempts do not count.
        reply_timeout: The seconds a model may take: for the whole of a reply that is not streamed,
            and between two chunks of one that is.
        retries: How often a request that is harmless to repeat is retried after a temporary
            failure; 0 turns retries off.
        concurrency: How many requests of one async store run at a time.
        headers: Headers of every request; in a DSN or the environment as ``Name: value`` lines.
        verify: Whether to verify TLS certificates, or the path of a file of trusted ones.
        proxy: The URL of a proxy; without it, the environment's proxies are used.
        max_body: The maximum size in bytes of a response that is read whole. For a streamed one,
            the text of the reply (64 Mi characters) and each event are bounded.
        trace: A function that is called with an `Exchange` after each request; only as an argument,
            not in a DSN.
    """

    timeout: float = Field(default=30.0, gt=0)
    reply_timeout: float = Field(default=120.0, gt=0)
    retries: int = Field(default=2, ge=0)
    concurrency: int = Field(default=4, ge=1)
    headers: Annotated[dict[str, SecretStr], BeforeValidator(_header_lines)] = Field(
        default_factory=dict
    )
    verify: Annotated[bool | str, Field(union_mode="left_to_right")] = True
    proxy: SecretStr | None = None
    max_body: int = Field(default=512 * 2**20, ge=1)
    trace: Callable[[Exchange], None] | None = Field(default=None, repr=False)

    @field_validator("headers")
    @classmethod
    def _headers_are_sendable(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            text = name + value.get_secret_value()
            if not name or not text.isprintable() or not text.isascii():
                raise ValueError("must hold printable ASCII, each header on one line")
        return headers
