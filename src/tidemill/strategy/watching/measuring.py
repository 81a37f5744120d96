"""Measuring in a look: signals of records by base window, and metrics once labels are final."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
from ibis.expr import types as ir

from tidemill.core.as_of import ANSWERED
from tidemill.core.errors import TidemillError
from tidemill.core.signals import Key, Point
from tidemill.core.work import reason
from tidemill.measures import Cohort, Metric
from tidemill.measures import measure as with_interval
from tidemill.measures.grouped import columns_of_groups, parted
from tidemill.measures.metric import summary_of
from tidemill.monitoring.outcomes import joined
from tidemill.monitoring.quality import RowRule
from tidemill.monitoring.quality import measure as measured_by
from tidemill.monitoring.watching import Watch, kind_of
from tidemill.strategy.realised import yardsticks
from tidemill.strategy.signalling import judged_answers
from tidemill.strategy.turn import Turn
from tidemill.strategy.watching.edges import from_the_edge
from tidemill.strategy.watching.windows import Windows, rules

Points = dict[Key, list[Point]]
BLOCKS = 20
"""Parts into which the rows of a window are cut for the interval of a metric in it."""


def measure(turn: Turn, found: set[datetime]) -> Points:
    """Measure every signal in the windows found; one that is broken says why in its points."""
    if not found:
        return {}
    points: Points = {}
    for key, made in (*_signals(turn, found), *_performance(turn, found)):
        points[key] = made
    watched = [(watch, key_of(watch)) for watch in rules(turn).measured]
    for key, made in from_the_edge(turn, watched, found).items():
        points[key] = [made.get(point.start, point) for point in points[key]]
    return points


def _signals(turn: Turn, found: set[datetime]) -> Iterator[tuple[Key, list[Point]]]:
    """Measure what is watched besides, for everybody and for each cohort."""
    watches, windows = rules(turn).measured, Windows.of(turn)
    if not watches:
        return
    starts = sorted(found)
    rows = _records(turn, found)
    for cohort in (None, *turn.strategy.cohorts):
        name = "" if cohort is None else cohort.name
        asked = [w for w in watches if cohort is None or _by_cohort(w)]
        try:
            within = rows if cohort is None else rows.filter(cohort(rows))
        except TidemillError as error:
            for watch in asked:
                yield key_of(watch, name), [_unknown(turn, s, error.what) for s in starts]
            continue
        number: Any = within["window"]
        window = (number * int(windows.every.total_seconds())).as_timestamp("s")
        made = measured_by(
            [watch.signal for watch in asked],
            within,
            turn.world.engine,
            window=window,
            starts=starts,
            every=windows.every,
        )
        for watch, points in zip(asked, made, strict=True):
            yield key_of(watch, name), points


def _by_cohort(watch: Watch) -> bool:
    """A limit on shares holds for a part as for the whole; one on counts is for the whole."""
    return kind_of(watch.signal) != "quality" or isinstance(watch.signal, RowRule)


def key_of(watch: Watch, cohort: str = "") -> Key:
    """Return the key under which a watched signal is kept."""
    signal = watch.signal
    column = getattr(signal, "column", "")
    return Key(kind=kind_of(signal), metric=signal.metric, column=column, cohort=cohort)


def _unknown(turn: Turn, start: datetime, why: str) -> Point:
    end = start + Windows.of(turn).every
    return Point(start=start, end=end, value=math.nan, n=0, why=why)


def _records(turn: Turn, found: set[datetime]) -> ir.Table:
    """Return the records of some windows, beside their feedback and label, with their window."""
    windows = Windows.of(turn)
    span = {"since": min(found), "until": max(found) + windows.every}
    rows = turn.view.records(**span)
    signals = [watch.signal for watch in rules(turn).signals]
    if any(kind_of(signal) == "outcomes" for signal in signals):
        kinds = [s.kind for s in signals if kind_of(s) == "outcomes" and hasattr(s, "kind")]
        feedback, labels = (turn.view.table(name, **span) for name in ("feedback", "labels"))
        rows = joined(rows, feedback, labels, kinds=kinds)
    numbers = [int((start - windows.numbered(0)) // windows.every) for start in sorted(found)]
    return rows.mutate(window=windows.number(rows)).filter(ibis._.window.isin(numbers))


def _performance(turn: Turn, found: set[datetime]) -> Iterator[tuple[Key, list[Point]]]:
    """Measure the metrics on final labels, for all and by cohort and model version."""
    metrics = yardsticks(turn.strategy)
    if not metrics or turn.world.events.version("chosen") < 0:
        return
    rows, broken = judged_rows(turn, found, columns_of_groups(metrics))
    windows = Windows.of(turn)
    place = _place(rows, windows)
    everyone = np.ones(rows.num_rows, dtype=bool)
    groups: dict[tuple[str, str], np.ndarray] = {("", ""): everyone}
    for k, cohort in enumerate(turn.strategy.cohorts):
        groups[(cohort.name, "")] = rows[f"cohort{k}"].to_numpy(zero_copy_only=False)
    models = np.array(rows["model"].to_pylist(), dtype=object)
    versions = sorted({m for m in models if m is not None})
    if len(versions) > 1:
        groups |= {("", version): models == version for version in versions}
    for (cohort, model), inside in groups.items():
        for metric in metrics:
            key = Key(kind="performance", metric=metric.name, cohort=cohort, model=model)
            made = []
            for start in sorted(found):
                if cohort in broken:
                    made.append(_unknown(turn, start, broken[cohort]))
                    continue
                k = (start - windows.numbered(0)) // windows.every
                here = rows.filter(pa.array(inside & (place == k)))
                if model and not here.num_rows:
                    continue
                made.append(measured(metric, here, start, start + windows.every))
            yield key, made


def judged_rows(
    turn: Turn, found: set[datetime], also: Sequence[str]
) -> tuple[pa.Table, dict[str, str]]:
    """Return the records of some windows that have a final label, with their cohorts.

    Among their columns are ``also``. Then why a cohort cannot be asked, by its name; nobody is in it.
    """
    windows = Windows.of(turn)
    span = {"since": min(found), "until": max(found) + windows.every}
    final = turn.strategy.labels(turn.view.reservoir(**span), turn.now)
    final = final.select("record_id", "label", "label_text", "weight")
    rows = turn.view.records(**span)
    broken: dict[str, str] = {}
    inside = {f"cohort{k}": c(rows) for k, c in usable(rows, turn.strategy.cohorts, broken)}
    rows = rows.mutate(**inside).select("record_id", *ANSWERED, *also, *inside)
    rows = rows.inner_join(final, "record_id")
    found_rows = turn.view.arrow(rows.order_by("predicted_at", "record_id"))
    for k in range(len(turn.strategy.cohorts)):
        if f"cohort{k}" not in found_rows.column_names:
            nobody = pa.array(np.zeros(found_rows.num_rows, dtype=bool))
            found_rows = found_rows.append_column(f"cohort{k}", nobody)
    return found_rows, broken


def usable(
    rows: ir.Table, cohorts: Iterable[Cohort], broken: dict[str, str] | None = None
) -> Iterator[tuple[int, Cohort]]:
    """Yield the cohorts that can be asked of some records, with their place among all.

    Parameters
    ----------
    broken
        Where it is told why the others cannot be, by their name.
    """
    for k, cohort in enumerate(cohorts):
        try:
            cohort(rows)
        except Exception as error:  # noqa: BLE001 - a condition of the user's may fail in any way
            if broken is not None:
                broken[cohort.name] = reason(error)
            continue
        yield k, cohort


def _place(rows: pa.Table, windows: Windows) -> np.ndarray:
    at = rows["predicted_at"].to_numpy().astype("datetime64[us]").astype(np.int64)
    return at // int(windows.every.total_seconds() * 1_000_000)


def _blocks(label: np.ndarray) -> np.ndarray:
    """Part a window, for its interval; whole lists where the labels are beside those.

    Rows in turn, not in stretches: each part is like the window as a whole.
    """
    turns = np.arange(len(label)) if label.dtype.names is None else parted(label, "")[1]
    return turns % BLOCKS


def measured(
    metric: Metric,
    rows: pa.Table,
    start: datetime,
    end: datetime,
    *,
    units: np.ndarray | None = None,
) -> Point:
    """Measure a metric on judged rows of a window; the point says why where it cannot be.

    Parameters
    ----------
    units
        The unit of evidence of each row; by default the window is parted for the interval.
    """
    n = rows.num_rows
    if not n:
        why = "no final label in the window"
        return Point(start=start, end=end, value=math.nan, n=0, why=why)
    try:
        label, answer, weight = judged_answers(metric, rows)
        if answer is None:
            why = f"{metric.name} needs a {metric.needs}, and none was logged"
            return Point(start=start, end=end, value=math.nan, n=n, why=why)
        parts = _blocks(label) if units is None else units
        found = with_interval(metric, label, answer, weight, parts)
    except Exception as error:  # noqa: BLE001 - a metric of the user's may fail in any way
        return Point(start=start, end=end, value=math.nan, n=n, why=reason(error))
    weighs = float(weight.sum()) if summary_of(metric) == "mergeable" else math.nan
    why = "" if math.isfinite(found.value) else f"{metric.name} cannot be told from these rows"
    return Point(
        start=start,
        end=end,
        value=found.value,
        low=found.low,
        high=found.high,
        n=n,
        n_effective=found.n_effective,
        weight=weighs,
        why=why,
    )
