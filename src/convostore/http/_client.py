"""Creation of httpx clients from options, with the network backend that httpx has no argument for.

Nothing is sent here.
"""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from ..errors import ConfigError
from ._options import HTTPOptions

if TYPE_CHECKING:
    import httpx

_TRUST: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Environment variables that name the trusted certificates."""
_KEEP_ALIVE: Final = 4.0
"""Seconds to keep an idle connection; less than the 5 after which Node.js closes its side."""

_SWITCHED: Final = 101
"""The status after which the connection is handed over, in a wrapper of httpcore's."""


def _client_arguments(options: HTTPOptions, authorization: str | None) -> dict[str, Any]:
    """Return the arguments of a client, sync or async."""
    from http.cookiejar import CookieJar, DefaultCookiePolicy

    import httpx

    headers = {"accept": "application/json", "user-agent": _user_agent()}
    if authorization is not None:
        headers["authorization"] = authorization
    for name, value in options.headers.items():
        headers[name.lower()] = value.get_secret_value()
    proxy = options.proxy
    verify: object = options.verify
    if verify is True:
        verify = _default_ssl_context(*map(os.environ.get, _TRUST))
    elif isinstance(verify, str):
        try:
            verify = ssl.create_default_context(cafile=verify)
        except OSError:
            raise ConfigError(
                "verify must be a boolean or the path of a readable file of certificates, "
                f"got {verify!r}"
            ) from None
    return {
        "headers": headers,
        "timeout": httpx.Timeout(options.timeout),
        "limits": httpx.Limits(keepalive_expiry=_KEEP_ALIVE),
        "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        "verify": verify,
        "proxy": proxy.get_secret_value() if proxy else None,
    }


@lru_cache(maxsize=4)
def _default_ssl_context(*_environment: str | None) -> ssl.SSLContext:
    """Return httpx's default context, cached: loading certificates takes longer than a request."""
    import httpx

    return httpx.create_ssl_context()


@cache
def _user_agent() -> str:
    from importlib.metadata import version

    return f"convostore/{version('convostore')}"


@lru_cache(maxsize=256)
def parse_url(url: str) -> httpx.URL:
    """Return a URL as httpx wants it, cached: the same ones are requested again and again."""
    import httpx

    return httpx.URL(url)


@contextmanager
def _config_errors() -> Iterator[None]:
    """Replace what httpx says about a proxy, which may repeat its password, by a ConfigError."""
    import httpx

    try:
        yield
    except (ValueError, TypeError, ImportError, httpx.InvalidURL):
        raise ConfigError(
            "proxy must be an http, https or socks5 URL: check the option and the environment's "
            "proxy variables"
        ) from None


def make_client(options: HTTPOptions, authorization: str | None, **arguments: Any) -> httpx.Client:
    """Make a client; it opens no connection yet.

    Raises:
        ConfigError: The proxy or the file of certificates cannot be used.
    """
    import httpx

    with _config_errors():
        return httpx.Client(**_client_arguments(options, authorization), **arguments)


def make_async_client(
    options: HTTPOptions, authorization: str | None, **arguments: Any
) -> httpx.AsyncClient:
    """Make an async client, as `make_client` makes a blocking one."""
    import httpx

    with _config_errors():
        return httpx.AsyncClient(**_client_arguments(options, authorization), **arguments)


def install_backend(
    client: httpx.Client | httpx.AsyncClient, wrap: Callable[[Any], object]
) -> None:
    """Wrap the network backend of each of a client's connection pools.

    httpcore's pools take a backend as an argument, but httpx passes none on, and a transport of
    ours over such pools would have to repeat httpx's proxies, mounts and error mapping. So this
    reaches for private attributes, and fails where they are missing: deadlines that hold in silence
    on some versions only would be worse.

    The lock of a blocking pool is replaced as well. httpcore's is a class in Python, and what a
    signal handler raises in its methods comes after the lock was taken, or before it was
    released; one of `threading` is taken and released in one step.

    Args:
        client: A client that has sent nothing yet.
        wrap: Converts httpcore's backend into the one to use.

    Raises:
        ConfigError: This version of httpx or httpcore keeps its backends elsewhere.
    """
    import httpx

    try:
        transports = (client._transport, *client._mounts.values())  # noqa: SLF001  # see above
        for transport in transports:
            if transport is not None:  # None for a host of NO_PROXY, which the first one serves
                pool: Any = transport._pool  # noqa: SLF001  # Any: it is httpcore's
                pool._network_backend = wrap(pool._network_backend)  # noqa: SLF001  # see above
                if isinstance(client, httpx.Client):
                    pool._optional_thread_lock = threading.Lock()  # noqa: SLF001  # see above
    except AttributeError:
        raise _unknown_httpx() from None


def require_stream(reply: httpx.Response, kind: type) -> None:
    """Check that a response came over a connection of an installed backend.

    An attribute may still be there and no longer be used. Which connection a response came over is
    part of the documented interface of httpx and httpcore; one that a test plays came over none.

    Args:
        reply: The response.
        kind: The class of the backend's connections.

    Raises:
        ConfigError: This version of httpx or httpcore does not use the backend.
    """
    stream = reply.extensions.get("network_stream")
    if not isinstance(stream, kind | None) and reply.status_code != _SWITCHED:
        raise _unknown_httpx()


def _unknown_httpx() -> ConfigError:
    from importlib.metadata import version

    return ConfigError(
        f"httpx {version('httpx')} with httpcore {version('httpcore')} cannot be bounded by "
        "deadlines: install httpx 0.28 with httpcore 1, or a newer convostore"
    )
