"""What a metric is, and how one is measured with an interval."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.core.verdict import Estimate
from tidemill.statistics.jackknife import jackknife
from tidemill.statistics.weighted import checked_weights

Summary = Literal["mergeable", "rows"]
"""What of windows tells what they come to together: their means and weights, or only their rows."""


class Metric(Protocol):
    """One number for how well answers fit labels.

    One that is the weighted mean of a value a row also says ``summary = "mergeable"``: see
    :func:`summary_of`.
    """

    @property
    def name(self) -> str:
        """The name in snake case, such as ``"log_loss"``."""
        ...

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value is a better model."""
        ...

    @property
    def needs(self) -> Literal["output", "score"]:
        """What ``answer`` must be: the model's output, or P(positive) against labels 0 and 1."""
        ...

    def __call__(self, label: NDArray[Any], answer: NDArray[Any], weight: NDArray[Any]) -> float:
        """Compute the weighted metric; NaN when the rows cannot give it."""
        ...


def summary_of(measured: object) -> Summary:
    """Return what a metric, or another signal, needs of windows to be told of them together.

    ``"mergeable"`` says that it is the weighted mean of one value a row: that of some windows is the
    mean of theirs by weight, exactly. ``"rows"`` says that their rows must be looked at again; so it is
    of whatever declares nothing.

    Examples
    --------
    >>> from tidemill.measures import AUC, Accuracy
    >>> summary_of(Accuracy()), summary_of(AUC()), summary_of(object())
    ('mergeable', 'rows', 'rows')
    """
    return "mergeable" if getattr(measured, "summary", "rows") == "mergeable" else "rows"


def measure(
    metric: Metric,
    label: NDArray[Any],
    answer: NDArray[Any],
    weight: NDArray[Any],
    days: NDArray[Any],
    *,
    confidence: float = 0.95,
    sides: Literal[1, 2] = 2,
    least: int = 5,
) -> Estimate:
    """Measure one model, with an interval whose unit of evidence is the day.

    Parameters
    ----------
    metric
        What to compute.
    label, answer
        The truth and what the model said, one per row.
    weight
        One weight per row, at least 0, such as 1 / inclusion probability.
    days
        The day of each row.
    confidence, sides, least
        As for :func:`tidemill.statistics.jackknife`.

    Returns
    -------
    Estimate
        In the metric's own units and direction.

    Examples
    --------
    >>> from tidemill.measures import Accuracy
    >>> label = np.array([1.0, 0.0] * 6)
    >>> answer = np.array([1.0, 0.0, 1.0, 1.0] * 3)
    >>> print(measure(Accuracy(), label, answer, np.ones(12), np.arange(12) // 2))
    0.7500 [0.4626, 1.0374]
    """
    y, a, w = same_rows(label, answer, weight)
    return jackknife(
        lambda keep: metric(y[keep], a[keep], w[keep]),
        days,
        w,
        confidence=confidence,
        sides=sides,
        least=least,
    )


def measure_difference(  # noqa: PLR0917 - the arrays of one comparison
    metric: Metric,
    label: NDArray[Any],
    candidate: NDArray[Any],
    champion: NDArray[Any],
    weight: NDArray[Any],
    days: NDArray[Any],
    *,
    confidence: float = 0.95,
    sides: Literal[1, 2] = 2,
    least: int = 5,
) -> Estimate:
    """Measure how much better the candidate is than the champion on the same rows.

    Parameters
    ----------
    metric
        What to compute.
    label, candidate, champion
        The truth and what each model said, one per row.
    weight
        One weight per row, at least 0, such as 1 / inclusion probability.
    days
        The day of each row.
    confidence, sides, least
        As for :func:`tidemill.statistics.jackknife`.

    Returns
    -------
    Estimate
        Positive when the candidate is better, whichever way the metric points.

    Examples
    --------
    >>> from tidemill.measures import MAE
    >>> label = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    >>> worse = label + np.array([1.0, 2.0, 1.0, 2.0, 1.0, 2.0])
    >>> print(measure_difference(MAE(), label, label, worse, np.ones(6), np.arange(6)))
    1.5000 [0.9252, 2.0748]
    """
    sign = 1.0 if metric.higher_is_better else -1.0
    y, new, w = same_rows(label, candidate, weight)
    y, old, w = same_rows(label, champion, weight)

    def difference(keep: NDArray[np.bool_]) -> float:
        better = metric(y[keep], new[keep], w[keep]) - metric(y[keep], old[keep], w[keep])
        return sign * better + 0.0  # never minus zero

    return jackknife(difference, days, w, confidence=confidence, sides=sides, least=least)


def same_rows(
    label: NDArray[Any], answer: NDArray[Any], weight: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """Check that label, answer and weight are one per row.

    Raises
    ------
    BadInput
        If their lengths differ, or a weight is not one.
    """
    y, a, w = np.asarray(label), np.asarray(answer), checked_weights(weight)
    if y.shape != w.shape or a.shape != w.shape:
        raise BadInput(
            f"labels have shape {y.shape}, answers {a.shape}, weights {w.shape}.",
            fix="pass one label, one answer and one weight per row.",
        )
    return y, a, w


def with_weight(
    label: NDArray[Any], answer: NDArray[Any], weight: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """Keep the rows that have weight; the others must not touch the number."""
    y, a, w = same_rows(label, answer, weight)
    keep = w > 0
    return y[keep], a[keep], w[keep]


def spread_out(moves: NDArray[np.float64], weight: NDArray[Any]) -> NDArray[np.float64]:
    """Put what was computed for the rows with weight back among all rows; others get 0."""
    rows = np.asarray(weight) > 0
    whole = np.zeros(rows.shape)
    whole[rows] = moves
    return whole


def numbers(values: NDArray[Any], what: str) -> NDArray[np.float64]:
    """Return values as floats, missing ones as NaN.

    Raises
    ------
    BadInput
        If they are not numbers.
    """
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"{what} is not a number: {error}.", fix="use a metric for text, such as Accuracy."
        ) from None
