"""How often rules on many columns alarm, and say nothing, when nothing changed and when it did.

Days are the units, as in a turn: 28 usual days whose columns have means of their own (.05 to .3 sd),
against one day or seven. The changes are none; one of twice the rule's floor; and a correlation of
two of the columns that flips, which no column shows alone. Columns: p at or below 5 % and at the
level, .2 %; then the verdicts at that level.

    python benchmarks/joint.py --runs 100
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pyarrow as pa

from tidemill.core.verdict import Verdict
from tidemill.monitoring.joint import MMD, DomainClassifier, SlicedDistance

ROWS, COLUMNS, USUAL, ALPHA = 300, 6, 28, 0.002
SAID = (Verdict.ALERT, Verdict.OK, Verdict.NO_VERDICT)


def day(rng: np.random.Generator, *, effect: float, flip: bool = False) -> np.ndarray:
    """Make a day."""
    points = rng.normal(size=(ROWS, COLUMNS))
    points[:, 1] = 0.8 * points[:, 0] * (-1 if flip else 1) + 0.6 * points[:, 1]
    return points + effect * rng.normal(size=COLUMNS)


def twice_the_floor(rule: Any) -> np.ndarray:
    """Return a move of the columns, in sd, that is about twice the floor of a rule."""
    if isinstance(rule, DomainClassifier):
        return 0.75 * (np.arange(COLUMNS) == COLUMNS - 1)
    return np.full(COLUMNS, 0.25)


def main() -> None:
    """Print a line for each rule, number of days, effect and change."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rule", help="the only one, such as drift_mmd")
    asked = parser.parse_args()
    rules = (MMD(rows=ROWS), SlicedDistance(rows=ROWS), DomainClassifier(rows=ROWS))
    rules = [rule for rule in rules if asked.rule in (None, rule.metric)]
    print(f"{asked.runs} runs, level {ALPHA:g}")
    heads = "".join(f"{v.value:>11}" for v in SAID)
    print(f"{'rule':18}{'days':>5}{'effect':>7}  {'change':7}{'5 %':>7}{'.2 %':>7}{heads}")
    for rule in rules:
        for now in (1, 7):
            for effect, change in (
                *((effect, "none") for effect in (0.05, 0.1, 0.3)),
                (0.05, "twice"), (0.1, "twice"), (0.1, "flip"),
            ):  # fmt: skip
                rng = np.random.default_rng((asked.seed, now, int(100 * effect)))
                told = [compared(rule, rng, now, effect, change) for _ in range(asked.runs)]
                p = np.array([said.p for said in told])
                shares = "".join(f"{np.nanmean(p <= a):7.3f}" for a in (0.05, ALPHA))
                verdicts = "".join(f"{np.mean([s.verdict is v for s in told]):11.2f}" for v in SAID)
                print(
                    f"{rule.metric:18}{now:5}{effect:7.2f}  {change:7}{shares}{verdicts}",
                    flush=True,
                )


def compared(rule: Any, rng: np.random.Generator, now: int, effect: float, change: str) -> Any:
    """Judge some days that changed, or did not, among usual ones."""
    usual = [day(rng, effect=effect) for _ in range(USUAL)]
    found = [day(rng, effect=effect, flip=change == "flip") for _ in range(now)]
    move = twice_the_floor(rule) if change == "twice" else np.zeros(COLUMNS)
    sides = ([_table(d) for d in usual], [_table(d + move) for d in found])
    return rule.compared(*sides, alpha=ALPHA).judgement


def _table(points: np.ndarray) -> pa.Table:
    return pa.table({f"x{k}": points[:, k] for k in range(COLUMNS)})


if __name__ == "__main__":
    main()
