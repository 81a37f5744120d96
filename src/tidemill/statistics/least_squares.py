"""Least squares with a prediction, under one share of variance that comes from sampling."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tidemill.statistics.lag_one import Spread, spread

Floats = NDArray[np.float64]
NOTHING = 1e-9
"""A spread this small beside the values is rounding."""

_ESTIMABLE = 1e-6


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Least squares under one share of sampling variance, and its prediction."""

    expected: float
    effects: Floats
    residuals: Floats
    basis: Floats
    contrast: Floats
    ahead: float
    deviance: float
    estimable: bool

    @classmethod
    def of(
        cls,
        y: Floats,
        columns: Floats,
        new: Floats,
        *,
        fewer: Floats,
        fewer_at: float,
        share: float,
    ) -> Fit:
        """Fit; ``fewer`` is how many times fewer rows than usual are behind each value."""
        sd = np.sqrt(1 - share + share * fewer)
        left, size, right = np.linalg.svd(columns / sd[:, None], full_matrices=False)
        rank = int((size > 1e-10 * size[0] * max(columns.shape)).sum())
        basis, size, right = left[:, :rank], size[:rank], right[:rank]
        scaled = y / sd
        residuals = scaled - basis @ (basis.T @ scaled)
        contrast = basis @ ((right @ new) / size)
        free = y.size - rank
        error = max(float(np.square(residuals).sum()), (NOTHING**2) * y.size)
        logs = 2 * float(np.log(sd).sum() + np.log(size).sum()) + free * math.log(error)
        return cls(
            expected=float(contrast @ scaled),
            effects=right.T @ ((basis.T @ scaled) / size),
            residuals=residuals,
            basis=basis,
            contrast=contrast,
            ahead=math.sqrt(1 - share + share * fewer_at),
            deviance=logs,
            estimable=float(np.abs(new - right.T @ (right @ new)).max()) <= _ESTIMABLE,
        )

    @property
    def df(self) -> int:
        return self.residuals.size - self.basis.shape[1]

    @property
    def root_mean_square(self) -> float:
        return math.sqrt(float(np.square(self.residuals).mean()))

    @property
    def width(self) -> float:
        """The standard deviation of the prediction's error when neighbours are independent."""
        factor = self.ahead**2 + float(np.square(self.contrast).sum())
        return math.sqrt(float(np.square(self.residuals).sum()) / max(self.df, 1) * factor)

    def spread(self, steps: NDArray[np.int64]) -> Spread:
        return spread(self.residuals, self.basis, steps, self.contrast, self.ahead)

    def deviations(self) -> Floats:
        """Return how far each value is from what the others predict, in its own deviations."""
        left = 1 - np.square(self.basis).sum(axis=1)
        alone = left > _ESTIMABLE  # a value that decides its own effect says nothing
        with np.errstate(divide="ignore"):
            inner = self.residuals[alone] / np.sqrt(left[alone])
            rest = float(np.square(self.residuals).sum()) - np.square(inner)
            return inner / np.sqrt(np.maximum(rest, 1e-300) / max(self.df - 1, 1))
