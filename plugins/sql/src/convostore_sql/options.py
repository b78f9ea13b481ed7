"""The options of both databases, each with what it is for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from convostore.adapters import AdapterOptions


class SQLOptions(AdapterOptions):
    """What both take.

    Attributes:
        namespace: Whose conversations these are; those of other namespaces are out of reach.
        timeout: How long a call waits for others that write, in seconds.
        concurrency: How many calls of one store are carried out at a time.
    """

    namespace: str = ""
    timeout: Annotated[float, Field(ge=0, le=86_400)] = 30.0
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 4


class SQLiteOptions(SQLOptions):
    """SQLite's.

    Attributes:
        durability: What a power failure may take: with ``normal`` the last writes, never more and
            never the file; with ``full`` nothing that was acknowledged.
    """

    durability: Literal["normal", "full"] = "normal"


class PostgreSQLOptions(SQLOptions):
    """PostgreSQL's.

    Attributes:
        password: In place of one in the DSN; libpq's own ways (``PGPASSWORD``, ``~/.pgpass``) work
            as well.
        host: A folder with the server's socket, in place of the DSN's host.
        sslmode: libpq's: ``verify-full`` looks at the server's certificate.
        sslrootcert: The file of certificates that it is looked up in.
    """

    password: SecretStr | None = None
    host: str | None = None
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None = (
        None
    )
    sslrootcert: str | None = None
