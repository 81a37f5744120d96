"""Scales on which values that cannot be below 0, or not outside 0 to 1, may vary evenly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, gammaln, logit

Floats = NDArray[np.float64]
_TAILS = 4.0
"""Degrees of freedom of the noise by which scales are told apart, so that a few odd values cannot."""
_ROUNDS = 12


@dataclass(frozen=True)
class Scale:
    """A rising function of values within bounds.

    Parameters
    ----------
    name
        ``"plain"``, ``"root"`` or ``"log"``.
    share
        Whether values are within 0 and 1; else they are at least 0.
    """

    name: str
    share: bool

    def of(self, values: NDArray[Any], slack: float) -> Floats:
        """Put values on the scale; ``slack`` keeps 0, and 1 of shares, from being infinite.

        Values outside the bounds are NaN, but on the plain scale.

        Examples
        --------
        >>> Scale("log", True).of(np.array([0.0, 0.5]), 0.05).round(2).tolist()
        [-3.04, 0.0]
        """
        x = np.asarray(values, dtype=np.float64)
        if self.name == "plain":
            return x
        with np.errstate(invalid="ignore", divide="ignore"):
            if self.name == "root":
                return np.arcsin(np.sqrt(x)) if self.share else np.sqrt(x)
            if not self.share:
                return np.log(np.where(x < 0, np.nan, x) + slack)
            inside = np.where((x < 0) | (x > 1), np.nan, x)
            return np.asarray(logit((inside + slack) / (1 + 2 * slack)), np.float64)

    def back(self, value: float, slack: float) -> float:
        """Return the value that is at a place of the scale."""
        if self.name == "plain" or not math.isfinite(value):
            return value
        if self.name == "root":
            within = max(value, 0.0)
            return math.sin(min(within, math.pi / 2)) ** 2 if self.share else within**2
        if self.share:
            return min(max(float(expit(value)) * (1 + 2 * slack) - slack, 0.0), 1.0)
        return max(math.exp(min(value, 700.0)) - slack, 0.0)

    def stretch(self, values: Floats, slack: float) -> Floats:
        """Return the logarithm of how fast the scale rises at each value."""
        x = values
        if self.name == "plain":
            return np.zeros_like(x)
        if self.name == "root":
            # A value at a bound counts as one off it by the slack.
            inside = np.maximum(x, slack)
            rest = np.maximum(1 - x, slack) if self.share else np.ones_like(x)
            return -np.log(2 * np.sqrt(inside * rest))
        if self.share:
            return np.log1p(2 * slack) - np.log(x + slack) - np.log(1 - x + slack)
        return -np.log(x + slack)


SCALES: Mapping[str, tuple[Scale, ...]] = MappingProxyType(
    {
        "": (Scale("plain", False),),
        "positive": tuple(Scale(name, False) for name in ("plain", "root", "log")),
        "share": tuple(Scale(name, True) for name in ("plain", "root", "log")),
    }
)
"""By what values are, the scales on which they may vary evenly."""


def log_likelihood(rest: Floats) -> float:
    """Return how likely residuals are as noise with somewhat heavy tails, its spread being fitted.

    References
    ----------
    Lange, K. L., Little, R. J. A. and Taylor, J. M. G. (1989). Robust statistical modeling using
    the t distribution. Journal of the American Statistical Association 84, 881-896.
    """
    squares = np.square(rest)
    spread = float(np.median(squares)) or float(squares.mean())
    if spread == 0:
        return math.inf
    for _ in range(_ROUNDS):
        weight = (_TAILS + 1) / (_TAILS + squares / spread)
        spread = float((weight * squares).mean())
    one = (
        gammaln((_TAILS + 1) / 2) - gammaln(_TAILS / 2) - 0.5 * math.log(_TAILS * math.pi * spread)
    )
    return float((one - (_TAILS + 1) / 2 * np.log1p(squares / (_TAILS * spread))).sum())
