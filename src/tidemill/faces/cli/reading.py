"""Reading a user's file: Parquet, CSV or JSON lines, by its ending; a large one by parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from tidemill.adapters.sources.numerals import Numerals
from tidemill.adapters.sources.separated import no_twins, separated
from tidemill.adapters.sources.separated_parts import look_through
from tidemill.adapters.sources.text import opened, unreadable
from tidemill.core.errors import BadInput
from tidemill.faces.cli.lines import Lines

_AT_ONCE = 50_000
"""Rows of a Parquet file that are read at a time."""
_WHOLE = 1 << 24
"""Bytes of a CSV file up to which it is read whole."""
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

    @property
    def given(self) -> pa.Table | pa.RecordBatchReader:
        """The rows, as an import takes them."""
        return self.rows if self.stream is None else self.stream


def load(path: Path, *, texts: Sequence[str] = ()) -> Loaded:
    """Read a file; of a large one only what its columns are, and the rows when they are asked for.

    Parameters
    ----------
    path
        The file; its ending tells the format.
    texts
        Columns to read as text whatever they look like: ids such as 00123.

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
    return readers[ending](path, texts)


def _parquet(path: Path, _texts: Sequence[str]) -> Loaded:
    try:
        file = pyarrow.parquet.ParquetFile(path, buffer_size=1 << 16)
        no_twins(str(path), file.schema_arrow.names)
        if file.metadata.num_rows <= _AT_ONCE:
            with file:
                return _flattened(path, file.read())
    except (pa.ArrowException, OSError) as error:
        raise unreadable(path, "Parquet", error) from None

    def tables() -> Iterator[pa.Table]:
        try:
            # Group by group: a reader of all of them keeps what it has read.
            for group in range(file.metadata.num_row_groups):
                for batch in file.iter_batches(batch_size=_AT_ONCE, row_groups=[group]):
                    yield pa.Table.from_batches([batch])
        except (pa.ArrowException, OSError) as error:
            raise unreadable(path, "Parquet", error) from None
        finally:
            file.close()

    return _streamed(path, file.schema_arrow.empty_table(), tables())


def _csv(path: Path, texts: Sequence[str]) -> Loaded:
    with opened(path) as file:
        raw = file.read(_WHOLE + 1)
    if not raw.strip():
        raise BadInput(f"{path} is empty.", fix="export it again.")
    if len(raw) > _WHOLE:
        del raw
        found = look_through(path, texts)
        tables = (pa.Table.from_batches([batch]) for batch in found.batches())
        loaded = _streamed(path, found.schema.empty_table(), tables)
        return _with_numbers(loaded, found.numerals)
    try:
        rows = separated(raw, str(path), texts)
    except pa.ArrowException as error:
        raise unreadable(path, "CSV", error) from None
    no_twins(str(path), rows.column_names)
    return _with_numbers(Loaded(rows=rows), _numerals(rows, texts))


def _json_lines(path: Path, texts: Sequence[str]) -> Loaded:
    lines = Lines(path, texts)
    lines.look_through()
    tags = "tags" if lines.tags else None
    if lines.count == 1:
        loaded = _flattened(path, next(lines.tables()))
    else:
        loaded = _streamed(path, lines.schema.empty_table(), lines.tables())
    return _with_numbers(replace(loaded, tags_json=tags), lines.numerals)


def _streamed(path: Path, empty: pa.Table, tables: Iterator[pa.Table]) -> Loaded:
    """Have tables come when they are asked for."""
    found = _flattened(path, empty)
    batches = (b for rows in tables for b in _flattened(path, rows).rows.to_batches())
    return replace(found, stream=pa.RecordBatchReader.from_batches(found.rows.schema, batches))


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


def _numerals(rows: pa.Table, texts: Sequence[str]) -> dict[str, Numerals]:
    """Count which texts of which columns are numbers."""
    found: dict[str, Numerals] = {}
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        if pa.types.is_string(column.type) and name not in texts:
            found[name] = Numerals()
            found[name].see(column)
    return found


def _with_numbers(loaded: Loaded, numerals: Mapping[str, Numerals]) -> Loaded:
    """Name columns that a few bad rows made text: those rows are to be refused, not the columns."""
    few = {
        name: n
        for name, n in numerals.items()
        if n.few and pa.types.is_string(loaded.rows.schema.field(name).type)
    }
    notes = (
        f"{name} is numbers but for {n.odd:,} of {n.total:,} rows, such as {n.first!r}; "
        f"to keep it as it is: --text {name}"
        for name, n in few.items()
    )
    return replace(loaded, numbers=tuple(few), notes=tuple(notes))
