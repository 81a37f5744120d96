"""Print how often predicted ranges cover, what they miss, and which kind of change is told.

Run ``python benchmarks/ranges.py``, about ten minutes on one core; ``--runs 200`` is quicker.

The first table is daily values with a weekly season and a correlation of rho from day to day:
the share of new values inside the 95 % and 99 % range, and of drops by 4 standard deviations
outside the 99 % range. The season does not matter to either, which the second table shows
beside three sigmas of the last 14 days. The third puts three drops by 10 standard deviations
into the past. The fourth has windows of unequal rows, the fifth shares that cluster. The last is what a series did against
what was told of it, and how many windows the onset is off.
"""

from __future__ import annotations

import argparse
import itertools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import expit

from tidemill.statistics.changes import KINDS, kind_of_change
from tidemill.statistics.on_scales import range_on_scales
from tidemill.statistics.predicted import PredictedRange, predicted_range

Floats = NDArray[np.float64]
WEEKS, RHOS = (2, 3, 4, 8, 13, 26, 52), (0.0, 0.3, 0.5)
MONDAY = 19_723.0  # 2024-01-01
DROP = 4.0
WIDE, NARROW, RARE = 0.05, 0.01, 0.002


class Shares(NamedTuple):
    """Shares of new values in the 95 % and the 99 % range, and of drops that are found."""

    in_95: float
    in_99: float
    found: float


def noise(rng: np.random.Generator, kind: str, n: int, rho: float) -> Floats:
    """Draw a stationary series of sd 1, already 60 days old."""
    draws = {
        "normal": lambda: rng.normal(size=n + 60),
        "t3": lambda: rng.standard_t(3, size=n + 60) / math.sqrt(3),
        "gamma2": lambda: (rng.gamma(2.0, size=n + 60) - 2) / math.sqrt(2),
    }[kind]()
    return np.asarray(lfilter([1.0], [1.0, -rho], draws), dtype=np.float64)[60:] * math.sqrt(
        1 - rho**2
    )


def predict(series: Floats, *, trend: bool = False) -> PredictedRange:
    """Predict the last day of a series of days from those before it."""
    days = MONDAY + np.arange(series.size)
    return predicted_range(
        series[:-1], days[:-1], float(days[-1]), alpha=0.01, season=["weekday"], trend=trend
    )


def shares(rng: np.random.Generator, runs: int, weeks: int, rho: float, kind: str) -> Shares:
    """Count over many series of whole weeks and one day more."""
    hits = np.zeros(3)
    season = 3 * np.sin(2 * math.pi * np.arange(7 * weeks + 1) / 7)
    for _ in range(runs):
        x = noise(rng, kind, 7 * weeks + 1, rho) + season
        found, last = predict(x), float(x[-1])
        p = found.p(last)
        hits += (p > WIDE, p > NARROW, found.p(last - DROP) <= NARROW)
    return Shares(*(hits / runs).tolist())


def coverage_table(runs: int) -> None:
    """Print coverage and power by weeks, rho and noise."""
    print("in the 95 % range / in the 99 % range / drop by 4 sd found at alpha .01")
    print(f"{'noise':<8}{'rho':>4}" + "".join(f"{w:>15} w" for w in WEEKS))
    for kind in ("normal", "t3", "gamma2"):
        for rho in RHOS:
            rows = []
            for weeks in WEEKS:
                rng = np.random.default_rng([weeks, int(10 * rho)])
                got = shares(rng, runs, weeks, rho, kind)
                rows.append(f"  {got.in_95:.3f}/{got.in_99:.3f}/{got.found:.2f}")
            print(f"{kind:<8}{rho:>4}" + "".join(f"{r:>17}" for r in rows), flush=True)


def season_table(runs: int) -> None:
    """Print false alarms and power beside three sigmas of the last 14 days."""
    print("\neight weeks, weekly season of so many sd: false alarms and drops by 4 sd found")
    print(f"{'season':>6}{'range, alpha .01':>20}{'3 sigmas of 14 days':>22}")
    for amplitude in (0, 1, 3):
        rng, hits = np.random.default_rng(amplitude), np.zeros(4)
        season = amplitude * np.sin(2 * math.pi * np.arange(57) / 7)
        for _ in range(runs):
            x = noise(rng, "normal", 57, 0.0) + season
            found, last, recent = predict(x), float(x[-1]), x[-15:-1]
            off, limit = last - recent.mean(), 3 * recent.std(ddof=1)
            hits += (
                found.p(last) <= NARROW, found.p(last - DROP) <= NARROW,
                abs(off) > limit, abs(off - DROP) > limit,
            )  # fmt: skip
        a, b, c, d = hits / runs
        print(f"{amplitude:>6}{f'{a:.4f}  {b:.2f}':>20}{f'{c:.4f}  {d:.2f}':>22}", flush=True)


def incident_table(runs: int) -> None:
    """Print the same when three of the past days were incidents of -10 sd in a row."""
    print("\neight weeks, three days at -10 sd among them: in 95 % / in 99 % / drop found")
    for age in (1, 5, 20):
        rng, hits = np.random.default_rng(age), np.zeros(3)
        for _ in range(runs):
            x = noise(rng, "normal", 57, 0.0)
            x[-age - 3 : -age] -= 10
            found, last = predict(x), float(x[-1])
            p = found.p(last)
            hits += (p > WIDE, p > NARROW, found.p(last - DROP) <= NARROW)
        a, b, c = hits / runs
        print(f"ended {age:>2} days ago: {a:.3f}/{b:.3f}/{c:.2f}", flush=True)


