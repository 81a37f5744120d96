"""Print how far the statistics of comparing strategies keep their promises.

Run ``python benchmarks/comparison.py``, about two minutes on one core; ``--runs 10000`` takes
ten times as long and gives the figures to half a per cent.

A strategy against itself: how often the interval on this history covers 0, by how many weeks a
model is kept and how much luck each model has, against the noise of one row. ``averaged`` is
the same without the effects of each seed pair apart. Periods like these: coverage of the
claims made, the share of histories with a claim, and how often a trend is found that is not
there, or is, rising by so many standard deviations. No gain: in how many worlds any of the
limits at once is above 0. The luck of training: the same where no strategy is better than
another, but each model is as good as the rows it saw. Cadence: what the recommendation costs
in truth above the least.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from tidemill.statistics import (
    best_cadence,
    cross_fitted,
    like_these,
    lower_limits,
    optimum,
    probability_of_overfitting,
    this_history,
    total,
    trend_p,
)

Floats = NDArray[np.float64]
WEEKS, ROWS = 52, 20
LEVEL = 0.05


def against_itself(
    rng: np.random.Generator, kept: int, luck: float, pairs: int
) -> tuple[Floats, Floats]:
    """Draw a paired difference of one strategy's two runs: models by luck, rows by noise."""
    models = rng.normal(scale=luck, size=(pairs, -(-WEEKS // kept)))
    rows = np.repeat(models[:, np.arange(WEEKS) // kept], ROWS, axis=1)
    rows = rows + rng.normal(size=rows.shape)
    return rows - rows.mean(axis=1, keepdims=True), rows.sum(axis=1)


def this_history_table(runs: int) -> None:
    """Print the coverage of 0 by the weeks a model is kept, its luck and the seed pairs."""
    lucks = (0.0, 0.1, 0.5, 2.0)
    print(f"{'this history, luck':<32}" + "".join(f"{luck:>8}" for luck in lucks))
    for pairs in (5, 10):
        for kept in (1, 4, 13, WEEKS):
            for averaged in (False, True):
                cells = []
                for luck in lucks:
                    rng, hits = np.random.default_rng([pairs, kept, int(10 * luck)]), 0
                    for _ in range(runs):
                        units, seeds = against_itself(rng, kept, luck, pairs)
                        got = this_history(units.mean(axis=0) if averaged else units, seeds)
                        hits += got.low <= 0 <= got.high
                    cells.append(hits / runs)
                name = f"{pairs} pairs, kept {kept}" + (", averaged" if averaged else "")
                print(f"{name:<32}" + "".join(f"{c:>8.3f}" for c in cells), flush=True)


def remembering(rng: np.random.Generator, n: int, rho: float) -> Floats:
    """Draw a stationary AR(1) series of sd 1, already 60 periods old."""
    noise = rng.normal(size=n + 60) * math.sqrt(1 - rho**2)
    return np.asarray(lfilter([1.0], [1.0, -rho], noise), dtype=np.float64)[60:]


def like_these_table(runs: int) -> None:
    """Print the coverage of claims, and the trend test's size and power, by periods and rho."""
    rises = (0.0, 1.0, 2.0, 3.0)
    head = f"{'covered':>9}{'claims':>9}" + "".join(f"{f'rise {r:g}':>9}" for r in rises)
    print(f"\n{'periods like these':<24}{'rho':>8}" + head)
    for n, rhos in ((26, (0.0, 0.1, 0.2, 0.3, 0.6)), (52, (0.0, 0.3, 0.6)), (104, (0.6,))):
        for rho in rhos:
            rng = np.random.default_rng([n, int(10 * rho)])
            series = [remembering(rng, n, rho) for _ in range(runs)]
            ages = {"label_delay": 1.0, "model_life": 1.0, "season": 1.0}
            made = [e for e, _ in (like_these(x, **ages) for x in series) if e.known]
            covered = sum(e.low <= 0 <= e.high for e in made) / len(made)
            line = np.linspace(-0.5, 0.5, n)
            found = [sum(trend_p(x + r * line) <= LEVEL for x in series) / runs for r in rises]
            cells = [covered, len(made) / runs, *found]
            print(f"{n:>4} periods{'':<12}{rho:>8}" + "".join(f"{c:>9.3f}" for c in cells))


def no_gain_table(runs: int) -> None:
    """Print the share of worlds without any gain in which some limit is above 0."""
    kinds = {"units only": 0.0, "units and seeds": 1.0, "seeds only": 10.0}
    print(f"\n{'no gain':<32}" + "".join(f"{name:>18}" for name in kinds))
    for strategies in (1, 5, 20):
        for shared in (0.0, 0.5, 0.9):
            cells = []
            for seeds in kinds.values():
                rng, wrong = np.random.default_rng([strategies, int(10 * shared), int(seeds)]), 0
                for _ in range(runs):
                    both = [
                        rng.normal(size=(count, strategies)) * math.sqrt(1 - shared)
                        + rng.normal(size=(count, 1)) * math.sqrt(shared)
                        for count in (200, 5)
                    ]
                    units = both[0] / math.sqrt(200)
                    values = units.sum(axis=0) + seeds * both[1]
                    limits = lower_limits(units - units.mean(axis=0), values, draws=2000)
                    wrong += bool((limits > 0).any())
                cells.append(wrong / runs)
            name = f"{strategies} strategies, {shared} shared"
            print(f"{name:<32}" + "".join(f"{c:>18.3f}" for c in cells), flush=True)


def squared(models: Floats, x: Floats) -> Floats:
    """Squared distance of each row to the model of its step, rows in one axis."""
    return np.square(x - models[:, :, None]).sum(axis=3).reshape(len(models), -1)


def luck_table(runs: int) -> None:
    """Print how often any cadence "beats" never when models differ by their rows alone."""
    steps, rows, window, cadences = 26, 50, 4, (1, 2, 4, 8, 13)
    print(
        f"\n{'the luck of training':<32}{'as trained':>18}{'resampled':>18}{'and allowed for':>18}"
    )
    for pairs in (5, 10):
        wrong = np.zeros(3)
        for run in range(runs):
            rng = np.random.default_rng([run, pairs])
            x = rng.normal(size=(steps + window, rows, 5))
            past = [x[m : m + window].reshape(-1, 5) for m in range(steps)]
            once = np.array([[p.mean(axis=0) for p in past]])
            anew = np.array(
                [[rng.choice(p, len(p)).mean(axis=0) for p in past] for _ in range(pairs)]
            )
            for way, (models, allowed) in enumerate([(once, False), (anew, False), (anew, True)]):
                never = squared(models[:, [0] * steps], x[window:])
                turns = [np.arange(steps) // every * every for every in cadences]
                gains = np.stack([never - squared(models[:, k], x[window:]) for k in turns], axis=2)
                units = gains.mean(axis=0)
                limits = lower_limits(
                    units - units.mean(axis=0),
                    gains.sum(axis=1),
                    deterministic=way == 0,
                    training_resampled=allowed,
                    draws=2000,
                )
                wrong[way] += bool((limits > 0).any())
        print(f"{f'{pairs} pairs':<32}" + "".join(f"{c:>18.3f}" for c in wrong / runs), flush=True)


def cadence_table(runs: int) -> None:
    """Print the true excess cost under linear decay of 1 a step and noise of 3."""
    print(f"\n{'cadence, noise 3 x decay':<32}{'cell':>9}{'model':>9}{'step':>9}{'schedule':>9}")
    for steps in (52, 104):
        at = np.arange(steps)
        truth = np.maximum(0, at - at[:, None]).astype(np.float64)
        for cost in (1.0, 6.0, 30.0, 200.0):
            every = np.arange(1, steps + 1)
            rate = (cost + every * (every - 1) / 2) / every
            rng, excess = np.random.default_rng([steps, int(cost)]), np.zeros(4)
            of_retrain = np.full(steps, cost)
            best = optimum(truth, of_retrain)[1]
            for _ in range(runs):
                for kind, shape in enumerate([(steps, steps), (steps, 1), (1, steps)]):
                    loss = truth + rng.normal(0, 3, size=shape)
                    excess[kind] += rate[best_cadence(loss, cost) - 1] / rate.min() - 1
                fitted, _ = optimum(truth + rng.normal(0, 3, size=truth.shape), of_retrain)
                excess[3] += total(fitted, truth, of_retrain) / best - 1
            name = f"{steps} steps, cost {cost:g}"
            print(f"{name:<32}" + "".join(f"{c:>9.4f}" for c in excess / runs), flush=True)


def hindsight_table(runs: int) -> None:
    """Print the gain over never that hindsight shows on pure noise, and PBO there."""
    print(f"\n{'hindsight on noise, 52 steps':<32}{'in-sample':>12}{'cross-fitted':>14}")
    for cost in (0.0, 0.5, 2.0):
        rng, gains = np.random.default_rng(int(10 * cost)), np.zeros(2)
        for _ in range(runs):
            a, b = rng.normal(size=(2, 52, 52)) * math.sqrt(2)
            got = cross_fitted(a, b, np.full(52, cost))
            gains[0] += total((), (a + b) / 2, np.zeros(52)) - got.bound
            gains[1] += total((), b, np.zeros(52)) - got.total
        gains /= runs
        print(f"{f'cost {cost:g}':<32}{gains[0]:>12.2f}{gains[1]:>14.2f}")
    rng = np.random.default_rng(1)
    coins = [probability_of_overfitting(rng.normal(size=(52, 20))) for _ in range(runs)]
    print(f"{'probability of overfitting':<32}{np.mean(coins):>12.3f}")


def main() -> None:
    """Read the number of runs and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="runs per cell (fewer if slow)")
    runs = max(20, parser.parse_args().runs)
    this_history_table(runs)
    like_these_table(runs)
    no_gain_table(runs)
    luck_table(max(20, runs // 4))
    cadence_table(max(20, runs // 10))
    hindsight_table(max(20, runs // 10))


if __name__ == "__main__":
    main()
