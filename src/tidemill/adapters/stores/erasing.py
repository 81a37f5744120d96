"""Rows and bytes that go for ever: out of a Delta table with its log, out of a database's free pages."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from deltalake import DeltaTable, WriterProperties

from tidemill.adapters.stores.databases import Database
from tidemill.adapters.stores.places import Bucket
from tidemill.core.erasure import ERASABLE, KEYS
from tidemill.core.errors import BadValue, Busy
from tidemill.core.failpoints import failpoint

TOGETHER = 2_000
"""Ids of one predicate; each rewrites the files that hold them."""
_ENTRY = re.compile(r"\d{20}(?=\.)")
_PATIENCE = 10.0
"""Seconds in which readers of the state may end."""


def key_of(table: str) -> str:
    """Return the column that names a row of a table.

    Raises
    ------
    BadValue
        If it holds no rows of single records.
    """
    if table not in ERASABLE:
        raise BadValue(
            f"{table} holds no rows of single records.", fix=f"erase from {', '.join(ERASABLE)}."
        )
    return KEYS.get(table, "record_id")


def erase_rows(delta: DeltaTable, table: str, ids: Collection[str]) -> int:
    """Remove rows from a table, then the files of rows that were removed ever."""
    key, wanted, n = key_of(table), sorted(ids), 0
    style = WriterProperties(compression="ZSTD", compression_level=1)
    for first in range(0, len(wanted), TOGETHER):
        quoted = ", ".join(
            "'" + i.replace("'", "''") + "'" for i in wanted[first : first + TOGETHER]
        )
        said = delta.delete(f"{key} IN ({quoted})", writer_properties=style)
        n += int(said["num_deleted_rows"])
    failpoint("events.erase.within")
    delta.vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
    return n


def erase_log(delta: DeltaTable, where: Path | Bucket) -> None:
    """Sum up the log of a table, and remove what it said before.

    It names the least and the greatest value of each file, and what was deleted by which condition.
    """
    delta.create_checkpoint()
    folder = where / "_delta_log"
    names = (
        [path.name for path in folder.iterdir()]
        if isinstance(folder, Path)
        else [name.rpartition("/")[2] for name in folder.names("")]
    )
    for name in names:
        entry = _ENTRY.match(name)
        # Of a commit that was killed, too.
        if name.startswith("_commit_") or (entry and int(entry[0]) < delta.version()):
            if isinstance(folder, Path):
                (folder / name).unlink(missing_ok=True)
            else:
                folder.delete(name)


def rewrite_texts(
    db: sa.Connection, table: sa.Table, column: sa.Column[Any], change: Callable[[str], str]
) -> None:
    """Keep what ``change`` makes of a column of texts."""
    keys = list(table.primary_key.columns)
    for row in db.execute(sa.select(*keys, column.label("text"))).all():
        text = change(row.text)
        if text != row.text:
            here = sa.and_(*(k == v for k, v in zip(keys, row[:-1], strict=True)))
            db.execute(sa.update(table).where(here).values({column.name: text}))


def shrink(database: Database, tables: Collection[str]) -> None:
    """Write a database anew, so that no free page holds what rows once held.

    Raises
    ------
    Busy
        If somebody goes on reading what was there before.
    """
    if not database.remote and database.path is None:
        return
    with database.told(), database.connect() as plain:
        db = plain.execution_options(isolation_level="AUTOCOMMIT")
        if database.remote:
            for table in tables:
                db.exec_driver_sql(f'VACUUM (FULL) "{database.schema}"."{table}"')
            return
        db.exec_driver_sql("VACUUM")
        end = time.monotonic() + _PATIENCE
        while db.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar():
            if time.monotonic() > end:
                raise Busy(
                    f"another program reads the state {database.path}.",
                    fix="end it and run the same command again: what it reads is not gone yet.",
                )
            time.sleep(0.05)
