"""How often the default detectors cry wolf, and how often they find what is there.

``python benchmarks/calibration.py [--quick] [--jobs 2] [--out docs/calibration.md]``: 75 minutes of
one core, of which the cells of the first table take 13; two minutes with ``--quick``. Counts are
drawn directly, so a million rows cost nothing. What is drawn depends on neither time nor jobs.

Runs: 10,000 a cell of the first table, which is judged at 1 % too, and 2,000 elsewhere, where the
nominal share is 5 %.

A cell of the first tables FAILS when the lower confidence limit of its size, Bonferroni over
all cells, is above 1.5 times nominal; the program then ends with 1. Where even twice the floor
would be found less than half of the time the rule answers NO_VERDICT, and the table says so.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import betaincinv, ndtr

from tidemill.measures.aligned import aligned
from tidemill.measures.categories import Categories
from tidemill.measures.effects import effect
from tidemill.measures.grid import Grid
from tidemill.measures.numbers import Numbers
from tidemill.statistics.anderson_darling import numeric_evidence
from tidemill.statistics.days import day_evidence, mean_evidence
from tidemill.statistics.family import corrected_alpha, false_alarm_alpha, within_window
from tidemill.statistics.homogeneity import category_evidence
from tidemill.statistics.power import power_of_share, power_of_shift

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator], float]

EDGES = np.concatenate([[-np.inf], np.linspace(-8, 8, 799), [np.inf]])
MIDDLES = np.concatenate([[-8], (EDGES[1:-2] + EDGES[2:-1]) / 2, [8]])
FLOOR_SD, FLOOR_TV = 0.1, 0.05
TIMES = (0, 0.5, 1, 1.5, 2)
LEVELS = (0.05, 0.01)
ALPHA, USEFUL, NEVER, STRONG = 0.05, 0.5, 1e-9, 0.001
SOME = 1_000  # categories from which on a draw takes long
EVIDENTLY = 0.1
RUNS, QUICK = (10_000, 2_000), (500, 40)
"""Of a cell of the first table, and of anything else."""
FAMILIES = (1, 20, 500)
REFERENCES = (200, 10_000)
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
Mapped = Callable[[Callable[[int], "list[int]"], int], "list[list[int]]"]
"""Calls a function with every number below a limit, in order."""


class Cell(NamedTuple):
    """A world in which nothing changed: one draw gives one p."""

    group: str
    name: str
    draw: Draw
    verdict: str = ""


def normal(shift: float = 0.0, wide: float = 1.0) -> Floats:
    """Return the shares of a normal number's cells."""
    return np.diff(ndtr((EDGES - shift) / wide))


def numbers() -> dict[str, Floats]:
    """Return distributions of numbers on ordered cells: smooth, heavy-tailed, tied."""
    heavy = np.diff(stats.cauchy.cdf(EDGES * 40))
    lognormal = np.diff(stats.lognorm.cdf(np.concatenate([EDGES[:-1] + 8, [np.inf]]), 1.5))
    poisson = stats.poisson.pmf(np.arange(12), 1)
    zeros = np.concatenate([[0.9], np.full(300, 0.1 / 300)])
    found = {"normal": normal(), "Cauchy": heavy, "lognormal": lognormal}
    found |= {"Poisson(1)": poisson, "90 % zeros": zeros}
    return {name: shares / shares.sum() for name, shares in found.items()}


def zipf(levels: int) -> Floats:
    """Return shares of categories, a few common and many rare."""
    shares = 1 / np.arange(1, levels + 1) ** 0.8
    return shares / shares.sum()


def say(m: int, n: int, levels: int = 0) -> str:
    """Return NO_VERDICT where twice the floor would be found less than half of the time."""
    if levels:
        moved = 2 * FLOOR_TV
        found = power_of_share(
            m, n, share=min(0.5, 1 / levels), moved=moved, alpha=0.05, levels=levels
        )
    else:
        found = power_of_shift(m, n, shift=2 * FLOOR_SD, alpha=0.05)
    return "" if found >= USEFUL else "NO_VERDICT"


SIZES = (
    *((200, 30), (200, 1_000_000), (2_000, 300), (10_000, 30), (10_000, 3_000)),
    *((1_000_000, 300), (1_000_000, 1_000_000)),
)


