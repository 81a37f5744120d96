"""Two sets of predictions brought together, row by row, with their labels and their days."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tidemill.core.errors import BadInput, BadValue, unknown

if TYPE_CHECKING:  # ports loads Ibis
    from tidemill.core.ports import Json

BLOCKS = 20
MOST_GROUPS = 60
_IDS, _SCORES, _OUTPUTS = ("record_id", "id"), ("score",), ("output",)


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns mean what; the usual names are found where nothing is said.

    Parameters
    ----------
    label
        The truth.
    score, output
        The probability of class 1, and the answer.
    record_id
        What pairs the rows; without one they are paired in their order.
    time
        When each row was; then days are the units of evidence, else blocks of rows are.
    zone
        Whose midnights part the days.
    group
        What makes rows one list, such as their query, for metrics of ranking.
    """

    label: str
    score: str | None = None
    output: str | None = None
    record_id: str | None = None
    time: str | None = None
    zone: str = "UTC"
    group: str | None = None


@dataclass(frozen=True)
class Paired:
    """The rows both answered: labels, answers of both, groups of rows, and what was left out."""

    label: pa.ChunkedArray
    score: tuple[pa.ChunkedArray, pa.ChunkedArray] | None
    output: tuple[pa.ChunkedArray, pa.ChunkedArray] | None
    groups: NDArray[np.int64]
    units: str
    assumed: tuple[str, ...]
    left_out: Json
    lists: NDArray[np.int64] | None = None
    """The number of the list of each row."""


def paired(
    a: pa.Table, b: pa.Table, columns: Columns, labels: pa.Table | None, names: tuple[str, str]
) -> Paired:
    """Bring the rows of both together.

    Parameters
    ----------
    a, b
        The rows of each.
    columns
        Which columns mean what.
    labels
        Where the labels are, with the same ids; in ``a`` without.
    names
        How they are called.

    Raises
    ------
    BadInput
        If the rows cannot be paired, or their labels differ.
    """
    assumed: list[str] = []
    sides = (a, b) if labels is None else (a, b, labels)
    record_id = columns.record_id or next((n for n in _IDS if _in_all(n, sides)), None)
    if record_id is None:
        if len({t.num_rows for t in sides}) > 1:
            counts = " and ".join(f"{t.num_rows:,}" for t in sides)
            raise BadValue(
                f"the tables have {counts} rows, and nothing says which belong together.",
                fix="name the --id COLUMN that pairs them.",
            )
        assumed.append("no id: row 1 of one belongs to row 1 of the other")
        at: Sequence[NDArray[np.int64]] = [np.arange(t.num_rows) for t in sides]
    else:
        at = _by_id(sides, record_id, names)
    truth = sides[-1] if labels is not None else a
    label = _column(truth, columns.label).take(pa.array(at[-1] if labels is not None else at[0]))
    _same_labels(b, columns, label, at[1], labels)
    score = _answers((a, b), columns.score, _SCORES, at)
    output = _answers((a, b), columns.output, _OUTPUTS, at)
    if score is None and output is None:
        raise BadValue(
            "nothing says which column is the prediction.",
            fix=f"give --score or --output COLUMN; both have: {', '.join(_shared(a, b)) or 'none'}.",
        )
    lists = _lists(columns, (a, *sides[2:]), (at[0], *at[2:]))
    days, units = _groups(columns, (a, *sides[2:]), (at[0], *at[2:]), assumed, lists)
    keep = pc.is_valid(label)
    unlabelled = len(label) - pc.sum(keep).as_py() if len(label) else 0
    unanswered: dict[str, int] = {}
    for pair in (score, output):
        for name, answer in zip(names, pair or (), strict=False):
            lost = pc.and_(keep, pc.invert(pc.is_valid(answer)))
            unanswered[name] = max(unanswered.get(name, 0), pc.sum(lost).as_py() or 0)
    for pair in (score, output):
        for answer in pair or ():
            keep = pc.and_(keep, pc.is_valid(answer))
    if not pc.any(keep).as_py():
        raise BadInput(
            "no row has a label and both predictions.", fix="check the ids and the columns."
        )
    mask = keep.combine_chunks() if isinstance(keep, pa.ChunkedArray) else keep
    alone = {n: t.num_rows - len(label) for n, t in zip(names, (a, b), strict=True)}
    return Paired(
        label=label.filter(mask),
        score=None if score is None else (score[0].filter(mask), score[1].filter(mask)),
        output=None if output is None else (output[0].filter(mask), output[1].filter(mask)),
        groups=days[mask.to_numpy(zero_copy_only=False)],
        lists=None if lists is None else lists[mask.to_numpy(zero_copy_only=False)],
        units=units,
        assumed=tuple(assumed),
        left_out={"unpaired": alone, "without_label": unlabelled, "without_answer": unanswered},
    )


