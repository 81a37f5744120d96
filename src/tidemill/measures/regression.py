"""Metrics for numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tidemill.core.rule import rule
from tidemill.measures.metric import Summary, numbers, spread_out, with_weight
from tidemill.statistics.influence import mean_influence
from tidemill.statistics.weighted import weighted_mean


@rule
class MAE:
    """The mean distance from output to label, in the label's unit.

    NaN when there are no rows or a label or output is missing.

    References
    ----------
    Willmott, C. J. and Matsuura, K. (2005). Advantages of the mean absolute error (MAE) over
    the root mean square error (RMSE). Climate Research 30, 79-82.

    Examples
    --------
    >>> MAE()(np.array([1.0, 2.0]), np.array([1.5, 4.0]), np.ones(2))
    1.25
    """

    @property
    def name(self) -> str:
        """The name in snake case."""
        return "mae"

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value is a better model."""
        return False

    @property
    def needs(self) -> Literal["output", "score"]:
        """What ``answer`` must be."""
        return "output"

    @property
    def summary(self) -> Summary:
        """What of windows tells what they come to together."""
        return "mergeable"

    def __call__(self, label: NDArray[Any], answer: NDArray[Any], weight: NDArray[Any]) -> float:
        """Compute the weighted mean of abs(output - label)."""
        error, w = _errors(label, answer, weight)
        return weighted_mean(np.abs(error), w)

    def influence(
        self, label: NDArray[Any], answer: NDArray[Any], weight: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Say how far each row moves the value; rows of weight 0 move nothing."""
        error, w = _errors(label, answer, weight)
        return spread_out(mean_influence(np.abs(error), w), weight)

    @classmethod
    def examples(cls) -> Iterator[MAE]:
        """Yield instances for tests and docs."""
        yield cls()


@rule
class MSE:
    """The mean squared distance from output to label, in the label's unit squared.

    NaN when there are no rows or a label or output is missing.

    References
    ----------
    Gneiting, T. (2011). Making and evaluating point forecasts. Journal of the American
    Statistical Association 106, 746-762.

    Examples
    --------
    >>> MSE()(np.array([1.0, 2.0]), np.array([1.5, 4.0]), np.ones(2))
    2.125
    """

    @property
    def name(self) -> str:
        """The name in snake case."""
        return "mse"

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value is a better model."""
        return False

    @property
    def needs(self) -> Literal["output", "score"]:
        """What ``answer`` must be."""
        return "output"

    @property
    def summary(self) -> Summary:
        """What of windows tells what they come to together."""
        return "mergeable"

    def __call__(self, label: NDArray[Any], answer: NDArray[Any], weight: NDArray[Any]) -> float:
        """Compute the weighted mean of (output - label)^2."""
        error, w = _errors(label, answer, weight)
        with np.errstate(over="ignore"):
            return weighted_mean(np.square(error), w)

    def influence(
        self, label: NDArray[Any], answer: NDArray[Any], weight: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Say how far each row moves the value; rows of weight 0 move nothing."""
        error, w = _errors(label, answer, weight)
        with np.errstate(over="ignore"):
            return spread_out(mean_influence(np.square(error), w), weight)

    @classmethod
    def examples(cls) -> Iterator[MSE]:
        """Yield instances for tests and docs."""
        yield cls()


def _errors(
    label: NDArray[Any], answer: NDArray[Any], weight: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y, a, w = with_weight(label, answer, weight)
    with np.errstate(over="ignore", invalid="ignore"):
        return numbers(a, "an output") - numbers(y, "a label"), w
