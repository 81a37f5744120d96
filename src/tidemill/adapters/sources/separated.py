"""CSV and its kin: which mark parts the columns, and which types they have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from tidemill.core.errors import BadInput

_Rows = TypeVar("_Rows", pa.Table, pa.RecordBatch)
BLOCK = 1 << 24
"""Bytes from which the types of a text file are told, unless later rows differ."""


def separated(raw: bytes, file: str, texts: Sequence[str]) -> pa.Table:
    r"""Read the bytes of a CSV file; an empty text is missing.

    Parameters
    ----------
    raw
        UTF-8 without a mark at its start.
    file
        How it is called in errors; .tsv in its name says that tabs part the columns.
    texts
        Columns to read as text whatever they look like.

    Raises
    ------
    BadInput
        If its first line is empty.
    pyarrow.ArrowException
        If it is no CSV.

    Examples
    --------
    >>> separated(b"id;n\n007;1\n;2\n", "a.csv", ["id"]).to_pylist()
    [{'id': '007', 'n': 1}, {'id': None, 'n': 2}]
    """
    mark = mark_of(raw.split(b"\n", 1)[0], file)
    convert = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(texts, pa.string()))
    # Types are told from the first block: where later rows differ, look at all of them.
    blocks = (BLOCK, min(len(raw) + 1, 2**31 - 1))
    for block in blocks:
        try:
            rows = pyarrow.csv.read_csv(
                pa.BufferReader(raw),
                read_options=pyarrow.csv.ReadOptions(block_size=block),
                parse_options=pyarrow.csv.ParseOptions(delimiter=mark, newlines_in_values=True),
                convert_options=convert,
            )
            return blank_is_missing(rows)
        except pa.ArrowException as error:
            if block == blocks[-1] or "parse error" in str(error):
                raise
    raise AssertionError  # pragma: no cover - the loop ends in return or raise


def mark_of(header: bytes, file: str) -> str:
    """Return what parts the columns, by the first line of a file and its name.

    Examples
    --------
    >>> mark_of(b"id;n", "a.csv"), mark_of(b"id,n", "a.csv")
    (';', ',')
    """
    header = header.strip()
    if not header:
        raise BadInput(f"{file} has an empty first line.", fix="name the columns there.")
    tabs, semicolons = ".tsv" in file.rsplit("/", 1)[-1], b";" in header and b"," not in header
    return "\t" if tabs else ";" if semicolons else ","


def no_twins(file: str, names: Sequence[str]) -> None:
    """Refuse two columns of one name."""
    twins = sorted({n for n in names if names.count(n) > 1})
    if twins:
        raise BadInput(
            f"{file} has the column {twins[0]!r} more than once.", fix="rename or remove one."
        )


def blank_is_missing(rows: _Rows) -> _Rows:
    """Read an empty text as missing; in columns of numbers NA and NaN are missing already."""
    for k, field in enumerate(rows.schema):
        if pa.types.is_string(field.type):
            blank = pc.equal(rows.column(k), "")
            kept = pc.if_else(blank, pa.scalar(None, pa.string()), rows.column(k))
            rows = rows.set_column(k, field.name, kept)
    return rows
