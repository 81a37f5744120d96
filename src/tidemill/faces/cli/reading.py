"""Reading a user's file: Parquet, CSV or JSON lines, by its ending."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from tidemill.adapters.sources.separated import separated
from tidemill.core.errors import BadInput

_AT_ONCE = 50_000
"""Rows of a Parquet file that are read at a time."""
_FEW = 0.05
"""The share of values that may be no number in a column of numbers."""
_ENDINGS = ".parquet, .csv, .tsv or .jsonl (.csv.gz and .jsonl.gz too)"


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A file as a table, and what to tell of how it was read."""

    rows: pa.Table
    features: tuple[str, ...] | None = None
    """The members of a ``features`` object, where the file has one."""
    tags_json: str | None = None
    """The column with all tags as JSON, where the file has a ``tags`` object."""
    numbers: tuple[str, ...] = ()
    """Columns of text that hold numbers but for a few rows."""
    notes: tuple[str, ...] = ()
    stream: pa.RecordBatchReader | None = None
    """The rows of a large file, to be read once; ``rows`` then has its columns and no row."""


def load(path: Path, *, texts: Sequence[str] = (), streamed: bool = False) -> Loaded:
    """Read a file.

    Parameters
    ----------
    path
        The file; its ending tells the format.
    texts
        Columns to read as text whatever they look like: ids such as 00123.
    streamed
        Whether the rows of a large Parquet file may come as a stream.

    Raises
    ------
    BadInput
        If it is missing, empty, of another kind, or not what its ending says.
    """
    if not path.exists():
        raise BadInput(f"there is no file {path}.", fix="check the path.")
    if path.is_dir():
        raise BadInput(f"{path} is a folder.", fix="give one file, or call it once for each.")
    readers: dict[str, Callable[[Path, Sequence[str]], Loaded]] = {
        ".parquet": _parquet,
        ".pq": _parquet,
        ".csv": _csv,
        ".tsv": _csv,
        ".jsonl": _json_lines,
        ".ndjson": _json_lines,
    }
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    if ending not in readers:
        raise BadInput(f"{path} is of no kind that can be read.", fix=f"give a {_ENDINGS} file.")
    if path.stat().st_size == 0:
        raise BadInput(f"{path} is empty.", fix="export it again.")
    if streamed and readers[ending] is _parquet:
        return _streamed(path)
    return readers[ending](path, texts)


def _streamed(path: Path) -> Loaded:
    """Open a Parquet file, and read it when its rows are asked for."""
    try:
        file = pyarrow.parquet.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, "Parquet", error) from None
    if file.metadata.num_rows <= _AT_ONCE:
        file.close()
        return _parquet(path, ())
    _no_twins(path, file.schema_arrow.names)
    found = _flattened(path, file.schema_arrow.empty_table())

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            # Group by group: a reader of all of them keeps what it has read.
            for group in range(file.metadata.num_row_groups):
                for batch in file.iter_batches(batch_size=_AT_ONCE, row_groups=[group]):
                    yield from _flattened(path, pa.Table.from_batches([batch])).rows.to_batches()
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(path, "Parquet", error) from None
        finally:
            file.close()

    return replace(found, stream=pa.RecordBatchReader.from_batches(found.rows.schema, batches()))


def _parquet(path: Path, _texts: Sequence[str]) -> Loaded:
    try:
        rows = pyarrow.parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, "Parquet", error) from None
    _no_twins(path, rows.column_names)
    return _flattened(path, rows)


def _csv(path: Path, texts: Sequence[str]) -> Loaded:
    try:
        rows = separated(_text(path).encode(), str(path), texts)
    except pa.ArrowException as error:
        raise _unreadable(path, "CSV", error) from None
    _no_twins(path, rows.column_names)
    return _with_numbers(Loaded(rows=rows), texts)