def by_rows() -> Iterator[Cell]:
    """Yield the worlds whose rows are independent."""
    for name, shares in numbers().items():
        for m, n in SIZES:

            def draw(rng: np.random.Generator, s: Floats = shares, m: int = m, n: int = n) -> float:
                return numeric_evidence(rng.multinomial(m, s), rng.multinomial(n, s)).p

            yield Cell("numbers", f"{name}, {m:,} v {n:,}", draw, verdict=say(m, n))
    for levels in (2, 10, 100, 1_000, 50_000):
        for m, n in SIZES if levels < SOME else ((10_000, 3_000), (100_000, 100_000)):
            shares = zipf(levels)

            def pick(rng: np.random.Generator, s: Floats = shares, m: int = m, n: int = n) -> float:
                return category_evidence(rng.multinomial(m, s), rng.multinomial(n, s)).p

            yield Cell("categories", f"{levels:,}, {m:,} v {n:,}", pick, say(m, n, levels))


def a_day(rng: np.random.Generator, days: int, sd: float, season: Floats) -> NDArray[np.int64]:
    """Draw days of about 10,000 rows with a mood each: shift, scale and number of rows."""
    moved = sd * rng.normal(size=days) + season
    wide = np.exp(sd / 2 * rng.normal(size=days))
    coarse = EDGES[::8]
    below = ndtr((coarse - moved[:, None]) / wide[:, None])
    below[:, -1] = 1.0
    rows = np.maximum(1, 10_000 * np.exp(0.3 * rng.normal(size=days))).astype(int)
    return rng.multinomial(rows, np.diff(below, axis=1))


def by_days() -> Iterator[Cell]:
    """Yield the worlds whose days differ."""
    for days, now in ((28, 1), (28, 7), (10, 1), (6, 1)):
        for sd in (0.0, 0.02, 0.05, 0.2):

            def draw(
                rng: np.random.Generator, d: int = days, c: int = now, sd: float = sd
            ) -> float:
                drawn = a_day(rng, d + c, sd, np.zeros(d + c))
                return day_evidence(drawn[:d], drawn[d:], ordered=True).p

            yield Cell("days, numbers", f"{days} v {now}, day sd {sd:g}", draw)
        for sd in (0.0, 0.2):

            def pick(
                rng: np.random.Generator, d: int = days, c: int = now, sd: float = sd
            ) -> float:
                shares = zipf(10) * np.exp(sd * rng.normal(size=(d + c, 10)))
                drawn = rng.multinomial(10_000, shares / shares.sum(axis=1, keepdims=True))
                return day_evidence(drawn[:d], drawn[d:], ordered=False).p

            yield Cell("days, categories", f"{days} v {now}, day sd {sd:g}", pick)

    def season(rng: np.random.Generator) -> float:
        week = np.arange(35) % 7
        drawn = a_day(rng, 35, 0.05, np.where(np.isin(week, (5, 6)), 0.5, 0.0))
        return day_evidence(
            drawn[:28], drawn[28:29], ordered=True, weekday=(week[:28], week[28:29])
        ).p

    yield Cell("days, numbers", "28 v 1, weekly season, by weekday", season)

    def rare(rng: np.random.Generator) -> float:
        rows = rng.integers(2_000, 20_000, size=29)
        found = rng.binomial(rows, 0.0005 * np.exp(0.2 * rng.normal(size=29))) / rows
        return mean_evidence(found[:28], found[28:], rows=(rows[:28], rows[28:])).p

    yield Cell("days, share of nulls", "28 v 1, .0005, day sd 20 %", rare)


def family(columns: int, run: int) -> list[int]:
    """Say whether any of so many columns alarms at a corrected level, and count the run."""
    rng = np.random.default_rng([8, columns, run])
    alpha, shares = corrected_alpha(0.05, columns), normal()
    before = rng.multinomial(2_000, shares, size=columns)
    after = rng.multinomial(2_000, shares, size=columns)
    pairs = zip(before, after, strict=True)
    return [1, int(any(numeric_evidence(a, b).p <= alpha for a, b in pairs))]


