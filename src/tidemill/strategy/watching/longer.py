"""Signals over longer windows: what base windows come to together, merged or measured again."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidemill.core.errors import BadInput, BadValue
from tidemill.core.ports import Json, World
from tidemill.core.signals import Point
from tidemill.measures import Metric
from tidemill.measures.grouped import columns_of_groups
from tidemill.measures.metric import summary_of
from tidemill.statistics import jackknife
from tidemill.statistics.weighted import weighted_mean
from tidemill.strategy.realised import yardsticks
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.turn import Turn, moment_of
from tidemill.strategy.watching import telling
from tidemill.strategy.watching.measuring import judged_rows, measured
from tidemill.strategy.watching.windows import Windows

_KEY = ("kind", "metric", "column", "cohort", "model")
_NUMBERS = ("value", "low", "high", "n_effective", "weight")


def windows_of(every: timedelta, base: timedelta) -> Windows:
    """Return longer windows, cut as base windows are.

    Raises
    ------
    BadValue
        If they do not consist of whole base windows.

    Examples
    --------
    >>> windows_of(timedelta(days=7), timedelta(days=1)).days
    7.0
    """
    if every < base or every % base:
        raise BadValue(
            f"windows of {every} do not consist of whole base windows of {base}.",
            fix="give a multiple of the strategy's window.",
        )
    return Windows(every=every)


def longer(world: World, strategy: Strategy, every: timedelta, **wanted: Any) -> pa.Table:
    """Return signals over longer windows, in the columns of points of base windows.

    What is the weighted mean of its rows (``summary`` is ``"mergeable"``) is merged from its
    points, exactly. Other metrics are measured again on the records of the longer window. Either
    way the interval leaves out one base window at a time, and ``said`` tells which it was; there
    is no verdict.

    Parameters
    ----------
    every
        How long the windows are.
    wanted
        Which signals, as :func:`tidemill.strategy.watching.telling.signals` takes it.

    Raises
    ------
    BadValue
        If they do not consist of whole base windows.
    BadInput
        If a signal is neither such a mean nor a metric of the strategy.
    """
    turn = Turn(world=world, strategy=strategy, now=moment_of(world), marks=strategy.marks)
    base = Windows.of(turn).every
    windows = windows_of(every, base)
    metrics = {metric.name: metric for metric in yardsticks(strategy)}
    shares = _shares(strategy)
    points = telling.signals(world, whole=windows, **wanted)

    def place(row: Json) -> tuple[Any, ...]:
        # One longer window after the other: only of one are records in memory.
        return windows.start(row["start"].astimezone(UTC)), *(row[name] for name in _KEY)

    made: list[Json] = []
    ask: Callable[[Metric, Json], Point] | None = None
    asked: datetime | None = None
    for (start, *key), group in groupby(sorted(points.to_pylist(), key=place), place):
        parts = list(group)
        if key[0] != "performance" and key[1] in shares:
            parts = [{**p, "weight": p["n"]} for p in parts]
        metric = metrics.get(key[1]) if key[0] == "performance" else None
        if all(p["weight"] is not None for p in parts if p["value"] is not None):
            point, how = _merged(parts, start, start + every), "merged from"
        elif metric is not None:
            if ask is None or asked != start:
                ask, asked = _records(turn, start, every, list(metrics.values())), start
            point, how = ask(metric, parts[0]), "measured again on the records of"
        else:
            raise BadInput(
                f"{key[1]} is no mean of its rows: that of a longer window is not told by points.",
                fix="ask for it without longer windows.",
            )
        row = dict(zip(_KEY, key, strict=True)) | {"start": start, "day": start.date()}
        row |= {name: _number(getattr(point, name)) for name in _NUMBERS}
        said = f"{how} {sum(p['n'] > 0 for p in parts)} of {every // base} windows"
        made.append(row | {"end": point.end, "n": point.n, "why": point.why, "said": said})
    made.sort(key=lambda row: (*(row[name] for name in _KEY), row["start"]))
    return pa.Table.from_pylist(made, schema=points.schema)


def _shares(strategy: Strategy) -> set[str]:
    """Name the signals of records that are means of them: each record weighs as much."""
    watched = () if strategy.monitoring is None else strategy.monitoring.measured
    return {w.signal.metric for w in watched if summary_of(w.signal) == "mergeable"}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _merged(parts: list[Json], start: datetime, end: datetime) -> Point:
    """Merge points of a mean; one that could not be told of its rows says why for all."""
    broken = [p for p in parts if p["n"] and p["value"] is None]
    known = [p for p in parts if p["value"] is not None and p["weight"]]
    n = sum(p["n"] for p in parts)
    if broken or not known:
        why = (broken or parts)[-1]["why"] or ""
        return Point(start=start, end=end, value=math.nan, n=n, why=why)
    value, weight = (np.array([p[name] for p in known]) for name in ("value", "weight"))
    found = jackknife(
        lambda keep: weighted_mean(value[keep], weight[keep]), np.arange(value.size), weight
    )
    # n equal weights have the sum of squares w^2 / n.
    equal = np.array([p["n_effective"] or math.nan for p in known])
    return Point(
        start=start,
        end=end,
        value=found.value,
        low=found.low,
        high=found.high,
        n=n,
        n_effective=float(weight.sum() ** 2 / np.sum(np.square(weight) / equal)),
        weight=float(weight.sum()),
    )


def _records(
    turn: Turn, start: datetime, every: timedelta, metrics: list[Metric]
) -> Callable[[Metric, Json], Point]:
    """Read the records of a longer window with a final label; return what measures on them."""
    base = Windows.of(turn).every
    starts = {start + k * base for k in range(every // base)}
    rows, broken = judged_rows(turn, starts, columns_of_groups(metrics))
    cohorts = [cohort.name for cohort in turn.strategy.cohorts]

    def ask(metric: Metric, key: Json) -> Point:
        cohort, end = key["cohort"], start + every
        lost = broken.get(cohort, "" if not cohort or cohort in cohorts else f"{cohort} is gone")
        if lost:
            return Point(start=start, end=end, value=math.nan, n=0, why=lost)
        here = rows.filter(rows[f"cohort{cohorts.index(cohort)}"]) if cohort else rows
        here = here.filter(pc.equal(here["model"], key["model"])) if key["model"] else here
        at = here["predicted_at"].to_numpy().astype("datetime64[us]").astype(np.int64)
        units = at // int(base.total_seconds() * 1_000_000)
        return measured(metric, here, start, end, units=units)

    return ask
