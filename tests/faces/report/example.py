"""A backtest as it comes from ``Backtest.to_dict()``, made up, with everything that can happen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

Json = dict[str, Any]
START = datetime(2013, 2, 4, tzinfo=UTC)
WEEK = timedelta(days=7)
HOSTILE = "</script><img src=x onerror=alert(1)>"

# name, kind, words, every how many steps it retrains, how fast it ages, what it starts from
_STRATEGIES: tuple[tuple[str, str, str, int, float, float], ...] = (
    ("weekly", "asked", "retrain every 7d on the last 30d", 1, 0.006, 0.722),
    ("monthly", "asked", "retrain every 28d on everything", 4, 0.004, 0.727),
    ("performance", "asked", "retrain when AUC drops by 0.02", 9, 0.004, 0.724),
    ("yours", "yours", "the versions in your table", 13, 0.005, 0.718),
    ("never", "reference", "the first model, left alone", 0, 0.0016, 0.719),
    ("every step", "reference", "retrain at every step", 1, 0.005, 0.724),
    ("calendar", "reference", "evenly spaced", 9, 0.005, 0.72),
    ("random", "reference", "20 schedules at random", 9, 0.006, 0.719),
    ("hindsight", "reference", "the best schedule, known afterwards", 6, 0.001, 0.73),
)


def stamp(at: datetime) -> str:
    return at.isoformat()


def example(
    *, steps: int = 44, costs: bool = True, nulls: bool = True, empty: bool = False
) -> Json:
    """Build a document; ``empty`` is a history in which nothing could be scored."""
    random = Random(7)
    noise = [_noise(random, 0.008) for _ in range(steps)]
    strategies = [_strategy(row, steps, noise, random) for row in _STRATEGIES]
    for strategy in strategies:
        if nulls:
            _with_nulls(strategy)
        if not costs:
            strategy["cost"] = None
        if empty:
            strategy.update(curve=[], value=None, opportunity=None, decisions=[])
            strategy.update(retrained_at=[], went_live_at=[], retrains=0, on_front=False)
    return {
        "schema": "tidemill.backtest/1",
        "title": "predictions.parquet",
        "history": _history(0 if empty else steps),
        "model": {"yours": False, "words": "a built-in logistic regression, not your model"},
        "metric": {"name": "auc", "words": "AUC", "higher_is_better": True},
        "seeds": 5,
        "deterministic": False,
        "latency": "1h",
        "season": "7d",
        "strategies": strategies,
        "comparisons": [] if empty else _comparisons(costs=costs),
        "hindsight": None
        if empty
        else {
            "of": "weekly",
            "retrains": strategies[-1]["retrains"],
            "value": 0.731,
            "bound": 0.738,
            "at": strategies[-1]["retrained_at"],
            "words": "the schedule, chosen on half of each step's rows, gives 0.731 on the others",
        },
        "validity": _validity(),
        "conclusion": _conclusion(empty=empty),
        "effort": {
            "strategy_steps": 20 * steps,
            "fits": 97,
            "predictions": 1830,
            "fit_seconds": 41.2,
            "predict_seconds": 6.3,
            "seconds": 52.9,
        },
    }


def renamed(backtest: Json, name: str, to: str) -> Json:
    """Give a strategy another name, wherever it is named."""
    for row in [*backtest["strategies"], *backtest["comparisons"]]:
        for key in ("name", "against"):
            if row.get(key) == name:
                row[key] = to
    return backtest


def hostile() -> Json:
    """Put what breaks out of a page wherever a user's own text can come in."""
    backtest = renamed(example(steps=12), "performance", HOSTILE)
    backtest["title"] = HOSTILE
    backtest["model"]["words"] = HOSTILE
    backtest["metric"]["words"] = HOSTILE
    backtest["history"]["features"][0]["name"] = HOSTILE
    for key in ("assumed", "warnings"):
        backtest["history"][key].append(HOSTILE)
    backtest["conclusion"].append(HOSTILE)
    backtest["hindsight"]["words"] = HOSTILE
    for row in backtest["validity"]:
        row.update(question=HOSTILE, answer=HOSTILE, why=HOSTILE)
    for row in backtest["comparisons"]:
        row["periods"]["why"] = row["words"] = HOSTILE
    for strategy in backtest["strategies"]:
        strategy["words"] = HOSTILE
        strategy["notes"] = [HOSTILE]
        for decision in strategy["decisions"]:
            decision["why"] = HOSTILE
    return backtest


def _strategy(
    row: tuple[str, str, str, int, float, float],
    steps: int,
    noise: Sequence[float],
    random: Random,
) -> Json:
    name, kind, words, period, ageing, first = row
    fired = [n for n in range(steps) if period and n % period == 0]
    refused = set(fired[3::6])
    ages = _ages(steps, [n for n in fired if n not in refused])
    now = []
    for n, age in enumerate(ages):
        drop = 0.03 * min(age, 9) / 9 if n > steps * 0.6 else 0
        now.append(first - ageing * min(age, 22) / 2 - drop + noise[n] + _noise(random, 0.003))
    mean = sum(now) / steps
    curve = [_window(n, steps, now[n], ages[n], random) for n in range(steps)]
    decided = [START + n * WEEK for n in fired]
    live = [START + n * WEEK + timedelta(hours=1) for n in fired if n not in refused]
    return {
        "name": name,
        "hash": f"{sum(name.encode()):012x}" if kind == "asked" else None,
        "kind": kind,
        "words": words,
        "matched": {"to": "performance", "what": "retrains"}
        if name in {"calendar", "random"}
        else None,
        "value": mean,
        "retrains": len(fired),
        "refused": len(refused),
        "failed": 0,
        "labels": 4200 + 310 * len(fired),
        "seconds": 0.6 + 0.41 * len(fired),
        "retrained_at": [stamp(at) for at in decided],
        "went_live_at": [stamp(at) for at in live],
        "cost": {
            "currency": "EUR",
            "labels": 2.0 * len(fired),
            "compute": 4.1 * len(fired) + 2,
            "review": 11.0 * len(fired),
            "errors": 21_000 * (1 - mean),
            "total": 17.1 * len(fired) + 2 + 21_000 * (1 - mean),
        },
        "opportunity": 12.0 + 130 * ageing * steps,
        "on_front": name in {"never", "monthly", "performance"},
        "curve": curve,
        "decisions": [_decision(n, refused, name) for n in fired],
        "notes": ["never fired"] if not fired else [],
    }