def _by_id(
    sides: Sequence[pa.Table], record_id: str, names: tuple[str, str]
) -> list[NDArray[np.int64]]:
    """Return the rows of each table that all have, in the order of the first."""
    found: list[dict[Any, int]] = []
    for name, side in zip((*names, "the labels"), sides, strict=False):
        ids = _column(side, record_id)
        if ids.null_count:
            raise BadInput(f"{name}: {ids.null_count:,} rows have no id.", fix="drop them.")
        texts = ids.cast(pa.string()).to_pylist()
        at = {value: k for k, value in enumerate(texts)}
        if len(at) < len(texts):
            raise BadInput(
                f"{name}: {len(texts) - len(at):,} ids of {record_id!r} come more than once.",
                fix="keep one row for each, or name another --id.",
            )
        found.append(at)
    shared = [value for value in found[0] if all(value in other for other in found[1:])]
    if not shared:
        raise BadInput(f"no id of {record_id!r} is in all tables.", fix="name another --id.")
    return [np.array([at[value] for value in shared], np.int64) for at in found]


def _same_labels(
    b: pa.Table,
    columns: Columns,
    label: pa.ChunkedArray,
    at: NDArray[np.int64],
    labels: pa.Table | None,
) -> None:
    """Refuse two truths for one row."""
    if labels is not None or columns.label not in b.column_names:
        return
    other = b.column(columns.label).take(pa.array(at))
    if other.type != label.type:
        try:
            other = other.cast(label.type)
        except pa.ArrowException:
            raise BadInput(
                f"{columns.label!r} is {label.type} in one table and {other.type} in the other.",
                fix="name the true labels with --table-labels FILE.",
            ) from None
    wrong = pc.sum(pc.not_equal(label, other)).as_py() or 0
    if wrong:
        raise BadInput(
            f"the labels of {wrong:,} rows differ between the two tables.",
            fix="name the true ones with --table-labels FILE.",
        )


def _answers(
    sides: tuple[pa.Table, pa.Table],
    given: str | None,
    usual: Sequence[str],
    at: Sequence[NDArray[np.int64]],
) -> tuple[pa.ChunkedArray, pa.ChunkedArray] | None:
    name = given or next((n for n in usual if _in_all(n, sides)), None)
    if name is None:
        return None
    one, two = (_column(t, name).take(pa.array(k)) for t, k in zip(sides, at, strict=False))
    return one, two


def _lists(
    columns: Columns, sides: Sequence[pa.Table], at: Sequence[NDArray[np.int64]]
) -> NDArray[np.int64] | None:
    """Number the lists, in the order in which they come."""
    if columns.group is None:
        return None
    side, rows = next(
        ((s, k) for s, k in zip(sides, at, strict=True) if columns.group in s.column_names),
        (sides[0], at[0]),
    )
    names = _column(side, columns.group).take(pa.array(rows))
    if names.null_count:
        raise BadInput(
            f"{names.null_count:,} rows have no list in {columns.group!r}.",
            fix="drop those rows, or name another --group.",
        )
    found = pc.dictionary_encode(names).combine_chunks()
    return found.indices.to_numpy().astype(np.int64)


def _groups(
    columns: Columns,
    sides: Sequence[pa.Table],
    at: Sequence[NDArray[np.int64]],
    assumed: list[str],
    lists: NDArray[np.int64] | None,
) -> tuple[NDArray[np.int64], str]:
    """Return the group of each row, whose rows are left out together, and what it is."""
    n = at[0].size
    if columns.time is None and lists is not None:
        assumed.append(f"no --time: up to {BLOCKS} blocks of lists in their order stand for days")
        return lists * BLOCKS // max(int(lists.max(initial=0)) + 1, BLOCKS), "blocks of lists"
    if columns.time is None:
        assumed.append(
            f"no --time: {BLOCKS} blocks of rows in their order stand for days; "
            "where rows of a day share something, name it"
        )
        return np.arange(n) * BLOCKS // max(n, 1), "blocks of rows"
    from tidemill.adapters.engines.days import arrow_days, sql_day

    side, rows = next(
        ((s, k) for s, k in zip(sides, at, strict=True) if columns.time in s.column_names),
        (sides[0], at[0]),
    )
    sql_day(columns.time, side.schema, columns.zone)  # refuses what is no time
    days = arrow_days(side.column(columns.time), columns.zone).take(pa.array(rows))
    if days.null_count:
        raise BadInput(
            f"{days.null_count:,} rows have no time in {columns.time!r}.", fix="drop those rows."
        )
    known = days.combine_chunks().to_numpy()
    each = math.ceil(np.unique(known).size / MOST_GROUPS)
    if each == 1:
        return known, "days"
    _, place = np.unique(known, return_inverse=True)
    return place // each, f"stretches of {each} days"


def _column(side: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in side.column_names:
        raise unknown("column", name, side.column_names)
    column = side.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column


def _in_all(name: str, sides: Sequence[pa.Table]) -> bool:
    return all(name in side.column_names for side in sides)


def _shared(a: pa.Table, b: pa.Table) -> list[str]:
    return [n for n in a.column_names if n in b.column_names]
