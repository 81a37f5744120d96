"""How the values of a user's columns become ours: numbers, texts, moments and vectors."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.errors import BadInput, BadValue, unknown
from tidemill.core.records import MOMENT
from tidemill.loop.log.ordinary import ordinary

NUMBER, TEXT, DATE, VECTOR = "number", "text", "moment", "vector"
_TYPES: dict[str, pa.DataType] = {
    NUMBER: pa.float64(),
    TEXT: pa.string(),
    DATE: MOMENT,
    VECTOR: pa.list_(pa.float64()),
}
_EXACT = 2**53
_DAYS = (-719_161, 2_932_895)
"""The first and the last day of the calendar but one, counted from 1970."""
_A_DAY = {"day": 1, "s": 86_400, "ms": 86_400 * 10**3, "us": 86_400 * 10**6, "ns": 86_400 * 10**9}
_NOT_OF_PYTHON = (ValueError, OverflowError, KeyError)
"""What pyarrow raises for a moment no calendar has, or in a zone that nobody knows."""
_UNSAFE = re.compile(r"[\s,;{}()=\x00]+")
Mask = npt.NDArray[np.bool_]


def each_once(names: Sequence[str]) -> None:
    """Refuse two columns of one name.

    Raises
    ------
    BadInput
        If there are any.
    """
    for name in sorted(n for n, times in Counter(names).items() if times > 1):
        raise BadInput(f"the column {name!r} is there more than once.", fix="rename one.")


@dataclass
class Reading:
    """Rows being read: the reasons for which some cannot be taken, and what to tell."""

    rows: pa.Table
    reasons: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        each_once(self.rows.column_names)
        self.rows = ordinary(self.rows)

    def refuse(self, bad: Mask | Sequence[int], reason: str) -> None:
        """Mark rows, by mask or by index; the first reason for a row stays."""
        where = np.flatnonzero(bad) if isinstance(bad, np.ndarray) else bad
        for k in where:
            self.reasons.setdefault(int(k), reason)

    def column(self, name: str | None, kind: str, *, timezone: str | None = None) -> pa.Array:
        """Read a column as a kind; rows whose value does not fit are refused."""
        if name is None:
            return pa.nulls(self.rows.num_rows, _TYPES[kind])
        if name not in self.rows.column_names:
            raise unknown("column", name, self.rows.column_names)
        values, bad = read(self.rows[name], kind, timezone=timezone)
        got = {}
        for k in np.flatnonzero(bad):
            got.setdefault(shown(self.rows[name][int(k)]), []).append(int(k))
        for text, where in got.items():
            self.refuse(where, f"{name}: expected {_words(kind)}, got {text}")
        return values

    @property
    def good(self) -> Mask:
        keep = np.ones(self.rows.num_rows, dtype=bool)
        keep[list(self.reasons)] = False
        return keep


def shown(value: pa.Scalar) -> str:
    """Write a value for a message, in at most 60 characters."""
    try:
        return repr(value.as_py())[:60]
    except _NOT_OF_PYTHON:
        return f"a {value.type} that no calendar has"


def plain_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Return rows as dicts, whatever they hold; a value Python cannot hold is described."""
    columns = [_plain_values(c) for c in table.columns]
    if not columns:
        return [{} for _ in range(table.num_rows)]
    return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def _plain_values(column: pa.ChunkedArray) -> list[Any]:
    try:
        return column.to_pylist()
    except _NOT_OF_PYTHON:
        return [shown(v) for v in column]


def kind_of(column: pa.ChunkedArray, name: str) -> str | None:
    """Tell the kind of a column from its type; None when it holds nothing at all."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_null(kind):
        return None
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return NUMBER
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return NUMBER
    if _is_text(kind):
        return TEXT
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return DATE
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        inner = kind.value_type
        if pa.types.is_floating(inner) or pa.types.is_integer(inner):
            return VECTOR
    raise BadInput(
        f"column {name!r} has type {column.type}, which no feature can have.",
        fix="make it numbers, text, times or lists of numbers, or leave it out of the features.",
    )


def read(
    column: pa.ChunkedArray, kind: str, *, timezone: str | None = None
) -> tuple[pa.Array, Mask]:
    """Read a column as a kind.

    Returns
    -------
    tuple
        The values, null where missing or unfit, and a mask of the unfit. NaN is missing.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_union(column.type):  # of which Arrow makes no empty array
        return pa.nulls(len(column), _TYPES[kind]), np.ones(len(column), dtype=bool)
    flat = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if pa.types.is_null(flat.type):
        return pa.nulls(len(flat), _TYPES[kind]), np.zeros(len(flat), dtype=bool)
    return {NUMBER: _numbers, TEXT: _texts, DATE: _moments, VECTOR: _vectors}[kind](flat, timezone)