def _ages(steps: int, live: Sequence[int]) -> list[int]:
    last, ages = -1, []
    for n in range(steps):
        last = n if n in live else last
        ages.append(n - last)
    return ages


def _noise(random: Random, size: float) -> float:
    return size * (random.random() + random.random() + random.random() - 1.5) * 2


def _window(n: int, steps: int, now: float, age: int, random: Random) -> Json:
    rows, settled = 2300 + int(600 * random.random()), n < steps - 2 or steps == 1
    return {
        "start": stamp(START + n * WEEK),
        "end": stamp(START + (n + 1) * WEEK),
        "n": rows,
        "labelled": rows if settled else rows // (n + 4 - steps),
        "then": now + _noise(random, 0.004),
        "now": now,
        "age_days": 7.0 * age,
        "settled": settled,
    }


def _decision(n: int, refused: set[int], name: str) -> Json:
    why = f"AUC 0.694 is below 0.700 over {n} steps" if name == "performance" else "7d are over"
    became = "refused" if n in refused else "live"
    return {"at": stamp(START + n * WEEK), "why": why, "fired": True, "became": became}


def _with_nulls(strategy: Json) -> None:
    curve = strategy["curve"]
    for n in (5, 6, 20):
        if n < len(curve):
            curve[n].update(now=None, then=None, labelled=0, age_days=None)
    if strategy["name"] == "random":
        for window in curve:
            window["then"] = None
    if strategy["name"] == "weekly":
        strategy["notes"] = ["no model in front for 2 steps", "3 fits failed: one class only"]
        strategy["opportunity"] = None


def _history(steps: int) -> Json:
    kinds = ("number", "number", "number", "category", "category", "text")
    names = ("distance", "hour", "wind", "carrier", "origin", "note")
    return {
        "rows": 124_310,
        "labelled": 120_977,
        "first": stamp(START - 5 * WEEK),
        "last": stamp(START + steps * WEEK),
        "task": "binary",
        "features": [{"name": n, "kind": k} for n, k in zip(names, kinds, strict=True)],
        "step": "7d",
        "steps": steps,
        "scored_from": stamp(START),
        "scored_to": stamp(START + steps * WEEK),
        "label_delay": "6h",
        "assumed": ["labels are known when 'landed' says so", "rows without a label are censored"],
        "warnings": ["'delay_minutes' looks like the label (AUC 0.998 alone): left out"],
    }


def _comparisons(*, costs: bool) -> list[Json]:
    gains = {
        "weekly": ((0.004, -0.003, 0.011), "NO_VERDICT", (0.004, -0.006, 0.014)),
        "monthly": ((0.009, 0.001, 0.017), "BETTER", (0.008, 0.0, 0.016)),
        "performance": ((-0.006, -0.011, -0.001), "WORSE", None),
    }
    rows: list[Json] = []
    for name, ((value, low, high), verdict, periods) in gains.items():
        beats = {"BETTER": "beats", "WORSE": "is worse than"}.get(verdict, "cannot be told from")
        rows.append(
            {
                "name": name,
                "against": "yours",
                "this_history": {"value": value, "low": low, "high": high, "seeds": 5, "units": 61},
                "periods": {"value": periods[0], "low": periods[1], "high": periods[2], "groups": 6}
                if periods
                else {
                    "value": -0.006,
                    "low": None,
                    "high": None,
                    "groups": 6,
                    "why": "a trend in the difference: it grows by 0.002 a period",
                },
                "verdict": verdict,
                "money_per_year": {
                    "value": value * 75_555,
                    "low": low * 75_555,
                    "high": high * 75_555,
                    "currency": "EUR",
                }
                if costs
                else None,
                "words": f"{name} {beats} yours: {value:+.3f} AUC [{low:.3f}, {high:.3f}]",
            }
        )
    return rows


def _validity() -> list[Json]:
    return [
        {
            "question": "Can labels depend on what the model did?",
            "answer": "not known",
            "why": "nothing in the table says what was done with an answer",
        },
        {
            "question": "Is every choice covered by history?",
            "answer": "yes",
            "why": "labels exist for 97 % of the rows, whatever the score",
        },
        {
            "question": "How many independent episodes does history hold?",
            "answer": "about 3",
            "why": "two lasting drops and one slow decline were found",
        },
    ]


def _conclusion(*, empty: bool) -> list[str]:
    if empty:
        return ["History is shorter than one window: nothing could be compared."]
    return [
        "monthly beats yours by 0.009 AUC [0.001, 0.017]; at your prices worth 680 EUR a year.",
        "The performance trigger was worse than yours on this history.",
        "weekly: no verdict, the interval holds zero.",
        "History holds about 3 independent episodes.",
    ]
