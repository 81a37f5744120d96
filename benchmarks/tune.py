"""What tuning recommends in worlds whose answer is known.

1. Nothing drifts, training sizes are equal, a retrain costs something: never is recommended in
   at least 93 % of worlds.
2. Models lose steadily and there is no noise: the recommendation is that of brute force.
3. The same with noise of two to three and a half times what a model loses in a step, more with
   its age: what is recommended truly costs at most 2 % more than the best, on average.

Run: python benchmarks/tune.py [--large]
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path

import numpy as np

from tidemill.core.ports import Json
from tidemill.strategy.backtest.tune import tune

WORLDS = Path(__file__).resolve().parents[1] / "tests" / "strategy" / "backtest"
sys.path.insert(0, str(WORLDS))

import tuned_worlds as worlds  # noqa: E402  # pyright: ignore[reportMissingImports]

PERIODS = tuple(range(1, 14))
SPACE = {"trigger.period": [f"{7 * p}d" for p in PERIODS]}
NULL, EXCESS = 0.93, 0.02


def period(found: Json) -> int | None:
    """Return the weeks between the retrains that are recommended; None for never."""
    words = found["recommendation"]["words"]
    return None if "Once" in words else int(words.split("'")[1].removesuffix("d")) // 7


def still(n: int) -> float:
    """Return the share of worlds without drift in which never is recommended."""
    never = lucky = 0
    space = {"trigger.period": ["7d", "14d", "21d", "28d"]}
    for seed in range(n):
        given, strategy = worlds.still_world(seed, weeks=12, price=0.1)
        found = tune(given, strategy, setting=worlds.setting(), space=space)
        never += period(found) is None
        lucky += any(
            c["against"] == "never" and c["name"] == "tuned" and c["value"] > 0
            for c in found["comparisons"]
        )
    low = never / n - 1.96 * math.sqrt(max(never / n * (1 - never / n), 1 / n) / n)
    print(
        f"no drift: never in {never} of {n} worlds, {100 * never / n:.1f} % (at least "
        f"{100 * low:.1f} %); what was tuned looked better than never on the late part in {lucky}"
    )
    return never / n


def exact(prices: list[float]) -> bool:
    """Tell whether the recommendation without noise is that of brute force, at every price."""
    right = True
    for price in prices:
        given, strategy = worlds.aging_world(0, weeks=52, per_week=50, slope=0.02, price=price)
        found = tune(given, strategy, setting=worlds.setting(), space=SPACE)
        best = min(PERIODS, key=lambda p: (worlds.rate(p, lost=1.0, price=price), -p))
        right &= period(found) == best
        print(f"no noise, price {price:g}: every {period(found)} weeks, best {best}")
    return right


def noisy(n: int, weeks: int, prices: list[float]) -> float:
    """Return the mean true excess cost with noise; never counts as a model of the whole history."""
    excess: list[float] = []
    for price in prices:
        own: list[float] = []
        for seed in range(n):
            given, strategy = worlds.aging_world(
                seed, weeks=weeks, per_week=200, slope=0.01, price=price, noise=True
            )
            found = tune(given, strategy, setting=worlds.setting(), space=SPACE)
            chosen = period(found) or weeks
            best = min(worlds.rate(p, lost=2.0, price=price) for p in PERIODS)
            own.append(worlds.rate(chosen, lost=2.0, price=price) / best - 1)
        print(
            f"noise, {weeks} weeks, price {price:g}: mean excess {100 * np.mean(own):.2f} %, "
            f"largest {100 * max(own):.2f} %, {n} worlds"
        )
        excess += own
    return float(np.mean(excess))


def main() -> int:
    """Run all three, and say whether they hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="200 worlds instead of 20")
    parser.add_argument("--only", choices=["still", "exact", "noisy"], help="one of the three")
    args = parser.parse_args()
    start, held = time.perf_counter(), True
    if args.only in (None, "still"):
        held &= still(200 if args.large else 20) >= NULL
    if args.only in (None, "exact"):
        held &= exact([1.0, 2.0, 5.0, 9.0, 18.0, 40.0] if args.large else [2.0, 9.0])
    if args.only in (None, "noisy"):
        excess = noisy(8 if args.large else 2, 52, [8.0, 18.0, 36.0] if args.large else [18.0])
        print(f"noise: mean excess {100 * excess:.2f} %, at most {100 * EXCESS:g} % is allowed")
        held &= excess <= EXCESS
    print(f"{'held' if held else 'NOT HELD'}, {time.perf_counter() - start:.0f} s")
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
