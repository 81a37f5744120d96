"""CSV that is too large to be read whole: gone through once for its types, then read by parts.

The types are those that the whole file would be told to have, so its parts come to what the file
comes to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from tidemill.adapters.sources.numerals import Numerals
from tidemill.adapters.sources.separated import blank_is_missing, mark_of, no_twins
from tidemill.adapters.sources.text import Text, opened, unreadable

PART = 1 << 22
"""Bytes of a part; no row may be longer."""
_USUAL = pyarrow.csv.ConvertOptions()
_MISSING, _TRUE, _FALSE = (
    pa.array(values, pa.string())
    for values in (_USUAL.null_values, _USUAL.true_values, _USUAL.false_values)
)
_TYPES = (
    pa.int64(),
    pa.bool_(),
    pa.date32(),
    pa.time32("s"),
    pa.timestamp("s"),
    pa.timestamp("ns"),
    pa.timestamp("s", "UTC"),
    pa.timestamp("ns", "UTC"),
    pa.float64(),
)
"""The types that Arrow tells in CSV, in its order; text is what has none of them."""
_CLOCK = "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A CSV file whose types are known.

    Attributes
    ----------
    schema
        Its columns.
    numerals
        Of each column whose texts were looked at how many of them are numbers.
    """

    path: Path
    mark: str
    schema: pa.Schema
    numerals: Mapping[str, Numerals]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Read the rows, a part at a time."""
        kinds = {column.name: column.type for column in self.schema}
        try:
            for part in _parts(self.path, self.mark, kinds):
                yield blank_is_missing(part)
        except pa.ArrowException as error:
            raise unreadable(self.path, "CSV", error) from None


def look_through(path: Path, texts: Sequence[str]) -> Parts:
    """Go through a CSV file once, for the types of its columns; ``texts`` stay text.

    Raises
    ------
    BadInput
        If it is no CSV, or no UTF-8.
    """
    with opened(path) as file:
        mark = mark_of(file.readline(PART), str(path))
    try:
        try:
            schema, numerals = _first_holds(path, mark, texts)
        except pa.ArrowInvalid as error:
            if "conversion error" not in str(error):
                raise
            schema, numerals = _all_told(path, mark, texts)
    except pa.ArrowException as error:
        raise unreadable(path, "CSV", error) from None
    return Parts(path=path, mark=mark, schema=schema, numerals=numerals)


_Told = tuple[pa.Schema, dict[str, Numerals]]


def _first_holds(path: Path, mark: str, texts: Sequence[str]) -> _Told:
    """Take the types that the first part has, as long as the others have them too."""
    schema, numerals = pa.schema([]), dict[str, Numerals]()
    for part in _parts(path, mark, dict.fromkeys(texts, pa.string())):
        schema = part.schema
        for name in schema.names:
            if pa.types.is_string(schema.field(name).type) and name not in texts:
                numerals.setdefault(name, Numerals()).see(_present(part[name]))
    return schema, numerals


def _all_told(path: Path, mark: str, texts: Sequence[str]) -> _Told:
    """Find for each column the first type that all of its values have."""
    names = _names(path, mark)
    seen = {name: _Column() for name in names if name not in texts}
    for part in _parts(path, mark, dict.fromkeys(names, pa.string())):
        for name, column in seen.items():
            column.see(part[name])
    kinds = {n: seen[n].type if n in seen else pa.string() for n in names}
    return pa.schema(list(kinds.items())), {n: c.numerals for n, c in seen.items()}


@dataclass
class _Column:
    """What was seen of a column that was read as text."""

    types: list[pa.DataType] = field(default_factory=lambda: list(_TYPES))
    """Those that every value has."""
    filled: bool = False
    numerals: Numerals = field(default_factory=Numerals)

    @property
    def type(self) -> pa.DataType:
        if not self.filled:
            return pa.null()
        return self.types[0] if self.types else pa.string()

    def see(self, values: pa.Array) -> None:
        said = values.filter(pc.invert(pc.is_in(values, _MISSING)))
        self.filled |= len(said) > 0
        self.types = [t for t in self.types if _has(said, t)]
        self.numerals.see(_present(values))


def _has(values: pa.Array, kind: pa.DataType) -> bool:
    """Tell whether all texts can be read as a type."""
    if pa.types.is_boolean(kind):
        return _all(pc.or_(pc.is_in(values, _TRUE), pc.is_in(values, _FALSE)))
    trimmed = pc.utf8_trim(values, characters=" \t")
    if pa.types.is_time(kind):  # Arrow has no cast for it
        return _all(pc.match_substring_regex(trimmed, _CLOCK))
    try:
        trimmed.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


def _all(mask: pa.Array) -> bool:
    return pc.all(mask, min_count=0).as_py()


def _present(values: pa.Array) -> pa.Array:
    return values.filter(pc.not_equal(values, ""))


def _names(path: Path, mark: str) -> list[str]:
    return next(_parts(path, mark, {})).schema.names


def _parts(path: Path, mark: str, kinds: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
    """Read a file a part at a time; types that are not said are told from the first part."""
    with Text(path) as text:
        reader = pyarrow.csv.open_csv(
            pa.PythonFile(text, "r"),
            read_options=pyarrow.csv.ReadOptions(block_size=PART),
            parse_options=pyarrow.csv.ParseOptions(delimiter=mark, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(column_types=dict(kinds)),
        )
        with reader:
            no_twins(str(path), reader.schema.names)
            yield from reader
