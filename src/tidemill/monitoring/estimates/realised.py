"""The metric that labels show, and how far each row moves it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidemill.core.errors import unknown
from tidemill.measures import AUC, MAE, MSE, Accuracy, Brier, LogLoss
from tidemill.monitoring.estimates.answered import Answered
from tidemill.monitoring.estimates.expected import Task, expected
from tidemill.monitoring.estimates.protocol import METRICS
from tidemill.statistics.influence import mean_influence
from tidemill.statistics.weighted import weighted_mean

Floats = NDArray[np.float64]


def realised(answered: Answered, metric: str) -> float:
    """Compute a metric of a window whose labels have come.

    Parameters
    ----------
    answered
        Rows with labels.
    metric
        One of ``METRICS``.

    Raises
    ------
    BadInput
        If the rows cannot give it, with the reason.

    Examples
    --------
    >>> seen = Answered(output=np.array([0, 1, 1, 0]), label=np.array([0, 1, 0, 0]))
    >>> realised(seen, "accuracy")
    0.75
    """
    if metric not in METRICS:
        raise unknown("metric", metric, METRICS)
    value = measured(answered.with_weight(), metric, "window")[0]
    return math.sqrt(value) if metric == "rmse" else value


def measured(answered: Answered, metric: str, window: str) -> tuple[float, Floats]:
    """Return a metric and how far each row moves it; for ``rmse`` those of its square."""
    weight = answered.weights
    if metric in {"f1", "precision", "recall"}:
        return _of_positives(Task.of(answered, metric, window, labelled=True), metric)
    if metric == "loss":
        loss = answered.column("loss", window).astype(np.float64)
        return weighted_mean(loss, weight), mean_influence(loss, weight)
    metrics = {"auc": AUC(), "accuracy": Accuracy(), "brier": Brier(), "log_loss": LogLoss()}
    rule = {**metrics, "mae": MAE(), "mse": MSE(), "rmse": MSE()}[metric]
    label: Any = answered.column("label", window)
    answer: Any = answered.column(rule.needs, window)
    return rule(label, answer, weight), rule.influence(label, answer, weight)


def _of_positives(task: Task, metric: str) -> tuple[float, Floats]:
    """Precision, recall or F1 with the influence of whole rows, output and label both drawn."""
    label = np.asarray(task.label, dtype=np.float64)
    value = expected(metric, task, label)[0]
    w, out = task.weight / task.weight.sum(), task.output
    below = {"precision": out, "recall": label, "f1": (out + label) / 2}[metric]
    total = float(w @ below)
    if total <= 0:
        return math.nan, np.zeros_like(w)
    return value, w * (out * label - value * below) / total
