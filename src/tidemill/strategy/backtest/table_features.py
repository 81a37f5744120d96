"""Which columns of a user's table a model may learn from, and of which kind each is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.errors import BadInput, BadValue
from tidemill.loop.log.values import DATE, NUMBER, TEXT, kind_of, safe_name

_MANY = 50
"""Rows below which a column is not called an id only because no value repeats."""
_NEARLY_ALL = 0.95
_SAMPLE = 2_000
_WORDS = 3
_ID = re.compile(r"(^|[^a-z])(id|ids|uuid|guid|key|index|idx|rownum|row)([^a-z]|$)|ID$|Id$")


@dataclass
class Chosen:
    """The features: column, name as stored, and kind; and why others are none."""

    features: list[tuple[str, str, str]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Sentences, one for each column that is no feature though nobody said so."""


def choose(rows: pa.Table, *, wanted: Sequence[str] | None, leave: set[str]) -> Chosen:
    """Choose features among the columns of a table whose rows are in order of time.

    Parameters
    ----------
    wanted
        The columns the user named; None for every column but those in ``leave``.
    """
    chosen, taken = Chosen(), dict[str, str]()
    named = wanted is not None
    for name in wanted if named else [n for n in rows.column_names if n not in leave]:
        kind, wrong, must = _kind(rows[name], name)
        stored = safe_name(name)
        if not stored:
            wrong, must = "has no letter or digit in its name; rename it", True
        elif stored.lower() in taken:
            wrong = f"is named like {taken[stored.lower()]!r}, which is kept; rename one"
            must = True
        if wrong and named and must:
            raise BadValue(f"the feature {name!r} {wrong}.", fix="leave it out of --features.")
        if wrong and not named:
            chosen.left_out.append(f"{name} is no feature: it {wrong}.")
            continue
        taken[stored.lower()] = name
        chosen.features.append((name, stored, kind))
    return chosen


def _kind(column: pa.ChunkedArray, name: str) -> tuple[str, str, bool]:
    """Tell the kind of a column, what speaks against it as a feature, and whether it must."""
    kind: str | None = "nested"
    with suppress(BadInput):
        kind = kind_of(column, name)
    if kind is None or column.null_count == len(column):
        return kind or "", "is empty", kind is None
    if kind not in (NUMBER, TEXT, DATE):
        return "", f"holds {column.type}, which a table model cannot take", True
    if kind == DATE:
        return "time", "is the same in every row" if _constant(column) else "", False
    if kind == NUMBER:
        return "number", _against_number(column, name), False
    return *_of_text(column), False


def _constant(column: pa.ChunkedArray) -> bool:
    """Tell a column that says the same everywhere; a null among others says something."""
    if column.null_count:
        return False
    if pa.types.is_dictionary(column.type):
        return len(pc.unique(column)) == 1
    bounds = pc.min_max(column)
    return bounds["min"].is_valid and bounds["min"] == bounds["max"]


def _against_number(column: pa.ChunkedArray, name: str) -> str:
    if _constant(column):
        return "is the same in every row"
    if not pa.types.is_integer(column.type) or column.null_count or len(column) < _MANY:
        return ""
    if pc.count_distinct(column).as_py() < len(column):
        return ""
    values = np.asarray(column.to_numpy())
    counts_up = bool((values[1:] > values[:-1]).all() or (values[1:] < values[:-1]).all())
    return "has another value in every row, like an id" if counts_up or _ID.search(name) else ""


def _of_text(column: pa.ChunkedArray) -> tuple[str, str]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    known = column.drop_null()
    different, n = pc.count_distinct(known).as_py(), len(known)
    if different == 1 and not column.null_count:
        return "category", "is the same in every row"
    spread = pa.array(np.arange(0, n, max(1, n // _SAMPLE)))
    sample = known.take(spread).combine_chunks()
    sample = sample.filter(pc.not_equal(sample, ""))
    words = pc.mean(pc.list_value_length(pc.utf8_split_whitespace(sample))).as_py() or 0.0
    if words >= _WORDS and different > max(20, 0.05 * n):
        return "text", ""
    if n >= _MANY and different > _NEARLY_ALL * n:
        return "category", "has another text in nearly every row, like an id"
    return "category", ""
