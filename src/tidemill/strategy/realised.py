"""How well what users were answered turned out, from logged answers beside their labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from tidemill.core.as_of import as_of
from tidemill.core.ports import Json, World
from tidemill.core.verdict import Estimate
from tidemill.core.work import reason
from tidemill.loop.offline.comparison import answered, compare_on
from tidemill.measures import Metric, measure
from tidemill.measures.grouped import columns_of_groups, truth_for
from tidemill.statistics import jackknife
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.turn import moment_of

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Turned:
    """Records whose label is final, with what was answered; arrays of shape (n,)."""

    at: npt.NDArray[np.datetime64]
    model: Array
    label: Array
    weight: npt.NDArray[np.float64]
    answers: dict[str, Array]
    groups: Mapping[str, Array] = field(default_factory=dict[str, Array])
    """What lists are told by, where a metric is of lists."""

    def between(self, start: datetime, end: datetime | None) -> npt.NDArray[np.bool_]:
        """Say which records were predicted in [start, end)."""
        found = self.at >= instant64(start)
        return found if end is None else found & (self.at < instant64(end))


def instant64(at: datetime) -> np.datetime64:
    """Write a moment with its zone as numpy does, in UTC."""
    return np.datetime64(int(at.timestamp() * 1_000_000), "us")


def yardsticks(strategy: Strategy) -> list[Metric]:
    """Return what good means in a strategy: its metrics, else those of its gates.

    Examples
    --------
    >>> from tidemill import AUC, AtLeast, Strategy
    >>> from tidemill.loop.training.function import always_the_mean
    >>> gated = Strategy(training=always_the_mean, offline=[AtLeast(AUC(), 0.6)])
    >>> [metric.name for metric in yardsticks(gated)]
    ['auc']
    """
    gates = (getattr(gate, "metric", None) for gate in strategy.offline)
    wanted = strategy.metrics or [m for m in gates if m is not None]
    return list({m.name: m for m in reversed(wanted) if hasattr(m, "needs")}.values())[::-1]


def turned_out(world: World, strategy: Strategy, *, since: datetime) -> Turned:
    """Read the chosen records predicted since a moment whose label is final now."""
    also = columns_of_groups(yardsticks(strategy))
    rows = as_of(world, moment_of(world)).judged(strategy.labels, since=since, also=also)
    rows = rows.filter(pc.is_valid(rows["weight"]))
    test = compare_on(rows, {})
    return Turned(
        at=rows["predicted_at"].to_numpy().astype("datetime64[us]"),
        model=np.asarray(rows["model"].to_pylist(), dtype=object),
        label=test.label,
        weight=test.weight,
        answers=answered(rows),
        groups=test.groups,
    )


def performed(metric: Metric, rows: Turned, keep: npt.NDArray[np.bool_]) -> Json:
    """Measure the answers of some records: ``metric``, ``value``, ``why`` it is not known, ...

    The unit of evidence is the day; ``low`` and ``high`` are None for fewer than five.
    """
    here = keep & _known(rows.answers[metric.needs])
    if not here.any():
        why = "no record of then has both an answer and a final label"
        return told(metric, None, why=why)
    answer, day = rows.answers[metric.needs][here], rows.at[here].astype("datetime64[D]")
    try:
        label = _truth(metric, rows, here)
        found = measure(metric, label, answer, rows.weight[here], day)
    except Exception as error:  # noqa: BLE001 - a user's metric may raise anything
        return told(metric, None, why=f"it cannot tell: {reason(error)}")
    return told(metric, found)


def gap(
    metric: Metric, rows: Turned, new: npt.NDArray[np.bool_], old: npt.NDArray[np.bool_]
) -> Json:
    """Measure how much better one model did than another on days on which both answered.

    They answered different records, so the difference is not paired; leaving out one day at a
    time leaves it out for both.
    """
    day = rows.at.astype("datetime64[D]")
    known = _known(rows.answers[metric.needs])
    both = np.intersect1d(day[new & known], day[old & known])
    here = np.isin(day, both) & known & (new | old)
    if not here.any():
        return told(metric, None, why="no day on which both models answered is labelled")
    weight = rows.weight[here]
    answer, is_new = rows.answers[metric.needs][here], new[here]
    sign = 1.0 if metric.higher_is_better else -1.0
    try:
        label = _truth(metric, rows, here)

        def difference(keep: npt.NDArray[np.bool_]) -> float:
            sides = [keep & is_new, keep & ~is_new]
            one, other = (metric(label[s], answer[s], weight[s]) for s in sides)
            return sign * (one - other) + 0.0

        found = jackknife(difference, day[here], weight)
    except Exception as error:  # noqa: BLE001 - a user's metric may raise anything
        return told(metric, None, why=f"it cannot tell: {reason(error)}")
    return told(metric, found)


def _truth(metric: Metric, rows: Turned, here: npt.NDArray[np.bool_]) -> Array:
    """Return the labels of some rows as a metric takes them."""
    return truth_for(metric, rows.label[here], {k: v[here] for k, v in rows.groups.items()})


def _known(answer: Array) -> npt.NDArray[np.bool_]:
    if answer.dtype.kind == "f":
        return ~np.isnan(answer)
    return np.array([a is not None for a in answer], dtype=bool)


def told(metric: Metric, found: Estimate | None, *, why: str = "") -> Json:
    """Write an estimate as plain JSON, None where a number is not known, and why."""
    value, low, high = (None, None, None) if found is None else (found.value, found.low, found.high)
    if found is not None and not np.isfinite(found.value):
        why = "the rows cannot give it"
    elif found is not None and not found.known:
        why = f"{found.groups} days are too few for an interval"
    return {
        "metric": metric.name,
        "value": _finite(value),
        "low": _finite(low),
        "high": _finite(high),
        "n": 0 if found is None else found.n,
        "days": 0 if found is None else found.groups,
        "why": why,
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