def _json_lines(path: Path, texts: Sequence[str]) -> Loaded:
    found: list[dict[str, Any]] = []
    for k, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BadInput(
                f"{path}, line {k} is no JSON: {error}.", fix="write one object on each line."
            ) from None
        if not isinstance(row, dict):
            raise BadInput(
                f"{path}, line {k} holds a {type(row).__name__}, not an object.",
                fix='write one object on each line, like {"record_id": "a", ...}.',
            )
        found.append(row)
    if not found:
        raise BadInput(f"{path} holds no rows.", fix="write one object on each line.")
    names = list(dict.fromkeys(name for row in found for name in row))
    columns = {}
    for name in names:
        values = [row.get(name) for row in found]
        if name == "tags" and any(isinstance(v, dict) for v in values):
            values = [None if v is None else json.dumps(v, sort_keys=True) for v in values]
            columns["tags"] = pa.array(values, pa.string())
        else:
            columns[name] = _column(values, as_text=name in texts)
    tags = "tags" if any(isinstance(row.get("tags"), dict) for row in found) else None
    loaded = _flattened(path, pa.table(columns))
    return _with_numbers(replace(loaded, tags_json=tags), (*texts, "tags"))


def _column(values: list[Any], *, as_text: bool) -> pa.Array:
    """Make a column; values of several kinds become text, from which numbers are read again."""
    if not as_text:
        with suppress(pa.ArrowException, OverflowError, ValueError, TypeError):
            return pa.array(values)
    return pa.array([v if isinstance(v, str | None) else json.dumps(v) for v in values])


def _flattened(path: Path, rows: pa.Table) -> Loaded:
    """Put the members of a ``features`` object beside the other columns."""
    if "features" not in rows.column_names or not pa.types.is_struct(rows["features"].type):
        return Loaded(rows=rows)
    place = rows.column_names.index("features")
    flat = pa.table({"features": rows["features"]}).flatten()
    names = [n.removeprefix("features.") for n in flat.column_names]
    rows = rows.remove_column(place)
    twins = sorted(set(names) & set(rows.column_names))
    if twins:
        raise BadInput(
            f"{path} has {', '.join(twins)} both inside and outside its features.",
            fix="rename one of the two.",
        )
    for name, column in zip(names, flat.columns, strict=True):
        rows = rows.append_column(name, column)
    return Loaded(rows=rows, features=tuple(names))


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _unreadable(path, "gzip", error) from None
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _no_utf8(path, "it is UTF-16")
    if b"\x00" in raw:
        raise BadInput(f"{path} holds bytes that are no text.", fix=f"give a {_ENDINGS} file.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _no_utf8(path, f"byte 0x{raw[error.start]:02x} in line {line}") from None
    if not text.strip():
        raise BadInput(f"{path} is empty.", fix="export it again.")
    return text


def _with_numbers(loaded: Loaded, texts: Sequence[str]) -> Loaded:
    """Find columns that one bad row made text: their bad rows are to be refused, not they."""
    numbers, notes = [], []
    for name in loaded.rows.column_names:
        if not pa.types.is_string(loaded.rows.schema.field(name).type) or name in texts:
            continue
        counts = loaded.rows[name].drop_null().value_counts().to_pylist()
        total = sum(c["counts"] for c in counts)
        odd = [c for c in counts if not _is_number(c["values"])]
        bad = sum(c["counts"] for c in odd)
        if bad and bad <= _FEW * total:
            numbers.append(name)
            got = odd[0]["values"]
            notes.append(
                f"{name} is numbers but for {bad:,} of {total:,} rows, such as {got!r}; "
                f"to keep it as it is: --text {name}"
            )
    return replace(loaded, numbers=tuple(numbers), notes=tuple(notes))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _no_twins(path: Path, names: list[str]) -> None:
    twins = sorted({n for n in names if names.count(n) > 1})
    if twins:
        raise BadInput(
            f"{path} has the column {twins[0]!r} more than once.", fix="rename or remove one."
        )


def _no_utf8(path: Path, why: str) -> BadInput:
    return BadInput(f"{path} is not UTF-8: {why}.", fix="convert it, for example with iconv.")


def _unreadable(path: Path, kind: str, error: Exception) -> BadInput:
    said = " ".join(str(error).split())[:300].rstrip(".")
    return BadInput(f"{path} cannot be read as {kind}: {said}.", fix="export it again.")
