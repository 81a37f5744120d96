"""How often rules on many columns alarm when nothing changed, and how often when it did.

Days are the units, as in a turn: 28 usual days whose columns have means of their own (0.1 or 0.3
sd), against one day or seven. The change is a correlation of two of the columns that flips,
which no column shows alone.

    python benchmarks/joint.py --runs 1000
"""

from __future__ import annotations

import argparse

import numpy as np
import pyarrow as pa

from tidemill.monitoring.joint import MMD, DomainClassifier, SlicedDistance

ROWS, COLUMNS, USUAL = 300, 6, 28


def day(rng: np.random.Generator, *, effect: float, flip: bool) -> pa.Table:
    """Make a day."""
    points = rng.normal(size=(ROWS, COLUMNS))
    points[:, 1] = 0.8 * points[:, 0] * (-1 if flip else 1) + 0.6 * points[:, 1]
    points += effect * rng.normal(size=COLUMNS)
    return pa.table({f"x{k}": points[:, k] for k in range(COLUMNS)})


def main() -> None:
    """Print a line for each rule, number of days, effect and change."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rules = (MMD(rows=ROWS), SlicedDistance(rows=ROWS), DomainClassifier(rows=ROWS))
    print(f"{asked.runs} runs; share with p at or below")
    print(
        f"{'rule':18}{'days':>5}{'effect':>7}  {'change':7}{'5 %':>7}{'1 %':>7}{'0.2 %':>7}  none"
    )
    for rule in rules:
        for now in (1, 7):
            for effect, flip in ((0.1, False), (0.3, False), (0.1, True)):
                rng = np.random.default_rng((asked.seed, now, int(10 * effect), flip))
                runs = asked.runs if not flip else max(20, asked.runs // 10)
                p = []
                for _ in range(runs):
                    usual = [day(rng, effect=effect, flip=False) for _ in range(USUAL)]
                    found = [day(rng, effect=effect, flip=flip) for _ in range(now)]
                    p.append(rule.compared(usual, found, alpha=0.002).judgement.p)
                known = np.array(p)[np.isfinite(p)]
                shares = "".join(f"{np.mean(known <= a):7.3f}" for a in (0.05, 0.01, 0.002))
                none = 1 - known.size / runs
                what = "flip" if flip else "none"
                print(
                    f"{rule.metric:18}{now:5}{effect:7.1f}  {what:7}{shares}  {none:.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
