"""JSON lines as a table: read whole, or gone through once for its types and then read by parts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from tidemill.adapters.sources.numerals import Numerals
from tidemill.adapters.sources.text import opened
from tidemill.core.errors import BadInput
from tidemill.core.ports import Json

PART = 1 << 22
"""Bytes of the lines of a part, give or take a line."""


@dataclass
class Lines:
    """A file of objects, one a line, and which column each member makes.

    A column has the type that holds all of its values. Where none does they are text, from which
    numbers are read again; tags that are objects are JSON.
    """

    path: Path
    texts: Sequence[str]
    """Columns that are text whatever they look like."""
    kinds: dict[str, pa.DataType] = field(default_factory=dict[str, pa.DataType])
    tags: bool = False
    """Whether the tags are objects."""
    count: int = 0
    """How many parts there are."""
    numerals: dict[str, Numerals] = field(default_factory=dict[str, Numerals])
    """Of each column of text, and each such member of features, how many texts are numbers."""

    @property
    def schema(self) -> pa.Schema:
        """The columns, once the file was looked through."""
        return pa.schema(list(self.kinds.items()))

    def look_through(self) -> None:
        """Go through the file once, for the types of its columns; again for those of several.

        Raises
        ------
        BadInput
            If a line is no object, or there is none.
        """
        found: dict[str, list[pa.DataType | None]] = {}
        for rows in self.parts():
            self.count += 1
            self.tags |= any(isinstance(row.get("tags"), dict) for row in rows)
            for name, values in _turned(rows).items():
                column = _array(values)
                kind = None if column is None else column.type
                if kind not in (kinds := found.setdefault(name, [])):
                    kinds.append(kind)
                self._see(name, column)
        if not self.count:
            raise BadInput(f"{self.path} holds no rows.", fix="write one object on each line.")
        self.kinds = {name: self._whole(name, kinds) for name, kinds in found.items()}
        several = {n for n, kinds in found.items() if len(set(kinds) - {pa.null()}) > 1}
        several |= {n for n, kinds in found.items() if None in kinds}
        self._look_again(several)

    def _look_again(self, several: set[str]) -> None:
        """Look at columns of several types: whether one holds all values, or which texts they make."""
        for name in several:
            self.numerals.pop(name, None)
        for rows in self.parts() if several else ():
            for name in several:
                # An integer may be too large for the numbers beside it.
                if _array([row.get(name) for row in rows], self.kinds[name]) is None:
                    self.kinds[name] = pa.string()
        texts = [name for name in several if _is_text(self.kinds[name])]
        for rows in self.parts() if texts else ():
            for name in texts:
                self._see(name, self._column(name, rows))

    def _see(self, name: str, column: pa.Array | None) -> None:
        """Count the numbers among texts, the members of features each as a column."""
        if column is None:
            return
        parts = {name: column}
        if name == "features" and pa.types.is_struct(column.type):
            names = [column.type.field(k).name for k in range(column.type.num_fields)]
            parts = dict(zip(names, column.flatten(), strict=True))
        for part, values in parts.items():
            if _is_text(values.type) and part != "tags" and part not in self.texts:
                self.numerals.setdefault(part, Numerals()).see(values)

    def _whole(self, name: str, kinds: list[pa.DataType | None]) -> pa.DataType:
        if name in self.texts or None in kinds or (name == "tags" and self.tags):
            return pa.string()
        column = _array([_sample(kind) for kind in kinds if kind is not None])
        return pa.string() if column is None else column.type

    def tables(self) -> Iterator[pa.Table]:
        """Read the rows, a part at a time, each with all columns."""
        for rows in self.parts():
            yield pa.table({name: self._column(name, rows) for name in self.kinds})

    def _column(self, name: str, rows: list[Json]) -> pa.Array:
        values, kind = [row.get(name) for row in rows], self.kinds[name]
        if name == "tags" and self.tags:
            values = [None if v is None else json.dumps(v, sort_keys=True) for v in values]
        elif _is_text(kind):
            values = [None if v is None else _text(v) for v in values]
        return pa.array(values, kind)

    def parts(self) -> Iterator[list[Json]]:
        """Read the objects, those of some lines at a time."""
        rows, held = list[Json](), 0
        for k, line in self._lines():
            rows.append(self._object(k, line))
            held += len(line)
            if held >= PART:
                yield rows
                rows, held = [], 0
        if rows:
            yield rows

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        k = 0
        with opened(self.path) as file:
            for some in file:
                for line in some.splitlines():  # a file of an old Mac has no other ends
                    k += 1
                    if line.strip():
                        yield k, line

    def _object(self, k: int, line: bytes) -> Json:
        try:
            row = _decoded(line)
        except (ValueError, RecursionError) as error:
            raise BadInput(
                f"{self.path}, line {k} is no JSON: {error}.", fix="write one object on each line."
            ) from None
        if not isinstance(row, dict):
            raise BadInput(
                f"{self.path}, line {k} holds a {type(row).__name__}, not an object.",
                fix='write one object on each line, like {"record_id": "a", ...}.',
            )
        return row


def _decoded(line: bytes) -> Any:
    with suppress(msgspec.MsgspecError, ValueError, RecursionError):
        return msgspec.json.decode(line)
    return json.loads(line)  # slower by far, and takes NaN, and says what is wrong as Python does


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "replace").decode()  # half a surrogate pair is no text


def _turned(rows: list[Json]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _array(values: list[Any], kind: pa.DataType | None = None) -> pa.Array | None:
    """Return values as a column, None where no type holds them all, or the one that is said."""
    with suppress(pa.ArrowException, OverflowError, ValueError, TypeError):
        return pa.array(values, kind)
    return None


def _sample(kind: pa.DataType) -> Any:
    """Return a value of which Arrow tells a type, so that types are put together as values are.

    Examples
    --------
    >>> _sample(pa.array([{"a": [1], "b": "x"}]).type)
    {'a': [1], 'b': 'a text'}
    """
    if pa.types.is_struct(kind):
        return {kind.field(k).name: _sample(kind.field(k).type) for k in range(kind.num_fields)}
    if pa.types.is_list(kind):
        return [_sample(kind.value_type)]
    values = {
        pa.null(): None,
        pa.bool_(): True,
        pa.int64(): 1,
        pa.uint64(): 2**63,
        pa.float64(): 0.5,
    }
    return values.get(kind, "a text")


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind)
