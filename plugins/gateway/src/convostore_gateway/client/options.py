"""Options of a `gateway+http(s)://` store, and options of a turn."""

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
        raise ValueError("must be printable ASCII without spaces")
    return token


class GatewayOptions(HTTPOptions):
    """The options of a store behind a gateway.

    Attributes:
        token: The bearer token that the gateway requires; None for a gateway that requires none.
    """

    token: Annotated[SecretStr | None, AfterValidator(_sendable)] = None


class GatewayReplyOptions(AdapterOptions):
    """The options of a turn; the served store validates them, and `check` learns their names."""

    model_config = ConfigDict(extra="allow")


@cache
def reply_options(names: frozenset[str]) -> type[AdapterOptions]:
    """Return a closed model of options of these names, whose values the served store validates."""
    fields: dict[str, Any] = dict.fromkeys(sorted(names), (Any, None))  # create_model's
    return create_model("GatewayReplyOptions", __base__=AdapterOptions, **fields)


def plain_options(options: AdapterOptions) -> dict[str, JSON]:
    """Return the options that were set, as JSON.

    Raises:
        InvalidError: An option is not JSON.
    """
    values = {name: getattr(options, name) for name in sorted(options.model_fields_set)}
    for name, value in values.items():
        try:
            to_json(value)
        except InvalidError:
            raise InvalidError(
                f"the option {name!r} must be plain JSON, got a {type(value).__name__}"
            ) from None
    return values
