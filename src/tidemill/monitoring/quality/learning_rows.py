"""What the early days of a reference teach about whole rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import stats

from tidemill.core.durations import words
from tidemill.monitoring.quality.counts import RowCount
from tidemill.monitoring.quality.duplicates import Duplicates
from tidemill.monitoring.quality.freshness import Freshness
from tidemill.monitoring.quality.ideas import Idea, limited
from tidemill.monitoring.quality.reference import OUTPUTS, Reference, is_number, is_text, missing
from tidemill.monitoring.quality.schema import Schema
from tidemill.statistics.exceedance import count_ranges

LATE = 0.05
"""Freshness is about all rows but this share."""


def of_rows(reference: Reference, alpha: float) -> Iterator[Idea]:
    """Yield what days teach about whole rows: columns, repeats, how many, how late."""
    names = reference.rows.column_names
    present = [c for c, v in reference.columns() if not (reference.count(~missing(v)) == 0).any()]
    if present:
        yield Idea(Schema(tuple(present)), f"{len(present)} columns had values on each day")
    if "record_id" in names:
        yield from _repeated(reference, ("record_id",), ("record_id",), alpha)
    plain = {c: s for c, s in _stored(reference).items() if _groups(reference.rows[s].type)}
    if "row_hash" in names and not reference.rows["row_hash"].null_count:
        yield from _repeated(reference, ("row_hash",), ("row_hash",), alpha)
    elif plain:
        yield from _repeated(reference, tuple(plain), tuple(plain.values()), alpha)
    yield from _counted(reference, alpha)
    if all(map(reference.has_moments, ("predicted_at", "available_at"))):
        yield from _arrival(reference, alpha)


def _stored(reference: Reference) -> dict[str, str]:
    names = set(reference.rows.column_names)
    bare = [c for c, _ in reference.columns() if c not in OUTPUTS]
    return {c: f"f_{c}" if f"f_{c}" in names else c for c in bare}


def _groups(of: pa.DataType) -> bool:
    return is_number(of) or is_text(of) or pa.types.is_boolean(of) or pa.types.is_temporal(of)


def _repeated(
    reference: Reference, columns: tuple[str, ...], names: tuple[str, ...], alpha: float
) -> Iterator[Idea]:
    keys = {f"c{k}": reference.rows[name] for k, name in enumerate(names)}
    rows = pa.table({"day": reference.day, **keys})
    groups = rows.group_by(["day", *keys]).aggregate([([], "count_all")])
    again = groups["count_all"].to_numpy() - 1
    hits = np.bincount(groups["day"].to_numpy(), again, minlength=len(reference.starts))
    hits = hits.astype(float)
    yield limited(Duplicates, (columns,), hits, reference.n, alpha, what="are there again")


def _counted(reference: Reference, alpha: float) -> Iterator[Idea]:
    # The first and the last day may be cut.
    counts = reference.n[1:-1]
    weekday = np.array([s.weekday() for s in reference.starts[1:-1]])
    # A range left exactly as often as allowed would be refused by chance in many a reference.
    ranges = count_ranges(counts, weekday, alpha=alpha / 4)
    if np.isnan(ranges).any():
        return
    low = tuple(float(math.floor(v)) for v in ranges[:, 0])
    high = tuple(float(math.ceil(v)) for v in ranges[:, 1])
    seen = f"{int(counts.min())} to {int(counts.max())} rows a day in {len(counts)} days"
    if len(set(low)) == len(set(high)) == 1:
        yield Idea(RowCount(at_least=low[0], at_most=high[0]), seen)
    else:
        yield Idea(RowCount(at_least=low, at_most=high), f"{seen}, by weekday")


def _arrival(reference: Reference, alpha: float) -> Iterator[Idea]:
    gap = pc.subtract(
        reference.rows["available_at"].cast(pa.timestamp("us"), safe=False),
        reference.rows["predicted_at"].cast(pa.timestamp("us"), safe=False),
    )
    delay = gap.cast(pa.int64()).to_numpy() / 1e6
    known = np.isfinite(delay)
    if not known.any() or np.max(delay[known]) <= 0:
        return
    each = [delay[known & (reference.day == d)] for d in range(len(reference.starts))]
    quantiles = np.array([max(0.0, float(np.quantile(v, 1 - LATE))) for v in each if v.size])
    if quantiles.size < 2:  # noqa: PLR2004 - a spread needs two
        return
    logs = np.log1p(quantiles)
    far = float(stats.t.ppf(1 - alpha, logs.size - 1)) * math.sqrt(1 + 1 / logs.size)
    # A tenth more, as feeds that run by the clock show no spread until one day they do.
    limit = 1.1 * math.expm1(float(logs.mean()) + far * float(logs.std(ddof=1)))
    step = 1 if limit < 60 else 60 if limit < 36_000 else 900  # noqa: PLR2004 - readable
    after = timedelta(seconds=max(step, step * math.ceil(limit / step)))
    if after > timedelta(days=3650):
        return
    usual = words(timedelta(seconds=round(float(np.median(quantiles)))))
    seen = f"19 of 20 rows came within {usual} on the median of {quantiles.size} days"
    yield Idea(Freshness(words(after), late=LATE), seen)
