"""Which stores are served: what an operator names, opened, with its namespaces and models.

No HTTP and no command line here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from convostore.adapters import Adapter, Operation
from convostore.config import open_adapter
from convostore.errors import ConfigError
from convostore.plugins import model_for
from convostore.store import AsyncConversationStore


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """A model that answers in stores which do not answer themselves.

    Attributes:
        url: The base address of the model's API.
        api: The kind of that API; a plugin must be installed for it.
    """

    url: str
    api: str = "openai"
    model: str | None = None
    api_key: SecretStr | None = None


@dataclass(frozen=True, kw_only=True)
class Stock:
    """What is served.

    Attributes:
        stores: By namespace; the empty one is the target itself.
        scopes: By app, the namespace that it stands for.
    """

    stores: Mapping[str, AsyncConversationStore]
    scopes: Mapping[str, str] = field(default_factory=dict)


def stock(
    target: str,
    options: Mapping[str, str],
    *,
    namespaces: Iterable[str] = (),
    apps: Mapping[str, str] | None = None,
    upstream: Upstream | None = None,
) -> Stock:
    """Opens what is served; nothing is asked of a backend yet.

    Args:
        target: A DSN, or the name of a profile.
        options: Those of the target's adapter.
        namespaces: Those of the target that are served beside its own.
        apps: By app, a namespace of the target, or the DSN of another store. The namespace of the
            latter is the app's id.
        upstream: What answers in the stores that do not.

    Raises:
        ConfigError: A store cannot be opened, or has no namespaces; says which, and how to mend it.
    """
    apps = apps or {}
    others = {app: value for app, value in apps.items() if "://" in value}
    scopes = {app: app if app in others else value for app, value in apps.items()}
    wanted = {*namespaces, *scopes.values()} - {"", *others}
    adapters = {"": open_adapter(target, **options)}
    if wanted and "namespace" not in adapters[""].Options.model_fields:
        raise ConfigError(
            f"{adapters[''].label} keeps no namespaces apart, so that {min(wanted)!r} can be none "
            "of its own: serve a store that does, such as sqlite:///, or give an app the DSN of "
            "another store"
        )
    for namespace in sorted(wanted):
        adapters[namespace] = open_adapter(target, **{**options, "namespace": namespace})
    for app, dsn in others.items():
        adapters[app] = open_adapter(dsn)
    return Stock(
        stores={name: _opened(adapter, upstream) for name, adapter in adapters.items()},
        scopes=scopes,
    )


def _opened(adapter: Adapter, upstream: Upstream | None) -> AsyncConversationStore:
    if upstream is None or Operation.STREAM_REPLY in adapter.offers:
        return AsyncConversationStore(adapter, adapter.async_transport())
    answered = model_for(upstream.api)(
        adapter, url=upstream.url, model=upstream.model, api_key=upstream.api_key
    )
    return AsyncConversationStore(answered, answered.async_transport())
