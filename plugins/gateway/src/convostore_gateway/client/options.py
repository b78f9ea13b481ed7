"""What a store of `gateway+http(s)://` is opened with, and what may go with a turn."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, SecretStr, create_model

from convostore.adapters import AdapterOptions
from convostore.errors import InvalidError
from convostore.http import HTTPOptions
from convostore.models import JSON
from convostore.serialization import to_json


def _sendable(token: SecretStr | None) -> SecretStr | None:
    text = token.get_secret_value() if token else ""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("a token is printable ASCII without spaces")
    return token


class GatewayOptions(HTTPOptions):
    """The options of a store behind a gateway.

    Attributes:
        token: The bearer token that the gateway asks for; none where it is open to everybody.
    """

    token: Annotated[SecretStr | None, AfterValidator(_sendable)] = None


class GatewayReplyOptions(AdapterOptions):
    """The options of a turn: those that the store behind takes, which looks whether they are right.

    `check` finds out their names.
    """

    model_config = ConfigDict(extra="allow")


@cache
def reply_options(names: frozenset[str]) -> type[AdapterOptions]:
    """Makes the closed model of options of these names, whose values the store behind looks at."""
    fields: dict[str, Any] = dict.fromkeys(sorted(names), (Any, None))  # as pydantic takes them
    return create_model("GatewayReplyOptions", __base__=AdapterOptions, **fields)


def given(options: AdapterOptions) -> dict[str, JSON]:
    """Those options that were given.

    Raises:
        InvalidError: One is nothing that JSON can hold.
    """
    values = {name: getattr(options, name) for name in sorted(options.model_fields_set)}
    for name, value in values.items():
        try:
            to_json(value)
        except InvalidError:
            raise InvalidError(f"the option {name!r} is no plain JSON, which is sent") from None
    return values
