"""Tables of databases, through Ibis; opened to be read only."""

from __future__ import annotations

import re
import sqlite3
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa

from tidemill.adapters.sources.addresses import hidden, parted
from tidemill.adapters.sources.spark_session import session_of
from tidemill.core.errors import BadInput, BadValue, MissingExtra, NotFound, TidemillError, unknown

_LONGEST = 300


def read_table(
    address: str,
    table: str | None,
    *,
    most: int | None = None,
    show: Callable[[str], object] | None = None,
) -> pa.Table:
    """Read one table of a database; the only one if ``table`` is left out.

    Of a table with more than ``most`` rows nothing is fetched; ``show`` is told each query on
    rows before it is sent.
    """
    connection = connect(address)
    try:
        return _fetched(find(connection, address, table), address, most, show)
    finally:
        connection.disconnect()


def find(connection: Any, address: str, table: str | None) -> Any:
    """Return a table of a connection, the only one if ``table`` is left out."""
    schema, _, name = (table or "").rpartition(".")
    try:
        with warnings.catch_warnings():
            # Ibis 12 asks DuckDB in words that DuckDB 1.5 calls old.
            warnings.simplefilter("ignore", DeprecationWarning)
            known = list(connection.list_tables(**({"database": schema} if schema else {})))
    except TidemillError:
        raise
    except Exception as error:  # noqa: BLE001 - each vendor raises its own
        raise failed(address, error) from None
    if table is None:
        if len(known) != 1:
            listed = ", ".join(sorted(known)[:20]) or "none"
            raise BadValue(
                f"{hidden(address)} holds {len(known)} tables.",
                fix=f"say which one with --table; there are: {listed}.",
            )
        name = known[0]
    if name not in known:
        raise unknown("table", name, known)
    try:
        where: Any = tuple(schema.split(".")) if "." in schema else schema
        return connection.table(name, **({"database": where} if schema else {}))
    except Exception as error:  # noqa: BLE001 - each vendor raises its own
        raise failed(address, error) from None


def framed(address: str, table: str | None) -> tuple[Any, Any]:
    """Return the session of a table of Spark, and the table as its DataFrame: nothing is fetched."""
    address, table = parted(address, table)
    connection = connect(address)
    return connection.session, connection.frame(find(connection, address, table))


def _fetched(
    wanted: Any, address: str, most: int | None, show: Callable[[str], object] | None
) -> pa.Table:
    tell = show or (lambda _: None)
    try:
        if most is not None:
            tell(str(ibis.to_sql(wanted.count())))
            _check_cap(int(wanted.count().execute()), most, address)
            # Rows may be added between the two queries; one more than allowed shows it.
            wanted = wanted.limit(most + 1)
        tell(str(ibis.to_sql(wanted)))
        rows = wanted.to_pyarrow()
    except TidemillError:
        raise
    except Exception as error:  # noqa: BLE001 - each vendor raises its own
        raise failed(address, error) from None
    if most is not None:
        _check_cap(rows.num_rows, most, address)
    return rows


def _check_cap(rows: int, most: int, address: str) -> None:
    if rows > most:
        raise BadInput(
            f"{hidden(address)}: the table has {rows:,} rows, and --scan-cap is {most:,}.",
            fix="raise --scan-cap, or name a view with fewer rows as --table.",
        )


def connect(address: str) -> Any:
    """Open a session that may only read."""
    kind, _, rest = address.partition("://")
    kind = kind.lower()
    try:
        if kind == "duckdb":
            return _duckdb(_file(rest))
        if kind == "sqlite":
            # Ibis alone would make a file that is not there.
            uri = f"{_file(rest).absolute().as_uri()}?mode=ro"
            return ibis.sqlite.from_connection(sqlite3.connect(uri, uri=True))
        if kind == "spark":
            return _spark(address if rest else None)
        return _only_reading(kind, ibis.connect(address))
    except TidemillError:
        raise
    except ImportError:
        backend = {"postgresql": "postgres"}.get(kind, kind)
        raise MissingExtra(
            f"{kind}:// needs a package that is not installed.",
            fix=f"pip install 'ibis-framework[{backend}]'.",
        ) from None
    except Exception as error:  # noqa: BLE001 - each vendor raises its own
        if "know how to connect" in str(error):
            raise BadInput(
                f"{kind}:// is no address that can be read.",
                fix="give a file, a folder, s3://, or an address that Ibis takes.",
            ) from None
        raise failed(address, error) from None


def _only_reading(kind: str, connection: Any) -> Any:
    """Let a role that may write not write either."""
    if kind in ("postgres", "postgresql"):
        connection.raw_sql("SET default_transaction_read_only = on").close()
    return connection


def _duckdb(path: Path) -> Any:
    connection = ibis.duckdb.connect(path, read_only=True)
    # An extension is never fetched from the network by itself.
    for setting in (
        "SET autoinstall_known_extensions = false",
        "SET autoload_known_extensions = false",
        "SET TimeZone = 'UTC'",
        "SET enable_progress_bar = false",
    ):
        connection.raw_sql(setting)
    return connection


def _spark(master: str | None) -> Any:
    session = session_of(master)
    context = getattr(session, "_sc", None)  # a session of Spark Connect has none
    if master is not None and context is not None and context.master != master:
        raise BadInput(
            f"{master} cannot be read: Spark runs at {context.master} in this process already.",
            fix="write spark://?table=NAME, or name the same master under [engine].",
        )
    from tidemill.adapters.sources.spark_tables import SparkTables  # needs PySpark

    return SparkTables().connect(session)


def _file(rest: str) -> Path:
    path = Path(rest.partition("?")[0])
    if not path.is_file():
        raise NotFound(f"there is no file {path}.", fix="check the path.")
    return path


def failed(address: str, error: Exception) -> BadInput:
    """Say what a vendor said, without the login."""
    # Spark tells a page, of which the line with its mark says it.
    marked = re.search(r"\[[A-Z][A-Z_.]{3,}\] [^\n]*", str(error))
    said = " ".join((marked[0] if marked else str(error)).split())
    login = re.search(r"://([^/?#]*)@", address)
    for secret in (login[1], login[1].partition(":")[2]) if login else ():
        said = said.replace(secret, "***") if secret else said
    return BadInput(
        f"{hidden(address)} cannot be read: {said[:_LONGEST].rstrip('.')}.",
        fix="check the address, the table and that you may read it.",
    )
