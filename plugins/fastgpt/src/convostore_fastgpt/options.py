"""What a FastGPT store is opened with, and what of it must be there."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import SecretStr, field_validator

from convostore.errors import ConfigError
from convostore.http import HTTPOptions

SourceName: TypeAlias = Literal[
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


class FastGPTOptions(HTTPOptions):
    """The options of a FastGPT store.

    Attributes:
        app_id: The app whose conversations these are, 24 hexadecimal digits. With a share link it
            is needed only by servers before 4.15.
        api_key: An API key that may read the app; needed unless there is a share link.
        source: Through what the conversations listed were made; ``all`` lists every one that the
            key's owner has.
        share_id: A share link's id, which takes the place of a key.
        outlink_uid: Which visitor of the share link, as the link's page named it.
    """

    app_id: str | None = None
    api_key: SecretStr | None = None
    source: SourceName = "api"
    share_id: SecretStr | None = None
    outlink_uid: SecretStr | None = None

    @field_validator("api_key")
    @classmethod
    def _key_is_sendable(cls, key: SecretStr | None) -> SecretStr | None:
        text = key.get_secret_value() if key else ""
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("a key is printable ASCII without spaces")
        return key

    def require(self) -> None:
        """Looks whether what a store needs is there.

        Raises:
            ConfigError: It is not; the message says where to put it.
        """
        if (self.share_id is None) != (self.outlink_uid is None):
            raise ConfigError("fastgpt: a share link is share_id and outlink_uid, both of them")
        if self.share_id is not None:
            return
        if not self.app_id:
            raise ConfigError(
                "fastgpt: the option 'app_id' is needed: the 24 digits in the address of the app's "
                "page; pass app_id=…, or set CONVOSTORE_FASTGPT_APP_ID"
            )
        if self.api_key is None or not self.api_key.get_secret_value():
            raise ConfigError(
                "fastgpt: the option 'api_key' is needed: pass api_key=…, or set "
                "CONVOSTORE_FASTGPT_API_KEY"
            )
