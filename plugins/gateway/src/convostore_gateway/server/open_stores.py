"""The stores that an operator names, opened with their namespaces and models.

No HTTP and no command line here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from convostore.adapters import Adapter, Operation
from convostore.config import Default, open_adapter
from convostore.errors import ConfigError
from convostore.plugins import model_for
from convostore.store import AsyncConversationStore


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """A model that replies in stores which cannot reply themselves.

    Attributes:
        url: The base address of the model's API.
        api: The kind of the API; a plugin for it must be installed.
    """

    url: str
    api: str = "openai"
    model: str | None = None
    api_key: SecretStr | None = None


@dataclass(frozen=True, kw_only=True)
class OpenedStores:
    """The stores to be served.

    Attributes:
        stores: The stores by namespace; the empty one is the target itself.
        namespaces: Further namespaces of the target, which need no separate store.
        scopes: Namespaces by app.
    """

    stores: Mapping[str, AsyncConversationStore]
    namespaces: frozenset[str] = frozenset()
    scopes: Mapping[str, str] = field(default_factory=dict)


def open_stores(
    target: str,
    options: Mapping[str, object],
    *,
    create: bool = True,
    namespaces: Iterable[str] = (),
    apps: Mapping[str, str] | None = None,
    upstream: Upstream | None = None,
) -> OpenedStores:
    """Open the stores to be served; no backend is asked yet.

    Args:
        target: A DSN, or the name of a profile.
        options: The options of the target's adapter.
        create: Whether databases that are missing are made, where no option says so.
        namespaces: Further namespaces of the target to serve.
        apps: By app, a namespace of the target, or the DSN of another store whose namespace is then
            the id of the app.
        upstream: The model for stores that cannot reply.

    Raises:
        ConfigError: A store cannot be opened, or does not have namespaces.
    """
    apps, creation = apps or {}, {"create": Default(create)}
    options = creation | dict(options)
    others = {app: value for app, value in apps.items() if "://" in value}
    scopes = {app: app if app in others else value for app, value in apps.items()}
    required = {*namespaces, *scopes.values()} - {"", *others}
    adapters = {"": open_adapter(target, **options)}
    if required and not adapters[""].has_namespaces:
        raise ConfigError(
            f"{adapters[''].label} does not have namespaces, so {min(required)!r} cannot be "
            "served: serve a store that has them, such as sqlite:///, or pass the DSN of another "
            "store for the app"
        )
    for app, dsn in others.items():
        adapters[app] = open_adapter(dsn, **creation)
    return OpenedStores(
        stores={name: _async_store(adapter, upstream) for name, adapter in adapters.items()},
        namespaces=frozenset(required),
        scopes=scopes,
    )


def _async_store(adapter: Adapter, upstream: Upstream | None) -> AsyncConversationStore:
    if upstream is None or Operation.STREAM_REPLY in adapter.offers:
        return AsyncConversationStore(adapter, adapter.async_transport())
    replying = model_for(upstream.api)(
        adapter, url=upstream.url, model=upstream.model, api_key=upstream.api_key
    )
    return AsyncConversationStore(replying, replying.async_transport())
