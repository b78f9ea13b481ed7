"""`convostore serve`: from words of the command line to a server that runs.

What the words mean stands here; what is served `stocking` opens, and `serving` runs it. Imports
little, so that the help of `convostore` need not wait for a server.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
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
    from .open_stores import Stock, Upstream

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
        int, typer.Option(min=0, max=65535, help="0 takes any that is free, and tells which.")
    ] = 8000,
    token: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TOKEN",
            help="Admits who brings it; may be repeated. Others of this machine can see it: better "
            "in CONVOSTORE_GATEWAY_TOKENS, with blanks between, or in --tokens-file.",
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
            help="What requests name as their app (FastGPT's appId) and which namespace of TARGET, "
            "or which other store, it is; may be repeated. Other apps are then refused.",
        ),
    ] = None,
    upstream: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="An OpenAI-compatible API that answers, where TARGET does not itself; its key is "
            "read from CONVOSTORE_UPSTREAM_API_KEY.",
        ),
    ] = None,
    upstream_model: Annotated[
        str | None, typer.Option(metavar="NAME", help="The model that is asked there.")
    ] = None,
    cors: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="An origin whose pages may call; may be repeated."),
    ] = None,
    public_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="A name that this server is reached by, and no other; repeatable."
        ),
    ] = None,
    behind_proxy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="A proxy's address or network, whose X-Forwarded-For and -Proto are believed; "
            "repeatable. Then a token is always needed.",
        ),
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Refuse every change.")] = False,
    no_viewer: Annotated[bool, typer.Option("--no-viewer", help="Serve no pages.")] = False,
    max_body: Annotated[
        int, typer.Option(min=1, metavar="MIB", help="The most mebibytes of a request's body.")
    ] = 64,
    max_page: Annotated[int, typer.Option(min=1, help="The most items of a page.")] = 500,
    max_connections: Annotated[int, typer.Option(min=1, help="The most clients at a time.")] = 1000,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Write no access log.")] = False,
) -> None:
    """Serves a store over HTTP, with pages for people.

    In the dialects of its services and natively, until Ctrl-C. Without a token only programs of
    this machine are admitted.

    \b
    Examples:
      convostore serve sqlite:///history.db
      convostore serve work --port 0 --read-only
      convostore serve work --host 0.0.0.0 --tokens-file tokens.toml
      convostore serve work --app 0123456789abcdef01234567=team
      convostore serve work --upstream http://localhost:11434/v1 --upstream-model llama3.2
    """
    from contextlib import closing

    from ..app import create_app
    from ..limits import Limits
    from .logs import log_to_stderr
    from .run import collect_less, listen, url_of
    from .run import serve as serve_until_told
    from .tokens_file import given_tokens

    tokens = given_tokens(token or (), tokens_file)
    found = _stock(target, given, tokens, app or (), _upstream(upstream, upstream_model))
    limits = Limits(body=max_body * _MEBIBYTE, page=max_page, connections=max_connections)
    _check_proxies(behind_proxy or ())
    with closing(listen(host, port)) as listening:
        _check_openness(listening, tokens, behind_proxy or ())
        served = create_app(
            found.stores,
            tokens=tokens,
            open_access=not tokens,
            read_only=read_only,
            scopes=found.scopes,
            limits=limits,
            cors=cors or (),
            hosts=_hosts(host, public_host or (), is_open=not tokens),
            viewer=not no_viewer,
        )
        log_to_stderr(access=not quiet)
        print_to_stderr(_told(found, url_of(listening), is_open=not tokens, viewer=not no_viewer))
        collect_less()
        in_order = serve_until_told(
            served,
            listening,
            stores=found.stores.values(),
            limits=limits,
            proxies=behind_proxy or (),
        )
    if not in_order:
        raise typer.Exit(ExitCode.INTERRUPTED)


def _stock(
    target: str,
    given: list[str] | None,
    tokens: Iterable[Token],
    apps: Iterable[str],
    upstream: Upstream | None,
) -> Stock:
    from .open_stores import stock

    return stock(
        target,
        store_options(given or []),
        namespaces={token.namespace for token in tokens if token.namespace},
        apps=_apps(apps),
        upstream=upstream,
    )


def _apps(given: Iterable[str]) -> dict[str, str]:
    apps: dict[str, str] = {}
    for each in given:
        app, equals, value = each.partition("=")
        if not (app and equals and value):
            raise typer.BadParameter("write ID=NAMESPACE or ID=DSN", param_hint="--app")
        if app in apps:
            raise ConfigError(f"the app {app!r} is given twice")
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
    """Refuses to admit everybody where others than this machine's programs could come."""
    if tokens:
        return
    needed = "--tokens-file FILE, CONVOSTORE_GATEWAY_TOKENS or --token TOKEN"
    if proxies:
        raise ConfigError(f"a server behind a proxy needs a token: {needed}")
    address = str(listening.getsockname()[0])
    if not ip_address(address.partition("%")[0]).is_loopback:
        raise ConfigError(
            f"a server that others can reach at {address} needs a token: {needed}; or --host "
            "127.0.0.1"
        )


def _check_proxies(proxies: Sequence[str]) -> None:
    for each in proxies:
        try:
            ip_network(each)
        except ValueError:
            raise ConfigError(
                f"--behind-proxy {each!r} is no address or network, such as 10.0.0.0/8"
            ) from None


def _hosts(host: str, public: Sequence[str], *, is_open: bool) -> list[str]:
    """The names that requests may be addressed to; none leaves them free.

    Without a token they are this machine's, so that no stranger's page can come by a name of its
    own that leads here.
    """
    if not (public or is_open):
        return []
    shown = f"[{host}]" if ":" in host else host
    return sorted({*_OF_THIS_MACHINE, shown.lower(), *(name.lower() for name in public)})


def _told(found: Stock, url: str, *, is_open: bool, viewer: bool) -> str:
    """What people are told at the beginning; a store's label holds no secret."""
    label = found.stores[""].label
    others = len(found.stores) - 1
    more = f" and {others} more" if others else ""
    pages = f", for people {url}/viewer/" if viewer else ""
    token = "no token is needed on this machine" if is_open else "a token is needed"
    return f"convostore: {label}{more} is served at {url}{pages}; {token}; Ctrl-C ends"