def month(reference: int, run: int) -> list[int]:
    """Say whether 30 days looked at hourly have an incident, and how many, at one page in 600 days.

    Days are base windows of 2,400 rows; looks inside a day spend that day's level.
    """
    rng = np.random.default_rng([9, reference, run])
    alpha = false_alarm_alpha(1, 600, 1)
    share = within_window(24, alpha=alpha) * alpha
    before = rng.multinomial(reference, normal())
    incidents = 0
    for _ in range(30):
        hours = np.cumsum(rng.multinomial(100, normal(), size=24), axis=0)
        # Only looks that could alarm: the others allow less than 1e-9.
        looks = [h for h in range(24) if share[h] > NEVER]
        incidents += any(numeric_evidence(before, hours[h]).p <= share[h] for h in looks)
    return [int(incidents > 0), incidents]


def alerts(rng: np.random.Generator, m: int, n: int, times: float, kind: str) -> bool:
    """Say whether a change of so many floors alarms: evidence at .05 and effect at the floor."""
    if kind == "shift":
        values = rng.normal(size=m)
        grid = Grid.around(values)
        before = Numbers.of_values(grid, values)
        after = Numbers.of_values(grid, rng.normal(FLOOR_SD * times, size=n))
        pair = aligned(before, after)
        if numeric_evidence(pair.reference, pair.current).p > ALPHA:
            return False
        return effect(before, after).value >= FLOOR_SD
    usual = np.array([0.3, 0.25, 0.2, 0.15, 0.1])
    moved = usual + FLOOR_TV * times * np.array([1, 0, -1, 0, 0])
    first, then = rng.multinomial(m, usual), rng.multinomial(n, moved)
    if category_evidence(first, then).p > ALPHA:
        return False
    named = [
        Categories.of_counts(dict(zip("abcde", c.tolist(), strict=True))) for c in (first, then)
    ]
    return effect(*named).value >= FLOOR_TV


def evidently(before: NDArray[np.int64], after: NDArray[np.int64], *, number: bool) -> bool:
    """Restate Evidently's default: distances from 0.1 above 1,000 reference rows, else tests."""
    m, n = before.sum(), after.sum()
    p, q = before / m, after / n
    if m <= SOME:
        if number:
            return ks(before, after)
        return one_sample(before, after)
    if number:
        sd = math.sqrt(float(p @ MIDDLES**2 - (p @ MIDDLES) ** 2))
        return float(np.abs(np.cumsum(p - q)[:-1]) @ np.diff(MIDDLES)) / sd >= EVIDENTLY
    half = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        kl = np.nansum(p * np.log(p / half)) + np.nansum(q * np.log(q / half))
    return math.sqrt(max(0.0, kl / 2)) >= EVIDENTLY


def ks(before: NDArray[np.int64], after: NDArray[np.int64]) -> bool:
    """Kolmogorov and Smirnov at p < .05."""
    m, n = before.sum(), after.sum()
    far = float(np.abs(np.cumsum(before) / m - np.cumsum(after) / n).max())
    return bool(stats.kstwobign.sf(far * math.sqrt(m * n / (m + n))) < ALPHA)


def one_sample(before: NDArray[np.int64], after: NDArray[np.int64]) -> bool:
    """Chi-square at p < .05 that takes the reference for the truth."""
    seen = before > 0
    expected = before[seen] * (after[seen].sum() / before[seen].sum())
    return bool(stats.chisquare(after[seen], expected).pvalue < ALPHA)


def nannyml(rng: np.random.Generator) -> bool:
    """Mean plus and minus three sd of ten reference chunks, on an accuracy of .9."""
    rates = rng.binomial(1_000, 0.9, size=11) / 1_000
    return bool(abs(rates[10] - rates[:10].mean()) > 3 * rates[:10].std())


def worlds() -> list[Cell]:
    """Return the cells of the first table; the place of each seeds its draws."""
    return [*by_rows(), *by_days()]


def alarms(runs: int, index: int) -> list[int]:
    """Return in how many runs of a cell p is at most each level."""
    cell, rng = worlds()[index], np.random.default_rng([4, index])
    p = np.array([cell.draw(rng) for _ in range(runs)])
    found = [int((p <= alpha).sum()) for alpha in LEVELS]
    print(cell.group, cell.name, found, file=sys.stderr, flush=True)
    return found


