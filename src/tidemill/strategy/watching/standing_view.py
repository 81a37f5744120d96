"""The standing view: which metrics of the model go with what users do."""

from __future__ import annotations

import math
from typing import Any

from tidemill.core.errors import BadInput, unknown
from tidemill.core.ports import Json, World
from tidemill.core.signals import Key
from tidemill.monitoring.felt import felt
from tidemill.strategy.realised import yardsticks
from tidemill.strategy.strategy import Strategy
from tidemill.strategy.watching.budgeting import Series, series

ALL = "all"


def standing(world: World, strategy: Strategy, *, metric: str = "", outcome: str = ALL) -> Json:
    """Say of each metric and outcome whether a better one is felt in the other.

    All pairs together err with at most 5 %.

    Parameters
    ----------
    metric
        Only this one; empty for all of the strategy.
    outcome
        Only this signal of outcomes; ``"all"`` for all.

    Raises
    ------
    BadInput
        If no outcome or no metric was measured.
    NotFound
        If there is none of a name; the message suggests the nearest.
    """
    found = series(world, None)
    metrics = {m.name: m.higher_is_better for m in yardsticks(strategy)}
    metrics = {m: up for m, up in metrics.items() if _key("performance", m) in found}
    outcomes = sorted({k.metric for k in found if k == _key("outcomes", k.metric)})
    if not outcomes:
        raise BadInput(
            "no outcome was measured: nothing says what users do with the answers.",
            fix="log it, mill.feedback(id, 1, kind='click'), and watch FeedbackRate('click').",
        )
    if not metrics:
        raise BadInput(
            "no metric was measured.", fix="give the strategy metrics=[AUC()], and labels."
        )
    if metric and metric not in metrics:
        raise unknown("metric", metric, metrics)
    if outcome not in (ALL, *outcomes):
        raise unknown("outcome", outcome, [*outcomes, ALL])
    wanted = [metric] if metric else list(metrics)
    pairs = [(m, o) for m in wanted for o in ([outcome] if outcome != ALL else outcomes)]
    ways = directions(strategy)
    confidence = 1 - 0.05 / len(pairs)
    rows = [_pair(found, m, o, (metrics[m], ways.get(o, "neither")), confidence) for m, o in pairs]
    return {"confidence": confidence, "pairs": rows}


def _key(kind: str, metric: str) -> Key:
    return Key(kind=kind, metric=metric)


def directions(strategy: Strategy) -> dict[str, str]:
    """Return whether more of each watched signal is better, worse or neither."""
    signals: list[Any] = [] if strategy.monitoring is None else list(strategy.monitoring.signals)
    return {w.signal.metric: getattr(w.signal, "higher_is", "neither") for w in signals}


def _pair(
    found: Series, metric: str, outcome: str, ways: tuple[bool, str], confidence: float
) -> Json:
    points, outcomes = found[_key("performance", metric)][0], found[_key("outcomes", outcome)][0]
    up, way = ways
    said = felt(
        points,
        outcomes,
        names=(metric, outcome),
        higher_is_better=(up, way != "worse"),
        confidence=confidence,
    )
    note = ""
    if way == "neither":
        note = f"whether more of {outcome} is better was not said; more was taken for better"
    return {
        "metric": metric,
        "outcome": outcome,
        "said": said.said,
        "why": said.why,
        "note": note,
        "windows": said.windows,
        **{n: _number(getattr(said, n)) for n in ("value", "low", "high")},
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
