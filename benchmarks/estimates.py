"""Print how far estimates without labels can be trusted, in worlds whose truth is known.

Run ``python benchmarks/estimates.py``, about a quarter of an hour on one core; ``--runs 100`` is
quicker, and ``--only cbpe days others concept outside flights`` runs some of it.

``cbpe``: how often the 95 % interval holds what the labels of the window show, P(label | row)
unchanged, while the rows shift; by sizes of reference and window, for scores that are
probabilities, too sure, slightly off, and no probabilities at all. ``days``: the same where the
rows of a day are alike. ``others``: the other methods, with and without a shift they can see.
``concept``: what they say when P(label | row) changes, which is nothing. ``outside``: how often
rows outside the reference's support are alarmed on where nothing changed, and where 2 and 4 %
are. ``flights``: one model of a year of flights, week by week; needs ``../shared/data``.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tidemill.core.verdict import Verdict
from tidemill.monitoring.estimates import (
    ATC,
    CBPE,
    DLE,
    Answered,
    Constant,
    DoC,
    Estimator,
    Mandoline,
    Scored,
    best,
    judge,
    realised,
    standings,
    support,
)

Floats = NDArray[np.float64]
FLIGHTS = Path(__file__).parents[2] / "shared" / "data" / "flights_nyc13.parquet"
KINDS = ("exact", "too sure", "slightly off", "a margin")
METRICS = ("accuracy", "auc", "f1", "precision", "recall", "brier", "log_loss")
TRAINED, HELD = 45, 90
"""The model learns from the first days, the reference is those up to the second number."""
NOON, EVENING, MILD, WINDY = 720, 1020, 50, 15
CUT, FLOOR = 0.4, 0.01
CELLS = ((2_000, 3_000), (500, 100_000), (10_000, 100_000))


def world(
    rng: np.random.Generator, n: int, *, kind: str = "exact", shift: float = 0.0, days: int = 0
) -> Answered:
    """Draw rows of two classes; with days, a day moves the odds of all its rows by sd 0.3."""
    x = rng.normal(shift, 1, n)
    day = np.sort(rng.integers(0, days, n)) if days else None
    moods = rng.normal(scale=0.3, size=days)[day] if days else 0.0
    truth = 1 / (1 + np.exp(1 - 1.2 * x - moods))
    score = {
        "exact": 1 / (1 + np.exp(1 - 1.2 * x)),
        "too sure": 1 / (1 + np.exp(1 - 2.4 * x)),
        "slightly off": np.clip(truth + 0.02 * np.sin(6 * truth), 0, 1),
        "a margin": 2 * x,
    }[kind]
    cohorts = np.column_stack([x > c for c in (-1.0, 0.0, 1.0)])
    return Answered(
        score=score,
        output=(x > CUT).astype(float),
        label=(rng.uniform(size=n) < truth).astype(float),
        day=day,
        cohorts=cohorts,
        features=np.column_stack([x, rng.normal(size=n)]),
    )


def numbers(rng: np.random.Generator, n: int, *, shift: float = 0.0) -> Answered:
    """Draw rows of a number that is harder to predict where x is large."""
    x = rng.normal(shift, 1, n)
    label = x + rng.normal(size=n) * np.exp(x / 2)
    return Answered(
        output=x,
        label=label,
        features=np.column_stack([x, rng.normal(size=n)]),
        cohorts=np.column_stack([x > c for c in (-1.0, 0.0, 1.0)]),
    )


def rate(hits: float, n: int) -> str:
    """Write a share with its standard error."""
    share = hits / n
    return f"{share:.3f} +- {math.sqrt(max(share * (1 - share), 1 / n) / n):.3f}"


def covered(method: Estimator, old: Answered, new: Answered, metric: str) -> tuple[bool, float]:
    """Tell whether the interval holds the realised metric, and the error of the estimate."""
    found, truth = method(old, new, metric), realised(new, metric)
    return found.low <= truth <= found.high, found.value - truth


def cbpe_table(runs: int) -> None:
    """Print the coverage of CBPE by sizes, kinds of score and metric."""
    print("CBPE, P(label | row) unchanged, rows shifted by 0.3 sd: coverage of the realised metric")
    print(f"{'scores':<14}{'reference':>10}{'window':>9}" + "".join(f"{m:>10}" for m in METRICS))
    for kind in KINDS:
        metrics = [m for m in METRICS if kind != "a margin" or m not in {"brier", "log_loss"}]
        for sizes in CELLS:
            rng, hits, start = np.random.default_rng([len(kind), *sizes]), defaultdict(int), 0.0
            for _ in range(runs):
                old = world(rng, sizes[0], kind=kind)
                new = world(rng, sizes[1], kind=kind, shift=0.3)
                start -= time.perf_counter()
                for metric in metrics:
                    hits[metric] += covered(CBPE(), old, new, metric)[0]
                start += time.perf_counter()
            cells = "".join(f"{hits[m] / runs:>10.3f}" for m in metrics)
            seconds = start / runs / len(metrics)
            print(f"{kind:<14}{sizes[0]:>10}{sizes[1]:>9}{cells}  {seconds:.2f} s each", flush=True)


def days_table(runs: int) -> None:
    """Print the coverage where rows of a day are alike, days known and not."""
    print(
        "\nrows of a day alike (odds move by sd 0.3), 6,000 rows in 60 days, then 2,100 in 7: precision"
    )
    for method in (CBPE(), Constant()):
        rng, hits = np.random.default_rng(3), [0, 0]
        for _ in range(runs):
            old, new = (
                world(rng, 6_000, kind="too sure", days=60),
                world(rng, 2_100, kind="too sure", days=7),
            )
            hits[0] += covered(method, old, new, "precision")[0]
            bare = [Answered(score=w.score, output=w.output, label=w.label) for w in (old, new)]
            hits[1] += covered(method, *bare, "precision")[0]
        without = rate(hits[1], runs)
        print(f"  {method.name:<10} {rate(hits[0], runs)}; without days {without}", flush=True)


def others_table(runs: int) -> None:
    """Print coverage and mean error of all methods by how far the rows have shifted."""
    print("\nall methods, 2,000 then 3,000 rows: coverage, mean absolute error")
    tasks = (("accuracy", world), ("mae", numbers))
    for metric, draw in tasks:
        for shift in (0.0, 0.3, 0.8):
            rng, hits, errors = np.random.default_rng(7), defaultdict(int), defaultdict(float)
            methods = (CBPE(), DLE(), ATC(), DoC(), Mandoline(), Constant())
            used = [m for m in methods if metric == "accuracy" or m.name not in _OF_CLASSES]
            for _ in range(runs):
                old, new = draw(rng, 2_000), draw(rng, 3_000, shift=shift)
                for method in used:
                    hit, error = covered(method, old, new, metric)
                    hits[method.name] += hit
                    errors[method.name] += abs(error)
            for name, count in hits.items():
                error = errors[name] / runs
                print(
                    f"  {metric:<9} shift {shift:.1f} {name:<10} {rate(count, runs)}  {error:.4f}"
                )


_OF_CLASSES = {"cbpe", "atc", "doc"}


def concept_table(runs: int) -> None:
    """Print what the methods say of a model that has become wrong."""
    rng = np.random.default_rng(9)
    said: defaultdict[str, list[float]] = defaultdict(list)
    alerts: defaultdict[str, int] = defaultdict(int)
    for _ in range(runs):
        old, new = world(rng, 2_000), world(rng, 3_000)
        wrong = Answered(
            score=new.score,
            output=new.output,
            cohorts=new.cohorts,
            features=new.features,
            label=1 - np.asarray(new.label),
        )
        said["realised"].append(realised(wrong, "accuracy"))
        for method in (CBPE(), DLE(), ATC(), DoC(), Mandoline(), Constant()):
            found = method(old, wrong, "accuracy")
            said[method.name].append(found.value)
            alerts[method.name] += judge(found).verdict is Verdict.ALERT
    print("\nP(label | row) turned round, accuracy: what is said, and share of ALERTs")
    for name, values in said.items():
        print(f"  {name:<10} {np.mean(values):.3f}  {alerts[name] / runs:.3f}")


def outside_table(runs: int) -> None:
    """Print how often rows outside the support are alarmed on, by how many there are."""
    print("\nrows outside the reference's support: share of windows with ALERT at alpha .05, .001")
    for n, window in ((200, 300), (2_000, 3_000), (10_000, 100_000)):
        for columns in (1, 20):
            for share in (0.0, 0.02, 0.04):
                rng, fired = np.random.default_rng([n, columns]), [0, 0]
                for _ in range(runs):
                    old = Answered(features=rng.normal(size=(n, columns)))
                    x = rng.normal(size=(window, columns))
                    x[: round(share * window), 0] = 9.0
                    found = support(old, Answered(features=x))
                    for k, alpha in enumerate((0.05, 0.001)):
                        fired[k] += found.p <= alpha and found.share - found.usual >= FLOOR
                cells = ", ".join(rate(f, runs) for f in fired)
                print(
                    f"  {n:>6} v {window:>6}, {columns:>2} columns, {share:.0%}: {cells}",
                    flush=True,
                )


def flights() -> None:
    """Print per week what each method said of one model and what the labels then showed."""
    if not FLIGHTS.exists():
        print(f"\nno ../shared/data/{FLIGHTS.name}: the flights are skipped")
        return
    from sklearn.ensemble import HistGradientBoostingClassifier

    x, label, day, words = _flights()
    train, held = day < TRAINED, (day >= TRAINED) & (day < HELD)
    model = HistGradientBoostingClassifier(max_iter=100, random_state=0)
    score = model.fit(x[train], label[train]).predict_proba(x)[:, 1]
    cut = float(np.quantile(score[held], 0.8))
    cohorts = np.column_stack(
        [words[:, 1] == o for o in ("EWR", "JFK")]
        + [x[:, 1] > m for m in (NOON, EVENING)]
        + [x[:, 6] > MILD, x[:, 8] > WINDY, np.nan_to_num(x[:, 9]) > 0, score > cut]
    )

    def rows(keep: NDArray[np.bool_]) -> Answered:
        return Answered(
            score=score[keep],
            output=(score[keep] > cut).astype(float),
            label=label[keep],
            day=day[keep],
            features=x[keep],
            categories=words[keep],
            cohorts=cohorts[keep],
        )

    old, methods = rows(held), (CBPE(), DLE(), ATC(), DoC(), Mandoline(), Constant())
    for metric in ("accuracy", "auc", "f1", "log_loss"):
        history, table, alerts = [], [], []
        for week in range(HELD // 7 + 1, 365 // 7):
            new = rows((day >= 7 * week) & (day < 7 * week + 7))
            start = datetime(2013, 1, 1, tzinfo=UTC) + timedelta(weeks=week)
            truth, used = realised(new, metric), best(history)
            line = [f"{start:%m-%d}", f"{truth:.3f}", used]
            for method in methods:
                found = method(old, new, metric)
                history.append(
                    Scored(
                        method=method.name,
                        window=start,
                        estimated=found.value,
                        low=found.low,
                        high=found.high,
                        realised=truth,
                    )
                )
                line.append(f"{found.value:.3f}")
            verdict = judge(found)
            if verdict.verdict is Verdict.ALERT:
                alerts.append(f"{start:%m-%d} {verdict.why.partition(',')[0]}")
            table.append(line)
        print(f"\nflights, {metric} by week: realised, best so far, {[m.name for m in methods]}")
        if metric == "accuracy":
            print("\n".join("  " + " ".join(f"{cell:>9}" for cell in line) for line in table))
            print(f"  ALERT in {len(alerts)} weeks, for rows outside; the first: {alerts[:2]}")
        for s in standings(history):
            print(
                f"  {s.method:<10} weeks {s.windows:>2} of {s.of}, mean error {s.error:.4f}, "
                f"baseline {s.constant:.4f}, ratio {s.ratio:.2f}, intervals held {s.covered:.2f}"
            )


def _flights() -> tuple[Floats, Floats, NDArray[np.int64], NDArray[np.str_]]:
    """Read numbers, labels, days since the first and words."""
    import pyarrow.parquet as pq

    table = pq.read_table(FLIGHTS).sort_by("ts")
    names = ("dow", "sched_dep_min", "sched_arr_min", "distance", "month")
    weather = ("temp", "humid", "wind_speed", "precip", "pressure", "visib")
    numeric = [table[n].to_numpy().astype(np.float64) for n in names + weather]
    at = table["ts"].to_numpy().astype("datetime64[D]")
    words = np.column_stack([table[n].to_numpy().astype(str) for n in ("carrier", "origin")])
    codes = [np.unique(words[:, k], return_inverse=True)[1] for k in (0, 1)]
    # The month is left out: in a year it only ever grows, so every row would be outside.
    features = np.column_stack([*numeric[:4], *codes, *numeric[5:]])
    days = (at - at.min()).astype(np.int64)
    return features, table["label"].to_numpy().astype(np.float64), days, words


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parts = ("cbpe", "days", "others", "concept", "outside", "flights")
    parser.add_argument("--only", nargs="*", default=list(parts), choices=parts)
    given = parser.parse_args()
    tables = {
        "cbpe": cbpe_table,
        "days": days_table,
        "others": others_table,
        "concept": lambda runs: concept_table(min(runs, 20)),
        "outside": outside_table,
        "flights": lambda _: flights(),
    }
    for name in given.only:
        tables[name](given.runs)


if __name__ == "__main__":
    main()
