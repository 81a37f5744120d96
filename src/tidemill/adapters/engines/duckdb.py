"""The embedded engine: DuckDB through Ibis."""

from __future__ import annotations

import itertools
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import duckdb
import ibis
import pyarrow as pa
from ibis.expr import operations as ops
from ibis.expr import types as ir

from tidemill.core.errors import BadInput, Damaged
from tidemill.core.ports import Snapshot

_DAMAGE = re.compile(r"\.parquet\b|TProtocol|[Zz][Ss][Tt][Dd]|[Dd]ecompress|[Pp]arquet file")
KEPT = 64
"""Views kept; an expression must be evaluated before so many others are made."""


class DuckDBEngine:
    """Evaluates expressions with DuckDB, in this process; safe to use from several threads."""

    def __init__(self) -> None:
        self._connection = ibis.duckdb.connect()
        # An extension is never fetched from the network by itself.
        for setting in (
            "SET autoinstall_known_extensions = false",
            "SET autoload_known_extensions = false",
            "SET TimeZone = 'UTC'",
            "SET enable_progress_bar = false",
            # Files never change: their footers are read once, not at every query.
            "SET parquet_metadata_cache = true",
        ):
            self._connection.raw_sql(setting)
        self._names = (f"t{n}" for n in itertools.count())
        self._lock = threading.RLock()
        self._views: OrderedDict[tuple[str, ...], ir.Table] = OrderedDict()

    def table(self, snapshot: Snapshot) -> ir.Table:
        if snapshot.arrow is not None:
            return ibis.memtable(_plain(snapshot.arrow, snapshot.schema))
        schema = _without_day(snapshot.schema)
        if not snapshot.files:
            return ibis.memtable(schema.empty_table())
        files = snapshot.files
        rows = self._files(files if snapshot.fetch is None else snapshot.fetch(files))
        missing = {f.name: f for f in schema if f.name not in rows.columns}
        if not missing:
            return rows
        nulls = {n: ibis.null(ibis.dtype(f.type)) for n, f in missing.items()}
        return rows.mutate(**nulls).select(*schema.names)

    def arrow(self, expression: ir.Table) -> pa.Table:
        with self._lock:
            try:
                return self._connection.to_pyarrow(expression)
            except duckdb.Error as error:
                if _DAMAGE.search(str(error)):
                    raise _damaged(error) from error
                raise
            finally:
                self._let_go(expression)

    def sql(self, query: str, views: Mapping[str, ir.Table]) -> pa.Table:
        """Answer a question in SQL over named views; it may read and nothing else.

        Raises
        ------
        BadInput
            If it is no single SELECT, or DuckDB cannot answer it.
        """
        with self._lock:
            try:
                statements = duckdb.extract_statements(query)
            except duckdb.Error as error:
                raise _unanswered(error) from None
            if [s.type for s in statements] != [duckdb.StatementType.SELECT]:
                raise BadInput(
                    "only one question at a time is answered, and nothing is changed.",
                    fix="write one SELECT; the views are: " + ", ".join(sorted(views)) + ".",
                )
            for name, rows in views.items():
                self._connection.create_view(name, rows, overwrite=True)
            try:
                return self._connection.con.execute(query).to_arrow_table()
            except duckdb.Error as error:
                damaged = _DAMAGE.search(str(error))
                raise (_damaged if damaged else _unanswered)(error) from None
            finally:
                for name, rows in views.items():
                    self._connection.drop_view(name, force=True)
                    self._let_go(rows)

    def _let_go(self, expression: ir.Table) -> None:
        """Forget rows in memory: Ibis holds each batch that was ever taken in until the end."""
        known: Any = self._connection
        asked: Any = expression.op()
        for held in asked.find(ops.InMemoryTable):
            known.con.unregister(held.name)
            known._memtables.discard(held)  # noqa: SLF001 - it has no other name

    def _files(self, files: tuple[str, ...]) -> ir.Table:
        """Return the view over some files: they never change, so it is made once."""
        with self._lock:
            if files not in self._views:
                try:
                    self._views[files] = self._connection.read_parquet(
                        list(files),
                        table_name=next(self._names),
                        union_by_name=True,
                        hive_partitioning=False,
                    )
                except duckdb.Error as error:
                    raise _damaged(error) from error
                while len(self._views) > KEPT:
                    _, old = self._views.popitem(last=False)
                    self._connection.drop_view(old.get_name(), force=True)
            self._views.move_to_end(files)
            return self._views[files]


def _damaged(error: duckdb.Error) -> Damaged:
    """Say that a file of a table is missing or torn; nothing else of Parquet goes wrong."""
    said = " ".join(str(error).split("LINE 1")[0].split())[:300].rstrip(".^ ")
    return Damaged(
        f"a file of a table cannot be read: {said}.",
        fix="see 'tidemill check', which names each; then restore the folder from a backup.",
    )


def _unanswered(error: duckdb.Error) -> BadInput:
    said = " ".join(str(error).split())[:400].rstrip(".")
    return BadInput(f"{said}.", fix="mend the question; docs/monitoring.md lists the views.")


def _without_day(schema: pa.Schema) -> pa.Schema:
    # The partition column is for pruning files; rows carry predicted_at.
    return pa.schema([f for f in schema if f.name != "day"])


def _plain(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    names = _without_day(schema).names
    missing = [n for n in names if n not in rows.column_names]
    for name in missing:
        rows = rows.append_column(name, pa.nulls(rows.num_rows, schema.field(name).type))
    return rows.select(names)
