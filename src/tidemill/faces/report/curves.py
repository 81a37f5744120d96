"""From the document to the rows that the charts draw."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

from tidemill.core.ports import Json
from tidemill.faces.report.numbers import known, moment
from tidemill.faces.report.places import places
from tidemill.faces.report.standings import baseline, is_hindsight

Rows = list[Json]
BEST = "the best at each step"


class Point(NamedTuple):
    """A window of two curves."""

    at: float
    value: float
    other: float


def stamp(seconds: float) -> str:
    """Write a time for the charts.

    Examples
    --------
    >>> stamp(0.0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _utc(text: str) -> str:
    return stamp(moment(text).timestamp())


def windows(backtest: Json) -> Rows:
    """Make a row for each strategy and window, at the middle of the window."""
    rows: Rows = []
    for strategy in backtest["strategies"]:
        curve = strategy["curve"]
        values = [None, *(known(window["now"]) for window in curve), None]
        for n, window in enumerate(curve):
            rows.append(
                {
                    "strategy": strategy["name"],
                    "at": stamp(_middle(window)),
                    "window": f"{window['start'][:10]} to {window['end'][:10]}",
                    "now": values[n + 1],
                    "then": known(window["then"]),
                    "rows": window["n"],
                    "labelled": window["labelled"],
                    "age": known(window["age_days"]),
                    "settled": "yes" if window["settled"] else "labels still coming",
                    "alone": values[n] is None and values[n + 2] is None,
                }
            )
    return rows


def waiting(backtest: Json) -> Rows:
    """Find the stretch at the end whose labels are still coming."""
    curve = _steps(backtest)
    late = [window for window in curve if not window["settled"]]
    if not late:
        return []
    ends = (min(moment(w["start"]) for w in late), max(moment(w["end"]) for w in late))
    return [{"from": stamp(ends[0].timestamp()), "to": stamp(ends[1].timestamp())}]


def span(backtest: Json) -> list[str] | None:
    """Find the ends of the time axis, the same for every chart."""
    curve = _steps(backtest)
    if not curve:
        return None
    ends = (moment(curve[0]["start"]), max(moment(window["end"]) for window in curve))
    return [stamp(at.timestamp()) for at in ends]


def _steps(backtest: Json) -> Rows:
    """Return the longest curve: its windows are the steps of the replay."""
    return max((s["curve"] for s in backtest["strategies"]), key=len, default=[])


def _middle(window: Json) -> float:
    return (moment(window["start"]).timestamp() + moment(window["end"]).timestamp()) / 2


def against(backtest: Json) -> list[str]:
    """Name what a strategy can be held against: hindsight or the best, and the baseline."""
    best = next((s["name"] for s in backtest["strategies"] if is_hindsight(s)), BEST)
    return [name for name in dict.fromkeys([best, baseline(backtest)]) if name]


def gaps(backtest: Json) -> Rows:
    """Cut the area between each strategy and what it is held against where the two cross."""
    curves = {s["name"]: _known(s) for s in backtest["strategies"]}
    upward = backtest["metric"]["higher_is_better"]
    curves_against = {BEST: _best(curves, upward=upward), **curves}
    rows: Rows = []
    for other in against(backtest):
        for name, curve in curves.items():
            if name == other:
                continue
            pieces = _pieces(backtest, curve, curves_against.get(other, {}))
            for n, piece in enumerate(pieces):
                is_ahead = (sum(p.value - p.other for p in piece) > 0) is upward
                told = {"strategy": name, "against": other, "piece": n}
                side = "ahead" if is_ahead else "behind"
                rows += [
                    {
                        **told,
                        "side": side,
                        "at": stamp(p.at),
                        "value": _short(p.value),
                        "other": _short(p.other),
                    }
                    for p in piece
                ]
    return rows


def _short(value: float) -> float:
    """Keep the figures that a picture can show: the page holds every row."""
    return float(f"{value:.7g}")


def _known(strategy: Json) -> dict[float, float]:
    points = ((_middle(window), known(window["now"])) for window in strategy["curve"])
    return {at: value for at, value in points if value is not None}


def _best(curves: dict[str, dict[float, float]], *, upward: bool) -> dict[float, float]:
    choose = max if upward else min
    times = {at for curve in curves.values() for at in curve}
    return {at: choose(c[at] for c in curves.values() if at in c) for at in times}


def _pieces(
    backtest: Json, curve: dict[float, float], other: dict[float, float]
) -> Iterator[list[Point]]:
    piece: list[Point] = []
    times = [_middle(window) for window in _steps(backtest)]
    both = [
        Point(at, curve[at], other[at]) if at in curve and at in other else None for at in times
    ]
    for here, after in pairwise([*both, None]):
        if here is None:
            continue
        piece.append(here)
        if after is None:
            yield piece
            piece = []
        elif (here.value - here.other) * (after.value - after.other) < 0:
            crossing = _crossing(here, after)
            yield [*piece, crossing]
            piece = [crossing]


def _crossing(here: Point, after: Point) -> Point:
    gap, then = here.value - here.other, after.value - after.other
    part = gap / (gap - then)
    level = here.value + part * (after.value - here.value)
    return Point(here.at + part * (after.at - here.at), level, level)


def marks(backtest: Json) -> Rows:
    """Make a row for each retrain: when, why, and whether its model went live."""
    rows: Rows = []
    for strategy in backtest["strategies"]:
        told = {decision["at"]: decision for decision in strategy["decisions"] if decision["fired"]}
        for at in strategy["retrained_at"]:
            decision = told.get(at, {"why": "", "became": "live"})
            rows.append(
                {
                    "strategy": strategy["name"],
                    "at": _utc(at),
                    "day": at[:10],
                    "why": decision["why"],
                    "became": decision["became"],
                    "live": decision["became"] == "live",
                }
            )
    return rows


def compute(backtest: Json) -> Rows:
    """Add up the seconds of fits over time, shared evenly over the retrains of a strategy."""
    ends = span(backtest)
    if ends is None:
        return []
    rows: Rows = []
    for strategy in backtest["strategies"]:
        name, times = strategy["name"], strategy["retrained_at"]
        total = known(strategy["seconds"]) or 0.0
        each = total / len(times) if times else 0.0
        start = 0.0 if times else total
        steps = [(ends[0], 0), *((_utc(at), n) for n, at in enumerate(times, start=1))]
        rows += [
            {"strategy": name, "at": at, "seconds": start + n * each, "fits": n}
            for at, n in [*steps, (ends[1], len(times))]
        ]
    return rows


def labels(backtest: Json) -> Rows:
    """Count the rows and the labels of each window."""
    return [
        {
            "from": _utc(window["start"]),
            "to": _utc(window["end"]),
            "window": f"{window['start'][:10]} to {window['end'][:10]}",
            "rows": window["n"],
            "labelled": window["labelled"],
        }
        for window in _steps(backtest)
    ]


def efforts(backtest: Json) -> Rows:
    """Set what each strategy took against what it reached: money with prices, else seconds."""
    priced = has_prices(backtest)
    rows: Rows = []
    for strategy in backtest["strategies"]:
        cost = strategy["cost"]
        paid = [cost["labels"], cost["compute"], cost["review"]] if priced and cost else []
        effort = sum(known(part) or 0.0 for part in paid) if priced else known(strategy["seconds"])
        value = known(strategy["value"])
        if effort is None or value is None:
            continue
        rows.append(
            {
                "strategy": strategy["name"],
                "effort": effort,
                "value": value,
                "front": strategy["on_front"],
                "what": "on the front" if strategy["on_front"] else "",
            }
        )
    best = {row["strategy"] for row in rows if row["front"]}
    found = places([(row["strategy"], row["effort"], row["value"]) for row in rows], best)
    return [{**row, "place": place} for row, place in zip(rows, found, strict=True)]


def has_prices(backtest: Json) -> bool:
    """Say whether the ledger is in money."""
    return any(strategy["cost"] is not None for strategy in backtest["strategies"])
