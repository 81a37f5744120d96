"""Tables of Spark's catalog, through Ibis: read where they lie, in a session that stays the user's."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.datatypes as dt
import pyarrow as pa
from ibis.backends.pyspark import Backend
from ibis.backends.pyspark.datatypes import PySparkType
from ibis.backends.sql.compilers.base import SQLGlotCompiler
from ibis.backends.sql.compilers.pyspark import PySparkCompiler
from ibis.expr.schema import Schema, schema

from tidemill.core.errors import unknown

_MOMENT = "TimestampType"


class _Compiler(PySparkCompiler):
    def visit_NonNullLiteral(self, op: Any, *, value: Any, dtype: Any) -> Any:  # noqa: N802 - Ibis's name
        # Ibis writes TIMESTAMP, which is a moment by the session's clock; an hour is skipped in it.
        if dtype.is_timestamp() and dtype.timezone is None:
            return self.f.anon.to_timestamp_ntz(value.isoformat())
        return super().visit_NonNullLiteral(op, value=value, dtype=dtype)

    def visit_NotNull(self, op: Any, *, arg: Any) -> Any:  # noqa: N802 - Ibis's name
        # A NaN is no null, in any other database either: whoever reads it says what is wrong.
        return SQLGlotCompiler.visit_NotNull(self, op, arg=arg)


class SparkTables(Backend):
    """What a Spark session knows by name; it is sent SHOW TABLES and SELECT, and nothing is set in it.

    Ibis's own connection changes the session's time zone, goes to a catalog by USE, reads through
    pandas, in which a null is a NaN, and stops the session when it is left.
    """

    compiler = _Compiler()

    def do_connect(self, session: Any = None, mode: Any = "batch", **_: Any) -> None:
        options: Any = ibis.options
        if options.pyspark is None:  # what compiles asks for them
            self.register_options()
        self._mode, self._session = mode, session

    @property
    def session(self) -> Any:
        """The session, as it was given."""
        return self._session

    def disconnect(self) -> None:
        """Leave the session as it is."""

    def list_tables(self, *, like: str | None = None, database: str | None = None) -> list[str]:
        where = f" IN {_quoted(*database.split('.'))}" if database else ""
        try:
            found = [row.tableName for row in self._session.sql(f"SHOW TABLES{where}").collect()]
        except Exception as error:
            if "[SCHEMA_NOT_FOUND]" not in str(error):
                raise
            schemas = [row[0] for row in self._session.sql("SHOW SCHEMAS").collect()]
            raise unknown("schema", str(database), schemas) from None
        return self._filter_with_like(found, like)

    def get_schema(
        self, table_name: str, *, catalog: str | None = None, database: str | None = None
    ) -> Schema:
        path = [part for part in (catalog, database, table_name) if part]
        fields = self._session.table(_quoted(*path)).schema.fields
        return schema([(f.name, _kind(f.dataType)) for f in fields])

    def to_pyarrow(self, expr: Any, /, **how: Any) -> Any:
        asked = expr.as_table()
        rows: pa.Table = self.frame(asked, **how).toArrow()
        return expr.__pyarrow_result__(rows.cast(asked.schema().to_pyarrow()))

    def frame(self, asked: Any, **how: Any) -> Any:
        """Return what is asked as Spark's DataFrame, which is not evaluated yet."""
        return self._session.sql(self.compile(asked, **how))


def _kind(kind: Any) -> Any:
    """Return a type as Ibis says it; Spark's TIMESTAMP is a moment, TIMESTAMP_NTZ is not."""
    if type(kind).__name__ == _MOMENT:
        return dt.Timestamp(timezone="UTC", scale=6)
    return PySparkType.to_ibis(kind)


def _quoted(*parts: str) -> str:
    return ".".join("`" + part.replace("`", "``") + "`" for part in parts)
