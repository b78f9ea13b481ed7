"""PostgreSQL: the adapter, and the parameters of its connections.

No statement and no column may be known here.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final
from urllib.parse import unquote

from convostore.adapters import AsyncTransport, Transport
from convostore.dsn import DSN
from convostore.errors import ConfigError

try:
    import psycopg  # noqa: F401  # what is installed is found out here
    import psycopg_pool  # noqa: F401
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise ConfigError(
        'postgresql:// needs psycopg: pip install "convostore[postgresql]"'
    ) from error

from ..adapter import SQLAdapter
from ..options import PostgreSQLOptions
from ..queries import Query, Reply
from ..statements import Statements, statements_of
from ..tables import POSTGRESQL
from .async_transport import AsyncPostgreSQLTransport
from .transport import PostgreSQLTransport

_CONNECT: Final = 10
"""Seconds that one attempt to connect may take."""
_NO_TEXT: Final = re.compile("[\x00\ud800-\udfff]")


class PostgreSQLAdapter(SQLAdapter):
    """Conversations in a PostgreSQL database, which many processes may share."""

    name: ClassVar[str] = "postgresql"
    Options = PostgreSQLOptions

    def __init__(self, dsn: DSN, options: PostgreSQLOptions) -> None:
        super().__init__(dsn, options)
        self._parameters = _parameters(dsn, options)

    @property
    def _address(self) -> str:
        host = self.options.host or self.dsn.host or "localhost"
        port = f":{self.dsn.port}" if self.dsn.port else ""
        return f"postgresql://{host}{port}{self.dsn.path}"

    @property
    def _sql(self) -> Statements:
        return statements_of(POSTGRESQL)

    def transport(self) -> Transport[Query, Reply]:
        return PostgreSQLTransport(self._parameters, self.options)

    def async_transport(self) -> AsyncTransport[Query, Reply]:
        return AsyncPostgreSQLTransport(self._parameters, self.options)


def _parameters(dsn: DSN, options: PostgreSQLOptions) -> dict[str, Any]:
    if dsn.transport:
        raise ConfigError("a PostgreSQL DSN must not name HTTP: write postgresql://host/database")
    database = dsn.path.removeprefix("/")
    if "/" in database:
        raise ConfigError("a PostgreSQL DSN must name one database: postgresql://host/database")
    password = options.password.get_secret_value() if options.password else dsn.password
    parameters = {
        "host": options.host or dsn.host,
        "port": dsn.port,
        "user": dsn.username,
        "password": password,
        "dbname": unquote(database),
        "sslmode": options.sslmode,
        "sslrootcert": options.sslrootcert,
        "connect_timeout": _CONNECT,
        "fallback_application_name": "convostore",
        "client_encoding": "UTF8",
    }
    for name, value in parameters.items():
        if isinstance(value, str) and _NO_TEXT.search(value):
            raise ConfigError(f"the {name} for PostgreSQL must not contain NUL or a lone surrogate")
    return {name: value for name, value in parameters.items() if value not in {None, ""}}
