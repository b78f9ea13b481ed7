"""The options that every HTTP adapter takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from ..adapters import AdapterOptions
from ._messages import Exchange


def _header_lines(value: object) -> object:
    """Reads ``Name: value`` lines, the form that DSNs and environment variables can hold."""
    if not isinstance(value, str):
        return value
    lines = [line.partition(":") for line in value.splitlines() if line.strip()]
    return {name.strip(): content.strip() for name, _, content in lines}


class HTTPOptions(AdapterOptions):
    """The options that every HTTP adapter takes.

    Attributes:
        timeout: Seconds for one request: from connecting to the end of its answer. Each attempt
            has as many, and the waits between attempts are not counted.
        reply_timeout: Seconds that a model may take: for the whole of a reply that is not streamed,
            and between two pieces of one that is.
        retries: How often one harmless request is repeated after a passing failure; 0 turns it off.
        concurrency: How many requests of one store are under way at a time (async).
        headers: Sent with every request; in a DSN or the environment as ``Name: value`` lines.
        verify: Whether to verify TLS certificates, or the path of a file of trusted ones.
        proxy: The URL of a proxy; the environment's proxies are used without it.
        max_body: The most bytes of one answer that is read whole; of one that is streamed, the text
            that it adds up to is bounded (64 Mi characters), and each of its events.
        trace: Called with an `Exchange` after each request; only as an argument.
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
                raise ValueError("a header must be printable ASCII on one line")
        return headers
