"""A reference to learn from: rows with the day of each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.errors import BadInput
from tidemill.core.records import FEATURE, KNOWN, RECORDS, features_of

Counts = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
OUTPUTS = ("output", "output_text", "score")
DAY = timedelta(days=1)
SPARSE = 0.1
"""Where fewer than this share of days have rows, the time of some row is wrong."""


@dataclass(frozen=True)
class Reference:
    """Some days of a table of records; ``day`` is the place of each row's day in ``starts``.

    The days follow one another, also where one of them has no row.
    """

    rows: pa.Table
    day: npt.NDArray[np.int64]
    starts: tuple[datetime, ...]

    @classmethod
    def of(cls, rows: pa.Table, days: npt.NDArray[Any] | None) -> Reference:
        """Tell the days of a table, from ``predicted_at`` unless they are given.

        Raises
        ------
        BadInput
            If there is no row, or no day for each.
        """
        if days is None:
            days = _days_of(rows)
        numbers = np.asarray(days)
        if not rows.num_rows or numbers.shape != (rows.num_rows,):
            raise BadInput(
                f"{rows.num_rows} rows and {numbers.size} days.", fix="give one day for each row."
            )
        if numbers.dtype.kind not in "Miu" or (
            numbers.dtype.kind == "M" and np.isnat(numbers).any()
        ):
            raise BadInput(
                f"days are {numbers.dtype}, or some are missing.",
                fix="give datetime64 of each row.",
            )
        numbers = numbers.astype("datetime64[D]").astype(np.int64)
        first, last = int(numbers.min()), int(numbers.max())
        there = len(np.unique(numbers))
        if there < SPARSE * (last - first + 1):
            raise BadInput(
                f"the reference has rows on {there} of {last - first + 1} days.",
                fix="leave out rows whose time is wrong, or give a denser reference.",
            )
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        starts = tuple(epoch + k * DAY for k in range(first, last + 1))
        return cls(rows, numbers - first, starts)

    @property
    def n(self) -> Counts:
        """How many rows each day has."""
        return self.count(np.ones(len(self.day), dtype=bool))

    def split(self, days: int) -> tuple[Reference, Reference]:
        """Return the first days, and those after them."""
        early = self.day < days
        one, two = (self.rows.filter(pa.array(keep)) for keep in (early, ~early))
        return (
            Reference(one, self.day[early], self.starts[:days]),
            Reference(two, self.day[~early] - days, self.starts[days:]),
        )

    def count(self, rows: Mask) -> Counts:
        """Count the rows of a mask on each day."""
        return np.bincount(self.day, rows, minlength=len(self.starts)).astype(np.float64)

    def has_moments(self, name: str) -> bool:
        """Tell whether there is a column of moments of that name."""
        schema = self.rows.schema
        return name in schema.names and pa.types.is_timestamp(schema.field(name).type)

    def columns(self) -> Iterator[tuple[str, pa.Array]]:
        """Yield the bare name and the values of each feature and output."""
        names = self.rows.column_names
        features = features_of(names)
        if features:
            wanted = [*features, *(n for n in OUTPUTS if n in names)]
        else:
            wanted = [n for n in names if n not in RECORDS.names and not n.startswith(KNOWN)]
        for name in wanted:
            column = self.rows[name]
            if pa.types.is_dictionary(column.type):
                column = column.cast(column.type.value_type)
            yield name.removeprefix(FEATURE), column.combine_chunks()


def _days_of(rows: pa.Table) -> npt.NDArray[Any]:
    if "predicted_at" not in rows.column_names:
        raise BadInput(
            "the reference has no column predicted_at.", fix="give the day of each row as days=."
        )
    at = rows["predicted_at"]
    if not pa.types.is_timestamp(at.type):
        raise BadInput(
            f"predicted_at is {at.type}, no moment.", fix="give it as timestamps in UTC."
        )
    if at.null_count:
        raise BadInput(
            f"{at.null_count} rows of the reference have no predicted_at.", fix="leave them out."
        )
    return pc.floor_temporal(at, unit="day").cast(pa.timestamp("us")).to_numpy()


def missing(values: pa.Array) -> Mask:
    """Return which values are null or NaN."""
    return pc.is_null(values, nan_is_null=True).to_numpy(zero_copy_only=False)


def is_number(of: pa.DataType) -> bool:
    """Tell whether a type is of numbers."""
    return pa.types.is_floating(of) or pa.types.is_integer(of) or pa.types.is_decimal(of)


def is_text(of: pa.DataType) -> bool:
    """Tell whether a type is of texts."""
    return pa.types.is_string(of) or pa.types.is_large_string(of)


def rounded(value: float, *, up: bool, digits: int = 2) -> float:
    """Round away to a few significant digits, so that a person can read it.

    Examples
    --------
    >>> rounded(0.01234, up=True), rounded(-1234.5, up=False, digits=3), rounded(0.0, up=True)
    (0.013, -1240.0, 0.0)
    """
    if not value or not math.isfinite(value):
        return value
    place = digits - 1 - math.floor(math.log10(abs(value)))
    whole = (math.ceil if up else math.floor)(round(value * 10.0**place, 6))
    return float(f"{whole / 10.0**place:.{digits}g}")
