"""What a metric will be when each row is positive with a known probability."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import BadInput
from tidemill.monitoring.estimates.answered import Answered

Floats = NDArray[np.float64]

CLASSES = ("accuracy", "auc", "brier", "f1", "log_loss", "precision", "recall")
"""The metrics of two classes."""
_BY_OUTPUT = {"accuracy", "f1", "precision", "recall"}
_LEAST = 1e-15  # as LogLoss: one row costs at most 34.54


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """Rows of two classes: a score, an output of 0 or 1, a weight; labels where they are known."""

    score: Floats
    output: Floats
    weight: Floats
    day: NDArray[Any] | None = None
    label: Floats | None = None

    @classmethod
    def of(cls, answered: Answered, metric: str, window: str, *, labelled: bool = False) -> Task:
        """Read the rows as two classes.

        For the accuracy of many classes the classes become "right" and "wrong", and the score
        the confidence in the answer.

        Raises
        ------
        BadInput
            If the metric cannot be had of these rows, with the reason.
        """
        if metric not in CLASSES:
            raise BadInput(f"{metric} is not of classes.", fix="use DLE, which estimates losses.")
        score = answered.column("score", window)
        label = answered.column("label", window) if labelled else None
        if score.ndim > 1:
            task = cls._confidence(answered, metric, score, label, window)
        else:
            needed = metric in _BY_OUTPUT
            output = answered.column("output", window) if needed else np.zeros(len(score))
            task = cls(
                score=score.astype(np.float64),
                output=_bits(output, "output", window),
                weight=answered.weights,
                day=answered.day,
                label=None if label is None else _bits(label, "label", window),
            )
        task.check(metric, window)
        return task

    @classmethod
    def _confidence(
        cls, answered: Answered, metric: str, score: Floats, label: Any, window: str
    ) -> Task:
        if metric != "accuracy":
            raise BadInput(
                f"{metric} is estimated for two classes only, and there are {score.shape[1]}.",
                fix="estimate accuracy, or pass the score of one class against the rest.",
            )
        return cls(
            score=score.max(axis=1).astype(np.float64),
            output=np.ones(len(score)),
            weight=answered.weights,
            day=answered.day,
            label=None if label is None else answered.right(window),
        )

    def check(self, metric: str, window: str) -> None:
        """Refuse rows that say nothing of the metric."""
        if self.score.size > 1 and self.score.min() == self.score.max():
            raise BadInput(
                f"every score of the {window} is {self.score[0]:g}.",
                fix="look whether the model still sees its inputs.",
            )
        several = metric in {"auc", "f1", "precision", "recall"}
        if several and self.label is not None and self.label.min() == self.label.max():
            raise BadInput(
                f"every label of the {window} is {self.label[0]:g}.",
                fix="take a reference with both classes.",
            )
        inside = metric not in {"brier", "log_loss"} or (
            self.score.min() >= 0 and self.score.max() <= 1
        )
        if not inside:
            raise BadInput(
                f"a score of the {window} is not between 0 and 1, as {metric} needs.",
                fix="pass probabilities as scores.",
            )

    def rows(self, keep: NDArray[Any]) -> Task:
        """Keep some rows."""
        return replace(
            self,
            score=self.score[keep],
            output=self.output[keep],
            weight=self.weight[keep],
            day=None if self.day is None else self.day[keep],
            label=None if self.label is None else self.label[keep],
        )


def expected(metric: str, task: Task, mass: Floats) -> tuple[float, Floats]:
    """Compute a metric's expectation, and how it moves with each row's probability.

    Rows are ordered by the raw score; the mass is the calibrated probability. With labels as
    mass it is the realised metric itself.

    Parameters
    ----------
    metric
        One of ``CLASSES``.
    task
        The rows.
    mass
        P(positive) of each row, shape (n,).

    Returns
    -------
    tuple
        The value, NaN where it is undefined, and its gradient, shape (n,). Precision, recall,
        F1 and AUC are ratios, taken at the expectations of their parts.

    References
    ----------
    Bialek, J. et al. (2024). Estimating model performance under covariate shift without
    labels. arXiv:2401.08348.
    Hanley, J. A. and McNeil, B. J. (1982). The meaning and use of the area under a receiver
    operating characteristic (ROC) curve. Radiology 143, 29-36.

    Examples
    --------
    >>> two = Task(score=np.array([0.2, 0.9]), output=np.array([0.0, 1.0]), weight=np.ones(2))
    >>> value, gradient = expected("accuracy", two, np.array([0.2, 0.9]))
    >>> round(value, 2), gradient.tolist()
    (0.85, [-0.5, 0.5])
    """
    if metric == "auc":
        return _auc(task, mass)
    w, out = task.weight / task.weight.sum(), task.output
    if metric == "accuracy":
        return float(w @ (mass * out + (1 - mass) * (1 - out))), w * (2 * out - 1)
    if metric == "brier":
        s = task.score
        return float(w @ (mass * (1 - s) ** 2 + (1 - mass) * s**2)), w * (1 - 2 * s)
    if metric == "log_loss":
        yes = -np.log(np.maximum(task.score, _LEAST))
        no = -np.log(np.maximum(1 - task.score, _LEAST))
        return float(w @ (mass * yes + (1 - mass) * no)), w * (yes - no)
    return _of_positives(metric, w, out, mass)


def _of_positives(metric: str, w: Floats, out: Floats, mass: Floats) -> tuple[float, Floats]:
    """Precision, recall and F1 from the expected true positives."""
    hits, said, true = float(w @ (mass * out)), float(w @ out), float(w @ mass)
    below = {"precision": said, "recall": true, "f1": (said + true) / 2}[metric]
    if below <= 0:
        return math.nan, np.zeros_like(w)
    value = hits / below
    grows = {"precision": 0.0, "recall": 1.0, "f1": 0.5}[metric]
    return value, w * (out - grows * value) / below


def _auc(task: Task, mass: Floats) -> tuple[float, Floats]:
    """Count pairs of a positive above a negative; no row is a pair with itself."""
    places, place = np.unique(task.score, return_inverse=True)
    yes, no = task.weight * mass, task.weight * (1 - mass)
    good, bad = (np.bincount(place, m, places.size) for m in (yes, no))
    own = float(yes @ no)
    ups, downs = float(yes.sum()), float(no.sum())
    pairs = ups * downs - own
    if min(ups, downs) <= 0 or pairs <= 0:
        return math.nan, np.zeros_like(mass)
    below = (np.cumsum(bad) - bad / 2)[place]
    above = (good.sum() - np.cumsum(good) + good / 2)[place]
    value = (float(yes @ below) - own / 2) / pairs
    moves = task.weight * ((below - value * downs) - (above - value * ups)) / pairs
    return value, moves


def _bits(values: NDArray[Any], what: str, window: str) -> Floats:
    """Read zeros and ones."""
    try:
        bits = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        bits = np.full(len(values), math.nan)
    if not np.isin(bits, (0.0, 1.0)).all():
        raise BadInput(
            f"a {what} of the {window} is not 0 or 1.", fix="code the positive class as 1."
        )
    return bits
