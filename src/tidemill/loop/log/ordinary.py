"""Columns as every kernel of Arrow takes them: no views, no runs, no extension types."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

_PLAIN = {
    pa.string_view(): pa.string(),
    pa.binary_view(): pa.binary(),
}


def ordinary(table: pa.Table) -> pa.Table:
    """Return a table in which columns of newer types hold the same values in older ones.

    Examples
    --------
    >>> ordinary(pa.table({"a": pa.array(["x"], pa.string_view())})).schema
    a: string
    """
    columns = [_ordinary(c) for c in table.columns]
    if all(new is old for new, old in zip(columns, table.columns, strict=True)):
        return table
    return pa.table(columns, names=table.column_names)


def _ordinary(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        stored = [getattr(chunk, "storage") for chunk in column.chunks]  # noqa: B009 - untyped
        return _ordinary(pa.chunked_array(stored, kind.storage_type))
    if pa.types.is_run_end_encoded(kind):
        decoded = [pc.run_end_decode(chunk) for chunk in column.chunks]
        return pa.chunked_array(decoded, kind.value_type)
    plain = _PLAIN.get(kind)
    return column if plain is None else column.cast(plain)
