"""Print how large an effect is said to be, and how often its "95 %" interval holds the truth.

Run ``python benchmarks/effects.py``, about four minutes on one core; ``--runs 100`` is quicker.

The first table draws rows that are independent, and asks :func:`effect`; sizes are in robust sd
of the reference for numbers, in shares of rows for categories. ``raw`` is the distance as it
is, ``by chance`` what it is on average when nothing changed. The second table gives each
day a shift of its own, and asks :func:`day_effect`, beside what :func:`effect` would claim. A
coverage below .93 is a promise not kept.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, pdtr

from tidemill.measures.categories import Categories
from tidemill.measures.distances import Effect, day_effect, effect
from tidemill.measures.grid import Grid
from tidemill.measures.numbers import Numbers

Floats = NDArray[np.float64]
Draw = Callable[[Floats], NDArray[Any]]
SIZES = ((1_000, 1_000), (10_000, 1_000), (100_000, 10_000))
STRATA, LARGE = 2_000_000, 50_000


def normal(shift: float = 0.0, scale: float = 1.0) -> Draw:
    """Draw from a bell curve."""
    return lambda u: ndtri(u) * scale + shift


def lognormal(factor: float = 1.0) -> Draw:
    """Draw from a lognormal, stretched."""
    return lambda u: factor * np.exp(ndtri(u))


def poisson(mean: float = 1.0) -> Draw:
    """Draw whole numbers with many ties."""
    return lambda u: np.searchsorted(pdtr(np.arange(50), mean), u).astype(float)


def cauchy(shift: float = 0.0) -> Draw:
    """Draw from a tail without a mean."""
    return lambda u: np.tan(np.pi * (u - 0.5)) + shift


def contaminated(share: float) -> Draw:
    """Draw from a bell curve of which a share went to 5 sd."""
    return lambda u: np.where(u < share, 5.0, ndtri(np.maximum(u - share, 1e-12) / (1 - share)))


def levels(count: int, moved: float = 0.0) -> Draw:
    """Draw from frequent and rare categories; ``moved`` of the rows go to the second one."""
    share = 1 / np.arange(1, count + 1) ** 0.7
    share /= share.sum()
    share[0] -= moved
    share[1] += moved
    upto = np.cumsum(share)[:-1]
    return lambda u: np.searchsorted(upto, u)


WORLDS: list[tuple[str, Draw, Draw]] = [
    *[(f"normal +{d}", normal(), normal(d)) for d in (0, 0.05, 0.1, 0.3)],
    *[(f"normal x{k}", normal(), normal(0, k)) for k in (1.1, 1.25)],
    ("2 % to 5 sd", normal(), contaminated(0.02)),
    *[(f"lognormal x{k}", lognormal(), lognormal(k)) for k in (1, 1.1, 1.3)],
    *[(f"Poisson +{d}", poisson(), poisson(1 + d)) for d in (0, 0.1, 0.3)],
    *[(f"Cauchy +{d}", cauchy(), cauchy(d)) for d in (0, 0.15, 0.5)],
    *[
        (f"{k} levels, {d}", levels(k), levels(k, d))
        for k in (5, 50, 1_000)
        for d in (0, 0.02, 0.05)
    ],
    ("50000 levels, 0", levels(50_000), levels(50_000)),
]


def counted(values: NDArray[Any], grid: Grid | None) -> Numbers | Categories:
    """Count numbers on the grid, whole numbers without one by value."""
    if grid is not None:
        return Numbers.of_values(grid, values)
    met = np.bincount(values)
    return Categories.of_counts({f"{i:06d}": n for i, n in enumerate(met.tolist()) if n})


def one(draw: Draw, other: Draw, n: int, m: int, rng: np.random.Generator) -> tuple[Effect, float]:
    """Draw both samples, and measure the effect; say how long that took."""
    x, y = draw(rng.random(n)), other(rng.random(m))
    grid = Grid.around(x) if x.dtype.kind == "f" else None
    reference, current = counted(x, grid), counted(y, grid)
    begun = time.perf_counter()
    return effect(reference, current), time.perf_counter() - begun


def true_size(draw: Draw, other: Draw) -> float:
    """Return the distance of the distributions themselves, from two million strata of each."""
    u = (np.arange(STRATA) + 0.5) / STRATA
    x, y = draw(u), other(u)
    grid = Grid.around(x) if x.dtype.kind == "f" else None
    return effect(counted(x, grid), counted(y, grid)).raw


def line(name: str, truth: float, found: list[Effect], rest: str) -> None:
    """Print what was found beside the truth."""
    held = [e.low - 1e-12 <= truth <= e.high + 1e-12 for e in found]
    mean = [float(np.mean([getattr(e, k) for e in found])) for k in ("raw", "expected", "value")]
    width = float(np.mean([e.high - e.low for e in found]))
    print(
        f"{name:32} {truth:7.4f} {mean[0]:8.4f} {mean[1]:9.4f} {mean[2]:8.4f}"
        f" {mean[2] - truth:+8.4f} {width:7.4f} {np.mean(held):9.3f} {rest}",
        flush=True,
    )


def of_rows(runs: int) -> None:
    """Print the table of independent rows."""
    rng = np.random.default_rng(1)
    print(
        f"{'':32} {'truth':>7} {'raw':>8} {'by chance':>9} {'value':>8} {'bias':>8}"
        f" {'width':>7} {'coverage':>9} {'ms':>6}"
    )
    for name, draw, other in WORLDS:
        truth = 0.0 if name.endswith((" 0", "+0", "x1")) else true_size(draw, other)
        for n, m in SIZES:
            count = runs if n + m < LARGE else max(20, runs // 4)
            found = [one(draw, other, n, m, rng) for _ in range(count)]
            took = f"{1e3 * float(np.median([t for _, t in found])):6.1f}"
            line(f"{name}, {n} v {m}", truth, [e for e, _ in found], took)


def of_days(runs: int) -> None:
    """Print the table of days that differ."""
    rng = np.random.default_rng(2)
    grid = Grid(0.0, 0.01)
    print("\nA day's own shift (sd), true shift, 28 days v some, 1,000 rows a day; by rows last")
    for mood in (0.0, 0.05, 0.2):
        for truth in (0.0, 0.1, 0.3):
            for days in (1, 7):
                found: list[Effect] = []
                rows = 0
                for _ in range(runs):
                    sides = [
                        [
                            Numbers.of_values(grid, rng.normal(d + rng.normal(0, mood), 1, 1_000))
                            for _ in range(k)
                        ]
                        for d, k in ((0.0, 28), (truth, days))
                    ]
                    found.append(day_effect(*sides))
                    by_rows = effect(*(side[0].plus(*side[1:]) for side in sides))
                    rows += by_rows.low <= truth <= by_rows.high
                line(f"mood {mood}, {days} days", truth, found, f"{rows / runs:6.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400)
    chosen = parser.parse_args()
    of_rows(chosen.runs)
    of_days(max(20, chosen.runs // 2))