def _numbers(flat: pa.Array, _zone: str | None) -> tuple[pa.Array, Mask]:
    if _is_text(flat.type):
        values = _each(flat, _number)
    elif pa.types.is_integer(flat.type):
        wide = np.asarray(pc.fill_null(flat, 0).to_numpy(zero_copy_only=False))
        values = flat.cast(pa.float64(), safe=False)
        inexact = (wide > _EXACT) | (wide < -_EXACT)
        values = pc.if_else(pa.array(inexact), pa.scalar(None, pa.float64()), values)
    elif pa.types.is_floating(flat.type) or pa.types.is_decimal(flat.type):
        values = flat.cast(pa.float64())
    elif pa.types.is_boolean(flat.type):
        values = flat.cast(pa.int8()).cast(pa.float64())
    else:
        values = pa.nulls(len(flat), pa.float64())
    nan = pc.fill_null(pc.is_nan(values), False)
    values = pc.if_else(nan, pa.scalar(None, pa.float64()), values)
    infinite = pc.fill_null(pc.is_inf(values), False)
    values = pc.if_else(infinite, pa.scalar(None, pa.float64()), values)
    missing = pc.or_(pc.is_null(flat), nan)
    bad = pc.and_(pc.is_null(values), pc.invert(missing))
    return values, np.asarray(bad.to_numpy(zero_copy_only=False))


def _number(text: str) -> float:
    if text.strip().lstrip("+-").isdecimal() and abs(int(text)) > _EXACT:
        raise ValueError(text)  # a float64 cannot tell it from its neighbours
    return float(text)


def _texts(flat: pa.Array, _zone: str | None) -> tuple[pa.Array, Mask]:
    if pa.types.is_floating(flat.type):
        flat = flat.cast(pa.float64())
        flat = pc.if_else(pc.is_nan(flat), pa.scalar(None, flat.type), flat)
        whole = [None if v is None else int(v) if v == int(v) else v for v in _finite(flat)]
        values = pa.array([None if v is None else str(v) for v in whole], pa.string())
    else:
        try:
            values = flat.cast(pa.string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            values = pa.nulls(len(flat), pa.string())
    bad = pc.and_(pc.is_null(values), pc.is_valid(flat))
    return values, np.asarray(bad.to_numpy(zero_copy_only=False))


def _finite(flat: pa.Array) -> Iterable[float | None]:
    return (None if v is None or math.isinf(v) else v for v in flat.to_pylist())


def _moments(flat: pa.Array, timezone: str | None) -> tuple[pa.Array, Mask]:
    kind, zone = flat.type, _zone(timezone)
    if pa.types.is_date(kind) or (pa.types.is_timestamp(kind) and kind.tz is None):
        naive = flat.cast(pa.timestamp("us"), safe=False)
        if zone is None:
            values = pa.nulls(len(flat), MOMENT)
        else:
            local = pc.assume_timezone(naive, zone, ambiguous="earliest", nonexistent="earliest")
            values = local.cast(MOMENT)
    elif pa.types.is_timestamp(kind):
        values = flat.cast(MOMENT, safe=False)
    elif _is_text(kind):
        values = _each(flat, lambda v: _parse(v, zone), MOMENT)
    else:
        values = pa.nulls(len(flat), MOMENT)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        values = pc.if_else(_on_the_calendar(flat), values, pa.scalar(None, MOMENT))
    bad = pc.and_(pc.is_null(values), pc.is_valid(flat))
    return values, np.asarray(bad.to_numpy(zero_copy_only=False))


def _on_the_calendar(flat: pa.Array) -> pa.Array:
    """Tell which moments lie in the years 1 to 9999; others would wrap around in a cast."""
    scale = _A_DAY["day" if pa.types.is_date32(flat.type) else getattr(flat.type, "unit", "ms")]
    raw = flat.cast(pa.int32() if scale == 1 else pa.int64()).cast(pa.int64())
    first, last = (max(-(2**63), min(2**63 - 1, day * scale)) for day in _DAYS)
    return pc.fill_null(pc.and_(pc.greater_equal(raw, first), pc.less_equal(raw, last)), False)


def _zone(name: str | None) -> str | None:
    if name is None:
        return None
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise BadValue(
            f"{name!r} is not a time zone.", fix="use a name like UTC or America/New_York."
        ) from None
    return name


def _parse(text: str, zone: str | None) -> datetime:
    at = datetime.fromisoformat(text.strip())
    if at.tzinfo is None:
        if zone is None:
            raise ValueError(text)
        at = at.replace(tzinfo=ZoneInfo(zone))
    return at.astimezone(UTC)


def _vectors(flat: pa.Array, _zone: str | None) -> tuple[pa.Array, Mask]:
    try:
        values = flat.cast(_TYPES[VECTOR])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        values = pa.nulls(len(flat), _TYPES[VECTOR])
    bad = pc.and_(pc.is_null(values), pc.is_valid(flat))
    return values, np.asarray(bad.to_numpy(zero_copy_only=False))


def _each(flat: pa.Array, parse: Any, kind: pa.DataType | None = None) -> pa.Array:
    """Parse every distinct text once; what does not parse becomes null."""
    coded = flat.dictionary_encode()
    parsed = []
    for text in coded.dictionary.to_pylist():
        try:
            parsed.append(parse(text))
        except (ValueError, OverflowError):
            parsed.append(None)
    return pa.array(parsed, kind or pa.float64()).take(coded.indices)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or _is_view(kind)


def _is_view(kind: pa.DataType) -> bool:
    return pa.types.is_string_view(kind)


def _words(kind: str) -> str:
    return {
        NUMBER: "a finite number",
        TEXT: "text",
        DATE: "a time with a zone (or say --timezone)",
        VECTOR: "a list of numbers",
    }[kind]


def safe_name(name: str) -> str:
    """Return a feature's name as it is stored: without spaces, brackets, or what ends a name elsewhere.

    Examples
    --------
    >>> safe_name("Arrival Delay (min)")
    'Arrival_Delay_min'
    """
    return _UNSAFE.sub("_", name).strip("_")
