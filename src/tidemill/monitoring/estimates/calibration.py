"""From a score to P(positive), and how far the fit would move on other rows of its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from tidemill.monitoring.estimates.expected import Task, expected
from tidemill.monitoring.estimates.uncertainty import LEAST_DAYS

Floats = NDArray[np.float64]

FOLDS = 10  # fewer would calibrate on far fewer rows than the whole
_CELLS = 400  # bins of the resampled fits; more change no interval


@dataclass(frozen=True, kw_only=True, eq=False)
class Isotonic:
    """A rising function of the score, straight between its knots, flat beyond them."""

    at: Floats
    height: Floats

    @classmethod
    def fit(cls, score: Floats, label: Floats, weight: Floats) -> Isotonic:
        """Fit the rising function nearest to the labels.

        References
        ----------
        Zadrozny, B. and Elkan, C. (2002). Transforming classifier scores into accurate
        multiclass probability estimates. KDD.

        Examples
        --------
        >>> fit = Isotonic.fit(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.0]), np.ones(3))
        >>> fit(np.array([0.0, 1.0, 2.5, 9.0])).tolist()
        [0.0, 0.0, 0.5, 0.5]
        """
        at, place = np.unique(score, return_inverse=True)
        total = np.bincount(place, weight).astype(np.float64)
        height = _rising(np.bincount(place, weight * label) / total, total)
        # The flat middle of a step needs no knots; only its two ends do.
        inner = np.zeros(at.size, dtype=bool)
        inner[1:-1] = (height[1:-1] == height[:-2]) & (height[1:-1] == height[2:])
        return cls(at=at[~inner], height=height[~inner])

    def __call__(self, score: Floats) -> Floats:
        """Return P(positive) of each score."""
        return np.interp(score, self.at, self.height)


def out_of_fold(task: Task, *, seed: int) -> Floats:
    """Return P(positive) of each row by calibrators that did not see its fold.

    Folds are days where there are enough, else rows by chance: rows dealt by their labels
    would tell each fold what is in the others.
    """
    label, mass = _labels(task), np.empty(task.score.size)
    fold = folds(task.day, task.score.size, seed=seed)
    for k in range(FOLDS):
        inside = fold == k
        if inside.all() or not inside.any():
            continue
        rest = ~inside
        fit = Isotonic.fit(task.score[rest], label[rest], task.weight[rest])
        mass[inside] = fit(task.score[inside])
    return mass


def folds(day: NDArray[Any] | None, n: int, *, seed: int, count: int = FOLDS) -> NDArray[np.int64]:
    """Deal rows to folds: whole days where there are five or more, else rows by chance."""
    if day is not None:
        days, place = np.unique(day, return_inverse=True)
        if days.size >= LEAST_DAYS:
            return place.astype(np.int64) % count
    return np.random.default_rng(seed).permutation(n) % count


def resampled(metric: str, past: Task, now: Task, *, times: int, seed: int) -> float:
    """Return the variance that fitting the calibrator gives a metric of the window.

    The reference is drawn anew, by days where it has enough, the calibrator fitted again and
    the metric of the window computed again. Scores are binned for it, which moves the
    variance by less than its own chance.

    Parameters
    ----------
    metric, past, now
        The metric, the reference and the window.
    times
        How often.
    seed
        Of the draws.

    Returns
    -------
    float
        NaN where half of the draws do not give the metric.

    References
    ----------
    Efron, B. and Tibshirani, R. (1993). An Introduction to the Bootstrap. Chapman & Hall.
    """
    rng = np.random.default_rng(seed)
    edges, cells = _edges(past.score), _cells(now)
    place = np.searchsorted(edges, past.score)
    label = _labels(past)
    count = edges.size + 1
    total = np.bincount(place, past.weight, count)
    middle = np.bincount(place, past.weight * past.score, count)[total > 0] / total[total > 0]

    def value(yes: Floats, no: Floats) -> float:
        both = yes + no
        known = both > 0
        height = _rising(yes[known] / both[known], both[known])
        mass = np.interp(cells.score, middle[known], height)
        return expected(metric, cells, mass)[0]

    draw = _by_days if _enough_days(past) else _by_rows
    drawn = draw(past, place, label, total > 0, times=times, rng=rng)
    values = np.array([value(yes, no) for yes, no in drawn])
    values = values[np.isfinite(values)]
    if values.size < times / 2:
        return float("nan")
    return float(values.var(ddof=1))


def _rising(height: Floats, weight: Floats) -> Floats:
    return np.asarray(isotonic_regression(height, weights=weight).x, dtype=np.float64)


def _labels(task: Task) -> Floats:
    assert task.label is not None  # noqa: S101 - a reference is read with its labels
    return task.label


def _enough_days(task: Task) -> bool:
    return task.day is not None and np.unique(task.day).size >= LEAST_DAYS


def _edges(score: Floats) -> Floats:
    """Cut scores into at most so many cells of like size; each value its own where few."""
    values = np.unique(score)
    if values.size > _CELLS:
        values = np.unique(np.quantile(score, np.linspace(0, 1, _CELLS + 1)))
    return (values[1:] + values[:-1]) / 2


def _cells(now: Task) -> Task:
    """Gather a window's rows into cells of like score and the same output."""
    edges = _edges(now.score)
    place = np.searchsorted(edges, now.score) * 2 + now.output.astype(np.int64)
    weight = np.bincount(place, now.weight).astype(np.float64)
    used = weight > 0
    score = np.bincount(place, now.weight * now.score)[used] / weight[used]
    return Task(
        score=score, output=(np.flatnonzero(used) % 2).astype(np.float64), weight=weight[used]
    )


def _by_rows(
    past: Task,
    place: NDArray[np.int64],
    label: Floats,
    used: NDArray[np.bool_],
    *,
    times: int,
    rng: np.random.Generator,
) -> list[tuple[Floats, Floats]]:
    """Draw the weight of positives and negatives of each cell, rows independent.

    The sum of weights, each Poisson often, has mean sum(w) and variance sum(w^2): a scaled
    Poisson count has both.
    """
    draws: list[Floats] = []
    for kind in (1.0, 0.0):
        rows = label == kind
        known = past.weight[rows]
        one, two = (
            np.bincount(place[rows], w, used.size)[used].astype(np.float64)  # of no rows: whole
            for w in (known, np.square(known))
        )
        scale = np.divide(two, one, out=np.ones_like(one), where=one > 0)
        often = rng.poisson(one / scale, size=(times, one.size)).astype(np.float64)
        draws.append(often * scale)
    return list(zip(draws[0], draws[1], strict=True))


def _by_days(
    past: Task,
    place: NDArray[np.int64],
    label: Floats,
    used: NDArray[np.bool_],
    *,
    times: int,
    rng: np.random.Generator,
) -> list[tuple[Floats, Floats]]:
    """Draw whole days; spread by the root of D / (D - 1), which drawing days falls short of."""
    days, day = np.unique(np.asarray(past.day), return_inverse=True)
    count = days.size
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=times).astype(np.float64)
    drawn = np.maximum(1 + (drawn - 1) * np.sqrt(count / (count - 1)), 0.0)
    sides: list[Floats] = []
    for kind in (1.0, 0.0):
        rows = label == kind
        table = np.bincount(
            day[rows] * used.size + place[rows], past.weight[rows], count * used.size
        )
        sides.append(drawn @ table.reshape(count, used.size)[:, used])
    return list(zip(sides[0], sides[1], strict=True))