def above(hits: int, runs: int, alpha: float, tests: int) -> bool:
    """Tell whether the lower limit of a share, Bonferroni over the tests, is above 1.5 alpha."""
    low = float(betaincinv(hits, runs - hits + 1, 0.05 / tests)) if hits else 0.0
    return low > 1.5 * alpha


def judge(runs: int, mapped: Mapped) -> tuple[list[str], bool]:
    """Run the cells and return the rows of the table and whether one failed."""
    cells, lines, bad = worlds(), [], False
    counted = mapped(partial(alarms, runs), len(cells))
    for cell, hits in zip(cells, counted, strict=True):
        tests = len(cells) * len(LEVELS)
        failed = any(above(h, runs, a, tests) for h, a in zip(hits, LEVELS, strict=True))
        bad |= failed
        words = [cell.group, cell.name, f"{runs:,}", *(f"{h / runs:.4f}" for h in hits)]
        words += ["**FAILS**" if failed else "holds", cell.verdict]
        lines.append("| " + " | ".join(words) + " |")
    return lines, bad


def together(runs: int, mapped: Mapped) -> tuple[list[str], bool]:
    """Return the rows of the table of families and months, and whether one failed."""
    lines, bad, tests = [], False, len(FAMILIES) + len(REFERENCES)
    for columns in FAMILIES:
        hits = sum(any_ for _, any_ in mapped(partial(family, columns), runs))
        bad |= above(hits, runs, ALPHA, tests)
        lines.append(f"| {columns} columns, 2,000 v 2,000 | {runs:,} | {hits / runs:.3f} | .05 |")
    for reference in REFERENCES:
        found = np.array(mapped(partial(month, reference), runs))
        bad |= above(int(found[:, 0].sum()), runs, ALPHA, tests)
        some, mean = found.mean(axis=0)
        lines.append(
            f"| a month of hourly looks, reference {reference:,} | {runs:,} | "
            f"{some:.3f} ({mean:.3f} incidents) | .05 |"
        )
    return lines, bad


def share(count: int, answer: Callable[[int], bool]) -> str:
    """Return how often the answer is yes, in words."""
    return f"{np.mean([answer(i) for i in range(count)]):.3f}"


def power_lines(runs: int) -> Iterator[str]:
    """Yield P(ALERT) by effect, and what the power formula says of evidence alone."""
    rng = np.random.default_rng(5)
    for kind in ("shift", "share"):
        for m, n in ((200, 30), (2_000, 2_000), (10_000, 300), (100_000, 100_000)):
            found = [
                share(runs, lambda _, t=t, m=m, n=n, k=kind: alerts(rng, m, n, t, k)) for t in TIMES
            ]
            verdict = say(m, n, 5 if kind == "share" else 0)
            yield f"| {kind} | {m:,} v {n:,} | " + " | ".join(found) + f" | {verdict} |"


def promised(runs: int) -> Iterator[str]:
    """Yield the power the project promises, with 20 columns at a corrected level."""
    rng, alpha = np.random.default_rng(6), corrected_alpha(0.05, 20)
    usual = np.array([0.3, 0.25, 0.2, 0.15, 0.1])
    moved = usual + np.array([0.05, 0, -0.05, 0, 0])

    def shifted(_: int) -> bool:
        after = rng.multinomial(2_000, normal(0.2))
        return numeric_evidence(rng.multinomial(2_000, normal()), after).p <= alpha

    def regrouped(_: int) -> bool:
        after = rng.multinomial(5_000, moved)
        return category_evidence(rng.multinomial(5_000, usual), after).p <= alpha

    def one_day(_: int) -> bool:
        usual_days = a_day(rng, 28, 0.05, np.zeros(28))
        return (
            day_evidence(usual_days, a_day(rng, 1, 0.05, np.full(1, 0.3)), ordered=True).p < STRONG
        )

    yield f"| 0.2 sd, 2,000 v 2,000, 20 columns | {share(runs, shifted)} |"
    yield f"| 5 points, 5,000 v 5,000, 20 columns | {share(runs, regrouped)} |"
    yield f"| 0.3 sd, 1 v 28 days, day sd .05, p < .001 | {share(runs, one_day)} |"


