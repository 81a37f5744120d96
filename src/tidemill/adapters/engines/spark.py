"""Spark through Ibis: the same expressions, evaluated where the files already are."""

from __future__ import annotations

import importlib
import itertools
import os
import re
import sys
import threading
from collections import OrderedDict
from typing import Any

import ibis
import pyarrow as pa
from ibis.expr import types as ir

from tidemill.core.errors import MissingExtra
from tidemill.core.ports import Snapshot

KEPT = 64
"""Views kept; an expression must be evaluated before so many others are made."""

LOCAL = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}
"""What a session on this machine alone is told, unless it is told something else."""


class SparkEngine:
    """Evaluates expressions with Spark; safe to use from several threads.

    Parameters
    ----------
    session
        A ``pyspark.sql.SparkSession``, such as that of your cluster; without one the session
        that is active, else one on this machine. Its time zone becomes UTC: windows are cut in it.

    Raises
    ------
    MissingExtra
        If PySpark is not installed, or there is no Java to run Spark with.
    """

    def __init__(self, session: Any = None) -> None:
        self._session = local_session() if session is None else session
        self._connection: Any = ibis.pyspark.connect(self._session)
        # A text of the data such as ${x} is a text, not the name of a setting.
        self._session.conf.set("spark.sql.variable.substitute", "false")
        self._prefix = f"tidemill_{id(self):x}_"
        self._names = (f"{self._prefix}{n}" for n in itertools.count())
        self._lock = threading.RLock()
        self._views: OrderedDict[tuple[Any, ...], ir.Table] = OrderedDict()

    def table(self, snapshot: Snapshot) -> ir.Table:
        schema = _without_day(snapshot.schema)
        if snapshot.arrow is not None:
            return self._view(self._session.createDataFrame(_plain(snapshot.arrow, schema)), schema)
        if not snapshot.files:
            return self._view(self._session.createDataFrame(schema.empty_table()), schema)
        return self._files(snapshot.files, schema)

    def arrow(self, expression: ir.Table) -> pa.Table:
        # Ibis's own way goes through pandas, in which a null is a NaN.
        self._connection._run_pre_execute_hooks(expression)  # noqa: SLF001 - it has no other name
        rows = self._session.sql(_readable(self._connection.compile(expression))).toArrow()
        return rows.cast(expression.schema().to_pyarrow())

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


def local_session(*, cores: int | None = None, **settings: str) -> Any:
    """Return the active Spark session, or start one on this machine.

    Parameters
    ----------
    cores
        How many it uses; None for all.
    settings
        Of Spark, such as ``**{"spark.driver.memory": "1g"}``.

    Returns
    -------
    pyspark.sql.SparkSession

    Raises
    ------
    MissingExtra
        If PySpark is not installed, or there is no Java to run it with.
    """
    try:
        sql = importlib.import_module("pyspark.sql")
        failed = importlib.import_module("pyspark.errors").PySparkRuntimeError
    except ImportError:
        raise MissingExtra(
            "Spark needs pyspark.", fix="pip install 'tidemill[spark]', or use DuckDB."
        ) from None
    # Workers must be of this Python, not of whichever is first in the path.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = sql.SparkSession.builder.appName("tidemill")
    if sql.SparkSession.getActiveSession() is None and "SPARK_REMOTE" not in os.environ:
        builder = builder.master(f"local[{'*' if cores is None else cores}]")
        for name, value in (LOCAL | settings).items():
            builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    except failed as error:
        said = str(error).partition("\n")[0]
        raise MissingExtra(
            f"Spark did not start: {said}",
            fix="install Java 17 or newer (Debian: openjdk-17-jre-headless) and set JAVA_HOME.",
        ) from None


def _readable(query: str) -> str:
    r"""Write three characters as themselves whose escapes Ibis writes and Spark does not read.

    Examples
    --------
    >>> _readable(r"'a\fb', 'a\\fb'") == "'a\fb', 'a\\\\fb'"
    True
    """
    meant = {r"\a": "\a", r"\f": "\f", r"\v": "\v"}
    return re.sub(r"\\.", lambda found: meant.get(found[0], found[0]), query, flags=re.DOTALL)


def _without_day(schema: pa.Schema) -> pa.Schema:
    # The partition column is for pruning files; rows carry predicted_at.
    return pa.schema([f for f in schema if f.name != "day"])


def _plain(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    missing = [f for f in schema if f.name not in rows.column_names]
    for field in missing:
        rows = rows.append_column(field.name, pa.nulls(rows.num_rows, field.type))
    return rows.select(schema.names)
