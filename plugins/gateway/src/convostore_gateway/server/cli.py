"""The command `convostore serve`: parse the command line, open the stores, run the server.

Opening belongs in `open_stores`, running in `run`. Imports little, so that the help of `convostore`
does not wait for a server.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from convostore.cli.errors import ExitCode, print_to_stderr
from convostore.cli.options import Given, Target, store_options
from convostore.errors import ConfigError

if TYPE_CHECKING:
    import socket

    from ..auth import Token
    from .open_stores import OpenedStores, Upstream

UPSTREAM_KEY: Final = "CONVOSTORE_UPSTREAM_API_KEY"
_OF_THIS_MACHINE: Final = ("localhost", "127.0.0.1", "[::1]")
_MEBIBYTE: Final = 2**20


def serve(
    target: Target,
    given: Given = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="The address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port; 0 chooses a free one and prints it.")
    ] = 8000,
    token: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TOKEN",
            help="A token that clients must send; may be repeated. Other users of this machine can "
            "see it: prefer CONVOSTORE_GATEWAY_TOKENS, separated by spaces, or --tokens-file.",
        ),
    ] = None,
    tokens_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="TOML with [[tokens]]: name, value, namespace, rights (read, full).",
        ),
    ] = None,
    app: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID=NAMESPACE|DSN",
            help="Serve an app (FastGPT's appId) from a namespace of TARGET or from another store; "
            "may be repeated. Other apps are then refused.",
        ),
    ] = None,
    upstream: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="An OpenAI-compatible API that replies where TARGET cannot; its key is read from "
            "CONVOSTORE_UPSTREAM_API_KEY.",
        ),
    ] = None,
    upstream_model: Annotated[
        str | None, typer.Option(metavar="NAME", help="The model to use there.")
    ] = None,
    cors: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN", help="An origin whose pages may call the server; may be repeated."
        ),
    ] = None,
    public_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Accept only requests for this host name; may be repeated."
        ),
    ] = None,
    behind_proxy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="The address or network of a proxy whose X-Forwarded-For and -Proto are trusted; "
            "may be repeated. A token is then required.",
        ),
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Refuse every change.")] = False,
    no_viewer: Annotated[
        bool, typer.Option("--no-viewer", help="Do not serve the viewer.")
    ] = False,
    max_body: Annotated[
        int,
        typer.Option(min=1, metavar="MIB", help="The maximum size of a request body in mebibytes."),
    ] = 64,
    max_page: Annotated[
        int, typer.Option(min=1, help="The maximum number of items of a page.")
    ] = 500,
    max_connections: Annotated[
        int, typer.Option(min=1, help="The maximum number of connections.")
    ] = 1000,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Do not write an access log.")
    ] = False,
) -> None:
    """Serve a store over HTTP, with a viewer for people.

    The native API and the dialects of installed plugins are served until Ctrl-C. Without a token
    only programs on this machine are admitted.

    \b
    Examples:
      convostore serve sqlite:///history.db
      convostore serve work --port 0 --read-only
      convostore serve work --host 0.0.0.0 --tokens-file tokens.toml
      convostore serve work --app 0123456789abcdef01234567=team
      convostore serve work --upstream http://localhost:11434/v1 --upstream-model llama3.2
    """  # noqa: D301  # click looks for the character, not for the escape
    from contextlib import closing

    from ..app import create_app
    from ..limits import Limits
    from .logs import log_to_stderr
    from .run import collect_less, listen, url_of
    from .run import serve as run_server
    from .tokens_file import load_tokens

    tokens = load_tokens(token or (), tokens_file)
    opened = _open_stores(
        target,
        given,
        tokens,
        app or (),
        _upstream(upstream, upstream_model),
        create=not read_only,
    )
    limits = Limits(body=max_body * _MEBIBYTE, page=max_page, connections=max_connections)
    _check_proxies(behind_proxy or ())
    with closing(listen(host, port)) as listening:
        _check_openness(listening, tokens, behind_proxy or ())
        gateway = create_app(
            opened.stores,
            tokens=tokens,
            open_access=not tokens,
            read_only=read_only,
            scopes=opened.scopes,
            limits=limits,
            cors=cors or (),
            hosts=_hosts(host, public_host or (), is_open=not tokens),
            viewer=not no_viewer,
        )
        log_to_stderr(access=not quiet)
        message = _startup_message(
            opened, url_of(listening), is_open=not tokens, viewer=not no_viewer
        )
        collect_less()
        is_graceful = run_server(
            gateway,
            listening,
            stores=opened.stores.values(),
            limits=limits,
            proxies=behind_proxy or (),
            announce=partial(print_to_stderr, message),
        )
    if not is_graceful:
        raise typer.Exit(ExitCode.INTERRUPTED)


def _open_stores(
    target: str,
    given: list[str] | None,
    tokens: Iterable[Token],
    apps: Iterable[str],
    upstream: Upstream | None,
    *,
    create: bool,
) -> OpenedStores:
    from .open_stores import open_stores

    return open_stores(
        target,
        store_options(given or []),
        create=create,
        namespaces={token.namespace for token in tokens if token.namespace},
        apps=_apps(apps),
        upstream=upstream,
    )


def _apps(assignments: Iterable[str]) -> dict[str, str]:
    apps: dict[str, str] = {}
    for assignment in assignments:
        app, equals, value = assignment.partition("=")
        if not (app and equals and value):
            raise typer.BadParameter("write ID=NAMESPACE or ID=DSN", param_hint="--app")
        if app in apps:
            raise ConfigError(f"app {app!r} must not be repeated")
        apps[app] = value
    return apps


def _upstream(url: str | None, model: str | None) -> Upstream | None:
    if url is None:
        if model is not None:
            raise ConfigError("--upstream-model needs --upstream URL")
        return None
    from pydantic import SecretStr

    from .open_stores import Upstream

    key = os.environ.get(UPSTREAM_KEY)
    return Upstream(url=url, model=model, api_key=SecretStr(key) if key else None)


def _check_openness(
    listening: socket.socket, tokens: Sequence[Token], proxies: Sequence[str]
) -> None:
    """Raise ConfigError if others than programs of this machine could connect without a token."""
    if tokens:
        return
    remedy = "--tokens-file FILE, CONVOSTORE_GATEWAY_TOKENS or --token TOKEN"
    if proxies:
        raise ConfigError(f"a server behind a proxy must have a token: {remedy}")
    address = str(listening.getsockname()[0])
    if not ip_address(address.partition("%")[0]).is_loopback:
        raise ConfigError(
            f"a server that others can reach at {address} must have a token: {remedy}; or --host "
            "127.0.0.1"
        )


def _check_proxies(proxies: Sequence[str]) -> None:
    for proxy in proxies:
        try:
            ip_network(proxy)
        except ValueError:
            raise ConfigError(
                f"--behind-proxy must be an address or network such as 10.0.0.0/8, got {proxy!r}"
            ) from None


def _hosts(host: str, public: Sequence[str], *, is_open: bool) -> list[str]:
    """Return the host names that requests may be addressed to; empty allows any.

    Without a token they are this machine's, so that no other site's page can reach the server
    under a host name that resolves to it.
    """
    if not (public or is_open):
        return []
    name = f"[{host}]" if ":" in host else host
    return sorted({*_OF_THIS_MACHINE, name.lower(), *(alias.lower() for alias in public)})


def _startup_message(opened: OpenedStores, url: str, *, is_open: bool, viewer: bool) -> str:
    """Return the line that is printed at start-up; a store's label holds no secret."""
    counts = {"namespace": len(opened.namespaces), "other store": len(opened.stores) - 1}
    more = [f"{count} {noun}{'s' * (count > 1)}" for noun, count in counts.items() if count]
    served = opened.stores[""].label + (f" (with {' and '.join(more)})" if more else "")
    pages = f", viewer at {url}/viewer/" if viewer else ""
    token = "no token is required on this machine" if is_open else "a token is required"
    return f"convostore: {served} is served at {url}{pages}; {token}; press Ctrl-C to stop"
