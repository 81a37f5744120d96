"""A backtest as plain JSON: what the terminal, the page and the notebook are made from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from tidemill.core.durations import words
from tidemill.core.ports import Json
from tidemill.core.verdict import Estimate
from tidemill.measures import Metric
from tidemill.strategy.backtest.compare import Better, Comparison, Terms, compare, effort_price
from tidemill.strategy.backtest.setting import Given, Setting
from tidemill.strategy.backtest.told import Told, overall, plain, shares
from tidemill.strategy.backtest.validity import conclusion, figure, validity

SCHEMA = "tidemill.backtest/1"
NAMES = {
    "auc": "AUC",
    "mae": "MAE",
    "mse": "MSE",
    "log_loss": "log loss",
    "brier": "Brier score",
    "accuracy": "accuracy",
}
"""What metrics are called in sentences."""


def report(
    *,
    given: Given,
    setting: Setting,
    metric: Metric,
    asked: list[Told],
    references: list[Told],
    hindsight: Json | None,
    terms: Terms,
    seeds: int,
    effort: Json,
) -> Json:
    """Put everything together."""
    rows = [*asked, *references]
    baseline = _baseline(rows)
    others = [row for row in asked if row is not baseline]
    found = compare(others, baseline, terms)
    best = None if hindsight is None else hindsight["told"]
    everyone = [*rows, *([best] if best is not None else [])]
    front = _front(everyone, terms)
    among = _among(others, terms)
    name = NAMES.get(metric.name, metric.name)
    freshness = _freshness(rows, terms)
    step = terms.rows.steps.moments
    told = {
        "schema": SCHEMA,
        "title": given.title,
        "history": {
            "rows": len(given.history),
            "labelled": len(np.unique(given.history.label_place)),
            "first": _at(given, 0),
            "last": _at(given, -1),
            "task": given.task,
            "features": [{"name": n, "kind": kind} for n, kind in given.features],
            "step": setting.step,
            "steps": len(terms.rows.scored),
            "scored_from": step[terms.rows.scored[0]] if terms.rows.scored else None,
            "scored_to": step[terms.rows.scored[-1] + 1] if terms.rows.scored else None,
            "label_delay": words(_rounded(given.delay)),
            "assumed": [*given.assumed, *_assumed(setting)],
            "warnings": list(given.warnings),
        },
        "model": {
            "yours": setting.model is None,
            "words": setting.model or "your own training",
        },
        "metric": {
            "name": metric.name,
            "words": name,
            "higher_is_better": metric.higher_is_better,
        },
        "seeds": seeds,
        "deterministic": terms.deterministic,
        "latency": setting.latency,
        "season": setting.season,
        "strategies": [_strategy(row, best, row.name in front, terms) for row in everyone],
        "comparisons": [_comparison(c, name, terms) for c in found],
        "among": [_comparison(c, name, terms) for c in among],
        "retraining": [_comparison(c, name, terms) for c in _retraining(asked, rows, found, terms)],
        "hindsight": _hindsight(hindsight, terms),
        "validity": validity(given, found, everyone, name, terms),
        "conclusion": conclusion(found, everyone, freshness, name, terms, among=among),
        "effort": effort,
    }
    return plain(told)


def _baseline(rows: Sequence[Told]) -> Told:
    """Return what strategies are compared with: yours, or else never."""
    for name in ("yours", "never"):
        for row in rows:
            if row.name == name:
                return row
    once = [row for row in rows if row.words.startswith("retrain once")]
    return once[0] if once else rows[0]


def _among(asked: Sequence[Told], terms: Terms) -> list[Comparison]:
    """Compare the best of the strategies asked for with each of the others."""
    known = [row for row in asked if np.isfinite(overall(row.mean, terms.weight))]
    if len(known) < 2:  # noqa: PLR2004 - nobody to compare with
        return []
    top = max(known, key=lambda row: terms.sign * overall(row.mean, terms.weight))
    return [compare([top], other, terms)[0] for other in known if other is not top]


def _retraining(
    asked: Sequence[Told], rows: Sequence[Told], found: Sequence[Comparison], terms: Terms
) -> Sequence[Comparison]:
    """Compare the strategies asked for with the first model left alone, whatever the baseline."""
    never = next((row for row in rows if row.words.startswith("retrain once")), None)
    if never is None or all(c.against == never.name for c in found):
        return found if never is not None else []
    return compare([row for row in asked if row is not never and row.name != "yours"], never, terms)


def _at(given: Given, place: int) -> datetime | None:
    if not len(given.history):
        return None
    return given.history.records["predicted_at"][place].as_py()


def _rounded(span: timedelta) -> timedelta:
    """Round a length of time to what a person would say."""
    for unit in (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)):
        if span >= 2 * unit:
            return round(span / unit) * unit
    return timedelta(seconds=round(span.total_seconds()))


def _assumed(setting: Setting) -> list[str]:
    return [
        (
            f"every mill turns every {setting.step}; a model meets users {setting.latency} after "
            f"its fit begins."
        ),
        f"things repeat every {setting.season}."
        if not setting.season.startswith("0")
        else "nothing repeats by season.",
    ]


def _strategy(row: Told, best: Told | None, on_front: bool, terms: Terms) -> Json:  # noqa: FBT001
    moments, scored = terms.rows.steps.moments, terms.rows.scored
    mean = row.mean
    truths = [terms.rows.scorer.truth(k) for k in scored]
    curve = [
        {
            "start": moments[k],
            "end": moments[k + 1],
            "n": int(np.diff(terms.rows.steps.rows(k))[0]),
            "labelled": len(truths[i]),
            "then": row.then[i],
            "now": mean[i],
            "age_days": row.ages[i],
            "settled": bool(terms.settled[i]),
        }
        for i, k in enumerate(scored)
    ]
    return {
        "name": row.name,
        "hash": row.hash,
        "kind": row.kind,
        "words": row.words,
        "matched": row.matched,
        "value": overall(mean, terms.weight),
        "retrains": round(row.retrains, 1),
        "refused": round(row.refused, 1),
        "failed": round(row.failed, 1),
        "labels": round(row.labels),
        "seconds": row.seconds,
        "retrained_at": list(row.retrained),
        "went_live_at": list(row.live),
        "cost": ledger(row, terms),
        "opportunity": None if best is None else math.fsum(opportunity(row, best, terms)),
        "on_front": on_front,
        "curve": curve,
        "decisions": [
            {"at": one.triggered_at, "why": one.why, "fired": True, "became": one.became}
            for one in (row.lives[0] if row.lives else [])
        ],
        "notes": [*row.notes, *_rhythm(row, terms)],
    }


def _rhythm(row: Told, terms: Terms) -> list[str]:
    """Say when a trigger decided nothing: it never fired, or always did."""
    if row.kind != "asked" or row.words.startswith(("retrain once", "retrain every")):
        return []
    turns = len(terms.rows.steps.moments) - 1
    if row.retrains == 1:
        return ["its trigger never fired: the first model was in front to the end"]
    if row.retrains >= turns:
        return ["its trigger fired at every turn"]
    return []


def ledger(row: Told, terms: Terms) -> Json | None:
    """Return what a strategy cost, item by item; the total is their exact sum."""
    sheet = terms.rows.scorer.costs
    if sheet is None or row.errors is None:
        return None
    items = {
        "labels": row.labels * sheet.label,
        "compute": row.seconds * sheet.second,
        "review": row.reviews * sheet.review,
        "errors": math.fsum(row.errors[terms.settled]),
    }
    return {"currency": sheet.currency, **items, "total": math.fsum(items.values())}


def opportunity(row: Told, best: Told, terms: Terms) -> list[float]:
    """Return what each step lost against another row: money with prices, else the metric.

    The metric's loss of a step counts by the step's share, so that the steps add up to the
    loss of the whole.
    """
    if row.errors is not None and best.errors is not None:
        return [float(x) for x in (row.errors - best.errors)[terms.settled]]
    share = shares(terms.weight, row.mean, best.mean)
    gap = terms.sign * (best.mean - row.mean)
    return [float(s * g) if s else 0.0 for s, g in zip(share, gap, strict=True)]


def _front(rows: Sequence[Told], terms: Terms) -> set[str]:
    """Return who is beaten by nobody in both what it costs and how well it answers."""
    priced = terms.rows.scorer.priced
    points = [
        (
            row.name,
            effort_price(row, terms.rows.scorer) if priced else row.seconds,
            terms.sign * overall(row.mean, terms.weight),
        )
        for row in rows
    ]
    known = [p for p in points if np.isfinite(p[2])]
    return {
        name
        for name, cost, value in known
        if not any((c <= cost and v >= value and (c < cost or v > value)) for _, c, v in known)
    }


def _interval(found: Estimate) -> Json:
    return {"value": found.value, "low": found.low, "high": found.high}


def _comparison(c: Comparison, metric: str, terms: Terms) -> Json:
    periods = {**_interval(c.periods), "groups": c.periods.groups, "why": c.periods_why}
    sheet = terms.rows.scorer.costs
    money = None
    if c.money is not None and sheet is not None:
        money = {**_interval(c.money), "currency": sheet.currency}
    return {
        "name": c.name,
        "against": c.against,
        "this_history": {
            **_interval(c.this_history),
            "seeds": c.this_history.groups,
            "units": c.this_history.n,
            "limit": c.limit,
        },
        "periods": periods,
        "verdict": str(c.verdict),
        "money_per_year": money,
        "words": compared(c, metric),
    }


def compared(c: Comparison, metric: str) -> str:
    """Say a comparison in words."""
    d = c.this_history
    span = f"{figure(abs(d.value))} {metric}"
    low, high = sorted((abs(d.low), abs(d.high)))
    ends = f"[{figure(low)}, {figure(high)}]"
    if c.verdict == Better.SAME:
        return f"{c.name} did the same as {c.against}"
    if c.verdict == Better.BETTER:
        return f"{c.name} beats {c.against} by {span} {ends}"
    if c.verdict == Better.WORSE:
        return f"{c.name} is worse than {c.against} by {span} {ends}"
    if not d.known:
        return f"NO_VERDICT on {c.name} against {c.against}: too little to tell"
    return (
        f"NO_VERDICT on {c.name} against {c.against}: {figure(d.value, '+')} {metric} "
        f"[{figure(d.low, '+')}, {figure(d.high, '+')}]"
    )


def _hindsight(found: Json | None, terms: Terms) -> Json | None:
    if found is None:
        return None
    told: Told = found["told"]
    schedule = found["found"].schedule
    # The half it was not chosen on; with prices the whole, for want of a metric by halves.
    value = overall(told.mean, terms.weight)
    if not found["price"]:
        value = -terms.sign * found["found"].total
    unit = "what errors and training cost" if found["price"] else "the metric"
    return {
        "of": "every step",
        "retrains": len(schedule) + 1,
        "value": value,
        "bound": overall(found["bound"].mean, terms.weight),
        "honest": found["found"].total,
        "in_sample": found["found"].bound,
        "at": [terms.rows.steps.moments[k] for k in (0, *schedule)],
        "words": (
            f"the best schedule in hindsight for {unit}: chosen on one half of each step's rows, "
            f"scored on the other; the bound has seen the noise and is a bound only"
        ),
    }


def _freshness(rows: Sequence[Told], terms: Terms) -> Comparison | None:
    """Compare fresh models with the first one at equal training size, where sizes grew."""
    fresh = [row for row in rows if row.name == "every step, same size"]
    never = [row for row in rows if row.words.startswith("retrain once")]
    if not fresh or not never:
        return None
    first, luck = never[0], never[0].luck
    if luck is not None:
        # A model that was trained once may just have had bad luck with its rows. What one draw
        # of them is worth, and that the mean of the draws is not known, is in the factor.
        count = len(luck)
        values = first.mean + luck * math.sqrt(count + 1)
        first = replace(first, by=[first.by[0]] * count, values=values, luck=None)
        terms = replace(terms, deterministic=False)
    return compare(fresh, first, terms)[0]
