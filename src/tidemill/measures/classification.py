"""Metrics for classes: of the class named, or of the probability given to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.core.rule import rule
from tidemill.measures.metric import Summary, numbers, spread_out, with_weight
from tidemill.statistics.influence import auc_influence, mean_influence
from tidemill.statistics.weighted import weighted_mean

_SLACK = 1e-6  # a float32 softmax may leave [0, 1] by rounding


@rule
class Accuracy:
    """The share of rows whose output is the label.

    Labels and outputs are both text or both numbers; numbers must be equal exactly. NaN when
    there are no rows or a label or output is missing.

    References
    ----------
    Sokolova, M. and Lapalme, G. (2009). A systematic analysis of performance measures for
    classification tasks. Information Processing and Management 45, 427-437.

    Examples
    --------
    >>> label = np.array(["cat", "dog", "cat"], dtype=object)
    >>> answer = np.array(["cat", "dog", "dog"], dtype=object)
    >>> Accuracy()(label, answer, np.array([1.0, 1.0, 2.0]))
    0.5
    """

    @property
    def name(self) -> str:
        """The name in snake case."""
        return "accuracy"

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value is a better model."""
        return True

    @property
    def needs(self) -> Literal["output", "score"]:
        """What ``answer`` must be."""
        return "output"

    @property
    def is_share(self) -> bool:
        """Whether it is a mean of zeros and ones, for which exact bounds are known."""
        return True

    @property
    def summary(self) -> Summary:
        """What of windows tells what they come to together."""
        return "mergeable"

    def __call__(self, label: NDArray[Any], answer: NDArray[Any], weight: NDArray[Any]) -> float:
        """Compute the weighted share of outputs that equal their label."""
        y, a, w = with_weight(label, answer, weight)
        return weighted_mean(_right(y, a), w)

    def influence(
        self, label: NDArray[Any], answer: NDArray[Any], weight: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Say how far each row moves the value; rows of weight 0 move nothing."""
        y, a, w = with_weight(label, answer, weight)
        return spread_out(mean_influence(_right(y, a), w), weight)

    @classmethod
    def examples(cls) -> Iterator[Accuracy]:
        """Yield instances for tests and docs."""
        yield cls()


@rule
class LogLoss:
    """The mean surprise at the label, in nats, given the probability the model put on it.

    The probability put on the true class is raised to at least 1e-15, so that one row costs
    at most 34.54. NaN when there are no rows or a label or score is missing.

    References
    ----------
    Good, I. J. (1952). Rational decisions. Journal of the Royal Statistical Society B 14,
    107-114.

    Examples
    --------
    >>> score = np.array([0.9, 0.2, 0.4])
    >>> round(LogLoss()(np.array([1.0, 0.0, 1.0]), score, np.ones(3)), 4)
    0.4149
    """

    @property
    def name(self) -> str:
        """The name in snake case."""
        return "log_loss"

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value is a better model."""
        return False

    @property
    def needs(self) -> Literal["output", "score"]:
        """What ``answer`` must be."""
        return "score"

    @property
    def summary(self) -> Summary:
        """What of windows tells what they come to together."""
        return "mergeable"

    def __call__(self, label: NDArray[Any], answer: NDArray[Any], weight: NDArray[Any]) -> float:
        """Compute the weighted mean of -log P(label)."""
        y, p, w = _probabilities(label, answer, weight)
        return weighted_mean(_surprise(y, p), w)

    def influence(
        self, label: NDArray[Any], answer: NDArray[Any], weight: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Say how far each row moves the value; rows of weight 0 move nothing."""
        y, p, w = _probabilities(label, answer, weight)
        return spread_out(mean_influence(_surprise(y, p), w), weight)

    @classmethod
    def examples(cls) -> Iterator[LogLoss]:
        """Yield instances for tests and docs."""
        yield cls()


@rule
class Brier:
    """The mean squared distance from the score to the label, 0 or 1.

    NaN when there are no rows or a label or score is missing.

    References
    ----------
    Brier, G. W. (1950). Verification of forecasts expressed in terms of probability. Monthly
    Weather Review 78, 1-3.

    Examples
    --------
    >>> score = np.array([0.9, 0.2, 0.4])
    >>> round(Brier()(np.array([1.0, 0.0, 1.0]), score, np.ones(3)), 4)
    0.1367
    """

    @property
    def name(self) -> str:
        """The name in snake case."""
        return "brier"

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value is a better model."""
        return False

    @property
    def needs(self) -> Literal["output", "score"]:
        """What ``answer`` must be."""
        return "score"

    @property
    def summary(self) -> Summary:
        """What of windows tells what they come to together."""
        return "mergeable"

    def __call__(self, label: NDArray[Any], answer: NDArray[Any], weight: NDArray[Any]) -> float:
        """Compute the weighted mean of (score - label)^2."""
        y, p, w = _probabilities(label, answer, weight)
        return weighted_mean(np.square(p - y), w)

    def influence(
        self, label: NDArray[Any], answer: NDArray[Any], weight: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Say how far each row moves the value; rows of weight 0 move nothing."""
        y, p, w = _probabilities(label, answer, weight)
        return spread_out(mean_influence(np.square(p - y), w), weight)

    @classmethod
    def examples(cls) -> Iterator[Brier]:
        """Yield instances for tests and docs."""
        yield cls()


@rule
class AUC:
    """The chance that a positive row scores above a negative one, ties counting half.

    The area under the ROC curve. Scores may be any numbers, since only their order counts.
    NaN when either class has no row, or a label or score is missing.

    References
    ----------
    Hanley, J. A. and McNeil, B. J. (1982). The meaning and use of the area under a receiver
    operating characteristic (ROC) curve. Radiology 143, 29-36.

    Examples
    --------
    >>> score = np.array([0.9, 0.4, 0.4, 0.1])
    >>> AUC()(np.array([1.0, 1.0, 0.0, 0.0]), score, np.ones(4))
    0.875
    """

    @property
    def name(self) -> str:
        """The name in snake case."""
        return "auc"

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value is a better model."""
        return True

    @property
    def needs(self) -> Literal["output", "score"]:
        """What ``answer`` must be."""
        return "score"

    @property
    def summary(self) -> Summary:
        """What of windows tells what they come to together."""
        return "rows"

    def __call__(self, label: NDArray[Any], answer: NDArray[Any], weight: NDArray[Any]) -> float:
        """Compute the weighted share of (positive, negative) pairs in the right order."""
        y, s, w = _binary(label, answer, weight)
        if not w.size or np.isnan(y).any() or np.isnan(s).any():
            return float("nan")
        positive = y == 1
        if positive.all() or not positive.any():
            return float("nan")
        order = np.argsort(s)
        s, positive, w = s[order], positive[order], w[order]
        # Where a score begins that is none of the one before: ties count together.
        starts = np.flatnonzero(np.concatenate([[True], s[1:] != s[:-1]]))
        good, bad = (
            np.add.reduceat(np.where(own, w / w[own].max(), 0.0), starts)
            for own, w in ((positive, w * positive), (~positive, w * ~positive))
        )
        good, bad = good / good.sum(), bad / bad.sum()
        area = float(np.sum(good * (np.cumsum(bad) - bad / 2)))
        return min(max(area, 0.0), 1.0)

    def influence(
        self, label: NDArray[Any], answer: NDArray[Any], weight: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Say how far each row moves the value; rows of weight 0 move nothing."""
        y, s, w = _binary(label, answer, weight)
        return spread_out(auc_influence(y, s, w), weight)

    @classmethod
    def examples(cls) -> Iterator[AUC]:
        """Yield instances for tests and docs."""
        yield cls()


def _right(label: NDArray[Any], output: NDArray[Any]) -> NDArray[np.float64]:
    """Say for each row whether its output is its label; all NaN when one is missing."""
    if _any_missing(label) or _any_missing(output):
        return np.full(label.shape, np.nan)
    if _is_text(label) != _is_text(output) and label.size:
        raise BadInput(
            f"label {label[0]!r} and output {output[0]!r} are not of one kind.",
            fix="make both text or both numbers.",
        )
    if _is_text(label):
        return (label.astype(object) == output.astype(object)).astype(float)
    return (numbers(label, "a label") == numbers(output, "an output")).astype(float)


def _surprise(label: NDArray[np.float64], probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return -log P(label) of each row."""
    on_truth = np.where(label == 1, probability, 1 - probability)
    on_truth[np.isnan(label)] = np.nan
    return -np.log(np.maximum(on_truth, 1e-15))


def _binary(
    label: NDArray[Any], score: NDArray[Any], weight: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the rows with weight as floats, refusing labels that are not 0 or 1."""
    kept, scores, w = with_weight(label, score, weight)
    y = numbers(kept, "a label")
    wrong = y[~(np.isnan(y) | (y == 0) | (y == 1))]
    if wrong.size:
        raise BadInput(f"label {wrong[0]} is not 0 or 1.", fix="code the positive class as 1.")
    return y, numbers(scores, "a score"), w


def _probabilities(
    label: NDArray[Any], score: NDArray[Any], weight: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """As ``_binary``, refusing scores outside [0, 1] by more than rounding."""
    y, p, w = _binary(label, score, weight)
    wrong = p[(p < -_SLACK) | (p > 1 + _SLACK)]
    if wrong.size:
        raise BadInput(
            f"score {wrong[0]} is not a probability.", fix="pass P(positive), from 0 to 1."
        )
    return y, np.clip(p, 0.0, 1.0), w


def _is_text(values: NDArray[Any]) -> bool:
    if values.dtype.kind == "O":
        return any(isinstance(v, str) for v in values)
    return values.dtype.kind == "U"


def _any_missing(values: NDArray[Any]) -> bool:
    if values.dtype.kind == "O":
        return any(v is None or v != v for v in values)  # noqa: PLR0124 - NaN is not itself
    return values.dtype.kind == "f" and bool(np.isnan(values).any())
