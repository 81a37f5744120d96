"""A small regressor of our own: a sum of steps, one function of each column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.limits import Between, Whole
from tidemill.core.rule import rule

Floats = NDArray[np.float64]
Steps = tuple[Floats, Floats]
"""Edges between bins, and a height per bin; the last height is for missing values."""


@rule
class Additive:
    """Predict a number as a constant plus a step function of each column.

    Columns with few values get a step for each, others quantile bins; missing values get a
    step of their own. Steps are fitted in turn to what the others leave over and shrunk to 0
    as if each bin had a few more rows there.

    Parameters
    ----------
    bins
        The most steps of a column.
    prior
        How many rows each step is shrunk by.
    rounds
        How often each column is fitted.

    References
    ----------
    Hastie, T. and Tibshirani, R. (1986). Generalized additive models. Statistical Science 1,
    297-310.

    Examples
    --------
    >>> x = np.column_stack([np.arange(100.0) % 2, np.arange(100.0)])
    >>> fitted = Additive(prior=0.0).fit(x, 3 + x[:, 0])
    >>> fitted.predict(np.array([[0.0, 50.0], [1.0, np.nan]])).round(1).tolist()
    [3.0, 4.0]
    """

    _: KW_ONLY
    bins: Annotated[int, Whole(2)] = 32
    prior: Annotated[float, Between(0)] = 10.0
    rounds: Annotated[int, Whole(1)] = 3

    def fit(self, x: Floats, y: Floats, sample_weight: Floats | None = None) -> Fitted:
        """Fit to a table of shape (n, k), numbers to predict and a weight per row."""
        w = np.ones(len(y)) if sample_weight is None else sample_weight / sample_weight.mean()
        middle = float(np.average(y, weights=w))
        edges = [self._edges(column) for column in x.T]
        places = [_place(column, cuts) for column, cuts in zip(x.T, edges, strict=True)]
        heights = [np.zeros(cuts.size + 2) for cuts in edges]
        left = y - middle
        for _ in range(self.rounds):
            for k, place in enumerate(places):
                left += heights[k][place]
                rows = np.bincount(place, w, heights[k].size)
                sums = np.bincount(place, w * left, heights[k].size)
                below = rows + self.prior
                heights[k] = np.divide(sums, below, out=np.zeros_like(sums), where=below > 0)
                left -= heights[k][place]
        return Fitted(middle=middle, steps=tuple(zip(edges, heights, strict=True)))

    def _edges(self, column: Floats) -> Floats:
        values = np.unique(column[np.isfinite(column)])
        if values.size > self.bins:
            known = column[np.isfinite(column)]
            values = np.unique(np.quantile(known, np.linspace(0, 1, self.bins + 1)))
            return values[1:-1]
        return (values[1:] + values[:-1]) / 2

    @classmethod
    def examples(cls) -> Iterator[Additive]:
        """Yield instances for tests and docs."""
        yield cls()
        yield cls(bins=8, prior=1.0, rounds=2)


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What was fitted: a constant and the steps of each column."""

    middle: float
    steps: tuple[Steps, ...]

    def predict(self, x: Floats) -> Floats:
        """Predict a number for each row of a table of shape (n, k)."""
        total = np.full(len(x), self.middle)
        for column, (edges, heights) in zip(x.T, self.steps, strict=True):
            total += heights[_place(column, edges)]
        return total


def _place(column: Floats, edges: Floats) -> NDArray[Any]:
    """Say in which bin each value is; missing ones are in the last."""
    place = np.searchsorted(edges, column, side="right")
    place[np.isnan(column)] = edges.size + 1
    return place