def rows_table(runs: int) -> None:
    """Print coverage when windows differ in rows, by the share of variance from sampling."""
    print("\neight weeks, rows 200 to 2,000 a day, the last with so many: in 95 % / in 99 %")
    print(f"{'share':>6}" + "".join(f"{n:>16,}" for n in (100, 500, 5000)))
    for share in (0.0, 0.5, 1.0):
        cells = []
        for last in (100, 500, 5000):
            rng, hits = np.random.default_rng([int(10 * share), last]), np.zeros(2)
            for _ in range(runs):
                n = np.append(rng.integers(200, 2000, size=56), last)
                sd = np.sqrt(1 - share + share * 1000 / n)
                x, days = rng.normal(size=57) * sd, MONDAY + np.arange(57.0)
                found = predicted_range(
                    x[:-1], days[:-1], float(days[-1]), alpha=0.05,
                    n=n[:-1], n_at=last, season=["weekday"],
                )  # fmt: skip
                p = found.p(float(x[-1]))
                hits += (p > WIDE, p > NARROW)
            cells.append(f"{hits[0] / runs:.3f}/{hits[1] / runs:.3f}")
        print(f"{share:>6}" + "".join(f"{c:>16}" for c in cells), flush=True)


def shares_table(runs: int) -> None:
    """Print false alarms on shares of 500 rows whose days differ in their log odds."""
    print("\nshares of 500 rows, days of so many sd in log odds: false alarms at .01 / at .002")
    print(f"{'weeks':>5}{'median':>8}{'sd':>5}{'rho':>5}{'plain scale':>16}{'all scales':>16}")
    for weeks, median, sd, rho in itertools.product(
        (4, 8, 21), (0.3, 0.05, 0.01), (0.1, 0.5, 1.0), (0.0, 0.5)
    ):
        rng, hits = np.random.default_rng([weeks, int(100 * median), int(10 * sd)]), np.zeros(4)
        days, many = MONDAY + np.arange(7 * weeks + 1), 7 * weeks + 1
        for _ in range(runs):
            odds = math.log(median / (1 - median)) + sd * noise(rng, "normal", many, rho)
            x, p = rng.binomial(500, expit(odds)) / 500, []
            for alpha in (NARROW, RARE):
                for kind in ("", "share"):
                    found = range_on_scales(
                        x[:-1], days[:-1], float(days[-1]), alpha=alpha, kind=kind,
                        n=np.full(many - 1, 500.0), season=["weekday"],
                    )  # fmt: skip
                    p.append(found.p(float(x[-1])) <= alpha)
            hits += p
        a, b, c, d = hits / runs
        said = f"{f'{a:.4f}/{c:.4f}':>16}{f'{b:.4f}/{d:.4f}':>16}"
        print(f"{weeks:>5}{median:>8}{sd:>5}{rho:>5}{said}", flush=True)


def changed(
    rng: np.random.Generator, kind: str, rho: float, by: float
) -> tuple[Floats, int | None]:
    """Draw 90 windows with a change by so many sd, and where it starts."""
    many, at, up = 90, np.arange(90), by * float(rng.choice([-1, 1]))
    x = noise(rng, "normal", many, rho)
    if kind == "sudden":
        start = int(rng.integers(15, many - 14))
        return x + up * (at >= start), start
    if kind == "temporary":
        start, long = int(rng.integers(10, many - 25)), int(rng.integers(4, 15))
        return x + up * ((at >= start) & (at < start + long)), start
    if kind == "gradual":
        long = int(rng.integers(20, 51))
        start = int(rng.integers(5, many - long - 5))
        return x + up * np.clip((at - start) / long, 0, 1), start + 1
    if kind == "periodic":
        period = int(rng.choice([7, 10, 14, 20, 28]))
        return x + up / 2 * np.sin(2 * math.pi * (at / period + rng.random())), None
    return x, None


def kinds_table(runs: int) -> None:
    """Print what was told of each kind of change, how far off its onset, and its interval."""
    print(
        "\n90 windows: share told as, median windows the onset is off, share of 90 % intervals that hold it"
    )
    names = "".join(f"{k:>10}" for k in KINDS)
    print(f"{'rho':>4} {'is':<10}{'sd':>4}{names}{'onset':>8}{'held':>7}")
    worlds = [*((kind, 3.0) for kind in KINDS[:-1]), *(("gradual", by) for by in (5.0, 8.0, 10.0))]
    for rho, (kind, by) in itertools.product((0.0, 0.3), worlds):
        rng, told, off, held = np.random.default_rng([7, int(10 * rho)]), [], [], []
        for _ in range(runs):
            x, start = changed(rng, kind, rho, by)
            found = kind_of_change(x)
            told.append(found.kind)
            if found.kind == kind and start is not None and found.onset is not None:
                off.append(abs(found.onset - start))
                held.append((found.earliest or 0) <= start <= (found.latest or 0))
        row = "".join(f"{told.count(k) / runs:>10.3f}" for k in KINDS)
        onset = f"{np.median(off):>8.1f}{np.mean(held):>7.3f}" if off else ""
        print(f"{rho:>4} {kind:<10}{by:>4g}{row}{onset}", flush=True)


def main() -> None:
    """Read the number of runs and print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="runs per cell")
    runs = max(20, parser.parse_args().runs)
    coverage_table(runs)
    season_table(runs)
    incident_table(runs)
    rows_table(runs)
    shares_table(max(20, runs // 2))
    kinds_table(max(20, runs // 4))


if __name__ == "__main__":
    main()