def peer_lines(runs: int) -> Iterator[str]:
    """Yield how often published defaults alarm when nothing changed, and ours beside."""
    rng = np.random.default_rng(7)
    even = {5: np.full(5, 0.2), 50: np.full(50, 0.02)}
    for m, n in ((500, 200), (500, 5_000), (5_000, 50), (5_000, 200), (5_000, 5_000)):
        for kind, shares in (("number", normal()), ("5 equal", even[5]), ("50 equal", even[50])):

            def pair(s: Floats = shares, m: int = m, n: int = n) -> tuple[NDArray[np.int64], ...]:
                return rng.multinomial(m, s), rng.multinomial(n, s)

            number = kind == "number"
            ours = numeric_evidence if number else category_evidence
            row = [
                share(runs, lambda _, q=pair, k=number: evidently(*q(), number=k)),
                share(runs, lambda _, q=pair, k=number: (ks if k else one_sample)(*q())),
                share(runs, lambda _, q=pair, o=ours: o(*q()).p <= ALPHA),
            ]
            yield f"| {kind} | {m:,} v {n:,} | " + " | ".join(row) + " |"


HEAD = """# Calibration of the detectors

Written by `python benchmarks/calibration.py`. Every detector that alarms by default was run on worlds
in which nothing changed, and on worlds in which something of a known size did.

## False alarms when nothing changed

Share of runs with p <= .05 and p <= .01. A cell fails when its lower confidence limit, Bonferroni over
all cells, is above 1.5 times nominal. NO_VERDICT: a change of twice the floor would be found less than
half of the time, so the verdict says so instead of OK; the size is shown all the same.

| evidence | world | runs | at .05 | at .01 | | answer |
|---|---|---|---|---|---|---|
"""


def page(cell_runs: int, runs: int, mapped: Mapped, report: list[str]) -> bool:
    """Fill the report and return whether a cell failed."""
    rows, bad = judge(cell_runs, mapped)
    report += rows
    report.append(
        "\n## Families and looks\n\n| family | runs | any alarm | nominal |\n|---|---|---|---|"
    )
    rows, worse = together(runs, mapped)
    report += rows
    report.append(
        "\n## P(ALERT) by true effect\n\nALERT: p <= .05 and an effect without noise (`measures.effect`) at or above its floor"
        " (W1 of 0.1 robust sd; total variation\nof .05). Nominal refers to no effect; at the floor the rule"
        " is a coin toss by construction.\n\n| change | rows | "
        + " | ".join(f"{t:g} x floor" for t in TIMES)
        + " | answer |\n|---|---|"
        + "---|" * (len(TIMES) + 1)
    )
    report += power_lines(runs)
    report.append("\n## Power promised\n\n| change | found |\n|---|---|")
    report += promised(runs)
    report.append(
        "\n## Published defaults beside it\n\nOthers' rules restated in a few lines each, nothing changed."
        ' "Plain tests": KS for a number, for\ncategories a chi-square that takes the reference for the'
        " truth, both at .05.\n\n| column | rows | Evidently's default | plain tests | tidemill, .05 |"
        "\n|---|---|---|---|---|"
    )
    report += peer_lines(runs)
    rng = np.random.default_rng(9)
    beyond = share(10 * runs, lambda _: nannyml(rng))
    report.append(
        f"\nThree sd around ten reference chunks (NannyML's default), nominal .0027: {beyond}."
    )
    return bad or worse


def spread(pool: ProcessPoolExecutor) -> Mapped:
    """Spread calls over processes."""

    def mapped(answer: Callable[[int], list[int]], count: int) -> list[list[int]]:
        # Few calls are long ones.
        return list(pool.map(answer, range(count), chunksize=1 if count < SOME else 20))

    return mapped


def main() -> None:
    """Read the arguments, run, print or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs: shows gross errors only")
    parser.add_argument("--out", type=Path, help="write the page here")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    told = parser.parse_args()
    for name in THREADS:
        os.environ.setdefault(name, "1")
    report: list[str] = []
    with ProcessPoolExecutor(max(1, told.jobs), mp_context=get_context("spawn")) as pool:
        bad = page(*(QUICK if told.quick else RUNS), spread(pool), report)
    text = HEAD + "\n".join(report) + "\n"
    if told.out:
        told.out.write_text(text)
    else:
        print(text)
    sys.exit(int(bad))


if __name__ == "__main__":
    main()
