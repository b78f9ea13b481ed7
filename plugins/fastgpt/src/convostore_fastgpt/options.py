"""What a FastGPT store is opened with, and what of it must be there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self, TypeAlias
from urllib.parse import quote

from pydantic import AfterValidator, SecretStr, field_validator

from convostore.adapters import AdapterOptions, validate_options
from convostore.errors import ConfigError
from convostore.http import HTTPOptions
from convostore.models import JSON

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


_LONGEST_OWNER: Final = 220
"""Characters: the service takes 250 for a `chatId`, and a name is followed by 25 others."""


def _sendable(key: SecretStr | None) -> SecretStr | None:
    text = key.get_secret_value() if key else ""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("a key is printable ASCII without spaces")
    return key


class ClientOptions(HTTPOptions):
    """What the documented client is opened with.

    Attributes:
        api_key: An API key; which one opens what, depends on the server's version.
    """

    api_key: Annotated[SecretStr, AfterValidator(_sendable)]

    @classmethod
    def checked(cls, api_key: str, options: Mapping[str, object]) -> Self:
        """Checks what was given.

        Raises:
            ConfigError: It is wrong, or has no effect on a client that repeats and reads nothing.
        """
        for name in sorted(options.keys() & {"retries", "concurrency", "max_body", "trace"}):
            raise ConfigError(f"fastgpt: the option {name!r} has no effect here: leave it out")
        if not api_key:
            raise ConfigError("fastgpt: the option 'api_key' is needed")
        return validate_options(
            cls, {**options, "api_key": api_key}, lambda told: ConfigError(f"fastgpt: {told}")
        )


class FastGPTOptions(HTTPOptions):
    """The options of a FastGPT store.

    Attributes:
        app_id: The app whose conversations these are, 24 hexadecimal digits. With a share link it
            is needed only by servers before 4.15.
        api_key: An API key that may read the app; needed unless there is a share link.
        source: Through what the conversations listed were made; ``all`` lists every one that the
            key's owner has. What a turn begins was made through ``api``.
        share_id: A share link's id, which takes the place of a key.
        outlink_uid: Which visitor of the share link, as the link's page named it.
        user: Which of the end users behind the key; the store then knows only the conversations
            whose ids begin with this name, as those do that it makes.
    """

    app_id: str | None = None
    api_key: Annotated[SecretStr | None, AfterValidator(_sendable)] = None
    source: SourceName = "api"
    share_id: SecretStr | None = None
    outlink_uid: SecretStr | None = None
    user: str | None = None

    @field_validator("user")
    @classmethod
    def _user_fits_into_an_id(cls, user: str | None) -> str | None:
        if user is not None and not 0 < len(_quoted(user)) <= _LONGEST_OWNER:
            raise ValueError(
                f"a user's name is 1 to {_LONGEST_OWNER} characters long, percent-encoded"
            )
        return user

    @property
    def owner(self) -> str:
        """What the ids of the user's conversations begin with; empty where there is no `user`."""
        return "" if self.user is None else f"{_quoted(self.user)}:"

    def require(self) -> None:
        """Looks whether what a store needs is there.

        Raises:
            ConfigError: It is not; the message says where to put it.
        """
        if (self.share_id is None) != (self.outlink_uid is None):
            raise ConfigError("fastgpt: a share link is share_id and outlink_uid, both of them")
        if self.share_id is not None:
            if self.user is not None:
                raise ConfigError(
                    "fastgpt: a share link's visitor is outlink_uid: leave the option 'user' out"
                )
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


def _quoted(user: str) -> str:
    try:
        return quote(user, safe="")
    except UnicodeEncodeError:
        raise ValueError("a user's name holds a lone surrogate, which no id can carry") from None


class FastGPTReplyOptions(AdapterOptions):
    """What may be passed with a turn, or with the answer of an interaction.

    Attributes:
        variables: Laid over those that the conversation has stored; to a plugin app they are the
            turn, whose text is then left empty.
        detail: Whether the service tells of the run: nodes, tools, interactions, and which of them
            failed. Without it a failed run is an empty one until its record is read.
        retain_citations: Whether marks of citations stay in the text as it comes. What is stored
            has them in a streamed reply whatever is said here, and in one that comes whole only if
            they are retained.
        custom_uid: Who is asking, as the app's logs show it.
        metadata: Stored with the turn.
        api_version: Which of the service's two ways to answer; ``v2``, since 4.9.4, tells of each
            node when it is done.
    """

    variables: dict[str, JSON] | None = None
    detail: bool = True
    retain_citations: bool = True
    custom_uid: str | None = None
    metadata: dict[str, JSON] | None = None
    api_version: Literal["v1", "v2"] = "v1"
