"""What an address stands for: a file, a folder, a pattern of files, or a table of a database."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tidemill.core.errors import BadInput, BadValue

if TYPE_CHECKING:
    import pyarrow as pa

REMOTE = ("s3", "gs", "gcs", "abfs", "abfss", "hdfs")
_TABLE = re.compile(r"(?<=[?&])table=([^&#]*)&?")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


def is_database(path: object) -> bool:
    """Tell whether an address is that of a database.

    Examples
    --------
    >>> is_database("postgres://me@host/db"), is_database("s3://logs/day"), is_database("a.csv")
    (True, False, False)
    """
    scheme = _SCHEME.match(path) if isinstance(path, str) else None
    return bool(scheme) and scheme[1].lower() not in (*REMOTE, "file", "http", "https")


def parted(address: str, table: str | None) -> tuple[str, str | None]:
    """Part an address from the table it names itself, which goes before ``table``.

    Examples
    --------
    >>> parted("postgres://host/db?table=s.rows&sslmode=require", None)
    ('postgres://host/db?sslmode=require', 's.rows')
    """
    named = _TABLE.search(address)
    if not named:
        return address, table
    return _TABLE.sub("", address).rstrip("?&"), urllib.parse.unquote(named[1]) or table


def name_of(path: str, table: str | None = None) -> str:
    """Call a table of a database by its name, and a file by the end of its path.

    Examples
    --------
    >>> name_of("postgres://host/db?password=secret&table=rows"), name_of("logs/day.csv")
    ('rows', 'day.csv')
    """
    address, named = parted(path, table) if is_database(path) else (path, None)
    if is_database(path):
        address = hidden(address)
    return named or address.rstrip("/").rsplit("/", 1)[-1] or path


def hidden(address: str) -> str:
    """Write an address without what may be a password.

    Examples
    --------
    >>> hidden("postgres://me:secret@host/db?sslpassword=1")
    'postgres://host/db'
    """
    return re.sub(r"(?<=://)[^/?#]*@", "", address.partition("?")[0])


def without_login(path: str) -> str:
    """Write a path or an address as a report may show it: without user and password.

    Examples
    --------
    >>> without_login("postgres://me:secret@host/db?password=secret"), without_login("a.csv")
    ('postgres://host/db', 'a.csv')
    """
    return hidden(path) if is_database(path) else path


def read(
    path: str,
    *,
    table: str | None = None,
    texts: Sequence[str] = (),
    most: int | None = None,
    show: Callable[[str], object] | None = None,
) -> pa.Table:
    """Read a table; nothing is written, created or copied anywhere.

    Parameters
    ----------
    path
        A Parquet, CSV or JSON lines file; a folder of them; a Delta table; a pattern such as
        ``logs/*.parquet``; any of these at ``s3://``; or the address of a database as Ibis
        takes it, such as ``duckdb://file.db`` or ``postgres://user@host/db?table=rows``; or
        ``spark://?table=rows``, a table of the catalog of a Spark session.
    table
        The table of the database, with its schema before a dot where it needs one.
    texts
        Columns of text files to read as text whatever they look like: ids such as 00123.
    most
        Of how many rows at most a table of a database is fetched; a larger one is refused.
    show
        Is told each query on the rows of a database before it is sent.

    Returns
    -------
    pyarrow.Table
        At least one row, no two columns of a name.

    Raises
    ------
    BadInput
        If it cannot be read, or holds no rows.
    NotFound
        If there is no such file or table.
    MissingExtra
        If the package for the database is not installed.

    Examples
    --------
    >>> read("https://example.com/table.parquet")
    Traceback (most recent call last):
    ...
    tidemill.core.errors.BadInput: https addresses cannot be read. Fix: download the file and give its path.
    """
    scheme = _SCHEME.match(path)
    kind = scheme[1].lower() if scheme else ""
    if kind in ("http", "https"):
        raise BadInput(
            f"{kind} addresses cannot be read.", fix="download the file and give its path."
        )
    if not path.strip():
        raise BadValue("the path of the table is empty.", fix="give a file, folder or address.")
    if most is not None and most < 1:
        raise BadValue(f"--scan-cap is {most}.", fix="give 1 row or more.")
    if is_database(path):
        from tidemill.adapters.sources.ibis_address import read_table

        path, table = parted(path, table)
        rows, name = (
            read_table(path, table, most=most, show=show),
            f"{kind}://… {table or ''}".strip(),
        )
    elif table is not None:
        raise BadValue(
            f"--table {table}: {path} is no database.",
            fix="leave --table out, or give an address such as duckdb://file.db.",
        )
    elif most is not None or show is not None:
        raise BadValue(
            f"{path} is no database, and --scan-cap and --show-sql are for databases.",
            fix="leave them out, or give an address such as duckdb://file.db.",
        )
    else:
        from tidemill.adapters.sources.files import read_files

        rows, name = read_files(path, texts), path
    names = rows.column_names
    twins = sorted({n for n in names if names.count(n) > 1})
    if twins:
        raise BadInput(
            f"{name} has the column {twins[0]!r} more than once.", fix="rename or remove one."
        )
    if not rows.num_rows:
        raise BadInput(f"{name} holds no rows.", fix="give a table with rows, or check a filter.")
    return rows
