"""Options of SQLite and PostgreSQL stores. No statement and no connection here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from convostore.adapters import AdapterOptions


class SQLOptions(AdapterOptions):
    """Options of both databases.

    Attributes:
        namespace: Namespace of the conversations; those of other namespaces are out of reach.
        timeout: Seconds that a call waits for other writers.
        concurrency: Number of calls that one store runs at a time.
        create: Whether to create a missing file or missing tables. With ``false`` they are an
            error: use it for a store that is only read, where a mistyped name would look like an
            empty store.
    """

    namespace: str = ""
    timeout: Annotated[float, Field(ge=0, le=86_400)] = 30.0
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 4
    create: bool = True


class SQLiteOptions(SQLOptions):
    """Options of SQLite.

    Attributes:
        durability: The writes that a power failure may lose: with ``normal`` the last ones, but
            never older ones or the file; with ``full`` none that was acknowledged.
    """

    durability: Literal["normal", "full"] = "normal"


class PostgreSQLOptions(SQLOptions):
    """Options of PostgreSQL.

    Attributes:
        password: Password in place of one in the DSN; libpq's ``PGPASSWORD`` and ``~/.pgpass`` work
            as well.
        host: Folder of the server's socket, in place of the DSN's host.
        sslmode: TLS mode of libpq; ``verify-full`` checks the server's certificate.
        sslrootcert: File of the certificates that are trusted.
        prepare: Whether the server keeps prepared statements. By default it does, unless a pooler
            such as PgBouncer is detected in between.
    """

    password: SecretStr | None = None
    host: str | None = None
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None = (
        None
    )
    sslrootcert: str | None = None
    prepare: bool | None = None
