"""Spark through Ibis: the same expressions, evaluated where the files already are."""

from __future__ import annotations

import importlib
import itertools
import threading
from collections import OrderedDict
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import ibis
import pyarrow as pa
from ibis.expr import operations as ops
from ibis.expr import types as ir

from tidemill.adapters.engines.spark_sql import asked_for, readable, unanswered
from tidemill.core.ports import Snapshot

KEPT = 64
"""Views kept; an expression must be evaluated before so many others are made."""
_LOGGER = "SQLQueryContextLogger"
_QUOTED = "spark.sql.ansi.doubleQuotedIdentifiers"


class SparkEngine:
    """Evaluates expressions with Spark; safe to use from several threads.

    Parameters
    ----------
    session
        A ``pyspark.sql.SparkSession``, such as that of your cluster. Its time zone becomes UTC:
        windows are cut in it.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._connection: Any = ibis.pyspark.connect(self._session)
        # A text of the data such as ${x} is a text, not the name of a setting.
        self._session.conf.set("spark.sql.variable.substitute", "false")
        self._names = (f"tidemill_{id(self):x}_{n}" for n in itertools.count())
        self._lock = threading.RLock()
        self._views: OrderedDict[tuple[Any, ...], ir.Table] = OrderedDict()

    def table(self, snapshot: Snapshot) -> ir.Table:
        schema = _without_day(snapshot.schema)
        if snapshot.arrow is not None:
            return ibis.memtable(_plain(snapshot.arrow, schema))
        if not snapshot.files:
            return ibis.memtable(schema.empty_table())
        files = snapshot.files
        if snapshot.fetch is not None:
            # A cluster reads a bucket where it is; on this machine alone that needs more of Spark.
            there = [f"s3a://{f.removeprefix('s3://')}" for f in files]
            files = snapshot.fetch(files) if _is_local(self._session) else tuple(there)
        return self._files(files, schema)

    def arrow(self, expression: ir.Table) -> pa.Table:
        with self._evaluable(expression) as query:
            rows = self._session.sql(query).toArrow()
        return rows.cast(expression.schema().to_pyarrow())

    def sql(self, query: str, views: Mapping[str, ir.Table]) -> pa.Table:
        """Answer a question in Spark's SQL over named views; it may read and nothing else.

        Raises
        ------
        BadInput
            If it is no single SELECT, or Spark cannot answer it.
        """
        wanted = asked_for(query, views)
        with self._lock, ExitStack() as made:
            for name in wanted:
                rows = self._session.sql(made.enter_context(self._evaluable(views[name])))
                rows.createOrReplaceTempView(name)
                made.callback(self._session.catalog.dropTempView, name)
            # A name in double quotes is a name, as in the standard; what Ibis writes has none.
            self._session.conf.set(_QUOTED, "true")
            made.callback(self._session.conf.unset, _QUOTED)
            made.enter_context(_unlogged())
            try:
                return self._session.sql(query).toArrow()
            except Exception as error:
                if isinstance(error, importlib.import_module("pyspark.errors").PySparkException):
                    raise unanswered(error) from None
                raise

    @contextmanager
    def _evaluable(self, expression: ir.Table) -> Generator[str]:
        """Write an expression as SQL; rows in memory that it holds are there meanwhile."""
        # Ibis's own way goes through pandas, in which a null is a NaN.
        self._connection._register_udfs(expression)  # noqa: SLF001 - it has no other name
        # Under a name of this evaluation: another thread may hold the same rows.
        asked: Any = expression.op()
        held = {op: op.copy(name=next(self._names)) for op in asked.find(ops.InMemoryTable)}
        if held:
            expression = asked.replace(held).to_expr()
        try:
            for op in held.values():
                rows = op.data.to_pyarrow(op.schema)
                self._session.createDataFrame(rows).createOrReplaceTempView(op.name)
            yield readable(self._connection.compile(expression))
        finally:
            for op in held.values():
                self._session.catalog.dropTempView(op.name)

    def _files(self, files: tuple[str, ...], schema: pa.Schema) -> ir.Table:
        """Return the view over some files: they never change, so it is made once."""
        with self._lock:
            key = (files, *schema.names)
            if key not in self._views:
                types = importlib.import_module("pyspark.sql.pandas.types")
                # Told the schema, Spark reads no footer to find it; what a file lacks is null.
                reader = self._session.read.schema(types.from_arrow_schema(schema))
                self._views[key] = self._view(reader.parquet(*files), schema)
                while len(self._views) > KEPT:
                    _, old = self._views.popitem(last=False)
                    self._session.catalog.dropTempView(old.get_name())
            self._views.move_to_end(key)
            return self._views[key]

    def _view(self, rows: Any, schema: pa.Schema) -> ir.Table:
        name = next(self._names)
        rows.createOrReplaceTempView(name)
        # Spark's timestamps are moments, which Ibis takes for times without a zone.
        typed: Any = self._connection.table(name).op().copy(schema=ibis.schema(schema))
        return typed.to_expr()


@contextmanager
def _unlogged() -> Generator[None]:
    """Keep PySpark from logging pages about a question that has no answer: it is told in a line."""
    logger = importlib.import_module("pyspark.logger").PySparkLogger.getLogger(_LOGGER)
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _is_local(session: Any) -> bool:
    """Tell whether all of Spark is on this machine."""
    context = getattr(session, "_sc", None)  # a session of Spark Connect has none
    return context is not None and str(context.master).startswith("local")


def _without_day(schema: pa.Schema) -> pa.Schema:
    # The partition column is for pruning files; rows carry predicted_at.
    return pa.schema([f for f in schema if f.name != "day"])


def _plain(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    missing = [f for f in schema if f.name not in rows.column_names]
    for field in missing:
        rows = rows.append_column(field.name, pa.nulls(rows.num_rows, field.type))
    return rows.select(schema.names)
