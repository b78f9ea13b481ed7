"""Options of FastGPT stores, turns and the documented client, and their validation.

No path and no field of a request here.
"""

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
"""Characters: the service accepts 250 for a `chatId`, and 25 more follow the user's name."""


def _sendable(key: SecretStr | None) -> SecretStr | None:
    text = key.get_secret_value() if key else ""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must be printable ASCII without spaces")
    return key


class ClientOptions(HTTPOptions):
    """Options of the documented client.

    Attributes:
        api_key: API key; what it gives access to depends on the server's version.
    """

    api_key: Annotated[SecretStr, AfterValidator(_sendable)]

    @classmethod
    def checked(cls, api_key: str, options: Mapping[str, object]) -> Self:
        """Validate the client's options.

        Raises:
            ConfigError: One is invalid, or has no effect on a client that neither retries nor
                parses.
        """
        for name in sorted(options.keys() & {"retries", "concurrency", "max_body", "trace"}):
            raise ConfigError(f"fastgpt: the option {name!r} has no effect here: leave it out")
        if not api_key:
            raise ConfigError("fastgpt: the option 'api_key' is required")
        return validate_options(
            cls, {**options, "api_key": api_key}, lambda text: ConfigError(f"fastgpt: {text}")
        )


class FastGPTOptions(HTTPOptions):
    """Options of a FastGPT store.

    Attributes:
        app_id: The app that the conversations belong to, 24 hexadecimal digits. With a share link
            only servers before 4.15 need it.
        api_key: API key that may read the app; required unless there is a share link.
        source: The channel through which the listed conversations were created; ``all`` lists every
            conversation of the key's owner. Turns create theirs through ``api``.
        share_id: Id of a share link, in place of a key.
        outlink_uid: Id of the share link's visitor, as the link's page chose it.
        user: Name of one end user of the key; the store then sees only conversations whose ids
            begin with it, as those do that the store creates.
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
            raise ValueError(f"must have 1 to {_LONGEST_OWNER} characters when percent-encoded")
        return user

    @property
    def owner(self) -> str:
        """The prefix of the ids of the user's conversations; empty without `user`."""
        return "" if self.user is None else f"{_quoted(self.user)}:"

    def require(self) -> None:
        """Check that the options name an app and a credential.

        Raises:
            ConfigError: One is missing; the message names the places to set it.
        """
        if (self.share_id is None) != (self.outlink_uid is None):
            raise ConfigError("fastgpt: a share link needs both options: share_id and outlink_uid")
        if self.share_id is not None:
            if self.user is not None:
                raise ConfigError(
                    "fastgpt: a share link's visitor is outlink_uid: leave the option 'user' out"
                )
            return
        if not self.app_id:
            raise ConfigError(
                "fastgpt: the option 'app_id' is required: the 24 digits in the address of the "
                "app's page; pass app_id=…, or set CONVOSTORE_FASTGPT_APP_ID"
            )
        if self.api_key is None or not self.api_key.get_secret_value():
            raise ConfigError(
                "fastgpt: the option 'api_key' is required: pass api_key=…, or set "
                "CONVOSTORE_FASTGPT_API_KEY"
            )


def _quoted(user: str) -> str:
    try:
        return quote(user, safe="")
    except UnicodeEncodeError:
        raise ValueError("must not contain a lone surrogate: no id can carry it") from None


class FastGPTReplyOptions(AdapterOptions):
    """Options of a turn, or of the answer to an interaction.

    Attributes:
        variables: Values that override those stored with the conversation; for a plugin app they
            are the turn, and its text is left empty.
        detail: Whether the service reports the run: nodes, tools, interactions, and which of them
            failed. Without it a failed run looks empty until its record is read.
        retain_citations: Whether citation marks stay in the text as it arrives. The record of a
            streamed reply always keeps them; the record of a whole reply only if they are retained.
        custom_uid: Name of the asking user in the app's logs.
        turn_metadata: JSON object that is stored with the turn.
        api_version: Version of the completion endpoint; ``v2``, since 4.9.4, reports each node as
            soon as it is done.
    """

    variables: dict[str, JSON] | None = None
    detail: bool = True
    retain_citations: bool = True
    custom_uid: str | None = None
    turn_metadata: dict[str, JSON] | None = None
    api_version: Literal["v1", "v2"] = "v1"
