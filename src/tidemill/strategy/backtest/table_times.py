"""The times in a user's table: when it was predicted, and when labels were known."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.durations import words
from tidemill.core.errors import BadInput
from tidemill.loop.log.values import DATE, read, shown
from tidemill.strategy.backtest.table_told import Told, rows_of

_REPEATED = 0.2


def moments(column: pa.ChunkedArray, name: str, option: str, told: Told) -> pa.Array:
    """Read a column of times, null where a row has none that can be read."""
    values, bad = read(column, DATE, timezone="UTC")
    if bad.any() and values.null_count == len(values):
        raise BadInput(
            f"{name!r} holds {shown(column[int(np.flatnonzero(bad)[0])])}, which is no time.",
            fix=f"name another column with {option}, or write times like 2024-01-31T12:00:00Z.",
        )
    if values.null_count == len(values):
        raise BadInput(f"{name!r} is empty.", fix=f"name another column with {option}.")
    few = column.slice(0, 1000)
    if len(few) > few.null_count and read(few, DATE)[1].sum() > bad[: len(few)].sum():
        told.assumed.append(f"times in {name!r} have no zone and are taken as UTC.")
    return values


def in_order(
    table: pa.Table, at: pa.Array, name: str, told: Told
) -> tuple[pa.Table, pa.Array, npt.NDArray[np.int64]]:
    """Put rows in order of time, ties as they came; rows without a time are left out."""
    valid = at.is_valid().to_numpy(zero_copy_only=False)
    missing = int((~valid).sum())
    if missing:
        told.quarantined += missing
        told.warnings.append(f"{rows_of(missing)} left out: {name!r} holds no time there.")
    ticks = pc.fill_null(at.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    index = np.flatnonzero(valid)
    index = index[np.argsort(ticks[index], kind="stable")]
    ordered = ticks[index]
    repeated = float((ordered[1:] == ordered[:-1]).mean()) if len(ordered) > 1 else 0.0
    if repeated > _REPEATED:
        told.assumed.append(
            f"{repeated:.0%} of the rows have the time of another and are taken as they stand "
            "in the table."
        )
    if missing == 0 and (index == np.arange(len(index))).all():
        return table, at, index
    where = pa.array(index)
    return table.take(where), at.take(where), index


def known_at(
    rows: pa.Table,
    at: pa.Array,
    told: Told,
    *,
    label: str,
    label_time: str,
    delay: timedelta | None,
) -> pa.Array:
    """Say when each row's label was known as stated, null for never.

    A label from before the prediction counts as known when it was predicted; one without a
    time comes after ``delay``, if there is one.
    """
    stated = moments(rows[label_time], label_time, "--label-time", told)
    early = pc.sum(pc.less(stated, at)).as_py() or 0
    if early:
        told.warnings.append(
            f"{rows_of(early)} have a label from before the prediction: "
            "it is taken as known when it was predicted."
        )
    has_label = pc.is_valid(rows[label])
    lost = pc.sum(pc.and_(pc.is_null(stated), has_label)).as_py() or 0
    if lost and delay is not None:
        told.assumed.append(f"labels without a time come {words(delay)} after the prediction.")
    elif lost:
        told.warnings.append(
            f"{rows_of(lost)} have a label but no {label_time!r}: the label counts as "
            "never known; give --label-delay too to use it."
        )
    known: Any = pc.if_else(pc.less(stated, at), at, stated)
    return known if delay is None else pc.coalesce(known, after(at, delay))


def after(at: pa.Array, delay: timedelta) -> Any:
    """Return the moments a while later."""
    return pc.add(at, pa.scalar(delay, pa.duration("us")))
