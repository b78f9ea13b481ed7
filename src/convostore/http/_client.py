"""Making the HTTP client, and what is done to it that it has no argument for."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from ..errors import ConfigError
from ._options import HTTPOptions

if TYPE_CHECKING:
    import httpx

_TRUST: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""The environment's variables that say which certificates are trusted."""
_KEEP_ALIVE: Final = 4.0
"""Seconds that an idle connection is kept: Node closes its side after 5."""


def client_arguments(options: HTTPOptions, authorization: str | None) -> dict[str, Any]:
    """What the client of either face is made with."""
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
        verify = _trusting(*map(os.environ.get, _TRUST))
    elif isinstance(verify, str):
        try:
            verify = ssl.create_default_context(cafile=verify)
        except OSError:
            raise ConfigError("verify names no readable file of certificates") from None
    return {
        "headers": headers,
        "timeout": httpx.Timeout(options.timeout),
        "limits": httpx.Limits(keepalive_expiry=_KEEP_ALIVE),
        "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        "verify": verify,
        "proxy": proxy.get_secret_value() if proxy else None,
    }


@lru_cache(maxsize=4)
def _trusting(*_environment: str | None) -> ssl.SSLContext:
    """The certificates that are trusted by default, read once: that takes longer than a request."""
    import httpx

    return httpx.create_ssl_context()


@cache
def _user_agent() -> str:
    from importlib.metadata import version

    return f"convostore/{version('convostore')}"


@lru_cache(maxsize=256)
def parsed(url: str) -> httpx.URL:
    """An address as the client wants it; the same ones are asked again and again."""
    import httpx

    return httpx.URL(url)


@contextmanager
def config_errors() -> Iterator[None]:
    """Turns what a client says of its proxy, perhaps with a password, into an error of ours."""
    import httpx

    try:
        yield
    except (ValueError, TypeError, ImportError, httpx.InvalidURL):
        raise ConfigError("proxy, or the environment's, is none that HTTP can use") from None


def install_backend(client: httpx.Client | httpx.AsyncClient, put: Callable[[Any], object]) -> None:
    """Puts something below a client's pools; httpx has no argument for it, httpcore has one."""
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001
        pool: Any = getattr(transport, "_pool", None)  # Any: httpcore's, and private in httpx
        backend = getattr(pool, "_network_backend", None)
        if backend is not None:
            pool._network_backend = put(backend)  # noqa: SLF001
