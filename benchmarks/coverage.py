"""Print how often a "95 %" interval covers the truth, over days, their memory and their size.

Run ``python benchmarks/coverage.py``, about three minutes on one core; ``--runs 200`` is quicker.

The jackknife's tables give each day its own mood, with a correlation of rho between a day's
mood and the next; the interval assumes rho = 0. ``rows`` is the same with rows as groups, the
mistake it is there to prevent. The last table is the t interval over six stretches of a
series. A number below .93 is a promise not kept.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from tidemill.core.verdict import Estimate
from tidemill.measures import AUC, Accuracy, measure, measure_difference
from tidemill.statistics import group_t, jackknife, weighted_mean

Floats = NDArray[np.float64]
DAYS, RHOS = (6, 12, 30, 60), (0.0, 0.3, 0.6)
ROWS = 20


class Case(NamedTuple):
    """One question put to the jackknife, its true answer, and how many runs it is worth."""

    name: str
    draw: Callable[[np.random.Generator, int, float], Estimate]
    truth: float
    share: float


def moods(rng: np.random.Generator, days: int, rho: float) -> Floats:
    """Draw one standard normal mood a day, correlated by ``rho`` from day to day."""
    noise = rng.normal(size=days + 60) * math.sqrt(1 - rho**2)
    return np.asarray(lfilter([1.0], [1.0, -rho], noise), dtype=np.float64)[60:]


def mean(rng: np.random.Generator, days: int, rho: float, *, unit: str = "days") -> Estimate:
    """Estimate a mean of 0: rows of sd 1, days of sd 0.5, all days alike in size."""
    day = np.repeat(np.arange(days), ROWS)
    x = 0.5 * moods(rng, days, rho)[day] + rng.normal(size=day.size)
    groups = day if unit == "days" else np.arange(day.size)
    return jackknife(lambda keep: float(x[keep].mean()), groups, np.ones(day.size))


def mean_by_rows(rng: np.random.Generator, days: int, rho: float) -> Estimate:
    """Estimate the same mean with rows as groups."""
    return mean(rng, days, rho, unit="rows")


def uneven(rng: np.random.Generator, days: int, rho: float, *, weighted: bool = False) -> Estimate:
    """Estimate a mean of 0 when the busiest days have ten times the rows of the quietest."""
    sizes = np.maximum(1, np.round(ROWS * np.exp(rng.normal(0, 0.8, size=days)))).astype(int)
    day = np.repeat(np.arange(days), sizes)
    x = 0.5 * moods(rng, days, rho)[day] + rng.normal(size=day.size)
    w = np.exp(rng.normal(0, 1, size=day.size)) if weighted else np.ones(day.size)
    return jackknife(lambda keep: weighted_mean(x[keep], w[keep]), day, w)


def uneven_weighted(rng: np.random.Generator, days: int, rho: float) -> Estimate:
    """Estimate the same mean from rows whose weights differ as well."""
    return uneven(rng, days, rho, weighted=True)


def rare(rng: np.random.Generator, days: int, rho: float) -> Estimate:
    """Estimate an accuracy of about 0.988 from 50 rows a day."""
    day = np.repeat(np.arange(days), 50)
    wrong = rng.random(day.size) < 1 / (1 + np.exp(4.5 - 0.5 * moods(rng, days, rho)[day]))
    ones = np.ones(day.size)
    return measure(Accuracy(), ones, 1.0 - wrong, ones, day)


def two_models(rng: np.random.Generator, days: int, rho: float) -> tuple[NDArray[Any], ...]:
    """Draw labels and two models' scores; base rate and the candidate's lead change by day."""
    day = np.repeat(np.arange(days), 2 * ROWS)
    base, lead = -0.5 + 0.5 * moods(rng, days, rho), 0.3 + 0.4 * moods(rng, days, rho)
    label = (rng.random(day.size) < 1 / (1 + np.exp(-base[day]))).astype(np.float64)
    shared = rng.normal(size=day.size)
    champion = label + shared + 0.5 * rng.normal(size=day.size)
    candidate = label * (1 + lead[day]) + shared + 0.5 * rng.normal(size=day.size)
    return label, candidate, champion, day


def auc_difference(rng: np.random.Generator, days: int, rho: float) -> Estimate:
    """Estimate how much better the candidate's AUC is."""
    label, candidate, champion, day = two_models(rng, days, rho)
    return measure_difference(AUC(), label, candidate, champion, np.ones(day.size), day)


def cases() -> list[Case]:
    """List the cases, each with its truth."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    accuracy = 1 - float((weights / (1 + np.exp(4.5 - 0.5 * nodes))).sum() / weights.sum())
    label, candidate, champion, _ = two_models(np.random.default_rng(0), 40_000, 0.0)
    ones, auc = np.ones(label.size), AUC()
    lead = auc(label, candidate, ones) - auc(label, champion, ones)
    return [
        Case("mean", mean, 0.0, 1.0),
        Case("mean, by rows", mean_by_rows, 0.0, 0.05),
        Case("mean, uneven days", uneven, 0.0, 1.0),
        Case("mean, uneven, weighted", uneven_weighted, 0.0, 1.0),
        Case("accuracy .988", rare, accuracy, 0.5),
        Case("AUC difference", auc_difference, lead, 0.25),
    ]


def jackknife_table(runs: int) -> None:
    """Print the jackknife's coverage by case, days and rho."""
    print(f"{'jackknife':<24}{'rho':>5}" + "".join(f"{days:>8} d" for days in DAYS))
    for case in cases():
        for rho in RHOS:
            cells = []
            for days in DAYS:
                rng, n = np.random.default_rng([days, int(10 * rho)]), int(runs * case.share)
                got = [case.draw(rng, days, rho) for _ in range(n)]
                cells.append(sum(e.low <= case.truth <= e.high for e in got) / n)
            print(f"{case.name:<24}{rho:>5}" + "".join(f"{c:>10.3f}" for c in cells), flush=True)


def group_t_table(runs: int) -> None:
    """Print the coverage of the t interval over six stretches by periods and rho."""
    periods = (26, 52, 104)
    print(f"\n{'group_t':<24}{'rho':>5}" + "".join(f"{n:>8} p" for n in periods))
    for rho in (*RHOS, 0.8):
        cells = []
        for n in periods:
            rng = np.random.default_rng([n, int(10 * rho)])
            got = [group_t(moods(rng, n, rho)) for _ in range(runs)]
            cells.append(sum(e.low <= 0 <= e.high for e in got) / runs)
        print(f"{'mean of a series':<24}{rho:>5}" + "".join(f"{c:>10.3f}" for c in cells))


def main() -> None:
    """Read the number of runs and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="runs per cell (fewer if slow)")
    runs = max(20, parser.parse_args().runs)
    jackknife_table(runs)
    group_t_table(runs)


if __name__ == "__main__":
    main()
