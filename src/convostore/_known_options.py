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
    """The options of this project's backends, as arguments of `open` and `aopen`.

    No backend has all of them. The comments name the schemes; the page "DSNs and options" explains
    each option.
    """

    # the SQL stores, memory:// and echo://
    namespace: str
    # all but memory:// and echo://; in seconds
    timeout: float
    concurrency: int
    # all over HTTP
    reply_timeout: float
    retries: int
    headers: Mapping[str, str | SecretStr]
    verify: bool | str
    proxy: str | SecretStr | None
    max_body: int
    trace: Callable[[Exchange], None] | None
    # sqlite:// and postgresql://
    create: bool
    # sqlite://
    durability: Literal["normal", "full"]
    # postgresql://
    password: str | SecretStr | None
    host: str | None
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None
    sslrootcert: str | None
    prepare: bool | None
    # fastgpt://
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
    # perplexica://
    chat_model: str | None
    embedding_model: str | None
    focus_mode: str | None
    sources: str | Sequence[str] | None
    optimization_mode: Literal["speed", "balanced", "quality"] | None
    system_instructions: str | None
    files: str | Sequence[str] | None
    # gateway://
    token: str | SecretStr | None
