"""Print what the discrepancies of many dimensions cost, and what they see.

Run ``python benchmarks/mmd.py``, about two minutes on one core. Time and memory are of one
process, so the later lines include the peak of the earlier ones. Size is the share of pairs of
equal samples found different at 5 %, also where days have an effect of their own and are
permuted whole; power stands beside the exact quadratic statistic on the same samples.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from numpy.typing import NDArray

from tidemill.statistics.discrepancy import Discrepancy
from tidemill.statistics.mmd import mmd
from tidemill.statistics.permutation import permutation_p
from tidemill.statistics.sliced import sliced

Floats = NDArray[np.float64]
PERMUTATIONS = 99


def quadratic_mmd(reference: Floats, current: Floats, *, permutations: int, seed: int) -> float:
    """Return the p of the exact unbiased statistic, by shuffles of one kernel matrix."""
    rng = np.random.default_rng(seed)
    points = np.concatenate([reference, current])
    n, total = len(reference), len(points)
    apart = np.square(points[:, None] - points[None]).sum(axis=2)
    kernel = np.exp(-apart / np.median(apart[np.triu_indices(total, 1)]))
    np.fill_diagonal(kernel, 0)
    sides = np.tile(np.arange(total) < n, (permutations + 1, 1))
    sides[1:] = rng.permuted(sides[1:], axis=1)
    first, second = sides.astype(float), (~sides).astype(float)
    within = ((first @ kernel) * first).sum(1), ((second @ kernel) * second).sum(1)
    across = ((first @ kernel) * second).sum(1)
    m = total - n
    found = within[0] / (n * (n - 1)) + within[1] / (m * (m - 1)) - 2 * across / (n * m)
    return permutation_p(float(found[0]), found[1:])


def correlated(rng: np.random.Generator, n: int, d: int, rho: float) -> Floats:
    """Draw normal points whose dimensions all have the same correlation."""
    shared = rng.normal(size=(n, 1))
    return np.sqrt(rho) * shared + np.sqrt(1 - rho) * rng.normal(size=(n, d))


def changed(rng: np.random.Generator, kind: str, n: int, d: int) -> Floats:
    """Draw points of the current side."""
    if kind == "correlation to .4":
        return correlated(rng, n, d, 0.4)
    points = rng.normal(size=(n, d))
    if kind == "mean by .25 sd":
        return points + 0.25
    return points * 1.25 if kind == "scale by 1.25" else points


def timing() -> None:
    """Print seconds and peak memory of 10,000 v 10,000 rows of 64 dimensions."""
    rng = np.random.default_rng(0)
    reference, current = rng.normal(size=(2, 10_000, 64))
    for name, ask in (("mmd", mmd), ("sliced", sliced)):
        for permutations in (100, 999):
            start, spent = time.perf_counter(), time.process_time()
            found: Discrepancy = ask(reference, current, permutations=permutations)
            took, spent = time.perf_counter() - start, time.process_time() - spent
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            line = f"{name:<8}{permutations:>5} permutations{took:>7.2f} s{spent:>7.2f} CPU s{peak:>7.0f} MB peak"
            print(f"{line}   p {found.p:.2f}")


def power(runs: int) -> None:
    """Print the share found at 5 % for each kind of change."""
    n, m, d = 200, 100, 5
    print(f"\nfound at 5 %, {n} v {m} rows, {d} dimensions, {runs} runs")
    print(f"{'':<20}{'mmd 512':>9}{'mmd 128':>9}{'exact':>9}{'sliced':>9}")
    for kind in ("none", "mean by .25 sd", "scale by 1.25", "correlation to .4"):
        hits = np.zeros(4)
        for seed in range(runs):
            rng = np.random.default_rng(seed)
            pair = rng.normal(size=(n, d)), changed(rng, kind, m, d)
            ps = (
                mmd(*pair, permutations=PERMUTATIONS, features=512, seed=seed).p,
                mmd(*pair, permutations=PERMUTATIONS, features=128, seed=seed).p,
                quadratic_mmd(*pair, permutations=PERMUTATIONS, seed=seed),
                sliced(*pair, permutations=PERMUTATIONS, directions=32, seed=seed).p,
            )
            hits += np.array(ps) <= 0.05  # noqa: PLR2004 - the level
        print(f"{kind:<20}" + "".join(f"{share:>9.3f}" for share in hits / runs))


def by_day(runs: int) -> None:
    """Print the size when days differ: rows permuted, and days permuted."""
    print(f"\nfound at 5 %, 14 v 4 days of 50 rows, day effects of .3 sd, {runs} runs")
    for name, ask in (("mmd", mmd), ("sliced", sliced)):
        hits = np.zeros(2)
        for seed in range(runs):
            rng = np.random.default_rng(seed)
            days = np.repeat(np.arange(18), 50)
            points = rng.normal(size=(900, 3)) + 0.3 * rng.normal(size=(18, 3))[days]
            pair, units = (points[:700], points[700:]), (days[:700], days[700:])
            ps = (
                ask(*pair, permutations=PERMUTATIONS, seed=seed).p,
                ask(*pair, permutations=PERMUTATIONS, units=units, seed=seed).p,
            )
            hits += np.array(ps) <= 0.05  # noqa: PLR2004 - the level
        print(f"{name:<8} by row {hits[0] / runs:.3f}   by day {hits[1] / runs:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=400)
    given = parser.parse_args()
    timing()
    power(given.runs)
    by_day(given.runs)
