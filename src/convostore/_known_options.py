"""The options of this project's own backends, for type checkers and editors.

Only names and types are here: what an option means, its default and its check belong to the
backend's plugin, and a backend of somebody else is not listed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from pydantic import SecretStr

    from .http import Exchange


class OpenOptions(TypedDict, total=False):
    """The options of our own backends, as arguments of `open` and `aopen`.

    No backend has all of them; see the page "DSNs and options" for those of each scheme.

    Attributes:
        namespace: Of ``sqlite://``, ``postgresql://``, ``memory://`` and ``echo://``.
        timeout: Seconds for one request or statement.
        reply_timeout: Seconds without a word of a reply, over HTTP.
        concurrency: The number of requests or transactions at a time.
        durability: Of ``sqlite://``.
        password: Of ``postgresql://``; so are ``host``, ``sslmode``, ``sslrootcert`` and
            ``prepare``.
        api_key: Of ``fastgpt://``; so are ``app_id``, ``source``, ``share_id``, ``outlink_uid`` and
            ``user``.
        chat_model: Of ``perplexica://``; so are ``embedding_model``, ``focus_mode``, ``sources``,
            ``optimization_mode``, ``system_instructions`` and ``files``.
        token: Of ``gateway://``.
    """

    namespace: str
    timeout: float
    reply_timeout: float
    concurrency: int
    retries: int
    headers: Mapping[str, str | SecretStr]
    verify: bool | str
    proxy: str | SecretStr | None
    max_body: int
    trace: Callable[[Exchange], None] | None
    create: bool
    durability: Literal["normal", "full"]
    password: str | SecretStr | None
    host: str | None
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None
    sslrootcert: str | None
    prepare: bool | None
    app_id: str | None
    api_key: str | SecretStr | None
    source: Literal[
        "api",
        "all",
        "online",
        "share",
        "test",
        "cronJob",
        "feishu",
        "official_account",
        "wecom",
        "wechat",
        "mcp",
        "team",
    ]
    share_id: str | SecretStr | None
    outlink_uid: str | SecretStr | None
    user: str | None
    chat_model: str | None
    embedding_model: str | None
    focus_mode: str | None
    sources: str | Sequence[str] | None
    optimization_mode: Literal["speed", "balanced", "quality"] | None
    system_instructions: str | None
    files: str | Sequence[str] | None
    token: str | SecretStr | None
